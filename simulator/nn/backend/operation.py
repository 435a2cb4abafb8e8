"""The operations that layers are written in. A backend implements them; a layer's weights go by Keras's names.

# x (N, ..., D); what a backend hands around, T, is its own: an expression, a node of a plan
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.nn.option import require

T = TypeVar("T")
W = TypeVar("W")
Shape = tuple[int, ...]
Carried = dict[str, NDArray[Any]]  # states that go on from batch to batch, (units, N)


class Cell(NamedTuple):
    """A recurrent cell: kind is "rnn", "lstm" or "gru".

    dropout and recurrent_dropout are the shares of the input and of the state before a step that training leaves out:
    the same ones at every step, for every gate its own where states are dropped.
    """

    kind: str
    units: int
    activation: str
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True  # of a GRU
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None


def require_one_size(before: int, now: int) -> None:
    """Raises SettingError when a batch has more or fewer samples than the one whose states it takes over."""
    require(
        now == before,
        "A stateful layer goes on where the batch before has ended, so all batches have one size.",
        f"{now} samples after {before}",
        "Choose a batch_size that divides the samples, or call model.reset_states().",
    )


class Movement(NamedTuple):
    """Pictures moved at random: drawn gives (n, 2, 3), the row and column that a new place (row, column, 1) shows."""

    drawn: Callable[[np.random.Generator, int], NDArray[np.float64]]
    interpolation: str
    fill_mode: str
    fill_value: float = 0.0


def below(name: str, weights: Mapping[str, W]) -> dict[str, W]:
    """The weights of a part of a layer, whose names begin with its name.

    >>> below("forward", {"forward_kernel": 1, "backward_kernel": 2})
    {'kernel': 1}
    """
    return {key.removeprefix(f"{name}_"): w for key, w in weights.items() if key.startswith(f"{name}_")}


class Operations(Generic[T]):
    """One layer's access to a backend, while the layer is called."""

    training: bool

    def part(self, name: str, short: str) -> Operations[T]:
        """The access of a part of the layer: its weights' names begin with name, its arrays' end with short."""
        raise NotImplementedError

    def dense(self, x: T, bias: bool) -> T:
        """x @ kernel + bias, on the last axis. kernel (D, U), bias (U)."""
        raise NotImplementedError

    def convolution(self, x: T, strides: Sequence[int], padding: str, bias: bool) -> T:
        """Patches of x (N, ..., C) times kernel (..., C, F), plus bias (F); one or two axes in the middle."""
        raise NotImplementedError

    def transposed_convolution(self, x: T, strides: Sequence[int], padding: str, bias: bool) -> T:
        """Every place of images x (N, H, W, C) times kernel (kh, kw, F, C), added up in steps of strides; plus bias."""
        raise NotImplementedError

    def activated(self, z: T, activation: str | None, meaning: str = "weighted sum") -> T:
        """The activation of a sum, the end of a layer."""
        raise NotImplementedError

    def activation(self, x: T, name: str, slope: float | None = None) -> T:
        """An activation by itself; slope is that of leaky_relu, or alpha of elu."""
        raise NotImplementedError

    def pooling(self, x: T, size: Sequence[int], strides: Sequence[int], padding: str, largest: bool) -> T:
        """The largest number of every window, or the mean, for which padding doesn't count."""
        raise NotImplementedError

    def global_pooling(self, x: T, largest: bool) -> T:
        """The largest number of every channel, or the mean."""
        raise NotImplementedError

    def shape(self, x: T) -> Shape:
        """The shape of one sample."""
        raise NotImplementedError

    def reshaped(self, x: T, shape: Shape) -> T:
        """The same numbers in another shape of one sample, in Keras's order."""
        raise NotImplementedError

    def dropout(self, x: T, rate: float, seed: int | None) -> T:
        """x without the share `rate` of its numbers in training, the others divided by 1 - rate."""
        raise NotImplementedError

    def batch_normalization(self, x: T, momentum: float, epsilon: float, center: bool, scale: bool, frozen: bool) -> T:
        """(x - mean)/sqrt(variance + epsilon) * gamma + beta over all axes but the last.

        In training it moves the moving statistics; otherwise, or frozen, it uses them.
        """
        raise NotImplementedError

    def embedding(self, x: T, rows: int) -> T:
        """A row of embeddings (rows, D) for every class number."""
        raise NotImplementedError

    def add(self, *x: T) -> T:
        """The sum of arrays of one shape."""
        raise NotImplementedError

    def multiplied(self, *x: T) -> T:
        """The product, entry by entry, of arrays of one shape."""
        raise NotImplementedError

    def averaged(self, *x: T) -> T:
        """The mean of arrays of one shape."""
        raise NotImplementedError

    def concatenated(self, axis: int, *x: T) -> T:
        """Arrays side by side along an axis of a sample."""
        raise NotImplementedError

    def layer_normalization(self, x: T, epsilon: float, center: bool, scale: bool) -> T:
        """(x - mean)/sqrt(variance + epsilon) * gamma + beta over the last axis of every sample."""
        raise NotImplementedError

    def noise(self, x: T, stddev: float, seed: int | None) -> T:
        """x plus normal noise in training."""
        raise NotImplementedError

    def rescaled(self, x: T, scale: float, offset: float) -> T:
        """x * scale + offset."""
        raise NotImplementedError

    def resized(self, x: T, size: Sequence[int], interpolation: str) -> T:
        """Images x (N, H, W, C) in another size (height, width); interpolation is "bilinear" or "nearest"."""
        raise NotImplementedError

    def moved(self, x: T, movement: Movement, seed: int | None) -> T:
        """Images x (N, H, W, C) moved in training, each sample by a draw of its own."""
        raise NotImplementedError

    def turned_round(self, x: T) -> T:
        """A sequence from its last step to its first."""
        raise NotImplementedError

    def recurrent(self, x: T, cell: Cell, sequences: bool, carried: Carried | None = None) -> T:
        """A cell over the steps of x (N, T, D): the state after the last one (N, U), or after each (N, T, U).

        It starts from zeros, or from what the batch before has left in carried.
        """
        raise NotImplementedError

    def attention(self, query: T, value: T, key_dim: int, bias: bool) -> T:
        """One head of attention with an output projection."""
        raise NotImplementedError

    def features(self, x: T, names: Sequence[str]) -> T:
        """Features of two inputs, side by side."""
        raise NotImplementedError
