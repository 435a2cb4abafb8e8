"""Audit a sheet that nobody here generated: find its training tables, infer their networks, judge every cell.

A network is a lesson of the lecture, or a ledger of any small dense network: one row per epoch, every quantity a
column. Given numbers and the learning rate are those of the sheet.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from simulator.check.diagnosis import Diagnosis
from simulator.check.evidence import Evidence
from simulator.check.feedback import Feedback, advice, numbers, place
from simulator.check.heading import label_of, spellings_of
from simulator.check.judge import judged
from simulator.check.mark import cell_marks
from simulator.check.marking import CellMark, Name, OwnError, Status
from simulator.check.misconception import DRIFT
from simulator.check.placement import (
    OTHER_SHEETS,
    At,
    Heading,
    Placement,
    headings_side_by_side,
    is_to_fill,
    placed,
    shown,
)
from simulator.check.reference import Array, Reference
from simulator.check.world import make_world
from simulator.errors import SettingError, WorkbookError, did_you_mean
from simulator.lessons import LESSONS
from simulator.lessons.ledger import ACTIVATIONS, HIDDEN, ledger_lesson
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.sheet.address import a1, sheet_prefix
from simulator.tape.expression import Index
from simulator.xlsx.submission import Submission

LETTERS = HIDDEN[:4]  # of hidden layers that are looked for: more would take i, n and p for other things
MOST_UNITS, MOST_WEIGHTS = 9, 60
SPEC = re.compile(r"(\d+(?:-\d+)+)(?:\s+([a-z]+(?:-[a-z]+)*))?")
SPECIAL = ("and-zeros", "decoder-sigmoid-as-printed", "ledger", "ledger-bias")  # other numbers or rules, same headings
KINDS = ("wrong", "rate", "drift", "typed-over", "missing")
MOST = 0.6  # of the updates that must agree on a learning rate
ALIKE = 0.75  # of the best network's columns that another one needs to be tried, too
TRIED = 3  # epochs that are looked at to choose a network
CLUSTER = 3  # cells that share a learning rate which is no round number


@dataclass(frozen=True)
class Finding:
    """One mistake of a table: kind is one of KINDS, cells go wrong in the same way, the first one first."""

    kind: str
    cells: tuple[CellMark, ...]
    text: str
    names: tuple[Name, ...] = ()
    formula: str = ""

    @property
    def first(self) -> CellMark:
        return self.cells[0]


@dataclass(frozen=True)
class AuditedTable:
    """One table: the cells that it takes, its network, its learning rate and where that comes from, what is wrong."""

    sheet: str
    cells: str
    network: str
    rate: float
    rate_from: str
    epochs: int
    checked: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    file: str
    tables: tuple[AuditedTable, ...]
    remarks: tuple[str, ...]


class Wanted(NamedTuple):
    """The network that the lecturer names: a lesson, or a ledger's sizes and activations; nothing where not said."""

    lesson: str = ""
    sizes: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()


class Label(NamedTuple):
    """A cell beside the table that says what a number is; at is the number's cell."""

    name: str
    at: At
    number: float | None  # None: it stands in a cell of its own


class Candidate(NamedTuple):
    """Headings, the networks that have them, how many columns have a name, and how many names there are."""

    heading: Heading
    placement: Placement
    lessons: tuple[Lesson, ...]
    named: int
    names: int

    @property
    def start(self) -> Candidate:
        """The same table, cut off after its first epochs: enough to tell which network it is of."""
        rows = [places[TRIED][1] for places in self.placement.where if TRIED in places]
        if not rows:
            return self
        return self._replace(
            heading=replace(self.heading, last=min(rows) - 1), placement=replace(self.placement, count=TRIED)
        )


class Partial(NamedTuple):
    """Headings that are not enough, and what a ledger also needs."""

    heading: Heading
    missing: tuple[str, ...]


