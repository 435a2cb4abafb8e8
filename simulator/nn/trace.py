"""One step of a model's training as expressions: forward, cost, gradients, updates.

# N samples in the batch
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from simulator.errors import SettingError
from simulator.nn.backend.expression import Expressions, Seen, State
from simulator.nn.basic import InputLayer
from simulator.nn.initializer import Array
from simulator.nn.layer import Tensor, WeightSpec, walk
from simulator.nn.loss import Loss, penalty
from simulator.nn.optimizer import Optimizer, Schedule
from simulator.nn.option import require
from simulator.nn.weight import take
from simulator.sheet.program import Carry
from simulator.tape.backward import backward
from simulator.tape.expression import Expression, given, literal, upstream
from simulator.tape.namespace import absolute, sin, sqrt, where
from simulator.tape.primitive import apply

E = Expression


@dataclass
class Numbers:
    """A weight's numbers, which all models of the layer have together; newer brings what training made of them."""

    array: Array
    newer: Callable[[], None] | None = None

    def bring(self) -> None:
        if self.newer is not None:
            self.newer()


@dataclass
class Weight:
    """A weight of a model: its description, its layer's number, and its numbers."""

    spec: WeightSpec
    layer: int
    shared: Numbers

    @property
    def value(self) -> Array:
        self.shared.bring()
        return self.shared.array

    @value.setter
    def value(self, value: Array) -> None:
        self.shared.bring()  # the others that wait with it
        self.shared.array = value

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    def assign(self, value: ArrayLike) -> None:
        """Take this value, as in Keras. Raises ShapeError for one of another shape."""
        take([self], [value])

    def numpy(self) -> Array:
        """A copy of the value, as in Keras."""
        return self.value.copy()

    @property
    def symbol(self) -> str:
        return f"{self.spec.symbol}{self.layer}"


@dataclass(frozen=True)
class Shown:
    """A named array and where it belongs: its layer, block, layout and band.

    Bands: 0 forward, 1 gradients and what they need, 1.5 weights turned for gradients, from 2 on states and updates.
    """

    node: E
    layer: int
    block: str
    kind: str
    role: str
    band: float
    under: str  # the block it stands below
    time: int | None = None  # its step of a sequence
    stays: bool = False  # a weight that no step changes


@dataclass
class Step:
    """What a step computes. shown is in the order of computation; first holds the numbers of given arrays."""

    inputs: E
    labels: E | None
    output: E
    cost: E | None
    parameters: dict[str, E] = field(default_factory=dict)
    gradients: dict[str, E] = field(default_factory=dict)
    updates: dict[str, E] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    carries: dict[int, Carry] = field(default_factory=dict)
    settings: dict[str, tuple[E, float, str]] = field(default_factory=dict)
    first: dict[str, tuple[E, Array]] = field(default_factory=dict)  # first weights, masks, first states
    counter: dict[str, E] = field(default_factory=dict)  # step, epoch, batch, rate and what optimizers share
    renewed: dict[str, E] = field(default_factory=dict)  # weights that layers renew themselves: moving statistics
    states: list[State] = field(default_factory=list)  # what stateful layers take from batch to batch


