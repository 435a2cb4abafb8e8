"""Named arrays placed side by side as one block of rows, and the block repeated: epoch under epoch.

The arithmetic is the program's; a table says where the cells lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from simulator.errors import LayoutError, SettingError
from simulator.sheet.address import COLUMNS, ROWS, a1, sheet_prefix
from simulator.sheet.program import Carry, Feed, Program, Slots, formula_at
from simulator.sheet.step import Values
from simulator.sheet.style import BODY, MUTED, Style, blank
from simulator.tape.expression import Expression, Index, Shape, indices, squeezed
from simulator.tape.scalar import Position, Ref


@dataclass(frozen=True)
class Quantity:
    """A named array as columns of a table."""

    node: Expression
    role: str
    number_format: str = "0.000"
    across: bool = False  # a column vector laid along the row
    entries: Callable[[int], str] | None = None  # names of the columns
    flat: bool = False  # all entries in one row

    @property
    def shape(self) -> Shape:
        """Rows and columns on the sheet."""
        shape = (1, 1) if self.node.shape == () else self.node.shape
        if self.flat:
            return (1, math.prod(shape))
        return shape[::-1] if self.across else shape

    def place(self, index: Index) -> tuple[int, int]:
        if self.flat:
            return (0, sum(i * math.prod(self.node.shape[axis + 1 :]) for axis, i in enumerate(index)))
        row, col = index or (0, 0)
        return (col, row) if self.across else (row, col)


class Labels(NamedTuple):
    """A narrow column of fixed texts that names the rows of every block."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a block: its text in the first block and in later ones, with {sheet|offset} for rows."""

    row: int
    col: int
    quantity: Quantity | None
    index: Index
    first: str
    later: str
    style: Style
    text: str = ""

    def name(self) -> str:
        assert self.quantity
        return ",".join(map(str, squeezed(self.index, self.quantity.node.shape)))

    def formula(self, later: bool) -> str:
        """Its text in the first block or in later ones; "" where the cell is left empty for a reader to fill in."""
        return self.later if later else self.first

    def look(self, later: bool) -> Style:
        return blank(self.style) if self.quantity and not self.formula(later) else self.style


class Followed(Protocol):
    """What a table may follow, block by block: another table, or the panels of a network."""

    @property
    def slot(self) -> Slots: ...
    def holds(self, node: Expression) -> bool: ...
    def position(self, node: Expression, index: Index) -> Position: ...
    def blocks(self) -> Iterator[Values]: ...
    def rows_at(self, block: int) -> dict[str, int]: ...


Places = Mapping[int, Callable[[Index], Position]]  # a node's serial -> where its elements are


