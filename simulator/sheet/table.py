"""Named arrays placed side by side as one block of rows, and the block repeated: epoch under epoch.

Equations are traced once. From the trace come a text per cell, in which only row numbers change from block
to block, and a Python function that computes a block from the one before. So a table of any length costs no
more memory than one block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulator.errors import LayoutError, SettingError
from simulator.sheet.address import COLUMNS, ROWS, a1, column_name, sheet_prefix
from simulator.sheet.step import Step, Values, step_of
from simulator.sheet.style import BODY, MUTED, Style
from simulator.tape.dialect import CAREFUL_PYTHON, PYTHON, Dialect
from simulator.tape.expression import Expression, Index, Shape, indices, squeezed
from simulator.tape.formula import formula_text, python_text
from simulator.tape.scalar import Number, Position, Ref, Scalar, lowered


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
            return (1, shape[0] * shape[1])
        return shape[::-1] if self.across else shape

    def place(self, index: Index) -> tuple[int, int]:
        row, col = index or (0, 0)
        if self.flat and index:
            return (0, row * self.node.shape[1] + col)
        return (col, row) if self.across else (row, col)


class Carry(NamedTuple):
    """A quantity that continues: first is its value in the first block, then it is computed from the block before."""

    first: Expression
    then: Expression


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


Places = Mapping[int, Callable[[Index], Position]]  # a node's serial -> where its elements are


@dataclass
class Table:
    """A placed table.

    columns are quantities or labels from left to right; count is how often the block repeats; carries maps
    the serials of quantities that continue; outside says where arrays of other sheets are; follows is a
    table whose block of the same number this one may refer to; values has the numbers of all given cells.
    """

    sheet: str
    first_row: int
    first_col: int
    columns: Sequence[Quantity | Labels]
    count: int
    outside: Places
    givens: Mapping[tuple[int, Index], float]
    carries: Mapping[int, Carry] = field(default_factory=dict)
    follows: Table | None = None

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
        if self.follows and ref.node.serial in self.follows._col:
            return self.follows.position(ref.node, ref.index)
        if ref.node.serial in self.outside:
            return self.outside[ref.node.serial](ref.index)
        raise LayoutError(f"Every array that a formula uses needs cells. Received: none for {ref.node!r}.")

    def _element(self, node: Expression, index: Index, back: int = 0, *, top: bool = False) -> Scalar:
        """The scalar term of one element: a reference where it has a cell, its arithmetic where not."""
        if node.value is not None:
            return Number(node.value)
        placed = node.serial in self._col or (self.follows is not None and node.serial in self.follows._col)
        if (placed or node.primitive is None) and not top:
            return Ref(node, index, back)
        if node.primitive is None:
            return Ref(node, index)
        return node.primitive.element(lambda arg, i: self._element(arg, i, back), node, index)

    @cached_property
    def _terms(self) -> list[tuple[Quantity, Index, Scalar, Scalar]]:
        terms = []
        for q in self.quantities:
            carry = self.carries.get(q.node.serial)
            for index in indices(q.node.shape):
                if carry:
                    first = self._element(carry.first, index)
                    later = self._element(carry.then, index, back=1)
                else:
                    first = later = self._element(q.node, index, top=True)
                terms.append((q, index, lowered(first, self._locate), lowered(later, self._locate)))
        return terms

    @cached_property
    def plan(self) -> list[PlannedCell]:
        """Every cell of a block, row by row."""

        def cell(ref: Ref) -> str:
            p = self._locate(ref)
            prefix = "" if p.sheet == self.sheet else sheet_prefix(p.sheet)
            return prefix + corner(ref)

        def corner(ref: Ref) -> str:
            p = self._locate(ref)
            return f"{column_name(p.col)}{{{p.sheet}|{p.row}}}" if p.moves else a1(p.row, p.col, absolute=True)

        cells = []
        for q, index, first, later in self._terms:
            p = self.position(q.node, index)
            style = Style(**{**BODY.__dict__, "number_format": q.number_format})
            one = formula_text(first, cell, corner)
            two = one if later is first else formula_text(later, cell, corner)
            cells.append(PlannedCell(p.row, p.col, q, index, one, two, style))
        for labels, col in self._labels:
            for row, text in enumerate(labels.texts):
                cells.append(PlannedCell(row, col, None, (), "", "", Style(color=MUTED, size=9, indent=1), text))
        return sorted(cells, key=lambda c: (c.row, c.col))

    @cached_property
    def computed(self) -> list[PlannedCell]:
        """The cells that hold formulas; `blocks` yields their values in this order."""
        return [c for c in self.plan if c.quantity]

    @cached_property
    def slot(self) -> dict[tuple[int, Index], int]:
        """Where an element's value stands in a block's values."""
        return {(c.quantity.node.serial, c.index): i for i, c in enumerate(self.computed) if c.quantity}

    def slots(self, node: Expression) -> list[int]:
        """Where the values of a whole array stand, in the order of its entries."""
        return [self.slot[node.serial, index] for index in indices(node.shape)]

    # Values

    @cached_property
    def _steps(self) -> tuple[Step, Step]:
        """What computes the first block, and every later one from the block before."""
        used: dict[tuple[int, Index], int] = {}
        sources = [[self._source(which, dialect, used) for dialect in (PYTHON, CAREFUL_PYTHON)] for which in (2, 3)]
        first, later = (step_of(fast, careful, tuple(self.givens[key] for key in used)) for fast, careful in sources)
        return first, later

    def _source(self, which: int, dialect: Dialect, used: dict[tuple[int, Index], int]) -> str:
        """The body of a function of the previous block p, the followed block f and the given numbers g."""

        def name(ref: Ref) -> str:
            key = ref.node.serial, ref.index
            if ref.node.serial in self._col:
                return f"p[{self.slot[key]}]" if ref.back else f"v{self.slot[key]}"
            if self.follows and key in self.follows.slot:
                return f"f[{self.follows.slot[key]}]"
            return f"g[{used.setdefault(key, len(used))}]"

        def serial(term: tuple[Quantity, Index, Scalar, Scalar]) -> int:
            return -1 if term[0].node.serial in self.carries else term[0].node.serial

        lines = []
        for term in sorted(self._terms, key=serial):
            scalar = term[2] if which == 2 else term[3]
            lines.append(f" v{self.slot[term[0].node.serial, term[1]]} = {python_text(scalar, name, dialect)}")
        values = ", ".join(f"v{i}" for i in range(len(self.computed)))
        return "\n".join(["def step(p, f, g):", *lines, f" return ({values},)"])

    def blocks(self) -> Iterator[Values]:
        """The values of every block, in the order of `computed`; NaN where the spreadsheet shows an error."""
        first, later = self._steps
        followed = self.follows.blocks() if self.follows else None
        previous: Values = ()
        for k in range(self.count):
            previous = (later if k else first)(previous, next(followed) if followed else ())
            yield previous

    def formula_at(self, cell: PlannedCell, block: int) -> str:
        """The formula of one planned cell in one block, without its equals sign."""
        return formula_at(cell.later if block else cell.first, self.rows_at(block))

    def rows_at(self, block: int) -> dict[str, int]:
        """The first row of the block, counted from 1, on every sheet that its formulas move along."""
        rows = {self.sheet: self.first_row + self.height * block + 1}
        if self.follows:
            rows |= self.follows.rows_at(block)
        return rows


def formula_at(text: str, rows: Mapping[str, int]) -> str:
    """A planned text with its row numbers filled in.

    >>> formula_at("B{Training|0}*E{Training|-4}", {"Training": 10})
    'B10*E6'
    """
    return re.sub(r"\{([^|}]+)\|(-?\d+)\}", lambda m: str(rows[m[1]] + int(m[2])), text)