@dataclass
class Tracer:
    """Builds a step. numbers maps a layer's id to its number; the loss comes after the last one."""

    output: Tensor
    weights: dict[int, list[Weight]]  # by the layer's id
    numbers: dict[int, int]
    seed: int = 0
    seen: dict[int, Seen] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)  # states and updates -> their band below the parameter
    step: Step = field(init=False)

    def setting(self, name: str, value: float, meaning: str) -> E:
        """A given number with a cell on Parameters."""
        if name not in self.step.settings:
            self.step.settings[name] = given(name, (), meaning), float(value), meaning
        return self.step.settings[name][0]

    def counter(self, name: str, then: Callable[[E], E], meaning: str) -> E:
        """A number that starts at 1 and is counted on from step to step."""
        node = given(name, (), meaning)
        self.step.carries[node.serial] = Carry(literal(1), then(node))
        self.step.counter[name] = node
        self.seen[node.serial] = Seen(0, name, "count")
        return node

    def forward(self, *, training: bool) -> E:
        """The prediction."""
        rng = np.random.default_rng(self.seed)
        values: dict[int, E] = {}
        uses: dict[int, int] = {}
        for tensor in walk(self.output):
            layer = tensor.layer
            if isinstance(layer, InputLayer):
                values[id(tensor)] = self.step.inputs
                continue
            number = self.numbers[id(layer)]
            weights = {w.spec.name: self._weight(w) for w in self.weights[id(layer)]}
            again = uses[number] = uses.get(number, 0) + 1
            tag = str(number) if again == 1 else f"{number}{chr(ord('a') + again - 1)}"
            final = tensor is self.output
            step, renewed = self.step, dict[str, E]()
            at = Expressions(
                number, tag, weights, training, final, self.seen, step.first, renewed, step.states, self.setting, rng
            )
            values[id(tensor)] = layer.call(at, *(values[id(t)] for t in tensor.inputs))
            step.renewed |= {w.symbol: renewed[w.spec.name] for w in self.weights[id(layer)] if w.spec.name in renewed}
        output = values[id(self.output)]
        if output.name != "P":
            output = output.named("P", "prediction")
            self.seen[output.serial] = Seen(max(self.numbers.values(), default=0), "P", "")
        return output

    def _weight(self, w: Weight) -> E:
        if w.symbol in self.step.parameters:
            return self.step.parameters[w.symbol]
        leaf = given(f"{w.symbol} first", w.spec.shape, w.spec.meaning)
        self.step.first[w.symbol] = leaf, w.value
        node = given(w.symbol, w.spec.shape, w.spec.meaning)
        self.step.parameters[w.symbol] = node
        self.step.carries[node.serial] = Carry(leaf, leaf)
        self.seen[node.serial] = Seen(w.layer, w.symbol, w.spec.kind)
        return node


def trace_forward(output: Tensor, weights: dict[int, list[Weight]], numbers: dict[int, int], inputs: Array) -> Step:
    """The forward pass alone, without dropout and with the moving statistics."""
    tracer = _tracer(output, weights, numbers, inputs, 0)
    step = tracer.step
    step.output = tracer.forward(training=False)
    step.shown = shown_of(step, tracer, [step.output])
    return step


def trace_step(
    output: Tensor,
    weights: dict[int, list[Weight]],
    numbers: dict[int, int],
    inputs: Array,
    labels: Array,
    loss: Loss,
    optimizer: Optimizer,
    *,
    batches: int = 1,
    seed: int = 0,
) -> Step:
    """Forward, cost, gradients and updates of one batch. inputs and labels are the first one."""
    tracer = _tracer(output, weights, numbers, inputs, seed)
    step = tracer.step
    _count(step, tracer, optimizer, batches)
    _learn(step, tracer, labels, loss)
    memory = _Memory(step, tracer)
    for w in (w for ws in weights.values() for w in ws):
        parameter = step.parameters[w.symbol]
        if w.symbol in step.gradients:
            new = optimizer.update(memory, parameter, step.gradients[w.symbol])
        elif w.symbol in step.renewed:
            new = step.renewed[w.symbol]
        else:
            continue  # it isn't trained and keeps its first value
        new = new.named(f"{w.symbol}'", f"{w.symbol} for the next step", about=parameter)
        step.updates[w.symbol] = new
        memory.last(new)
        step.carries[parameter.serial] = Carry(step.first[w.symbol][0], new)
    roots = [step.cost, *step.gradients.values(), *step.updates.values(), *step.counter.values(), *memory.states]
    step.shown = shown_of(step, tracer, [root for root in roots if root is not None])
    return step


