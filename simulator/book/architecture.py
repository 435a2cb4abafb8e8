"""Architecture: what every layer makes of its input, what it costs and what it sees, as formulas of a few options.

# window k, stride s; r receptive field, j jump: how far apart in the input two neighbours look
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from simulator.nn import layers
from simulator.nn.basic import InputLayer
from simulator.nn.convolution import GlobalPooling, Pooling
from simulator.nn.layer import Layer, Tensor
from simulator.nn.memory import states_of
from simulator.nn.model import Model
from simulator.nn.recurrent import Recurrent
from simulator.nn.resizing import Resizing
from simulator.sheet.address import a1
from simulator.sheet.sheet import Sheet, Validation
from simulator.sheet.style import ANSWER, BODY, INPUT, LABEL, SUBTITLE, TITLE, Style, header, restyled

ARCHITECTURE = "Architecture"
INPUTS, QUESTIONS, FIRST = 3, 7, 16  # rows of the given numbers, of the answers and of the network's input
VALUE, PARTS = 5, 7  # columns of the answers and of the table of parts
MOST = 1_000_000  # of an option that may be typed
WHOLE, DECIMAL, SHARE = "#,##0", "#,##0.0", "0.0%"
CONVOLUTIONS = layers.Conv1D, layers.Conv2D
OTHER, ACTIVATIONS = "other", "activations"
PART: dict[tuple[type[Layer], ...], str] = {
    (*CONVOLUTIONS, layers.Conv2DTranspose): "convolution",
    (layers.Dense,): "dense",
    (Recurrent,): "recurrent",
}
PLACES: dict[int, tuple[str, ...]] = {0: (), 1: ("steps",), 2: ("height", "width")}
COSTS = "parameters", "multiply-adds", ACTIVATIONS, "MiB of the batch"
SIGHT = "receptive field", "jump"
ABOUT = {
    "part": "Convolution, dense, recurrent or other: the table above sums by it.",
    "reads": "The layers whose result this one takes; empty for the row above.",
    "padding": "same puts zeros around: size = (size + stride - 1)/stride, rounded down. "
    "valid doesn't: size = (size - kernel)/stride, rounded down, plus 1. "
    "A Conv2DTranspose goes the other way: size * stride, and with valid kernel - stride more, if that is above 0.",
    "parameters": "Of a convolution: window * channels that come in * filters, and a bias per filter. "
    "Of a dense layer: features that come in * units, and a bias per unit.",
    "multiply-adds": "Of one sample, forward: one for every weight at every place, of a Conv2DTranspose at every place "
    "that comes in. Backward takes twice as many.",
    "activations": "Numbers that the layer hands on for one sample; in another shape they are the same numbers.",
    "MiB of the batch": "activations * batch size * bytes per number / 1024^2, without their gradients.",
    "receptive field": "How many places of the input, along one axis, one number here depends on: "
    "that of the row before + (kernel - 1) * its jump. After a Resizing it starts anew. Of a Conv2DTranspose, whose "
    "places see more or less, the mean: that of the row before + (kernel - stride) * the jump of its own row.",
    "jump": "How far apart in the input two neighbours look: the jump before * stride, of a Conv2DTranspose / stride.",
}


class Live(NamedTuple):
    """A formula and the number that it leads to."""

    formula: str
    value: float


ONE = Live("1", 1)


def product(*factors: Live) -> Live:
    return Live("*".join(f.formula for f in factors), math.prod(f.value for f in factors))


def total(*terms: Live) -> Live:
    return Live("+".join(t.formula for t in terms), math.fsum(t.value for t in terms))


def largest(*numbers: Live) -> Live:
    if len({n.formula for n in numbers}) == 1:
        return numbers[0]
    return Live(f"MAX({','.join(n.formula for n in numbers)})", max(n.value for n in numbers))


def size_after(size: Live, kernel: Live, stride: Live, padding: str, same: bool) -> Live:
    """How many places a window has."""
    n, k, s = size.formula, kernel.formula, stride.formula
    value = (size.value + stride.value - 1) // stride.value if same else (size.value - kernel.value) // stride.value + 1
    return Live(f'IF({padding}="same",INT(({n}+{s}-1)/{s}),INT(({n}-{k})/{s})+1)', value)


def size_before(size: Live, kernel: Live, stride: Live, padding: str, same: bool) -> Live:
    """How many places a transposed convolution has: as many as a window over them needs to have `size`."""
    n, k, s = size.formula, kernel.formula, stride.formula
    value = size.value * stride.value + (0 if same else max(kernel.value - stride.value, 0))
    return Live(f'IF({padding}="same",{n}*{s},{n}*{s}+MAX({k}-{s},0))', value)


@dataclass
class Made:
    """What a layer makes: the shape (height, width), channels of its output, and r and j where it has places.

    parameters and work, its multiply-adds for one sample, are None where there are none.
    """

    places: list[Live]
    channels: Live
    sight: list[Live] = field(default_factory=list)
    parameters: Live | None = None
    work: Live | None = None
    number: int = 0  # of the layer


def architecture_sheet(model: Model, batch_size: int) -> Sheet:
    """The layers of a model from top to bottom, and answers above them; yellow cells may be changed."""
    return _Architecture(model, batch_size).sheet


Rule = Callable[[Tensor, Sequence[Made]], Made]


class _Architecture:
    """The sheet while it is made, row by row."""

    def __init__(self, model: Model, batch_size: int) -> None:
        self.model, self.sheet = model, Sheet(ARCHITECTURE, "#D97706")
        self.tensors = [model.inputs, *(t for t in model.walk() if t.inputs)]
        places = PLACES[max(len(t.sizes) for t in self.tensors) - 1]
        windows = [w for t in self.tensors for w in _windows(t.layer)]
        self.square = all(len(set(w)) == 1 for w in windows)
        enlarged = any(isinstance(t.layer, layers.Conv2DTranspose) for t in self.tensors)
        self.sight_format = DECIMAL if enlarged else WHOLE
        ends = [""] if self.square else [f" of {name}" for name in places]
        options = [f"{name}{end}" for name in ("kernel", "stride") for end in ends] if windows else []
        self.shape = [*places, "channels" if len(places) == 2 else "features"]
        branches = any(here.inputs != (above,) for above, here in pairwise(self.tensors))
        names = ["layer", "part", *(["reads"] if branches else []), *options]
        names += [*(["padding"] if windows else []), "filters, units"]
        self.columns = {name: k for k, name in enumerate([*names, *self.shape, *COSTS, *(SIGHT if windows else ())])}
        self.made: dict[int, Made] = {}
        self.sums: dict[tuple[str, str], float] = {}  # by part and column
        self.counted: set[int] = set()  # layers whose weights stand in a row
        self.row, self.last = FIRST, FIRST + len(self.tensors) - 1
        self.sheet.put(0, 0, f"{model.name}: its layers, what they cost and what they see", TITLE)
        said = "Yellow cells may be changed: sizes, weights, work, memory and receptive fields follow. "
        said += "Room to compute in comes to the memory."
        self.sheet.put(1, 0, said, SUBTITLE)
        kept = 2 + states_of(model.optimizer)
        given = {
            "batch size": batch_size,
            "bytes of a number": 4,
            "numbers kept for a weight: it, its gradient, the optimizer's": kept,
        }
        for k, said in enumerate(given):
            self.sheet.put(INPUTS + k, 0, said, LABEL)
        self.batch, self.bytes, self.kept = (
            self.typed(INPUTS + k, VALUE, value) for k, value in enumerate(given.values())
        )
        self.head()
        for tensor in self.tensors:
            self.layer(tensor)
            self.row += 1
        self.answers()
        self.sheet.widths = {0: 26} | dict.fromkeys(range(1, max(len(self.columns), PARTS + 7)), 11.5)
        self.sheet.freeze = (FIRST, 1)
        self.sheet.check()

    # Cells

    def typed(self, row: int, col: int, value: float) -> Live:
        """A whole number that may be changed."""
        self.sheet.put(row, col, value, restyled(INPUT, number_format="0"))
        self.sheet.validations.append(Validation(row, col, "integer", 1, MOST, f"A whole number from 1 to {MOST:,}."))
        return Live(a1(row, col, absolute=row < FIRST), value)

    def option(self, name: str, value: float) -> Live:
        return self.typed(self.row, self.columns[name], value)

    def put(self, name: str, live: Live, number_format: str = WHOLE) -> Live:
        """The current row's cell with a formula, or where the formula is a plain number with that."""
        col, style = self.columns[name], restyled(BODY, number_format=number_format)
        here = Live(a1(self.row, col), live.value)
        if live.formula != here.formula:  # otherwise it was typed there
            formula = "" if live.formula.isdigit() else live.formula
            self.sheet.put(self.row, col, live.value, style, formula=formula)
        return here

    def column(self, name: str) -> str:
        col = self.columns[name]
        return f"{a1(FIRST, col, absolute=True)}:{a1(self.last, col, absolute=True)}"

    # Layers

    def head(self) -> None:
        roles = dict.fromkeys(self.shape, "forward") | dict.fromkeys(COSTS, "cost") | dict.fromkeys(SIGHT, "backward")
        for name, col in self.columns.items():
            self.sheet.put(FIRST - 1, col, name, header(roles.get(name, "given"), level=2))
            if name in ABOUT:
                self.sheet.notes[FIRST - 1, col] = ABOUT[name]
        self.sheet.heights[FIRST - 1] = 30

    def layer(self, tensor: Tensor) -> None:
        layer, before = tensor.layer, [self.made[id(t)] for t in tensor.inputs]
        number = self.model.numbers.get(id(layer), 0)
        activation = None if isinstance(layer, layers.Activation) else getattr(layer, "activation", None)
        title = self.model.title_of(number) + (f", {activation}" if activation else "")
        self.sheet.put(self.row, 0, title, Style(bold=bool(self.model.by_layer.get(id(layer)))))
        self.sheet.put(self.row, 1, part_of(layer) if before else "input", LABEL)
        if before and tensor.inputs != (self.tensors[self.row - FIRST - 1],):
            read = ", ".join(str(m.number) for m in before)
            self.sheet.put(self.row, self.columns["reads"], read, restyled(BODY, align="center"))
        made = self.rule_of(layer)(tensor, before)
        made.number = number
        made.places = [self.put(name, live) for name, live in zip(self.shape, made.places, strict=False)]
        made.channels = self.put(self.shape[-1], made.channels)
        made.sight = [self.put(name, live, self.sight_format) for name, live in zip(SIGHT, made.sight, strict=False)]
        self.made[id(tensor)] = made
        if made.parameters and id(layer) not in self.counted:
            self.counted.add(id(layer))
            self.cost(part_of(layer), "parameters", made.parameters)
        if made.work:
            self.cost(part_of(layer), "multiply-adds", made.work)
        if not isinstance(layer, layers.Flatten | layers.Reshape):
            numbers = self.cost(ACTIVATIONS, ACTIVATIONS, product(*made.places, made.channels))
            self.put("MiB of the batch", in_mib(numbers, self.batch, self.bytes), DECIMAL)

    def cost(self, part: str, name: str, live: Live) -> Live:
        self.sums[part, name] = self.sums.get((part, name), 0.0) + live.value
        return self.put(name, live)

    def rule_of(self, layer: Layer) -> Rule:
        rules: dict[tuple[type[Layer], ...], Rule] = {
            (InputLayer,): self.input,
            (*CONVOLUTIONS, layers.Conv2DTranspose): self.convolution,
            (Pooling,): self.pooling,
            (GlobalPooling,): self.global_pooling,
            (layers.Dense,): self.dense,
            (Recurrent,): self.recurrent,
            (layers.Embedding,): self.embedding,
            (layers.BatchNormalization, layers.LayerNormalization): self.normalization,
            (Resizing,): self.resizing,
            (layers.Flatten,): self.flatten,
            (layers.Concatenate,): self.concatenated,
        }
        return next((rule for types, rule in rules.items() if isinstance(layer, types)), self.other)

    def input(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        *places, channels = tensor.sizes
        shape = [self.option(name, n) for name, n in zip(self.shape, places, strict=False)]
        return Made(shape, self.option(self.shape[-1], channels), self.start(bool(places)))

    def start(self, seen: bool) -> list[Live]:
        """The sight of the input itself."""
        return [ONE, ONE] if seen and SIGHT[0] in self.columns else []

    def windows(self, layer: Any, x: Made) -> tuple[list[Live], Made]:
        """The window of a convolution or of pooling, and what it makes of its input, with the channels as before."""
        sizes, strides = _windows(layer)
        names = [[n for n in self.columns if n.startswith(word)] for word in ("kernel", "stride")]
        kernel, stride = (
            [self.option(name, n) for name, n in zip(columns, given, strict=False)]
            for columns, given in zip(names, (sizes, strides), strict=True)
        )
        if self.square:
            kernel, stride = kernel * len(sizes), stride * len(sizes)
        padding = self.row, self.columns["padding"]
        self.sheet.put(*padding, layer.padding, restyled(INPUT, align="center"))
        self.sheet.validations.append(Validation(*padding, "list", "same,valid", "", "same or valid."))
        same = layer.padding == "same"
        enlarges = isinstance(layer, layers.Conv2DTranspose)
        size, seen = (size_before, self.seen_enlarged) if enlarges else (size_after, self.seen)
        places = [size(n, k, s, a1(*padding), same) for n, k, s in zip(x.places, kernel, stride, strict=True)]
        return kernel, Made(places, x.channels, seen(x, kernel[0], stride[0]))

    def seen(self, x: Made, kernel: Live, stride: Live) -> list[Live]:
        if not x.sight:
            return []
        (r, r_now), (j, j_now) = x.sight
        wider = Live(f"{r}+{kernel.formula}*{j}-{j}", r_now + (kernel.value - 1) * j_now)
        return [wider, x.sight[1] if stride is ONE else product(x.sight[1], stride)]

    def seen_enlarged(self, x: Made, kernel: Live, stride: Live) -> list[Live]:
        """What a place of a transposed convolution sees, as a mean: some see a place of the input more than others."""
        if not x.sight:
            return []
        (r, r_now), (j, j_now), (k, s) = *x.sight, (kernel.formula, stride.formula)
        wider = r_now + max(kernel.value - stride.value, 0) * j_now / stride.value
        return [Live(f"{r}+MAX({k}-{s},0)*{j}/{s}", wider), Live(f"{j}/{s}", j_now / stride.value)]

    def convolution(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        layer: Any = tensor.layer
        kernel, made = self.windows(layer, before[0])
        filters = self.option("filters, units", layer.filters)
        weights = product(*kernel, before[0].channels, filters)
        worked = before[0].places if isinstance(layer, layers.Conv2DTranspose) else self.sized(made.places)
        made.channels, made.work = filters, product(*worked, weights)
        made.parameters = total(weights, filters) if layer.use_bias else weights
        return made

    def sized(self, places: Sequence[Live]) -> list[Live]:
        """The cells in which the places of this row stand, for a formula beside them."""
        return [Live(a1(self.row, self.columns[n]), p.value) for n, p in zip(self.shape, places, strict=False)]

    def pooling(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        return self.windows(tensor.layer, before[0])[1]

    def global_pooling(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        (x,) = before
        return Made([], x.channels, self.seen(x, x.places[0], ONE))

    def dense(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        (x,), layer = before, tensor.layer
        assert isinstance(layer, layers.Dense)
        units = self.option("filters, units", layer.units)
        weights = product(x.channels, units)
        parameters = total(weights, units) if layer.use_bias else weights
        return Made(x.places, units, [], parameters, product(*x.places, weights))

    def recurrent(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        (x,), layer = before, tensor.layer
        assert isinstance(layer, Recurrent)
        units, gates = self.option("filters, units", layer.units), constant(layer.gates)
        parts = [product(gates, x.channels, units), product(gates, units, units)]
        biases = sum(len(spec.shape) == 1 for spec in layer.weights_of(tensor.inputs[0].sizes))
        parameters = total(*parts, *[product(gates, units)] * biases)
        work = total(*(product(x.places[0], part) for part in parts))
        return Made(x.places if layer.return_sequences else [], units, [], parameters, work)

    def embedding(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        layer = tensor.layer
        assert isinstance(layer, layers.Embedding)
        units = self.option("filters, units", layer.output_dim)
        return Made([before[0].channels], units, [], product(constant(layer.input_dim), units))

    def normalization(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        (x,), each = before, len(self.model.by_layer[id(tensor.layer)])
        return Made(x.places, x.channels, x.sight, product(constant(each), x.channels))

    def flatten(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        return Made([], product(*before[0].places, before[0].channels))

    def resizing(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        """What is seen from here on is counted in places of the new size."""
        sizes = [self.option(name, n) for name, n in zip(self.shape, tensor.sizes[:-1], strict=False)]
        return Made(sizes, before[0].channels, self.start(True))

    def concatenated(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        made, axis = self.other(tensor, before), getattr(tensor.layer, "axis", -1)
        if axis in (-1, len(tensor.sizes)):
            made = Made(before[0].places, total(*(x.channels for x in before)), joined_sight(before))
        return made

    def other(self, tensor: Tensor, before: Sequence[Made]) -> Made:
        """A layer that keeps the shape; sizes and weights of any other stand here as they are."""
        count = sum(w.value.size for w in self.model.by_layer.get(id(tensor.layer), ()))
        parameters = constant(count) if count else None
        if all(t.sizes == tensor.sizes for t in tensor.inputs):
            return Made(before[0].places, before[0].channels, joined_sight(before), parameters)
        *places, channels = map(constant, tensor.sizes)
        return Made(places, channels, [], parameters)

    # Answers

    def answers(self) -> None:
        """Above the layers: what every part takes, and what follows from it."""
        parts = [part for part in (*PART.values(), OTHER) if (part, "parameters") in self.sums]
        first, rows = INPUTS + 1, range(INPUTS + 1, INPUTS + 1 + len(parts))
        for k, name in enumerate(("in training", "parameters", "share", "multiply-adds", "share", "MiB", "share")):
            self.sheet.put(INPUTS, PARTS + k, name, header("cost", level=2))
        self.sheet.notes[INPUTS, PARTS + 5] = "Weights with what is kept for each; activations and their gradients."
        for row, name in enumerate([*parts, ACTIVATIONS, "all"], first):
            self.sheet.put(row, PARTS, name, LABEL)

        def summed(name: str) -> list[Live]:
            where, what = self.column("part"), self.column(name)
            return [
                Live(f"SUMIF({where},{a1(row, PARTS)},{what})", self.sums.get((part, name), 0.0))
                for row, part in zip(rows, parts, strict=True)
            ]

        def filled(col: int, entries: Sequence[Live], number_format: str) -> tuple[str, Live]:
            """The column with its sum and everyone's share; its entries as a range, and the cell of the sum."""
            entries, bottom = list(entries), first + len(parts) + 1
            area = f"{a1(first, col)}:{a1(first + len(entries) - 1, col)}"
            everything = Live(f"SUM({area})", math.fsum(e.value for e in entries))
            for row, entry in [*enumerate(entries, first), (bottom, everything)]:
                self.fill(row, col, entry, number_format)
                share = Live(f"{a1(row, col)}/{a1(bottom, col)}", entry.value / (everything.value or 1))
                self.fill(row, col + 1, share, SHARE)
            return area, Live(a1(bottom, col), everything.value)

        parameters, work = summed("parameters"), summed("multiply-adds")
        weights = [
            in_mib(Live(a1(row, PARTS + 1), entry.value), self.kept, self.bytes)
            for row, entry in zip(rows, parameters, strict=True)
        ]
        numbers = Live(f"2*SUM({self.column(ACTIVATIONS)})", 2 * self.sums[ACTIVATIONS, ACTIVATIONS])
        memory = [*weights, in_mib(numbers, self.batch, self.bytes)]
        areas = [
            filled(PARTS + 1, parameters, WHOLE),
            filled(PARTS + 3, work, WHOLE),
            filled(PARTS + 5, memory, DECIMAL),
        ]
        names = [*parts, ACTIVATIONS]
        questions = ("has most parameters", "computes most", "takes most memory in training")
        for k, (said, (area, _), entries) in enumerate(zip(questions, areas, (parameters, work, memory), strict=True)):
            listed = f"{a1(first, PARTS)}:{a1(first + len(entries) - 1, PARTS)}"
            values = [e.value for e in entries]
            found = names[values.index(max(values))]
            self.sheet.put(QUESTIONS + k, 0, f"what {said}", LABEL)
            self.sheet.put(QUESTIONS + k, VALUE, found, ANSWER, formula=f"INDEX({listed},MATCH(MAX({area}),{area},0))")
        weights_mib = Live(
            f"SUM({a1(first, PARTS + 5)}:{a1(first + len(parts) - 1, PARTS + 5)})", math.fsum(w.value for w in weights)
        )
        activations_mib, work_now = Live(a1(first + len(parts), PARTS + 5), memory[-1].value), areas[1][1]
        batch = self.batch
        lines = {
            "MiB with a batch twice as large": total(areas[2][1], activations_mib),
            "smallest batch whose activations take more than all weights": Live(
                f"INT({weights_mib.formula}/{activations_mib.formula}*{batch.formula})+1",
                weights_mib.value / activations_mib.value * batch.value // 1 + 1,
            ),
            "millions of multiply-adds in a training step, forward and backward": Live(
                f"3*{work_now.formula}*{batch.formula}/1000000", 3 * work_now.value * batch.value / 1e6
            ),
        }
        for row, (said, live) in enumerate(lines.items(), QUESTIONS + len(questions)):
            self.sheet.put(row, 0, said, LABEL)
            self.fill(row, VALUE, live, WHOLE if said.startswith("smallest") else DECIMAL, ANSWER)

    def fill(self, row: int, col: int, live: Live, number_format: str, style: Style = BODY) -> None:
        self.sheet.put(row, col, live.value, restyled(style, number_format=number_format), formula=live.formula)


def part_of(layer: Layer) -> str:
    return next((part for types, part in PART.items() if isinstance(layer, types)), OTHER)


def in_mib(numbers: Live, *each: Live) -> Live:
    """So many numbers, times what they take each, in MiB."""
    found = product(numbers, *each)
    return Live(f"{found.formula}/1048576", found.value / 2**20)


def constant(value: int) -> Live:
    return Live(str(value), value)


def joined_sight(before: Sequence[Made]) -> list[Live]:
    """The widest of what several layers see."""
    return [largest(*pair) for pair in zip(*(x.sight for x in before), strict=False)]


def _windows(layer: Any) -> tuple[tuple[int, ...], ...]:
    """Size and strides of a layer's window; empty for a layer without one."""
    if isinstance(layer, (*CONVOLUTIONS, layers.Conv2DTranspose)):
        return layer.kernel_size, layer.strides
    return (layer.pool_size, layer.strides) if isinstance(layer, Pooling) else ()
