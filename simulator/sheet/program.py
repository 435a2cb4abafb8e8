"""Named arrays as cells: every element's formula, and the function that computes a block of values from the last one.

Equations are traced once. From the trace come a text per cell, in which only row numbers change from block to block,
and a Python function; so a training of any length costs no more memory than one step of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulator.errors import LayoutError
from simulator.sheet.address import a1, column_name, sheet_prefix
from simulator.sheet.step import Step, Values, step_of
from simulator.tape.dialect import CAREFUL_PYTHON, PYTHON, Dialect
from simulator.tape.expression import Expression, Index
from simulator.tape.formula import formula_text, python_text
from simulator.tape.scalar import (
    Number,
    Position,
    Ref,
    Scalar,
    lowered,
)
from simulator.tape.vector import references

Entry = tuple[Expression, Index]
Slots = dict[tuple[int, Index], int]  # an element -> where its value stands among a block's values
MOST_CHARACTERS = 8_192  # of a formula, Excel's limit
MOST_ARGUMENTS = 30  # of a function, in any spreadsheet
NEVER = 2


class Carry(NamedTuple):
    """A quantity that continues: first is its value in the first block, then it is computed from the block before."""

    first: Expression
    then: Expression


class Feed(NamedTuple):
    """Values that come from elsewhere, block by block: of another table, or a batch of the data."""

    slot: Slots
    blocks: Callable[[], Iterator[Values]]


@dataclass
class Program:
    """The arithmetic of one block.

    entries are the elements that have cells, in the order in which their values are wanted; locate says where a
    reference points; carries maps the serials of arrays that continue (without cells of their own they are written
    out where they are used); givens has the numbers of fixed cells; blank has the serials of arrays whose cells
    are left empty for a reader to fill in: in every block (0), or from the second one on (1). A formula that
    refers to empty cells waits for them: IF(COUNT(cells)=n, formula, NA()).
    """

    entries: Sequence[Entry]
    locate: Callable[[Ref], Position]
    givens: Mapping[tuple[int, Index], float]
    carries: Mapping[int, Carry] = field(default_factory=dict)
    feed: Feed | None = None
    blank: Mapping[int, int] = field(default_factory=dict)
    _backward_looking: dict[int, bool] = field(default_factory=dict)

    @cached_property
    def slot(self) -> Slots:
        """Where an element's value stands in a block's values."""
        return {(node.serial, index): i for i, (node, index) in enumerate(self.entries)}

    @cached_property
    def _placed(self) -> set[int]:
        fed = {serial for serial, _ in self.feed.slot} if self.feed else set()
        return {node.serial for node, _ in self.entries} | fed

    def _element(self, node: Expression, index: Index, later: bool, back: int = 0, *, top: bool = False) -> Scalar:
        """The scalar term of one element: a reference where it has a cell, its arithmetic where not."""
        if node.value is not None:
            return Number(node.value)
        carry = self.carries.get(node.serial)
        if carry and (top or node.serial not in self._placed):
            return self._element(carry.then, index, later, 1) if later else self._element(carry.first, index, later)
        if node.primitive is None or (node.serial in self._placed and not top):
            return Ref(node, index, back if node.serial in self._placed else 0)
        return node.primitive.element(lambda arg, i: self._element(arg, i, later, back), node, index)

    def raw_term(self, node: Expression, index: Index) -> tuple[Scalar, Scalar]:
        """An entry's term in the first block and in later ones, before it is known where cells lie."""
        first = self._element(node, index, False, top=True)
        return first, self._element(node, index, True, top=True) if self._looks_back(node) else first

    @cached_property
    def terms(self) -> list[tuple[Scalar, Scalar]]:
        """Every entry's term in the first block, and in later ones."""
        found = []
        for node, index in self.entries:
            raw, raw_later = self.raw_term(node, index)
            first = lowered(raw, self.locate)
            found.append((first, first if raw_later is raw else lowered(raw_later, self.locate)))
        return found

    def _looks_back(self, node: Expression) -> bool:
        """Whether the formula refers to the block before."""
        if node.serial not in self._backward_looking:
            args = () if node.serial in self.carries else node.args
            self._backward_looking[node.serial] = node.serial in self.carries or any(
                self._looks_back(a) for a in args if a.serial not in self._placed
            )
        return self._backward_looking[node.serial]

    @cached_property
    def texts(self) -> list[tuple[str, str]]:
        """Every entry's formula in the first block and in later ones, with {sheet|offset} for rows; "" is empty."""
        found = []
        for (node, index), (first, later) in zip(self.entries, self.terms, strict=True):
            home = self.locate(Ref(node, index)).sheet
            one = "" if self._is_blank(node, 0) else self._text(first, home, 0)
            if later is first and not self.blank:
                found.append((one, one))
            else:
                found.append((one, "" if self._is_blank(node, 1) else self._text(later, home, 1)))
        return found

    def _is_blank(self, node: Expression, which: int) -> bool:
        """Whether the cells of an array are empty in the first block (0), or in a later one (1)."""
        return self.blank.get(node.serial, NEVER) <= which

    def _awaited(self, term: Scalar, which: int) -> list[Ref]:
        """The empty cells that a term refers to."""
        return [r for r in references(term) if self._is_blank(r.node, which)] if self.blank else []

    def formula_of(self, term: Scalar, home: str) -> str:
        """Any term as a formula on the sheet home, with {sheet|offset} for rows."""
        return self._text(lowered(term, self.locate), home, 1)

    def _text(self, term: Scalar, home: str, which: int) -> str:
        def at(p: Position) -> str:
            return f"{column_name(p.col)}{{{p.sheet}|{p.row}}}" if p.moves else a1(p.row, p.col, absolute=True)

        def corner(ref: Ref) -> str:
            return at(self.locate(ref))

        def prefix(sheet: str) -> str:
            return "" if sheet == home else sheet_prefix(sheet)

        def cell(ref: Ref) -> str:
            return prefix(self.locate(ref).sheet) + corner(ref)

        text = formula_text(term, cell, corner)
        awaited = {self.locate(r) for r in self._awaited(term, which)}
        if awaited:
            areas = [prefix(a.sheet) + (at(a) if a == z else f"{at(a)}:{at(z)}") for a, z in rectangles(awaited)]
            parts = [areas[k : k + MOST_ARGUMENTS] for k in range(0, len(areas), MOST_ARGUMENTS)]
            counts = "+".join(f"COUNT({','.join(part)})" for part in parts)
            text = f"IF({counts}={len(awaited)},{text},NA())"
        if len(text) > MOST_CHARACTERS:
            raise LayoutError(
                f"A formula holds {MOST_CHARACTERS:,} characters in Excel. Received: one of {len(text):,} on '{home}'. "
                "Use fewer units, channels or samples in a batch."
            )
        return text

    # Values

    @cached_property
    def _first(self) -> Step:
        """What computes the first block."""
        return self._step(0)

    @cached_property
    def _later(self) -> Step:
        """What computes every later block from the one before."""
        return self._step(1)

    def _step(self, which: int) -> Step:
        used: dict[tuple[int, Index], int] = {}
        fast = self._source(which, PYTHON, used)
        givens = tuple(self.givens[key] for key in used)
        return step_of(fast, lambda: self._source(which, CAREFUL_PYTHON, used), givens)

    def _source(self, which: int, dialect: Dialect, used: dict[tuple[int, Index], int]) -> str:
        """The body of a function of the previous block p, the fed values f and the given numbers g."""

        def name(ref: Ref) -> str:
            key = ref.node.serial, ref.index
            if key in self.slot:
                return f"p[{self.slot[key]}]" if ref.back else f"v{self.slot[key]}"
            if self.feed and key in self.feed.slot:
                return f"f[{self.feed.slot[key]}]"
            return f"g[{used.setdefault(key, len(used))}]"

        def order(k: int) -> int:
            serial = self.entries[k][0].serial
            return -1 if serial in self.carries else serial

        def line(k: int) -> str:
            term = self.terms[k][which]
            if self._is_blank(self.entries[k][0], which):
                return f' v{k} = float("nan")'
            filled = " and ".join(f"{name(r)} == {name(r)}" for r in self._awaited(term, which))  # NaN equals nothing
            text = python_text(term, name, dialect)
            return f" v{k} = ({text}) if {filled} else float('nan')" if filled else f" v{k} = {text}"

        lines = [line(k) for k in sorted(range(len(self.entries)), key=order)]
        values = ", ".join(f"v{i}" for i in range(len(self.entries)))
        return "\n".join(["def step(p, f, g):", *lines, f" return ({values},)"])

    def blocks(self, count: int) -> Iterator[Values]:
        """The values of every block, in the order of `entries`; NaN where a cell shows an error or is empty."""
        fed = self.feed.blocks() if self.feed else None
        previous: Values = ()
        for k in range(count):
            previous = (self._later if k else self._first)(previous, next(fed) if fed else ())
            yield previous


