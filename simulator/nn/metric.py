"""Metrics, with Keras's names: each adds up what it needs over batches.

# N samples; Y labels and P predictions (N, ..., K), or class numbers (N, ...)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.nn.option import Configured, chosen, made, require

Array = NDArray[Any]
SMALL = 1e-7


@dataclass
class Metric(Configured):
    """Base of all metrics: a mean of what `of` gives for every entry."""

    name: str = field(default="", kw_only=True)
    total: float = field(init=False, default=0.0)
    count: float = field(init=False, default=0.0)

    def of(self, y: Array, p: Array) -> Array:
        """A number for every entry of a batch."""
        raise NotImplementedError

    def update(self, y: Array, p: Array) -> None:
        values = self.of(y, p)
        self.total += float(values.sum())
        self.count += values.size

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def reset(self) -> None:
        self.total = self.count = 0.0


@dataclass
class BinaryAccuracy(Metric):
    """The share of predictions on the label's side of the threshold."""

    threshold: float = 0.5

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray((p > self.threshold) == (_like(y, p) > 0.5))


@dataclass
class CategoricalAccuracy(Metric):
    """The share of rows whose largest prediction is at the label's 1."""

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(y.argmax(-1) == p.argmax(-1))


@dataclass
class SparseCategoricalAccuracy(Metric):
    """The share of rows whose largest prediction is at the label's class number."""

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(_classes(y, p) == p.argmax(-1))


@dataclass
class RegressionAccuracy(Metric):
    """The share of predictions within tolerance of their labels, as a part of these when relative."""

    tolerance: float = 0.1
    relative: bool = False

    def of(self, y: Array, p: Array) -> Array:
        y = _like(y, p)
        return np.asarray(np.abs(p - y) <= self.tolerance * (np.abs(y) if self.relative else 1.0))


@dataclass
class MeanSquaredError(Metric):
    """The mean of (P - Y)^2."""

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray((p.astype(float) - _like(y, p)) ** 2)


@dataclass
class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of (P - Y)^2."""

    def result(self) -> float:
        return math.sqrt(super().result())


@dataclass
class MeanAbsoluteError(Metric):
    """The mean of |P - Y|."""

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(np.abs(p.astype(float) - _like(y, p)))


@dataclass
class Perplexity(Metric):
    """exp of the mean cross-entropy of class numbers: how many classes it hesitates between."""

    def of(self, y: Array, p: Array) -> Array:
        found = np.take_along_axis(p, _classes(y, p)[..., None], -1)[..., 0]
        return np.asarray(-np.log(np.maximum(found.astype(float), SMALL)))

    def result(self) -> float:
        return math.exp(super().result()) if self.count else 0.0


@dataclass
class _OfPositives(Metric):
    """Counts of predictions above the threshold and of what is so; class_id takes one class of several."""

    thresholds: float = 0.5
    class_id: int | None = None

    def hits(self, y: Array, p: Array) -> tuple[Array, Array]:
        """(said, so), booleans."""
        if self.class_id is None:
            return p > self.thresholds, _like(y, p) > 0.5
        so = y[..., self.class_id] > 0.5 if y.shape == p.shape else _classes(y, p) == self.class_id
        return p[..., self.class_id] > self.thresholds, so


@dataclass
class Precision(_OfPositives):
    """The share of what is said to be so that is so."""

    def update(self, y: Array, p: Array) -> None:
        said, so = self.hits(y, p)
        self.total += float((said & so).sum())
        self.count += float(said.sum())


@dataclass
class Recall(_OfPositives):
    """The share of what is so that is said to be so."""

    def update(self, y: Array, p: Array) -> None:
        said, so = self.hits(y, p)
        self.total += float((said & so).sum())
        self.count += float(so.sum())


def confusion_matrix(labels: Any, predictions: Any, classes: int | None = None) -> NDArray[np.int64]:
    """How often each class (row) was taken for each (column), shape (classes, classes).

    labels and predictions are class numbers, or rows whose largest entry is at the class.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0]).tolist()
    [[1, 0], [1, 1]]
    """
    y, p = (np.asarray(a) for a in (labels, predictions))
    y, p = (a.argmax(-1) if a.ndim > 1 and a.shape[-1] > 1 else a.ravel() for a in (y, p))
    require(y.shape == p.shape, "confusion_matrix takes as many labels as predictions.", f"{y.size} and {p.size}")
    y, p = y.astype(np.int64), p.astype(np.int64)
    size = classes or int(max(y.max(initial=0), p.max(initial=0))) + 1
    fits = y.size == 0 or (min(y.min(), p.min()) >= 0 and max(y.max(), p.max()) < size)
    require(fits, f"Class numbers lie from 0 to {size - 1}.", f"{y.max()} and {p.max()}")
    return np.bincount(y * size + p, minlength=size * size).reshape(size, size)


def _like(y: Array, p: Array) -> Array:
    """Labels in the predictions' shape: (N,) goes with (N, 1)."""
    return y.reshape(p.shape)


def _classes(y: Array, p: Array) -> Array:
    return y.reshape(p.shape[:-1]).astype(np.int64)


METRICS: dict[str, type[Metric]] = {
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "regression_accuracy": RegressionAccuracy,
    "mean_squared_error": MeanSquaredError,
    "root_mean_squared_error": RootMeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "perplexity": Perplexity,
    "precision": Precision,
    "recall": Recall,
}
TYPES = {cls.__name__: cls for cls in METRICS.values()}
SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}
ACCURACY = {"one-hot": "categorical_accuracy", "classes": "sparse_categorical_accuracy", "bits": "binary_accuracy"}


def metric_of(value: object, labels: str) -> Metric:
    """A metric, or the one that a name, or a table of type and options, stands for.

    "accuracy" is the one that goes with the loss's labels.
    """
    if isinstance(value, dict):
        value = made("A metric's type", value, TYPES)
    if isinstance(value, Metric):
        names = {cls: name for name, cls in METRICS.items()}
        value.name = value.name or names.get(type(value), type(value).__name__)
        return value
    name = str(value).lower() if isinstance(value, str) else value
    key = ACCURACY.get(labels, "binary_accuracy") if name in ("accuracy", "acc") else SHORT.get(str(name), name)
    metric = chosen("A metric", key, METRICS)()
    metric.name = str(name)
    return metric
