"""Models and how they are read back, as Keras groups them."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.model import Model, clone_model
from simulator.nn.sequential import Sequential
from simulator.nn.store import load_model

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
