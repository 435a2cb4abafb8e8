"""Where the places of a resized picture lie in the picture itself: middles of places are matched, as in Keras."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INTERPOLATIONS = ("bilinear", "nearest")
FILL_MODES = ("reflect", "nearest", "wrap", "constant")


class Neighbours(NamedTuple):
    """Of every new place along an axis, the two old ones around it, and the share of the later one, from 0 to 1."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    share: NDArray[np.float64]

    def matrix(self, size: int) -> NDArray[np.float64]:
        """The shares as a matrix (new, old), which times the old numbers gives the new ones."""
        found = np.zeros((len(self.low), size))
        rows = np.arange(len(self.low))
        found[rows, self.low] += 1 - self.share
        found[rows, self.high] += self.share
        return found


def neighbours_of(size: int, wanted: int, interpolation: str) -> Neighbours:
    """
    >>> neighbours_of(2, 4, "bilinear").matrix(2).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    >>> neighbours_of(2, 3, "nearest").low.tolist()
    [0, 1, 1]
    """
    middle = (np.arange(wanted) + 0.5) * size / wanted
    if interpolation == "nearest":
        low = np.floor(middle).astype(np.int64)
        return Neighbours(low, low, np.zeros(wanted))
    middle = np.clip(middle - 0.5, 0, size - 1)
    low = np.floor(middle).astype(np.int64)
    return Neighbours(low, np.minimum(low + 1, size - 1), middle - low)


def inside(
    place: NDArray[np.float64], share: NDArray[np.float64], size: int, fill_mode: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of an axis that may lie outside, as those that are shown for them, and their shares.

    >>> before = np.arange(-2.0, 4)
    >>> [inside(before, np.ones(6), 2, mode)[0].tolist() for mode in ("reflect", "nearest", "wrap")]
    [[1, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]]
    >>> inside(before, np.ones(6), 2, "constant")[1].tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    at = place.astype(np.int64)
    if fill_mode == "reflect":
        at = at % (2 * size)
        return np.minimum(at, 2 * size - 1 - at), share
    if fill_mode == "wrap":
        return at % size, share
    near = np.clip(at, 0, size - 1)
    return near, share * (near == at) if fill_mode == "constant" else share
