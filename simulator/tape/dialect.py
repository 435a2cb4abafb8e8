"""Target languages as data: the portable spreadsheet formula and the Python statement that mirrors it.

The portable dialect uses functions that Excel 2010, LibreOffice, Google Sheets and IronCalc share, numbers
of at most 15 digits, and no array formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    functions: dict[str, str]  # those that have another name than in an equation
    power: Callable[[str, str], str]
    choice: Callable[[str, str, str, str, str], str]
    equals: str


def number_text(value: float) -> str:
    """The shortest text of a number; at most 15 digits, the most that every engine keeps in a formula."""
    text = f"{value:.15G}"
    if float(text) != value:
        raise ValueError(f"A number inside a formula must survive 15 digits. Received: {value!r}. Put it in a cell.")
    return text


SPREADSHEET = Dialect(
    functions={
        "exp": "EXP",
        "log": "LN",
        "tanh": "TANH",
        "abs": "ABS",
        "max": "MAX",
        "sqrt": "SQRT",
        "sin": "SIN",
        "cos": "COS",
        "round": "ROUND",
    },
    power=lambda base, exponent: f"{base}^{exponent}",
    choice=lambda a, relation, b, x, y: f"IF({a}{relation}{b},{x},{y})",
    equals="=",
)

# The same where something has failed: an error spreads through comparisons and maxima too, as in a spreadsheet.
CAREFUL_PYTHON = Dialect(
    functions={},
    power=lambda base, exponent: f"pow({base},{exponent})",
    choice=lambda a, relation, b, x, y: f"choose({a},{b},lambda: {a}{relation}{b},lambda: {x},lambda: {y})",
    equals="==",
)

PYTHON = Dialect(
    functions={},
    power=lambda base, exponent: f"pow({base},{exponent})",
    choice=lambda a, relation, b, x, y: f"({x} if {a}{relation}{b} else {y})",
    equals="==",
)
