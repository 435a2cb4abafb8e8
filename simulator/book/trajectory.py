"""One pass over a run before it is written: the cost curve, the picked epochs, the points that charts cache."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.sheet.step import Values
from simulator.sheet.table import Table

CACHED_POINTS = 2_000  # a longer curve is drawn by the spreadsheet itself, from its cells


@dataclass
class Trajectory:
    """costs of every epoch; blocks picked by number; curves of some slots, empty when too long to cache."""

    costs: array[float]
    picked: dict[int, Values] = field(default_factory=dict)
    curves: dict[int, tuple[float, ...]] = field(default_factory=dict)

    @property
    def smallest(self) -> float:
        return min(self.costs) if all(map(math.isfinite, self.costs)) else math.nan

    def first_below(self, threshold: float) -> int | None:
        """The number of the first block whose cost is below the threshold, counted from 0."""
        return next((i for i, c in enumerate(self.costs) if c < threshold), None)


def follow(table: Table, cost: int, pick: Iterable[int] = (), curves: Iterable[int] = ()) -> Trajectory:
    """Run through the table's blocks once; cost and curves are slots of a block's values."""
    wanted = set(pick)
    cached: dict[int, list[float]] = {slot: [] for slot in curves} if table.count <= CACHED_POINTS else {}
    path = Trajectory(array("d"))
    for k, block in enumerate(table.blocks()):
        path.costs.append(block[cost])
        if k in wanted:
            path.picked[k] = block
        for slot, points in cached.items():
            points.append(block[slot])
    path.curves = {slot: tuple(points) for slot, points in cached.items()}
    return path
