"""The operations on expressions: every result that a student wants to see is named, and so has cells.

# x (N, ..., D) inputs, W (D, U) kernel, b (U) bias, Z weighted sum, A activation, P prediction
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import numpy as np

from simulator.datasets.playground import FEATURES
from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.expression_cell import unrolled
from simulator.nn.backend.interpolation import Neighbours, neighbours_of
from simulator.nn.backend.operation import Carried, Cell, Movement, Operations, Shape, below
from simulator.nn.initializer import Array
from simulator.nn.option import chosen, require
from simulator.tape import namespace as tape
from simulator.tape.arrangement import Positions, join, positions_of, reshaped, take
from simulator.tape.convolution import convolve, convolve_transposed, window_max, window_mean, windows_of
from simulator.tape.expression import Expression, given, literal
from simulator.tape.primitive import fold

E = Expression


class Seen(NamedTuple):
    """Where a named array belongs: its layer, the block it is part of, how its cells are laid out, its time step."""

    layer: int
    block: str
    kind: str
    time: int | None = None


class State(NamedTuple):
    """What a stateful layer keeps under a name from batch to batch: before the first step and after the last."""

    carried: Carried
    name: str
    first: E
    last: E


@dataclass
class Expressions(Operations[E]):
    """What a layer's equations may use: its weights, names for its results, given arrays."""

    number: int  # the layer's
    tag: str  # what ends the names of this use of the layer: 2, or 2b when layer 2 is used a second time
    weights: dict[str, E]
    training: bool
    final: bool  # the layer whose result is the prediction
    seen: dict[int, Seen]
    given: dict[str, tuple[E, Array]]  # arrays that the layer needs beside its weights: masks, first states
    renewed: dict[str, E]  # weights that the layer itself renews at every step
    states: list[State]  # what goes on from batch to batch
    setting: Callable[[str, float, str], E]
    rng: np.random.Generator

    # Names

    def call(
        self, x: E, symbol: str, meaning: str, *, step: int | None = None, kind: str = "", gradient: bool = True
    ) -> E:
        """Give an array its name, and so its cells: Z becomes Z2 in layer 2, Z2[3] at step 3 of a sequence."""
        block = f"{symbol}{self.tag}" if symbol != "P" else symbol
        x = x.named(block if step is None else f"{block}[{step}]", meaning, gradient=gradient)
        self.place(x, block, kind, step)
        return x

    def result(self, x: E, symbol: str, meaning: str) -> E:
        """A layer's result; the last layer's is P, the prediction."""
        return self.call(x, "P" if self.final else symbol, meaning)

    def place(self, x: E, block: str, kind: str = "", step: int | None = None) -> None:
        """Give an array that has a name already its place on the layer's sheet."""
        self.seen[x.serial] = Seen(self.number, block, kind, step)

    def fixed(self, symbol: str, value: Array, meaning: str) -> E:
        """An array of given numbers with cells of its own, such as a mask."""
        name = f"{symbol}{self.tag}"
        leaf = given(name, value.shape, meaning)
        self.given[name] = leaf, value
        return leaf

    def goes_on(self, carried: Carried, symbols: Iterable[str], firsts: Iterable[E], lasts: Iterable[E]) -> None:
        """The states after the last step are the first ones of the next batch."""
        for symbol, first, last in zip(symbols, firsts, lasts, strict=True):
            self.states.append(State(carried, f"{self.tag}/{symbol}", first, last))

    def part(self, name: str, short: str) -> Expressions:
        return replace(self, tag=f"{short}{self.tag}", weights=below(name, self.weights), final=False)

    # Operations

    def dense(self, x: E, bias: bool) -> E:
        z = tape.weighted(x, self.weights["kernel"])
        return z + self.weights["bias"] if bias else z

    def convolution(self, x: E, strides: Sequence[int], padding: str, bias: bool) -> E:
        z = convolve(x, self.weights["kernel"], tuple(strides), padding)
        return z + self.weights["bias"] if bias else z

    def transposed_convolution(self, x: E, strides: Sequence[int], padding: str, bias: bool) -> E:
        z = convolve_transposed(x, self.weights["kernel"], tuple(strides), padding)
        return z + self.weights["bias"] if bias else z

    def activated(self, z: E, activation: str | None, meaning: str = "weighted sum") -> E:
        """The activation of a sum, both with cells; the last layer's result is P, the prediction."""
        name = activation or "linear"
        function = chosen("An activation", name, ACTIVATIONS)
        if name == "linear":
            return self.call(z, "P", "prediction") if self.final else self.call(z, "Z", meaning)
        z = self.call(z, "Z", meaning)
        if name == "softmax":
            a = tape.softmax(z, -1, (f"e{self.tag}", f"s{self.tag}"))
            for part in a.args:
                self.place(part, part.name)
        else:
            a = function(z)
        return self.call(a, "P", "prediction") if self.final else self.call(a, "A", f"{name} of {z.name}")

    def activation(self, x: E, name: str, slope: float | None = None) -> E:
        if name == "linear":
            return x
        if slope is None:
            a = ACTIVATIONS[name](x)
            return self.call(a, "P", "prediction") if self.final else self.call(a, "A", f"{name} of {x.name}")
        a = tape.elu(x, slope) if name == "elu" else tape.leaky_relu(x, slope) if slope else tape.relu(x)
        return self.call(a, "A", f"{name.replace('_', ' ')} of {x.name}")

    def pooling(self, x: E, size: Sequence[int], strides: Sequence[int], padding: str, largest: bool) -> E:
        windows, shape = windows_of(x.shape, tuple(size), tuple(strides), padding)
        a = (window_max if largest else window_mean)(x, windows, shape)
        return self.call(a, "A", f"{'largest' if largest else 'mean'} of each window")

    def global_pooling(self, x: E, largest: bool) -> E:
        shape = x.shape
        windows, _ = windows_of(shape, shape[1:-1], shape[1:-1], "valid")
        a = (window_max if largest else window_mean)(x, windows, (shape[0], shape[-1]))
        return self.call(a, "A", f"{'largest' if largest else 'mean'} of each channel")

    def shape(self, x: E) -> Shape:
        return x.shape[1:]

    def reshaped(self, x: E, shape: Shape) -> E:
        flat = len(shape) == 1
        found = reshaped(x, (x.shape[0], *shape), "flatten({0})" if flat else "reshape({0})")
        if flat and len(x.shape) == 2:
            return found
        return self.result(found, "F", "in one row" if flat else "in another shape")

    def dropout(self, x: E, rate: float, seed: int | None) -> E:
        return self._dropped(x, x.shape, rate, seed)

    def _dropped(self, x: E, shape: Shape, rate: float, seed: int | None) -> E:
        """x times a mask of this shape, divided by the share that is kept."""
        if not self.training or not rate:
            return x
        rng = np.random.default_rng(seed) if seed is not None else self.rng
        mask = (rng.random(shape) >= rate).astype(float)
        kept = 1 - self.setting(f"dropout_{self.number}", rate, f"share that layer {self.number} drops")
        m = self.fixed("M", mask, "mask: 0 drops, 1 keeps")
        return self.call(x * m / kept, "A", f"{x.name} after dropout")

    def batch_normalization(self, x: E, momentum: float, epsilon: float, center: bool, scale: bool, frozen: bool) -> E:
        small = self.setting(f"epsilon_{self.number}", epsilon, f"added to the variance in layer {self.number}")
        if self.training and not frozen:
            m = literal(math.prod(x.shape[:-1]), "m")
            keep = self.setting(f"momentum_{self.number}", momentum, "share of the moving statistics that is kept")
            mean = self.call(fold(x, 1) / m, "mu", "mean over the batch")
            d = self.call(x - mean, "D", "distance from the mean")
            variance = self.call(fold(d**2, 1) / m, "var", "variance over the batch")
            self.renewed["moving_mean"] = keep * self.weights["moving_mean"] + (1 - keep) * mean
            self.renewed["moving_variance"] = keep * self.weights["moving_variance"] + (1 - keep) * variance
        else:
            d, variance = x - self.weights["moving_mean"], self.weights["moving_variance"]
        s = self.call(tape.sqrt(variance + small), "s", "standard deviation")
        h = self.call(d / s, "N", "normalised")
        if scale:
            h = h * self.weights["gamma"]
        if center:
            h = h + self.weights["beta"]
        return self.result(h, "A", "scaled and shifted") if scale or center else h

    def embedding(self, x: E, rows: int) -> E:
        hot = self.call(tape.one_hot(x, rows), "H", "one-hot", gradient=False)
        return self.call(hot @ self.weights["embeddings"], "A", "embedded")

    def add(self, *x: E) -> E:
        return self.result(reduce(operator.add, x), "A", "sum")

    def multiplied(self, *x: E) -> E:
        return self.result(reduce(operator.mul, x), "A", "product")

    def averaged(self, *x: E) -> E:
        return self.result(reduce(operator.add, x) / literal(len(x)), "A", "mean")

    def concatenated(self, axis: int, *x: E) -> E:
        return self.result(join(list(x), axis + 1), "F", "side by side")

    def layer_normalization(self, x: E, epsilon: float, center: bool, scale: bool) -> E:
        small = self.setting(f"epsilon_{self.number}", epsilon, f"added to the variance in layer {self.number}")
        n, shape = literal(x.shape[-1]), (*x.shape[:-1], 1)

        def mean(a: E) -> E:
            return reshaped(a.sum(-1), shape) / n

        d = self.call(x - self.call(mean(x), "mu", "mean of the sample"), "D", "distance from the mean")
        variance = self.call(mean(d**2), "var", "variance of the sample")
        h = self.call(d / self.call(tape.sqrt(variance + small), "s", "standard deviation"), "N", "normalised")
        h = h * self.weights["gamma"] if scale else h
        h = h + self.weights["beta"] if center else h
        return self.result(h, "A", "scaled and shifted") if scale or center else h

    def noise(self, x: E, stddev: float, seed: int | None) -> E:
        if not self.training or not stddev:
            return x
        rng = np.random.default_rng(seed) if seed is not None else self.rng
        drawn = self.fixed("eps", rng.normal(0, stddev, x.shape).round(3), "noise, drawn once")
        return self.call(x + drawn, "A", f"{x.name} with noise")

    def rescaled(self, x: E, scale: float, offset: float) -> E:
        y = x * literal(scale) if scale != 1 else x
        y = y + literal(offset) if offset else y
        return self.result(y, "A", "rescaled")

    def resized(self, x: E, size: Sequence[int], interpolation: str) -> E:
        near = [neighbours_of(n, new, interpolation) for n, new in zip(x.shape[1:3], size, strict=True)]
        return self.result(self.blended(x, near), "A", f"{size[0]} x {size[1]} places, {interpolation}")

    def blended(self, x: E, near: Sequence[Neighbours]) -> E:
        """Images at places between theirs: near says of rows and columns which two, and the share of the second."""
        for axis, (symbol, what, each) in enumerate(zip("uv", ("lower row", "right column"), near, strict=True), 1):

            def taken(places: Positions, x: E = x, axis: int = axis) -> E:
                return take(x, np.take(positions_of(x), places, axis), "{0}")

            if each.share.any():
                shape = [1, 1, 1, 1]
                shape[axis] = len(each.share)
                share = self.fixed(symbol, each.share.reshape(shape), f"share of the {what}")
                x = taken(each.low) * (1 - share) + taken(each.high) * share
            else:
                x = taken(each.low)
        return x

    def moved(self, x: E, movement: Movement, seed: int | None) -> E:
        rule, received = "A workbook shows no pictures moved at random.", "RandomFlip, RandomRotation or RandomZoom"
        advice = 'Train it with fit on the backend "numpy", or write the workbook with what="forward".'
        require(not self.training, rule, received, advice)
        return x

    def turned_round(self, x: E) -> E:
        return take(x, positions_of(x)[:, ::-1], "{0} turned round")

    def recurrent(self, x: E, cell: Cell, sequences: bool, carried: Carried | None = None) -> E:
        dropped = self.training and bool(cell.recurrent_dropout)
        received = f"recurrent_dropout={cell.recurrent_dropout}"
        advice = 'Train it with fit on the backend "numpy"; dropout, of the input, can be shown.'
        require(not dropped, "The equations keep a state as it is.", received, advice)
        n, _, depth = x.shape
        outputs = unrolled(self, self._dropped(x, (n, 1, depth), cell.dropout, cell.seed), cell, carried)
        if not sequences:
            return outputs[-1]
        return join([reshaped(h, (n, 1, cell.units)) for h in outputs], 1, f"h{self.tag}")

    def attention(self, query: E, value: E, key_dim: int, bias: bool) -> E:
        def projected(source: E, what: str) -> E:
            z = tape.weighted(source, self.weights[f"{what}_kernel"])
            return z + self.weights[f"{what}_bias"] if bias else z

        q = self.call(projected(query, "query"), "Q", "queries")
        k = self.call(projected(value, "key"), "K", "keys")
        v = self.call(projected(value, "value"), "V", "values")
        root = literal(math.sqrt(key_dim)) if math.isqrt(key_dim) ** 2 == key_dim else None
        root = root or tape.sqrt(literal(key_dim))
        raw = self.call(q @ k.T, "R", "queries times keys")
        s = self.call(raw / root, "S", "scores")
        p = tape.softmax(s, -1, (f"e{self.tag}", f"s{self.tag}"))
        for part in p.args:
            self.place(part, part.name)
        weights = self.call(p, "A", "attention weights", kind="heat")
        context = self.call(weights @ v, "C", "context: values weighted by attention")
        return self.result(projected(context, "output"), "Y", "output")

    def features(self, x: E, names: Sequence[str]) -> E:
        columns = positions_of(x)
        x1, x2 = (take(x, columns[:, k : k + 1], f"{{0}}[:,{k + 1}]") for k in (0, 1))
        found = join([FEATURES[name](x1, x2, tape.sin) for name in names], 1)
        return self.result(found, "F", ", ".join(names))
