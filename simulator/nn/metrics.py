"""All metrics, as Keras groups them."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.metric import (
    BinaryAccuracy,
    CategoricalAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    Perplexity,
    Precision,
    Recall,
    RegressionAccuracy,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    confusion_matrix,
)

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Perplexity",
    "Precision",
    "Recall",
    "RegressionAccuracy",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "confusion_matrix",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
