"""Transposed convolution: every place of the input adds a kernel to the output, as a convolution's gradient does.

# C channels, F filters, P = places of a chunk of rows times samples; x (C, H, W, n), K (kh, kw, F, C)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from simulator.nn.backend.cpu.convolution import CACHE
from simulator.nn.backend.cpu.plan import Array, Node, Operation, Plan, Weight
from simulator.tape.convolution import places_transposed


class TransposedConvolution(Operation):
    """Products (kh*kw*F, P) are added up inside what padding cuts off again; see `Convolution` for the other way."""

    def __init__(self, x: Node, k: Weight, strides: Sequence[int], padding: str) -> None:
        self.k, self.strides = k, tuple(strides)
        kh, kw, filters, _ = k.value.shape
        self.size = kh, kw
        found = [places_transposed(*each, padding) for each in zip(x.shape, self.size, strides, strict=False)]
        (oh, self.top), (ow, self.left) = found
        super().__init__((oh, ow, filters), x, weights=[k])

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        (h, w, _), (oh, ow, filters), n = self.inputs[0].shape, self.output.shape, plan.n
        (kh, kw), (sh, sw) = self.size, self.strides
        reach = max(self.top + oh, (h - 1) * sh + kh), max(self.left + ow, (w - 1) * sw + kw)
        self.whole: Array = np.zeros((filters, *reach, n), np.float32)
        self.inside = (slice(None), slice(self.top, self.top + oh), slice(self.left, self.left + ow))
        depth, row = kh * kw * filters, w * n
        fits = [r for r in range(1, h + 1) if h % r == 0 and r * depth * row * 4 <= CACHE]
        self.rows_at_once = max(fits, default=1)
        self.patches: Array = np.empty((depth, self.rows_at_once * row), np.float32)
        self.parts_by_place = self.patches.reshape(kh, kw, filters, self.rows_at_once, w, n)
        t = self.whole.strides
        shape, strides = self.parts_by_place.shape, (t[1], t[2], t[0], t[1] * sh, t[2] * sw, t[3])
        self.views = [
            as_strided(self.whole[:, r * sh :], shape, strides, writeable=False) for r in range(0, h, self.rows_at_once)
        ]

    @property
    def kernel(self) -> Array:
        return self.k.value.reshape(len(self.patches), -1)

    def _chunk(self, x: Array, i: int) -> Array:
        """Some rows of x (C, H, W, n), as (C, P)."""
        return x[:, i * self.rows_at_once : (i + 1) * self.rows_at_once].reshape(len(x), -1)

    def forward(self, plan: Plan) -> None:
        (kh, kw), (sh, sw), w = self.size, self.strides, self.x.shape[2]
        self.whole.fill(0)
        for i in range(len(self.views)):
            np.matmul(self.kernel, self._chunk(self.x, i), out=self.patches)
            top = i * self.rows_at_once * sh
            for a in range(kh):
                down = slice(top + a, top + a + (self.rows_at_once - 1) * sh + 1, sh)
                for b in range(kw):
                    target = self.whole[:, down, b : b + (w - 1) * sw + 1 : sw]
                    np.add(target, self.parts_by_place[a, b], out=target)
        np.copyto(self.y, self.whole[self.inside])

    def backward(self, plan: Plan) -> None:
        self.whole.fill(0)
        np.copyto(self.whole[self.inside], self.dy)
        self.dk: Array = np.zeros(self.kernel.shape, np.float32)
        for i, view in enumerate(self.views):
            np.copyto(self.parts_by_place, view)
            self.dk += self.patches @ self._chunk(self.x, i).T
            if self.dx is not None:
                found = self.kernel.T @ self.patches
                some = self.dx[:, i * self.rows_at_once : (i + 1) * self.rows_at_once]
                np.copyto(some, found.reshape(some.shape))

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.k, self.dk.reshape(self.k.value.shape))]
