"""A step of a network spread over sheets: blocks of cells side by side, the whole repeated downwards.

A block is a named array with its title and its equation above it, or one array per time step, each below the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle

from simulator.errors import LayoutError
from simulator.sheet.address import COLUMNS, ROWS, a1, sheet_prefix
from simulator.sheet.grid import extent, place
from simulator.sheet.program import Carry, Feed, Program, Slots, formula_at
from simulator.sheet.step import Values
from simulator.sheet.style import Style
from simulator.sheet.table import Places, PlannedCell, Quantity
from simulator.tape.expression import Expression, Index, indices
from simulator.tape.scalar import Position, Ref


@dataclass(frozen=True)
class Part:
    """An array of a block, and the first of the block's rows that it takes."""

    node: Expression
    row: int


@dataclass(frozen=True)
class Block:
    """Arrays under one title. row and col count from the panel's first cell and are those of the body."""

    name: str
    role: str
    kind: str
    parts: tuple[Part, ...]
    row: int
    col: int
    style: Style

    @property
    def extent(self) -> tuple[int, int]:
        sizes = [(p.row, extent(p.node.shape, self.kind)) for p in self.parts]
        return max(row + rows for row, (rows, _) in sizes), max(cols for _, (_, cols) in sizes)


@dataclass(frozen=True)
class Text:
    """A fixed text that every step repeats; an empty one only colours its cell."""

    row: int
    col: int
    text: str
    style: Style


@dataclass
class Panel:
    """One sheet's part of every step; it is filled by its spread, and written like a table."""

    sheet: str
    first_row: int
    height: int
    blocks_: Sequence[Block]
    texts: Sequence[Text]
    spread: Spread = field(init=False)
    first_col: int = 0
    banded: bool = False

    @property
    def count(self) -> int:
        return self.spread.count

    @property
    def last_row(self) -> int:
        return self.first_row + self.height * self.count - 1

    @cached_property
    def last_col(self) -> int:
        cells = [b.col + b.extent[1] - 1 for b in self.blocks_] + [t.col for t in self.texts]
        return max(cells, default=0)

    @cached_property
    def entries(self) -> list[tuple[int, int, Block, Expression, Index]]:
        """Row, column, block and array of every cell with a formula, row by row."""
        found = []
        for b in self.blocks_:
            for part in b.parts:
                for index in indices(part.node.shape):
                    row, col = place(index, part.node.shape, b.kind)
                    found.append((b.row + part.row + row, b.col + col, b, part.node, index))
        return sorted(found, key=lambda entry: entry[:2])

    @cached_property
    def plan(self) -> list[PlannedCell]:
        """Every cell of a step, row by row."""
        cells = []
        start = self.spread.starts[self.sheet]
        for k, (row, col, block, node, index) in enumerate(self.entries):
            first, later = self.spread.program.texts[start + k]
            cells.append(PlannedCell(row, col, Quantity(node, block.role), index, first, later, block.style))
        cells += [PlannedCell(t.row, t.col, None, (), "", "", t.style, t.text) for t in self.texts]
        return sorted(cells, key=lambda c: (c.row, c.col))

    @cached_property
    def computed(self) -> list[PlannedCell]:
        return [c for c in self.plan if c.quantity]

    @cached_property
    def slot(self) -> Slots:
        return {(node.serial, index): k for k, (_, _, _, node, index) in enumerate(self.entries)}

    def blocks(self) -> Iterator[Values]:
        """The values of every step, in the order of `computed`."""
        start = self.spread.starts[self.sheet]
        for values in self.spread.values:
            yield values[start : start + len(self.entries)]

    def rows_at(self, block: int) -> dict[str, int]:
        return self.spread.rows_at(block)

    def formula_at(self, cell: PlannedCell, block: int) -> str:
        return formula_at(cell.later if block else cell.first, self.rows_at(block))


