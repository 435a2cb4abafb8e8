"""The given numbers of a table from elsewhere: first weights, inputs, targets and the learning rate."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from simulator.check.evidence import Evidence
from simulator.check.heading import label_of
from simulator.check.network import Candidate, Label, Wanted, last_row
from simulator.check.placement import At, Heading, Placement, headings_side_by_side, shown
from simulator.check.reference import Array, Reference
from simulator.tape.expression import Index
from simulator.xlsx.submission import Submission

MOST = 0.6  # of the updates that must agree on a learning rate


@dataclass(frozen=True)
class Surroundings:
    """A table's headings, and what stands around it."""

    submission: Submission
    heading: Heading
    count: int  # blocks
    labels: tuple[Label, ...]
    others: tuple[Placement, ...]  # the other tables of its sheet
    wanted: Wanted


def surroundings(
    candidate: Candidate,
    submission: Submission,
    labels: tuple[Label, ...],
    wanted: Wanted,
    others: tuple[Placement, ...],
) -> Surroundings:
    return Surroundings(submission, candidate.heading, candidate.placement.count, labels, others, wanted)


class Given:
    """The given numbers of a table and their cells, taken from its first block, from labels, or from the numbers."""

    def __init__(self, around: Surroundings, evidence: Evidence) -> None:
        self.around, self.evidence = around, evidence
        self.reference = evidence.reference
        self.numbers: dict[str, float] = {}
        self.cells: dict[At, tuple[str, Index]] = {}
        self.remarks: list[str] = []
        self._find_numbers()
        self.rate, self.rate_from = self._find_rate()
        self.numbers["learning_rate"] = self.rate

    def _find_numbers(self) -> None:
        run, slots = self.reference.run, _by_name(self.reference)
        names = {leaf.serial: name for name, leaf in run.settings.leaves.items()}
        wanted = {*run.lesson.given, *run.lesson.parameters}
        data = self._data() if run.lesson.data_sheet else {}
        lacking: dict[str, None] = {}
        for s in run.settings.items.values():
            name = names[s.leaf.serial]
            if name not in wanted:
                continue
            k = slots.get((name, s.index))
            value = float(self.evidence.values[k, 0]) if k is not None else math.nan
            label = None if math.isfinite(value) else self._label(name)
            if k is not None and math.isfinite(value):
                self._note_source(k, name, s.index)
            elif label:
                value = self._value(label)
                self.cells[label.at] = name, s.index
            elif name in data:
                value = data[name][s.index[0]]
            elif re.fullmatch(r"t\d+", name):
                value = self._target(int(name[1:]))
            if math.isfinite(value):
                self.numbers[s.name] = value
            else:
                lacking[name] = None
        if lacking:
            taken = "0 was taken" if run.lesson.columns else "the lesson's own numbers were taken"
            self.remarks.append(f"No number was found for {', '.join(lacking)}; {taken}.")

    def _note_source(self, k: int, name: str, index: Index) -> None:
        """Remember the cell outside of the table that a first number is copied from."""
        spelled = self.evidence.formulas.get((k, 0))
        places = set(spelled.targets) if spelled else set()
        if len(places) == 1:
            kind, *at = places.pop()
            if kind == "cell":
                self.cells[at[0], at[1], at[2]] = name, index  # type: ignore[index]

    def _data(self) -> dict[str, list[float]]:
        """Columns X and Y that stand somewhere else, where they have as many numbers as the lesson."""
        lesson = self.reference.lesson
        found: dict[str, list[float]] = {}
        for heading in headings_side_by_side(self.around.submission.sheets, set(lesson.given), {}):
            for name, col in heading.columns.items():
                column: list[float] = []
                row = heading.row + 1
                while True:
                    number = self.evidence.number((heading.sheet.name, row, col))
                    if number is None and (column or row > heading.row + 3):
                        break
                    column += [] if number is None else [number]
                    row += 1
                if len(column) == len(lesson.given[name]):
                    found[name] = column
        return found

    def _label(self, name: str) -> Label | None:
        here = self.around.heading.sheet.name
        columns = {(self.around.heading.row, col) for col in self.around.heading.columns.values()}
        mine = [lab for lab in self.around.labels if lab.name == name and lab.at[1:] not in columns]
        mine = [lab for lab in mine if math.isfinite(self._value(lab))]
        return min(mine, key=lambda lab: (lab.at[0] != here, self._distance(lab)), default=None)

    def _value(self, label: Label) -> float:
        number = self.evidence.number(label.at) if label.number is None else label.number
        return math.nan if number is None else float(number)

    def _distance(self, label: Label) -> tuple[int, int]:
        row, (low, high) = self.around.heading.row, self.around.heading.span
        col = label.at[2]
        return abs(row - label.at[1]), max(low - col, col - high, 0)

    def _target(self, n: int) -> float:
        """A target that only formulas know: what errors and gradients of its output agree on."""
        slots = {e.name: k for k, e in enumerate(self.evidence.reference.elements)}
        values = self.evidence.values
        a, found = values[slots[f"a_o{n}"]], []
        with np.errstate(all="ignore"):
            half_width = np.sqrt(2 * values[slots[f"E{n}"]])
            found += [*(a - half_width), *(a + half_width)]
        votes = Counter(float(f"{x:.6g}") for x in found if math.isfinite(x))
        target, count = votes.most_common(1)[0] if votes else (math.nan, 0)
        if 2 * count < len(votes) and len(a) > 1:
            return math.nan
        return target

    # The learning rate

    def _find_rate(self) -> tuple[float, str]:
        """The learning rate and where it comes from: the table, its label, its formulas, its numbers, another label."""
        slots = _by_name(self.reference)
        k = slots.get(("rate", ()))
        if k is not None and math.isfinite(self.evidence.values[k, 0]):
            return float(self.evidence.values[k, 0]), shown(self.evidence.placement.where[k][0])
        labels = [lab for lab in self.around.labels if lab.name == "rate" and math.isfinite(self._value(lab))]
        own = [lab for lab in labels if self._is_own(lab)]
        voted = self._voted()
        if own:
            return self._at(min(own, key=self._distance))
        cell = self._in_formulas()
        if cell is not None:
            return self._at(Label("rate", cell, None))
        if voted is not None:
            return voted, "from the updates"
        here = [lab for lab in labels if lab.at[0] == self.around.heading.sheet.name]
        if here or labels:
            return self._at(min(here or labels, key=self._distance))
        name, number = label_of(self.around.heading.sheet.name)
        if name == "rate" and number is not None:
            return number, "the sheet's name"
        own_rate = self.reference.lesson.learning_rate
        self.remarks.append(f"No learning rate was found; {own_rate:g} was taken.")
        return own_rate, "not on the sheet"

    def _at(self, label: Label) -> tuple[float, str]:
        value = self._value(label)
        if label.number is None:
            self.cells[label.at] = "learning_rate", ()
        return value, shown(label.at)

    def _is_own(self, label: Label) -> bool:
        """Whether a label belongs to this table: no other one stands between or shares the sheet's columns."""
        sheet, row, col = label.at
        heading = self.around.heading
        if sheet != heading.sheet.name:
            return False
        if not self.around.others:
            return True
        low, high = heading.span
        above = [last_row(p) for p in self.around.others if p.heading < heading.row and _spans(p, low, high)]
        return max(above, default=-1) < row <= heading.row + 1 and low - 2 <= col <= high + 2

    def _in_formulas(self) -> At | None:
        """The cell outside of the table that most updates refer to, if it holds a number."""
        updates = used_rates(self.reference, self.evidence.values, self.evidence.placement)
        cells: Counter[At] = Counter()
        total = 0
        for (k, b), spelled in self.evidence.formulas.items():
            if k in updates and math.isfinite(updates[k][b]):
                total += 1
                cells.update({(t[1], t[2], t[3]) for t in spelled.targets if t[0] == "cell"})  # type: ignore[misc]
        at, count = cells.most_common(1)[0] if cells else (("", 0, 0), 0)
        return at if count > MOST * total and self.evidence.number(at) is not None else None

    def _voted(self) -> float | None:
        """The learning rate that most updates agree on."""
        updates = used_rates(self.reference, self.evidence.values, self.evidence.placement)
        rates = [abs(r) for column in updates.values() for r in column if math.isfinite(r) and abs(r) > 0]
        for digits in (6, 3, 2):
            votes = Counter(float(f"{r:.{digits}g}") for r in rates)
            if votes and votes.most_common(1)[0][1] > MOST * len(rates):
                return votes.most_common(1)[0][0]
        return None


