"""Losses: the sum over a plan's samples, and its gradient.

# K classes, n samples of the plan, N of the batch; P predictions, Z logits, kept innermost by samples
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from simulator.nn.backend.cpu.plan import AnyArray, Array

SMALL = np.float32(1e-7)  # Keras keeps probabilities this far from 0 and 1

# Each takes (labels, result, gradient buffer, factor) and returns the sum of the losses of all entries, each times its
# factor: a number, or (..., n) with 1 for the classes. The gradient of that sum goes into the buffer.
Loss = Callable[[AnyArray, AnyArray, Array, AnyArray], float]


def _squared(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
    e = p - y
    np.multiply(e, factor, out=d)
    total = float(np.vdot(e, d))
    np.multiply(d, np.float32(2), out=d)
    return total


def _absolute(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
    e = p - y
    np.multiply(np.sign(e), factor, out=d)
    return float((e * d).sum())


def huber(delta: float) -> Loss:
    """Squared up to an error of delta, beyond it along a straight line."""

    def loss(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
        e = p - y
        size = np.abs(e)
        np.multiply(np.clip(e, -delta, delta), factor, out=d)
        return float((np.where(size <= delta, 0.5 * e * e, delta * size - 0.5 * delta**2) * factor).sum())

    return loss


def _binary(y: AnyArray, z: AnyArray, d: Array, factor: AnyArray) -> float:
    """From logits: log(1 + exp(-|z|)) + max(z, 0) - y*z can't overflow."""
    total = float(((np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))) * factor).sum())
    np.subtract(0.5 * np.tanh(0.5 * z) + np.float32(0.5), y, out=d)
    np.multiply(d, factor, out=d)
    return total


def _binary_of_probabilities(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
    q = np.clip(p, SMALL, 1 - SMALL)
    np.multiply((q - y) / (q * (1 - q)), factor, out=d)
    return float(-((y * np.log(q) + (1 - y) * np.log(1 - q)) * factor).sum())


def _categorical(y: AnyArray, z: AnyArray, d: Array, factor: AnyArray) -> float:
    """From logits, over the axis of the classes."""
    axis = z.ndim - 2
    np.subtract(z, z.max(axis=axis, keepdims=True), out=d)
    dot = (y * d).sum(axis=axis, keepdims=True)
    np.exp(d, out=d)
    total = d.sum(axis=axis, keepdims=True)
    weight = y.sum(axis=axis, keepdims=True)
    loss = float(((np.log(total) * weight - dot) * factor).sum())
    np.multiply(d, weight / total, out=d)
    np.subtract(d, y, out=d)
    np.multiply(d, factor, out=d)
    return loss


def _categorical_of_probabilities(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
    axis = p.ndim - 2
    total = p.sum(axis=axis, keepdims=True)
    q = np.clip(p / total, SMALL, 1 - SMALL)
    np.multiply((1 - y / q) / total, factor, out=d)
    return float(-(y * np.log(q) * factor).sum())


def _sparse(y: AnyArray, z: AnyArray, d: Array, factor: AnyArray) -> float:
    """From logits; y has class numbers (..., n)."""
    axis = z.ndim - 2
    np.subtract(z, z.max(axis=axis, keepdims=True), out=d)
    at = _chosen(y)
    chosen = d[at]
    np.exp(d, out=d)
    total = d.sum(axis=axis, keepdims=True)
    np.divide(d, total, out=d)
    d[at] -= 1
    np.multiply(d, factor, out=d)
    return float(((np.log(total) - np.expand_dims(chosen, axis)) * factor).sum())


def _sparse_of_probabilities(y: AnyArray, p: AnyArray, d: Array, factor: AnyArray) -> float:
    hot = np.zeros_like(p)
    hot[_chosen(y)] = 1
    return _categorical_of_probabilities(hot, p, d, factor)


def _chosen(y: AnyArray) -> tuple[AnyArray, ...]:
    """Where the classes y (..., n) stand among results (..., K, n)."""
    *others, samples = _places(y.shape)
    return *others, y, samples


@cache
def _places(shape: tuple[int, ...]) -> tuple[AnyArray, ...]:
    return np.indices(shape, sparse=True)


# name -> from probabilities or numbers, from logits
LOSSES: dict[str, tuple[Loss, Loss | None]] = {
    "mean_squared_error": (_squared, None),
    "mean_absolute_error": (_absolute, None),
    "binary_crossentropy": (_binary_of_probabilities, _binary),
    "categorical_crossentropy": (_categorical_of_probabilities, _categorical),
    "sparse_categorical_crossentropy": (_sparse_of_probabilities, _sparse),
}
