"""One place of a trained network as a small network: the layer's own equations on just what the place uses.

The gradient that arrives at the place comes from the NumPy backend, G; the cost sum(G * A) then has the same gradients
as the loss. At the last layer the loss itself stands there, where it leads straight to the sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.errors import LayoutError, SettingError, did_you_mean
from simulator.nn import layers
from simulator.nn.backend.cpu.network import CpuNetwork
from simulator.nn.backend.cpu.reading import Reading
from simulator.nn.backend.expression import Expressions, Seen
from simulator.nn.backend.expression_cell import STEPS
from simulator.nn.backend.interpolation import Neighbours, neighbours_of
from simulator.nn.backend.operation import Operations, T
from simulator.nn.convolution import GlobalPooling, Pooling
from simulator.nn.layer import Layer, Tensor, WeightSpec
from simulator.nn.model import Model
from simulator.nn.option import is_whole, require
from simulator.nn.recurrent import DIRECTIONS, Bidirectional, Recurrent
from simulator.nn.trace import Shown, Step, Tracer, shown_of
from simulator.tape.arrangement import positions_of, take
from simulator.tape.backward import backward
from simulator.tape.convolution import places_after, places_transposed
from simulator.tape.expression import Expression, given, literal

E = Expression
Array = NDArray[Any]
Part = slice | int
FLOAT32 = 1e-5  # a sum of some thousand numbers in float32, beside the largest number that goes into it
MOST_CELLS = 20_000
COPIES = (  # hand on what they get
    layers.Flatten,
    layers.Reshape,
    layers.Dropout,
    layers.GaussianNoise,
    layers.Concatenate,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomZoom,
)
ENTRIES = (  # entry by entry
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Rescaling,
    layers.Add,
    layers.Multiply,
    layers.Average,
)


@dataclass(eq=False)
class _Meeting(layers.Conv2DTranspose):
    """The place of a transposed convolution where all of a part of an image meets all of a part of the kernel."""

    def call(self, at: Operations[T], *x: T) -> T:
        assert isinstance(at, Expressions)
        spread = at.transposed_convolution(x[0], self.strides, self.padding, self.use_bias)  # type: ignore[arg-type]
        rows, columns, _ = at.shape(x[0])  # type: ignore[arg-type]
        middle = positions_of(spread)[:, rows - 1 : rows, columns - 1 : columns]
        return at.activated(take(spread, middle, "{0} at the place"), self.activation)  # type: ignore[return-value]


@dataclass(eq=False)
class _Blend(layers.Resizing):
    """One place of an image in another size, between the places that are nearest to it."""

    near: Sequence[Neighbours] = ()  # of rows and columns

    def call(self, at: Operations[T], *x: T) -> T:
        assert isinstance(at, Expressions)
        found = at.blended(x[0], self.near)  # type: ignore[arg-type]
        return at.result(found, "A", f"{self.interpolation} at the place")  # type: ignore[return-value]


class Used(NamedTuple):
    """What a place uses: a layer as small as the place, parts of inputs and weights, and the part of the result.

    padding has the zeros before and after an input along each of its axes, where a window is partly outside.
    """

    layer: Layer
    inputs: tuple[tuple[Part, ...], ...]
    weights: Mapping[str, tuple[Part, ...]]
    result: tuple[Part, ...]
    padding: tuple[tuple[int, int], ...] = ()


class Compared(NamedTuple):
    """An array of formulas beside the backend's numbers, NaN where it has none, and how far they may be apart."""

    node: E
    backend: Array
    tolerance: float


@dataclass(frozen=True)
class Place:
    """A place of a model: what its sheet computes, and what the backend computed."""

    model: Model
    number: int  # the layer's
    at: tuple[int, ...]
    step: Step
    kinds: Mapping[str, str]  # how the cells of a given array lie
    compared: Sequence[Compared]
    remarks: Sequence[str]
    label: Array
    answer: Array
    loss: float

    @property
    def title(self) -> str:
        return f"layer {self.model.title_of(self.number)} at {', '.join(map(str, self.at))}"


