"""Losses, with Keras's names: the loss of every entry, and the cost, which is its mean.

# Y labels, P predictions (N, ..., K)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simulator.nn.option import Configured, chosen, require
from simulator.tape import namespace as tape
from simulator.tape.expression import Expression, literal

E = Expression
Name = Callable[[E, str, str], E]  # (array, symbol, meaning) -> the array with cells


@dataclass(frozen=True)
class Loss:
    """cost(Y, P, name) names what it computes on the way. labels: "numbers", "bits", "one-hot" or "classes".

    follows: the activation that the last layer must have, or any when empty.
    """

    cost: Callable[[E, E, Name], E]
    labels: str
    follows: str = ""


def _mean(loss: E) -> E:
    return tape.mean(loss, math.prod(loss.shape))


def _squared(y: E, p: E, name: Name) -> E:
    error = name(p - y, "error", "prediction minus label")
    return _mean(name(error**2, "loss", "squared error"))


def _absolute(y: E, p: E, name: Name) -> E:
    error = name(p - y, "error", "prediction minus label")
    return _mean(name(tape.absolute(error), "loss", "absolute error"))


def _binary(y: E, p: E, name: Name) -> E:
    return _mean(name(tape.binary_crossentropy(y, p), "loss", "cross-entropy"))


def _categorical(y: E, p: E, name: Name) -> E:
    loss = tape.categorical_crossentropy(y, p, "log P")
    log_p = next(a for a in loss.args[1:] if a.name == "log P")
    name(log_p, "", "")
    loss = name(loss.sum(-1), "loss", "cross-entropy of the sample")
    return tape.mean(loss, math.prod(loss.shape))


def _sparse(y: E, p: E, name: Name) -> E:
    hot = name(tape.one_hot(y, p.shape[-1]), "Y hot", "labels as zeros and ones")
    return _categorical(hot, p, name)


def _huber(y: E, p: E, name: Name) -> E:
    error = name(p - y, "error", "prediction minus label")
    size = name(tape.absolute(error), "|error|", "its size")
    one = literal(1)
    return _mean(name(tape.where(size, "<", one, 0.5 * error**2, size - 0.5), "loss", "Huber loss, delta 1"))


LOSSES = {
    "mean_squared_error": Loss(_squared, "numbers"),
    "mean_absolute_error": Loss(_absolute, "numbers"),
    "huber": Loss(_huber, "numbers"),
    "binary_crossentropy": Loss(_binary, "bits", "sigmoid"),
    "categorical_crossentropy": Loss(_categorical, "one-hot", "softmax"),
    "sparse_categorical_crossentropy": Loss(_sparse, "classes", "softmax"),
}


SMOOTHED = ("binary_crossentropy", "categorical_crossentropy")


@dataclass
class LossOption(Configured):
    """A loss with its options; Keras's classes are made of it.

    from_logits: the network gives sums that no sigmoid or softmax has been taken of; delta is that of the Huber loss;
    label_smoothing is the share of a label that is spread over all classes, from 0 to below 1.
    """

    key: str = "mean_squared_error"
    from_logits: bool = False
    delta: float = 1.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require(self.delta > 0, "delta is a number above 0.", self.delta)
        require(0 <= self.label_smoothing < 1, "label_smoothing is a share from 0 to below 1.", self.label_smoothing)
        rule = f"label_smoothing goes with {' and '.join(SMOOTHED)}."
        require(not self.label_smoothing or self.key in SMOOTHED, rule, self.key)

    @property
    def loss(self) -> Loss:
        """The loss of labels as they are learnt."""
        found = LOSSES[self.key]

        def cost(y: E, p: E, name: Name) -> E:
            return found.cost(name(self.smoothed(y), "Y smooth", "labels as they are learnt"), p, name)

        return replace(found, cost=cost) if self.label_smoothing else found

    def smoothed(self, y: Any) -> Any:
        """The labels (N, ..., K) as they are learnt.

        >>> BinaryCrossentropy(label_smoothing=0.2).smoothed(1.0)
        0.9
        """
        share = self.label_smoothing
        if not share:
            return y
        return y * (1 - share) + share / (2 if self.key == "binary_crossentropy" else y.shape[-1])

    def __call__(self, y: ArrayLike, p: ArrayLike) -> float:
        """The cost of labels (N, ..., K), or class numbers (N, ...), and predictions (N, ..., K).

        >>> round(BinaryCrossentropy()([1.0, 0.0], [0.9, 0.2]), 4)
        0.1643
        """
        from simulator.nn.backend.network import loss_alone

        return loss_alone(self, np.asarray(y), np.asarray(p, np.float32))

    def require_plain(self, rule: str, advice: str = "") -> None:
        """Raises SettingError for options that equations don't have."""
        options = {name: value for name, value in self.config().items() if name in ("from_logits", "delta")}
        received = ", ".join(f"{name}={value}" for name, value in options.items())
        require(not options, f"{rule} a loss of probabilities, and a Huber loss with delta 1.", received, advice)

    def described(self) -> str | dict[str, Any]:
        """Its name or, with options, a table of type and options; `loss_of` takes both."""
        options = {name: value for name, value in self.config().items() if name != "key"}
        return {"type": self.key, **options} if options else self.key


def MeanSquaredError() -> LossOption:
    return LossOption("mean_squared_error")


def MeanAbsoluteError() -> LossOption:
    return LossOption("mean_absolute_error")


def Huber(delta: float = 1.0) -> LossOption:
    return LossOption("huber", delta=delta)


def BinaryCrossentropy(from_logits: bool = False, label_smoothing: float = 0.0) -> LossOption:
    """With label_smoothing=s, labels 0 and 1 are s/2 and 1 - s/2."""
    return LossOption("binary_crossentropy", from_logits, label_smoothing=label_smoothing)


def CategoricalCrossentropy(from_logits: bool = False, label_smoothing: float = 0.0) -> LossOption:
    """With label_smoothing=s and K classes, labels 0 and 1 are s/K and 1 - s + s/K."""
    return LossOption("categorical_crossentropy", from_logits, label_smoothing=label_smoothing)


def SparseCategoricalCrossentropy(from_logits: bool = False) -> LossOption:
    return LossOption("sparse_categorical_crossentropy", from_logits)


def loss_of(value: object) -> LossOption:
    """A loss with options, or the one that a name, or a table of type and options, stands for."""
    if isinstance(value, LossOption):
        return value
    if isinstance(value, dict):
        options = dict(value)
        return replace(loss_of(options.pop("type", "")), **options)
    if isinstance(value, list | tuple) and len(value) == 1:
        return loss_of(value[0])
    for make in MADE:
        if value is make:  # without its brackets
            return make()
    name = value
    if isinstance(value, str):
        plain = {known.replace("_", ""): known for known in LOSSES} | SHORT
        name = plain.get(value.lower().replace("_", ""), value)
    chosen("A loss", name, LOSSES)
    return LossOption(str(name))


MADE: tuple[Callable[[], LossOption], ...] = (
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "bce": "binary_crossentropy"}


def penalty(w: E, size: E | None, l1: E | None, l2: E | None) -> E:
    """l1 * sum(size) + l2 * sum(w^2), where size is |w|."""
    parts = [l1 * size.sum()] if l1 is not None and size is not None else []
    parts += [l2 * (w**2).sum()] if l2 is not None else []
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