def formula_at(text: str, rows: Mapping[str, int]) -> str:
    """A planned text with its row numbers filled in.

    >>> formula_at("B{Training|0}*E{Training|-4}", {"Training": 10})
    'B10*E6'
    """
    return re.sub(r"\{([^|}]+)\|(-?\d+)\}", lambda m: str(rows[m[1]] + int(m[2])), text)


def rectangles(cells: Iterable[Position]) -> list[tuple[Position, Position]]:
    """The cells as few rectangles, first and last corner of each: runs down a column, alike runs side by side joined.

    >>> square = [Position("Training", row, col, True) for row in (0, 1) for col in (3, 4)]
    >>> [(first[1:3], last[1:3]) for first, last in rectangles(square)]
    [((0, 3), (1, 4))]
    """
    runs: list[tuple[Position, Position]] = []
    for p in sorted(cells, key=lambda p: (p.sheet, p.moves, p.col, p.row)):
        if runs and runs[-1][1]._replace(row=runs[-1][1].row + 1) == p:
            runs[-1] = runs[-1][0], p
        else:
            runs.append((p, p))
    found: list[tuple[Position, Position]] = []
    for a, z in runs:
        beside = next((k for k, (b, y) in enumerate(found) if y._replace(col=y.col + 1) == z and b.row == a.row), None)
        if beside is None:
            found.append((a, z))
        else:
            found[beside] = found[beside][0], z
    return found
