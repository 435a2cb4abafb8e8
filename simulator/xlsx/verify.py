"""Compare every cell of a workbook with the reference: formulas, stored values, and what engines recalculate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.book.workbook import Workbook
from simulator.sheet.address import COLUMNS, a1, sheet_prefix
from simulator.sheet.panel import Panel
from simulator.sheet.sheet import Sheet
from simulator.xlsx.formulas import Formulas, read_formulas, with_numbers
from simulator.xlsx.recalculate import STORED, Grid, recalculated, stop_engines
from simulator.xlsx.tolerance import disagrees, policy_of, ulps

At = tuple[int, int]  # row, column
Order = Callable[[At], tuple[bool, int, int, int]]
SHOWN = 20  # mismatches that a report lists; one wrong cell can make thousands
PROBE = "formualizer"  # who recalculates a copy with other given numbers
ERROR = "#"  # how a grid marks an error value


class Mismatch(NamedTuple):
    """One cell that is not as it should be. what: "value", "missing", "not a formula", "another formula"."""

    source: str
    sheet: str
    cell: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f"{sheet_prefix(self.sheet)}{self.cell}"
        return f"{where}: {self.source}: {self.what}, expected {self.expected}, found {self.found}"


@dataclass
class Finding:
    """What one source says of a workbook: an engine, the stored values, or the formulas themselves."""

    source: str
    cells: int = 0
    wrong: int = 0
    skipped: int = 0  # error values that this source does not show
    max_ulp: float = 0.0
    max_difference: float = 0.0  # as a part of the number where that is above 1
    seconds: float = 0.0
    mismatches: list[Mismatch] = field(default_factory=list)

    def add(self, mismatch: Mismatch) -> None:
        self.wrong += 1
        if len(self.mismatches) < SHOWN:
            self.mismatches.append(mismatch)


@dataclass
class Verification:
    path: Path
    lesson: str
    formulas: int
    findings: list[Finding]

    @property
    def agrees(self) -> bool:
        return all(f.wrong == 0 for f in self.findings)


def verify(path: Path, workbook: Workbook, engines: Sequence[str], *, fresh: bool = True) -> Verification:
    """Hold a file against the workbook that it should be.

    Three kinds of evidence: every formula is there, every stored value is right, and every value that an
    engine recalculates is right. fresh says that nobody has saved the file since it was written. Raises
    EngineError or WorkbookError when the file can't be read.
    """
    start = time.perf_counter()
    grids = {sheet.name: expected_grid(sheet, workbook) for sheet in workbook.sheets}
    orders = {sheet.name: _reading_order(sheet) for sheet in workbook.sheets}
    formulas = read_formulas(path, workbook.sheets)
    first = Finding("formulas", cells=sum(f.count for f in formulas.values()))
    for sheet, found in formulas.items():
        if found.disordered:
            where = f"A{found.disordered}"
            first.add(Mismatch("formulas", sheet, where, "out of order", "rows that ascend", "a row after a later one"))
        for cell in found.missing:
            first.add(Mismatch("formulas", sheet, cell, "not a formula", "a formula", "none"))
    if any(f.other for f in formulas.values()):
        _judge_other_formulas(first, path, workbook, formulas)
    first.seconds = time.perf_counter() - start

    def ask(source: str) -> Finding:
        begun = time.perf_counter()
        finding = Finding(source)
        found = recalculated(path, source, {name: grid.numbers.shape for name, grid in grids.items()})
        for name, grid in grids.items():
            if source == STORED:  # its reader does not show error values
                found[name].texts.update(
                    {at: ERROR for at, t in grid.texts.items() if a1(*at) in formulas[name].errors}
                )
            _compare(finding, name, grid, found[name], orders[name], fresh)
        finding.seconds = time.perf_counter() - begun
        return finding

    with ThreadPoolExecutor(2) as pool:
        try:
            findings = list(pool.map(ask, (STORED, *engines)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_engines()
            raise
    return Verification(path, workbook.lesson, sum(map(formula_cells, workbook.sheets)), [first, *findings])


def formula_cells(sheet: Sheet) -> int:
    single = sum(1 for c in sheet.cells.values() if c.formula)
    repeated = sum(bool(c.first) + bool(c.later) * (t.count - 1) for t in sheet.tables for c in t.computed)
    return single + repeated


def expected_grid(sheet: Sheet, workbook: Workbook | None = None) -> Grid:
    """What formulas and given cells of a sheet must show; headings and remarks are the reader's to change."""
    rows = 1 + max([r for r, _ in sheet.cells] + [t.last_row for t in sheet.tables])
    columns = 1 + max([c for _, c in sheet.cells] + [t.last_col for t in sheet.tables])
    numbers = np.full((rows, columns), np.nan)
    texts: dict[At, str] = {}
    given = workbook.given if workbook else {}
    for at, cell in sheet.cells.items():
        if not cell.formula and (sheet.name, *at) not in given:
            continue
        if isinstance(cell.value, str):
            texts[at] = cell.value
        elif np.isfinite(cell.value):
            numbers[at] = cell.value
        else:
            texts[at] = ERROR
    for table in sheet.tables:
        values = np.fromiter(table.blocks(), dtype=(np.float64, len(table.computed)), count=table.count)
        body = numbers[table.first_row : table.last_row + 1]
        for k, c in enumerate(table.computed):
            body[c.row :: table.height, c.col] = values[:, k]
        for block, k in np.argwhere(~np.isfinite(values)):
            c = table.computed[k]
            if not c.formula(block > 0):  # left empty for a reader to fill in
                continue
            at = table.first_row + int(block) * table.height + c.row, c.col
            numbers[at], texts[at] = np.nan, ERROR
    return Grid(numbers, texts)


