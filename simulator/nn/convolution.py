"""Convolution and pooling layers, with Keras's names and options; channels last.

# x (N, T, C) or (N, H, W, C); kernels K (k, C, F) or (kh, kw, C, F)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.operation import Operations, Shape, T
from simulator.nn.initializer import Initializer
from simulator.nn.layer import Layer, WeightSpec
from simulator.nn.option import chosen, is_whole, one_of, pair, require
from simulator.tape.convolution import places_after, places_transposed

PADDINGS = ("valid", "same")
WHAT = {1: "a sequence (steps, channels)", 2: "an image (height, width, channels)"}


@dataclass(eq=False)
class _Convolution(Layer):
    axes: ClassVar[int]
    filters: int = 0
    kernel_size: Any = 3
    strides: Any = 1
    padding: str = "valid"
    activation: str | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        good = is_whole(self.filters) and self.filters > 0
        require(good, f"{type(self).__name__} needs filters to be a whole number above 0.", repr(self.filters))
        self.kernel_size = pair(self.kernel_size, self.axes, "kernel_size")
        self.strides = pair(self.strides, self.axes, "strides")
        one_of("padding", self.padding, PADDINGS)
        chosen("An activation", self.activation or "linear", ACTIVATIONS)

    def shape_of(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        self.needs(self.axes + 1, x, WHAT[self.axes])
        return (*_places(self, x, self.kernel_size, self.strides, self.padding), self.filters)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        shape = (*self.kernel_size, inputs[0][-1], self.filters)
        specs = [
            WeightSpec("kernel", "K", shape, self.kernel_initializer, "kernels", "kernel", self.kernel_regularizer)
        ]
        if self.use_bias:
            first, penalty = self.bias_initializer, self.bias_regularizer
            specs.append(WeightSpec("bias", "b", (self.filters,), first, "biases", regularizer=penalty))
        return specs

    def call(self, at: Operations[T], *x: T) -> T:
        z = at.convolution(x[0], self.strides, self.padding, self.use_bias)
        return at.activated(z, self.activation, meaning="patches times kernels")


@dataclass(eq=False)
class Conv1D(_Convolution):
    """Kernels slid along a sequence. x (N, T, C), K (kernel_size, C, filters).

    >>> from simulator.nn import Input
    >>> Conv1D(4, 3)(Input((10, 2))).shape
    (None, 8, 4)
    """

    axes: ClassVar[int] = 1


@dataclass(eq=False)
class Conv2D(_Convolution):
    """Kernels slid over an image. x (N, H, W, C), K (kh, kw, C, filters).

    >>> from simulator.nn import Input
    >>> Conv2D(6, 3, padding="same")(Input((8, 8, 1))).shape
    (None, 8, 8, 6)
    """

    axes: ClassVar[int] = 2


@dataclass(eq=False)
class Conv2DTranspose(_Convolution):
    """Every place of an image adds a kernel, in steps of strides: larger images from small ones.

    x (N, H, W, C), K (kh, kw, filters, C). With "same" the sides grow by the strides.

    >>> from simulator.nn import Input
    >>> Conv2DTranspose(6, 3, strides=2, padding="same")(Input((8, 8, 1))).shape
    (None, 16, 16, 6)
    """

    axes: ClassVar[int] = 2

    def shape_of(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        self.needs(3, x, WHAT[2])
        each = zip(x, self.kernel_size, self.strides, strict=False)
        return (*(places_transposed(n, w, s, self.padding)[0] for n, w, s in each), self.filters)

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        kernel, *rest = super().weights_of(*inputs)
        return [kernel._replace(shape=(*self.kernel_size, self.filters, inputs[0][-1])), *rest]

    def call(self, at: Operations[T], *x: T) -> T:
        z = at.transposed_convolution(x[0], self.strides, self.padding, self.use_bias)
        return at.activated(z, self.activation, meaning="kernels times places")


def _places(layer: Layer, x: Shape, size: tuple[int, ...], strides: tuple[int, ...], padding: str) -> Shape:
    fits = all(w <= n for w, n in zip(size, x, strict=False)) or padding == "same"
    require(
        fits, f"{type(layer).__name__} must fit into its input.", f"window {size}, input {x}", 'padding="same" pads.'
    )
    return tuple(places_after(n, w, s, padding)[0] for n, w, s in zip(x, size, strides, strict=False))


@dataclass(eq=False)
class Pooling(Layer):
    axes: ClassVar[int]
    largest: ClassVar[bool]
    pool_size: Any = 2
    strides: Any = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        self.pool_size = pair(self.pool_size, self.axes, "pool_size")
        self.strides = self.pool_size if self.strides is None else pair(self.strides, self.axes, "strides")
        one_of("padding", self.padding, PADDINGS)

    def shape_of(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        self.needs(self.axes + 1, x, WHAT[self.axes])
        return (*_places(self, x, self.pool_size, self.strides, self.padding), x[-1])

    def call(self, at: Operations[T], *x: T) -> T:
        return at.pooling(x[0], self.pool_size, self.strides, self.padding, self.largest)


@dataclass(eq=False)
class MaxPooling1D(Pooling):
    """The largest number of each window; its gradient goes to the first that is largest."""

    axes: ClassVar[int] = 1
    largest: ClassVar[bool] = True


@dataclass(eq=False)
class MaxPooling2D(Pooling):
    """The largest number of each window; its gradient goes to the first that is largest."""

    axes: ClassVar[int] = 2
    largest: ClassVar[bool] = True


@dataclass(eq=False)
class AveragePooling1D(Pooling):
    """The mean of each window; padding doesn't count."""

    axes: ClassVar[int] = 1
    largest: ClassVar[bool] = False


@dataclass(eq=False)
class AveragePooling2D(Pooling):
    """The mean of each window; padding doesn't count."""

    axes: ClassVar[int] = 2
    largest: ClassVar[bool] = False


@dataclass(eq=False)
class GlobalPooling(Layer):
    axes: ClassVar[int]
    largest: ClassVar[bool] = False

    def shape_of(self, *inputs: Shape) -> Shape:
        self.needs(self.axes + 1, inputs[0], WHAT[self.axes])
        return inputs[0][-1:]

    def call(self, at: Operations[T], *x: T) -> T:
        return at.global_pooling(x[0], self.largest)


@dataclass(eq=False)
class GlobalAveragePooling1D(GlobalPooling):
    """The mean of each channel over all steps."""

    axes: ClassVar[int] = 1


@dataclass(eq=False)
class GlobalAveragePooling2D(GlobalPooling):
    """The mean of each channel over the whole image."""

    axes: ClassVar[int] = 2


@dataclass(eq=False)
class GlobalMaxPooling1D(GlobalPooling):
    """The largest number of each channel over all steps."""

    axes: ClassVar[int] = 1
    largest: ClassVar[bool] = True


@dataclass(eq=False)
class GlobalMaxPooling2D(GlobalPooling):
    """The largest number of each channel over the whole image."""

    axes: ClassVar[int] = 2
    largest: ClassVar[bool] = True
