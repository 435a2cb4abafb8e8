"""Metrics, with Keras's names: each adds up what it needs over batches.

# N samples; Y labels and P predictions (N, ..., K), or class numbers (N, ...)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simulator.errors import ShapeError
from simulator.nn.option import Configured, chosen, made, require

Array = NDArray[Any]
SMALL = 1e-7


@dataclass
class Metric(Configured):
    """Base of all metrics: a mean of what `of` gives for every entry."""

    rises: ClassVar[bool | None] = None  # whether more of it is better, where that is known

    name: str = field(default="", kw_only=True)
    total: float = field(init=False, default=0.0)
    count: float = field(init=False, default=0.0)

    def of(self, y: Array, p: Array) -> Array:
        """A number for every entry of a batch."""
        raise NotImplementedError

    def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
        """Take in a batch of labels and predictions; sample_weight (N,) says how much each counts."""
        values = self.of(np.asarray(y), np.asarray(p))
        weights = _weights(sample_weight, values)
        self.total += float((values * weights).sum())
        self.count += float(weights.sum())

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        self.total = self.count = 0.0

    def __call__(self, y: Any, p: Any, sample_weight: Any = None) -> float:
        """The result so far, these labels and predictions among it."""
        self.update_state(y, p, sample_weight)
        return self.result()


@dataclass
class BinaryAccuracy(Metric):
    """The share of predictions that, as 1 above the threshold and 0 below, are the label."""

    rises = True

    threshold: float = 0.5

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray((p > self.threshold) == _like(y, p))


@dataclass
class CategoricalAccuracy(Metric):
    """The share of rows whose largest prediction is at the label's 1."""

    rises = True

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(y.argmax(-1) == p.argmax(-1))


@dataclass
class SparseCategoricalAccuracy(Metric):
    """The share of rows whose largest prediction is at the label's class number."""

    rises = True

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(_classes(y, p) == p.argmax(-1))


@dataclass
class AccuracyByShape(Metric):
    """What the name "accuracy" stands for in Keras: which of the three above it is, the shapes say."""

    rises = True

    def of(self, y: Array, p: Array) -> Array:
        if p.shape[-1] == 1:
            return BinaryAccuracy().of(y, p)
        sparse = y.ndim < p.ndim or y.shape[-1] == 1
        return (SparseCategoricalAccuracy() if sparse else CategoricalAccuracy()).of(y, p)


@dataclass
class MeanOf(Metric):
    """The mean of a function's results; function(labels, predictions) takes a batch of arrays."""

    function: Any = None

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(self.function(y, p), dtype=float)


@dataclass
class RegressionAccuracy(Metric):
    """The share of predictions within tolerance of their labels, as a part of these when relative."""

    rises = True

    tolerance: float = 0.1
    relative: bool = False

    def of(self, y: Array, p: Array) -> Array:
        y = _like(y, p)
        return np.asarray(np.abs(p - y) <= self.tolerance * (np.abs(y) if self.relative else 1.0))


@dataclass
class MeanSquaredError(Metric):
    """The mean of (P - Y)^2."""

    rises = False

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

    rises = False

    def of(self, y: Array, p: Array) -> Array:
        return np.asarray(np.abs(p.astype(float) - _like(y, p)))


@dataclass
class Perplexity(Metric):
    """exp of the mean cross-entropy of class numbers: how many classes it hesitates between."""

    rises = False

    def of(self, y: Array, p: Array) -> Array:
        found = np.take_along_axis(p, _classes(y, p)[..., None], -1)[..., 0]
        return np.asarray(-np.log(np.maximum(found.astype(float), SMALL)))

    def result(self) -> float:
        return math.exp(super().result()) if self.count else 0.0


@dataclass
class _OfPositives(Metric):
    """Counts of predictions above the threshold and of what is so; class_id takes one class of several."""

    rises = True

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

    def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
        said, so = self.hits(np.asarray(y), np.asarray(p))
        weights = _weights(sample_weight, said)
        self.total += float((weights * (said & so)).sum())
        self.count += float((weights * said).sum())


@dataclass
class Recall(_OfPositives):
    """The share of what is so that is said to be so."""

    def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
        said, so = self.hits(np.asarray(y), np.asarray(p))
        weights = _weights(sample_weight, so)
        self.total += float((weights * (said & so)).sum())
        self.count += float((weights * so).sum())


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


def _weights(given: Any, values: Array) -> Array:
    """A weight for every value: 1, or that of its sample."""
    if given is None:
        return np.ones(values.shape)
    weights = np.asarray(given, dtype=float)
    return np.broadcast_to(weights.reshape(-1, *[1] * (values.ndim - 1)), values.shape)


def _like(y: Array, p: Array) -> Array:
    """Labels in the predictions' shape: (N,) goes with (N, 1)."""
    return _reshaped(y, p.shape)


def _classes(y: Array, p: Array) -> Array:
    return _reshaped(y, p.shape[:-1]).astype(np.int64)


def _reshaped(y: Array, shape: tuple[int, ...]) -> Array:
    if y.size != math.prod(shape):
        raise ShapeError(
            f"This metric needs labels of shape {shape}. Received: {y.shape}. Class numbers go with accuracy, "
            "sparse_categorical_accuracy and perplexity, rows of zeros with a single 1 with categorical_accuracy; "
            "Precision and Recall take class numbers with a class_id."
        )
    return y.reshape(shape)


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
BY_NAME: dict[str, type[Metric]] = {**METRICS, "accuracy": AccuracyByShape}
TYPES = {cls.__name__: cls for cls in BY_NAME.values()}
SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "acc": "accuracy"}


def metrics_of(values: Sequence[object]) -> list[Metric]:
    """Metrics, or those that names, functions, or tables of type and options stand for; each with a name of its own."""
    found = [_metric_of(value) for value in values]
    taken: set[str] = set()
    for metric in found:
        first, count = metric.name, 0
        while metric.name in taken:
            count += 1
            metric.name = f"{first}_{count}"
        taken.add(metric.name)
    return found


def _metric_of(value: Any) -> Metric:
    metric: Metric
    match value:
        case Metric():
            metric = value
        case dict():
            metric = made("A metric's type", value, TYPES)
        case str():
            name = value.lower()
            short = SHORT.get(name, name)
            metric = TYPES[value]() if value in TYPES else chosen("A metric", short, BY_NAME)()
            metric.name = value
        case _:
            rule = "A metric is its name, an object of nn.metrics, or a function of labels and predictions."
            require(callable(value), rule, repr(value))
            its_own = isinstance(value, type) and issubclass(value, Metric)
            metric = value() if its_own else MeanOf(value, name=getattr(value, "__name__", "function").strip("<>"))
    names = {cls: name for name, cls in METRICS.items()}
    metric.name = metric.name or names.get(type(metric), type(metric).__name__)
    return metric