def _compare(finding: Finding, sheet: str, expected: Grid, found: Grid, order: Order, fresh: bool) -> None:
    largest = float(np.nanmax(np.abs(expected.numbers), initial=1.0))
    policy = policy_of(finding.source, sheet, largest, fresh=fresh)
    judged = np.isfinite(expected.numbers)
    finding.cells += int(judged.sum()) + len(expected.texts)
    both = judged & np.isfinite(found.numbers)
    if both.any():
        finding.max_ulp = max(finding.max_ulp, float(ulps(found.numbers[both], expected.numbers[both]).max()))
        scale = np.maximum(1.0, np.abs(expected.numbers[both]))
        difference = float((np.abs(found.numbers[both] - expected.numbers[both]) / scale).max())
        finding.max_difference = max(finding.max_difference, difference)
    # Where the workbook has nothing, a reader may write what they like.
    wrong = {(int(r), int(c)) for r, c in np.argwhere(disagrees(found.numbers, expected.numbers, policy) & judged)}
    for at, a in expected.texts.items():
        b = found.texts.get(at, "")
        if a == ERROR and policy.skips_errors:
            finding.cells -= 1
            finding.skipped += 1
        elif not (b.startswith(ERROR) if a == ERROR else a == b):
            wrong.add(at)
    for at in sorted(wrong, key=order):
        want, got = _shown(expected, at), _shown(found, at)
        finding.add(Mismatch(finding.source, sheet, a1(*at), "missing" if got == "nothing" else "value", want, got))


def _shown(grid: Grid, at: At) -> str:
    if at in grid.texts:
        text = grid.texts[at]
        return "an error value" if text == ERROR else text if text.startswith(ERROR) else f"'{text}'"
    number = float(grid.numbers[at])
    return "nothing" if np.isnan(number) else repr(number)


def _reading_order(sheet: Sheet) -> Order:
    """Sorts cells so that a cause comes before its consequences.

    Tables before the single cells that look into them, block by block; within a block from left to right, within a
    network's step in the order of computation.
    """
    computed = {
        id(t): {(row, col): node.serial for row, col, _, node, _ in t.entries}
        for t in sheet.tables
        if isinstance(t, Panel)
    }

    def order(at: At) -> tuple[bool, int, int, int]:
        row, col = at
        for t in sheet.tables:
            if t.first_row <= row <= t.last_row:
                block, within = divmod(row - t.first_row, t.height)
                place = computed[id(t)].get((within, col), col) if id(t) in computed else col
                return False, block, place, row * COLUMNS + col
        return True, row, col, row

    return order


def _judge_other_formulas(finding: Finding, path: Path, workbook: Workbook, formulas: dict[str, Formulas]) -> None:
    """A formula with another text is right when it also leads to the right value from other given numbers."""
    moved = workbook.moved() if workbook.moved else None
    wrong: dict[str, set[At]] = {}
    if moved is not None:
        grids = {sheet.name: expected_grid(sheet, moved) for sheet in moved.sheets}
        with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
            copy = Path(folder) / "moved.xlsx"
            with_numbers(path, copy, moved.given)
            found = recalculated(copy, PROBE, {name: grid.numbers.shape for name, grid in grids.items()})
        for name, grid in grids.items():
            largest = float(np.nanmax(np.abs(grid.numbers), initial=1.0))
            # libreoffice's policy: an equivalent formula may add in another order
            far = disagrees(found[name].numbers, grid.numbers, policy_of("libreoffice", name, largest))
            wrong[name] = {(int(r), int(c)) for r, c in np.argwhere(far)}
    for name, sheet in formulas.items():
        addresses = {a1(*at) for at in wrong.get(name, ())}
        for cell, (want, got) in sheet.other.items():
            if moved is None or cell in addresses:
                finding.add(Mismatch("formulas", name, cell, "another formula", f"={want}", f"={got}"))
