"""Data sets under Keras's names: `from simulator.nn.datasets import mnist`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.image import load_bytes
from simulator.errors import missing

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class DataSet:
    """A data set of pictures, downloaded once, or found in the folder that SIMULATOR_DATA names."""

    name: str

    def load_data(self) -> tuple[Pair, Pair]:
        """(x_train, y_train), (x_test, y_test): pictures (N, 28, 28) from 0 to 255, classes (N,). Raises DataError."""
        x_train, y_train, x_test, y_test = load_bytes(self.name)
        return (x_train, y_train), (x_test, y_test)


mnist, fashion_mnist = DataSet("mnist"), DataSet("fashion-mnist")

__all__ = ["fashion_mnist", "mnist"]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
