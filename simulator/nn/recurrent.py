"""Recurrent layers, with Keras's names, options and gate order.

# N samples, T steps, D inputs, H units; x[t] (N, D), h[t] (N, H); W (D, .), U (H, .), b
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.operation import Cell, Operations, Shape, T
from simulator.nn.basic import rate_checked, units_checked
from simulator.nn.initializer import ForgetGate, Initializer
from simulator.nn.layer import Layer, WeightSpec
from simulator.nn.option import chosen, made, one_of, require, shown


@dataclass(eq=False)
class Recurrent(Layer):
    """What the three have in common, and the options that Keras gives all of them.

    dropout leaves out a share of the inputs in training, recurrent_dropout a share of the state before a step; what is
    left out stays so for the whole sequence, and the rest is divided by 1 - rate. With stateful every batch starts from
    the states that the batch before has ended with, sample by sample, until `reset_states`. With go_backwards the last
    step comes first, in the results too. unroll is understood and changes nothing. A workbook shows dropout of inputs,
    with a mask that is drawn once; it can't show recurrent_dropout or stateful.
    """

    units: int = 0
    activation: str | None = "tanh"
    use_bias: bool = True
    return_sequences: bool = False
    kernel_initializer: str | Initializer = "glorot_uniform"
    recurrent_initializer: str | Initializer = "orthogonal"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None
    stateful: bool = False
    go_backwards: bool = False
    unroll: bool = False

    gates = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        units_checked(self)
        self.activation = self.activation or "linear"
        for name in (self.activation, getattr(self, "recurrent_activation", "sigmoid")):
            chosen("An activation", name, ACTIVATIONS)
        for name in ("dropout", "recurrent_dropout"):
            rate_checked(self, name)

    def reset_states(self) -> None:
        """Let the next batch start from zeros."""
        self.carried.clear()

    def shape_of(self, *inputs: Shape) -> Shape:
        self.needs(2, inputs[0], "a sequence (steps, features)")
        return (inputs[0][0], self.units) if self.return_sequences else (self.units,)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        columns = self.gates * self.units
        specs = [
            WeightSpec(
                "kernel",
                "W",
                (inputs[0][-1], columns),
                self.kernel_initializer,
                "input weights",
                "turned",
                self.kernel_regularizer,
            ),
            WeightSpec(
                "recurrent_kernel",
                "U",
                (self.units, columns),
                self.recurrent_initializer,
                "state weights",
                "turned",
                self.recurrent_regularizer,
            ),
        ]
        if self.use_bias:
            specs.append(
                WeightSpec("bias", "b", (columns,), self.bias_initializer, "biases", "column", self.bias_regularizer)
            )
        return specs

    def call(self, at: Operations[T], *x: T) -> T:
        sequence = at.turned_round(x[0]) if self.go_backwards else x[0]
        return at.recurrent(sequence, self.cell(), self.return_sequences, self.carried if self.stateful else None)

    def cell(self) -> Cell:
        return Cell(
            type(self).__name__.lower().removeprefix("simple"),
            self.units,
            self.activation or "linear",
            getattr(self, "recurrent_activation", "sigmoid"),
            self.use_bias,
            getattr(self, "reset_after", True),
            self.dropout,
            self.recurrent_dropout,
            self.seed,
        )


@dataclass(eq=False)
class SimpleRNN(Recurrent):
    """h[t] = activation(x[t] @ W + h[t-1] @ U + b)."""


@dataclass(eq=False)
class LSTM(Recurrent):
    """Z[t] = x[t] @ W + h[t-1] @ U + b, in it the gates i, f, g, o from left to right.

    c[t] = f*c[t-1] + i*g and h[t] = o*tanh(c[t]); the gates are sigmoids, g the activation.
    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; order as in Keras.
    """

    recurrent_activation: str = "sigmoid"
    unit_forget_bias: bool = True

    gates = 4

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        specs = super().weights_of(*inputs)
        if self.use_bias and self.unit_forget_bias:
            specs[-1] = specs[-1]._replace(initializer=ForgetGate(self.bias_initializer))
        return specs


@dataclass(eq=False)
class GRU(Recurrent):
    """z and r are sigmoids of x[t] @ W + h[t-1] @ U + b, g the candidate, h[t] = z*h[t-1] + (1-z)*g.

    With reset_after, as in Keras and PyTorch, r multiplies h[t-1] @ U; without it, as in Cho et al. 2014, h[t-1].
    """

    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    gates = 3

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        specs = super().weights_of(*inputs)
        if self.use_bias and self.reset_after:
            meaning = "biases of the state's part"
            specs.append(specs[-1]._replace(name="recurrent_bias", symbol="bU", meaning=meaning))
        return specs


DIRECTIONS = (("forward", "fw"), ("backward", "bw"))
CELLS = {cls.__name__: cls for cls in (SimpleRNN, LSTM, GRU)}
MERGES = ("concat", "sum", "mul", "ave")


@dataclass(eq=False)
class Bidirectional(Layer):
    """A recurrent layer from the first step to the last and, with weights of its own, from the last to the first.

    merge_mode joins the two results: "concat" side by side, "sum", "mul" or "ave" entry by entry. Where sequences are
    returned, every step has the states that both directions have there.

    >>> from simulator.nn import Input
    >>> Bidirectional(LSTM(4, return_sequences=True))(Input((7, 2))).shape
    (None, 7, 8)
    """

    layer: Any = None
    merge_mode: str = "concat"

    def __post_init__(self) -> None:
        if isinstance(self.layer, Mapping):
            self.layer = made("A recurrent layer's type", self.layer, CELLS)
        rule = "Bidirectional takes a recurrent layer, such as nn.LSTM(8)."
        require(isinstance(self.layer, Recurrent), rule, *shown(self.layer))
        require(not self.layer.go_backwards, "Bidirectional takes a layer that goes forwards.", "go_backwards=True")
        one_of("merge_mode", self.merge_mode, MERGES)
        self.trainable = self.trainable and self.layer.trainable

    def config(self) -> dict[str, Any]:
        inner = {key: value for key, value in self.layer.config().items() if value not in (None, "")}
        return super().config() | {"layer": {"type": type(self.layer).__name__, **inner}}

    def reset_states(self) -> None:
        """Let the next batch start from zeros."""
        self.carried.clear()

    def shape_of(self, *inputs: Shape) -> Shape:
        *steps, units = self.layer.shape_of(*inputs)
        return (*steps, 2 * units if self.merge_mode == "concat" else units)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        return [
            spec._replace(name=f"{name}_{spec.name}", symbol=spec.symbol + short, meaning=f"{spec.meaning}, {name}")
            for name, short in DIRECTIONS
            for spec in self.layer.weights_of(*inputs)
        ]

    def call(self, at: Operations[T], *x: T) -> T:
        found, sequences = [], self.layer.return_sequences
        for name, short in DIRECTIONS:
            part, turns = at.part(name, short), name == "backward"
            sequence = part.turned_round(x[0]) if turns else x[0]
            y = part.recurrent(sequence, self.layer.cell(), sequences, self.carried if self.layer.stateful else None)
            found.append(part.turned_round(y) if turns and sequences else y)
        if self.merge_mode == "concat":
            return at.concatenated(len(at.shape(found[0])) - 1, *found)
        return {"sum": at.add, "mul": at.multiplied, "ave": at.averaged}[self.merge_mode](*found)