@dataclass
class Table:
    """A placed table.

    columns are quantities or labels from left to right; count is how often the block repeats; carries maps
    the serials of quantities that continue; outside says where arrays of other sheets are; follows is a
    table whose block of the same number this one may refer to; values has the numbers of all given cells; blank
    says which cells are left empty, as `Program` has it, those of the table that is followed included.
    """

    sheet: str
    first_row: int
    first_col: int
    columns: Sequence[Quantity | Labels]
    count: int
    outside: Places
    givens: Mapping[tuple[int, Index], float]
    carries: Mapping[int, Carry] = field(default_factory=dict)
    follows: Followed | None = None
    banded: bool = True  # every other block shaded
    blank: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._col: dict[int, tuple[Quantity, int]] = {}
        self._labels: list[tuple[Labels, int]] = []
        col = self.first_col
        for column in self.columns:
            if isinstance(column, Labels):
                self._labels.append((column, col))
                col += 1
            else:
                self._col[column.node.serial] = (column, col)
                col += column.shape[1]
        self.last_col = col - 1
        if self.last_col >= COLUMNS:
            raise LayoutError(
                f"A sheet has {COLUMNS} columns. Received: {col} for '{self.sheet}'. Use fewer samples or units."
            )
        if self.first_row + self.height * self.count > ROWS:
            raise LayoutError(
                f"A sheet has {ROWS} rows. Received: {self.count} blocks of {self.height} rows on '{self.sheet}'. "
                f"At most {self.fitting(ROWS)} fit."
            )

    def fitting(self, rows: int) -> int:
        return (rows - self.first_row) // self.height

    @property
    def quantities(self) -> list[Quantity]:
        return [c for c in self.columns if isinstance(c, Quantity)]

    @cached_property
    def height(self) -> int:
        return max(q.shape[0] for q in self.quantities)

    @property
    def last_row(self) -> int:
        return self.first_row + self.height * self.count - 1

    def column(self, node: Expression) -> int:
        """The first column of a quantity."""
        return self._col[node.serial][1]

    def find(self, name: str) -> Quantity:
        """The quantity of that name. Raises SettingError when there is none."""
        for q in self.quantities:
            if q.node.name == name:
                return q
        names = ", ".join(q.node.name for q in self.quantities)
        raise SettingError(f"The table has the quantities {names}. Received: '{name}'.")

    def position(self, node: Expression, index: Index, back: int = 0) -> Position:
        quantity, col = self._col[node.serial]
        row, offset = quantity.place(index)
        return Position(self.sheet, row - back * self.height, col + offset, moves=True)

    def address(self, node: Expression, index: Index, block: int) -> str:
        """The cell of one element in one block, such as Training!H12."""
        p = self.position(node, index)
        return f"{sheet_prefix(self.sheet)}{a1(self.first_row + self.height * block + p.row, p.col)}"

    # From equations to cells

    def _locate(self, ref: Ref) -> Position:
        if ref.node.serial in self._col:
            return self.position(ref.node, ref.index, ref.back)
        if self.follows and self.follows.holds(ref.node):
            return self.follows.position(ref.node, ref.index)
        if ref.node.serial in self.outside:
            return self.outside[ref.node.serial](ref.index)
        raise LayoutError(f"Every array that a formula uses needs cells. Received: none for {ref.node!r}.")

    def holds(self, node: Expression) -> bool:
        return node.serial in self._col

    @cached_property
    def _program(self) -> Program:
        entries = [(q, index) for q in self.quantities for index in indices(q.node.shape)]
        entries.sort(key=lambda entry: self.position(entry[0].node, entry[1])[1:3])
        feed = Feed(self.follows.slot, self.follows.blocks) if self.follows else None
        nodes = [(q.node, index) for q, index in entries]
        return Program(nodes, self._locate, self.givens, self.carries, feed, self.blank)

    @cached_property
    def plan(self) -> list[PlannedCell]:
        """Every cell of a block, row by row."""
        cells = []
        for (node, index), (first, later) in zip(self._program.entries, self._program.texts, strict=True):
            q, p = self._col[node.serial][0], self.position(node, index)
            style = Style(**{**BODY.__dict__, "number_format": q.number_format})
            cells.append(PlannedCell(p.row, p.col, q, index, first, later, style))
        for labels, col in self._labels:
            for row, text in enumerate(labels.texts):
                cells.append(PlannedCell(row, col, None, (), "", "", Style(color=MUTED, size=9, indent=1), text))
        return sorted(cells, key=lambda c: (c.row, c.col))

    @cached_property
    def computed(self) -> list[PlannedCell]:
        """The cells that hold formulas, or wait for them; `blocks` yields their values in this order."""
        return [c for c in self.plan if c.quantity]

    @property
    def program(self) -> Program:
        """The arithmetic of a block."""
        return self._program

    @property
    def slot(self) -> Slots:
        """Where an element's value stands in a block's values."""
        return self._program.slot

    def slots(self, node: Expression) -> list[int]:
        """Where the values of a whole array stand, in the order of its entries."""
        return [self.slot[node.serial, index] for index in indices(node.shape)]

    def blocks(self) -> Iterator[Values]:
        """The values of every block, in the order of `computed`; NaN where a cell shows an error or is empty."""
        return self._program.blocks(self.count)

    def formula_at(self, cell: PlannedCell, block: int) -> str:
        """The formula of one planned cell in one block, without its equals sign."""
        return formula_at(cell.formula(bool(block)), self.rows_at(block))

    def rows_at(self, block: int) -> dict[str, int]:
        """The first row of the block, counted from 1, on every sheet that its formulas move along."""
        rows = {self.sheet: self.first_row + self.height * block + 1}
        if self.follows:
            rows |= self.follows.rows_at(block)
        return rows
