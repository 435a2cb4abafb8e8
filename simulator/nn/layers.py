"""Layers without time and without patches, with Keras's names and options.

# x (N, ..., D) inputs, W (D, U) kernel, b (U) bias, Z weighted sum, A activation
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from simulator.errors import ShapeError
from simulator.nn.activation import ACTIVATIONS
from simulator.nn.layer import E, Layer, Scope, Shape, Tensor, WeightSpec
from simulator.nn.option import chosen, is_whole, require
from simulator.nn.regularizer import regularizer_of
from simulator.tape import namespace as tape
from simulator.tape.arrangement import reshaped
from simulator.tape.expression import literal
from simulator.tape.primitive import fold


def units_checked(layer: Any) -> None:
    units = layer.units
    good = is_whole(units) and units > 0
    require(good, f"{type(layer).__name__} needs units to be a whole number above 0.", repr(units))


@dataclass(eq=False)
class InputLayer(Layer):
    """Where data enter; `Input` makes one."""

    shape: Shape = ()

    def shape_of(self, *inputs: Shape) -> Shape:
        return self.shape


def Input(shape: tuple[int, ...], name: str = "") -> Tensor:
    """The input of a network. shape is that of one sample, without the number of samples.

    >>> Input((2,)).shape
    (2,)
    """
    good = isinstance(shape, tuple | list) and 0 < len(shape) < 4 and all(is_whole(n) and n > 0 for n in shape)
    require(good, "Input takes the shape of one sample, such as (2,), with up to 3 axes.", repr(shape))
    layer = InputLayer(tuple(shape), name=name)
    return Tensor(layer, (), layer.shape)


@dataclass(eq=False)
class Dense(Layer):
    """activation(x @ W + b), on the last axis. W (D, units), b (units).

    >>> Dense(3)(Input((2,))).shape
    (3,)
    """

    units: int = 0
    activation: str | None = None
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None

    def __post_init__(self) -> None:
        units_checked(self)
        chosen("An activation", self.activation or "linear", ACTIVATIONS)
        self.kernel_regularizer = regularizer_of(self.kernel_regularizer)

    def shape_of(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) > 2:
            self.needs(1, x, "a vector or a sequence of vectors; flatten images first")
        return (*x[:-1], self.units)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (inputs[0][-1], self.units)
        specs = [
            WeightSpec("kernel", "W", shape, self.kernel_initializer, "weights", "turned", self.kernel_regularizer)
        ]
        if self.use_bias:
            specs.append(WeightSpec("bias", "b", (self.units,), self.bias_initializer, "biases", "column"))
        return specs

    def equations(self, at: Scope, *x: E) -> E:
        z = tape.weighted(x[0], at.weights["kernel"])
        return at.activated(z + at.weights["bias"] if self.use_bias else z, self.activation)


@dataclass(eq=False)
class Activation(Layer):
    """An activation by name: linear, sigmoid, tanh, relu, leaky_relu, elu, softmax."""

    activation: str = "linear"

    def __post_init__(self) -> None:
        chosen("An activation", self.activation, ACTIVATIONS)

    def equations(self, at: Scope, *x: E) -> E:
        if self.activation == "linear":
            return x[0]
        a = ACTIVATIONS[self.activation](x[0])
        return at.call(a, "P", "prediction") if at.final else at.call(a, "A", f"{self.activation} of {x[0].name}")


@dataclass(eq=False)
class ReLU(Layer):
    """x where it is positive; otherwise negative_slope*x."""

    negative_slope: float = 0.0

    def equations(self, at: Scope, *x: E) -> E:
        a = tape.leaky_relu(x[0], self.negative_slope) if self.negative_slope else tape.relu(x[0])
        return at.call(a, "A", f"relu of {x[0].name}")


@dataclass(eq=False)
class LeakyReLU(Layer):
    """x where it is positive; otherwise negative_slope*x."""

    negative_slope: float = 0.3

    def equations(self, at: Scope, *x: E) -> E:
        return at.call(tape.leaky_relu(x[0], self.negative_slope), "A", f"leaky relu of {x[0].name}")


@dataclass(eq=False)
class ELU(Layer):
    """x where it is positive; otherwise alpha*(exp(x) - 1)."""

    alpha: float = 1.0

    def equations(self, at: Scope, *x: E) -> E:
        return at.call(tape.elu(x[0], self.alpha), "A", f"elu of {x[0].name}")


@dataclass(eq=False)
class Softmax(Activation):
    """exp(x)/sum(exp(x)) along the last axis."""

    activation: str = "softmax"


@dataclass(eq=False)
class Flatten(Layer):
    """The same numbers in one row per sample, so that the next layer's products run along it."""

    def shape_of(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def equations(self, at: Scope, *x: E) -> E:
        flat = reshaped(x[0], (x[0].shape[0], math.prod(x[0].shape[1:])), "flatten({0})")
        return flat if len(x[0].shape) == 2 else at.call(flat, "P" if at.final else "F", "in one row")


@dataclass(eq=False)
class Reshape(Layer):
    """The same numbers in another shape."""

    target_shape: Shape = ()

    def __post_init__(self) -> None:
        good = isinstance(self.target_shape, tuple | list) and all(isinstance(n, int) for n in self.target_shape)
        require(good, "Reshape takes the shape of one sample, such as (3, 2).", repr(self.target_shape))
        self.target_shape = tuple(self.target_shape)

    def shape_of(self, *inputs: Shape) -> Shape:
        target = self.target_shape
        if math.prod(target) != math.prod(inputs[0]):
            raise ShapeError(
                f"Reshape keeps the number of entries. Received: {inputs[0]} to {target}. Check the product."
            )
        return target

    def equations(self, at: Scope, *x: E) -> E:
        found = reshaped(x[0], (x[0].shape[0], *self.target_shape), "reshape({0})")
        return at.call(found, "P" if at.final else "F", "in another shape")


@dataclass(eq=False)
class Dropout(Layer):
    """x * M / (1 - rate) in training, with one mask M of zeros and ones, drawn once and shown; x otherwise.

    Keras draws a new mask for every batch; here it stays, so that every step can be followed.
    """

    rate: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        good = isinstance(self.rate, int | float) and 0 <= self.rate < 1
        require(good, "Dropout needs a rate from 0 to below 1.", self.rate)
        seed = self.seed is None or (is_whole(self.seed) and self.seed >= 0)
        require(seed, "Dropout needs a seed that is a whole number from 0.", repr(self.seed))

    def equations(self, at: Scope, *x: E) -> E:
        if not at.training or not self.rate:
            return x[0]
        rng = np.random.default_rng(self.seed) if self.seed is not None else at.rng
        mask = (rng.random(x[0].shape) >= self.rate).astype(float)
        kept = 1 - at.setting(f"dropout_{at.number}", self.rate, f"share that layer {at.number} drops")
        m = at.fixed("M", mask, "mask: 0 drops, 1 keeps")
        return at.call(x[0] * m / kept, "A", f"{x[0].name} after dropout")


@dataclass(eq=False)
class BatchNormalization(Layer):
    """gamma * (x - mean)/sqrt(variance + epsilon) + beta, the statistics over all axes but the last.

    Training takes those of the batch, and moves the moving ones towards them; a forward workbook uses the moving ones.
    """

    momentum: float = 0.99
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        require(0 <= self.momentum < 1, "BatchNormalization needs a momentum from 0 to below 1.", self.momentum)
        require(self.epsilon > 0, "BatchNormalization needs an epsilon above 0.", self.epsilon)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (inputs[0][-1],)
        found = [WeightSpec("gamma", "gamma", shape, "ones", "scale")] if self.scale else []
        found += [WeightSpec("beta", "beta", shape, "zeros", "shift")] if self.center else []
        return [
            *found,
            WeightSpec("moving_mean", "mm", shape, "zeros", "moving mean", trainable=False),
            WeightSpec("moving_variance", "mv", shape, "ones", "moving variance", trainable=False),
        ]

    def equations(self, at: Scope, *x: E) -> E:
        (a,), shape = x, x[0].shape
        epsilon = at.setting(f"epsilon_{at.number}", self.epsilon, f"added to the variance in layer {at.number}")
        if at.training:
            m = literal(math.prod(shape[:-1]), "m")
            keep = at.setting(f"momentum_{at.number}", self.momentum, "share of the moving statistics that is kept")
            mean = at.call(fold(a, 1) / m, "mu", "mean over the batch")
            d = at.call(a - mean, "D", "distance from the mean")
            variance = at.call(fold(d**2, 1) / m, "var", "variance over the batch")
            at.renewed["moving_mean"] = keep * at.weights["moving_mean"] + (1 - keep) * mean
            at.renewed["moving_variance"] = keep * at.weights["moving_variance"] + (1 - keep) * variance
        else:
            d, variance = a - at.weights["moving_mean"], at.weights["moving_variance"]
        s = at.call(tape.sqrt(variance + epsilon), "s", "standard deviation")
        h = at.call(d / s, "N", "normalised")
        if self.scale:
            h = h * at.weights["gamma"]
        if self.center:
            h = h + at.weights["beta"]
        return at.call(h, "P" if at.final else "A", "scaled and shifted") if self.scale or self.center else h


@dataclass(eq=False)
class Embedding(Layer):
    """A row of E for every number in the input: one_hot(x) @ E. x (N, T) from 0, E (input_dim, output_dim)."""

    input_dim: int = 0
    output_dim: int = 0
    embeddings_initializer: str = "random_uniform"

    def shape_of(self, *inputs: Shape) -> Shape:
        for size in (self.input_dim, self.output_dim):
            require(isinstance(size, int) and size > 0, "Embedding needs input_dim and output_dim above 0.", size)
        self.needs(1, inputs[0], "class numbers")
        return (*inputs[0], self.output_dim)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (self.input_dim, self.output_dim)
        return [WeightSpec("embeddings", "E", shape, self.embeddings_initializer, "embeddings", "turned")]

    def equations(self, at: Scope, *x: E) -> E:
        hot = at.call(tape.one_hot(x[0], self.input_dim), "H", "one-hot", gradient=False)
        return at.call(hot @ at.weights["embeddings"], "A", "embedded")


@dataclass(eq=False)
class Add(Layer):
    """The sum of its inputs: a residual connection."""

    joins: ClassVar[bool] = True

    def shape_of(self, *inputs: Shape) -> Shape:
        if len(inputs) < 2 or len(set(inputs)) > 1:
            raise ShapeError(
                f"Add needs two or more inputs of one shape. Received: {', '.join(map(str, inputs))}. "
                "Call it with a list: nn.Add()([x, y])."
            )
        return inputs[0]

    def equations(self, at: Scope, *x: E) -> E:
        total = x[0]
        for other in x[1:]:
            total = total + other
        return at.call(total, "P" if at.final else "A", "sum")


@dataclass(eq=False)
class MultiHeadAttention(Layer):
    """softmax(Q K.T / sqrt(key_dim)) V with one head, and an output projection. Called with (query, value).

    With one input it is self-attention. x (N, T, D); WQ, WK, WV (D, key_dim), WO (key_dim, D).
    """

    joins: ClassVar[bool] = True

    num_heads: int = 1
    key_dim: int = 0
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"

    def shape_of(self, *inputs: Shape) -> Shape:
        require(self.num_heads == 1, "A workbook shows attention with one head.", f"num_heads={self.num_heads}")
        require(isinstance(self.key_dim, int) and self.key_dim > 0, "Attention needs a positive key_dim.", self.key_dim)
        for shape in inputs:
            self.needs(2, shape, "a sequence of vectors")
        if len(inputs) > 2 or inputs[0][-1] != inputs[-1][-1]:
            raise ShapeError(
                f"Attention takes (query, value) with equally long vectors. Received: {', '.join(map(str, inputs))}."
            )
        return inputs[0]

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        d, k = inputs[0][-1], self.key_dim
        found = []
        for letter, shape, what in (
            ("Q", (d, k), "query"),
            ("K", (d, k), "key"),
            ("V", (d, k), "value"),
            ("O", (k, d), "output"),
        ):
            name = f"{what}_kernel"
            found.append(WeightSpec(name, f"W{letter}", shape, self.kernel_initializer, f"{what} weights", "turned"))
            if self.use_bias:
                found.append(WeightSpec(f"{what}_bias", f"b{letter}", shape[1:], "zeros", f"{what} biases", "column"))
        return found

    def equations(self, at: Scope, *x: E) -> E:
        query, value = x[0], x[-1]

        def projected(source: E, what: str) -> E:
            z = tape.weighted(source, at.weights[f"{what}_kernel"])
            return z + at.weights[f"{what}_bias"] if self.use_bias else z

        q = at.call(projected(query, "query"), "Q", "queries")
        k = at.call(projected(value, "key"), "K", "keys")
        v = at.call(projected(value, "value"), "V", "values")
        root = literal(math.sqrt(self.key_dim)) if math.isqrt(self.key_dim) ** 2 == self.key_dim else None
        root = root or tape.sqrt(literal(self.key_dim))
        raw = at.call(q @ k.T, "R", "queries times keys")
        s = at.call(raw / root, "S", "scores")
        p = tape.softmax(s, -1, (f"e{at.tag}", f"s{at.tag}"))
        for part in p.args:
            at.place(part, part.name)
        weights = at.call(p, "A", "attention weights", kind="heat")
        context = at.call(weights @ v, "C", "context: values weighted by attention")
        return at.call(projected(context, "output"), "P" if at.final else "Y", "output")
