"""A sheet as data: cells, one table that repeats downward, charts, rules. Rows and columns count from 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from simulator.errors import LayoutError
from simulator.sheet.chart import Chart
from simulator.sheet.panel import Panel
from simulator.sheet.style import TEXT, Style
from simulator.sheet.table import Table

Value = float | int | str


class Cell(NamedTuple):
    """A constant, or a formula (without its equals sign) with the value it has now."""

    value: Value
    formula: str = ""
    style: Style = TEXT
    link: str = ""


class Validation(NamedTuple):
    """What a reader may type into a cell."""

    row: int
    col: int
    kind: str  # "decimal", "integer", or "list", whose low has the choices with commas between them
    low: float | str  # a number, or a formula with its equals sign
    high: float | str
    rule: str


class Highlight(NamedTuple):
    """A conditional format: a colour scale, a fill where a cell equals a value, an outline where a formula holds.

    "fill" fills where a formula holds, "error" colours the figures of error values.
    "dot" shows a dot in place of the number where a formula holds.
    "signed" colours around zero, "shade" from light to dark, and "tiny" writes what decimals would round to zero as
    1.2E-07; for these, value may list the ranges instead.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    kind: str  # "scale", "equal", "formula", "fill", "error", "dot", "signed", "shade" or "tiny"
    value: float | str = ""
    fill: str = ""
    color: str = ""
    low: float = 0.0
    high: float = 1.0


Body = Table | Panel  # what repeats downward and is written as a stream of rows


@dataclass
class Sheet:
    name: str
    color: str = ""
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    tables: list[Body] = field(default_factory=list)
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    widths: dict[int, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    freeze: tuple[int, int] | None = None
    charts: list[Chart] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    highlights: list[Highlight] = field(default_factory=list)
    names: dict[str, tuple[int, int]] = field(default_factory=dict)
    print_area: tuple[int, int, int, int] | None = None  # the part that is worth paper
    one_page: bool = False
    very_hidden: bool = False  # not even listed among the hidden sheets

    def put(
        self, row: int, col: int, value: Value, style: Style = TEXT, *, formula: str = "", link: str = ""
    ) -> tuple[int, int]:
        """Place one cell and return where it is."""
        self.cells[row, col] = Cell(value, formula, style, link)
        return row, col

    def put_row(self, row: int, col: int, values: Iterable[Value], style: Style = TEXT) -> None:
        for i, value in enumerate(values):
            self.put(row, col + i, value, style)

    def merge(self, row: int, col: int, last_row: int, last_col: int) -> None:
        if (row, col) != (last_row, last_col):
            self.merges.append((row, col, last_row, last_col))
            style = self.cells[row, col].style
            for r in range(row, last_row + 1):
                for c in range(col, last_col + 1):
                    if (r, c) != (row, col):
                        self.cells[r, c] = Cell("", "", style)

    def check(self) -> Sheet:
        """This sheet, or a LayoutError when a table overlaps another one or a single cell is not above it.

        Rows are written in order: single cells first, then the tables.
        """
        tables = sorted(self.tables, key=lambda t: t.first_row)
        for above, below in pairwise(tables):
            if below.first_row <= above.last_row:
                raise LayoutError(
                    f"Tables on one sheet must not overlap. Received: rows {above.first_row + 1}-{above.last_row + 1} "
                    f"and {below.first_row + 1}-{below.last_row + 1} on sheet '{self.name}'. Move one of them down."
                )
        late = [row for row, _ in self.cells if tables and row >= tables[0].first_row]
        if late:
            raise LayoutError(
                f"Single cells must stand above the tables of their sheet. Received: row {min(late) + 1}, with a table "
                f"from row {tables[0].first_row + 1} on sheet '{self.name}'. Move the cell up or the table down."
            )
        return self
