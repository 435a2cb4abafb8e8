"""Recurrent layers, with Keras's names, options and gate order.

# N samples, T steps, D inputs, H units; x[t] (N, D), h[t] (N, H); W (D, .), U (H, .), b
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.operation import Cell, Operations, Shape, T
from simulator.nn.basic import units_checked
from simulator.nn.layer import Layer, WeightSpec
from simulator.nn.option import chosen


@dataclass(eq=False)
class Recurrent(Layer):
    """What the three have in common."""

    units: int = 0
    activation: str = "tanh"
    use_bias: bool = True
    return_sequences: bool = False
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    gates = 1

    def __post_init__(self) -> None:
        units_checked(self)
        for name in (self.activation, getattr(self, "recurrent_activation", "sigmoid")):
            chosen("An activation", name, ACTIVATIONS)

    def shape_of(self, *inputs: Shape) -> Shape:
        self.needs(2, inputs[0], "a sequence (steps, features)")
        return (inputs[0][0], self.units) if self.return_sequences else (self.units,)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        columns = self.gates * self.units
        specs = [
            WeightSpec("kernel", "W", (inputs[0][-1], columns), self.kernel_initializer, "input weights", "turned"),
            WeightSpec(
                "recurrent_kernel", "U", (self.units, columns), self.recurrent_initializer, "state weights", "turned"
            ),
        ]
        if self.use_bias:
            specs.append(WeightSpec("bias", "b", (columns,), self.bias_initializer, "biases", "column"))
        return specs

    def call(self, at: Operations[T], *x: T) -> T:
        return at.recurrent(x[0], self.cell(), self.return_sequences)

    def cell(self) -> Cell:
        raise NotImplementedError


@dataclass(eq=False)
class SimpleRNN(Recurrent):
    """h[t] = activation(x[t] @ W + h[t-1] @ U + b)."""

    def cell(self) -> Cell:
        return Cell("rnn", self.units, self.activation, use_bias=self.use_bias)


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
            specs[-1] = specs[-1]._replace(initializer="forget_gate")
        return specs

    def cell(self) -> Cell:
        return Cell("lstm", self.units, self.activation, self.recurrent_activation, self.use_bias)


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
            second = WeightSpec(
                "recurrent_bias", "bU", specs[-1].shape, self.bias_initializer, "biases of the state's part", "column"
            )
            specs.append(second)
        return specs

    def cell(self) -> Cell:
        return Cell("gru", self.units, self.activation, self.recurrent_activation, self.use_bias, self.reset_after)
