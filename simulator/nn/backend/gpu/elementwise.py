"""Operations entry by entry: sums, joins, what is random, rows of a matrix, and pictures in another size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from simulator.datasets.playground import FEATURES
from simulator.nn.backend.gpu.code import C, called
from simulator.nn.backend.gpu.device import Array, Launch, add_to, copy, cupy, entries
from simulator.nn.backend.gpu.plan import Node, Operation, Plan, Weight
from simulator.nn.backend.interpolation import neighbours_of

_scale = entries("scale", "float factor, float offset, const float* x, float* y", "y[i] = x[i] * factor + offset;")


class Scale(Operation):
    """x * scale + offset."""

    def __init__(self, plan: Plan, x: Node, scale: float, offset: float) -> None:
        super().__init__(plan, x.shape, x)
        self.scale, self.offset = float(scale), float(offset)

    def forward(self, plan: Plan) -> None:
        _scale(self.y.size, self.scale, self.offset, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            _scale(self.dx.size, self.scale, 0.0, self.dy, self.dx)


class Reshape(Operation):
    """The same buffer in another shape of a sample."""

    def __init__(self, plan: Plan, x: Node, shape: tuple[int, ...]) -> None:
        super().__init__(plan, shape, x, value=x.value.reshape(plan.n, *shape))

    def forward(self, plan: Plan) -> None:
        pass

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            copy(self.dy, self.dx)


class Add(Operation):
    def __init__(self, plan: Plan, *x: Node) -> None:
        super().__init__(plan, x[0].shape, *x)

    def forward(self, plan: Plan) -> None:
        copy(self.x, self.y)
        for other in self.inputs[1:]:
            add_to(other.value, self.y)

    def backward(self, plan: Plan) -> None:
        for dx in self.gradients:
            if dx is not None:
                copy(self.dy, dx)


_times = entries("times", "const float* x, float* y", "y[i] *= x[i];")


class Multiply(Operation):
    def __init__(self, plan: Plan, *x: Node) -> None:
        super().__init__(plan, x[0].shape, *x)

    def forward(self, plan: Plan) -> None:
        self._product([node.value for node in self.inputs], self.y)

    def backward(self, plan: Plan) -> None:
        for k, dx in enumerate(self.gradients):
            if dx is not None:
                self._product([self.dy, *(node.value for i, node in enumerate(self.inputs) if i != k)], dx)

    @staticmethod
    def _product(factors: Sequence[Array], out: Array) -> None:
        copy(factors[0], out)
        for other in factors[1:]:
            _times(out.size, other, out)


_join = entries(
    "join",
    "int inner, int all, int from, const float* x, float* y",
    "y[i / inner * all + from + i % inner] = x[i];",
)
_part = entries(
    "part",
    "int inner, int all, int from, const float* y, float* x",
    "x[i] = y[i / inner * all + from + i % inner];",
)


class Concatenate(Operation):
    """Along an axis of a sample."""

    def __init__(self, plan: Plan, axis: int, *x: Node) -> None:
        shape = list(x[0].shape)
        shape[axis] = sum(node.shape[axis] for node in x)
        super().__init__(plan, tuple(shape), *x)
        self.inner = [math.prod(node.shape[axis:]) for node in x]
        self.starts = [sum(self.inner[:k]) for k in range(len(x))]

    def forward(self, plan: Plan) -> None:
        for node, inner, start in zip(self.inputs, self.inner, self.starts, strict=True):
            _join(node.value.size, inner, sum(self.inner), start, node.value, self.y)

    def backward(self, plan: Plan) -> None:
        for dx, inner, start in zip(self.gradients, self.inner, self.starts, strict=True):
            if dx is not None:
                _part(dx.size, inner, sum(self.inner), start, self.dy, dx)


_turned = entries(
    "turned",
    "int T, int D, const float* x, float* y",
    "int t = i / D % T;\n    y[i] = x[i + (T - 1 - 2 * t) * D];",
)


class TurnRound(Operation):
    """A sequence from its last step to its first."""

    def __init__(self, plan: Plan, x: Node) -> None:
        super().__init__(plan, x.shape, x)

    def forward(self, plan: Plan) -> None:
        _turned(self.y.size, *self.output.shape, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            _turned(self.dx.size, *self.output.shape, self.dy, self.dx)


@cache
def _feature(names: tuple[str, ...]) -> Launch:
    x1, x2 = C("x[2 * i]"), C("x[2 * i + 1]")
    made = [FEATURES[name](x1, x2, lambda x: called("sinf", x)) for name in names]
    lines = [f"y[{len(names)} * i + {k}] = {feature};" for k, feature in enumerate(made)]
    return entries("features", "const float* x, float* y", "\n    ".join(lines))


class Features(Operation):
    """Features of two inputs; they stand first, so nothing flows back."""

    def __init__(self, plan: Plan, x: Node, names: Sequence[str]) -> None:
        super().__init__(plan, (len(names),), x)
        self.names = tuple(names)

    def forward(self, plan: Plan) -> None:
        _feature(self.names)(plan.n, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        raise NotImplementedError("features are made of the input alone")


DRAW = "int seed, int number, const int* step"
_dropped = entries(
    "dropped",
    f"{DRAW}, float rate, const float* x, float* y",
    "y[i] = share(drawn(seed, number, step[0], i)) >= rate ? x[i] / (1.0f - rate) : 0.0f;",
)
_noisy = entries(
    "noisy",
    f"{DRAW}, float stddev, const float* x, float* y",
    """float u = 1.0f - share(drawn(seed, number, step[0], 2 * i)), v = share(drawn(seed, number, step[0], 2 * i + 1));
    y[i] = x[i] + stddev * sqrtf(-2.0f * logf(u)) * cosf(6.2831853f * v);""",  # Box & Muller 1958
)


class Random(Operation):
    """What is random in training and does nothing otherwise."""

    def __init__(self, plan: Plan, x: Node, amount: float, number: int, seed: int | None) -> None:
        super().__init__(plan, x.shape, x)
        self.amount = float(amount)
        self.draw = ((plan.seed if seed is None else seed) % 2**31, number, plan.step)

    random: Launch

    def forward(self, plan: Plan) -> None:
        if plan.training:
            type(self).random(self.y.size, *self.draw, self.amount, self.x, self.y)
        else:
            copy(self.x, self.y)


class Dropout(Random):
    """The mask is drawn again on the way back: it takes no memory."""

    random = staticmethod(_dropped)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            _dropped(self.dx.size, *self.draw, self.amount, self.dy, self.dx)


_dropped_steps = entries(
    "dropped_steps",
    f"int T, int D, {DRAW}, float rate, const float* x, float* y",
    """unsigned int place = i / D / T * D + i % D;
    y[i] = share(drawn(seed, number, step[0], place)) >= rate ? x[i] / (1.0f - rate) : 0.0f;""",
)


class StepsDropout(Random):
    """Of a sequence, the same inputs at every step."""

    def _dropped(self, x: Array, y: Array) -> None:
        _dropped_steps(y.size, *self.output.shape, *self.draw, self.amount, x, y)

    def forward(self, plan: Plan) -> None:
        if plan.training:
            self._dropped(self.x, self.y)
        else:
            copy(self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            self._dropped(self.dy, self.dx)


class GaussianNoise(Random):
    random = staticmethod(_noisy)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            copy(self.dy, self.dx)


_rows = entries("rows_of", "int D, const float* x, const float* E, float* y", "y[i] = E[(int)x[i / D] * D + i % D];")
_rows_back = entries(
    "rows_back",
    "int D, int count, const float* x, const float* dy, float* dE",
    """float total = 0.0f;
    for (int k = 0; k < count; ++k) {
      if ((int)x[k] == i / D) total += dy[k * D + i % D];
    }
    dE[i] = total;""",
)


class Embedding(Operation):
    """A row of E for every class number; its gradient is summed row by row, always in the same order."""

    def __init__(self, plan: Plan, x: Node, e: Weight) -> None:
        super().__init__(plan, (*x.shape, e.value.shape[1]), x, weights=[e])
        self.e, self.de = e, plan.gradient(e)

    def forward(self, plan: Plan) -> None:
        _rows(self.y.size, self.output.shape[-1], self.x, self.e.value, self.y)

    def backward(self, plan: Plan) -> None:
        if self.de is not None:
            _rows_back(self.de.size, self.output.shape[-1], self.x.size, self.x, self.dy, self.de)


_along = entries(
    "along",
    "int old, int new_, int inner, const float* shares, const float* x, float* y",
    """int q = i % inner, j = i / inner % new_, o = i / inner / new_;
    float total = 0.0f;
    for (int k = 0; k < old; ++k) total += shares[j * old + k] * x[(o * old + k) * inner + q];
    y[i] = total;""",
)


class Resize(Operation):
    """Pictures (H, W, C) in another size: rows first, then columns, by their shares in the old ones."""

    def __init__(self, plan: Plan, x: Node, size: Sequence[int], interpolation: str) -> None:
        height, width, channels = x.shape
        super().__init__(plan, (*size, channels), x)
        self.sizes, self.channels = ((height, size[0]), (width, size[1])), channels
        shares = [neighbours_of(old, new, interpolation).matrix(old) for old, new in self.sizes]
        self.there = [cupy().array(s, np.float32, order="C") for s in shares]
        self.back = [cupy().array(s.T, np.float32, order="C") for s in shares]

    def _resized(self, plan: Plan, x: Array, y: Array, shares: Sequence[Array], back: bool) -> None:
        (h, h2), (w, w2) = (size[::-1] if back else size for size in self.sizes)
        rows = plan.scratch("resized", plan.n * h2 * w * self.channels)
        _along(rows.size, h, h2, w * self.channels, shares[0], x, rows)
        _along(y.size, w, w2, self.channels, shares[1], rows, y)

    def forward(self, plan: Plan) -> None:
        self._resized(plan, self.x, self.y, self.there, False)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            self._resized(plan, self.dy, self.dx, self.back, True)
