"""A network by its equations alone: the arrays that a workbook shows, computed one after the other.

# N samples of a batch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from simulator.nn.backend.cpu.plan import AnyArray, Weight
from simulator.nn.backend.network import ArrayNetwork, Memory, Network, state_of, weights_of
from simulator.nn.backend.operation import require_one_size
from simulator.nn.initializer import Array
from simulator.nn.layer import Layer, Tensor, walk
from simulator.nn.option import require
from simulator.nn.trace import Step, trace_forward, trace_gradients
from simulator.nn.training import numbers_of
from simulator.tape.evaluate import Evaluation

WIDTH = 8  # bytes of a number


class Traced(NamedTuple):
    """The equations of a batch of one size, and the given numbers among them: masks, epsilons, first states."""

    step: Step
    evaluation: Evaluation
    given: dict[str, Any]


@dataclass(eq=False)
class ExpressionNetwork(ArrayNetwork):
    """A network whose equations are traced once for a size of batch and evaluated in float64 at every step.

    Nothing is fused: every gate of every time step is an array of its own. Masks of dropout and noise are drawn once.
    """

    model: dict[int, list[Any]] = field(default_factory=dict)  # the model's own weights, by the layer's id
    _traced: dict[tuple[int, bool], Traced] = field(default_factory=dict)

    def until(self, output: Tensor) -> Network:
        return replace(self, output=output, _traced={})

    def instead(self, layer: Layer) -> Network:
        found = super().instead(layer)
        assert isinstance(found, ExpressionNetwork)
        return replace(found, model={**self.model, id(layer): self.model[id(self.output.layer)]})

    # Equations

    def traced(self, batch: int, learning: bool) -> Traced:
        """Raises SettingError for what equations can't do."""
        key = batch, learning
        if key not in self._traced:
            # An epoch's last batch is smaller than the others: the equations of one of each kind are kept.
            self._traced = {size: traced for size, traced in self._traced.items() if size[1] != learning}
            self._traced[key] = self._trace(batch, learning)
        return self._traced[key]

    def _trace(self, batch: int, learning: bool) -> Traced:
        first = next(t for t in walk(self.output) if not t.inputs)
        x, numbers = np.empty((batch, *first.sizes)), dict(self.numbers)
        if learning:
            self.loss_option.require_plain("Equations have")
            loss, shape = self.loss_option.loss, (batch, *self.output.sizes)
            y = np.empty(shape[:-1] if loss.labels == "classes" else shape)
            step = trace_gradients(self.output, self.model, numbers, x, y, loss, self.seed)
            assert step.cost is not None
            roots = [step.output, step.cost, *step.gradients.values(), *step.renewed.values()]
        else:
            step = trace_forward(self.output, self.model, numbers, x)
            roots = [step.output]
        return Traced(step, Evaluation([*(state.last for state in step.states), *roots]), numbers_of(step))

    def room(self, batch: int) -> int:
        """Bytes of the arrays that a step on a batch holds at once, at most, and of those of an answer."""
        return WIDTH * sum(self.traced(batch, learning).evaluation.numbers for learning in (True, False))

    # Readings

    def predict(self, x: AnyArray, training: bool | None = False, step: int | None = None) -> Array:
        require(not training, "Equations draw in training only.", "predict with training=True")
        return self._evaluated(self.traced(len(x), False), {"X data": x})[0]

    def _evaluated(self, traced: Traced, data: Mapping[str, AnyArray]) -> list[Array]:
        """All roots but the states that go on: those come from the batch before and are kept for the next one."""
        step, given, batch = traced.step, {**traced.given, **data}, len(data["X data"])
        for state in step.states:
            if state.name in state.carried:
                before = state.carried[state.name]
                require_one_size(before.shape[1], batch)
                given[state.first.name] = before.T
        known = {node.serial: self._of(symbol).value for symbol, node in step.parameters.items()}
        with np.errstate(all="ignore"):  # fit says where a loss is no number
            found = traced.evaluation.of(given, known)
        for state, last in zip(step.states, found, strict=False):
            state.carried[state.name] = last.T.copy()
        return found[len(step.states) :]

    def _of(self, symbol: str) -> Weight:
        """The weight that goes by this symbol in the equations, W2."""
        every = (w for weights in self.model.values() for w in weights)
        return next(self.weights[w.layer][w.spec.name] for w in every if w.symbol == symbol)

    # Training

    def train(
        self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None, answers: bool = True
    ) -> tuple[float, Array]:
        require(weights is None, "The backend 'expressions' counts every sample alike.", "weights of samples")
        traced = self.traced(len(x), True)
        self.step_number += 1
        p, cost, *found = self._evaluated(traced, {"X data": x, "Y data": y})
        step = traced.step
        values = dict(zip([*step.gradients, *step.renewed], found, strict=True))
        self._update({symbol: values[symbol] for symbol in step.gradients})
        for symbol in step.renewed:
            self._of(symbol).value[...] = values[symbol]
        return float(cost), p

    def _update(self, gradients: Mapping[str, Array]) -> None:
        """Apply the gradients of a step, which go by the symbols of their weights."""
        optimizer = self.optimizer
        assert optimizer is not None
        together = optimizer.gradient_accumulation_steps or 1
        trained = [self._of(symbol) for symbol in gradients]
        for w, gradient in zip(trained, gradients.values(), strict=True):
            w.grad[...] = gradient
            if together > 1:
                total = state_of(self.states.setdefault(id(w), {}), "gradients", w.value)
                total += gradient
                w.grad[...] = total / together
        if self.step_number % together:
            return
        if optimizer.clips:
            optimizer.clip([w.grad for w in trained])
        numbers: dict[str, Any] = {}
        for w in trained:
            states = self.states.setdefault(id(w), {})
            memory = Memory(self.rate(), self.step_number // together, states, w.value, slice(None), numbers)
            w.value[...] = optimizer.update(memory, w.value, w.grad)
            if together > 1:
                states["gradients"][...] = 0


def network_of(
    output: Tensor, numbers: Mapping[int, int], layers: Sequence[Layer], weights: Mapping[int, Sequence[Any]]
) -> ExpressionNetwork:
    """A network with the weights of a model, by the layer's id."""
    copies = weights_of(numbers, layers, weights, np.float64)
    return ExpressionNetwork(output, numbers, copies, model={key: list(ws) for key, ws in weights.items()})
