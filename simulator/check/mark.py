"""Mark one workbook of a lesson: find its table, judge its cells, name the mistakes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from simulator.book.template import blank_quantities
from simulator.check.diagnosis import Diagnosis
from simulator.check.evidence import BLANK, ERROR, Evidence
from simulator.check.judge import Verdicts, alike, judged
from simulator.check.marking import CellMark, Marking
from simulator.check.placement import At, Placement, find_table, shown
from simulator.check.reference import Reference
from simulator.check.tolerance import RELATIVE
from simulator.check.world import JUDGED, Moved, make_world
from simulator.errors import SettingError, WorkbookError
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.lessons.setting import Setting
from simulator.lessons.variant import MOST_DRAWS, variants
from simulator.xlsx.submission import Submission, read_submission
from simulator.xlsx.writer import PROPERTY


@dataclass(frozen=True)
class Origin:
    """What a workbook says of itself: its lesson, what was blank, and whose numbers it has."""

    lesson: str = ""
    blank: str = "all"
    student: str = ""
    seed: int | None = None
    draw: int = 0


def origin_of(submission: Submission) -> Origin:
    """The origin that the template wrote; empty where there is none or it can't be read."""
    try:
        stored = json.loads(submission.properties.get(PROPERTY, "{}"))
        lesson = str(stored.get("template", stored.get("lesson", "")))
        seed = stored.get("seed")
        blank, student = str(stored.get("blank", "all")), str(stored.get("student", ""))
        draw = min(max(int(stored.get("draw", 0)), 0), MOST_DRAWS)
        return Origin(lesson, blank, student, int(seed) if seed is not None else None, draw)
    except (ValueError, AttributeError, TypeError):
        return Origin()


def mark_file(
    path: Path, lesson: str = "", key: Mapping[str, float] | None = None, tolerance: float = RELATIVE
) -> tuple[Marking, Verdicts]:
    """Mark a workbook; see `mark`. Raises SubmissionError when it can't be read."""
    return mark(read_submission(path), lesson, key, tolerance)


def mark(
    submission: Submission, lesson: str = "", key: Mapping[str, float] | None = None, tolerance: float = RELATIVE
) -> tuple[Marking, Verdicts]:
    """Mark a submission.

    lesson names the lesson where the file doesn't say; key has the right given numbers, by name, where they are not the
    lesson's or the handed-out variant's. Raises SettingError for an unknown lesson, WorkbookError without a table.
    """
    origin = origin_of(submission)
    chosen = find_lesson(lesson) if lesson else _lesson_of(submission, origin)
    numbers = tuple(sorted((key if key is not None else _numbers(chosen, origin)).items()))
    placement = find_table(submission.sheets, _reference(chosen.name, max(chosen.first_epoch, 1), numbers))
    right = _reference(chosen.name, placement.count + chosen.first_epoch - 1, numbers)
    to_fill = _to_fill(right.run, origin)
    handed_out = bool(origin.lesson)
    return mark_table(submission, right, placement, to_fill, origin.student, tolerance, handed_out=handed_out)


def mark_table(
    submission: Submission,
    right: Reference,
    placement: Placement,
    to_fill: frozenset[str],
    student: str = "",
    tolerance: float = RELATIVE,
    *,
    handed_out: bool = False,
) -> tuple[Marking, Verdicts]:
    """Mark one table against a reference with as many blocks.

    A column that was handed out and isn't there counts as missing; in a sheet of the student's own it may be one that
    they could do without.
    """
    standing = _standing(submission, right, placement)
    numbers, remarks = _changed(right, {name: value for name, (_, value) in standing.items()})
    theirs = _reference(right.lesson.name, right.run.epochs, tuple(sorted(numbers.items()))) if remarks else right
    settings = theirs.run.settings.items
    cells = {at: (settings[name].leaf.serial, settings[name].index) for name, (at, _) in standing.items()}
    evidence = Evidence(submission, theirs, placement, cells)
    verdicts = judged(evidence, make_world(theirs), right.key, to_fill, tolerance)
    marks = cell_marks(verdicts)
    errors = Diagnosis(verdicts).errors(marks)
    order = {at: (m.epoch, i) for i, (at, m) in enumerate(marks.items())}
    first = min((order[at] for at, m in marks.items() if m.status.is_own_error), default=None)
    before = sum(
        1
        for at, m in marks.items()
        if m.status.is_right and m.is_work(to_fill) and (first is None or order[at] < first)
    )
    absent = Counter(
        (e.name, e.quantity.role)
        for k, e in enumerate(theirs.elements)
        if not placement.where[k] and e.name in to_fill
        for _ in range(placement.count)
    )
    if absent:
        names = ", ".join(name for name, _ in absent)
        counted = f"; {sum(absent.values()):,} cells count as missing" if handed_out else ""
        remarks.append(f"No column was found for {names}{counted}.")
    remarks += [*evidence.remarks, *(f"In this file, {w}." for w in submission.warnings)]
    remarks += [verdicts.convention.remark] if verdicts.convention.remark else []
    remarks += _typed_rate(verdicts)
    marking = Marking(
        file=submission.path.name,
        identifier=student or submission.path.stem,
        lesson=right.lesson.name,
        title=right.lesson.title,
        cells=tuple(marks.values()),
        errors=tuple(errors),
        to_fill=to_fill,
        before=before,
        absent=absent if handed_out else {},
        remarks=tuple(remarks),
    )
    return marking, verdicts


