"""Penalties on weights: Keras's L1, L2 and L1L2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulator.nn.option import Configured, require


@dataclass
class L1L2(Configured):
    """Adds l1 * sum(|W|) + l2 * sum(W^2) to the cost.

    >>> L1L2(l2=0.01).config()
    {'l2': 0.01}
    """

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, w: ArrayLike) -> float:
        """What it adds for a weight."""
        a = np.asarray(w, dtype=float)
        return float(self.l1 * np.abs(a).sum() + self.l2 * (a**2).sum())

    def __post_init__(self) -> None:
        require(self.l1 >= 0 and self.l2 >= 0, "A penalty is 0 or more.", f"l1={self.l1}, l2={self.l2}")


def L1(l1: float = 0.01) -> L1L2:
    return L1L2(l1=l1)


def L2(l2: float = 0.01) -> L1L2:
    return L1L2(l2=l2)


def regularizer_of(value: object) -> L1L2 | None:
    """A regularizer from one, from Keras's short names, or from a table of numbers."""
    if value is None or isinstance(value, L1L2):
        return value
    if isinstance(value, dict):
        return L1L2(**value)
    short = {"l1": L1L2(l1=0.01), "l2": L1L2(l2=0.01), "l1_l2": L1L2(l1=0.01, l2=0.01)}
    for make in (L1, L2, L1L2):
        if value is make:  # without its brackets
            return make()
    name = value.lower() if isinstance(value, str) else value
    require(name in short, "A regularizer is nn.L1(...), nn.L2(...) or nn.L1L2(...).", repr(value))
    return short[str(name)]
