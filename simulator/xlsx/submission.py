"""What a student handed in: values and formulas of an untrusted .xlsx file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from simulator.sheet.address import COLUMNS, ROWS, a1, sheet_prefix
from simulator.sheet.relative import column_number, relative_text
from simulator.xlsx.limit import LIMITS, Limits, Package

_PREFIX = re.compile(r'("(?:[^"]|"")*")|_xl(?:fn|ws|pm)\.')  # Excel marks functions newer than the format
_NESTING = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'|[()]""")
_ESCAPE = re.compile(r"_x([0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2})_")  # a character; no half of a pair
_SINGLE = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))!\$([A-Z]{1,3})\$([1-9][0-9]{0,6})")

WARNINGS = (  # how the name of a part starts, what it means
    ("xl/vbaproject", "macros are ignored"),
    ("xl/macrosheets/", "macros are ignored"),
    ("xl/externallinks/", "links to other workbooks are ignored"),
    ("xl/connections", "connections to other data are ignored"),
    ("xl/embeddings/", "embedded files are ignored"),
)


class SubmittedCell(NamedTuple):
    """A cell as the file stores it; a formula is in relative form, without "=", and "" for a constant."""

    value: float | str | bool | None  # None: nothing is stored
    formula: str = ""
    offset: tuple[int, int] | None = None  # within an array formula, which is then relative to its first cell
    is_error: bool = False  # the value is a text such as "#NUM!"


@dataclass(frozen=True)
class SubmittedSheet:
    name: str
    cells: dict[tuple[int, int], SubmittedCell]  # rows and columns from 0; only cells that hold something


@dataclass(frozen=True)
class Submission:
    path: Path
    sheets: dict[str, SubmittedSheet]  # in the file's order
    names: dict[str, tuple[str, int, int]]  # defined names of single cells: sheet, row, column
    properties: dict[str, str]  # custom document properties
    warnings: tuple[str, ...]


def read_submission(path: Path, limits: Limits = LIMITS) -> Submission:
    """The cells, names and properties of a workbook from an unknown hand.

    Raises SubmissionError when the file is no workbook, is damaged, or costs more than the limits allow.
    """
    package = Package(path, limits)
    if "_rels/.rels" not in package.members:
        raise package.no_workbook("a zip archive without a workbook in it")
    top = dict(_relations(package, ""))
    book = next((part for part, kind in top.values() if kind == "officeDocument"), None)
    if book is None:
        raise package.no_workbook("a zip archive without a workbook in it")
    elements = package.elements(book)
    if elements[0].name != "workbook":
        raise package.no_workbook("another kind of Office document")
    parts = dict(_relations(package, book))
    texts = _Texts(package)
    for part, kind in parts.values():
        if kind == "sharedStrings":
            package.parse(part, texts)
    sheets: dict[str, SubmittedSheet] = {}
    folded = set()
    for element in elements:
        part, kind = parts.get(element.attributes.get("id", ""), ("", ""))
        if element.name != "sheet" or kind in ("chartsheet", "dialogsheet", "xlMacrosheet"):
            continue
        name = element.attributes.get("name", "")
        if name.lower() in folded:
            raise package.damaged(f"two sheets have the name {name!r}")
        folded.add(name.lower())
        if len(folded) > limits.sheets:
            raise package.refused(f"have at most {limits.sheets} sheets", "which has more", "Delete what is extra.")
        reader = _Sheet(package, name, texts.found)
        package.parse(part, reader)
        sheets[name] = SubmittedSheet(name, reader.finished())
    names = {}
    for element in elements:
        given = element.attributes
        hidden = given.get("hidden", "0") not in ("0", "false")
        if element.name == "definedName" and not hidden and "localSheetId" not in given:
            match = _SINGLE.fullmatch(element.text)
            if match:
                sheet = match[1].replace("''", "'") if match[1] else match[2]
                row, col = int(match[4]) - 1, column_number(match[3])
                if sheet in sheets and row < ROWS and col < COLUMNS:
                    names[given.get("name", "")] = sheet, row, col
    properties: dict[str, str] = {}
    for part, kind in top.values():
        if kind == "custom-properties":
            properties |= _properties(package, part)
    warnings = dict.fromkeys(
        warning for start, warning in WARNINGS for part in package.members if part.startswith(start)
    )
    return Submission(path, sheets, names, properties, tuple(warnings))


