"""All schedules of learning rates, as Keras groups them."""

from typing import TYPE_CHECKING

from simulator.errors import missing
from simulator.nn.optimizer import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    Schedule,
    StepDecay,
)

LearningRateSchedule = Schedule

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "StepDecay",
]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)
