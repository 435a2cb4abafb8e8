"""What a network computes for one sample, layer by layer: results, gradients, and one place's part in a layer's own.

# arrays of one sample, without the axis of samples, in Keras's order of axes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.nn.backend.cpu.network import CpuNetwork
from simulator.nn.backend.cpu.plan import AnyArray, Array, Meeting, Node, Operation, Plan, inwards, outwards
from simulator.nn.backend.cpu.recurrent import Recurrent
from simulator.nn.layer import Tensor


class Share(NamedTuple):
    """What a gradient at one layer's result leads to: at its inputs, and by name at its weights."""

    inputs: list[Array]
    weights: dict[str, Array]


class Moment(NamedTuple):
    """One step of a recurrent layer: its input, the states before and after it, the gradients that arrive at the latter
    and those of the sums before the gates, in Keras's order."""

    x: Array
    before: dict[str, Array]
    after: dict[str, Array]
    arriving: dict[str, Array]
    errors: Array


@dataclass(eq=False)
class Reading:
    """The network as it predicts, with the gradients of the loss of this one sample. x (1, ...), y as the loss has it.

    Every result is copied when it is complete, before anything works on it in place.
    """

    network: CpuNetwork
    x: AnyArray
    y: AnyArray
    plan: Plan = field(init=False)
    loss: float = field(init=False)
    answer: Array = field(init=False)

    def __post_init__(self) -> None:
        plan = Plan(0, slice(0, 1), 1, True, {}, Meeting(1), seed=self.network.seed, keeps=True)
        self.plan = self.network.planned(plan)
        self.results: dict[int, Array] = {}
        self.grads: dict[int, Array] = {}
        for operation in plan.operations:
            if isinstance(operation, Recurrent):
                operation.arrived = []
        with np.errstate(all="ignore"):
            self._forward()
            self.loss, self.answer = self.network.judged(plan, self.y)
            for operation in reversed(plan.operations):
                self.grads[id(operation.output)] = operation.output.gather().copy()
                operation.backward(plan)
            self.grads[id(plan.start)] = plan.start.gather().copy()

    def _forward(self) -> None:
        np.copyto(self.plan.start.array, inwards(self.x))
        self.results[id(self.plan.start)] = self.plan.start.array.copy()
        for operation in self.plan.operations:
            operation.forward(self.plan)
            self.results[id(operation.output)] = operation.y.copy()

    def _made(self, tensor: Tensor) -> tuple[Node, list[Operation]]:
        """The node of a tensor, and its operations; where the loss takes over the last activation, without that."""
        if not tensor.inputs:
            return self.plan.start, []
        node, span = self.plan.made[id(tensor)]
        operations = self.plan.operations[span]
        if tensor is self.network.output and self.plan.last:
            node = self.plan.operations[-1].output
        return node, operations

    def takes_over(self, tensor: Tensor) -> bool:
        """Whether the loss leads straight to what stands before this layer's activation."""
        return tensor is self.network.output and bool(self.plan.last)

    def value(self, tensor: Tensor) -> Array:
        if self.takes_over(tensor):
            answer: Array = self.answer[0]
            return answer
        return _one(self.results[id(self._made(tensor)[0])])

    def gradient(self, tensor: Tensor) -> Array:
        """Of the loss, at the layer's result, or before the activation that the loss has taken over."""
        return _one(self.grads[id(self._made(tensor)[0])])

    def share(self, tensor: Tensor, grad: Array) -> Share:
        """What this gradient at the layer's result leads to, by the backend's own way back."""
        node, operations = self._made(tensor)
        nodes = [self._made(source)[0] for source in tensor.inputs]
        with np.errstate(all="ignore"):
            self._forward()
            for each in (*(o.output for o in operations), *nodes):
                for buffer in each.grads:
                    buffer.fill(0)
            np.copyto(node.grads[0], inwards(grad[None]))
            for operation in reversed(operations):
                operation.output.gather()
                operation.backward(self.plan)
        names = {id(w): name for name, w in self.network.weights[self.network.numbers[id(tensor.layer)]].items()}
        weights: dict[str, Array] = {}
        for operation in operations:
            found = dict(operation.parts()) | {w: rows(0, len(w.value)) for w, rows in operation.rows()}
            weights |= {names[id(w)]: np.array(g, np.float32) for w, g in found.items()}
        return Share([_one(n.gather()) for n in nodes], weights)

    def moment(self, tensor: Tensor, step: int, which: int = 0) -> Moment:
        """A step of a recurrent layer, counted from 0 in the order in which they are computed; which is the direction
        of both, the forward one 0."""
        operation = [o for o in self._made(tensor)[1] if isinstance(o, Recurrent)][which]
        assert operation.arrived is not None
        states = operation.stepwise()
        return Moment(
            self.results[id(operation.inputs[0])][step, :, 0].copy(),
            {name: a[step, :, 0].copy() for name, a in states.items()},
            {name: a[step + 1, :, 0].copy() for name, a in states.items()},
            {name: a[:, 0] for name, a in operation.arrived[step].items()},
            np.asarray(operation.back(operation.errors[step, :, 0]), np.float32),
        )


def _one(kept: AnyArray) -> Array:
    found: Array = outwards(kept)[0].copy()
    return found
