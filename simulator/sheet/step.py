"""From the Python text of a block to the function that computes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

FUNCTIONS = ("exp", "log", "tanh", "pow", "sqrt", "sin", "cos")
Values = tuple[float, ...]
Step = Callable[[Values, Values], Values]


def step_of(fast: str, careful: Callable[[], str], givens: Values) -> Step:
    """A function of (previous block, block followed) from two sources of `def step(p, f, g)`.

    fast computes with the C library's functions. Where it fails, what careful returns does it again with errors
    that spread as NaN, as they spread in a spreadsheet.
    """
    quick = _function(fast, {name: getattr(math, name) for name in FUNCTIONS})
    slow: list[Callable[..., Values]] = []  # made when it is first needed

    def run(previous: Values, followed: Values) -> Values:
        try:
            found = quick(previous, followed, givens)
            failed = not math.isfinite(sum(found))
        except (ArithmeticError, ValueError):
            failed = True
        if failed:
            if not slow:
                functions = {name: _or_nan(getattr(math, name)) for name in FUNCTIONS}
                slow.append(_function(careful(), {**functions, "max": _or_nan(max), "choose": _choose}))
            with np.errstate(all="ignore"):
                found = slow[0](*([np.float64(x) for x in xs] for xs in (previous, followed, givens)))
            found = tuple(float(x) if math.isfinite(x) else math.nan for x in found)
        return found

    return run


def _function(source: str, names: dict[str, Any]) -> Callable[..., Values]:
    exec(source, names)  # our own text: operators, slots and these names, nothing a user typed
    step: Callable[..., Values] = names["step"]
    return step


def _or_nan(function: Callable[..., float]) -> Callable[..., np.float64]:
    def tried(*args: float) -> np.float64:
        try:
            return np.float64(np.nan if any(math.isnan(x) for x in args) else function(*args))
        except (ArithmeticError, ValueError):
            return np.float64(np.nan)

    return tried


def _choose(a: float, b: float, holds: Callable[[], bool], x: Callable[[], Any], y: Callable[[], Any]) -> Any:
    if math.isnan(a) or math.isnan(b):
        return np.float64(np.nan)
    return x() if holds() else y()
