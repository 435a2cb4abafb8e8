"""Operations entry by entry: bias, sums, dropout, and the same numbers in another shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.datasets.playground import FEATURES
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan, Weight, outwards, rest_of
from simulator.nn.backend.operation import Shape

SMALL_STEP = 1e-20  # along the imaginary axis


class Bias(Operation):
    """x + b along the features."""

    def __init__(self, x: Node, b: Weight) -> None:
        super().__init__(x.shape, x, weights=[b])
        self.b = b
        self.rest = rest_of(x.shape)

    def allocate(self, plan: Plan) -> None:
        self.gradients = [self.place_first(plan)]

    def forward(self, plan: Plan) -> None:
        np.add(self.x, along(self.b.value, self.y.ndim), out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None and self.dx is not self.dy:
            np.copyto(self.dx, self.dy)
        self.db: Array = self.dy.sum(axis=self.rest)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.b, self.db)]


def along(b: AnyArray, axes: int) -> AnyArray:
    """A number per feature, in the shape that goes with arrays of so many axes as they are kept."""
    return b.reshape((-1, 1, 1, 1) if axes == 4 else (-1, 1))


class Add(Operation):
    """In place of the first, where nothing else needs that."""

    def __init__(self, *x: Node) -> None:
        super().__init__(x[0].shape, *x)

    def allocate(self, plan: Plan) -> None:
        self.gradients = [self.place_first(plan), *map(plan.place, self.inputs[1:])]

    def forward(self, plan: Plan) -> None:
        first, second, *others = (x.array for x in self.inputs)
        np.add(first, second, out=self.y)
        for other in others:
            np.add(self.y, other, out=self.y)

    def backward(self, plan: Plan) -> None:
        for dx in self.gradients:
            if dx is not None and dx is not self.dy:
                np.copyto(dx, self.dy)


class Multiply(Operation):
    def __init__(self, *x: Node) -> None:
        super().__init__(x[0].shape, *x)
        for node in x:
            node.kept = True

    def forward(self, plan: Plan) -> None:
        self._product([x.array for x in self.inputs], self.y)

    def backward(self, plan: Plan) -> None:
        for k, dx in enumerate(self.gradients):
            if dx is not None:
                self._product([self.dy, *(x.array for i, x in enumerate(self.inputs) if i != k)], dx)

    @staticmethod
    def _product(factors: Sequence[AnyArray], out: AnyArray) -> None:
        np.multiply(factors[0], factors[1], out=out)
        for other in factors[2:]:
            np.multiply(out, other, out=out)


class Concatenate(Operation):
    """Along the features, or along another axis of a sample."""

    def __init__(self, axis: int, *x: Node) -> None:
        shape = list(x[0].shape)
        axis %= len(shape)
        shape[axis] = sum(node.shape[axis] for node in x)
        super().__init__(tuple(shape), *x)
        images = len(shape) == 3
        self.axis = (axis + 1) % 3 if images else axis
        ends = np.cumsum([node.shape[axis] for node in x])
        self.where = [
            (*[slice(None)] * self.axis, slice(int(end) - node.shape[axis], int(end)))
            for node, end in zip(x, ends, strict=True)
        ]

    def allocate(self, plan: Plan) -> None:
        """The inputs are written into the output where nothing else needs them elsewhere."""
        self.gradients = []
        dy = self.output.grads[0] if self.output.grads else None
        for x, where in zip(self.inputs, self.where, strict=True):
            alone = x.used == 1 and dy is not None
            self.gradients.append(plan.place(x, self.y[where], dy[where] if alone and dy is not None else None))

    def forward(self, plan: Plan) -> None:
        for x, where in zip(self.inputs, self.where, strict=True):
            if not np.shares_memory(x.array, self.y[where]):
                np.copyto(self.y[where], x.array)

    def backward(self, plan: Plan) -> None:
        for dx, where in zip(self.gradients, self.where, strict=True):
            if dx is not None and not np.shares_memory(dx, self.dy[where]):
                np.copyto(dx, self.dy[where])


class TurnRound(Operation):
    """A sequence (T, D, n) from its last step to its first; a view where nothing else needs it elsewhere."""

    def __init__(self, x: Node) -> None:
        super().__init__(x.shape, x)

    def allocate(self, plan: Plan) -> None:
        dy = self.output.grads[0] if self.output.grads else None
        (x,) = self.inputs
        self.gradients = [plan.place(x, self.y[::-1], dy[::-1] if x.used == 1 and dy is not None else None)]

    def forward(self, plan: Plan) -> None:
        if not np.shares_memory(self.x, self.y):
            np.copyto(self.y, self.x[::-1])

    def backward(self, plan: Plan) -> None:
        if self.dx is not None and not np.shares_memory(self.dx, self.dy):
            np.copyto(self.dx, self.dy[::-1])


class Reshape(Operation):
    """The same numbers in Keras's order; a view of the output's buffers where the input has none of its own."""

    def __init__(self, x: Node, shape: Shape) -> None:
        super().__init__(shape, x)

    def allocate(self, plan: Plan) -> None:
        (x,) = self.inputs
        dy = self.output.grads[0] if self.output.grads else None
        if x.used == 1 and x.value is None and len(self.output.shape) == 1:
            self.gradients = [plan.place(x, self.seen(self.y), None if dy is None else self.seen(dy))]
            self.is_view = True
        else:
            super().allocate(plan)
            self.is_view = False

    def seen(self, flat: Array) -> Array:
        """A flat buffer (D, n) in the input's shape."""
        shape, n = self.inputs[0].shape, flat.shape[-1]
        view = flat.reshape(*shape, n)
        return view.transpose(2, 0, 1, 3) if len(shape) == 3 else view

    def forward(self, plan: Plan) -> None:
        if not self.is_view:
            self._copy(self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if not self.is_view and self.dx is not None:
            self._copy(self.dy, self.dx)

    @staticmethod
    def _copy(x: AnyArray, y: AnyArray) -> None:
        rows = outwards(x).reshape(x.shape[-1], -1)
        np.copyto(outwards(y), rows.reshape(outwards(y).shape))


class Scale(Operation):
    """x * scale + offset."""

    def __init__(self, x: Node, scale: float, offset: float) -> None:
        super().__init__(x.shape, x)
        self.scale, self.offset = np.float32(scale), np.float32(offset)

    def forward(self, plan: Plan) -> None:
        np.multiply(self.x, self.scale, out=self.y)
        np.add(self.y, self.offset, out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            np.multiply(self.dy, self.scale, out=self.dx)


class Features(Operation):
    """Features of two inputs."""

    def __init__(self, x: Node, names: Sequence[str]) -> None:
        super().__init__((len(names),), x)
        self.names = names

    def forward(self, plan: Plan) -> None:
        for k, name in enumerate(self.names):
            self.y[k] = FEATURES[name](self.x[0], self.x[1], np.sin)

    def backward(self, plan: Plan) -> None:
        """Derivatives by a step so small that it is lost in the real part: f(x + ih) = f(x) + ih f'(x)."""
        if self.dx is None:
            return
        for k in range(2):
            x1, x2 = (x + SMALL_STEP * 1j * (i == k) for i, x in enumerate(self.x))
            slopes = [np.imag(FEATURES[name](x1, x2, np.sin)) / SMALL_STEP for name in self.names]
            self.dx[k] = sum(dy * slope for dy, slope in zip(self.dy, slopes, strict=True))


class Random(Operation):
    """What is random in training and does nothing otherwise."""

    def __init__(self, x: Node, number: int, seed: int | None) -> None:
        super().__init__(x.shape, x)
        self.number, self.seed = number, seed

    def draw(self, plan: Plan) -> np.random.Generator:
        return plan.random(self.number, self.seed)


def mask_of(rng: np.random.Generator, shape: Shape, rate: float) -> Array:
    """Zeros for a share of the places, and what makes up for them elsewhere."""
    drawn = rng.random(shape, np.float32)
    return np.multiply(drawn >= np.float32(rate), np.float32(1 / (1 - rate)), out=drawn)


class Dropout(Random):
    def __init__(self, x: Node, rate: float, number: int, seed: int | None) -> None:
        super().__init__(x, number, seed)
        self.rate = rate

    def forward(self, plan: Plan) -> None:
        if not plan.training:
            np.copyto(self.y, self.x)
            return
        self.mask = mask_of(self.draw(plan), self.y.shape, self.rate)
        np.multiply(self.x, self.mask, out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None and plan.training:
            np.multiply(self.dy, self.mask, out=self.dx)
        elif self.dx is not None:
            np.copyto(self.dx, self.dy)


class GaussianNoise(Random):
    def __init__(self, x: Node, stddev: float, number: int, seed: int | None) -> None:
        super().__init__(x, number, seed)
        self.stddev = np.float32(stddev)

    def forward(self, plan: Plan) -> None:
        np.copyto(self.y, self.x)
        if plan.training:
            np.add(self.y, self.stddev * self.draw(plan).standard_normal(self.y.shape, np.float32), out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is not None:
            np.copyto(self.dx, self.dy)
