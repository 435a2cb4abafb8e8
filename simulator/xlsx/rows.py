"""A table's rows as XML: one template, compiled once, filled in block by block."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from simulator.sheet.address import column_name
from simulator.sheet.sheet import Body
from simulator.sheet.step import Values
from simulator.sheet.style import Style
from simulator.sheet.table import PlannedCell

PART = 2_000  # characters of a template's f-strings
Printer = Callable[[tuple[int, ...], Values], str]  # (first row of the block on every sheet, values) -> text


def row_printer(table: Body, later: bool, formats: dict[Style, int], texts: dict[str, int]) -> Printer:
    """Prints the rows of a block, of the first one or of a later one."""
    cells: dict[int, list[str]] = {row: [] for row in range(table.height)}
    for c in table.plan:
        style = f'r="{_address(table, c)}" s="{formats[c.look(later)]}"'
        if c.quantity and c.formula(later):
            slot = table.slot[c.quantity.node.serial, c.index]
            cells[c.row].append(f"<c {style}><f>{_formula(c, later)}</f><v>{{v[{slot}]!r}}</v></c>")
        elif c.text:
            cells[c.row].append(f'<c {style} t="s"><v>{texts[c.text]}</v></c>')
        else:
            cells[c.row].append(f"<c {style}/>")
    body = "".join(f'<row r="{{{table.sheet}|{row}}}">{"".join(cs)}</row>' for row, cs in cells.items() if cs)
    return _compiled(table, body)


def formula_printer(table: Body, later: bool) -> Printer:
    """Prints address and formula of every computed cell of a block, a line each, as `formula_lines` reads them."""
    return _compiled(
        table, "".join(f"{_address(table, c)}={_formula(c, later)}\n" for c in table.computed if c.formula(later))
    )


def _address(table: Body, c: PlannedCell) -> str:
    return f"{column_name(c.col)}{{{table.sheet}|{c.row}}}"


def _formula(c: PlannedCell, later: bool) -> str:
    return escape(c.formula(later), quote=False)


def _compiled(table: Body, template: str) -> Printer:
    """A function that fills in the template: f-strings, in which every row number is added once."""
    sheets = list(table.rows_at(0))
    offsets: dict[tuple[str, int], str] = {}

    def row_name(match: re.Match[str]) -> str:
        return "{" + offsets.setdefault((match[1], int(match[2])), f"r{len(offsets)}") + "}"

    body = re.sub(r"\{([^|}]+)\|(-?\d+)\}", row_name, template)
    lines = [f" {name} = b[{sheets.index(sheet)}] + {offset}" for (sheet, offset), name in offsets.items()]
    scope: dict[str, Any] = {}
    # Python's compiler looks for every replacement field from the start of its f-string, hence many short ones.
    parts = re.findall(rf".{{0,{PART}}}[^\n>]*(?:>|\n|$)", body, re.DOTALL)
    strings = "".join(f"f'''{part}'''," for part in parts if part)
    source = "\n".join(["def render(b, v):", *lines, f" return ''.join(({strings}))"])
    exec(source, scope)  # our own text: formulas from the tape, numbers of rows and styles
    render: Printer = scope["render"]
    return render


def with_errors(rows: str, error: str) -> str:
    """The same rows, with the spreadsheet's error where a value is not a number.

    >>> with_errors('<c r="A1" s="1"><f>1/0</f><v>nan</v></c>', "#NUM!")
    '<c r="A1" s="1" t="e"><f>1/0</f><v>#NUM!</v></c>'
    """
    cell = r'(<c r="[A-Z]+\d+" s="\d+")>(<f>[^<]*</f>)<v>(?:-?inf|nan)</v>'
    return re.sub(cell, rf'\1 t="e">\2<v>{error}</v>', rows)
