"""The names that layers take for their first weights: "glorot_uniform", "he_normal" and others."""

from simulator.nn.initializer import INITIALIZERS

NAMES = tuple(INITIALIZERS)

__all__ = ["NAMES"]
