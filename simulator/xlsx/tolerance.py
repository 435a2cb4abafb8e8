"""How far an engine may be from the reference, per engine, with the reason; reports print this policy."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.lessons.setting import CHECK


class Policy(NamedTuple):
    """A cell agrees when |found - expected| <= absolute + relative * |expected|."""

    absolute: float
    relative: float
    reason: str
    skips_errors: bool = False  # where the reference is an error, this source shows nothing that can be compared

    @property
    def rule(self) -> str:
        if self.absolute == self.relative == 0:
            return "0 ULP"
        return f"{self.absolute:.0e} + {self.relative:.0e} of the number"


EXACT = Policy(0.0, 0.0, "the formula does the reference's operations in the reference's order")
COMPENSATED = Policy(
    1e-14,
    1e-12,
    "LibreOffice adds SUM and SUMPRODUCT with compensation, and takes a difference below 2^-48 of its terms for zero",
)
QUOTIENT = Policy(
    1e-10,
    1e-12,
    "a central difference divides the last bit of the cost by 2h = 2e-4; the first number is "
    "multiplied by the sheet's largest",
)
NO_ERRORS = "; where the reference is an error, as in 1/(1+EXP(1000)), IronCalc goes on with infinity: not compared"
STORED = EXACT._replace(reason="they were written with all 17 digits")
SAVED = COMPENSATED._replace(reason="the program that saved the file last has computed them, and may keep 15 digits")
OTHER_PLATFORM = Policy(1e-14, 1e-12, "exp, log and tanh of this platform's C library were not measured")


def policy_of(source: str, sheet: str = "", largest: float = 1.0, *, fresh: bool = True) -> Policy:
    """The policy for an engine or for the stored values, on a sheet with that largest number.

    fresh: the file was written just now; otherwise another program may have computed and rounded what it stores.
    """
    if source == "stored":
        policy = STORED if fresh else SAVED
    elif source == "libreoffice":
        policy = COMPENSATED
    else:
        policy = EXACT if sys.platform == "linux" else OTHER_PLATFORM
    if sheet == CHECK and policy.absolute:
        policy = QUOTIENT._replace(absolute=QUOTIENT.absolute * largest)
    if source == "ironcalc":
        return policy._replace(skips_errors=True, reason=policy.reason + NO_ERRORS)
    return policy


def disagrees(found: NDArray[np.float64], expected: NDArray[np.float64], policy: Policy) -> NDArray[np.bool_]:
    """True where two numbers differ by more than the policy allows, or only one of them is a number."""
    with np.errstate(invalid="ignore"):
        far = np.abs(found - expected) > policy.absolute + policy.relative * np.abs(expected)
    return np.asarray(far | (np.isnan(found) != np.isnan(expected)))


def ulps(found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance in units in the last place of the expected number."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(found - expected) / np.spacing(np.abs(expected))