def place_of(model: Model, x: Any, y: Any, layer: int | str, at: Sequence[int]) -> Place:
    """The place `at` of a layer, by its number or name, for one sample x with its label y.

    at counts from 0 along the axes of the layer's result, as `model.summary()` shows them: row, column, channel of a
    convolution, the unit of a dense layer, step and unit of a recurrent layer, or its step alone for all units; in both
    directions always step and unit, the backward layer's units after the forward one's. Raises SettingError or
    ShapeError where there is no such place, LayoutError where it has too many cells to be read.

    >>> from simulator import nn
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3, "tanh"), nn.Dense(1)]).compile(loss="mse")
    >>> place = place_of(model, [0.5, -1.0], [1.0], layer=1, at=(2,))
    >>> [compared.node.name for compared in place.compared]
    ['A1', 'dx', 'dW1', 'db1']
    """
    shape = model.inputs.sizes
    found = np.asarray(x, dtype=float)
    xs = model.inputs_checked(found if found.ndim > len(shape) else found[None])
    require(len(xs) == 1, "A place belongs to one sample.", f"{len(xs)} samples")
    label = np.asarray(y, dtype=float)
    wanted = model.label_shape(1)
    ys = model.labels_fitted(label.reshape(wanted) if label.size == math.prod(wanted) else label[None])
    tensor = _tensor_of(model, layer)
    at = tuple(at)
    _check_at(model, tensor, at)
    network = model.network("numpy")
    assert isinstance(network, CpuNetwork)
    reading = Reading(network, np.asarray(xs, np.float32), ys)
    draft = _Draft(model, tensor, reading, at, ys)
    place = _moment(draft) if isinstance(tensor.layer, Recurrent | Bidirectional) else _entry(draft)
    cells = sum(math.prod(s.node.shape) for s in place.step.shown)
    if cells > MOST_CELLS:
        advice = " Name a unit too: --at STEP,UNIT." if isinstance(tensor.layer, Recurrent) else ""
        raise LayoutError(f"A place shows at most {MOST_CELLS:,} cells, to be read. Received: {cells:,}.{advice}")
    return place


def _tensor_of(model: Model, layer: int | str) -> Tensor:
    """The result of a layer. Raises SettingError for one that isn't there, or is there more than once."""
    titles = [model.title_of(k) for k in range(1, len(model.numbered) + 1)]
    wanted = str(layer)
    numbers = [k for k, title in enumerate(titles, 1) if wanted in (str(k), title, title.split(" ", 1)[1])]
    names = [title.split(" ", 1)[1] for title in titles]
    require(
        len(numbers) == 1,
        f"A layer goes by its number or its name. '{model.name}' has {', '.join(titles)}.",
        f"'{wanted}'" + (f", which is {len(numbers)} of them" if numbers else ""),
        did_you_mean(wanted, names).strip() if not numbers else "Write its number.",
    )
    found = model.numbered[numbers[0] - 1]
    tensors = [t for t in model.walk() if t.layer is found]
    require(len(tensors) == 1, "A place belongs to a layer that is used once.", f"{titles[numbers[0] - 1]}, used twice")
    return tensors[0]


def _check_at(model: Model, tensor: Tensor, at: tuple[int, ...]) -> None:
    title, shape = model.title_of(model.numbers[id(tensor.layer)]), tensor.sizes
    axes: tuple[tuple[int, ...], ...] = (shape,)
    if isinstance(tensor.layer, Recurrent):
        shape = (tensor.inputs[0].sizes[0], tensor.layer.units)
        axes = shape, shape[:1]
    elif isinstance(tensor.layer, Bidirectional):
        shape = (tensor.inputs[0].sizes[0], len(DIRECTIONS) * tensor.layer.layer.units)
        axes = (shape,)
    fits = any(len(at) == len(a) and all(is_whole(i) and 0 <= i < n for i, n in zip(at, a, strict=True)) for a in axes)
    asked = "STEP,UNIT or STEP" if len(axes) > 1 else f"{len(shape)} {'number' if len(shape) == 1 else 'numbers'}"
    require(
        fits,
        f"A place of {title} is {asked}, from 0 to below {' x '.join(map(str, shape))}.",
        ",".join(map(str, at)) or "nothing",
        f"Its last place is --at {','.join(str(n - 1) for n in shape)}.",
    )


