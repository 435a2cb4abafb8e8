"""Convolution as products with copied patches.

# C channels, F filters, P = places of a chunk of rows times samples; x (C, H, W, n), K (kh, kw, C, F)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from simulator.nn.backend.cpu.compiled import kernels
from simulator.nn.backend.cpu.plan import Array, Node, Operation, Plan, Weight
from simulator.nn.backend.cpu.product import times, times_turned
from simulator.nn.backend.operation import Shape
from simulator.tape.convolution import places_after

# Bytes of patches that are made at a time. They leave a second-level cache of 2 MB, but with half as many two threads
# wait for the interpreter's lock between calls: on a Xeon a LeNet takes 1.04 times as long, a convnet 1.03 times.
CACHE = 3_000_000


class Convolution(Operation):
    """The input lies inside the zeros of its padding; patches (kh*kw*C, P) are copied in runs of W*n numbers.

    With samples innermost such a copy takes a tenth of the time of one with channels innermost.
    """

    def __init__(self, x: Node, k: Weight, strides: Sequence[int], padding: str) -> None:
        self.k, self.strides, self.kernels = k, tuple(strides), kernels()
        self.size: Shape = (*k.value.shape[:-2], 1)[:2]
        found = [places_after(n, w, s, padding) for n, w, s in zip(x.shape, self.size, strides, strict=False)]
        self.places = tuple(count for count, _ in found)
        self.before = tuple(before for _, before in found)
        super().__init__((*self.places, k.value.shape[-1]), x, weights=[k])

    def frame(self, plan: Plan, height: int, width: int) -> None:
        """Place the input inside zeros, in an image of at least that size; its gradient too."""
        (x,), (top, left) = self.inputs, self.before
        h, w, c = x.shape
        padded = (c, max(h + top, height), max(w + left, width), plan.n)
        inside = (slice(None), slice(top, top + h), slice(left, left + w))
        self.padded: Array = np.zeros(padded, np.float32)
        learns = plan.learning and x.learns
        self.dpadded: Array | None = plan.room(padded) if learns else None
        grad = self.dpadded[inside] if self.dpadded is not None else None
        self.gradients = [plan.place(x, self.padded[inside], grad)]
        self.own = x.value is not None and not np.shares_memory(x.value, self.padded)
        self.inside = inside

    def take_input(self) -> None:
        if self.own:
            np.copyto(self.padded[self.inside], self.x)

    def hand_back(self) -> None:
        if self.own and self.dx is not None and self.dpadded is not None:
            np.copyto(self.dx, self.dpadded[self.inside])

    def allocate(self, plan: Plan) -> None:
        n, c = plan.n, self.inputs[0].shape[-1]
        (kh, kw), (sh, sw), (oh, ow) = self.size, self.strides, self.places
        self.frame(plan, (oh - 1) * sh + kh, (ow - 1) * sw + kw)
        self.depth, filters = math.prod(self.k.value.shape[:-1]), self.k.value.shape[-1]
        row = ow * n
        most = max(CACHE, self.k.value.nbytes)  # a kernel that is larger than the cache is read once for every chunk
        fits = [r for r in range(1, oh + 1) if oh % r == 0 and r * self.depth * row * 4 <= most]
        rows = max(fits, default=1)
        self.rows_at_once, self.places_at_once = rows, rows * row
        self.kept: Array | None = np.empty((self.depth, oh * row), np.float32) if rows == oh else None
        self.by_place = kh, kw, c, rows, ow, n
        t = self.padded.strides
        strides = (t[1], t[2], t[0], t[1] * sh, t[2] * sw, t[3])
        self.chunks = [
            (r, as_strided(self.padded[:, r * sh :], self.by_place, strides, writeable=False))
            for r in range(0, oh, rows)
        ]
        self.z = self.y if self.y.flags.c_contiguous else np.empty(self.y.shape, np.float32)
        if plan.learning:
            self.dk: Array = np.empty((self.depth, filters), np.float32)
        self.patches(plan), self.dpatches(plan)  # made here, so that planning tells what a step takes

    def patches(self, plan: Plan) -> Array:
        """All operations of a plan share them, but for a whole image's, which stay until the gradient."""
        if self.kept is not None:
            return self.kept
        return plan.scratch("patches", self.depth, self.places_at_once)

    def dpatches(self, plan: Plan) -> Array | None:
        return None if self.dpadded is None else plan.scratch("dpatches", self.depth, self.places_at_once)

    def _chunk(self, z: Array, i: int) -> Array:
        """The places of a chunk of z (F, ...)."""
        return z.reshape(len(z), -1)[:, i * self.places_at_once : (i + 1) * self.places_at_once]

    def forward(self, plan: Plan) -> None:
        self.take_input()
        kernel = np.ascontiguousarray(self.k.value.reshape(self.depth, -1).T)  # (F, depth)
        patches = self.patches(plan)
        for i, (_, view) in enumerate(self.chunks):
            np.copyto(patches.reshape(self.by_place), view)
            times(kernel, patches, self._chunk(self.z, i))
        if self.z is not self.y:
            np.copyto(self.y, self.z)

    def backward(self, plan: Plan) -> None:
        dz = self.dy if self.dy.flags.c_contiguous else np.ascontiguousarray(self.dy)
        kernel = self.k.value.reshape(self.depth, -1)
        patches, dpatches = self.patches(plan), self.dpatches(plan)
        self.dk.fill(0)
        if self.dpadded is not None:
            self.dpadded.fill(0)
        for i, (r, view) in enumerate(self.chunks):
            if self.kept is None:
                np.copyto(patches.reshape(self.by_place), view)
            d = self._chunk(dz, i)
            self.dk += times_turned(patches, d)
            if dpatches is not None:
                times(kernel, d, dpatches)
                self._add_patches(r, dpatches.reshape(self.by_place))
        self.hand_back()

    def _add_patches(self, row: int, parts: Array) -> None:
        """Add the patches' gradients where they were copied from: np.add.at takes 20 times as long.

        Numba needs one call for it, and a LeNet 0.85 of the time; with pools of averages in one call too, 0.8.
        """
        assert self.dpadded is not None
        if self.kernels is not None:
            self.kernels.add_patches(parts, self.dpadded, row, self.strides)
            return
        (kh, kw), (sh, sw), (_, ow) = self.size, self.strides, self.places
        rows = self.rows_at_once
        for i in range(kh):
            for j in range(kw):
                down = slice(row * sh + i, row * sh + i + (rows - 1) * sh + 1, sh)
                target = self.dpadded[:, down, j : j + (ow - 1) * sw + 1 : sw]
                np.add(target, parts[i, j], out=target)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.k, self.dk.reshape(self.k.value.shape))]
