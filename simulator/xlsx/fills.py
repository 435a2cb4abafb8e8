"""Cells' colours: a format per old format and colour that meet, and the cells that take it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping

from simulator.sheet.address import COLUMNS, ROWS, a1
from simulator.xlsx.package import (
    Section,
    attributes_of,
    column_of,
    columns_of,
    name_prefix,
    section_of,
    with_attribute,
)

STYLE = re.compile(r"""\ss\s*=\s*["'](\d+)["']""")  # of a cell
Place = tuple[int, int]  # row and column, from 0


def formats_of(section: Section) -> list[re.Match[str]]:
    p = section.prefix
    return list(re.finditer(rf"<{p}xf((?:\s[^>]*?)?)(?:/>|>.*?</{p}xf\s*>)", section.body, re.DOTALL))


def with_formats(styles: str, formats: Mapping[tuple[int, str], int]) -> str:
    """The styles with a copy of an old format for every (old format, fill), in the order of their new numbers."""
    xfs = section_of(styles, "cellXfs")
    fills = section_of(styles, "fills")
    old, p = formats_of(xfs), xfs.prefix
    first = len(re.findall(rf"<{p}fill[\s/>]", fills.body))
    colours = list(dict.fromkeys(fill for _, fill in formats))
    new = []
    for base, fill in formats:
        if base >= len(old):
            raise ValueError(f"a cell of format {base}, of {len(old)} formats")
        before = old[base][1]
        given = with_attribute(with_attribute(before, "fillId", first + colours.index(fill)), "applyFill", 1)
        new.append(f"<{p}xf{given}{old[base][0].removeprefix(f'<{p}xf{before}')}")
    count = with_attribute(xfs.attributes, "count", len(old) + len(new))
    styles = xfs.replaced(styles, xfs.body + "".join(new), count)
    added = [
        f'<{p}fill><{p}patternFill patternType="solid"><{p}fgColor rgb="FF{colour[1:].upper()}"/>'
        f'<{p}bgColor indexed="64"/></{p}patternFill></{p}fill>'
        for colour in colours
    ]
    count = with_attribute(fills.attributes, "count", first + len(colours))
    return section_of(styles, "fills").replaced(styles, fills.body + "".join(added), count)


def with_fills(text: str, fills: Mapping[Place, str], formats: dict[tuple[int, str], int], first_free: int) -> str:
    """A sheet with the formats of these cells exchanged, in one pass; cells and rows that are missing are inserted.

    formats gives every (old format, fill) its new number and grows.
    """
    p = name_prefix(text)
    data = section_of(text, "sheetData")
    columns = columns_of(text[: data.start], p)
    out: list[str] = []
    written, row, col, row_format = 0, -1, -1, ""
    wanted: dict[int, deque[int]] = {}
    for r, c in sorted(fills):
        wanted.setdefault(r, deque()).append(c)
    rows, cells = deque(wanted), deque[int]()

    def style(at: Place, old: object) -> int:
        return formats.setdefault((int(str(old)), fills[at]), first_free + len(formats))

    def new_cells(before: int) -> str:
        new = []
        while cells and cells[0] < before:
            at = row, cells.popleft()
            own = row_format or next((c.style for c in columns if c.first <= at[1] <= c.last), 0)
            new.append(f'<{p}c r="{a1(*at)}" s="{style(at, own)}"/>')
        return "".join(new)

    def new_rows(before: int) -> str:
        nonlocal row, row_format, cells
        new = []
        while rows and rows[0] < before:
            row, row_format = rows.popleft(), ""
            cells = wanted[row]
            new.append(f'<{p}row r="{row + 1}">{new_cells(COLUMNS)}</{p}row>')
        return "".join(new)

    def put(new: str, start: int, end: int) -> None:
        nonlocal written
        out.extend((data.body[written:start], new))
        written = end

    for tag in re.finditer(rf"<{p}(?:(c)|row)((?:\s[^>]*?)?)(/?)>|</{p}row\s*>", data.body):
        is_cell, attributes, empty = tag.groups()
        if attributes is None:  # the end of a row
            put(new_cells(COLUMNS), tag.start(), tag.start())
        elif is_cell:
            if not cells:
                continue
            previous, col = col, column_of(attributes, row)
            if col <= previous:
                raise ValueError(f"cells of row {row + 1} in disorder")
            put(new_cells(col), tag.start(), tag.start())
            if cells and cells[0] == col:
                cells.popleft()
                old = STYLE.search(attributes)
                number = style((row, col), old[1] if old else 0)
                if old:
                    new = f"{attributes[: old.start(1)]}{number}{attributes[old.end(1) :]}"
                else:
                    new = f'{attributes} s="{number}"'
                put(f"<{p}c{new}{empty}>", *tag.span())
        else:
            a = attributes_of(attributes)
            number = int(a["r"]) - 1 if "r" in a else -1
            if number <= row:
                raise ValueError(f"rows without numbers or in disorder after row {row + 1}")
            put(new_rows(number), tag.start(), tag.start())
            row, col, row_format = number, -1, a.get("s", "") if a.get("customFormat") in ("1", "true") else ""
            cells = wanted[rows.popleft()] if rows and rows[0] == row else deque()
            if empty and cells:
                put(f"<{p}row{attributes}>{new_cells(COLUMNS)}</{p}row>", tag.start(), tag.end())
    put(new_rows(ROWS), len(data.body), len(data.body))
    return data.replaced(text, "".join(out))