@dataclass
class _Draft:
    """A step that is being made for a place."""

    model: Model
    tensor: Tensor
    reading: Reading
    at: tuple[int, ...]
    labels: Array
    kinds: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.number = self.model.numbers[id(self.tensor.layer)]
        self.tracer = Tracer(self.model.outputs, {}, self.model.numbers)
        nothing = literal(0)
        self.step = self.tracer.step = Step(nothing, None, nothing, None)
        self.costs: set[int] = set()

    def expressions(self, make: type[Expressions], weights: dict[str, E]) -> Expressions:
        final = self.tensor is self.model.outputs
        rng = np.random.default_rng(0)
        step, tracer = self.step, self.tracer
        return make(
            self.number, str(self.number), weights, False, final, tracer.seen, step.first, {}, [], tracer.setting, rng
        )

    def given(self, name: str, value: Array, meaning: str, kind: str = "") -> E:
        """An array of given numbers, with cells on Parameters and on the sheet of the place."""
        leaf = given(f"{name} given", value.shape, meaning)
        self.step.first[name] = leaf, np.asarray(value, dtype=float)
        self.kinds[name] = kind
        node = leaf.named(name, meaning)
        self.tracer.seen[node.serial] = Seen(self.number, name, kind)
        return node

    def weight(self, spec: WeightSpec, part: tuple[Part, ...]) -> E:
        value = self.reading.network.weights[self.number][spec.name].value[part]
        node = self.given(f"{spec.symbol}{self.number}", value, f"{spec.meaning} that the place uses", spec.kind)
        self.step.parameters[node.name] = node
        return node

    def cost(self, x: E, symbol: str, meaning: str) -> E:
        x = x if x.name else x.named(symbol, meaning, gradient=False)
        self.tracer.seen[x.serial] = Seen(self.number, x.name, "")
        self.costs.add(x.serial)
        return x

    def finished(self, cost: E, wanted: list[E], compare: Callable[[dict[str, E]], list[Compared]]) -> Place:
        """The place, its gradients derived; compare gets them by name."""
        gradients, every = backward(cost, wanted)
        self.step.cost, self.step.gradients = cost, gradients
        by_name = {e.name: e for e in every} | {e.name: e for e in gradients.values()}
        shown = shown_of(self.step, self.tracer, [cost, *gradients.values()])
        self.step.shown = [self._in_its_role(s) for s in shown]
        return Place(
            self.model,
            self.number,
            self.at,
            self.step,
            self.kinds,
            compare(by_name),
            self.remarks,
            self.labels,
            self.reading.answer[0],
            self.reading.loss,
        )

    def _in_its_role(self, s: Shown) -> Shown:
        return replace(s, role="cost") if s.node.serial in self.costs else s


