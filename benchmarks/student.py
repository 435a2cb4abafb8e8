"""A student's workbook, cell by cell: a lesson filled in, with mistakes planted in it."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.book.workbook import workbook_of
from simulator.check.placement import At
from simulator.check.reference import Reference
from simulator.lessons.run import Run
from simulator.lessons.training import SHEET
from simulator.sheet.address import a1
from simulator.sheet.program import formula_at
from simulator.sheet.relative import relative_text
from simulator.tape.scalar import Scalar
from simulator.xlsx.submission import Submission, SubmittedCell, SubmittedSheet


@dataclass
class StudentBook:
    """cells (sheet, row, col) hold a number, a text, or a formula that starts with "="."""

    run: Run
    reference: Reference = field(init=False)
    cells: dict[At, float | str] = field(default_factory=dict)
    names: dict[str, At] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reference = Reference(self.run)
        for s in self.run.settings.items.values():
            self.cells[s.sheet, s.row, s.col] = s.value
            self.names[s.name] = s.sheet, s.row, s.col
        for sheet in workbook_of(self.run).sheets:
            if sheet.name == SHEET:
                for (row, col), cell in sheet.cells.items():
                    if isinstance(cell.value, str) and cell.value and not cell.formula:
                        self.cells[SHEET, row, col] = cell.value
        table = self.run.table
        for b in range(table.count):
            rows = table.rows_at(b)
            for c in table.computed:
                text = c.later if b else c.first
                self.cells[SHEET, rows[SHEET] - 1 + c.row, c.col] = "=" + formula_at(text, rows)

    def copy(self) -> StudentBook:
        """The same workbook, to plant mistakes in."""
        twin = copy(self)
        twin.cells = dict(self.cells)
        return twin

    def at(self, k: int, b: int) -> At:
        """The cell of element k in block b."""
        e, table = self.reference.elements[k], self.run.table
        p = table.position(e.node, e.index)
        return SHEET, table.first_row + table.height * b + p.row, p.col

    def formula(self, term: Scalar, b: int) -> str:
        """A term as it stands in block b."""
        program = self.run.table.program
        return "=" + formula_at(program.formula_of(term, SHEET), self.run.table.rows_at(b))

    def plant(self, k: int, term: Scalar, blocks: Iterable[int]) -> None:
        for b in blocks:
            self.cells[self.at(k, b)] = self.formula(term, b)

    def submission(self, name: str = "student.xlsx") -> Submission:
        """The workbook as it is read from a file without stored values."""
        sheets: dict[str, dict[tuple[int, int], SubmittedCell]] = {}
        for (sheet, row, col), content in self.cells.items():
            is_formula = isinstance(content, str) and content.startswith("=")
            formula = relative_text(str(content)[1:], row, col) if is_formula else ""
            cell = SubmittedCell(None if is_formula else content, formula)
            sheets.setdefault(sheet, {})[row, col] = cell
        read = {name: SubmittedSheet(name, cells) for name, cells in sheets.items()}
        return Submission(Path(name), read, self.names, {}, ())

    def save(self, path: Path) -> None:
        """Write it through openpyxl, which stores no values: the next program computes them."""
        import openpyxl
        from openpyxl.workbook.defined_name import DefinedName

        book: Any = openpyxl.Workbook()
        book.remove(book.active)
        for name in dict.fromkeys(sheet for sheet, _, _ in self.cells):
            book.create_sheet(name)
        for (sheet, row, col), content in self.cells.items():
            cell = book[sheet].cell(row + 1, col + 1)
            cell.value = content
            if isinstance(content, str) and not content.startswith("="):
                cell.data_type = "s"
        for name, (sheet, row, col) in self.names.items():
            book.defined_names[name] = DefinedName(name, attr_text=f"'{sheet}'!{a1(row, col, absolute=True)}")
        book.save(path)