@lru_cache(maxsize=64)
def _reference(lesson: str, epochs: int, numbers: tuple[tuple[str, float], ...]) -> Reference:
    return Reference(Run.of(find_lesson(lesson), epochs, dict(numbers), strict=False))


def _lesson_of(submission: Submission, origin: Origin) -> Lesson:
    """The lesson that the file names, or the one whose headings it has."""
    if origin.lesson:
        return find_lesson(origin.lesson)
    best, most = None, 0
    for lesson in LESSONS.values():
        try:
            placement = find_table(submission.sheets, _reference(lesson.name, max(lesson.first_epoch, 1), ()))
        except WorkbookError:
            continue
        if len(placement.columns) > most:
            best, most = lesson, len(placement.columns)
    if best is None:
        raise SettingError(
            f"A workbook names its lesson, has its headings, or is marked with --lesson. Received: "
            f"'{submission.path.name}', with none of them. 'simulator lessons' lists the lessons."
        )
    return best


def _numbers(lesson: Lesson, origin: Origin) -> dict[str, float]:
    """The given numbers that were handed out: the lesson's own, or those of the draw that the file names."""
    if origin.seed is None:
        return {}
    return next(islice(variants(lesson, origin.seed, origin.student), origin.draw, None))


def _standing(submission: Submission, reference: Reference, placement: Placement) -> dict[str, tuple[At, float]]:
    """Where the given numbers stand outside of the table, and what stands there, by name."""
    found = {}
    for s in reference.run.settings.items.values():
        at = submission.names.get(s.name, (s.sheet, s.row, s.col))
        sheet = submission.sheets.get(at[0]) if at[0] != placement.sheet else None
        cell = sheet.cells.get(at[1:]) if sheet else None
        if cell and isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
            found[s.name] = at, float(cell.value)
    return found


def _changed(right: Reference, standing: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """All given numbers as they stand in the file, and a remark when some are not the right ones."""
    settings = right.run.settings.items
    changed = {n: x for n, x in standing.items() if x != settings[n].value and matters(right, settings[n])}
    said = [f"{name} is {value:g}, not {settings[name].value:g}" for name, value in changed.items()]
    shown = ", ".join(said[:4]) + (f" and {len(said) - 4} more" if len(said) > 4 else "")
    remark = f"Given numbers were changed: {shown}. The cells were judged by the numbers that stand there."
    return {s.name: s.value for s in settings.values()} | changed, [remark] if changed else []


def matters(reference: Reference, setting: Setting) -> bool:
    """Whether a given number enters the table: the learning rate, inputs, labels, first parameters."""
    lesson, leaves = reference.lesson, reference.run.settings.leaves
    return any(setting.leaf is leaves[n] for n in ("learning_rate", *lesson.given, *lesson.parameters))


def _typed_rate(verdicts: Verdicts) -> list[str]:
    """A remark where a right formula has the learning rate as a number: it is wrong as soon as the rate changes."""
    reference, world = verdicts.reference, make_world(verdicts.reference, Moved.RATE)
    found: dict[str, str] = {}
    for (k, spelled), blocks in verdicts.evidence.groups.items():
        if verdicts.formula_right.get((k, spelled)) and reference.elements[k].name not in found:
            b = blocks[0]
            expected = world.values[k, 0 if b == 0 else JUDGED] * verdicts.scale[k]
            theirs = verdicts.spelled_in_world(k, b, world)
            if theirs is not None and not alike(theirs, expected):
                found[reference.elements[k].name] = shown(verdicts.evidence.placement.where[k][b])
    if not found:
        return []
    name, cell = next(iter(found.items()))
    others = f" and in {', '.join(list(found)[1:])}" if len(found) > 1 else ""
    return [
        f"The learning rate is typed as a number in {cell} ({name}){others}. It is right, but refer to the rate's cell "
        "instead: then the table follows when the rate changes."
    ]


def _to_fill(run: Run, origin: Origin) -> frozenset[str]:
    try:
        return blank_quantities(run, origin.blank)
    except SettingError:  # "custom", a list too long to be stored
        return blank_quantities(run, "all")


def cell_marks(verdicts: Verdicts) -> dict[tuple[int, int], CellMark]:
    """A mark for every cell, epoch by epoch in the order of computation."""
    evidence, reference = verdicts.evidence, verdicts.reference
    first = evidence.placement.first_epoch
    start = reference.run.first_epoch if first is None else first
    marks = {}
    for b in range(evidence.placement.count):
        for k, e in enumerate(reference.elements):
            at = evidence.placement.where[k].get(b)
            if at is None:
                continue
            state = evidence.state[k, b]
            found: float | str = "" if state == BLANK else float(evidence.values[k, b])
            if state != BLANK and not np.isfinite(found):
                cell = evidence.cell(at)
                found = str(cell.value) if cell and cell.value is not None else "an error" if state == ERROR else ""
            own = float(verdicts.own[k, b])
            role = "given" if b == 0 and e.quantity.role == "parameter" else e.quantity.role
            marks[k, b] = CellMark(*at, e.name, e.entry, role, start + b, verdicts.status[k, b], own, found)
    return marks
