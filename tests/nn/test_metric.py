"""Metrics, batch by batch, against Keras's, and by hand where Keras has none."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.nn import metrics

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras", reason="Keras is in the extra [test]")

RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(3), 30).astype(np.float32)  # probabilities of three classes
CLASSES = RNG.integers(0, 3, 30)
HOT, BITS = np.eye(3, dtype=np.float32)[CLASSES], (RNG.random((30, 3)) < 0.4).astype(np.float32)
NUMBERS = RNG.normal(size=(30, 3)).astype(np.float32)

# the metric, labels
ROWS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "BinaryAccuracy": (lambda m: m.BinaryAccuracy(), BITS),
    "BinaryAccuracy, threshold": (lambda m: m.BinaryAccuracy(threshold=0.3), BITS),
    "CategoricalAccuracy": (lambda m: m.CategoricalAccuracy(), HOT),
    "SparseCategoricalAccuracy": (lambda m: m.SparseCategoricalAccuracy(), CLASSES),
    "MeanSquaredError": (lambda m: m.MeanSquaredError(), NUMBERS),
    "RootMeanSquaredError": (lambda m: m.RootMeanSquaredError(), NUMBERS),
    "MeanAbsoluteError": (lambda m: m.MeanAbsoluteError(), NUMBERS),
    "Precision": (lambda m: m.Precision(), BITS),
    "Precision, thresholds": (lambda m: m.Precision(thresholds=0.2), BITS),
    "Precision of a class": (lambda m: m.Precision(class_id=1), HOT),
    "Recall": (lambda m: m.Recall(), BITS),
    "Recall of a class": (lambda m: m.Recall(class_id=2, thresholds=0.3), HOT),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_metric_is_that_of_keras(name: str) -> None:
    make, y = ROWS[name]
    mine, theirs = make(metrics), make(keras.metrics)
    for batch in (slice(0, 13), slice(13, 30)):
        mine.update_state(y[batch], P[batch])
        theirs.update_state(y[batch], P[batch])
    assert mine.result() == pytest.approx(float(theirs.result()), rel=1e-6)
    assert 0 < mine.result() != 1
    mine.reset_state()
    mine.update_state(y[:13], P[:13])
    assert mine.result() == pytest.approx(float(make(keras.metrics)(y[:13], P[:13])), rel=1e-6)


def test_class_numbers_have_the_precision_of_their_rows() -> None:
    of_rows, of_numbers = metrics.Precision(class_id=1), metrics.Precision(class_id=1)
    of_rows.update_state(HOT, P)
    of_numbers.update_state(CLASSES, P)
    assert of_numbers.result() == of_rows.result()


def test_a_regression_is_accurate_within_its_tolerance() -> None:
    y, p = np.array([[1.0], [2.0], [-4.0], [0.0]]), np.array([[1.25], [2.5], [-3.5], [0.5]])
    for relative, expected in ((False, 1 / 4), (True, 3 / 4)):  # 0.25 from each, or a quarter of each
        metric = metrics.RegressionAccuracy(0.25, relative)
        metric.update_state(y, p)
        assert metric.result() == expected


def test_perplexity_is_the_number_of_classes_where_all_are_as_likely() -> None:
    metric = metrics.Perplexity()
    metric.update_state(CLASSES, np.full((30, 3), 1 / 3))
    assert metric.result() == pytest.approx(3)
    metric.reset_state()
    metric.update_state(CLASSES, P)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy()(CLASSES, P)
    assert metric.result() == pytest.approx(math.exp(float(cross_entropy)), rel=1e-6)


def test_a_confusion_matrix_counts_labels_in_rows_and_answers_in_columns() -> None:
    counts = metrics.confusion_matrix(CLASSES, P)
    assert counts.tolist() == [[int(((a == CLASSES) & (P.argmax(-1) == b)).sum()) for b in range(3)] for a in range(3)]
    assert metrics.confusion_matrix(HOT, P.argmax(-1)).tolist() == counts.tolist()
    assert metrics.confusion_matrix([0, 1], [0, 1], classes=3).shape == (3, 3)


def test_metrics_go_by_their_names() -> None:
    names = ["root_mean_squared_error", "regression_accuracy", "perplexity", "precision", "recall", "mae"]
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)]).compile("sgd", "mse", names)
    assert [metric.name for metric in model.metrics] == names
