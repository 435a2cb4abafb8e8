"""All first weights, as Keras groups them; layers take them, or their names, such as "he_normal"."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.initializer import (
    INITIALIZERS,
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    Zeros,
)

NAMES = tuple(INITIALIZERS)

__all__ = [
    "NAMES",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "Zeros",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
