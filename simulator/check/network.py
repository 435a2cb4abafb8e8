"""Where a sheet from elsewhere has its training tables, and of which network they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.check.evidence import Evidence
from simulator.check.heading import label_of, spellings_of
from simulator.check.placement import OTHER_SHEETS, At, Heading, Placement, headings_side_by_side, is_to_fill, placed
from simulator.check.reference import Array, Reference
from simulator.errors import SettingError, did_you_mean
from simulator.lessons import LESSONS
from simulator.lessons.ledger import ACTIVATIONS, HIDDEN, ledger_lesson
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.xlsx.submission import Submission

LETTERS = HIDDEN[:4]  # of hidden layers that are looked for: more would take i, n and p for other things
MOST_UNITS, MOST_WEIGHTS = 9, 60
SPEC = re.compile(r"(\d+(?:-\d+)+)(?:\s+([a-z]+(?:-[a-z]+)*))?")
SPECIAL = ("and-zeros", "decoder-sigmoid-as-printed", "ledger", "ledger-bias")  # other numbers or rules, same headings
ALIKE = 0.75  # of the best network's columns that another one needs to be tried, too
TRIED = 3  # epochs that are looked at to choose a network


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


def labels_of(submission: Submission) -> Iterator[Label]:
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


def candidates_of(
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
                placement = placed(heading, draft_of(ledger, 1))
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
    rows = one.heading.row <= last_row(other.placement) and other.heading.row <= last_row(one.placement)
    return rows and low <= other_high and other_low <= high


def last_row(placement: Placement) -> int:
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
    return draft_of(replace(LESSONS[lesson], first_epoch=1), 1)


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


def nothing_found(submission: Submission, wanted: Wanted, partial: Sequence[Partial]) -> str:
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


def draft_of(lesson: Lesson, epochs: int, numbers: Mapping[str, float] | None = None) -> Reference:
    return Reference(Run.of(lesson, epochs, numbers or {}, strict=False))


def activations_of(lesson: Lesson, evidence: Evidence) -> tuple[str, ...]:
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


def with_activations(lesson: Lesson, activations: Sequence[str]) -> Lesson:
    """The same blank ledger with these activations."""
    sizes = [int(n) for n in lesson.name.partition(" ")[0].split("-")]
    biases = [name for name in (*lesson.given, *lesson.parameters) if name.startswith("b")]
    return _blank(sizes, len(biases), any(name in lesson.parameters for name in biases), activations)