@dataclass
class Spread:
    """All panels of a network, count steps of it.

    outside says where given arrays are, data where those of a batch are: on the sheet data_sheet, whose first batch
    starts in data_row and takes batch_rows rows; feeds are the numbers of every batch, in the order of feed_slots.
    """

    panels: Sequence[Panel]
    count: int
    outside: Places
    givens: Mapping[tuple[int, Index], float]
    carries: Mapping[int, Carry]
    data_sheet: str
    data_row: int
    batch_rows: int
    data: Mapping[int, Callable[[Index], tuple[int, int]]]
    feed_slots: Slots
    feeds: Sequence[Values]

    def __post_init__(self) -> None:
        self._cells: dict[tuple[int, Index], Position] = {}
        self._placed: set[int] = set()
        self._heights = {panel.sheet: panel.height for panel in self.panels}
        self.starts: dict[str, int] = {}
        entries: list[tuple[Expression, Index]] = []
        for panel in self.panels:
            panel.spread = self
            self.starts[panel.sheet] = len(entries)
            for row, col, _, node, index in panel.entries:
                entries.append((node, index))
                self._cells[node.serial, index] = Position(panel.sheet, row, col, True)
                self._placed.add(node.serial)
            cells = [entry[:2] for entry in panel.entries] + [(t.row, t.col) for t in panel.texts]
            assert len(set(cells)) == len(cells), f"two cells in one place on '{panel.sheet}'"
            if panel.last_col >= COLUMNS or panel.last_row >= ROWS:
                raise LayoutError(
                    f"A sheet has {ROWS:,} rows and {COLUMNS:,} columns. Received: {self.count:,} steps of "
                    f"{panel.height} rows and {panel.last_col + 1:,} columns on '{panel.sheet}'. "
                    "Use fewer epochs, samples or units."
                )
        feed = Feed(self.feed_slots, lambda: cycle(self.feeds))
        self.program = Program(entries, self._locate, self.givens, self.carries, feed)

    def holds(self, node: Expression) -> bool:
        return node.serial in self._placed

    def position(self, node: Expression, index: Index, back: int = 0) -> Position:
        here = self._cells[node.serial, index]
        return here._replace(row=here.row - back * self._heights[here.sheet]) if back else here

    def _locate(self, ref: Ref) -> Position:
        serial = ref.node.serial
        if serial in self._placed:
            return self.position(ref.node, ref.index, ref.back)
        if serial in self.data:
            row, col = self.data[serial](ref.index)
            return Position(self.data_sheet, row, col, True)
        if serial in self.outside:
            return self.outside[serial](ref.index)
        raise LayoutError(f"Every array that a formula uses needs cells. Received: none for {ref.node!r}.")

    @property
    def slot(self) -> Slots:
        return self.program.slot

    @cached_property
    def values(self) -> list[Values]:
        """The values of every step, in the order of the program's entries."""
        return list(self.program.blocks(self.count))

    def blocks(self) -> Iterator[Values]:
        return iter(self.values)

    def rows_at(self, block: int) -> dict[str, int]:
        """The first row of the step, counted from 1, on every sheet."""
        rows = {p.sheet: p.first_row + p.height * block + 1 for p in self.panels}
        batches = max(len(self.feeds), 1)
        return rows | {self.data_sheet: self.data_row + 1 + block % batches * self.batch_rows}

    def address(self, node: Expression, index: Index, block: int) -> str:
        """The cell of one element in one step, such as '1 Dense'!H12."""
        p = self.position(node, index)
        row = self.rows_at(block)[p.sheet] - 1 + p.row
        return f"{sheet_prefix(p.sheet)}{a1(row, p.col)}"


@dataclass
class Together:
    """Several spreads with equally many steps, for a table that follows them all."""

    spreads: Sequence[Spread]

    @cached_property
    def slot(self) -> Slots:
        found: Slots = {}
        for spread in self.spreads:
            start = len(found)
            found |= {key: start + k for key, k in spread.slot.items()}
        return found

    def holds(self, node: Expression) -> bool:
        return any(spread.holds(node) for spread in self.spreads)

    def position(self, node: Expression, index: Index) -> Position:
        return next(spread for spread in self.spreads if spread.holds(node)).position(node, index)

    def blocks(self) -> Iterator[Values]:
        for values in zip(*(spread.values for spread in self.spreads), strict=True):
            yield tuple(x for v in values for x in v)

    def rows_at(self, block: int) -> dict[str, int]:
        return {sheet: row for spread in self.spreads for sheet, row in spread.rows_at(block).items()}
