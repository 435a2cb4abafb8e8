"""Ledger: a small dense network on one sample, one row per epoch, every quantity a scalar column.

# kernels in Keras shape (inputs, units); weights are numbered unit by unit, layer by layer
# 2-2-2: h1 = w1*i1 + w2*i2, h2 = w3*i1 + w4*i2, o1 = w5*a_h1 + w6*a_h2, o2 = w7*a_h1 + w8*a_h2
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SettingError
from simulator.lessons.lesson import Lesson, Matrix
from simulator.nn.basic import Dense
from simulator.nn.model import Model
from simulator.nn.optimizer import SGD, Schedule
from simulator.nn.option import require
from simulator.tape.backward import Rules
from simulator.tape.expression import Contribution, Expression
from simulator.tape.namespace import element, sigmoid, tanh
from simulator.tape.primitive import Rule, constant, slope

ACTIVATIONS: dict[str, Callable[[Expression], Expression]] = {"sigmoid": sigmoid, "tanh": tanh, "linear": lambda z: z}
HIDDEN = "hklmnpqr"  # a hidden layer's letter; i, o, t, w, b, a and E are taken
MOST_WEIGHTS = 60
LONGEST_CHAIN = 24  # ways from the first hidden unit to the outputs: the terms of dE/dw1
LARGEST = 1e6
ENTRY, ERROR = "0.000000", "[>=100000]0.00E+00;0.000000000"


class Unit(NamedTuple):
    """One unit: symbol h1 of its sum, a_h1 of its activation; the weights and what each one multiplies."""

    symbol: str
    weights: tuple[str, ...]
    sources: tuple[str, ...]
    bias: str
    activation: str

    @property
    def answer(self) -> str:
        return f"a_{self.symbol}"


def ledger_lesson(
    name: str,
    title: str,
    story: str,
    kernels: Sequence[Matrix],
    biases: Sequence[Sequence[float] | None],
    inputs: Sequence[float],
    targets: Sequence[float],
    *,
    activations: Sequence[str] = (),
    train_biases: bool = False,
    learning_rate: float = 0.5,
    epochs: int = 70,
    threshold: float = 0.05,
) -> Lesson:
    """A dense network as a ledger: E = 1/2 sum (t - a)^2 of one sample, gradients as the chain in full.

    kernels: one per layer, shape (inputs, units); biases: one number per unit of each layer, or None;
    activations: sigmoid, tanh or linear per layer, sigmoid everywhere by default. With train_biases every unit
    has a bias that learns; without, biases are given, a single one where a layer's units share it. Raises
    SettingError when shapes do not fit, a name is unknown, or a row would be too long to follow.

    >>> lesson = ledger_lesson("line", "Line", "", [[[0.5], [0.25]]], [[1]], [2, 4], [3], activations=["linear"])
    >>> lesson.columns
    ('t1', 'i1', 'i2', 'w1', 'w2', 'b1', 'o1', 'a_o1', 'E1', 'E_tot', 'dE/dw1', 'dE/dw2')
    >>> lesson.run(epochs=1).column("E_tot")
    array([0.])
    """
    activations = activations or ["sigmoid"] * len(kernels)
    _check(kernels, biases, inputs, targets, activations)
    given: dict[str, Matrix] = {f"t{k}": [[t]] for k, t in enumerate(targets, 1)}
    given |= {f"i{k}": [[i]] for k, i in enumerate(inputs, 1)}
    meanings = {f"t{k}": f"target of o{k}" for k in range(1, len(targets) + 1)}
    meanings |= {f"i{k}": "input" for k in range(1, len(inputs) + 1)}
    columns = list(given)
    weights: dict[str, Matrix] = {}
    constants: dict[str, Matrix] = {}
    weight_number, bias_number = count(1), count(1)
    layers: list[list[Unit]] = []
    sources = tuple(f"i{k}" for k in range(1, len(inputs) + 1))
    for kernel, bias, activation, letter in zip(kernels, biases, activations, _letters(len(kernels)), strict=True):
        shared = bias is not None and not train_biases and len(set(bias)) == 1
        layer, bias_name = [], ""
        for u in range(len(kernel[0])):
            symbol = f"{letter}{u + 1}"
            names = tuple(f"w{next(weight_number)}" for _ in sources)
            for weight, source, row in zip(names, sources, kernel, strict=True):
                weights[weight] = [[row[u]]]
                meanings[weight] = f"weight {source.removeprefix('a_')} to {symbol}"
            if bias is not None and not (shared and bias_name):
                bias_name = f"b{next(bias_number)}"
                constants[bias_name] = [[bias[u]]]
                meanings[bias_name] = f"bias of layer {letter}" if shared and len(bias) > 1 else f"bias of {symbol}"
            layer.append(Unit(symbol, names, sources, bias_name, activation))
        columns += [w for unit in layer for w in unit.weights]
        columns += dict.fromkeys(unit.bias for unit in layer if unit.bias)
        columns += [column for unit in layer for column in (unit.symbol, unit.answer)]
        sources = tuple(unit.answer for unit in layer)
        layers.append(layer)
    parameters = weights | constants if train_biases else weights
    given |= {} if train_biases else constants
    columns += [*(f"E{k}" for k in range(1, len(targets) + 1)), "E_tot", *(f"dE/d{name}" for name in parameters)]
    return Lesson(
        name=name,
        title=title,
        story=story,
        given=given,
        parameters=parameters,
        equations=_equations(layers),
        meanings=meanings,
        output=layers[-1][-1].answer,
        learning_rate=learning_rate,
        epochs=epochs,
        threshold=threshold,
        gradient="dE/d{}",
        rules=OWN_BIAS_GRADIENT,
        formats=dict.fromkeys(columns, ENTRY) | dict.fromkeys(given, "General") | {"E_tot": ERROR},
        columns=tuple(columns),
        view="",
    )


def _equations(layers: list[list[Unit]]) -> Callable[..., Expression]:
    def forward(**arrays: Expression) -> Expression:
        values = dict(arrays)
        for layer in layers:
            for unit in layer:
                first, *others = (values[w] * values[x] for w, x in zip(unit.weights, unit.sources, strict=True))
                z = sum(others, start=first)
                z = z + values[unit.bias] if unit.bias else z
                z = z.named(unit.symbol, "weighted sum", gradient=False)
                meaning = unit.activation if unit.activation != "linear" else "activation"
                values[unit.answer] = ACTIVATIONS[unit.activation](z).named(unit.answer, meaning, gradient=False)
        ends = [(values[f"t{k}"], values[unit.answer]) for k, unit in enumerate(layers[-1], 1)]
        errors = [
            ((t - a) ** 2 / 2).named(f"E{k}", f"error of o{k}", gradient=False) for k, (t, a) in enumerate(ends, 1)
        ]
        first, *others = (element(e, (0, 0)) for e in errors)
        total = sum(others, start=first).named("E_tot", "total error")

        def straight_to_answers(g: Expression) -> list[Contribution]:  # the 2 of the square and the 1/2 cancel
            return [(a, g * (a - t)) for t, a in ends]

        total.shortcut = straight_to_answers
        return total

    return forward


def _again(g: Expression, local: Expression, arg: Expression) -> Expression:
    """dE/db equals dE/dh. As an array of its own it stays a column that no other gradient refers to."""
    return Expression(g.primitive, g.args, g.shape, g.params) if arg.is_given else g


OWN_BIAS_GRADIENT: Rules = {"add": [slope(constant(1)), Rule(constant(1), _again)]}


def _letters(layers: int) -> list[str]:
    return [*HIDDEN[: layers - 1], "o"]


def _check(
    kernels: Sequence[Matrix],
    biases: Sequence[Sequence[float] | None],
    inputs: Sequence[float],
    targets: Sequence[float],
    activations: Sequence[str],
) -> None:
    if not 1 <= len(kernels) <= len(HIDDEN) + 1:
        raise SettingError(
            f"A ledger has 1 to {len(HIDDEN) + 1} layers. Received: {len(kernels)} kernels. Give one kernel per layer."
        )
    for what, given in (("biases", len(biases)), ("activations", len(activations))):
        if given != len(kernels):
            hint = " (None for a layer without)" if what == "biases" else ""
            raise SettingError(
                f"A ledger needs as many {what} as kernels. Received: {given} for {len(kernels)}. "
                f"Give one per layer{hint}."
            )
    size = len(inputs)
    for layer, (kernel, bias, activation) in enumerate(zip(kernels, biases, activations, strict=True), 1):
        widths = [len(row) for row in kernel]
        if len(kernel) != size or not kernel or len(set(widths)) != 1 or not widths[0]:
            received = f"({len(kernel)}, {widths[0]})" if len(set(widths)) == 1 else f"rows of lengths {widths}"
            raise SettingError(
                f"The kernel of layer {layer} needs the shape (inputs, units) with {size} inputs, as in Keras. "
                f"Received: {received}. Check whether it is transposed."
            )
        size = widths[0]
        if bias is not None and len(bias) != size:
            raise SettingError(
                f"Layer {layer} needs one bias per unit. Received: {len(bias)} for {size} units. "
                "Repeat a number that the units share, or give None."
            )
        if activation not in ACTIVATIONS:
            raise SettingError(
                f"An activation is one of {', '.join(ACTIVATIONS)}. Received: '{activation}' for layer {layer}. "
                "Choose one of them."
            )
    if len(targets) != size:
        raise SettingError(
            f"A ledger needs one target per output unit. Received: {len(targets)} for {size} units. "
            "Check the last kernel's columns."
        )
    numbers = [x for kernel in kernels for row in kernel for x in row]
    if len(numbers) > MOST_WEIGHTS:
        raise SettingError(
            f"A ledger has at most {MOST_WEIGHTS} weights, a row that can still be followed. "
            f"Received: {len(numbers)}. Use fewer units."
        )
    ways = math.prod(len(kernel[0]) for kernel in kernels[1:])
    if ways > LONGEST_CHAIN:
        raise SettingError(
            f"A gradient of a ledger has at most {LONGEST_CHAIN} ways from its unit to the outputs, each a term of its "
            f"formula. Received: {ways}. Use fewer or narrower layers."
        )
    numbers += [x for bias in biases if bias is not None for x in bias]
    for number in (*numbers, *inputs, *targets):
        if not (math.isfinite(number) and abs(number) <= LARGEST):
            raise SettingError(
                f"Every given number must lie between {-LARGEST:g} and {LARGEST:g}. Received: {number:g}. Scale it."
            )


KERNELS = [[[0.15, 0.25], [0.20, 0.30]], [[0.40, 0.50], [0.45, 0.55]]]
INPUTS, TARGETS = (0.05, 0.10), (0.01, 0.99)

LEDGER = ledger_lesson(
    "ledger",
    "Ledger of a 2-2-2 network",
    "Two inputs, two hidden units, two outputs, no biases, one sample: every quantity is a number with its own column, "
    "and a row is one epoch. The total error falls from 0.2425 to 0.0449 in 70 epochs at learning rate 0.5.",
    KERNELS,
    [None, None],
    INPUTS,
    TARGETS,
)

LEDGER_BIAS = ledger_lesson(
    "ledger-bias",
    "Ledger of a 2-2-2 network with fixed biases",
    "The same network with a bias for the hidden units and one for the outputs, both kept fixed. One update brings the "
    "total error from 0.298371109 to 0.291027774; who updates w5 to w8 first and takes the other gradients from the "
    "new ones gets 0.291027924.",
    KERNELS,
    [[0.35, 0.35], [0.60, 0.60]],
    INPUTS,
    TARGETS,
)


def ledger_of(model: Model, X: NDArray[np.float64], Y: NDArray[np.float64] | None) -> Lesson:
    """The ledger of a small dense model on one sample, its biases trained where it has some.

    The ledger's cost is E = 1/2 sum (t - a)^2; for two outputs that is the mean squared error. Raises SettingError for
    other layers, losses and optimizers, and for more than one sample.

    >>> from simulator import nn
    >>> layers = [nn.Input((2,)), nn.Dense(2, "sigmoid", use_bias=False), nn.Dense(2, "sigmoid", use_bias=False)]
    >>> model = nn.Sequential(layers).compile(nn.SGD(0.5), "mse")
    >>> ledger_of(model, np.array([[0.05, 0.1]]), np.array([[0.01, 0.99]])).columns[:6]
    ('t1', 't2', 'i1', 'i2', 'w1', 'w2')
    """
    layers = model.numbered
    dense = [x for x in layers if isinstance(x, Dense) and x.kernel_regularizer is None and x.bias_regularizer is None]
    require(len(dense) == len(layers), "A ledger shows Dense layers without penalty.", ", ".join(map(str, layers)))
    biased = {layer.use_bias for layer in dense}
    require(len(biased) == 1, "A ledger has biases in all layers or in none.", "some with, some without")
    require(Y is not None and len(X) == 1, "A ledger follows one sample and its targets.", f"{len(X)} samples")
    require(model.loss == "mean_squared_error", "A ledger's cost is the squared error.", model.loss or "no loss")
    optimizer = model.optimizer
    plain = isinstance(optimizer, SGD) and not optimizer.momentum and not isinstance(optimizer.learning_rate, Schedule)
    require(plain, "A ledger has plain SGD with a constant learning rate.", repr(optimizer))
    assert Y is not None and isinstance(optimizer.learning_rate, int | float)
    weights = [[w.value.tolist() for w in model.by_layer[id(layer)]] for layer in dense]
    activations = [layer.activation or "linear" for layer in dense]
    units = "-".join(map(str, (len(X[0]), *(layer.units for layer in dense))))
    origin = {"ledger": units, "activations": "-".join(activations), "biases": "trained" if biased == {True} else ""}
    share = "" if len(Y[0]) == 2 else f" It is {len(Y[0])}/2 of the mean squared error."
    lesson = ledger_lesson(
        model.name,
        model.name,
        f"One sample, one row per epoch: the cost is E = 1/2 sum (t - a)^2.{share}",
        [w[0] for w in weights],
        [w[1] if len(w) > 1 else None for w in weights],
        X[0].tolist(),
        Y[0].tolist(),
        activations=activations,
        train_biases=biased == {True},
        learning_rate=float(optimizer.learning_rate),
    )
    return replace(lesson, origin=origin)


def blank_ledger(origin: Mapping[str, str]) -> Lesson:
    """The ledger that a model's origin describes, all its numbers 0: they stand in the workbook.

    >>> blank_ledger({"ledger": "1-2", "activations": "tanh", "biases": ""}).columns[:4]
    ('t1', 't2', 'i1', 'w1')
    """
    sizes = [int(n) for n in origin["ledger"].split("-")]
    trained = bool(origin["biases"])
    lesson = ledger_lesson(
        "ledger",
        "Ledger",
        "",
        [[[0.0] * units] * inputs for inputs, units in pairwise(sizes)],
        [[0.0] * units if trained else None for units in sizes[1:]],
        [0.0] * sizes[0],
        [0.0] * sizes[-1],
        activations=origin["activations"].split("-"),
        train_biases=trained,
    )
    return replace(lesson, origin=origin)