def audit(submission: Submission, network: str = "") -> Audit:
    """Every training table of a workbook, each cell judged by the cells of the same table that it depends on.

    network names the network where headings don't tell: a lesson's name, or sizes with activations, one for all layers
    or one per layer, such as "2-2-2", "2-3-1 tanh", "2-2-2 tanh-sigmoid". Biases are read from the sheet, one per unit
    or one per layer. Raises SettingError for an unknown network, WorkbookError when there is no table.
    """
    wanted = wanted_network(network)
    labels = list(_labels(submission))
    groups, partial = _candidates(submission, wanted, labels)
    if not groups:
        raise WorkbookError(_nothing_found(submission, wanted, partial))
    placements = [group[0].placement for group in groups]
    around = submission, tuple(labels), wanted
    tables = []
    for group in groups:
        mine = group[0].placement
        others = tuple(p for p in placements if p is not mine and p.sheet == mine.sheet)
        options = [(candidate, lesson) for candidate in group for lesson in candidate.lessons]
        if len(options) > 1:
            options.sort(key=lambda option: _wrong_share(_surroundings(option[0].start, *around, others), option[1]))
        candidate, lesson = options[0]
        tables.append(_audited(_surroundings(candidate, *around, others), lesson))
    return Audit(submission.path.name, tuple(tables), tuple(f"In this file, {w}." for w in submission.warnings))


def wanted_network(spec: str) -> Wanted:
    """
    >>> wanted_network("2-2-2 tanh-sigmoid")
    Wanted(lesson='', sizes=(2, 2, 2), activations=('tanh', 'sigmoid'))
    """
    if not spec:
        return Wanted()
    if spec in LESSONS:
        ledger = bool(LESSONS[spec].columns)
        return Wanted("", (2, 2, 2), ("sigmoid", "sigmoid")) if ledger else Wanted(spec)
    match = SPEC.fullmatch(spec.strip().lower())
    if match:
        sizes = tuple(int(n) for n in match[1].split("-"))
        words = match[2].split("-") if match[2] else []
        activations = tuple(words * (len(sizes) - 1) if len(words) == 1 else words)
        known = all(word in ACTIVATIONS for word in activations) and all(sizes)
        if known and len(activations) in (0, len(sizes) - 1):
            return Wanted("", sizes, activations)
    hint = did_you_mean(spec.lower(), LESSONS) or f" The lessons are {', '.join(LESSONS)}."
    raise SettingError(
        "A network is a lesson's name, or sizes and activations of a ledger such as '2-2-2' or '2-3-1 tanh-sigmoid', "
        f"of {', '.join(ACTIVATIONS)}. Received: '{spec}'.{hint}"
    )


# Where tables are, and of which network


def _labels(submission: Submission) -> Iterator[Label]:
    """The cells that name a given number of a ledger or a learning rate, with the number behind, beside or below."""
    names = spellings_of(f"{letter}{n}" for letter in "tib" for n in range(1, MOST_WEIGHTS + 1))
    for sheet in submission.sheets.values():
        for (row, col), cell in sorted(sheet.cells.items()):
            if not isinstance(cell.value, str) or cell.is_error:
                continue
            text, number = label_of(cell.value)
            name = text if text == "rate" else names.get(text)
            if name is None:
                continue
            if number is not None:
                yield Label(name, (sheet.name, row, col), number)
                continue
            for r, c in ((row, col + 1), (row + 1, col)):
                beside = sheet.cells.get((r, c))
                if beside and not isinstance(beside.value, str | bool):
                    yield Label(name, (sheet.name, r, c), None)
                    break
    for defined, at in submission.names.items():
        if label_of(defined)[0] == "rate":
            yield Label("rate", at, None)