def _entry(draft: _Draft) -> Place:
    """A place of a layer without steps."""
    tensor, reading = draft.tensor, draft.reading
    taken = reading.takes_over(tensor)
    used = used_by(draft.model, tensor, draft.at, whole=taken)
    xs = []
    for k, (source, part) in enumerate(zip(tensor.inputs, used.inputs, strict=True), 1):
        value = reading.value(source)[part]
        value = np.pad(value, used.padding) if used.padding else value
        kind = "pile" if value.ndim == 3 else ""
        name = "x" if len(used.inputs) == 1 else f"x{k}"
        xs.append(draft.given(name, value[None], "what the place uses of the layer's input", kind))
    specs = {w.name: w for w in tensor.layer.weights_of(*(t.sizes for t in tensor.inputs))}
    weights = {name: draft.weight(spec, used.weights[name]) for name, spec in specs.items()}
    at = draft.expressions(Expressions, weights)
    a = used.layer.call(at, *xs)
    if a.name == "" or a in xs:
        a = at.call(a, "A", "result")
    value, gradient = reading.value(tensor), reading.gradient(tensor)
    arriving = np.zeros_like(gradient)
    arriving[used.result] = gradient[used.result]
    if taken:
        cost = _loss(draft, a)
        draft.remarks.append("The loss leads straight to the sums Z, so the whole row is shown.")
    else:
        g = draft.given("G", arriving[used.result].reshape(a.shape), "gradient of the loss that arrives here")
        cost = draft.cost((g * a).sum(), "C", "its gradients are those of the loss")
    if isinstance(used.layer, _Meeting):
        draft.remarks.append("The part of the kernel is the one that meets the image here.")
    if any(before or after for before, after in used.padding):
        draft.remarks.append("What lies outside the input is a zero.")
    share = reading.share(tensor, arriving)
    largest = float(max(np.abs(arriving).max(), 1 / max(gradient.size, 1) if taken else 0))
    biggest = {n.name: float(np.abs(draft.step.first[n.name][1]).max()) for n in (*xs, *weights.values())}

    def compare(gradients: dict[str, E]) -> list[Compared]:
        found = [Compared(a, value[used.result].reshape(a.shape), FLOAT32 * (float(np.abs(value).max()) or 1))]
        if taken:
            z = gradients.get(f"dZ{draft.number}")
            if z is not None:
                found.append(Compared(z, arriving[used.result].reshape(z.shape), FLOAT32 * largest))
        others: list[tuple[E, Array]] = []
        for x, part, dx in zip(xs, used.inputs, share.inputs, strict=True):
            inside = np.pad(dx[part], used.padding, constant_values=np.nan) if used.padding else dx[part]
            others.append((x, inside[None]))
        others += [(weights[name], dw[used.weights[name]]) for name, dw in share.weights.items()]
        for node, backend in others:
            if f"d{node.name}" in gradients:
                factor = max([1.0, *(b for name, b in biggest.items() if name != node.name)])
                most = max(float(np.nanmax(np.abs(backend))), largest * factor)
                found.append(Compared(gradients[f"d{node.name}"], backend, FLOAT32 * most))
        return found

    wanted = [*xs, *(w for name, w in weights.items() if specs[name].trainable)]
    return draft.finished(cost, wanted, compare)


def _loss(draft: _Draft, p: E) -> E:
    """The place's part of the loss."""
    labels = draft.labels if len(p.shape) == draft.reading.answer.ndim else draft.labels[:, draft.at[0]]
    y = draft.given("y", np.asarray(labels, dtype=float), "label")
    cost = draft.model.loss_option.loss.cost(y, p, draft.cost)
    rows = draft.reading.answer[0].size // math.prod(p.shape)
    return draft.cost(cost / literal(rows) if rows > 1 else cost, "C", "the place's part of the loss")


