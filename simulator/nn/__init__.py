"""Networks of your own, in Keras's words: layers, optimizers, models, and workbooks made of them.

>>> from simulator import nn
>>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation="tanh"), nn.Dense(1, activation="sigmoid")])
>>> model.compile(optimizer=nn.SGD(learning_rate=3.0), loss="binary_crossentropy").count_params()
13
"""

from typing import TYPE_CHECKING

from simulator import __version__
from simulator.errors import missing
from simulator.nn import (
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    utils,
)
from simulator.nn.layers import *  # noqa: F403
from simulator.nn.model import Model
from simulator.nn.optimizer import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    RMSprop,
    StepDecay,
)
from simulator.nn.regularizer import L1, L1L2, L2
from simulator.nn.sequential import Sequential
from simulator.nn.store import load_model

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "Model",
    "PiecewiseConstantDecay",
    "RMSprop",
    "Sequential",
    "StepDecay",
    "__version__",
    "callbacks",
    "datasets",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "utils",
]
__all__ += layers.__all__

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
