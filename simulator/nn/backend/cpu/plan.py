"""A network planned for one size of batch: its operations in order, and every buffer that they need.

Samples are innermost, so that one NumPy call runs along many of them:

    a sample of shape    is kept as
    (D,)                 (D, n)
    (T, D)               (T, D, n)
    (H, W, C)            (C, H, W, n)

Buffers are made from the last operation to the first, so that an operation may ask for its input where it needs it: a
convolution inside the zeros of its padding, a dense layer in the columns of an array that all threads share.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.nn.backend.operation import Shape

Array = NDArray[np.float32]
AnyArray = NDArray[Any]


def kept_as(shape: Shape, n: int) -> Shape:
    """How a batch of n samples is kept.

    >>> kept_as((28, 28, 3), 64), kept_as((35, 8), 64)
    ((3, 28, 28, 64), (35, 8, 64))
    """
    return (shape[-1], *shape[:-1], n) if len(shape) == 3 else (*shape, n)


def inwards(batch: AnyArray) -> AnyArray:
    """A view of a batch (n, ...) in the order in which it is kept."""
    axes = (3, 1, 2, 0) if batch.ndim == 4 else (*range(1, batch.ndim), 0)
    return batch.transpose(axes)


def outwards(kept: AnyArray) -> AnyArray:
    """The opposite of `inwards`."""
    return kept.transpose((3, 1, 2, 0)) if kept.ndim == 4 else kept.transpose((kept.ndim - 1, *range(kept.ndim - 1)))


def rest_of(shape: Shape) -> tuple[int, ...]:
    """The axes of a batch as it is kept, without that of the features.

    >>> rest_of((28, 28, 3)), rest_of((35, 8)), rest_of((8,))
    ((1, 2, 3), (0, 2), (1,))
    """
    return (1, 2, 3) if len(shape) == 3 else (0, 2) if len(shape) == 2 else (1,)


@dataclass(eq=False)
class Weight:
    """A weight: value in Keras's shape, its gradient in the same shape once a step has been computed."""

    name: str
    value: Array
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0
    grad: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.grad = np.zeros_like(self.value)


def _owner(a: Array) -> int:
    """The id of the array that owns the memory."""
    return id(a if a.base is None else a.base)


@dataclass(eq=False)
class Node:
    """A result for a batch: shape is that of one sample; value and grads are kept innermost by samples.

    kept says that the operation behind it needs its value later, so that nothing may work on it in place.
    """

    shape: Shape
    learns: bool = False  # whether a weight stands before it, so that its gradient is wanted
    kept: bool = False
    used: int = 0
    value: AnyArray | None = None
    grads: list[Array] = field(default_factory=list)  # one for every use; `gather` sums them into the first

    @property
    def is_free(self) -> bool:
        """Whether the one operation that uses the value may write over it."""
        return self.used == 1 and not self.kept and self.value is None

    @property
    def array(self) -> AnyArray:
        assert self.value is not None
        return self.value

    def gather(self) -> Array:
        total = self.grads[0]
        for other in self.grads[1:]:
            np.add(total, other, out=total)
        return total


class Meeting:
    """Where the plans of a batch wait for each other to add up what each has of it."""

    def __init__(self, plans: int) -> None:
        self.barrier = threading.Barrier(plans)
        self.parts: list[AnyArray] = [np.empty(0)] * plans

    def begin(self) -> None:
        """Take up what an interruption may have left."""
        if self.barrier.broken:
            self.barrier.reset()

    def give_up(self) -> None:
        """Let nobody wait for one who doesn't come."""
        self.barrier.abort()

    def wait(self) -> None:
        if len(self.parts) > 1:
            self.barrier.wait()

    def total(self, number: int, part: AnyArray) -> AnyArray:
        """The sum over all plans, the same in each."""
        if len(self.parts) == 1:
            return part
        self.parts[number] = part
        self.barrier.wait()
        found: AnyArray = sum(self.parts[1:], start=self.parts[0])
        self.barrier.wait()
        return found


class Operation:
    """One operation of a plan."""

    def __init__(self, shape: Shape, *inputs: Node, weights: Sequence[Weight] = (), kept: bool = False) -> None:
        learns = any(x.learns for x in inputs) or any(w.trainable for w in weights)
        self.inputs, self.output, self.weights = list(inputs), Node(shape, learns, kept), list(weights)
        self.gradients: list[Array | None] = []  # the buffers for those of the inputs
        for x in inputs:
            x.used += 1

    @property
    def x(self) -> AnyArray:
        return self.inputs[0].array

    @property
    def dx(self) -> Array | None:
        return self.gradients[0]

    @property
    def y(self) -> AnyArray:
        return self.output.array

    @property
    def dy(self) -> Array:
        return self.output.grads[0]

    def allocate(self, plan: Plan) -> None:
        """Make the buffers of this operation and those of its inputs; the output's are there already."""
        self.gradients = [plan.place(x) for x in self.inputs]

    def place_first(self, plan: Plan) -> Array | None:
        """Place the first input in the output's buffers, where nothing else needs its value."""
        x = self.inputs[0]
        if not x.is_free:
            return plan.place(x)
        return plan.place(x, self.y, self.output.grads[0] if self.output.grads else None)

    def forward(self, plan: Plan) -> None:
        raise NotImplementedError

    def backward(self, plan: Plan) -> None:
        """From the output's gradient to those of the inputs that learn, and to `parts`."""
        raise NotImplementedError

    def parts(self) -> list[tuple[Weight, Array]]:
        """This plan's gradients of weights, to be added to those of the other plans."""
        return []

    def rows(self) -> list[tuple[Weight, Rows]]:
        """Gradients of whole batches that can be had row by row, once all plans are through."""
        return []