def used_by(model: Model, tensor: Tensor, at: tuple[int, ...], *, whole: bool) -> Used:
    """What a place of a layer uses; whole says that it is to have all units. Raises SettingError for other layers."""
    layer, shape = tensor.layer, tensor.inputs[0].sizes
    every, *before = slice(None), *at[:-1]
    unit: Part = slice(at[-1], at[-1] + 1)
    if whole or getattr(layer, "activation", None) == "softmax" or isinstance(layer, layers.LayerNormalization):
        unit = every
    count = tensor.sizes[-1] if unit == every else 1
    row = (*before, unit)
    if isinstance(layer, COPIES):
        raise SettingError(_handed_on(model, tensor, at))
    if isinstance(layer, layers.Dense):
        small: Layer = replace(layer, units=count)
        return Used(small, ((*before, every),), {"kernel": (every, unit), "bias": (unit,)}, row)
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        windows = [
            _window(*w) for w in zip(shape, layer.kernel_size, layer.strides, at, [layer.padding] * 2, strict=False)
        ]
        small = replace(layer, filters=count, strides=1, padding="valid")
        kernel = (*[every] * len(layer.kernel_size), every, unit)
        part = (*(part for part, _ in windows), every)
        padding = (*(outside for _, outside in windows), (0, 0))
        return Used(small, (part,), {"kernel": kernel, "bias": (unit,)}, row, padding)
    if isinstance(layer, layers.Conv2DTranspose):
        meetings = [
            _meeting(*m) for m in zip(shape, layer.kernel_size, layer.strides, at, [layer.padding] * 2, strict=False)
        ]
        here = ",".join(map(str, at))
        advice = "Choose a place that the kernels cover."
        require(all(meetings), "A place has its number from the input.", f"{here}, which no kernel covers", advice)
        parts, kernels = zip(*(m for m in meetings if m), strict=True)
        sizes = tuple(part.stop - part.start for part in parts)
        small = _Meeting(
            count,
            kernel_size=sizes,
            activation=layer.activation,
            use_bias=layer.use_bias,
            name=layer.name if layer.named else "",
        )
        return Used(small, ((*parts, every),), {"kernel": (*kernels, unit, every), "bias": (unit,)}, row)
    if isinstance(layer, layers.Resizing):
        axes = zip(shape, tensor.sizes, at[:2], strict=False)
        near = [_near(neighbours_of(n, new, layer.interpolation), i) for n, new, i in axes]
        blend = _Blend(1, 1, layer.interpolation, near=[one for _, one in near])
        return Used(blend, ((*(part for part, _ in near), unit),), {}, row)
    if isinstance(layer, layers.Features):
        one = replace(layer, names=(layer.names[at[0]],))
        return Used(one, ((every,),), {}, row)
    if isinstance(layer, Pooling):
        windows = [
            _window(*w) for w in zip(shape, layer.pool_size, layer.strides, at, [layer.padding] * 2, strict=False)
        ]
        size = tuple(part.stop - part.start for part, _ in windows)
        small = replace(layer, pool_size=size, strides=size, padding="valid")
        return Used(small, ((*(part for part, _ in windows), unit),), {}, row)
    if isinstance(layer, GlobalPooling):
        return Used(layer, ((*[every] * (len(shape) - 1), unit),), {}, row)
    if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return Used(layer, (row,), dict.fromkeys(names, (unit,)), row)
    if isinstance(layer, layers.Embedding):
        small = replace(layer, output_dim=1)
        return Used(
            small, ((slice(at[0], at[0] + 1),),), {"embeddings": (every, unit)}, (slice(at[0], at[0] + 1), unit)
        )
    if isinstance(layer, ENTRIES):
        return Used(layer, (row,) * len(tensor.inputs), {}, row)
    raise SettingError(
        f"A place can't be shown of every layer. Received: {model.title_of(model.numbers[id(layer)])}. "
        "Choose a layer before or after it."
    )


def _window(n: int, size: int, stride: int, place: int, padding: str) -> tuple[slice, tuple[int, int]]:
    """The part of an axis of n that a window covers, and how far it reaches beyond either end."""
    start = place * stride - places_after(n, size, stride, padding)[1]
    part = slice(max(start, 0), min(start + size, n))
    return part, (part.start - start, start + size - part.stop)


def _near(every: Neighbours, place: int) -> tuple[slice, Neighbours]:
    """The part of an axis that a place lies in, and its neighbours in that part."""
    here = slice(place, place + 1)
    low, share = every.low[here], every.share[here]
    high = every.high[here] if share.any() else low
    return slice(int(low[0]), int(high[0]) + 1), Neighbours(low - low, high - low, share)


