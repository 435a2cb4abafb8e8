"""Layers without time and without patches, with Keras's names and options.

# x (N, ..., D) inputs, W (D, U) kernel, b (U) bias, Z weighted sum, A activation
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.errors import ShapeError
from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.operation import Operations, Shape, T
from simulator.nn.initializer import Initializer
from simulator.nn.layer import Layer, Tensor, WeightSpec
from simulator.nn.option import chosen, is_whole, require

UNTIL_DATA = 1_000  # what an axis of any length has before there are data


def units_checked(layer: Any) -> None:
    units = layer.units
    good = is_whole(units) and units > 0
    require(good, f"{type(layer).__name__} needs units to be a whole number above 0.", repr(units))


def rate_checked(layer: Any, name: str) -> None:
    """The share that training drops, and the seed that it is drawn from."""
    rate = getattr(layer, name)
    good = isinstance(rate, int | float) and 0 <= rate < 1
    require(good, f"{type(layer).__name__} needs a {name} from 0 to below 1.", rate)
    seed_checked(layer)


def seed_checked(layer: Any) -> None:
    seed = layer.seed
    good = seed is None or (is_whole(seed) and seed >= 0)
    require(good, f"{type(layer).__name__} needs a seed that is a whole number from 0.", repr(seed))


@dataclass(eq=False)
class InputLayer(Layer):
    """Where data enter; `Input` makes one. free are the axes of any length, whose sizes follow from data."""

    shape: Shape = ()
    free: tuple[int, ...] = ()

    def shape_of(self, *inputs: Shape) -> Shape:
        return self.shape


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = "",
    batch_shape: Sequence[int | None] | None = None,
) -> Tensor:
    """The input of a network. shape is that of one sample, without the number of samples.

    An axis that is None has any length: that of the data, and other data may have another one. batch_shape has the
    number of samples too. It, batch_size and dtype are Keras's, and nothing depends on them: batches have the size that
    `fit` is given, and numbers the backend's precision.

    >>> Input((2,)).shape
    (None, 2)
    """
    if shape is None and isinstance(batch_shape, tuple | list):
        shape = batch_shape[1:]
    good = isinstance(shape, tuple | list) and all(n is None or (is_whole(n) and n > 0) for n in shape)
    sizes: Sequence[int | None] = shape if good and shape else ()
    good = 0 < len(sizes) < 4 and (sizes[-1] is not None or len(sizes) == 1)
    rule = "Input takes the shape of one sample, such as (2,), with up to 3 axes; None is any length of the first ones."
    require(good, rule, repr(shape))
    free = tuple(k for k, n in enumerate(sizes) if n is None)
    layer = InputLayer(tuple(UNTIL_DATA if n is None else n for n in sizes), free, name=name or "")
    return Tensor(layer, (), layer.shape)


@dataclass(eq=False)
class Dense(Layer):
    """activation(x @ W + b), on the last axis. W (D, units), b (units).

    >>> Dense(3)(Input((2,))).shape
    (None, 3)
    """

    units: int = 0
    activation: str | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        units_checked(self)
        chosen("An activation", self.activation or "linear", ACTIVATIONS)

    def shape_of(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) > 2:
            self.needs(1, x, "a vector or a sequence of vectors", "Put Flatten() before it.")
        return (*x[:-1], self.units)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (inputs[0][-1], self.units)
        specs = [
            WeightSpec("kernel", "W", shape, self.kernel_initializer, "weights", "turned", self.kernel_regularizer)
        ]
        if self.use_bias:
            specs.append(
                WeightSpec("bias", "b", (self.units,), self.bias_initializer, "biases", "column", self.bias_regularizer)
            )
        return specs

    def call(self, at: Operations[T], *x: T) -> T:
        return at.activated(at.dense(x[0], self.use_bias), self.activation)


@dataclass(eq=False)
class Activation(Layer):
    """An activation by name: linear, sigmoid, tanh, relu, leaky_relu, elu, softmax."""

    activation: str = "linear"

    def __post_init__(self) -> None:
        chosen("An activation", self.activation, ACTIVATIONS)

    def call(self, at: Operations[T], *x: T) -> T:
        return at.activation(x[0], self.activation)


@dataclass(eq=False)
class ReLU(Layer):
    """x where it is positive; otherwise negative_slope*x."""

    negative_slope: float = 0.0

    def call(self, at: Operations[T], *x: T) -> T:
        return at.activation(x[0], "relu", self.negative_slope)


@dataclass(eq=False)
class LeakyReLU(Layer):
    """x where it is positive; otherwise negative_slope*x."""

    negative_slope: float = 0.3

    def call(self, at: Operations[T], *x: T) -> T:
        return at.activation(x[0], "leaky_relu", self.negative_slope)


@dataclass(eq=False)
class ELU(Layer):
    """x where it is positive; otherwise alpha*(exp(x) - 1)."""

    alpha: float = 1.0

    def call(self, at: Operations[T], *x: T) -> T:
        return at.activation(x[0], "elu", self.alpha)


@dataclass(eq=False)
class Softmax(Activation):
    """exp(x)/sum(exp(x)) along the last axis."""

    activation: str = "softmax"


@dataclass(eq=False)
class Flatten(Layer):
    """The same numbers in one row per sample, so that the next layer's products run along it."""

    def shape_of(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def call(self, at: Operations[T], *x: T) -> T:
        return at.reshaped(x[0], (math.prod(at.shape(x[0])),))


@dataclass(eq=False)
class Reshape(Layer):
    """The same numbers in another shape; one of its sizes may be -1, which follows from the others."""

    target_shape: Shape = ()

    def __post_init__(self) -> None:
        good = isinstance(self.target_shape, tuple | list) and all(isinstance(n, int) for n in self.target_shape)
        require(good, "Reshape takes the shape of one sample, such as (3, 2).", repr(self.target_shape))
        self.target_shape = tuple(self.target_shape)

    def shape_of(self, *inputs: Shape) -> Shape:
        target = self.target_shape
        if -1 in target and target.count(-1) == 1:
            rest = -math.prod(target)
            target = tuple(math.prod(inputs[0]) // max(rest, 1) if n == -1 else n for n in target)
        if math.prod(target) != math.prod(inputs[0]):
            raise ShapeError(
                f"Reshape keeps the number of entries. Received: {inputs[0]} to {target}. Check the product."
            )
        return target

    def call(self, at: Operations[T], *x: T) -> T:
        return at.reshaped(x[0], self.shape_of(at.shape(x[0])))


@dataclass(eq=False)
class Dropout(Layer):
    """x * M / (1 - rate) in training, with one mask M of zeros and ones, drawn once and shown; x otherwise.

    Keras draws a new mask for every batch; here it stays, so that every step can be followed.
    """

    rate: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        rate_checked(self, "rate")

    def call(self, at: Operations[T], *x: T) -> T:
        return at.dropout(x[0], self.rate, self.seed)


@dataclass(eq=False)
class BatchNormalization(Layer):
    """gamma * (x - mean)/sqrt(variance + epsilon) + beta, the statistics over all axes but the last.

    Training takes those of the batch, and moves the moving ones towards them; a forward workbook uses the moving ones,
    and so does training where trainable is False, as in Keras.
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

    def call(self, at: Operations[T], *x: T) -> T:
        return at.batch_normalization(x[0], self.momentum, self.epsilon, self.center, self.scale, not self.trainable)


@dataclass(eq=False)
class Embedding(Layer):
    """A row of E for every number in the input: one_hot(x) @ E. x (N, T) from 0, E (input_dim, output_dim)."""

    input_dim: int = 0
    output_dim: int = 0
    embeddings_initializer: str | Initializer = "random_uniform"
    embeddings_regularizer: Any = None

    def shape_of(self, *inputs: Shape) -> Shape:
        for size in (self.input_dim, self.output_dim):
            require(isinstance(size, int) and size > 0, "Embedding needs input_dim and output_dim above 0.", size)
        self.needs(1, inputs[0], "class numbers")
        return (*inputs[0], self.output_dim)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (self.input_dim, self.output_dim)
        first, penalty = self.embeddings_initializer, self.embeddings_regularizer
        return [WeightSpec("embeddings", "E", shape, first, "embeddings", "turned", penalty)]

    def call(self, at: Operations[T], *x: T) -> T:
        return at.embedding(x[0], self.input_dim)


@dataclass(eq=False)
class _Merge(Layer):
    joins: ClassVar[bool] = True

    def shape_of(self, *inputs: Shape) -> Shape:
        name = type(self).__name__
        if len(inputs) < 2 or len(set(inputs)) > 1:
            raise ShapeError(
                f"{name} needs two or more inputs of one shape. Received: {', '.join(map(str, inputs))}. "
                f"Call it with a list: nn.{name}()([x, y])."
            )
        return inputs[0]


@dataclass(eq=False)
class Add(_Merge):
    """The sum of its inputs: a residual connection."""

    def call(self, at: Operations[T], *x: T) -> T:
        return at.add(*x)


@dataclass(eq=False)
class Multiply(_Merge):
    """The product of its inputs, entry by entry: a gate."""

    def call(self, at: Operations[T], *x: T) -> T:
        return at.multiplied(*x)


@dataclass(eq=False)
class Average(_Merge):
    """The mean of its inputs, entry by entry."""

    def call(self, at: Operations[T], *x: T) -> T:
        return at.averaged(*x)


@dataclass(eq=False)
class Concatenate(Layer):
    """Its inputs side by side along an axis of a sample; -1 is that of the features."""

    joins: ClassVar[bool] = True

    axis: int = -1

    def shape_of(self, *inputs: Shape) -> Shape:
        first = inputs[0]
        axis = self.axis if self.axis < 0 else self.axis - 1 - len(first)  # Keras counts the samples' axis too
        fits = len(inputs) > 1 and -len(first) <= axis < 0
        shapes = {tuple(n for k, n in enumerate(x) if k != len(x) + axis) for x in inputs}
        if not fits or len(shapes) > 1 or len({len(x) for x in inputs}) > 1:
            raise ShapeError(
                f"Concatenate needs two or more inputs that differ in axis {self.axis} alone. "
                f"Received: {', '.join(map(str, inputs))}. Call it with a list: nn.Concatenate()([x, y])."
            )
        shape = list(first)
        shape[axis] = sum(x[axis] for x in inputs)
        return tuple(shape)

    def call(self, at: Operations[T], *x: T) -> T:
        axes = len(at.shape(x[0]))
        return at.concatenated(self.axis % axes if self.axis < 0 else self.axis - 1, *x)


def _joining(kind: type[Layer]) -> Callable[..., Tensor]:
    """Keras's short form: add([x, y]) for Add()([x, y])."""
    return lambda inputs, **options: kind(**options)(inputs)


add, average = _joining(Add), _joining(Average)
concatenate, multiply = _joining(Concatenate), _joining(Multiply)


@dataclass(eq=False)
class LayerNormalization(Layer):
    """gamma * (x - mean)/sqrt(variance + epsilon) + beta, the statistics over the last axis of every sample."""

    epsilon: float = 0.001
    center: bool = True
    scale: bool = True

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (inputs[0][-1],)
        found = [WeightSpec("gamma", "gamma", shape, "ones", "scale")] if self.scale else []
        return [*found, *([WeightSpec("beta", "beta", shape, "zeros", "shift")] if self.center else [])]

    def call(self, at: Operations[T], *x: T) -> T:
        return at.layer_normalization(x[0], self.epsilon, self.center, self.scale)


@dataclass(eq=False)
class GaussianNoise(Layer):
    """x plus normal noise in training; x otherwise."""

    stddev: float = 0.1
    seed: int | None = None

    def __post_init__(self) -> None:
        require(self.stddev >= 0, "GaussianNoise needs a stddev of 0 or more.", self.stddev)

    def call(self, at: Operations[T], *x: T) -> T:
        return at.noise(x[0], self.stddev, self.seed)


@dataclass(eq=False)
class Rescaling(Layer):
    """x * scale + offset.

    >>> Rescaling(1 / 255)(Input((28, 28, 1))).shape
    (None, 28, 28, 1)
    """

    scale: float = 1.0
    offset: float = 0.0

    def call(self, at: Operations[T], *x: T) -> T:
        return at.rescaled(x[0], self.scale, self.offset)


@dataclass(eq=False)
class MultiHeadAttention(Layer):
    """softmax(Q K.T / sqrt(key_dim)) V with one head, and an output projection. Called with (query, value).

    With one input it is self-attention. x (N, T, D); WQ, WK, WV (D, key_dim), WO (key_dim, D).
    """

    joins: ClassVar[bool] = True

    num_heads: int = 1
    key_dim: int = 0
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"

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

    def call(self, at: Operations[T], *x: T) -> T:
        return at.attention(x[0], x[-1], self.key_dim, self.use_bias)