def _candidates(
    submission: Submission, wanted: Wanted, labels: Sequence[Label]
) -> tuple[list[list[Candidate]], list[Partial]]:
    """The tables from top to bottom, each with the networks it may be of, the likeliest first; and headings that nearly
    make a ledger, the nearest first."""
    generated = "Training" in submission.sheets
    sheets = {n: s for n, s in submission.sheets.items() if not (generated and n in OTHER_SHEETS)}
    found: list[Candidate] = []
    partial: list[Partial] = []
    if not wanted.lesson:
        for heading in headings_side_by_side(sheets, _ledger_names(), {}):
            ledger = _ledger(heading, labels, wanted)
            if isinstance(ledger, Lesson):
                named = len(set(heading.columns) & {*ledger.columns, "epoch"})
                placement = placed(heading, _draft(ledger, 1))
                found.append(Candidate(heading, placement, (ledger,), named, len(ledger.columns)))
            else:
                partial.append(Partial(heading, tuple(ledger)))
    if not wanted.sizes:
        alike: dict[frozenset[str], list[str]] = {}
        for name in [wanted.lesson] if wanted.lesson else [name for name in LESSONS if name not in SPECIAL]:
            alike.setdefault(frozenset(e.name for e in _plan(name).elements), []).append(name)
        for names, lessons in alike.items():
            plan = _plan(lessons[0])
            computed = {e.name for e in plan.elements if is_to_fill(e)}
            same = tuple(replace(LESSONS[name], first_epoch=1) for name in lessons)
            for heading in headings_side_by_side(sheets, {*names, "epoch"}, _entries(plan)):
                if len(computed & set(heading.columns)) >= max(2, len(computed) // 3):
                    found.append(Candidate(heading, placed(heading, plan), same, len(heading.columns), len(names)))
    groups: list[list[Candidate]] = []
    for candidate in sorted(found, key=lambda c: (-c.named, c.names)):
        rival = next((g for g in groups if _overlap(candidate, g[0])), None)
        if rival is None and candidate.placement.count:
            groups.append([candidate])
        elif rival and candidate.heading.row == rival[0].heading.row and candidate.named >= ALIKE * rival[0].named:
            rival.append(candidate)
    order = list(submission.sheets)
    groups.sort(key=lambda g: (order.index(g[0].heading.sheet.name), g[0].heading.row, g[0].heading.span))
    return groups, sorted(partial, key=lambda p: (-len(p.heading.columns), len(p.missing)))


def _overlap(one: Candidate, other: Candidate) -> bool:
    """Whether two tables share rows and columns."""
    if one.heading.sheet is not other.heading.sheet:
        return False
    (low, high), (other_low, other_high) = one.heading.span, other.heading.span
    rows = one.heading.row <= _last_row(other.placement) and other.heading.row <= _last_row(one.placement)
    return rows and low <= other_high and other_low <= high


def _last_row(placement: Placement) -> int:
    return max((row for places in placement.where for _, row, _ in places.values()), default=placement.heading)


def _ledger_names() -> set[str]:
    units = range(1, MOST_UNITS + 1)
    names = {f"{letter}{n}" for letter in ("t", "i", "E", "o", "a_o", *LETTERS) for n in units}
    names |= {f"a_{letter}{n}" for letter in LETTERS for n in units}
    parameters = {f"{letter}{n}" for letter in "wb" for n in range(1, MOST_WEIGHTS + 1)}
    return names | parameters | {f"dE/d{name}" for name in parameters} | {"E_tot", "epoch"}


def _ledger(heading: Heading, labels: Sequence[Label], wanted: Wanted) -> Lesson | list[str]:
    """The ledger of these headings, its numbers 0; or the columns that are missing to make one."""
    names = set(heading.columns)

    def most(*prefixes: str) -> int:
        patterns = [re.compile(rf"{prefix}(\d+)") for prefix in prefixes]
        return max((int(m[1]) for name in names for p in patterns if (m := p.fullmatch(name))), default=0)

    hidden = [most(letter, f"a_{letter}") for letter in LETTERS]
    while hidden and not hidden[-1]:
        hidden.pop()
    outputs, weights, inputs = most("o", "a_o"), most("w"), most("i")
    if wanted.sizes:
        inputs, *hidden, outputs = wanted.sizes
    inner = sum(a * b for a, b in pairwise([*hidden, outputs]))
    if not inputs and outputs and (first := [*hidden, outputs][0]) and (weights - inner) % first == 0:
        inputs = max(0, (weights - inner) // first)
    sizes = [inputs, *hidden, outputs]
    beside = {lab.name for lab in labels if lab.at[0] == heading.sheet.name}
    missing = [] if inputs and (most("i") or "i1" in beside or wanted.sizes) else ["i1"]
    missing += [] if hidden or outputs else ["h1"]
    missing += [f"{letter}1" for letter, size in zip(LETTERS, hidden, strict=False) if not size]
    missing += [] if outputs else ["o1"]
    needed = sum(a * b for a, b in pairwise(sizes)) if not missing else max(weights, 1)
    missing += [f"w{n}" for n in range(1, needed + 1) if f"w{n}" not in names]
    missing += [] if most("dE/dw") else ["dE/dw1"]
    units = sum(sizes[1:])
    biases = most("b")
    if not biases:  # given beside the table, or not at all
        given = {name for name in beside if name[0] == "b"}
        biases = next((n for n in (len(sizes) - 1, units) if given == {f"b{i}" for i in range(1, n + 1)}), 0)
    trained = bool(most("dE/db"))
    if not missing and biases not in ({units} if trained else {0, units, len(sizes) - 1}):
        missing.append(f"b{units}" if biases < units else f"only one bias per unit or layer, not {biases}")
    if not missing and weights > needed:
        missing.append(f"only {needed} weights for {'-'.join(map(str, sizes))}, not {weights}")
    if missing or needed > MOST_WEIGHTS:
        return missing
    return _blank(sizes, biases, trained, wanted.activations)


def _blank(sizes: Sequence[int], biases: int, trained: bool, activations: Sequence[str]) -> Lesson:
    """A ledger with all numbers 0, named after its sizes and activations; biases says how many columns it has of them.

    Only biases of their own differ: equal ones of a layer would be taken for one that its units share.
    """
    layers, start = len(sizes) - 1, 0.0 if biases == len(sizes) - 1 else 1.0
    own = np.cumsum([[0, *sizes[1:-1]]])
    each = [[start * (first + u) for u in range(units)] for first, units in zip(own, sizes[1:], strict=True)]
    words = activations[:1] if len(set(activations)) == 1 else activations
    name = " ".join(filter(None, ("-".join(map(str, sizes)), "-".join(words))))
    return ledger_lesson(
        name,
        name,
        "",
        [[[0.0] * units] * inputs for inputs, units in pairwise(sizes)],
        each if biases else [None] * layers,
        [0.0] * sizes[0],
        [0.0] * sizes[-1],
        activations=activations,
        train_biases=trained,
    )


@cache
def _plan(lesson: str) -> Reference:
    """One block of a lesson, for its columns."""
    return _draft(replace(LESSONS[lesson], first_epoch=1), 1)


def _entries(reference: Reference) -> dict[str, tuple[str, int]]:
    """Plain headings of single columns, such as "w2" or "dc/dw2" or "w2'", and the quantity and column they mean."""
    names = {e.name for e in reference.elements}
    taken = spellings_of(names)
    found: dict[str, set[tuple[str, int]]] = {}
    for e in reference.elements:
        if e.quantity.entries and (e.quantity.shape[0] == 1 or e.name == "X"):
            i = e.quantity.place(e.index)[1]
            for text in [text for text, name in taken.items() if name == e.name]:
                stem, prime = re.fullmatch(r"(.+?)('|new|)", text).groups()  # type: ignore[union-attr]
                for spelled in (f"{stem}{i + 1}{prime}", f"{stem}{prime}{i + 1}"):
                    if spelled not in taken:
                        found.setdefault(spelled, set()).add((e.name, i))
    return {text: next(iter(meant)) for text, meant in found.items() if len(meant) == 1}


def _nothing_found(submission: Submission, wanted: Wanted, partial: Sequence[Partial]) -> str:
    seen = f"no row of '{submission.path.name}' with two of them."
    if partial:
        heading, missing = partial[0]
        has = ", ".join(sorted(heading.columns, key=lambda name: heading.columns[name])[:8])
        needs = ", ".join(missing[:8]) or "at most 60 weights"
        size = f"a ledger of {'-'.join(map(str, wanted.sizes))}" if wanted.sizes else "a ledger"
        seen = f"row {heading.row + 1} of '{heading.sheet.name}' has {has}; {size} also needs {needs}."
    if wanted.lesson:
        rule = f"A table of '{wanted.lesson}' is found by a third of its headings: "
        rule += f"{', '.join(dict.fromkeys(e.name for e in _plan(wanted.lesson).elements))}."
        seen = f"no row of '{submission.path.name}' with so many."
    else:
        rule = "A table is found by its row of headings: a ledger's are i1, w1, h1, a_h1, o1, a_o1, E_tot, dE/dw1, "
        rule += "a lesson's X, Y, W, b, Z, P, cost, dW."
    return f"{rule} Received: {seen} Call the columns so, or name another network with --network."


# One table


@dataclass(frozen=True)
class _Surroundings:
    """A table's headings, and what stands around it."""

    submission: Submission
    heading: Heading
    count: int  # blocks
    labels: tuple[Label, ...]
    others: tuple[Placement, ...]  # the other tables of its sheet
    wanted: Wanted


def _draft(lesson: Lesson, epochs: int, numbers: Mapping[str, float] | None = None) -> Reference:
    return Reference(Run.of(lesson, epochs, numbers or {}, strict=False))


def _surroundings(
    candidate: Candidate,
    submission: Submission,
    labels: tuple[Label, ...],
    wanted: Wanted,
    others: tuple[Placement, ...],
) -> _Surroundings:
    return _Surroundings(submission, candidate.heading, candidate.placement.count, labels, others, wanted)


def _wrong_share(around: _Surroundings, lesson: Lesson) -> float:
    """The part of the cells that would be wrong if this were the network."""
    table = _audited(around, lesson)
    return sum(len(f.cells) for f in table.findings) / max(table.checked, 1)


def _audited(around: _Surroundings, lesson: Lesson) -> AuditedTable:
    count = around.count
    draft = _draft(lesson, count)
    placement = placed(around.heading, draft)
    evidence = Evidence(around.submission, draft, placement, {})
    if lesson.columns:
        activations = around.wanted.activations or _activations(lesson, evidence)
        lesson = _with_activations(lesson, activations)
        draft = _draft(lesson, count)
        evidence = Evidence(around.submission, draft, placed(around.heading, draft), {})
    given = _Given(around, evidence)
    reference = _draft(lesson, count, given.numbers)
    cells = {at: (reference.run.settings.leaves[name].serial, index) for at, (name, index) in given.cells.items()}
    evidence = Evidence(around.submission, reference, placed(around.heading, reference), cells)
    for k, e in enumerate(reference.elements):
        if not is_to_fill(e) or e.quantity.role == "parameter":
            evidence.formulas.pop((k, 0), None)  # the numbers to start from, wherever they come from
    to_fill = frozenset(e.name for e in reference.elements if is_to_fill(e))
    world = make_world(reference)
    verdicts = judged(evidence, world, reference.key, to_fill)
    marks = cell_marks(verdicts)
    diagnosis = Diagnosis(verdicts)
    errors = [e for e in diagnosis.errors(marks) if not _is_blank_given(e)]
    used = used_rates(reference, verdicts.filled, evidence.placement)
    at_cell = {(m.row, m.col): used[k][b] for (k, b), m in marks.items() if k in used}
    findings = _findings(errors, at_cell, given, marks.values())
    checked = [m for m in marks.values() if m.found != ""]
    remark = verdicts.convention.remark
    remarks = (*given.remarks, *evidence.remarks, *([remark] if remark else ()), *_absent(reference, placement))
    return AuditedTable(
        around.heading.sheet.name,
        _box(around.heading, checked),
        lesson.name,
        given.rate,
        given.rate_from,
        count,
        len(checked),
        tuple(findings),
        remarks,
    )


def _is_blank_given(error: OwnError) -> bool:
    return error.status is Status.MISSING and error.first.stage == "given"


def _absent(reference: Reference, placement: Placement) -> list[str]:
    absent = dict.fromkeys(
        e.name for k, e in enumerate(reference.elements) if not placement.where[k] and e.quantity.role != "given"
    )
    if not absent:
        return []
    return [f"No column was found for {', '.join(absent)}; the cells that need them were judged by the others."]


def _box(heading: Heading, marks: Iterable[CellMark]) -> str:
    """The rectangle of a table's headings and cells."""
    places = [(heading.row, col) for col in heading.span] + [(m.row, m.col) for m in marks]
    rows, cols = zip(*places, strict=True)
    return f"{a1(min(rows), min(cols))}:{a1(max(rows), max(cols))}"


def _by_name(reference: Reference) -> dict[tuple[str, Index], int]:
    return {(e.name, e.index): k for k, e in enumerate(reference.elements)}


def _activations(lesson: Lesson, evidence: Evidence) -> tuple[str, ...]:
    """The activation of every layer: the one that gives most of its numbers, sigmoid where none does."""
    functions: dict[str, Callable[[Array], Array]] = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "linear": lambda z: z,
    }
    slots = {e.name: k for k, e in enumerate(evidence.reference.elements)}
    letters = dict.fromkeys(name[2:3] for name in lesson.columns if name.startswith("a_"))
    found = []
    for letter in letters:
        units = [name for name in lesson.columns if re.fullmatch(rf"{letter}\d+", name)]
        z = np.concatenate([evidence.values[slots[u]] for u in units])
        a = np.concatenate([evidence.values[slots[f"a_{u}"]] for u in units])
        with np.errstate(all="ignore"):
            hits = {name: int((np.abs(f(z) - a) <= 5e-4).sum()) for name, f in functions.items()}
        found.append(max(hits, key=lambda name: hits[name]))
    return tuple(found)


def _with_activations(lesson: Lesson, activations: Sequence[str]) -> Lesson:
    """The same blank ledger with these activations."""
    sizes = [int(n) for n in lesson.name.partition(" ")[0].split("-")]
    biases = [name for name in (*lesson.given, *lesson.parameters) if name.startswith("b")]
    return _blank(sizes, len(biases), any(name in lesson.parameters for name in biases), activations)


class _Given:
    """The given numbers of a table and their cells, taken from its first block, from labels, or from the numbers."""

    def __init__(self, around: _Surroundings, evidence: Evidence) -> None:
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
        above = [_last_row(p) for p in self.around.others if p.heading < heading.row and _spans(p, low, high)]
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


# What is said


def _findings(
    errors: Sequence[OwnError], used: Mapping[tuple[int, int], float], given: _Given, marks: Iterable[CellMark]
) -> list[Finding]:
    """What is wrong: wrong columns in the order of computation, then rates, drift, typed numbers, empty cells."""
    rows = Counter(m.quantity for m in marks if m.found != "")
    found: list[Finding] = []
    other_rates: dict[tuple[float, tuple[int, ...]], list[OwnError]] = {}
    for error in errors:
        rest = error
        if error.status is Status.WRONG and {n.key for n in error.names} <= {"rate-missing"}:
            rest, clusters = _by_rate(error, used, given.rate)
            for rate, cells in clusters.items():
                part = replace(error, cells=cells)
                other_rates.setdefault((rate, tuple(sorted({m.row for m in cells}))), []).append(part)
        if rest.cells:
            found.append(_finding(rest, rows[rest.first.quantity]))
    found += [_rate_finding(rate, parts, given) for (rate, _), parts in other_rates.items()]
    return sorted(found, key=lambda f: KINDS.index(f.kind))


def _by_rate(
    error: OwnError, used: Mapping[tuple[int, int], float], rate: float
) -> tuple[OwnError, dict[float, tuple[CellMark, ...]]]:
    """The cells that are updates with another learning rate, by that rate; and the error of the others."""
    groups: dict[float, list[CellMark]] = {}
    for m in error.cells:
        found = used.get((m.row, m.col), math.nan)
        if found > 0 and not math.isclose(found, rate, rel_tol=1e-4):
            groups.setdefault(float(f"{found:.6g}"), []).append(m)
    kept = {r: tuple(ms) for r, ms in groups.items() if len(ms) >= CLUSTER or float(f"{r:.3g}") == r}
    taken = {m.address for ms in kept.values() for m in ms}
    return replace(error, cells=tuple(m for m in error.cells if m.address not in taken)), kept


def _rate_finding(rate: float, parts: list[OwnError], given: _Given) -> Finding:
    columns = list(dict.fromkeys(p.first.quantity for p in parts))
    cells = tuple(m for p in parts for m in p.cells)
    first = cells[0]
    rows = sorted({m.row + 1 for m in cells})
    where = f"in row {rows[0]}" if len(rows) == 1 else f"in rows {rows[0]} to {rows[-1]}"
    verb = "is" if len(columns) == 1 else "are"
    text = (
        f"{place(first)}: {', '.join(columns)} {verb} updated with the learning rate {rate:g} {where}, "
        f"not with {given.rate:g} ({given.rate_from})."
    )
    return Finding("rate", cells, text, parts[0].names, parts[0].formula)


def _finding(error: OwnError, filled: int) -> Finding:
    first, (expected, found), count = error.first, numbers(error.first), len(error.cells)
    where = place(first)
    more = ""
    if count > 1:
        more = f"The same in all {count} cells." if count == filled else f"The same in {count} of {filled} cells."
    drifted = DRIFT in error.names
    match error.status:
        case Status.MISSING:
            kind, text = "missing", f"{where} is empty{'; its own row gives ' + expected if expected else ''}."
        case Status.TYPED_OVER:
            kind = "typed-over"
            gives = f"its own row gives {expected}" if expected and expected != found else "the number is right"
            text = f"{where}: {found} is typed where the rows around it hold a formula; {gives}."
        case _ if first.stage == "given":
            kind, text = "wrong", f"{where}: found {found}, the first row has {expected}."
        case _:
            gives = f", its own row gives {expected}" if expected else ""
            kind = "drift" if drifted else "wrong"
            text = f"{where}: found {found}{gives}. {advice(error, Feedback.FULL)}"
    return Finding(kind, error.cells, f"{text} {more}".strip(), error.names, error.formula)


def audit_lines(audit: Audit) -> list[str]:
    """The audit for the screen: a line per table and one per finding, expected numbers included."""
    lines = []
    for table in audit.tables:
        epochs = f"{table.epochs:,} epoch{'' if table.epochs == 1 else 's'}"
        lines.append(
            f"{sheet_prefix(table.sheet)}{table.cells}: {table.network}, learning rate {table.rate:g} "
            f"({table.rate_from}), {epochs}"
        )
        lines += [f"  {finding.text}" for finding in table.findings]
        if not table.findings:
            lines.append(f"  all {table.checked:,} cells are right by their own row")
        lines += [f"  Note: {remark}" for remark in table.remarks]
    return lines + list(audit.remarks)


def record_of(audit: Audit) -> dict[str, Any]:
    """The audit as JSON takes it."""
    return {
        "file": audit.file,
        "tables": [
            {
                "sheet": table.sheet,
                "cells": table.cells,
                "network": table.network,
                "learning_rate": table.rate,
                "learning_rate_from": table.rate_from,
                "epochs": table.epochs,
                "checked": table.checked,
                "findings": [_record(finding) for finding in table.findings],
                "remarks": list(table.remarks),
            }
            for table in audit.tables
        ],
        "remarks": list(audit.remarks),
    }


def _record(finding: Finding) -> dict[str, Any]:
    first = finding.first
    return {
        "kind": finding.kind,
        "cell": first.address,
        "quantity": first.quantity,
        "entry": first.entry,
        "epoch": first.epoch,
        "expected": first.expected if math.isfinite(first.expected) else None,
        "found": first.found,
        "formula": finding.formula,
        "names": [name.key for name in finding.names],
        "cells": [m.address for m in finding.cells],
        "text": finding.text,
    }
