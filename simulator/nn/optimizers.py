"""All optimizers and schedules, as Keras groups them."""

from simulator.nn import optimizer as schedules
from simulator.nn.optimizer import SGD, Adagrad, Adam, AdamW, RMSprop

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "RMSprop",
    "schedules",
]