def _spans(placement: Placement, low: int, high: int) -> bool:
    cols = [col for _, col in placement.columns.values()]
    return min(cols) <= high and max(cols) >= low


def used_rates(reference: Reference, values: Array, placement: Placement) -> dict[int, Array]:
    """For every element that holds an updated parameter, the learning rate behind its cell in every block: the step
    divided by the gradient, NaN where that can't be told."""
    run, found = reference.run, {}
    for name, parameter in run.epoch.parameters.items():
        gradient, update = run.epoch.gradients[name], run.epoch.updates[name]
        for (serial, index), k in reference.slot.items():
            g = reference.slot.get((gradient.serial, index))
            if serial != parameter.serial or g is None:
                continue
            u = reference.slot.get((update.serial, index))
            rates = np.full(values.shape[1], np.nan)
            with np.errstate(all="ignore"):
                if u is not None and placement.where[u]:
                    rates[:] = (values[k] - values[u]) / values[g]
                    k = u
                else:
                    rates[1:] = (values[k, :-1] - values[k, 1:]) / values[g, :-1]
            rates[~np.isfinite(rates)] = np.nan
            found[k] = rates
    return found


def _by_name(reference: Reference) -> dict[tuple[str, Index], int]:
    return {(e.name, e.index): k for k, e in enumerate(reference.elements)}
