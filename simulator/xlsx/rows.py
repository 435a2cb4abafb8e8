"""A table's rows as XML: one template, compiled once, filled in block by block."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from simulator.sheet.address import column_name
from simulator.sheet.step import Values
from simulator.sheet.style import Style
from simulator.sheet.table import PlannedCell, Table


def row_printer(
    table: Table, later: bool, formats: dict[Style, int], texts: dict[str, int]
) -> Callable[[tuple[int, ...], Values], str]:
    """A function of (first row on every sheet, values) that prints a block: one f-string, compiled."""
    sheets = list(table.rows_at(0))
    offsets: dict[tuple[str, int], str] = {}

    def row_name(match: re.Match[str]) -> str:
        return "{" + offsets.setdefault((match[1], int(match[2])), f"r{len(offsets)}") + "}"

    cells: dict[int, list[str]] = {row: [] for row in range(table.height)}
    for c in table.plan:
        at = f"{column_name(c.col)}{{{table.sheet}|{c.row}}}"
        style = f'r="{at}" s="{formats[c.style]}"'
        if c.quantity:
            cells[c.row].append(_cell(c, style, table.slot[c.quantity.node.serial, c.index], later))
        else:
            cells[c.row].append(f'<c {style} t="s"><v>{texts[c.text]}</v></c>')
    body = "".join(f'<row r="{{{table.sheet}|{row}}}">{"".join(cs)}</row>' for row, cs in cells.items() if cs)
    body = re.sub(r"\{([^|}]+)\|(-?\d+)\}", row_name, body)
    lines = [f" {name} = b[{sheets.index(sheet)}] + {offset}" for (sheet, offset), name in offsets.items()]
    scope: dict[str, Any] = {}
    source = "\n".join(["def render(b, v):", *lines, f" return f'''{body}'''"])
    exec(source, scope)  # our own text: formulas from the tape, numbers of rows and styles
    render: Callable[[tuple[int, ...], Values], str] = scope["render"]
    return render


def _cell(c: PlannedCell, style: str, slot: int, later: bool) -> str:
    formula = escape(c.later if later else c.first, quote=False)
    return f"<c {style}><f>{formula}</f><v>{{v[{slot}]!r}}</v></c>"


def with_errors(rows: str) -> str:
    """The same rows, with the spreadsheet's error where a value is not a number."""
    return re.sub(r'(<c r="[A-Z]+\d+" s="\d+")>(<f>[^<]*</f>)<v>(?:-?inf|nan)</v>', r'\1 t="e">\2<v>#NUM!</v>', rows)
