"""Which mistakes reproduce what stands in a wrong cell, and where a reference has drifted to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from simulator.check.evidence import ERROR, OTHER
from simulator.check.formula import Cell, NotUnderstood, cells_in, skeleton
from simulator.check.judge import Verdicts, alike
from simulator.check.marking import CellMark, Name, OwnError, Status
from simulator.check.misconception import DRIFT, Misconception, candidates, pairs
from simulator.check.placement import At
from simulator.check.reference import Array
from simulator.check.rewrite import Site
from simulator.check.tolerance import spread_of
from simulator.check.world import Moved, make_world
from simulator.sheet.address import a1, sheet_prefix
from simulator.sheet.relative import a1_text
from simulator.tape.scalar import Scalar
from simulator.tape.vector import references

NEAR = 0.05  # numbers farther apart than this part of them are not compared digit by digit
MOST_PAIRS = 20_000  # of mistakes in one formula that are tried
ROUNDING = re.compile("ROUND|TRUNC|INT", re.IGNORECASE)


@dataclass(frozen=True)
class _Cause:
    names: tuple[Name, ...]
    detail: str = field(default="", compare=False)  # the first cell's stands for all


class Diagnosis:
    """The own errors of a table whose cells have been judged."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.verdicts, self.evidence, self.reference = verdicts, verdicts.evidence, verdicts.reference
        self._candidates: dict[tuple[int, bool], list[tuple[Misconception, Scalar]]] = {}
        self._by_formula: dict[tuple[object, ...], _Cause] = {}

    def errors(self, marks: dict[tuple[int, int], CellMark]) -> list[OwnError]:
        """Every own error, in the order of computation; cells that go wrong in the same way are one error."""
        own = sorted((b, k) for (k, b), m in marks.items() if m.status.is_own_error)
        typed = self._typed(k for b, k in own if marks[k, b].status != Status.MISSING)
        groups: dict[tuple[str, Status, _Cause], list[tuple[int, int]]] = {}
        for b, k in own:
            cause = self._cause(k, b, marks[k, b].status, typed)
            key = marks[k, b].quantity, marks[k, b].status, cause
            groups.setdefault(key, []).append((k, b))
        found = []
        for (_, _, cause), cells in groups.items():
            follows = self._follows(cells, marks)
            formula = self._formula(*cells[0])
            found.append(OwnError(tuple(marks[at] for at in cells), cause.names, formula, follows, cause.detail))
        return found

    def _formula(self, k: int, b: int) -> str:
        spelled = self.evidence.formulas.get((k, b))
        _, row, col = self.evidence.placement.where[k][b]
        return "=" + a1_text(spelled.text, row, col) if spelled else ""

    def _cause(self, k: int, b: int, status: Status, typed: dict[tuple[int, int], _Cause]) -> _Cause:
        if status == Status.MISSING:
            return _Cause(())
        spelled = self.evidence.formulas.get((k, b))
        if spelled is None or self.verdicts.formula_right.get((k, spelled)) is None:
            return typed.get((k, b), _Cause(()))
        key = k, spelled.text, spelled.offset, self._is_later(k, b == 0)
        if key not in self._by_formula:  # filled down, a formula has the cause of the first cell that it is wrong in
            self._by_formula[key] = self._of_formula(k, b)
        return self._by_formula[key]

    # By formula

    def _wrong_terms(self, k: int, first: bool) -> list[tuple[Misconception, Scalar]]:
        later = self._is_later(k, first)
        if (k, later) not in self._candidates:
            self._candidates[k, later] = list(candidates(Site(self.reference, k, later)))
        return self._candidates[k, later]

    def _is_later(self, k: int, first: bool) -> bool:
        element = self.reference.elements[k]
        return not first or element.first is element.later

    def _of_formula(self, k: int, b: int) -> _Cause:
        copied = self._drift(k, b)
        if copied and copied[0]:
            return _Cause((DRIFT,), copied[1])
        names = self._that_give(k, b, ((m.name, term) for m, term in self._wrong_terms(k, b == 0)))
        if not names and copied:
            return _Cause((DRIFT,), copied[1])
        if not names:
            names = self._that_give(k, b, self._doubly_wrong_terms(k, b == 0))
        if "rounded" in names and ROUNDING.search(self.evidence.formulas[k, b].text):
            names = {"rounded": names["rounded"]}
        return _Cause(_most_specific(names))

    def _that_give(self, k: int, b: int, wrong: Iterable[tuple[Name, Scalar]]) -> dict[str, Name]:
        """The mistakes whose terms give in trial runs what the formula of a cell gives, by key.

        Where the data move too, 0 and 1 hide nothing; a formula for these data alone shows itself where they stay.
        """
        terms = list(wrong)
        for moved in (Moved.ALL, Moved.NOTHING):
            world = make_world(self.reference, moved)
            found = self.verdicts.spelled_in_world(k, b, world)
            if found is not None and np.isfinite(found).all():
                fit = [n for n, term in terms if alike(found, self.verdicts.in_world(k, term, b == 0, world))]
                if fit:
                    return {name.key: name for name in fit}
        return {}

    def _doubly_wrong_terms(self, k: int, first: bool) -> Iterator[tuple[Name, Scalar]]:
        """What two mistakes in one formula lead to, the first of many."""
        site = Site(self.reference, k, self._is_later(k, first))
        for (one, other), term in islice(pairs(site), MOST_PAIRS):
            yield one.name & other.name, term

    def _drift(self, k: int, b: int) -> tuple[bool, str] | None:
        """Where a reference leads that leads elsewhere in a right cell of the element; True where that explains all.

        The formulas must be the same but for their references.
        """
        mine = self.evidence.formulas[k, b]
        places, element = self.evidence.placement.where[k], self.reference.elements[k]
        for other in sorted((b2 for b2 in places if (k, b2) in self.evidence.formulas), key=lambda b2: abs(b2 - b)):
            theirs = self.evidence.formulas[k, other]
            comparable = theirs.first == mine.first or element.first is element.later
            alike_in_form = comparable and skeleton(theirs.text) == skeleton(mine.text)
            if not alike_in_form or not self.verdicts.formula_right.get((k, theirs)):
                continue
            here, there = places[b], places[other]
            filled = theirs.text == mine.text
            pairs = zip(self._cells(mine.text), self._cells(theirs.text), strict=True)
            for (now, was), target, expected in zip(pairs, mine.targets[::2], theirs.targets[::2], strict=True):
                if target == expected:
                    continue
                astray = target[0] != "element" or expected[0] != "element" or target[2] != expected[2]
                if not filled and not astray:
                    return None
                rows = "the rows above" if other < b else f"row {there[1] + 1}"
                fixed = target[0] == expected[0] == "cell"  # another cell outside of the table
                return (
                    filled or fixed,
                    f"row {here[1] + 1} refers to {_named(now, here)}, {rows} to {_named(was, there)}",
                )
        return None

    @staticmethod
    def _cells(text: str) -> list[Cell]:
        try:
            return list(cells_in(text))
        except NotUnderstood:
            return []

    # By number

    def _typed(self, ks: Iterable[int]) -> dict[tuple[int, int], _Cause]:
        """The causes of wrong numbers without a formula that can be read, cell by cell or for all of an element."""
        causes: dict[tuple[int, int], _Cause] = {}
        for k in dict.fromkeys(ks):
            blocks = [b for b in self.evidence.placement.where[k] if self._is_wrong_number(k, b)]
            matches: dict[int, dict[str, Name]] = {b: {} for b in blocks}
            values = self.evidence.values[k]
            for first in (True, False):
                mine = [b for b in blocks if (b == 0) == first]
                if not mine:
                    continue
                for m, term in self._wrong_terms(k, first):
                    if any(m.key not in matches[b] for b in mine):
                        hit = self._reproduced(k, term, values)
                        for b in mine:
                            if hit[b]:
                                matches[b][m.key] = m.name
            shared = set.intersection(*(set(found) for found in matches.values())) if matches else set()
            for b in blocks:
                names = {key: name for key, name in matches[b].items() if not shared or key in shared}
                causes[k, b] = _Cause(tuple(names.values()))
        return causes

    def _reproduced(self, k: int, term: Scalar, values: Array) -> NDArray[np.bool_]:
        """In which blocks a wrong term leads to the student's numbers, as far as digits tell."""
        filled, scale, margins = self.verdicts.filled, self.verdicts.scale, self.evidence.margins

        def compute(moved: Array) -> Array:
            return np.array(self.reference.value(k, term, moved, slice(0, None), scale))

        wrong = compute(filled)
        with np.errstate(invalid="ignore"):
            distance = np.abs(wrong - values)
            hit: NDArray[np.bool_] = distance <= margins[k] + 1e-9 * np.abs(wrong)
            if not hit.all() and (distance <= NEAR * np.abs(values) + margins[k]).any():
                spread = spread_of(compute, references(term), self.reference, filled, margins)
                hit = distance <= margins[k] + 1e-9 * np.abs(wrong) + np.where(np.isfinite(spread), spread, 0)
        return hit

    def _is_wrong_number(self, k: int, b: int) -> bool:
        """Whether a cell is wrong by its number, not by a formula that was understood."""
        verdicts, state = self.verdicts, self.evidence.state[k, b]
        spelled = self.evidence.formulas.get((k, b))
        if verdicts.status[k, b] not in (Status.WRONG, Status.TYPED_OVER) or state in (ERROR, OTHER):
            return False
        if spelled is not None and verdicts.formula_right.get((k, spelled)) is not None:
            return False
        return not abs(self.evidence.values[k, b] - verdicts.own[k, b]) <= verdicts.margin[k, b]

    # Consequences

    @cached_property
    def _needs(self) -> list[list[list[tuple[int, int]]]]:
        """The elements that each one depends on, with how many blocks before, in the first block and in later ones."""
        slot = self.reference.slot
        return [
            [
                [(slot[r.node.serial, r.index], r.back) for r in refs if (r.node.serial, r.index) in slot]
                for refs in both
            ]
            for both in self.reference.needs
        ]

    def _follows(self, cells: list[tuple[int, int]], marks: dict[tuple[int, int], CellMark]) -> int:
        """How many cells depend on these and are right by the student's own numbers."""
        count = self.evidence.placement.count
        reached = np.zeros((len(self.reference.elements), count), dtype=bool)
        for k, b in cells:
            reached[k, b] = True
        for b in range(min(b for _, b in cells), count):
            if b and reached[:, b - 1].all():
                reached[:, b:] = True
                break
            for k, both in enumerate(self._needs):
                if not reached[k, b]:
                    reached[k, b] = any(b >= back and reached[m, b - back] for m, back in both[b > 0])
        carried = {at for at, mark in marks.items() if mark.status == Status.CARRIED}
        return sum(1 for at in carried if reached[at])


def _most_specific(names: dict[str, Name]) -> tuple[Name, ...]:
    """Rounding explains any number that is close; it is named only where nothing else does."""
    others = tuple(name for key, name in names.items() if key != "rounded")
    return others or tuple(names.values())


def _named(cell: Cell, at: At) -> str:
    row, col = cell.first.at(*at[1:])
    sheet = sheet_prefix(cell.sheet) if cell.sheet else ""
    return sheet + a1(max(row, 0), max(col, 0))
