"""Whether a file holds the formulas that it must, without asking an engine."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import islice, pairwise
from pathlib import Path

from simulator.errors import WorkbookError
from simulator.sheet.address import a1
from simulator.sheet.sheet import Sheet
from simulator.xlsx.rows import formula_printer

# A cell with a formula; a shared formula may leave its text to another cell.
CELL = re.compile(rb'<c r="([A-Z]+[0-9]+)"([^>]*)><f(?:[^>]*?/>|[^>]*?>([^<]*)</f>)')


@dataclass
class Formulas:
    """What one sheet of a file holds, against what it must: cells without a formula, and with another text."""

    count: int = 0
    missing: list[str] = field(default_factory=list)
    other: dict[str, tuple[str, str]] = field(default_factory=dict)  # address -> expected, found
    errors: set[str] = field(default_factory=set)  # cells that store an error value
    disordered: int = 0  # the first row that follows a later one, which Excel would repair


def read_formulas(path: Path, sheets: tuple[Sheet, ...]) -> dict[str, Formulas]:
    """Compare the formulas of a file with those of these sheets.

    Raises WorkbookError when the file is no workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = sheet_parts(archive)
            xml = {s.name: archive.read(parts[s.name]) if s.name in parts else b"" for s in sheets}
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise WorkbookError(
            f"A workbook must be an .xlsx file that opens. Received: '{path}' ({error}). Build it again."
        ) from error
    return {sheet.name: _compare(sheet, xml[sheet.name]) for sheet in sheets}


def _compare(sheet: Sheet, xml: bytes) -> Formulas:
    result = Formulas(errors={m[1].decode() for m in re.finditer(rb'<c r="([A-Z]+[0-9]+)"[^>]* t="e"', xml)})
    rows = [int(r) for r in re.findall(rb'<row [^>]*?r="([0-9]+)"', xml)]
    result.disordered = next((below for above, below in pairwise(rows) if below <= above), 0)
    found = CELL.finditer(xml)
    same = True
    for expected in _expected(sheet):
        count = expected.count("\n")
        result.count += count
        lines = (b"%b=%b\n" % (m[1], m[3] or b"") for m in islice(found, count))
        same = same and b"".join(lines).decode() == expected
    if not same:  # look closer: another program may have saved the file, and spelled the same otherwise
        texts = {m[1].decode(): html.unescape((m[3] or b"").decode()) for m in CELL.finditer(xml)}
        for expected in _expected(sheet):
            for line in expected.splitlines():
                address, _, formula = line.partition("=")
                formula = html.unescape(formula)
                if address not in texts:
                    result.missing.append(address)
                elif texts[address] != formula:
                    result.other[address] = formula, texts[address]
    return result


def _expected(sheet: Sheet) -> Iterator[str]:
    """Address and formula of every cell that must be one, in the order of the file, some lines at a time."""
    single = sorted((at, cell.formula) for at, cell in sheet.cells.items() if cell.formula)
    yield "".join(f"{a1(*at)}={escape(formula, quote=False)}\n" for at, formula in single)
    for table in sheet.tables:
        first, later = formula_printer(table, False), formula_printer(table, True)
        for block in range(table.count):
            yield (later if block else first)(tuple(table.rows_at(block).values()), ())


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
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
            parts[html.unescape(name[1])] = targets[key[1]]
    return parts


def with_numbers(path: Path, copy: Path, numbers: Mapping[tuple[str, int, int], float]) -> None:
    """A copy of a workbook with other constants in some cells, by sheet, row and column."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        parts = {part: name for name, part in sheet_parts(old).items()}
        for part in old.namelist():
            data = old.read(part)
            mine = {a1(r, c): x for (sheet, r, c), x in numbers.items() if sheet == parts.get(part)}
            if mine:
                data = re.sub(
                    rb'(<c r="([A-Z]+[0-9]+)"[^>]*>)<v>[^<]*</v>',
                    lambda m, mine=mine: (  # type: ignore[misc]
                        b"%b<v>%b</v>" % (m[1], repr(mine[m[2].decode()]).encode()) if m[2].decode() in mine else m[0]
                    ),
                    data,
                )
            new.writestr(part, data)
