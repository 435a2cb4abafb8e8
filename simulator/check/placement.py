"""Where a student's cells are: quantities found by their headings, epochs by their numbers, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simulator.check.heading import plain, spellings_of
from simulator.check.reference import Element, Reference
from simulator.errors import WorkbookError
from simulator.sheet.address import a1, sheet_prefix
from simulator.xlsx.submission import SubmittedCell, SubmittedSheet

At = tuple[str, int, int]  # sheet, row, column
MOST_BLOCKS = 5_000
HEADING_ROWS = 6  # between a symbol and its first number


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
class _Heading:
    """A row of headings: the first column of every quantity named in it."""

    sheet: SubmittedSheet
    row: int
    columns: dict[str, int]


def find_tables(sheets: Mapping[str, SubmittedSheet], reference: Reference) -> list[Placement]:
    """Every table of the lesson's quantities, the one with most of them first."""
    names = {e.name for e in reference.elements} | {"epoch"}
    headings = sorted(_headings(sheets, names), key=lambda h: -len(h.columns))
    if not headings:
        return []
    computed = {e.name for e in reference.elements if e.quantity.role != "given"}
    fewest = max(2, len(computed) // 3)
    found = []
    for heading in headings:
        if len(computed & set(heading.columns)) >= fewest:
            placement = _placed(heading, reference)
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
    for heading in _headings(sheets, {e.name for e in reference.elements} | {"epoch"}):
        missing = set(heading.columns) - set(best.columns) - {"epoch"}
        if missing and heading.sheet.name not in OTHER_SHEETS:
            more = _placed(heading, reference)
            if more.first_epoch == best.first_epoch and more.count == best.count:
                for k, e in enumerate(reference.elements):
                    if e.name in missing:
                        best.where[k] = more.where[k]
                best.columns |= {n: (heading.sheet.name, heading.columns[n]) for n in missing}
    return best


OTHER_SHEETS = ("Charts", "Sweep", "Gradient check", "Contrast", "Boundary", "Check", "Index")  # of generated workbooks


def _headings(sheets: Mapping[str, SubmittedSheet], names: set[str]) -> Iterator[_Heading]:
    spelled = spellings_of(names)
    for sheet in sheets.values():
        rows: dict[int, dict[str, int]] = {}
        exact: dict[int, set[str]] = {}
        for (row, col), cell in sorted(sheet.cells.items()):
            if not isinstance(cell.value, str) or cell.is_error:
                continue
            text = cell.value.strip()
            name = text if text in names else spelled.get(plain(text))
            if name is None:
                continue
            is_exact = text == name
            if name not in rows.setdefault(row, {}) or (is_exact and name not in exact.get(row, ())):
                rows[row][name] = col
            if is_exact:
                exact.setdefault(row, set()).add(name)
        for row, columns in rows.items():
            if len(columns) > 1:
                yield _Heading(sheet, row, columns)


def _placed(heading: _Heading, reference: Reference) -> Placement:
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


def _element_columns(heading: _Heading, reference: Reference) -> dict[int, int]:
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
        if e.quantity.entries and e.quantity.shape[1] > 1:
            label = e.quantity.entries(offset)
            labelled = [
                c
                for row in range(heading.row + 1, heading.row + 4)
                for c in range(start, min(end, start + 3 * e.quantity.shape[1]))
                if _text(heading.sheet.cells.get((row, c))) == label
            ]
            col = labelled[0] if labelled else col
        if col < end:
            columns[k] = col
    return columns


def _text(cell: SubmittedCell | None) -> str:
    return cell.value.strip() if cell and isinstance(cell.value, str) else ""


def _starts(heading: _Heading, height: int) -> tuple[list[int], int | None]:
    """The first row of every block, and the number of the first epoch where the sheet counts them."""
    cells, last = heading.sheet.cells, max((r for r, _ in heading.sheet.cells), default=0)
    col = heading.columns.get("epoch")
    if col is not None:
        starts: list[int] = []
        numbers: list[float] = []
        for row in range(heading.row + 1, last + 1):
            cell = cells.get((row, col))
            number = cell.value if cell else None
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
    mine = sorted(heading.columns.values())

    def filled(row: int) -> int:
        found = [cells.get((row, c)) for c in mine]
        return sum(1 for c in found if c and (c.formula or (isinstance(c.value, int | float) and not c.is_error)))

    first = next((r for r in range(heading.row + 1, heading.row + HEADING_ROWS) if filled(r) >= 2), None)
    if first is None:
        return [], None
    starts = [first]
    while len(starts) < MOST_BLOCKS and filled(starts[-1] + height):
        starts.append(starts[-1] + height)
    return starts, None


def shown(at: At) -> str:
    """A cell as a person names it.

    >>> shown(("Training", 5, 2))
    'Training!C6'
    """
    return f"{sheet_prefix(at[0])}{a1(at[1], at[2])}"


def is_to_fill(element: Element) -> bool:
    """Whether a cell of this element is a student's work: everything but given numbers."""
    return element.quantity.role != "given"
