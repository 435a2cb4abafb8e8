"""How far a student's number may be from the right one, by its digits and those of the numbers it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import numpy as np

from simulator.check.reference import Array, Reference
from simulator.tape.scalar import Ref

RELATIVE, ABSOLUTE = 1e-9, 1e-13  # for numbers that formulas have computed
FEWEST_DIGITS, DECIMALS = 3, 3  # what a student writes at least; spreadsheets drop zeros at the end
MOST_DIGITS = 17


def significant_digits(number: float) -> int:
    """
    >>> significant_digits(0.0616), significant_digits(1200.0), significant_digits(0.1 + 0.2)
    (3, 2, 17)
    """
    return len(Decimal(repr(float(number))).normalize().as_tuple().digits)


def typed_margin(number: float) -> float:
    """Half a unit of the last digit that a typed number can be taken to have.

    A number of three digits or more is taken as it stands, a shorter one as if zeros had been dropped from its end:
    0.25 is 0.250. Three decimals are always enough, and zeros in front of the point may stand for digits: 1230.

    >>> typed_margin(0.2495), typed_margin(0.25), typed_margin(123.0), typed_margin(0.0), typed_margin(1230.0)
    (5e-05, 0.0005, 0.5, 0.0005, 5.0)
    """
    exact = Decimal(repr(float(number))).normalize()
    digits, exponent = len(exact.as_tuple().digits) if number else 0, int(exact.as_tuple().exponent)
    if digits < FEWEST_DIGITS:
        exponent = max(exponent - (FEWEST_DIGITS - digits), min(exponent, -DECIMALS))
    return 0.5 * 10.0**exponent


def stored_margin(digits: int) -> float:
    """The relative error of numbers that a program stored with that many digits."""
    return 0.5 * 10.0 ** (1 - digits) if digits < MOST_DIGITS else 4e-16


def carried_margin(reference: Reference, k: int, values: Array, margins: Array, scale: Array | None) -> Array:
    """How much element k may be off, in every block, because the cells that it depends on show only so many digits."""
    refs = [r for needs in reference.needs[k] for r in needs]
    return spread_of(lambda moved: reference.own(k, moved, scale), refs, reference, values, margins)


def spread_of(
    compute: Callable[[Array], Array], refs: Iterable[Ref], reference: Reference, values: Array, margins: Array
) -> Array:
    """How much what is computed from these references changes, in every block, when they move within their margins."""
    own = compute(values)
    spread = np.zeros_like(own)
    places = {(r.node.serial, r.index) for r in refs}
    with np.errstate(all="ignore"):
        for m in {reference.slot[place] for place in places if place in reference.slot}:
            if not margins[m].any():
                continue
            moved = list(values)
            for sign in (1, -1):
                moved[m] = values[m] + sign * margins[m]
                change = np.abs(compute(moved) - own)  # type: ignore[arg-type]
                spread = np.maximum(spread, 0) + np.where(np.isfinite(change), change, np.inf) / 2
    return np.where(np.isfinite(own), spread, 0.0)
