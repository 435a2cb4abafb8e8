"""Pictures in another size: a product with the shares of rows, and one with those of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.nn.backend.cpu.plan import Array, Node, Operation, Plan
from simulator.nn.backend.interpolation import neighbours_of


class Resize(Operation):
    """x (C, H, W, n) becomes (C, H', W', n)."""

    def __init__(self, x: Node, size: Sequence[int], interpolation: str) -> None:
        height, width, channels = x.shape
        super().__init__((*size, channels), x)
        self.down, self.across = (
            neighbours_of(old, new, interpolation).matrix(old).astype(np.float32)
            for old, new in zip((height, width), size, strict=True)
        )

    def forward(self, plan: Plan) -> None:
        np.matmul(self.across, _along_rows(self.down, self.x), out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            np.copyto(self.dx, _along_rows(self.down.T, self.across.T @ self.dy))


def _along_rows(shares: Array, x: Array) -> Array:
    c, h, w, n = x.shape
    return (shares @ x.reshape(c, h, w * n)).reshape(c, len(shares), w, n)
