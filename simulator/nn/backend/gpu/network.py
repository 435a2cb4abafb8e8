"""A network on a GPU: forward, one training step, and its weights.

All weights lie in one array, and so do their gradients, those that are trained first: a step of the optimizer is one
kernel over all of them. What a step needs is on the GPU before it starts, and its loss and answers are read after it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simulator.nn.backend.cpu.plan import AnyArray
from simulator.nn.backend.cpu.plan import Array as HostArray
from simulator.nn.backend.gpu.activation import Activation, applied, curve_of, softmax
from simulator.nn.backend.gpu.affine import Biased
from simulator.nn.backend.gpu.device import Array, cupy, zeros
from simulator.nn.backend.gpu.loss import Loss, takes_classes
from simulator.nn.backend.gpu.operations import GpuOperations
from simulator.nn.backend.gpu.plan import Node, Plan, Weight
from simulator.nn.backend.gpu.update import Update
from simulator.nn.backend.network import Named, Network
from simulator.nn.layer import Layer, Tensor, walk

ALIGNED = 64  # numbers: a weight begins where the GPU's products read fastest


@dataclass(eq=False)
class Step:
    """A planned training step: its buffers for labels and answers, and its loss."""

    plan: Plan
    labels: Array
    answers: Array
    loss: Loss
    gradient: Array


@dataclass(eq=False)
class GpuNetwork(Network):
    """A network on CuPy arrays. weights go by the layer's number and by Keras's name; starts says where each begins."""

    weights: dict[int, dict[str, Weight]]
    values: Array
    gradients: Array
    starts: dict[int, int]  # a weight's id -> its place in values
    number: Array = field(default_factory=lambda: cupy().zeros(1, np.int32))  # of the step
    _steps: dict[int, Step] = field(default_factory=dict)
    _plans: dict[int, Plan] = field(default_factory=dict)
    _update: Update | None = None
    _states: dict[str, HostArray] = field(default_factory=dict)

    def until(self, output: Tensor) -> Network:
        return replace(self, output=output, _plans={}, _steps={})

    # Plans

    def _planned(self, batch: int, learning: bool) -> Plan:
        plan = Plan(batch, learning, self.seed, self.number)
        nodes: dict[int, Node] = {}
        for tensor in walk(self.output):
            if not tensor.inputs:
                plan.start = nodes[id(tensor)] = Node(tensor.sizes, zeros(batch, *tensor.sizes))
                continue
            number = self.numbers[id(tensor.layer)]
            at = GpuOperations(plan, self.weights[number])
            nodes[id(tensor)] = tensor.layer.call(at, *(nodes[id(t)] for t in tensor.inputs))
        return plan

    def _plan(self, batch: int) -> Plan:
        """For answers; an epoch's last batch is smaller than the others, so that two plans are kept."""
        if batch not in self._plans:
            self._plans = dict(list(self._plans.items())[-1:])
            self._plans[batch] = self._planned(batch, False)
        return self._plans[batch]

    def _step(self, batch: int) -> Step:
        if batch not in self._steps:
            self._steps = dict(list(self._steps.items())[-1:])
            plan = self._planned(batch, True)
            of_logits = self.loss_option.from_logits or self._from_logits(plan)
            result = plan.operations[-1].output
            gradient = plan.use(result)
            answers = zeros(*result.value.shape) if plan.last else result.value
            loss = Loss(self.loss, of_logits, self.loss_option.delta, result.value)
            classes = takes_classes(self.loss)
            shape = result.value.shape[:-1] if classes else result.value.shape
            labels = cupy().zeros(shape, np.int32 if classes else np.float32)
            self._steps[batch] = Step(plan, labels, answers, loss, gradient)
        return self._steps[batch]

    def _from_logits(self, plan: Plan) -> bool:
        """Whether the loss takes what stands before the last activation, which saves digits and time."""
        last = plan.operations[-1]
        if self.loss == "binary_crossentropy" and isinstance(last, Biased) and last.activation == "sigmoid":
            last.activation, last.curve, plan.last = "linear", curve_of("linear"), "sigmoid"
            return True
        wanted = "sigmoid" if self.loss == "binary_crossentropy" else "softmax"
        known = self.losses[1] is not None and not self.loss_option.from_logits
        if known and isinstance(last, Activation) and last.name == wanted:
            plan.operations.pop()
            last.inputs[0].grads = [g for g in last.inputs[0].grads if g is not last.dx]
            plan.last = wanted
            return True
        return False

    # Readings

    def predict(self, x: AnyArray, training: bool | None = False, step: int | None = None) -> HostArray:
        plan = self._plan(len(x))
        plan.training = bool(training)
        self._enter(plan.start.value, x)
        self.number.set(np.array([self.step_number if step is None else step], np.int32))
        plan.forward()
        found: HostArray = plan.operations[-1].y.get()
        return found

    def _enter(self, there: Array, here: AnyArray) -> None:
        there.set(np.ascontiguousarray(here, there.dtype))

    # Training

    def train(
        self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None, answers: bool = True
    ) -> tuple[float, HostArray]:
        self.step_number += 1
        step, update = self._step(len(x)), self._updating()
        self._enter(step.plan.start.value, x)
        self._enter(step.labels, self.loss_option.smoothed(y))
        self._weigh(step.loss, weights)
        self._enter(update.given, update.numbers(self.rate(), self.step_number))
        self._enter(self.number, np.array([self.step_number]))
        self._run(step, update, update.waits(self.step_number))
        return float(step.loss.mean.get()[0]), step.answers.get() if answers else np.empty(0, np.float32)

    def _weigh(self, loss: Loss, weights: AnyArray | None) -> None:
        """weights (N,), or one for every vector of results (N, ...)."""
        if weights is not None or loss.weighed:
            given = np.ones(loss.rows) if weights is None else weights
            self._enter(loss.weights, np.repeat(given.reshape(-1), loss.rows // given.size))
            loss.weighed = weights is not None

    def _run(self, step: Step, update: Update, waits: bool) -> None:
        """All of a step, without the processor's part."""
        plan, result = step.plan, step.plan.operations[-1].output
        plan.training = True
        plan.forward()
        if plan.last == "softmax":
            softmax(result.rows, result.shape[-1], result.value, step.answers)
        elif plan.last:
            applied(curve_of(plan.last))(result.value.size, result.value, step.answers)
        step.loss(step.labels, step.gradient)
        plan.backward()
        update(step.loss.mean, waits)

    def _updating(self) -> Update:
        if self._update is None:
            assert self.optimizer is not None
            trained = [w for ws in self.weights.values() for w in ws.values() if w.trainable]
            starts = [self.starts[id(w)] for w in trained]
            self._update = Update(self.optimizer, trained, starts, self.values, self.gradients)
            for key, array in self._update.states.items():
                for name, w in self._named():
                    if f"{name}/{key}" in self._states:
                        self._part(array, w).set(self._states[f"{name}/{key}"])
        return self._update

    def penalty(self) -> float:
        return sum(
            w.l1 * float(np.abs(value).sum()) + w.l2 * float(np.vdot(value, value))
            for _, w in self._named()
            if w.l1 or w.l2
            for value in [w.value.get()]
        )

    # Weights, and what a later training needs to go on

    def _named(self) -> list[tuple[str, Weight]]:
        return [(f"{number}/{name}", w) for number, ws in self.weights.items() for name, w in ws.items()]

    def _part(self, whole: Array, w: Weight) -> Array:
        start = self.starts[id(w)]
        return whole[start : start + w.value.size].reshape(w.value.shape)

    def read(self) -> dict[Named, HostArray]:
        return {(number, name): w.value.get() for number, ws in self.weights.items() for name, w in ws.items()}

    def write(self, weights: Mapping[Named, AnyArray]) -> None:
        for (number, name), value in weights.items():
            self._enter(self.weights[number][name].value, value)

    def state(self) -> dict[str, HostArray]:
        found = dict(self._states) if self._update is None else {}
        found["step"] = np.array([self.step_number], np.float64)
        states = self._update.states if self._update is not None else {}
        for name, w in self._named():
            found[name] = w.value.get()
            if w.trainable:
                found |= {f"{name}/{key}": self._part(array, w).get() for key, array in states.items()}
        return found

    def restore(self, state: Mapping[str, HostArray]) -> None:
        self.step_number = int(state["step"][0])
        for name, w in self._named():
            self._enter(w.value, state[name])
        self._states = dict(state)
        self._update = None


def network_of(
    output: Tensor, numbers: Mapping[int, int], layers: Sequence[Layer], weights: Mapping[int, Sequence[Any]]
) -> GpuNetwork:
    """A network with the weights of a model, by the layer's id. Raises SettingError without CuPy or a GPU."""
    asked = [(numbers[id(layer)], w) for layer in layers for w in weights[id(layer)]]
    place, places = 0, {}
    for trainable in (True, False):
        for _, w in asked:
            if w.spec.trainable is trainable:
                places[id(w)] = place
                place += -(-w.value.size // ALIGNED) * ALIGNED
        if trainable:
            trained = place
    values, gradients = zeros(place), zeros(trained)
    found: dict[int, dict[str, Weight]] = {numbers[id(layer)]: {} for layer in layers}
    starts = {}
    for number, w in asked:
        start, shape = places[id(w)], w.spec.shape
        mine = [a[start : start + math.prod(shape)].reshape(shape) for a in (values, gradients) if start < a.size]
        penalties = (w.spec.regularizer.l1, w.spec.regularizer.l2) if w.spec.regularizer else (0.0, 0.0)
        weight = found[number][w.spec.name] = Weight(w.spec.name, mine[0], mine[-1], w.spec.trainable, *penalties)
        weight.value.set(np.ascontiguousarray(w.value, np.float32))
        starts[id(weight)] = start
    return GpuNetwork(output, numbers, found, values, gradients, starts)
