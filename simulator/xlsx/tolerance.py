"""How far an engine may be from the reference, per engine, with the reason; reports print this policy."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Policy(NamedTuple):
    """A cell agrees when |found - expected| <= absolute + relative * |expected|."""

    absolute: float
    relative: float
    reason: str


EXACT = Policy(0.0, 0.0, "every bit: the formula does the reference's operations in the reference's order")
ROUNDED = Policy(
    1e-12,
    1e-9,
    "LibreOffice adds SUM and SUMPRODUCT with compensation and snaps differences of nearly equal numbers to zero; "
    "1/(1-p) and central differences magnify that",
)
OTHER_PLATFORM = Policy(
    1e-12, 1e-9, "the C library of this platform was not measured; exp, log and tanh may differ in the last bit"
)


def policy_of(engine: str) -> Policy:
    """The policy for an engine, or for the stored values."""
    if engine == "libreoffice":
        return ROUNDED
    if engine == "stored" or sys.platform == "linux":
        return EXACT
    return OTHER_PLATFORM


def disagrees(found: NDArray[np.float64], expected: NDArray[np.float64], policy: Policy) -> NDArray[np.bool_]:
    """True where two numbers differ by more than the policy allows, or only one of them is a number."""
    with np.errstate(invalid="ignore"):
        far = np.abs(found - expected) > policy.absolute + policy.relative * np.abs(expected)
    return np.asarray(far | (np.isnan(found) != np.isnan(expected)))


def ulps(found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance in units in the last place of the expected number."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(found - expected) / np.spacing(np.abs(expected))
