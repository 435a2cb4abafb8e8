"""Pooling: windows as shifted views, all of an image at once.

# x (C, H, W, n); a window of kh x kw places
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan
from simulator.tape.convolution import places_after


class Pooling(Operation):
    """What pooling by the largest and by the mean have in common."""

    fill = 0.0

    def __init__(self, x: Node, size: Sequence[int], strides: Sequence[int], padding: str) -> None:
        self.size, self.strides = tuple(size), tuple(strides)
        found = [places_after(n, w, s, padding) for n, w, s in zip(x.shape, size, strides, strict=False)]
        self.places, self.before = tuple(count for count, _ in found), tuple(before for _, before in found)
        super().__init__((*self.places, x.shape[-1]), x)

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        (h, w, c), (kh, kw), (sh, sw) = self.inputs[0].shape, self.size, self.strides
        (oh, ow), (top, left) = self.places, self.before
        whole = (c, max(h + top, (oh - 1) * sh + kh), max(w + left, (ow - 1) * sw + kw), plan.n)
        self.inside = (slice(None), slice(top, top + h), slice(left, left + w))
        self.is_padded = whole != self.x.shape
        self.whole: AnyArray = np.full(whole, self.fill, np.float32) if self.is_padded else self.x
        self.dwhole: Array | None = None
        if self.dx is not None:
            self.dwhole = np.empty(whole, np.float32) if self.is_padded else self.dx

    def enter(self) -> None:
        if self.is_padded:
            np.copyto(self.whole[self.inside], self.x)

    def leave(self) -> None:
        if self.is_padded and self.dx is not None and self.dwhole is not None:
            np.copyto(self.dx, self.dwhole[self.inside])

    def windows(self, whole: AnyArray) -> Iterator[AnyArray]:
        """The same place of every window, place by place."""
        (kh, kw), (sh, sw), (oh, ow) = self.size, self.strides, self.places
        for i in range(kh):
            for j in range(kw):
                yield whole[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]


class MaxPooling(Pooling):
    """The gradient goes to the first of a window's largest numbers, row by row."""

    fill = -np.inf

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        self.free: AnyArray = np.empty(self.y.shape, bool)
        self.hit: AnyArray = np.empty(self.y.shape, bool)
        self.part: Array = np.empty(self.y.shape, np.float32)
        self.largest: Array = np.empty(self.y.shape if plan.learning else 0, np.float32)

    def forward(self, plan: Plan) -> None:
        self.enter()
        first, *others = self.windows(self.whole)
        np.copyto(self.y, first)
        for view in others:
            np.maximum(self.y, view, out=self.y)
        if plan.learning:
            np.copyto(self.largest, self.y)  # what follows may work on the result in place

    def backward(self, plan: Plan) -> None:
        if self.dwhole is None:
            return
        self.dwhole.fill(0)
        self.free.fill(True)
        for view, target in zip(self.windows(self.whole), self.windows(self.dwhole), strict=True):
            np.equal(view, self.largest, out=self.hit)
            np.logical_and(self.hit, self.free, out=self.hit)
            np.logical_xor(self.free, self.hit, out=self.free)
            np.multiply(self.dy, self.hit, out=self.part)
            np.add(target, self.part, out=target)
        self.leave()


