"""Cell addresses: rows and columns counted from 0 inside, A1 text outside."""

from __future__ import annotations

from functools import cache

ROWS, COLUMNS = 1_048_576, 16_384  # Excel's limits


@cache
def column_name(col: int) -> str:
    """Column 0 is A, 25 is Z, 26 is AA.

    >>> column_name(0), column_name(27)
    ('A', 'AB')
    """
    name, col = "", col + 1
    while col:
        col, rest = divmod(col - 1, 26)
        name = chr(65 + rest) + name
    return name


def a1(row: int, col: int, *, absolute: bool = False) -> str:
    """
    >>> a1(5, 2), a1(5, 2, absolute=True)
    ('C6', '$C$6')
    """
    return f"${column_name(col)}${row + 1}" if absolute else f"{column_name(col)}{row + 1}"


def sheet_prefix(sheet: str) -> str:
    """
    >>> sheet_prefix("Training"), sheet_prefix("Ada's work")
    ('Training!', "'Ada''s work'!")
    """
    quoted = sheet.replace("'", "''")
    return f"{sheet}!" if sheet.isidentifier() else f"'{quoted}'!"


def range_text(sheet: str, row: int, col: int, last_row: int, last_col: int) -> str:
    """An absolute range with its sheet.

    >>> range_text("Training", 5, 0, 75, 0)
    'Training!$A$6:$A$76'
    """
    return f"{sheet_prefix(sheet)}{a1(row, col, absolute=True)}:{a1(last_row, last_col, absolute=True)}"
