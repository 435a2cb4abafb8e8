"""What marking found: a status for every cell, and the student's own errors in the order of computation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from simulator.sheet.address import a1, sheet_prefix


class Status(StrEnum):
    """How one cell is judged, on the values of the student's own cells that it depends on."""

    CORRECT = "correct"
    CARRIED = "carried"  # right by the student's own numbers, which an earlier error has changed
    WRONG = "wrong"
    MISSING = "missing"
    TYPED_OVER = "typed-over"  # a number where the cells around it hold a formula
    NOT_REACHED = "not reached"

    @property
    def is_right(self) -> bool:
        return self in (Status.CORRECT, Status.CARRIED)

    @property
    def is_own_error(self) -> bool:
        return self in (Status.WRONG, Status.MISSING, Status.TYPED_OVER)


@dataclass(frozen=True, slots=True)
class CellMark:
    """One cell: what it should be by the student's own numbers, what it is, and the verdict.

    stage is one of "given", "parameter", "forward", "cost", "backward", "update"; row and col count from 0;
    expected is NaN where nothing can be expected, as after an error value; found is the text where it is no number.
    """

    sheet: str
    row: int
    col: int
    quantity: str
    entry: str
    stage: str
    epoch: int
    status: Status
    expected: float
    found: float | str

    @property
    def address(self) -> str:
        return f"{sheet_prefix(self.sheet)}{a1(self.row, self.col)}"

    def is_work(self, to_fill: frozenset[str]) -> bool:
        """Whether the student had to fill it in; the first epoch's weights are given."""
        return self.quantity in to_fill and self.stage != "given"


@dataclass(frozen=True)
class Name:
    """A named mistake: its key in the table of misconceptions, what it is called, and a question for the student."""

    key: str
    title: str
    question: str

    def __and__(self, other: Name) -> Name:
        """Both mistakes in one formula, in the same order whichever comes first."""
        one, two = sorted((self, other), key=lambda name: name.key)
        question = f"Are these two mistakes? {one.question} {two.question}"
        return Name(f"{one.key}+{two.key}", f"{one.title}, with {two.title}", question)


@dataclass(frozen=True)
class OwnError:
    """One mistake: all cells of a quantity that go wrong in the same way, the first one first.

    names has every mistake that reproduces what stands there, none when it is unknown; formula is the first cell's,
    as the student sees it; follows counts the cells that depend on this one and agree with it.
    """

    cells: tuple[CellMark, ...]
    names: tuple[Name, ...]
    formula: str
    follows: int
    detail: str = ""  # for example where a reference has drifted to

    @property
    def first(self) -> CellMark:
        return self.cells[0]

    @property
    def status(self) -> Status:
        return self.first.status


@dataclass(frozen=True)
class Marking:
    """One workbook, marked.

    to_fill has the quantities that the student had to fill in, all computed ones when that isn't known; before counts
    the right cells in front of the first error, in the order of computation; absent counts the cells of handed-out
    columns that are no longer there, by quantity and stage.
    """

    file: str
    identifier: str
    lesson: str
    title: str
    cells: Sequence[CellMark]
    errors: tuple[OwnError, ...]
    to_fill: frozenset[str]
    before: int
    remarks: tuple[str, ...] = ()
    absent: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def count(self, status: Status) -> int:
        return self._counts[status]

    @cached_property
    def _counts(self) -> Counter[Status]:
        return Counter(mark.status for mark in self.cells)

    @property
    def judged(self) -> list[CellMark]:
        """The cells that count: those that the student had to fill in."""
        return [mark for mark in self.cells if mark.is_work(self.to_fill)]
