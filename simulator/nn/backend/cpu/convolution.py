"""Convolution as products with copied patches.

# C channels, F filters, P = places of a chunk of rows times samples; x (C, H, W, n), K (kh, kw, C, F)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from simulator.nn.backend.cpu.plan import Array, Node, Operation, Plan, Weight
from simulator.nn.backend.operation import Shape
from simulator.tape.convolution import places_after

CACHE = 1_500_000  # bytes of patches that are made at a time: they stay in the second-level cache
SMALL = 1_000_000  # multiply-adds below which OpenBLAS takes its operands as they are, without packing them first
SHALLOW, FEW = 200, 16  # numbers of a patch, filters


def _groups(rows: int, others: int) -> int:
    """Into how many groups of rows a product is split so that each stays small."""
    return next((g for g in range(1, rows + 1) if rows % g == 0 and rows // g * others <= SMALL), 1)


def _product(m: Array, x: Array, out: Array, groups: int) -> None:
    """m (r, k) times every x (p, k, n), into out (p, r, n), the rows in groups."""
    if groups == 1:
        np.matmul(m, x, out=out)
        return
    parts, rows, places = out.shape
    split = as_strided(
        out,
        (parts, groups, rows // groups, places),
        (out.strides[0], out.strides[1] * (rows // groups), *out.strides[1:]),
    )
    np.matmul(m.reshape(groups, rows // groups, -1), x[:, None], out=split)


class Convolution(Operation):
    """The input lies inside the zeros of its padding; patches (kh*kw*C, P) are copied in runs of W*n numbers.

    With samples innermost such a copy takes a tenth of the time of one with channels innermost.
    """

    def __init__(self, x: Node, k: Weight, strides: Sequence[int], padding: str) -> None:
        self.k, self.strides = k, tuple(strides)
        self.size: Shape = (*k.value.shape[:-2], 1)[:2]
        found = [places_after(n, w, s, padding) for n, w, s in zip(x.shape, self.size, strides, strict=False)]
        self.places = tuple(count for count, _ in found)
        self.before = tuple(before for _, before in found)
        super().__init__((*self.places, k.value.shape[-1]), x, weights=[k])

    def allocate(self, plan: Plan) -> None:
        (x,), n = self.inputs, plan.n
        (h, w, c), (kh, kw), (sh, sw) = x.shape, self.size, self.strides
        (oh, ow), (top, left) = self.places, self.before
        padded = (c, max(h + top, (oh - 1) * sh + kh), max(w + left, (ow - 1) * sw + kw), n)
        inside = (slice(None), slice(top, top + h), slice(left, left + w))
        self.padded: Array = np.zeros(padded, np.float32)
        learns = plan.learning and x.learns
        self.dpadded: Array | None = np.zeros(padded, np.float32) if learns else None
        grad = self.dpadded[inside] if self.dpadded is not None else None
        self.gradients = [plan.place(x, self.padded[inside], grad)]
        self.own = x.value is not None and not np.shares_memory(x.value, self.padded)
        self.inside = inside

        self.depth, filters = math.prod(self.k.value.shape[:-1]), self.k.value.shape[-1]
        row = ow * n
        fits = [r for r in range(1, oh + 1) if oh % r == 0 and r * self.depth * row * 4 <= CACHE]
        rows = max(fits, default=1)
        # Shallow patches: a product per row of places, which OpenBLAS takes as they are: twice as fast for 3 x 3 x 1.
        apart = rows if self.depth < SHALLOW else 1
        self.patches: Array = np.empty((apart, self.depth, rows * row // apart), np.float32)
        copied = self.patches.reshape(apart, kh, kw, c, rows // apart, ow, n)
        self.copy = copied.transpose(1, 2, 3, 0, 4, 5, 6)
        t = self.padded.strides
        shape = (kh, kw, c, apart, rows // apart, ow, n)
        strides = (t[1], t[2], t[0], t[1] * sh * (rows // apart), t[1] * sh, t[2] * sw, t[3])
        self.chunks = [
            (r, as_strided(self.padded[:, r * sh :], shape, strides, writeable=False)) for r in range(0, oh, rows)
        ]
        self.rows_at_once, self.places_at_once = rows, rows * row
        self.groups = _groups(filters, self.depth * self.patches.shape[2]) if apart > 1 else 1
        self.groups_back = _groups(self.depth, filters * self.patches.shape[2]) if apart > 1 else 1
        self.z = self.y if self.y.flags.c_contiguous else np.empty(self.y.shape, np.float32)
        if plan.learning:
            self.dk: Array = np.zeros((self.depth, filters), np.float32)
            self.dpatches = np.empty_like(self.patches) if learns else None

    def _chunk(self, z: Array, i: int) -> Array:
        """The places of a chunk of z (F, ...), as (parts, F, places)."""
        flat = z.reshape(len(z), -1)[:, i * self.places_at_once : (i + 1) * self.places_at_once]
        return flat.reshape(len(z), len(self.patches), -1).transpose(1, 0, 2)

    def forward(self, plan: Plan) -> None:
        if self.own:
            np.copyto(self.padded[self.inside], self.x)
        kernel = np.ascontiguousarray(self.k.value.reshape(self.depth, -1).T)  # (F, depth)
        for i, (_, view) in enumerate(self.chunks):
            np.copyto(self.copy, view)
            _product(kernel, self.patches, self._chunk(self.z, i), self.groups)
        if self.z is not self.y:
            np.copyto(self.y, self.z)

    def backward(self, plan: Plan) -> None:
        dz = self.dy if self.dy.flags.c_contiguous else np.ascontiguousarray(self.dy)
        kernel = self.k.value.reshape(self.depth, -1)
        if self.dpadded is not None:
            self.dpadded.fill(0)
        for i, (r, view) in enumerate(self.chunks):
            if len(self.chunks) > 1:
                np.copyto(self.copy, view)
            d = self._chunk(dz, i)
            # Few filters: turned first, the product takes less than half the time.
            turned = np.ascontiguousarray(d.transpose(0, 2, 1)) if len(dz) <= FEW else d.transpose(0, 2, 1)
            part = np.matmul(self.patches, turned)
            total = part[0] if len(part) == 1 else np.add.reduce(part, axis=0)
            if i == 0:
                np.copyto(self.dk, total)
            else:
                np.add(self.dk, total, out=self.dk)
            if self.dpatches is not None:
                _product(kernel, d, self.dpatches, self.groups_back)
                self._add_patches(r)
        if self.own and self.dx is not None and self.dpadded is not None:
            np.copyto(self.dx, self.dpadded[self.inside])

    def _add_patches(self, row: int) -> None:
        """Add the patches' gradients where they were copied from, kernel place by kernel place."""
        assert self.dpadded is not None and self.dpatches is not None
        (sh, sw), (_, ow) = self.strides, self.places
        rows = self.rows_at_once
        (kh, kw), c = self.size, self.inputs[0].shape[-1]
        parts = self.dpatches.reshape(len(self.dpatches), kh, kw, c, -1, ow, self.dpadded.shape[-1])
        for i in range(kh):
            for j in range(kw):
                down = slice(row * sh + i, row * sh + i + (rows - 1) * sh + 1, sh)
                across = slice(j, j + (ow - 1) * sw + 1, sw)
                target = self.dpadded[:, down, across]
                target = target[:, :, None] if len(parts) > 1 else target[:, None]
                np.add(target, parts[:, i, j].transpose(1, 0, 2, 3, 4), out=target)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.k, self.dk.reshape(self.k.value.shape))]
