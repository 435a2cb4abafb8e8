"""All optimizers and schedules, as Keras groups them."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.optimizer import SGD, Adagrad, Adam, AdamW, RMSprop
from simulator.nn.optimizers import schedules

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "RMSprop",
    "schedules",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