def trace_gradients(
    output: Tensor,
    weights: dict[int, list[Weight]],
    numbers: dict[int, int],
    inputs: Array,
    labels: Array,
    loss: Loss,
    seed: int = 0,
) -> Step:
    """Forward, cost and gradients of one batch, whatever the optimizer does with them."""
    tracer = _tracer(output, weights, numbers, inputs, seed)
    _learn(tracer.step, tracer, labels, loss)
    return tracer.step


def _learn(step: Step, tracer: Tracer, labels: Array, loss: Loss) -> None:
    """The forward pass of training, the cost and its gradients."""
    weights = tracer.weights
    last = max(tracer.numbers.values(), default=0) + 1
    step.labels = given("Y data", labels.shape, "labels").named("Y", "labels")
    tracer.seen[step.labels.serial] = Seen(last, "Y", "")
    step.output = tracer.forward(training=True)

    def name(x: E, symbol: str, meaning: str) -> E:
        x = x if x.name else x.named(symbol, meaning, gradient=False)
        tracer.seen[x.serial] = Seen(last, x.name, "")
        return x

    cost = loss.cost(step.labels, step.output, name)
    extra = _penalty(step, tracer, weights)
    if extra is not None:
        cost = name(cost, "data cost", "mean loss") + name(extra, "penalty", "penalty on large weights")
    step.cost = name(cost, "cost", "mean loss with penalty" if extra is not None else "mean loss")

    every = [w for ws in weights.values() for w in ws]
    trained = [step.parameters[w.symbol] for w in every if w.spec.trainable]
    step.gradients, _ = backward(step.cost, trained)
    for w in every:
        found = not w.spec.trainable or w.symbol in step.gradients
        require(found, "Every weight that is trained must have an influence on the cost.", f"none of {w.symbol}")


def _tracer(
    output: Tensor, weights: dict[int, list[Weight]], numbers: dict[int, int], inputs: Array, seed: int
) -> Tracer:
    tracer = Tracer(output, weights, numbers, seed)
    x = given("X data", inputs.shape, "inputs").named("X", "inputs")
    tracer.step = Step(x, None, x, None)
    tracer.seen[x.serial] = Seen(0, "X", "")
    return tracer


def _count(step: Step, tracer: Tracer, optimizer: Optimizer, batches: int) -> None:
    """The numbers of epoch, batch and step, and the learning rate."""

    if batches > 1:
        last = literal(batches)
        batch = tracer.counter("batch", lambda b: where(b, "=", last, literal(1), b + 1), "batch of the epoch")
        starts = where(batch, "=", last, literal(1), literal(0))  # the batch of the step before
        tracer.counter("epoch", lambda epoch: epoch + starts, "epoch")
    else:
        tracer.counter("epoch", lambda epoch: epoch + 1, "epoch")
    schedule = optimizer.learning_rate
    value = schedule.initial_learning_rate if isinstance(schedule, Schedule) else schedule
    rate = tracer.setting("learning_rate", value, "learning rate")
    memory = _Memory(step, tracer)
    if isinstance(schedule, Schedule):
        rate = schedule.rate(memory, rate)
    step.counter["rate"] = rate.named("rate", "learning rate of the step")
    tracer.seen[step.counter["rate"].serial] = Seen(0, "rate", "number")


