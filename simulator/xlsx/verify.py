"""Compare every cell of a workbook with the reference: stored values, formulas, and what engines recalculate."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.book.workbook import Workbook
from simulator.errors import WorkbookError
from simulator.sheet.address import a1, sheet_prefix
from simulator.sheet.sheet import Sheet
from simulator.xlsx.recalculate import STORED, Grid, recalculated
from simulator.xlsx.tolerance import disagrees, policy_of, ulps

Order = Callable[[tuple[int, int]], tuple[bool, int, int, int]]
SHOWN = 20  # mismatches that a report lists; one wrong cell can make thousands


class Mismatch(NamedTuple):
    """One cell that is not as it should be. what: "value", "missing" or "not a formula"."""

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
    max_ulp: float = 0.0
    max_difference: float = 0.0
    seconds: float = 0.0
    mismatches: list[Mismatch] = field(default_factory=list)


@dataclass
class Verification:
    path: Path
    lesson: str
    formulas: int
    findings: list[Finding]

    @property
    def agrees(self) -> bool:
        return all(f.wrong == 0 for f in self.findings)


def expected_grid(sheet: Sheet) -> Grid:
    """The numbers and texts that a sheet must show; an error value is the text "#"."""
    rows = 1 + max([r for r, _ in sheet.cells] + [t.last_row for t in sheet.tables])
    columns = 1 + max([c for _, c in sheet.cells] + [t.last_col for t in sheet.tables])
    numbers = np.full((rows, columns), np.nan)
    texts: dict[tuple[int, int], str] = {}
    for at, cell in sheet.cells.items():
        if isinstance(cell.value, str):
            if cell.value:
                texts[at] = cell.value
        else:
            numbers[at] = cell.value
            if not np.isfinite(cell.value):
                numbers[at], texts[at] = np.nan, "#"
    for table in sheet.tables:
        values = np.fromiter(table.blocks(), dtype=(np.float64, len(table.computed)), count=table.count)
        body = numbers[table.first_row : table.last_row + 1]
        for k, c in enumerate(table.computed):
            body[c.row :: table.height, c.col] = values[:, k]
        for block, k in np.argwhere(~np.isfinite(values)):
            c = table.computed[k]
            at = table.first_row + int(block) * table.height + c.row, c.col
            numbers[at], texts[at] = np.nan, "#"
        for c in table.plan:
            if c.text:
                for block in range(table.count):
                    texts[table.first_row + block * table.height + c.row, c.col] = c.text
    return Grid(numbers, texts)


def formula_cells(sheet: Sheet) -> int:
    single = sum(1 for c in sheet.cells.values() if c.formula)
    return single + sum(len(t.computed) * t.count for t in sheet.tables)


def verify(path: Path, workbook: Workbook, engines: Sequence[str]) -> Verification:
    """Hold a file against the workbook that it should be.

    Three kinds of evidence: every formula is there, every stored value is right, and every value that an
    engine recalculates is right. Raises EngineError or WorkbookError when the file can't be read.
    """
    grids = {sheet.name: expected_grid(sheet) for sheet in workbook.sheets}
    order = {sheet.name: _reading_order(sheet) for sheet in workbook.sheets}
    sizes = {name: (grid.numbers.shape[0], grid.numbers.shape[1]) for name, grid in grids.items()}
    formulas = sum(map(formula_cells, workbook.sheets))

    def ask(source: str) -> Finding:
        start = time.perf_counter()
        finding = Finding(source)
        found = recalculated(path, source, sizes)
        for name, grid in grids.items():
            _compare(finding, name, grid, found[name], order[name])
        finding.seconds = time.perf_counter() - start
        return finding

    with ThreadPoolExecutor(2) as pool:
        findings = list(pool.map(ask, (STORED, *engines)))
    return Verification(path, workbook.lesson, formulas, [_check_formulas(path, workbook), *findings])


def _compare(finding: Finding, sheet: str, expected: Grid, found: Grid, order: Order) -> None:
    policy = policy_of(finding.source, sheet, float(np.nanmax(np.abs(expected.numbers), initial=1.0)))
    finding.cells += int(np.isfinite(expected.numbers).sum()) + len(expected.texts)
    both = np.isfinite(expected.numbers) & np.isfinite(found.numbers)
    if both.any():
        finding.max_ulp = max(finding.max_ulp, float(ulps(found.numbers[both], expected.numbers[both]).max()))
        finding.max_difference = max(
            finding.max_difference, float(np.abs(found.numbers[both] - expected.numbers[both]).max())
        )
    # Where the workbook has nothing, a reader may write what they like.
    far = disagrees(found.numbers, expected.numbers, policy) & np.isfinite(expected.numbers)
    wrong = {(int(r), int(c)) for r, c in np.argwhere(far)}
    for at, a in expected.texts.items():
        b = found.texts.get(at)
        if a == "#" and (policy.skips_errors or (b is not None and b.startswith("#"))):
            wrong.discard(at)
        elif a != b:
            wrong.add(at)
    finding.wrong += len(wrong)
    for at in sorted(wrong, key=order)[: SHOWN - len(finding.mismatches)]:
        want, got = _shown(expected, at), _shown(found, at)
        what = "missing" if got == "nothing" else "value"
        finding.mismatches.append(Mismatch(finding.source, sheet, a1(*at), what, want, got))


def _shown(grid: Grid, at: tuple[int, int]) -> str:
    if at in grid.texts:
        text = grid.texts[at]
        return "an error value" if text == "#" else text if text.startswith("#") else f"'{text}'"
    number = float(grid.numbers[at])
    return "nothing" if np.isnan(number) else repr(number)


def _reading_order(sheet: Sheet) -> Order:
    """Sorts cells so that a cause comes before its consequences.

    Tables before the single cells that look into them, block by block, and left to right within a block.
    """
    spans = [(t.first_row, t.last_row, t.height) for t in sheet.tables]

    def order(at: tuple[int, int]) -> tuple[bool, int, int, int]:
        row, col = at
        for first, last, height in spans:
            if first <= row <= last:
                return False, first + (row - first) // height * height, col, row
        return True, row, col, row

    return order


def _check_formulas(path: Path, workbook: Workbook) -> Finding:
    """Whether every cell that must be a formula is one; counted first, and searched only where the count is off."""
    start = time.perf_counter()
    finding = Finding("formulas")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _sheet_parts(archive)
            for sheet in workbook.sheets:
                expected = formula_cells(sheet)
                finding.cells += expected
                xml = archive.read(parts[sheet.name]) if sheet.name in parts else b""
                if len(re.findall(rb"<f[ >/]", xml)) == expected:
                    continue
                present = {m[1].decode() for m in re.finditer(rb'<c r="([A-Z]+\d+)"[^>]*><f', xml)}
                for cell in _formula_addresses(sheet):
                    if cell not in present:
                        finding.wrong += 1
                        if len(finding.mismatches) < SHOWN:
                            finding.mismatches.append(
                                Mismatch("formulas", sheet.name, cell, "not a formula", "a formula", "none")
                            )
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise WorkbookError(
            f"A workbook must be an .xlsx file that opens. Received: '{path}' ({error}). Build it again."
        ) from error
    finding.seconds = time.perf_counter() - start
    return finding


def _formula_addresses(sheet: Sheet) -> Iterator[str]:
    for at, cell in sheet.cells.items():
        if cell.formula:
            yield a1(*at)
    for table in sheet.tables:
        for block in range(table.count):
            for c in table.computed:
                yield a1(table.first_row + block * table.height + c.row, c.col)


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The XML part of every sheet, by the sheet's name."""
    book = archive.read("xl/workbook.xml").decode()
    relations = archive.read("xl/_rels/workbook.xml.rels").decode()
    targets = {}
    for tag in re.findall(r"<Relationship [^>]*>", relations):
        key, target = re.search(r'Id="([^"]+)"', tag), re.search(r'Target="([^"]+)"', tag)
        if key and target:
            targets[key[1]] = "xl/" + target[1].removeprefix("/xl/")
    parts = {}
    for tag in re.findall(r"<sheet [^>]*>", book):
        name, key = re.search(r'name="([^"]+)"', tag), re.search(r'r:id="([^"]+)"', tag)
        if name and key:
            parts[name[1].replace("&amp;", "&")] = targets[key[1]]
    return parts
