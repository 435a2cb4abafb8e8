"""How an array of any number of axes lies on a sheet.

# kinds: "" by the number of axes; "turned" rows and columns exchanged (a row per unit); "column" a vector downwards;
# "kernel" small grids, channels downwards and filters across; "pile" an
# image's channels downwards, samples across; images are grids, samples downwards and channels across
"""

from __future__ import annotations

from simulator.tape.expression import Index, Shape

GAP = 1  # rows or columns between the grids of an image or a kernel


def extent(shape: Shape, kind: str = "") -> tuple[int, int]:
    """Rows and columns that the array takes.

    >>> extent((2, 8, 8, 3)), extent((2, 3), "turned"), extent((3,), "column")
    ((17, 26), (3, 2), (3, 1))
    """
    if not shape:
        return 1, 1
    row, col = place(tuple(n - 1 for n in shape), shape, kind)
    return row + 1, col + 1


def place(index: Index, shape: Shape, kind: str = "") -> tuple[int, int]:
    """Row and column of an entry, counted from the array's first cell.

    >>> place((1, 2, 0, 1), (2, 8, 8, 3))
    (11, 9)
    """
    match len(shape), kind:
        case 0, _:
            return 0, 0
        case 1, "column":
            return index[0], 0
        case 1, _:
            return 0, index[0]
        case 2, "turned":
            return index[1], index[0]
        case 2, _:
            return index[0], index[1]
        case 3, "kernel":
            u, c, f = index
            return u, f * (shape[1] + GAP) + c
        case 3, _:
            n, t, c = index
            return n * shape[1] + t, c
        case 4, "pile":
            n, i, j, c = index
            return c * (shape[1] + GAP) + i, n * (shape[2] + GAP) + j
        case 4, "kernel":
            u, v, c, f = index
            return c * (shape[0] + GAP) + u, f * (shape[1] + GAP) + v
    n, i, j, c = index
    return n * (shape[1] + GAP) + i, c * (shape[2] + GAP) + j


def is_picture(shape: Shape, kind: str) -> bool:
    """Whether the array is shown in colours: images, kernels of images, and whatever asks for it."""
    return len(shape) == 4 or kind == "heat"