def _meeting(n: int, size: int, stride: int, place: int, padding: str) -> tuple[slice, slice] | None:
    """The part of an axis of n that a place of a transposed convolution comes from, and the part of the kernel that
    meets it, the last of it the first of the other; None where there is none."""
    place += places_transposed(n, size, stride, padding)[1]
    first, rest = divmod(place, stride)  # kernel entry rest + m*stride meets place first - m
    low, high = max(0, first - n + 1), min(first, (size - 1 - rest) // stride)
    if low > high:
        return None
    return slice(first - high, first - low + 1), slice(rest + low * stride, rest + high * stride + 1, stride)


def _handed_on(model: Model, tensor: Tensor, at: tuple[int, ...]) -> str:
    """Which place a layer that computes nothing has its number from."""
    layer, source, there = tensor.layer, tensor.inputs[0], at
    if isinstance(layer, layers.Flatten | layers.Reshape):
        flat = np.ravel_multi_index(at, tensor.sizes)
        there = tuple(int(i) for i in np.unravel_index(flat, source.sizes))
    elif isinstance(layer, layers.Concatenate):
        axis = layer.axis % len(at) if layer.axis < 0 else layer.axis - 1
        for source in tensor.inputs:
            if there[axis] < source.sizes[axis]:
                break
            there = (*there[:axis], there[axis] - source.sizes[axis], *there[axis + 1 :])
    title = model.title_of(model.numbers[id(layer)])
    came = ",".join(map(str, there))
    rule = f"{title} hands on what it gets, so there is nothing to compute at {','.join(map(str, at))}."
    if not source.inputs:
        return f"{rule} Received from: the input at {came}. Choose another layer."
    before = model.numbers[id(source.layer)]
    return f"{rule} Received from: {model.title_of(before)} at {came}. Trace that: --layer {before} --at {came}."


class _OneStep(Expressions):
    """Names carry the number of their step, and every array is a block of its own."""

    def call(
        self, x: E, symbol: str, meaning: str, *, step: int | None = None, kind: str = "", gradient: bool = True
    ) -> E:
        x = x.named(f"{symbol}{self.tag}[{step}]", meaning, gradient=gradient)
        self.place(x, x.name, kind)
        return x


def _moment(draft: _Draft) -> Place:
    """One step of a recurrent layer, or of one of both directions: all units, or one of them."""
    tensor, steps = draft.tensor, draft.tensor.inputs[0].sizes[0]
    layer, which, t, *units = tensor.layer, 0, draft.at[0] + 1, *draft.at[1:]
    name, short = "", ""
    if isinstance(layer, Bidirectional):
        layer = layer.layer
        which, units[0] = divmod(units[0], layer.units)
        name, short = DIRECTIONS[which]
        if name == "backward":
            t = steps + 1 - t
            draft.remarks.append(f"The backward layer begins at the end, so place {draft.at[0]} is its step {t}.")
    assert isinstance(layer, Recurrent)
    number = f"{short}{draft.number}"
    cell, h, alone = layer.cell(), layer.units, bool(units)
    moment = draft.reading.moment(tensor, t - 1, which)
    unit = slice(units[0], units[0] + 1) if alone else slice(None)
    resets_first = cell.kind == "gru" and not cell.reset_after
    rule = "A GRU that resets the state before the product needs the reset gates of all units."
    advice = f"Show the whole step: --at {draft.at[0]}." if not name else "Choose another layer."
    require(not (alone and resets_first), rule, f"unit {draft.at[-1]}", advice)
    columns = slice(units[0], None, h) if alone else slice(None)  # a column per gate
    specs = tensor.layer.weights_of(tensor.inputs[0].sizes)
    weights = {
        spec.name: draft.weight(spec, (slice(None), columns) if len(spec.shape) == 2 else (columns,))
        for spec in specs
        if spec.name.startswith(name)
    }
    draft.remarks.append(f"Step {t} of {steps}, in the order in which they are computed.")
    x = draft.given(f"x[{t}]", moment.x[None], "the layer's input of the step")
    before = draft.given(f"h{number}[{t - 1}]", moment.before["h"][None], "state before the step")
    states = [before]
    if "c" in moment.before:
        states.append(draft.given(f"c{number}[{t - 1}]", moment.before["c"][None, unit], "cell before the step"))
    elif cell.kind == "gru" and alone:
        states.append(draft.given(f"own h{number}[{t - 1}]", moment.before["h"][None, unit], "the unit's own state"))
    at = draft.expressions(_OneStep, weights)
    at = at.part(name, short) if name else at
    small = cell._replace(units=1 if alone else h)
    after = STEPS[cell.kind](at, small, t, x, *states)
    results = dict(zip(("h", "c"), after, strict=False))
    parts = []
    for name, result in results.items():
        g = draft.given(f"G{name}", moment.arriving[name][None, unit], f"gradient of the loss that arrives at {name}")
        parts.append((g * result).sum())
    total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    cost = draft.cost(total, "C", "its gradients are those of the loss")
    largest = max(float(np.abs(g).max()) for g in moment.arriving.values())

    def compare(gradients: dict[str, E]) -> list[Compared]:
        found = []
        for name, result in results.items():
            most = float(max(np.abs(moment.after[name]).max(), 1))
            found.append(Compared(result, moment.after[name][None, unit], FLOAT32 * most))
        symbol = "Zx" if cell.kind == "gru" else "Z"
        sums = gradients[f"d{symbol}{number}[{t}]"]
        return [*found, Compared(sums, moment.errors[None, columns], FLOAT32 * largest)]

    return draft.finished(cost, [x, *states, *weights.values()], compare)
