"""A network planned for one size of batch on a GPU: its operations in order, and every buffer that they need.

Samples are outermost and features innermost, as in Keras: x (N, D), (N, T, D) or (N, H, W, C). So another shape of a
sample is the same buffer, and a product over features is one over the rows of a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.nn.backend.gpu.device import Array, add_to, zeros
from simulator.nn.backend.operation import Shape


@dataclass(eq=False)
class Weight:
    """A weight in Keras's shape, a part of the one array that holds all; so is its gradient."""

    name: str
    value: Array
    grad: Array
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0


@dataclass(eq=False)
class Node:
    """A result for a batch; every use of it has a gradient of its own, `gather` sums them into the first."""

    shape: Shape
    value: Array
    learns: bool = False  # whether a weight stands before it, so that its gradient is wanted
    grads: list[Array] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many vectors of features there are."""
        return int(self.value.size // self.shape[-1])

    def gather(self) -> None:
        for other in self.grads[1:]:
            add_to(other, self.grads[0])


class Operation:
    """One operation of a plan; its buffers are made with it."""

    def __init__(
        self, plan: Plan, shape: Shape, *inputs: Node, weights: Sequence[Weight | None] = (), value: Array = None
    ) -> None:
        learns = any(x.learns for x in inputs) or any(w is not None and w.trainable for w in weights)
        self.inputs = list(inputs)
        self.output = Node(shape, zeros(plan.n, *shape) if value is None else value, learns)
        self.gradients = [plan.use(x) for x in inputs]  # for those of the inputs

    @property
    def x(self) -> Array:
        return self.inputs[0].value

    @property
    def dx(self) -> Array | None:
        return self.gradients[0]

    @property
    def y(self) -> Array:
        return self.output.value

    @property
    def dy(self) -> Array:
        return self.output.grads[0]

    def forward(self, plan: Plan) -> None:
        raise NotImplementedError

    def backward(self, plan: Plan) -> None:
        """From the output's gradient to those of the inputs that learn and of the weights."""
        raise NotImplementedError


@dataclass(eq=False)
class Plan:
    """The operations for batches of n samples.

    step is the number of the training step, on the GPU, from which random numbers follow.
    """

    n: int
    learning: bool
    seed: int
    step: Array
    start: Node = field(init=False)
    operations: list[Operation] = field(default_factory=list)
    last: str = ""  # an activation that the loss takes over
    training: bool = False
    claimed: set[int] = field(default_factory=set)
    repeated: list[tuple[Array, Array]] = field(default_factory=list)
    _scratch: dict[str, Array] = field(default_factory=dict)

    def append(self, operation: Operation) -> Node:
        self.operations.append(operation)
        return operation.output

    def use(self, node: Node) -> Array | None:
        """A buffer for a gradient of a node, where it is wanted."""
        if not (self.learning and node.learns):
            return None
        node.grads.append(zeros(self.n, *node.shape))
        return node.grads[-1]

    def gradient(self, weight: Weight | None) -> Array | None:
        """Where an operation writes its gradient of a weight; that of a second use is added to the first's."""
        if weight is None or not weight.trainable or not self.learning:
            return None
        place = weight.grad.data.ptr
        if place not in self.claimed:
            self.claimed.add(place)
            return weight.grad
        other = zeros(*weight.value.shape)
        self.repeated.append((other, weight.grad))
        return other

    def scratch(self, name: str, *shape: int) -> Array:
        """A buffer that operations share, each for as long as it runs."""
        size = math.prod(shape)
        if name not in self._scratch or self._scratch[name].size < size:
            self._scratch[name] = zeros(size)
        return self._scratch[name][:size].reshape(shape)

    def forward(self) -> None:
        for operation in self.operations:
            operation.forward(self)

    def backward(self) -> None:
        for operation in reversed(self.operations):
            if operation.output.learns:
                operation.output.gather()
                operation.backward(self)
        for other, grad in self.repeated:
            add_to(other, grad)
