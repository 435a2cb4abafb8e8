"""Convolution with 3 x 3 kernels by Winograd's short algorithm, F(4 x 4, 3 x 3).

Four by four neighbours of the output come from a tile of six by six of the input. Tile and kernel are carried to 36
places in which the convolution is one product per channel and filter instead of 9*16/36 = 4, and the result is carried
back: Y = (A.T x A.T) [(G x G) K * (B.T x B.T) D]. Errors grow to some 4e-6.
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.

Forward and backward together take 0.4 to 0.7 times as long as copied patches do, for 32 channels and more.

# C channels, F filters, T tiles of a chunk of rows times samples
# D (36, C*T) tiles, V (36, C, T) and U (36, C, F) what they and kernels are carried to, M (36, F, T) products
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from simulator.nn.backend.cpu.convolution import Convolution
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Plan, Weight
from simulator.nn.backend.cpu.product import times
from simulator.nn.backend.operation import Shape
from simulator.tape.convolution import places_after

TILE, STEP = 6, 4
PLACES = TILE * TILE
CACHE = 24_000_000  # bytes of all buffers of a chunk: with a quarter of it a tenth slower, and so with four times
PAYS = 0.7  # of the plain way's multiply-adds: carrying over and back takes longer than it counts
USUAL = 32  # samples that share the work of carrying a kernel over and its gradient back


def _twice(m: list[list[float]]) -> Array:
    return np.kron(m, m).astype(np.float32)


# carried along rows and columns at once: one product with 36 rows takes as long as two with 6
TO_PLACES = _twice(
    [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
     [0, 4, 0, -5, 0, 1]]
)  # fmt: skip
KERNEL = _twice(
    [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6],
     [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
)  # fmt: skip
BACK = _twice([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


def pays(kernel: Shape, strides: tuple[int, ...], places: Shape) -> bool:
    """Whether it takes less time than products with copied patches. kernel (kh, kw, C, F), places (OH, OW).

    >>> pays((3, 3, 64, 128), (1, 1), (14, 14)), pays((3, 3, 1, 64), (1, 1), (28, 28))
    (True, False)
    """
    if kernel[:2] != (3, 3) or tuple(strides) != (1, 1):
        return False
    _, _, c, f = kernel
    (oh, ow), tiles = places, -(-places[0] // STEP) * -(-places[1] // STEP)
    short = PLACES * tiles * (c * f + PLACES * c + STEP * STEP * f) + 2 * 9 * PLACES * c * f / USUAL
    return short < PAYS * 9 * c * f * oh * ow


class Buffers(NamedTuple):
    """What a chunk is computed in; tiled are the tiles of the output."""

    d: Array  # (6, 6, C, tall, wide, n)
    v: Array
    m: Array
    tiled: Array  # (4, 4, F, tall, wide, n)


class Winograd(Convolution):
    def allocate(self, plan: Plan) -> None:
        (oh, ow), c = self.places, self.inputs[0].shape[-1]
        tall, self.wide = -(-oh // STEP), -(-ow // STEP)
        self.frame(plan, STEP * tall + 2, STEP * self.wide + 2)
        fits = [r for r in range(1, tall + 1) if tall % r == 0 and self.bytes_of(r * self.wide * plan.n) <= CACHE]
        self.tall = max(fits, default=1)
        self.chunks = [(r, self.tiles(self.padded, r)) for r in range(0, tall, self.tall)]
        whole = len(self.chunks) == 1
        self.kept: Array | None = np.empty((PLACES, c, self.tall * self.wide * plan.n), np.float32) if whole else None
        self.buffers(plan)  # made here, so that planning tells what a step takes

    def buffers(self, plan: Plan) -> Buffers:
        """All operations of a plan share them, but for a whole V, which stays until the gradient."""
        _, _, c, f = self.k.value.shape
        chunk = self.tall, self.wide, plan.n
        t = math.prod(chunk)
        return Buffers(
            plan.scratch("D", TILE, TILE, c, *chunk),
            plan.scratch("V", PLACES, c, t) if self.kept is None else self.kept,
            plan.scratch("M", PLACES, f, t),
            plan.scratch("Y", STEP, STEP, f, *chunk),
        )

    def bytes_of(self, tiles: int) -> int:
        _, _, c, f = self.k.value.shape
        return int(4 * tiles * (2 * PLACES * c + PLACES * f + STEP * STEP * f))

    def tiles(self, frame: Array, row: int) -> AnyArray:
        """A view (6, 6, C, tall, wide, n) of a padded image from a row of tiles on; neighbours overlap by two."""
        s, shape = frame.strides, (TILE, TILE, len(frame), self.tall, self.wide, frame.shape[-1])
        return as_strided(frame[:, STEP * row :], shape, (s[1], s[2], s[0], STEP * s[1], STEP * s[2], s[3]))

    def parts_of(self, image: AnyArray, row: int, tiled: Array) -> Iterator[tuple[AnyArray, AnyArray]]:
        """The output's places of a chunk, and where they stand in its tiles."""
        rows = image[:, STEP * row : STEP * (row + self.tall)]
        for i in range(STEP):
            for j in range(STEP):
                part = rows[:, i::STEP, j::STEP]
                yield part, tiled[i, j, :, : part.shape[1], : part.shape[2]]

    def forward(self, plan: Plan) -> None:
        self.take_input()
        kernel, at = self.k.value, self.buffers(plan)
        self.u = (KERNEL @ kernel.reshape(9, -1)).reshape(PLACES, *kernel.shape[2:])
        for row, view in self.chunks:
            _enter(view, at)
            np.matmul(self.u.transpose(0, 2, 1), at.v, out=at.m)
            times(BACK, at.m.reshape(PLACES, -1), at.tiled.reshape(STEP * STEP, -1))
            for part, tiled in self.parts_of(self.y, row, at.tiled):
                np.copyto(part, tiled)

    def backward(self, plan: Plan) -> None:
        if self.dpadded is not None:
            self.dpadded.fill(0)
        du, at = np.zeros_like(self.u), self.buffers(plan)
        for row, view in self.chunks:
            if self.kept is None:
                _enter(view, at)
            at.tiled.fill(0)
            for part, tiled in self.parts_of(self.dy, row, at.tiled):
                np.copyto(tiled, part)
            times(BACK.T, at.tiled.reshape(STEP * STEP, -1), at.m.reshape(PLACES, -1))
            du += at.v @ at.m.transpose(0, 2, 1)
            if self.dpadded is not None:
                np.matmul(self.u, at.m, out=at.v)
                times(TO_PLACES.T, at.v.reshape(PLACES, -1), at.d.reshape(PLACES, -1))
                target = self.tiles(self.dpadded, row)
                for i in range(TILE):
                    for j in range(TILE):
                        np.add(target[i, j], at.d[i, j], out=target[i, j])
        self.dk = KERNEL.T @ du.reshape(PLACES, -1)
        self.hand_back()


def _enter(view: AnyArray, at: Buffers) -> None:
    np.copyto(at.d, view)
    times(TO_PLACES, at.d.reshape(PLACES, -1), at.v.reshape(PLACES, -1))


def convolution(x: Node, k: Weight, strides: Sequence[int], padding: str) -> Convolution:
    """The quicker of the two ways for this image (H, W, C)."""
    places = tuple(places_after(n, w, s, padding)[0] for n, w, s in zip(x.shape, k.value.shape, strides, strict=False))
    return (Winograd if pays(k.value.shape, tuple(strides), places) else Convolution)(x, k, strides, padding)