class _Memory:
    """What an optimizer's update may use; see `simulator.nn.optimizer.Memory`."""

    def __init__(self, step: Step, tracer: Tracer) -> None:
        self.step, self.tracer = step, tracer
        self.states: list[E] = []
        self.placed: list[E] = []

    @property
    def rate(self) -> E:
        return self.step.counter["rate"]

    @property
    def t(self) -> E:
        if "batch" not in self.step.counter:
            return self.step.counter["epoch"]
        if "step" not in self.step.counter:
            self.tracer.counter("step", lambda step: step + 1, "number of the step")
        return self.step.counter["step"]

    def number(self, name: str, value: float, meaning: str) -> E:
        return self.tracer.setting(name, value, meaning)

    def shared(self, name: str, make: Callable[[], E], meaning: str) -> E:
        if name not in self.step.counter:
            node = make().named(name, meaning)
            self.step.counter[name] = node
            self.tracer.seen[node.serial] = Seen(0, name, "number")
        return self.step.counter[name]

    def sqrt(self, x: E) -> E:
        return sqrt(x)

    def power(self, base: E, exponent: E) -> E:
        return apply("power", base, exponent)

    def cos(self, x: E) -> E:
        return sin(x + math.pi / 2)

    def at_most_1(self, x: E) -> E:
        return where(x, "<", literal(1), x, literal(1))

    def whole(self, x: E) -> E:
        raise SettingError(
            "A workbook shows rates that change at every step. Received: one that changes in steps. Train it with fit."
        )

    def state(self, symbol: str, w: E, renew: Callable[[E], E], meaning: str, first: float = 0.0) -> E:
        before = given(f"last {symbol}{w.name}", w.shape, meaning)
        new = renew(before).named(f"{symbol}{w.name}", f"{meaning} of {w.name}", about=w)
        self.step.carries[before.serial] = Carry(literal(first), new)
        self.states.append(new)
        self.last(new)
        return new

    def last(self, new: E) -> None:
        """Put a state or an updated parameter into the next band below its parameter."""
        above = [self.tracer.late[e.serial] for e in self.placed if e.about is new.about]
        self.tracer.late[new.serial] = max(above, default=1) + 1
        self.placed.append(new)


def _penalty(step: Step, tracer: Tracer, weights: dict[int, list[Weight]]) -> E | None:
    total: E | None = None
    for w in (w for ws in weights.values() for w in ws if w.spec.regularizer):
        strengths = []
        assert w.spec.regularizer
        for kind in ("l1", "l2"):
            value = getattr(w.spec.regularizer, kind)
            strengths.append(
                tracer.setting(f"{kind}_{w.symbol}", value, f"{kind} penalty on {w.symbol}") if value else None
            )
        if any(s is not None for s in strengths):
            parameter, size = step.parameters[w.symbol], None
            if strengths[0] is not None:
                size = absolute(parameter).named(f"|{w.symbol}|", "sizes of the weights", gradient=False)
                tracer.seen[size.serial] = Seen(w.layer, size.name, w.spec.kind)
            part = penalty(parameter, size, *strengths)
            total = part if total is None else total + part
    return total


def shown_of(step: Step, tracer: Tracer, roots: list[E]) -> list[Shown]:
    """Every named array that the roots need, with its place, in the order of computation."""
    return [
        _placed(node, step, tracer)
        for node in upstream(*roots, *step.parameters.values(), *step.counter.values())
        if node.name and (node.serial in tracer.seen or not node.is_given)
    ]


def _is_copied(node: E) -> bool:
    """Whether a given array has cells of its own here, such as the first state of a sequence."""
    return node.primitive is not None and node.primitive.name == "copy" and node.args[0].is_given


def _placed(node: E, step: Step, tracer: Tracer) -> Shown:
    seen = tracer.seen.get(node.serial)
    if seen is not None:
        role = "forward"
        if node.name in step.parameters:
            role = "parameter"
        elif seen.kind in ("count", "number") or node in (step.inputs, step.labels) or _is_copied(node):
            role = "given"
        elif step.labels is not None and seen.layer == tracer.seen[step.labels.serial].layer:
            role = "cost"
        stays = role == "parameter" and node.name not in step.updates
        return Shown(node, seen.layer, seen.block, seen.kind, role, 0, "", seen.time, stays)
    of = node.about
    assert of is not None, f"{node.name} belongs to no layer"
    source = tracer.seen[of.serial]
    kind = source.kind if node.shape == of.shape or source.kind in ("kernel", "turned") else ""
    turned = of.is_given and node not in step.gradients.values()
    band: float = tracer.late.get(node.serial, 1.5 if turned else 1)
    block = node.name.replace(of.name, source.block)
    role = "update" if band >= 2 else "backward"
    return Shown(node, source.layer, block, kind, role, band, source.block, source.time)
