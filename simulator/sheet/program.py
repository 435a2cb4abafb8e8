"""Named arrays as cells: every element's formula, and the function that computes a block of values from the last one.

Equations are traced once. From the trace come a text per cell, in which only row numbers change from block to block,
and a Python function; so a training of any length costs no more memory than one step of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulator.errors import LayoutError
from simulator.sheet.address import a1, column_name, sheet_prefix
from simulator.sheet.step import Step, Values, step_of
from simulator.tape.dialect import CAREFUL_PYTHON, PYTHON, Dialect
from simulator.tape.expression import Expression, Index
from simulator.tape.formula import formula_text, python_text
from simulator.tape.scalar import Number, Position, Ref, Scalar, lowered

Entry = tuple[Expression, Index]
Slots = dict[tuple[int, Index], int]  # an element -> where its value stands among a block's values
MOST_CHARACTERS = 8_192  # of a formula, Excel's limit


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
    out where they are used); givens has the numbers of fixed cells.
    """

    entries: Sequence[Entry]
    locate: Callable[[Ref], Position]
    givens: Mapping[tuple[int, Index], float]
    carries: Mapping[int, Carry] = field(default_factory=dict)
    feed: Feed | None = None
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

    @cached_property
    def terms(self) -> list[tuple[Scalar, Scalar]]:
        """Every entry's term in the first block, and in later ones."""
        found = []
        for node, index in self.entries:
            later = first = lowered(self._element(node, index, False, top=True), self.locate)
            if self._looks_back(node):
                later = lowered(self._element(node, index, True, top=True), self.locate)
            found.append((first, later))
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
        """Every entry's formula in the first block and in later ones, with {sheet|offset} for rows."""
        found = []
        for (node, index), (first, later) in zip(self.entries, self.terms, strict=True):
            home = self.locate(Ref(node, index)).sheet
            one = self._text(first, home)
            found.append((one, one if later is first else self._text(later, home)))
        return found

    def _text(self, term: Scalar, home: str) -> str:
        def corner(ref: Ref) -> str:
            p = self.locate(ref)
            return f"{column_name(p.col)}{{{p.sheet}|{p.row}}}" if p.moves else a1(p.row, p.col, absolute=True)

        def cell(ref: Ref) -> str:
            sheet = self.locate(ref).sheet
            return ("" if sheet == home else sheet_prefix(sheet)) + corner(ref)

        text = formula_text(term, cell, corner)
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

        lines = [
            f" v{k} = {python_text(self.terms[k][which], name, dialect)}"
            for k in sorted(range(len(self.entries)), key=order)
        ]
        values = ", ".join(f"v{i}" for i in range(len(self.entries)))
        return "\n".join(["def step(p, f, g):", *lines, f" return ({values},)"])

    def blocks(self, count: int) -> Iterator[Values]:
        """The values of every block, in the order of `entries`; NaN where the spreadsheet shows an error."""
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