Rows = Callable[[int, int], Array]  # the rows from a to b of a weight's gradient


@dataclass
class Plan:
    """The operations for the samples `where` of a batch; number is this plan's among those of the batch."""

    number: int
    where: slice
    batch: int
    learning: bool
    shared: dict[Any, AnyArray]
    meeting: Meeting
    operations: list[Operation] = field(default_factory=list)
    start: Node = field(init=False)
    last: str = ""  # an activation that the loss takes over
    training: bool = False
    moves: bool = False  # whether pictures are moved at random
    step: int = 0  # the number of the training step, from which random numbers follow
    seed: int = 0
    keeps: bool = False  # every layer's operations as they are, in order, so that each result can be read
    made: dict[int, tuple[Node, slice]] = field(default_factory=dict)  # a tensor's id -> its node, its operations
    _scratch: dict[str, Array] = field(default_factory=dict)
    _spare: list[Array] = field(default_factory=list)  # buffers whose gradients aren't needed any more
    _held: dict[int, int] = field(default_factory=dict)  # a buffer's id -> how many gradients lie in it

    @property
    def n(self) -> int:
        return int(self.where.stop - self.where.start)

    def append(self, operation: Operation) -> Node:
        self.operations.append(operation)
        return operation.output

    def scratch(self, name: str, *shape: int) -> Array:
        """A buffer that operations share, each for as long as it runs."""
        size = math.prod(shape)
        if name not in self._scratch or self._scratch[name].size < size:
            self._scratch[name] = np.empty(size, np.float32)
        return self._scratch[name][:size].reshape(shape)

    def random(self, number: int, seed: int | None) -> np.random.Generator:
        """Random numbers of one operation, step and plan alone, so that a resumed run draws the same ones."""
        given = (self.seed if seed is None else seed, number, self.step, self.number)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(given)))

    def share(self, key: Any, rows: int) -> Array:
        """This plan's columns of an array (rows, batch) that all plans of a batch have together."""
        if key not in self.shared:
            self.shared[key] = np.zeros((rows, self.batch), np.float32)
        return self.shared[key][:, self.where]

    def place(self, node: Node, value: AnyArray | None = None, grad: Array | None = None) -> Array | None:
        """Give a node its buffer, the one that is asked for if it has none yet; returns one for its gradient."""
        shape = kept_as(node.shape, self.n)
        if node.value is None:
            node.value = np.zeros(shape, np.float32) if value is None else value
        if not (self.learning and node.learns):
            return None
        grad = self.room(shape) if grad is None else grad
        node.grads.append(grad)
        if _owner(grad) in self._held:
            self._held[_owner(grad)] += 1
        return grad

    def room(self, shape: Shape) -> Array:
        """A buffer for a gradient, not empty: one that no later gradient on the way back needs, or a new one."""
        if self.keeps:
            return np.zeros(shape, np.float32)
        size = math.prod(shape)
        fits = [k for k, spare in enumerate(self._spare) if spare.size >= size]
        best = min(fits, key=lambda k: self._spare[k].size, default=None)
        buffer = np.empty(size, np.float32) if best is None else self._spare.pop(best)
        self._held[id(buffer)] = 0
        return buffer[:size].reshape(shape)

    def _release(self, node: Node) -> None:
        """Give back the buffers in which only this node's gradients lie."""
        for grad in node.grads:
            owner = _owner(grad)
            if owner in self._held:
                self._held[owner] -= 1
                if not self._held[owner]:
                    del self._held[owner]
                    self._spare.append(grad if grad.base is None else grad.base)

    def allocate(self) -> None:
        """Buffers for all, from the last operation, whose output keeps its own, to the first: the way of gradients."""
        last = self.operations[-1].output
        self.place(last)
        for operation in reversed(self.operations):
            operation.allocate(self)
            self._release(operation.output)

    def forward(self) -> None:
        for operation in self.operations:
            operation.forward(self)

    def backward(self) -> None:
        for operation in reversed(self.operations):
            if operation.output.learns:
                operation.output.gather()
                operation.backward(self)
