"""All metrics, as Keras groups them."""

from simulator.nn.metric import (
    BinaryAccuracy,
    CategoricalAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    Perplexity,
    Precision,
    Recall,
    RegressionAccuracy,
    SparseCategoricalAccuracy,
    confusion_matrix,
)

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Perplexity",
    "Precision",
    "Recall",
    "RegressionAccuracy",
    "SparseCategoricalAccuracy",
    "confusion_matrix",
]
