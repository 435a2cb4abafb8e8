"""Models and how they are read back, as Keras groups them."""

from simulator.nn.model import Model, Sequential
from simulator.nn.store import load_model

__all__ = [
    "Model",
    "Sequential",
    "load_model",
]
