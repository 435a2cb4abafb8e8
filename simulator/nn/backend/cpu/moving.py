"""Pictures moved at random: every new number is a mean of the old ones around the place that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from simulator.nn.backend.cpu.elementwise import Random
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Plan
from simulator.nn.backend.interpolation import inside
from simulator.nn.backend.operation import Movement


class Move(Random):
    """x (C, H, W, n), every sample by numbers of its own; in training, and where a model is called."""

    def __init__(self, x: Node, movement: Movement, number: int, seed: int | None) -> None:
        super().__init__(x, number, seed)
        self.movement = movement

    def forward(self, plan: Plan) -> None:
        if not plan.moves:
            np.copyto(self.y, self.x)
            return
        fill = self.movement.fill_value
        self.taken = list(self._taken(self.movement.drawn(self.draw(plan), plan.n)))
        old, y = self.x.reshape(len(self.x), -1), self.y
        y[...] = fill * (1 - sum(share for _, share in self.taken)) if fill else 0
        for where, share in self.taken:
            y += old[:, where] * share

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        if not plan.moves:
            np.copyto(self.dx, self.dy)
            return
        self.dx[...] = 0
        for where, share in self.taken:
            for dx, dy in zip(self.dx, self.dy, strict=True):
                dx += np.bincount(where.ravel(), (dy * share).ravel(), dx.size).reshape(dx.shape)

    def _taken(self, movement: AnyArray) -> Iterator[tuple[AnyArray, Array]]:
        """Of every new place (H, W, n): an old one, counted through (H, W, n), and its share."""
        height, width, _ = self.output.shape
        rows, columns = np.arange(height)[:, None, None], np.arange(width)[:, None]
        axes = []
        for size, (down, across, start) in zip((height, width), movement.transpose(1, 2, 0), strict=True):
            place = rows * down + columns * across + start
            if self.movement.interpolation == "nearest":
                axes.append([(np.rint(place), np.ones_like(place))])
            else:
                low = np.floor(place)
                axes.append([(low, 1 - (place - low)), (low + 1, place - low)])
            axes[-1] = [inside(at, share, size, self.movement.fill_mode) for at, share in axes[-1]]
        n = movement.shape[0]
        for (row, share), (column, other) in product(*axes):
            yield (row * width + column) * n + np.arange(n), (share * other).astype(np.float32)
