"""Recurrent layers, unrolled over time, with Keras's names, options and gate order.

# N samples, T steps, D inputs, H units; x[t] (N, D), h[t] (N, H); W (D, .), U (H, .), b
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.nn.activation import ACTIVATIONS
from simulator.nn.layer import E, Layer, Scope, Shape, WeightSpec
from simulator.nn.layers import units_checked
from simulator.nn.option import chosen
from simulator.tape.arrangement import join, positions_of, reshaped, take
from simulator.tape.namespace import weighted


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

    def equations(self, at: Scope, *x: E) -> E:
        (n, steps, _) = x[0].shape
        where = positions_of(x[0])
        states = self.first_states(at, n)
        outputs = []
        for t in range(1, steps + 1):
            now = take(x[0], where[:, t - 1, :], f"{{0}}[{t}]")
            states = self.step(at, t, now, *states)
            outputs.append(states[0])
        if not self.return_sequences:
            return outputs[-1]
        return join([reshaped(h, (n, 1, self.units)) for h in outputs], 1, f"h{at.tag}")

    def first_states(self, at: Scope, n: int) -> tuple[E, ...]:
        return (self.zeros(at, n, "h", "state"),)

    def zeros(self, at: Scope, n: int, symbol: str, meaning: str) -> E:
        first = at.fixed(f"{symbol}_first", np.zeros((n, self.units)), f"{meaning} before step 1")
        return at.call(first, symbol, meaning, step=0, gradient=False)

    def step(self, at: Scope, t: int, x: E, *states: E) -> tuple[E, ...]:
        """The states after step t, the first of them the output."""
        raise NotImplementedError

    def part(self, x: E, k: int, width: int = 1) -> E:
        """The columns of gate k, counted from 0, or of several gates."""
        start, stop = k * self.units, (k + width) * self.units
        return take(x, positions_of(x)[:, start:stop], "{0}" + f"[:,{start + 1}:{stop}]")


@dataclass(eq=False)
class SimpleRNN(Recurrent):
    """h[t] = activation(x[t] @ W + h[t-1] @ U + b)."""

    def step(self, at: Scope, t: int, x: E, *states: E) -> tuple[E, ...]:
        z = weighted(x, at.weights["kernel"]) + weighted(states[0], at.weights["recurrent_kernel"])
        z = at.call(z + at.weights["bias"] if self.use_bias else z, "Z", "weighted sum", step=t)
        if self.activation == "linear":
            return (at.call(z, "h", "state", step=t),)
        return (at.call(ACTIVATIONS[self.activation](z), "h", "state", step=t),)


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

    def first_states(self, at: Scope, n: int) -> tuple[E, ...]:
        return self.zeros(at, n, "h", "state"), self.zeros(at, n, "c", "cell")

    def step(self, at: Scope, t: int, x: E, *states: E) -> tuple[E, ...]:
        h, c = states
        gate, act = ACTIVATIONS[self.recurrent_activation], ACTIVATIONS[self.activation]
        z = weighted(x, at.weights["kernel"]) + weighted(h, at.weights["recurrent_kernel"])
        z = at.call(z + at.weights["bias"] if self.use_bias else z, "Z", "weighted sums of i, f, g, o", step=t)
        i = at.call(gate(self.part(z, 0)), "i", "input gate", step=t)
        f = at.call(gate(self.part(z, 1)), "f", "forget gate", step=t)
        g = at.call(act(self.part(z, 2)), "g", "candidate", step=t)
        o = at.call(gate(self.part(z, 3)), "o", "output gate", step=t)
        c = at.call(f * c + i * g, "c", "cell", step=t)
        tc = at.call(act(c), "tc", f"{self.activation} of the cell", step=t)
        return at.call(o * tc, "h", "state", step=t), c


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

    def step(self, at: Scope, t: int, x: E, *states: E) -> tuple[E, ...]:
        (h,) = states
        gate, act = ACTIVATIONS[self.recurrent_activation], ACTIVATIONS[self.activation]
        u = at.weights["recurrent_kernel"]
        zx = weighted(x, at.weights["kernel"])
        zx = at.call(zx + at.weights["bias"] if self.use_bias else zx, "Zx", "input's part of z, r, g", step=t)
        if self.reset_after:
            zh = weighted(h, u)
            zh = zh + at.weights["recurrent_bias"] if self.use_bias else zh
            zh = at.call(zh, "Zh", "state's part of z, r, g", step=t)
            gates = self.part(zx, 0, 2) + self.part(zh, 0, 2)
        else:
            gates = self.part(zx, 0, 2) + h @ take(u, positions_of(u)[:, : 2 * self.units], "{0}[z,r]")
        s = at.call(gates, "S", "sums of z and r", step=t)
        z = at.call(gate(self.part(s, 0)), "z", "update gate", step=t)
        r = at.call(gate(self.part(s, 1)), "r", "reset gate", step=t)
        if self.reset_after:
            k = self.part(zx, 2) + r * self.part(zh, 2)
        else:
            rh = at.call(r * h, "rh", "state after reset", step=t)
            k = self.part(zx, 2) + rh @ take(u, positions_of(u)[:, 2 * self.units :], "{0}[g]")
        k = at.call(k, "k", "sum of the candidate", step=t)
        g = at.call(act(k), "g", "candidate", step=t)
        return (at.call(z * h + (1 - z) * g, "h", "state", step=t),)