def _relations(package: Package, part: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What a part refers to within the file: key, then part and kind; of the whole file for part ""."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    for element in package.elements(relations) if relations in package.members else ():
        given = element.attributes
        if element.name == "Relationship" and given.get("TargetMode") != "External":
            key, kind, target = (given.get(word, "") for word in ("Id", "Type", "Target"))
            target = posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/")))
            yield key, (target.lstrip("/").lower(), kind.rpartition("/")[2])


def _properties(package: Package, part: str) -> dict[str, str]:
    properties, name = {}, ""
    for element in package.elements(part):
        if element.name == "property":
            name = element.attributes.get("name", "")
        elif name:
            properties[name] = _plain(element.text)
    return properties


def _plain(text: str) -> str:
    """A text without the format's escapes.

    >>> _plain("a_x000A_b")
    'a\\nb'
    """
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _nesting(formula: str) -> int:
    """How many brackets stand in one another.

    >>> _nesting('SUM((A1),"((")')
    2
    """
    depth = deepest = 0
    for match in _NESTING.finditer(formula):
        depth += (match[0] == "(") - (match[0] == ")")
        deepest = max(deepest, depth)
    return deepest


@lru_cache(COLUMNS)
def _column(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha()):
        raise ValueError(letters)
    return column_number(letters)


class _Texts:
    """The shared texts, runs of one text joined."""

    def __init__(self, package: Package) -> None:
        self.package, self.found, self.runs, self.phonetic = package, list[str](), list[str](), False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self.runs = []
        elif name == "rPh":  # how to pronounce it, which is no part of it
            self.phonetic = True

    def end(self, name: str, text: str) -> None:
        if name == "t" and not self.phonetic:
            self.runs.append(text)
        elif name == "rPh":
            self.phonetic = False
        elif name == "si":
            self.package.count("texts")
            self.found.append(_plain("".join(self.runs)))


class _Sheet:
    """The cells of one sheet, while its part is read."""

    def __init__(self, package: Package, name: str, texts: list[str]) -> None:
        self.package, self.name, self.texts = package, name, texts
        self.cells: dict[tuple[int, int], SubmittedCell] = {}
        self.shared: dict[str, str] = {}
        self.waiting: list[tuple[tuple[int, int], str]] = []  # cells with a shared formula that comes later
        self.arrays: list[tuple[int, int, int, int, str]] = []
        self.same: dict[str, str] = {}  # one object per formula: a column has thousands of equal ones
        self.inside = self.phonetic = False
        self.row = self.col = -1
        self.kind = ""
        self.value: str | None = None
        self.formula: str | None = None
        self.given: dict[str, str] = {}
        self.runs: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self.row, self.col = self._place(attributes["r"]) if "r" in attributes else (self.row, self.col + 1)
            self.kind = attributes.get("t", "n")
            self.value = self.formula = None
            self.runs = []
        elif name == "f":
            self.given = attributes
        elif name == "row":
            self.row, self.col = int(attributes.get("r", self.row + 2)) - 1, -1
        elif name == "rPh":
            self.phonetic = True
        elif name == "sheetData":
            self.inside = True

    def end(self, name: str, text: str) -> None:
        if name == "v":
            self.value = text
        elif name == "f":
            self.formula = text
        elif name == "c":
            if self.inside:
                self._add()
        elif name == "t" and not self.phonetic:
            self.runs.append(text)
        elif name == "rPh":
            self.phonetic = False
        elif name == "sheetData":
            self.inside = False

    def finished(self) -> dict[tuple[int, int], SubmittedCell]:
        """All cells, when the part has been read."""
        for at, key in self.waiting:
            if key not in self.shared:
                raise self.package.damaged(f"the formula that {self._address(*at)} shares is missing")
            self.cells[at] = self.cells[at]._replace(formula=self.shared[key])
        for row, col, last_row, last_col, formula in self.arrays:
            for r in range(row, last_row + 1):
                for c in range(col, last_col + 1):
                    cell = self.cells.get((r, c), SubmittedCell(None))
                    if not cell.formula or (r, c) == (row, col):
                        self.cells[r, c] = cell._replace(formula=formula, offset=(r - row, c - col))
        return self.cells

    def _place(self, address: str) -> tuple[int, int]:
        letters = address.rstrip("0123456789")
        digits = address[len(letters) :]
        if len(digits) > 7 or len(letters) > 3 or int(digits) > ROWS or _column(letters) >= COLUMNS or int(digits) < 1:
            raise self._outside(address)
        return int(digits) - 1, _column(letters)

    def _outside(self, address: str) -> Exception:
        rule = f"keep to {ROWS:,} rows and {COLUMNS:,} columns"
        return self.package.refused(rule, f"which has a cell {address[:20]!r} on sheet {self.name!r}")

    def _address(self, row: int, col: int) -> str:
        return sheet_prefix(self.name) + a1(row, col)

    def _add(self) -> None:
        at = self.row, self.col
        if not (0 <= self.row < ROWS and 0 <= self.col < COLUMNS):
            raise self._outside(a1(*at))
        formula = self._formula(*at) if self.formula is not None else ""
        value = self._value()
        if value is None and self.formula is None:
            return
        if at in self.cells:
            raise self.package.damaged(f"{self._address(*at)} is there twice")
        self.package.count("cells")
        self.cells[at] = SubmittedCell(value, formula, None, self.kind == "e" and value is not None)

    def _value(self) -> float | str | bool | None:
        text = self.value
        if self.kind == "inlineStr":
            return _plain("".join(self.runs)) if self.runs else None
        if not text:
            return None
        if self.kind == "n":
            try:
                number = float(text)
            except ValueError:
                return text
            return number if isfinite(number) and "_" not in text else text
        if self.kind == "s":
            index = int(text)
            if index < 0:
                raise ValueError(text)
            return self.texts[index]
        if self.kind == "b":
            return text.strip() in ("1", "true")
        return _plain(text) if self.kind == "str" else text

    def _formula(self, row: int, col: int) -> str:
        """The formula of the cell that ends here, or "" where it is known later."""
        kind, key, text = self.given.get("t"), self.given.get("si", ""), (self.formula or "").removeprefix("=")
        if kind == "dataTable":  # no formula, but results of a what-if analysis
            self.formula = None
            return ""
        if not text:
            if kind == "shared":
                if key in self.shared:
                    return self.shared[key]
                self.waiting.append(((row, col), key))
            else:
                self.formula = None
            return ""
        limits = self.package.limits
        if text.count("(") > limits.nesting and _nesting(text) > limits.nesting:
            rule = f"hold no formula with more than {limits.nesting} brackets in one another"
            raise self.package.refused(rule, f"whose cell {self._address(row, col)} does", "Split the formula.")
        if len(text) > limits.formula:
            rule = f"hold no formula of more than {limits.formula:,} characters"
            raise self.package.refused(rule, f"whose cell {self._address(row, col)} does", "Split the formula.")
        if "_xl" in text:
            text = _PREFIX.sub(lambda match: match[1] or "", text)
        formula = relative_text(text, row, col)
        formula = self.same.setdefault(formula, formula)
        if kind == "shared" and ("ref" in self.given or key not in self.shared):
            self.shared[key] = formula
        elif kind == "array":
            first, _, last = self.given.get("ref", a1(row, col)).partition(":")
            last_row, last_col = self._place(last or first)
            self.package.count("cells", max(0, last_row - row + 1) * max(0, last_col - col + 1))
            self.arrays.append((row, col, last_row, last_col, formula))
        return formula
