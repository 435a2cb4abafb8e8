"""All penalties on weights, as Keras groups them."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.regularizer import L1, L1L2, L2

l1, l2, l1_l2 = L1, L2, L1L2

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "l1",
    "l1_l2",
    "l2",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