class PairMaxPooling(Operation):
    """Windows of 2 x 2 that don't overlap: rows first, then columns, with what was larger remembered as bits.

    The gradient goes to the first of a window's largest numbers, row by row.

    40 times as fast as a maximum over an axis of windows.
    """

    def __init__(self, x: Node) -> None:
        h, w, c = x.shape
        super().__init__((h // 2, w // 2, c), x)

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        (ph, pw, c), (_, w, _), n = self.output.shape, self.inputs[0].shape, plan.n
        self.upper: Array = np.empty((c, ph, w, n), np.float32)  # the larger of two rows
        self.is_top: AnyArray = np.empty((c, ph, w, n), bool)
        self.is_left: AnyArray = np.empty((c, ph, pw, n), bool)
        self.ties, self.later = np.empty_like(self.is_left), np.empty_like(self.is_left)
        self.dupper: Array = np.zeros((c, ph, w, n), np.float32)

    def _rows(self, x: AnyArray) -> tuple[AnyArray, AnyArray]:
        end = 2 * self.output.shape[0]
        return x[:, 0:end:2], x[:, 1:end:2]

    def _columns(self, x: AnyArray) -> tuple[AnyArray, AnyArray]:
        end = 2 * self.output.shape[1]
        return x[:, :, 0:end:2], x[:, :, 1:end:2]

    def forward(self, plan: Plan) -> None:
        top, bottom = self._rows(self.x)
        np.maximum(top, bottom, out=self.upper)
        left, right = self._columns(self.upper)
        np.maximum(left, right, out=self.y)
        if plan.learning:
            np.greater_equal(top, bottom, out=self.is_top)
            np.greater_equal(left, right, out=self.is_left)
            top_left, top_right = self._columns(self.is_top)
            np.equal(left, right, out=self.ties)  # row by row what is above right comes before what is below left
            np.logical_and(self.ties, np.greater(top_right, top_left, out=self.later), out=self.ties)
            np.logical_xor(self.is_left, self.ties, out=self.is_left)

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        left, right = self._columns(self.dupper)
        np.multiply(self.dy, self.is_left, out=left)
        np.subtract(self.dy, left, out=right)
        top, bottom = self._rows(self.dx)
        np.multiply(self.dupper, self.is_top, out=top)
        np.subtract(self.dupper, top, out=bottom)
        self.dx[:, 2 * self.output.shape[0] :] = 0


class AveragePooling(Pooling):
    """Rows first, then columns. Padding doesn't count."""

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        ones = np.zeros((1, *self.whole.shape[1:3], 1), np.float32)
        ones[self.inside] = 1
        self.share: Array = np.float32(1) / np.sum(list(self.windows(ones)), axis=0)
        c, _, w, n = self.whole.shape
        self.sums: Array = np.zeros((c, self.places[0], w, n), np.float32)  # sums over a window's rows

    def _down(self, whole: AnyArray) -> Iterator[AnyArray]:
        return (
            whole[:, i : i + (self.places[0] - 1) * self.strides[0] + 1 : self.strides[0]] for i in range(self.size[0])
        )

    def _across(self, rows: AnyArray) -> Iterator[AnyArray]:
        return (
            rows[:, :, j : j + (self.places[1] - 1) * self.strides[1] + 1 : self.strides[1]]
            for j in range(self.size[1])
        )

    def forward(self, plan: Plan) -> None:
        self.enter()
        _sum(self._down(self.whole), self.sums)
        _sum(self._across(self.sums), self.y)
        np.multiply(self.y, self.share, out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dwhole is None:
            return
        np.multiply(self.dy, self.share, out=self.dy)
        _spread(self.dy, self._across(self.sums), self.sums, self.strides[1] >= self.size[1])
        _spread(self.sums, self._down(self.dwhole), self.dwhole, self.strides[0] >= self.size[0])
        self.leave()


def _sum(parts: Iterator[AnyArray], out: AnyArray) -> None:
    first, *others = parts
    np.copyto(out, first)
    for part in others:
        np.add(out, part, out=out)


def _spread(d: AnyArray, parts: Iterator[AnyArray], whole: AnyArray, apart: bool) -> None:
    """d to all parts of an array; those that are apart from each other needn't be added up."""
    whole.fill(0)
    for part in parts:
        if apart:
            np.copyto(part, d)
        else:
            np.add(part, d, out=part)


class GlobalPooling(Operation):
    """x (C, H, W, n) -> (C, n), or (T, D, n) -> (D, n)."""

    def __init__(self, x: Node, largest: bool) -> None:
        super().__init__((x.shape[-1],), x)
        self.axes = (1, 2) if len(x.shape) == 3 else (0,)
        self.largest = largest

    def forward(self, plan: Plan) -> None:
        np.copyto(self.y, self.x.max(axis=self.axes) if self.largest else self.x.mean(axis=self.axes))

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        dy = np.expand_dims(self.dy, self.axes)
        if not self.largest:
            np.copyto(self.dx, dy * np.float32(self.dy.size / self.dx.size))
            return
        hit = self.x == np.expand_dims(self.x.max(axis=self.axes), self.axes)
        np.multiply(hit, dy / hit.sum(axis=self.axes, keepdims=True), out=self.dx)  # as Keras shares it among equals
