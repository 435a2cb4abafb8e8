"""Where a student's cells are: quantities found by their headings, epochs by their numbers, wherever they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median_low
from typing import NamedTuple

from simulator.check.heading import plain, spellings_of
from simulator.check.reference import Element, Reference
from simulator.errors import WorkbookError
from simulator.sheet.address import ROWS, a1, sheet_prefix
from simulator.xlsx.submission import SubmittedCell, SubmittedSheet

At = tuple[str, int, int]  # sheet, row, column
MOST_BLOCKS = 5_000
HEADING_ROWS = 6  # between a symbol and its first number
TYPED_TEXT = re.compile(r"\s*[-+]?\d*[.,]\d+([eE][-+]?\d+)?\s*")  # 0,25; a whole number may be a label


@dataclass
class Placement:
    """One table: where[k] maps a block to the cell of element k; an element without a column has none.

    epochs are the numbers of the blocks as the sheet counts them, when it does; heading is the row of the symbols.
    """

    sheet: str
    heading: int
    where: list[dict[int, At]]
    count: int
    first_epoch: int | None
    columns: dict[str, tuple[str, int]] = field(default_factory=dict)  # quantity -> sheet, first column

    @property
    def cells(self) -> dict[At, tuple[int, int]]:
        """The element and block of every cell."""
        return {at: (k, b) for k, places in enumerate(self.where) for b, at in places.items()}


@dataclass
class Heading:
    """A row of headings: the first column of every quantity named in it, and of its entries that have headings there.

    last is the last row that can belong to the table.
    """

    sheet: SubmittedSheet
    row: int
    columns: dict[str, int]
    entries: dict[tuple[str, int], int] = field(default_factory=dict)
    last: int = ROWS - 1

    @property
    def span(self) -> tuple[int, int]:
        """The first column and the last one that has a heading."""
        mine = [*self.columns.values(), *self.entries.values()]
        return min(mine), max(mine)


def find_tables(sheets: Mapping[str, SubmittedSheet], reference: Reference) -> list[Placement]:
    """Every table of the lesson's quantities, the one with most of them first."""
    names = {e.name for e in reference.elements} | {"epoch"}
    computed = {e.name for e in reference.elements if e.quantity.role != "given"}
    fewest = max(2, len(computed) // 3)
    found = []
    for heading in sorted(headings(sheets, names), key=lambda h: -len(h.columns)):
        if len(computed & set(heading.columns)) >= fewest:
            placement = placed(heading, reference)
            if placement.count:
                found.append(placement)
    return found


def find_table(sheets: Mapping[str, SubmittedSheet], reference: Reference) -> Placement:
    """The table to mark. Quantities that it lacks are taken from other tables with the same epochs.

    Raises WorkbookError when there is none.
    """
    tables = find_tables(sheets, reference)
    if not tables:
        names = ", ".join(dict.fromkeys(e.name for e in reference.elements))
        raise WorkbookError(
            f"A sheet is found by the headings of '{reference.lesson.name}', such as {names[:120]}. "
            "Received: no row with a third of them. Keep the headings, or name the lesson with --lesson."
        )
    best = tables[0]
    for heading in headings(sheets, {e.name for e in reference.elements} | {"epoch"}):
        missing = set(heading.columns) - set(best.columns) - {"epoch"}
        if missing and heading.sheet.name not in OTHER_SHEETS:
            more = placed(heading, reference)
            if more.first_epoch == best.first_epoch and more.count == best.count:
                for k, e in enumerate(reference.elements):
                    if e.name in missing:
                        best.where[k] = more.where[k]
                best.columns |= {n: (heading.sheet.name, heading.columns[n]) for n in missing}
    return best


OTHER_SHEETS = ("Charts", "Sweep", "Gradient check", "Contrast", "Boundary", "Check", "Index")  # of generated workbooks


def headings(sheets: Mapping[str, SubmittedSheet], names: set[str]) -> Iterator[Heading]:
    """Every row with two or more of the names, one table to a row."""
    for sheet, row, found in _named_cells(sheets, names, {}):
        columns = _first_columns(found)
        if len(columns) > 1:
            yield Heading(sheet, row, columns)


def headings_side_by_side(
    sheets: Mapping[str, SubmittedSheet], names: set[str], entries: Mapping[str, tuple[str, int]]
) -> list[Heading]:
    """Every table's headings, also of several tables in one row, each down to where the next ones below it begin.

    entries has the plain spellings of single entries: a heading "w2" for the second column of W.
    """
    found: list[Heading] = []
    for sheet, row, named in _named_cells(sheets, names, entries):
        for part in _tables_in(named):
            columns = _first_columns([cell for cell in part if cell.entry is None])
            single = {(cell.name, cell.entry): cell.col for cell in reversed(part) if cell.entry is not None}
            for (name, i), col in single.items():
                if i == 0:
                    columns.setdefault(name, col)
            if len(columns) > 1:
                found.append(Heading(sheet, row, columns, {key: c for key, c in single.items() if key[0] in columns}))
    for heading in found:
        low, high = heading.span
        below = [h for h in found if h.sheet is heading.sheet and h.row > heading.row]
        below = [h for h in below if 2 * len(h.columns) >= len(heading.columns)]  # a row of entries is no table
        rows = [h.row for h in below if h.span[0] <= high and h.span[1] >= low]
        heading.last = min(rows, default=ROWS) - 1
    return found


class _Named(NamedTuple):
    """A cell whose text names a quantity, or one entry of it."""

    col: int
    name: str
    is_exact: bool
    entry: int | None = None


def _named_cells(
    sheets: Mapping[str, SubmittedSheet], names: set[str], entries: Mapping[str, tuple[str, int]]
) -> Iterator[tuple[SubmittedSheet, int, list[_Named]]]:
    """The rows that name something, from top to bottom, and what their cells name, from left to right."""
    spelled = spellings_of(names)
    for sheet in sheets.values():
        rows: dict[int, list[_Named]] = {}
        texts = [(at, c.value) for at, c in sheet.cells.items() if isinstance(c.value, str) and not c.is_error]
        for (row, col), text in sorted((at, text.strip()) for at, text in texts):
            name = text if text in names else spelled.get(plain(text))
            if name is not None:
                rows.setdefault(row, []).append(_Named(col, name, text == name))
            elif entries and plain(text) in entries:
                rows.setdefault(row, []).append(_Named(col, entries[plain(text)][0], False, entries[plain(text)][1]))
        for row, found in rows.items():
            yield sheet, row, found


def _first_columns(found: list[_Named]) -> dict[str, int]:
    """Every name's first column; where it is spelled in several ways, that of the lesson's own spelling."""
    columns: dict[str, int] = {}
    exact: set[str] = set()
    for cell in found:
        if cell.name not in columns or (cell.is_exact and cell.name not in exact):
            columns[cell.name] = cell.col
        if cell.is_exact:
            exact.add(cell.name)
    return columns


def _tables_in(found: list[_Named]) -> list[list[_Named]]:
    """The tables side by side in a row: as many as most names occur. A name that occurs more often repeats a column."""
    counts = Counter((cell.name, cell.entry) for cell in found)
    tables = median_low(counts.values())
    key = next(key for key in counts if counts[key] == tables)
    starts = [i for i, cell in enumerate(found) if (cell.name, cell.entry) == key]
    starts[0] = 0
    return [found[start:end] for start, end in zip(starts, [*starts[1:], len(found)], strict=True)]


def placed(heading: Heading, reference: Reference) -> Placement:
    """The cells of the table below a heading."""
    sheet = heading.sheet
    height = max((e.quantity.shape[0] for e in reference.elements if e.name in heading.columns), default=1)
    starts, first_epoch = _starts(heading, height)
    where: list[dict[int, At]] = []
    columns = _element_columns(heading, reference)
    for k, e in enumerate(reference.elements):
        col = columns.get(k)
        row = e.quantity.place(e.index)[0]
        where.append({} if col is None else {b: (sheet.name, start + row, col) for b, start in enumerate(starts)})
    shown = {name: (sheet.name, col) for name, col in heading.columns.items()}
    return Placement(sheet.name, heading.row, where, len(starts), first_epoch, shown)


def _element_columns(heading: Heading, reference: Reference) -> dict[int, int]:
    """The column of every element: by the entry's name under its heading where there is one, else side by side."""
    ordered = sorted(heading.columns.items(), key=lambda item: item[1])
    ends = {name: ordered[i + 1][1] if i + 1 < len(ordered) else 10**6 for i, (name, _) in enumerate(ordered)}
    columns: dict[int, int] = {}
    for k, e in enumerate(reference.elements):
        if e.name not in heading.columns:
            continue
        start, end = heading.columns[e.name], ends[e.name]
        offset = e.quantity.place(e.index)[1]
        col = start + offset
        if (e.name, offset) in heading.entries:
            col = heading.entries[e.name, offset]
        elif e.quantity.entries and e.quantity.shape[1] > 1:
            label = e.quantity.entries(offset)
            labelled = [
                c
                for row in range(heading.row + 1, heading.row + 4)
                for c in range(start, min(end, start + 3 * e.quantity.shape[1]))
                if _text(heading.sheet.cells.get((row, c))) == label
            ]
            col = labelled[0] if labelled else col
        if col < end or (e.name, offset) in heading.entries:
            columns[k] = col
    return columns


def _text(cell: SubmittedCell | None) -> str:
    return cell.value.strip() if cell and isinstance(cell.value, str) else ""


def _starts(heading: Heading, height: int) -> tuple[list[int], int | None]:
    """The first row of every block, and the number of the first epoch where the sheet counts them."""
    cells, last = heading.sheet.cells, min(heading.last, max((r for r, _ in heading.sheet.cells), default=0))
    col = heading.columns.get("epoch")
    if col is not None:
        starts: list[int] = []
        numbers: list[float] = []
        for row in range(heading.row + 1, last + 1):
            cell = cells.get((row, col))
            number = cell.value if cell else None
            if cell and cell.formula and number is None and starts and row >= starts[-1] + height:
                number = numbers[-1] + 1  # a file that no spreadsheet has computed
            if isinstance(number, bool) or not isinstance(number, int | float):
                if isinstance(number, str) and starts and row > starts[-1] + height + 2:
                    break
                continue
            if numbers and number <= numbers[-1]:
                if number < numbers[-1]:
                    break  # another table below
                continue
            starts.append(row)
            numbers.append(float(number))
            if len(starts) == MOST_BLOCKS:
                break
        if starts:
            return starts, int(numbers[0])
    mine = sorted({*heading.columns.values(), *heading.entries.values()})

    def filled(row: int) -> int:
        found = [cells.get((row, c)) for c in mine] if row <= last else []
        return sum(1 for c in found if c and (c.formula or isinstance(c.value, int | float) or _is_typed_text(c.value)))

    first = next((r for r in range(heading.row + 1, heading.row + HEADING_ROWS) if filled(r) >= 2), None)
    if first is None:
        return [], None
    starts = [first]
    gap = _gap(filled, first + height) if height > 1 else 0
    while len(starts) < MOST_BLOCKS and filled(starts[-1] + height + gap):
        starts.append(starts[-1] + height + gap)
    return starts, None


def _is_typed_text(value: float | str | bool | None) -> bool:
    return isinstance(value, str) and TYPED_TEXT.fullmatch(value) is not None


def _gap(filled: Callable[[int], int], row: int) -> int:
    """How many empty rows stand between the first block and the second one, two at most."""
    return next((gap for gap in range(3) if filled(row + gap)), 0)


def shown(at: At) -> str:
    """A cell as a person names it.

    >>> shown(("Training", 5, 2))
    'Training!C6'
    """
    return f"{sheet_prefix(at[0])}{a1(at[1], at[2])}"


def is_to_fill(element: Element) -> bool:
    """Whether a cell of this element is a student's work: everything but given numbers."""
    return element.quantity.role != "given"
