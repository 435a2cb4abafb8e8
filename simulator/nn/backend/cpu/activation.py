"""Activations and their slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
# Without AVX-512 NumPy's exp takes half the time of its tanh; with it tanh takes the least.
TANH_IS_FAST = any(
    "AVX512" in name or name == "X86_V4" for name in np.show_config(mode="dicts")["SIMD Extensions"]["found"]
)


class Curve(NamedTuple):
    """apply(z, out) writes the activation, factor(a, out) its slope, which a tells; times(a, d) multiplies d by it.

    times is there where that is quicker, or where the slope is no factor of every entry.
    """

    apply: Callable[[AnyArray, AnyArray], None]
    factor: Callable[[AnyArray, AnyArray], None]
    times: Callable[[AnyArray, AnyArray], None] | None = None

    def slope(self, a: AnyArray, d: AnyArray, scratch: AnyArray) -> None:
        """Multiply d, in place, by the slope."""
        if self.times:
            self.times(a, d)
        else:
            self.factor(a, scratch)
            np.multiply(d, scratch, out=d)


def _sigmoid(z: AnyArray, out: AnyArray) -> None:
    if TANH_IS_FAST:
        np.multiply(z, HALF, out=out)
        np.tanh(out, out=out)
        np.multiply(out, HALF, out=out)
        np.add(out, HALF, out=out)
    else:
        np.negative(z, out=out)
        np.exp(out, out=out)
        np.add(out, ONE, out=out)
        np.reciprocal(out, out=out)


def _tanh(z: AnyArray, out: AnyArray) -> None:
    if TANH_IS_FAST:
        np.tanh(z, out=out)
    else:
        np.multiply(z, -TWO, out=out)
        np.exp(out, out=out)
        np.add(out, ONE, out=out)
        np.divide(TWO, out, out=out)
        np.subtract(out, ONE, out=out)


def _sigmoid_factor(a: AnyArray, out: AnyArray) -> None:
    np.multiply(a, a, out=out)
    np.subtract(a, out, out=out)


def _tanh_factor(a: AnyArray, out: AnyArray) -> None:
    np.multiply(a, a, out=out)
    np.subtract(ONE, out, out=out)


def _leaky(slope: float) -> Curve:
    s = np.float32(slope)

    def apply(z: AnyArray, out: AnyArray) -> None:
        np.multiply(z, np.where(z > ZERO, ONE, s), out=out)

    return Curve(apply, lambda a, out: np.copyto(out, np.where(a > ZERO, ONE, s)))


def _elu(alpha: float) -> Curve:
    s = np.float32(alpha)

    def apply(z: AnyArray, out: AnyArray) -> None:
        np.copyto(out, np.where(z > ZERO, z, s * np.expm1(np.minimum(z, ZERO))))

    return Curve(apply, lambda a, out: np.copyto(out, np.where(a > ZERO, ONE, a + s)))


def _relu_factor(a: AnyArray, out: AnyArray) -> None:
    np.greater(a, ZERO, out=out)


def _relu_times(a: AnyArray, d: AnyArray) -> None:
    np.multiply(d, a > ZERO, out=d)  # a product with a mask is 7 times as fast as an assignment through it


def _softmax(z: AnyArray, out: AnyArray) -> None:
    """Over the features, the axis before the samples; in (C, H, W, n) the first one."""
    axis = _features(z)
    np.subtract(z, z.max(axis=axis, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, out.sum(axis=axis, keepdims=True), out=out)


def _softmax_times(a: AnyArray, d: AnyArray) -> None:
    np.subtract(d, (d * a).sum(axis=_features(a), keepdims=True), out=d)
    np.multiply(d, a, out=d)


def _no_factor(a: AnyArray, out: AnyArray) -> None:
    raise NotImplementedError("softmax ties all entries together")


def _features(x: AnyArray) -> int:
    return 0 if x.ndim == 4 else x.ndim - 2


def _relu(z: AnyArray, out: AnyArray) -> None:
    np.maximum(z, ZERO, out=out)


CURVES = {
    "linear": Curve(lambda z, out: np.copyto(out, z), lambda a, out: out.fill(1)),
    "sigmoid": Curve(_sigmoid, _sigmoid_factor),
    "tanh": Curve(_tanh, _tanh_factor),
    "relu": Curve(_relu, _relu_factor, _relu_times),
    "softmax": Curve(_softmax, _no_factor, _softmax_times),
}
RISING = ("relu", "leaky_relu", "sigmoid", "tanh", "elu")  # a maximum may be taken before or after


def curve_of(name: str, slope: float | None = None) -> Curve:
    """An activation by its name; slope is that of leaky_relu, or alpha of elu."""
    if name == "leaky_relu" or (name == "relu" and slope):
        return _leaky(0.2 if slope is None else slope)
    return _elu(1.0 if slope is None else slope) if name == "elu" else CURVES[name]


class Activation(Operation):
    """In place where it can be: the slope follows from the result."""

    def __init__(self, x: Node, name: str, slope: float | None = None) -> None:
        super().__init__(x.shape, x, kept=True)
        self.name, self.slope, self.curve = name, slope, curve_of(name, slope)

    def allocate(self, plan: Plan) -> None:
        self.gradients = [self.place_first(plan)]
        wanted = self.dx is not None and not self.curve.times
        self.scratch: Array = np.empty(self.y.shape if wanted else 0, np.float32)

    def forward(self, plan: Plan) -> None:
        self.curve.apply(self.x, self.y)

    def backward(self, plan: Plan) -> None:
        d = self.dx
        if d is None:
            return
        if d is not self.dy:
            np.copyto(d, self.dy)
        self.curve.slope(self.y, d, self.scratch)
