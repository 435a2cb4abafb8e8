"""Which mistakes reproduce what stands in a wrong cell, and where a reference has drifted to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.check.evidence import ERROR, OTHER
from simulator.check.formula import Cell, NotUnderstood, cells_of, parse, skeleton
from simulator.check.judge import Verdicts, alike
from simulator.check.marking import CellMark, Name, OwnError, Status
from simulator.check.misconception import DRIFT, Misconception, Site, candidates
from simulator.check.placement import At
from simulator.sheet.address import a1, sheet_prefix
from simulator.sheet.relative import a1_text
from simulator.tape.scalar import Scalar


@dataclass(frozen=True)
class _Cause:
    names: tuple[Name, ...]
    detail: str = ""


class Diagnosis:
    """The own errors of a table whose cells have been judged."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.verdicts, self.evidence, self.reference = verdicts, verdicts.evidence, verdicts.reference
        self._candidates: dict[tuple[int, bool], list[tuple[Misconception, Scalar]]] = {}
        self._by_formula: dict[tuple[int, object], _Cause] = {}

    def errors(self, marks: dict[tuple[int, int], CellMark]) -> list[OwnError]:
        """Every own error, in the order of computation; cells that go wrong in the same way are one error."""
        own = sorted(((b, k) for (k, b), m in marks.items() if m.status.is_own_error), key=lambda at: at)
        typed = self._typed(k for b, k in own if marks[k, b].status == Status.WRONG)
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
        if status != Status.WRONG:
            return _Cause(())
        spelled = self.evidence.formulas.get((k, b))
        if spelled is None or self.verdicts.formula_right.get((k, spelled)) is None:
            return typed.get((k, b), _Cause(()))
        if (k, spelled) not in self._by_formula:
            self._by_formula[k, spelled] = self._of_formula(k, b)
        return self._by_formula[k, spelled]

    # By formula

    def _wrong_terms(self, k: int, first: bool) -> list[tuple[Misconception, Scalar]]:
        element = self.reference.elements[k]
        later = not first or element.first is element.later
        if (k, later) not in self._candidates:
            self._candidates[k, later] = list(candidates(Site(self.reference, k, later)))
        return self._candidates[k, later]

    def _of_formula(self, k: int, b: int) -> _Cause:
        copied = self._drift(k, b)
        if copied and copied[0]:
            return _Cause((DRIFT,), copied[1])
        found = self.verdicts.spelled_in_world(k, b)
        names: dict[str, Name] = {}
        if found is not None and np.isfinite(found).all():
            for m, term in self._wrong_terms(k, b == 0):
                if m.key not in names and alike(found, self.verdicts.in_world(k, term, b == 0)):
                    names[m.key] = m.name
        if not names and copied:
            return _Cause((DRIFT,), copied[1])
        return _Cause(_most_specific(names))

    def _drift(self, k: int, b: int) -> tuple[bool, str] | None:
        """Where a reference leads that leads elsewhere in a right cell of the element; True when it was filled down.

        The formulas must be the same but for their references.
        """
        mine = self.evidence.formulas[k, b]
        for other in sorted(self.evidence.formulas, key=lambda at: (at[0] != k, abs(at[1] - b))):
            theirs = self.evidence.formulas[other]
            if other[0] != k or not self.verdicts.formula_right.get((k, theirs)):
                continue
            if skeleton(theirs.text) != skeleton(mine.text) or (b == 0) != (other[1] == 0 and mine.first):
                continue
            here, there = self.evidence.placement.where[k][b], self.evidence.placement.where[k][other[1]]
            filled = theirs.text == mine.text
            pairs = zip(self._cells(mine.text), self._cells(theirs.text), strict=True)
            for (now, was), target, expected in zip(pairs, mine.targets[::2], theirs.targets[::2], strict=True):
                if target == expected:
                    continue
                astray = target[0] != "element" or expected[0] != "element" or target[2] != expected[2]
                if not filled and not astray:
                    return None
                rows = "the rows above" if other[1] < b else f"row {there[1] + 1}"
                return filled, f"row {here[1] + 1} refers to {_named(now, here)}, {rows} to {_named(was, there)}"
        return None

    @staticmethod
    def _cells(text: str) -> list[Cell]:
        try:
            return cells_of(parse(text))
        except NotUnderstood:
            return []

    # By number

    def _typed(self, ks: Iterable[int]) -> dict[tuple[int, int], _Cause]:
        """The causes of wrong numbers without a formula that can be read, cell by cell or for all of an element."""
        causes: dict[tuple[int, int], _Cause] = {}
        for k in dict.fromkeys(ks):
            blocks = [
                b
                for b in self.evidence.placement.where[k]
                if self.verdicts.status[k, b] == Status.WRONG
                and self.evidence.state[k, b] not in (ERROR, OTHER)
                and self.verdicts.formula_right.get((k, self.evidence.formulas.get((k, b)))) is None  # type: ignore[arg-type]
            ]
            matches: dict[int, dict[str, Name]] = {b: {} for b in blocks}
            values, margin = self.evidence.values[k], self.verdicts.margin[k]
            for first in (True, False):
                mine = [b for b in blocks if (b == 0) == first]
                if not mine:
                    continue
                for m, term in self._wrong_terms(k, first):
                    wrong = self.reference.value(k, term, self.verdicts.filled, slice(0, None), self.verdicts.scale)
                    with np.errstate(invalid="ignore"):
                        hit = np.abs(wrong - values) <= np.where(np.isfinite(margin), margin, 0) + 1e-9 * np.abs(wrong)
                    for b in mine:
                        if hit[b]:
                            matches[b][m.key] = m.name
            shared = set.intersection(*(set(found) for found in matches.values())) if matches else set()
            for b in blocks:
                names = {key: name for key, name in matches[b].items() if not shared or key in shared}
                causes[k, b] = _Cause(_most_specific(names))
        return causes

    # Consequences

    def _follows(self, cells: list[tuple[int, int]], marks: dict[tuple[int, int], CellMark]) -> int:
        """How many cells depend on these and are right by the student's own numbers."""
        count = self.evidence.placement.count
        reached = np.zeros((len(self.reference.elements), count), dtype=bool)
        for k, b in cells:
            reached[k, b] = True
        slot = self.reference.slot
        needs = [
            [
                [(slot[r.node.serial, r.index], r.back) for r in refs if (r.node.serial, r.index) in slot]
                for refs in both
            ]
            for both in self.reference.needs
        ]
        for b in range(min(b for _, b in cells), count):
            if b and reached[:, b - 1].all():
                reached[:, b:] = True
                break
            for k, both in enumerate(needs):
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
