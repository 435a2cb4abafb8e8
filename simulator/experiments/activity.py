"""How sparse the activations of a trained network are.

# n samples; a layer's output (n, ..., units)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.nn.basic import ReLU
from simulator.nn.layer import Layer
from simulator.nn.model import Model

SAMPLES, AT_ONCE = 256, 32


class Activity(NamedTuple):
    """Of a layer with ReLU: how many of its numbers are zero, and how many units are so for every sample."""

    layer: str
    numbers: int
    zeros: int
    units: int
    dead: int


def activity_of(model: Model, x: NDArray[Any]) -> list[Activity]:
    """Of every layer that ends in ReLU, over the first 256 samples.

    >>> from simulator import nn
    >>> model = nn.Sequential([nn.Input((1,)), nn.Dense(2, activation="relu"), nn.Dense(1)])
    >>> model.set_weights([[[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], [0.0]])
    >>> activity_of(model, np.array([[1.0], [2.0], [3.0]]))
    [Activity(layer='1 Dense', numbers=6, zeros=3, units=2, dead=1)]
    """
    network, found = model.network(), []
    inputs = np.asarray(x[:SAMPLES], np.float32)
    for tensor in model.walk():
        if _rectifies(tensor.layer):
            part = network.until(tensor)
            batches = range(0, len(inputs), AT_ONCE)
            a = np.concatenate([part.predict(inputs[k : k + AT_ONCE]) for k in batches])
            off = (a == 0).reshape(-1, a.shape[-1])
            title = model.title_of(model.numbers[id(tensor.layer)])
            found.append(Activity(title, off.size, int(off.sum()), a.shape[-1], int(off.all(axis=0).sum())))
    return found


def _rectifies(layer: Layer) -> bool:
    if isinstance(layer, ReLU):
        return layer.negative_slope == 0
    return getattr(layer, "activation", None) == "relu"
