"""Activations, with Keras's names."""

from __future__ import annotations

from collections.abc import Callable

from simulator.tape import namespace as tape
from simulator.tape.expression import Expression

E = Expression
ACTIVATIONS: dict[str, Callable[[E], E]] = {
    "linear": lambda z: z,
    "sigmoid": tape.sigmoid,
    "tanh": tape.tanh,
    "relu": tape.relu,
    "leaky_relu": tape.leaky_relu,
    "elu": tape.elu,
    "softmax": lambda z: tape.softmax(z, -1),
}
