"""Formulas in relative form: what a formula says is the same in every row that it was filled down to.

`B4*$C$1` in row 5 is `R[-1]C[1]*R1C3` when it stands in column A; copied down, its relative form stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from simulator.sheet.address import COLUMNS, ROWS, column_name

# Texts and quoted sheet names are passed over; a reference is not part of a longer name and no function.
_A1 = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*'|(?<![\w.$])\$?[A-Za-z]{1,3}\$?[1-9][0-9]{0,6}(?![\w(.!]))""")
_ONE = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)([0-9]+)")
_RELATIVE = re.compile(
    r""""(?:[^"]|"")*"|'(?:[^']|'')*'|(?<![\w.$\]])R(?:\[(-?\d+)\]|(\d+))C(?:\[(-?\d+)\]|(\d+))(?![\w(.!\[])"""
)


class Reference(NamedTuple):
    """A reference as its cell sees it; an offset where it moves with the cell, an index from 0 where it is fixed."""

    row: int
    col: int
    row_moves: bool
    col_moves: bool

    def at(self, row: int, col: int) -> tuple[int, int]:
        """The cell that a formula in this cell refers to."""
        return self.row + row * self.row_moves, self.col + col * self.col_moves


def column_number(name: str) -> int:
    """
    >>> column_number("A"), column_number("AB")
    (0, 27)
    """
    number = 0
    for letter in name.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def relative_text(formula: str, row: int, col: int) -> str:
    """A formula of one cell, in A1 notation, in relative form.

    >>> relative_text('B4*$C$1+Data!A5&"A1"', 4, 0)
    'R[-1]C[1]*R1C3+Data!R[0]C[0]&"A1"'
    """
    parts = _A1.split(formula)
    for i in range(1, len(parts), 2):
        reference = _parsed(parts[i])
        if reference is not None:
            rows = f"R[{reference.row - row}]" if reference.row_moves else f"R{reference.row + 1}"
            columns = f"C[{reference.col - col}]" if reference.col_moves else f"C{reference.col + 1}"
            parts[i] = rows + columns
    return "".join(parts)


@lru_cache(maxsize=65_536)
def _parsed(text: str) -> Reference | None:
    """The cell of a reference in A1 notation; None for a text, a sheet's name, or what lies outside of a sheet."""
    match = _ONE.fullmatch(text)
    if match is None:
        return None
    row, col = int(match[4]) - 1, column_number(match[2])
    return Reference(row, col, not match[3], not match[1]) if row < ROWS and col < COLUMNS else None


def reference_of(match: re.Match[str]) -> Reference:
    """The reference that a match of the relative pattern stands for."""
    row = int(match[1]) if match[1] is not None else int(match[2]) - 1
    col = int(match[3]) if match[3] is not None else int(match[4]) - 1
    return Reference(row, col, match[1] is not None, match[3] is not None)


def a1_text(relative: str, row: int, col: int) -> str:
    """A formula in relative form as the cell shows it.

    >>> a1_text('R[-1]C[1]*R1C3+Data!R[0]C[0]&"A1"', 4, 0)
    'B4*$C$1+Data!A5&"A1"'
    """

    def spelled(match: re.Match[str]) -> str:
        if match[0][0] in "\"'":
            return match[0]
        reference = reference_of(match)
        r, c = reference.at(row, col)
        if not (0 <= r < ROWS and 0 <= c < COLUMNS):
            return "#REF!"
        return f"{'' if reference.col_moves else '$'}{column_name(c)}{'' if reference.row_moves else '$'}{r + 1}"

    return _RELATIVE.sub(spelled, relative)
