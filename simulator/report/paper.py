"""Mark one student's file: its result, and beside it the marked copy and the page, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from simulator import __version__
from simulator.check.feedback import Feedback, note_text, sentence
from simulator.check.gradebook import Row
from simulator.check.key import Key, read_key
from simulator.check.mark import mark, origin_of
from simulator.check.marking import Marking, OwnError
from simulator.check.rubric import DEFAULT, Rubric, read_rubric, score
from simulator.check.tolerance import RELATIVE
from simulator.errors import SettingError, SimulatorError, WorkbookError
from simulator.lessons import find_lesson
from simulator.nn.option import chosen, require
from simulator.report.marking import SIGNS, Summary, student_page, summary_of
from simulator.report.output import write_text
from simulator.xlsx.annotate import Annotation
from simulator.xlsx.marked_copy import write_marked_copy
from simulator.xlsx.submission import read_submission

RESULTS = ".results"
FEW = 5  # sentences that are kept of a file, and cells of a mistake that all get a note


@dataclass(frozen=True)
class Task:
    """How files are marked, and where the results go.

    lesson names it for files that don't say; key has the right given numbers where they are not the lesson's.
    """

    out: Path
    lesson: str = ""
    key: Key | None = None
    rubric: Rubric = DEFAULT
    level: Feedback = DEFAULT.feedback
    tolerance: float = RELATIVE


class Paper(NamedTuple):
    """A file to mark; name is that of its student's results, without an ending, and of no other paper's."""

    path: Path
    name: str
    task: Task


class Result(NamedTuple):
    """What came of a paper.

    sentences: about its first own errors; record: all of it, for --json; is_earlier: found from an earlier run.
    """

    summary: Summary
    sentences: Sequence[str] = ()
    record: Mapping[str, Any] = {}
    is_earlier: bool = False

    @property
    def brief(self) -> Result:
        """The same without what only a few files show on the screen."""
        return self._replace(sentences=(), record={})


def task_of(
    out: Path,
    lesson: str = "",
    key: Path | None = None,
    rubric: Path | None = None,
    feedback: str | None = None,
    tolerance: float | None = None,
) -> Task:
    """The task that these options of `simulator check` mean. Raises SettingError for one that can't be used."""
    rules = read_rubric(rubric) if rubric else DEFAULT
    level = rules.feedback if feedback is None else chosen("--feedback", feedback, {f.value: f for f in Feedback})
    margin = RELATIVE if tolerance is None else tolerance
    require(0 <= margin < 1, "--tolerance is a part of a number, from 0 to below 1.", margin, "Try 1e-6.")
    answers = read_key(key) if key else None
    if lesson and find_lesson(lesson).name != (answers.lesson if answers else lesson):
        raise SettingError(f"--key and --lesson agree. Received: '{key}' of another lesson than '{lesson}'.")
    return Task(out, lesson, answers, rules, level, margin)


def mark_paper(paper: Paper) -> Result:
    """Mark a file and write NAME.xlsx, NAME.html and, last of all, its result. Never raises for what the file holds.

    At the level "none" there is no marked copy, since its colours would tell more.
    """
    try:
        stamp = stamp_of(paper)
        try:
            marking, points = _judged(paper)
        except SimulatorError as error:
            _remove_outputs(paper)
            result = failed(paper, str(error))
        else:
            result = _written(paper, marking, points)
        stored = {"stamp": stamp, "summary": result.summary.to_json(), "sentences": result.sentences}
        write_text(_result_path(paper), json.dumps({**stored, "record": result.record}, indent=1))
    except Exception as error:  # a fault of ours, or a file that found one: the others are marked all the same
        _remove_outputs(paper)
        known = isinstance(error, SimulatorError)
        return failed(paper, str(error) if known else f"This file could not be marked ({type(error).__name__}).")
    return result


def earlier(paper: Paper) -> Result | None:
    """The result of an earlier run with the same file and task, if it is there with all that belongs to it."""
    try:
        stored = json.loads(_result_path(paper).read_text(encoding="utf-8"))
        result = Result(Summary.from_json(stored["summary"]), stored["sentences"], stored["record"], True)
        if stored["stamp"] != stamp_of(paper):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    complete = result.summary.row.score is None or all(path.exists() for path in _outputs(paper))
    return result if complete else None


def stamp_of(paper: Paper) -> str:
    """A digest of the file's content and of all that its result depends on."""
    task = replace(paper.task, out=Path())
    with paper.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    said = repr((content, paper.path.name, paper.name, task, __version__))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def failed(paper: Paper, reason: str) -> Result:
    """The result of a file that could not be marked."""
    row = Row(paper.name, paper.path.name, None, paper.task.rubric.maximum, remark=reason)
    record = {"identifier": paper.name, "file": str(paper.path), "score": None, "maximum": row.maximum}
    return Result(Summary(row), (), {**record, "remarks": [reason], "errors": []})


def _judged(paper: Paper) -> tuple[Marking, float]:
    """The marking of a file and its score."""
    task = paper.task
    submission = read_submission(paper.path)
    origin = origin_of(submission)
    identifier = origin.student or paper.name
    lesson = origin.lesson or task.lesson or (task.key.lesson if task.key else "")
    if task.key and lesson != task.key.lesson:
        raise SettingError(
            f"A file is marked by a key of its lesson. Received: '{paper.path.name}', which is '{lesson}', and "
            f"'{task.key.file}', which is '{task.key.lesson}'."
        )
    marking, _ = mark(submission, lesson, task.key.of(identifier) if task.key else None, task.tolerance)
    return replace(marking, identifier=identifier), score(marking, task.rubric)


def _written(paper: Paper, marking: Marking, points: float) -> Result:
    """The result, after the marked copy and the page are there; a copy that can't be made is a remark."""
    task, maximum = paper.task, paper.task.rubric.maximum
    if task.level is not Feedback.NONE:
        try:
            write_marked_copy(paper.path, _copy_path(paper), annotations_of(marking, task.level))
        except WorkbookError as error:
            _copy_path(paper).unlink(missing_ok=True)
            marking = replace(marking, remarks=(*marking.remarks, f"There is no marked copy. {error}"))
    page = student_page(marking, points, maximum, task.level, task.rubric.carried)
    write_text(_page_path(paper), page)
    summary = summary_of(marking, points, maximum, _page_path(paper).name)
    sentences = [
        sentence(error, task.level, 0 if n else marking.before, task.rubric.carried)
        for n, error in enumerate(marking.errors[:FEW])
    ]
    return Result(summary, tuple(filter(None, sentences)), _record(paper, marking, points))


def annotations_of(marking: Marking, level: Feedback) -> dict[tuple[str, int, int], Annotation]:
    """A colour for every cell that the student filled in or left out, and notes on their own errors."""
    colours = {
        (m.sheet, m.row, m.col): SIGNS[m.status][1]
        for m in marking.cells
        if m.status.is_own_error or (m.status.is_right and m.is_work(marking.to_fill))
    }
    notes: dict[tuple[str, int, int], str] = {}
    for error in marking.errors:
        first, *others = ((m.sheet, m.row, m.col) for m in error.cells)
        notes[first] = note_text(error, level)
        if len(error.cells) <= FEW:
            notes |= dict.fromkeys(others, f"The same as in {error.first.address}.")
    return {at: Annotation(colours.get(at, ""), notes.get(at, "")) for at in {**colours, **notes}}


def _record(paper: Paper, marking: Marking, points: float) -> dict[str, Any]:
    """What `simulator check --json` prints for one file."""
    return {
        "identifier": marking.identifier,
        "file": str(paper.path),
        "lesson": marking.lesson,
        "score": points,
        "maximum": paper.task.rubric.maximum,
        "counts": {status.value: n for status, n in Counter(m.status for m in marking.judged).items()},
        "remarks": marking.remarks,
        "errors": [_error_record(error) for error in marking.errors],
    }


def _error_record(error: OwnError) -> dict[str, Any]:
    first = error.first
    return {
        "address": first.address,
        "quantity": first.quantity,
        "epoch": first.epoch,
        "entry": first.entry,
        "status": first.status.value,
        "names": [name.key for name in error.names],
        "expected": first.expected if math.isfinite(first.expected) else None,
        "found": first.found if isinstance(first.found, str) or math.isfinite(first.found) else None,
        "formula": error.formula,
        "detail": error.detail,
        "cells": [mark.address for mark in error.cells],
        "follows": error.follows,
    }


def _result_path(paper: Paper) -> Path:
    return paper.task.out / RESULTS / f"{paper.name}.json"


def _page_path(paper: Paper) -> Path:
    return paper.task.out / f"{paper.name}.html"


def _copy_path(paper: Paper) -> Path:
    return paper.task.out / f"{paper.name}{paper.path.suffix.lower()}"


def _outputs(paper: Paper) -> list[Path]:
    copies = [] if paper.task.level is Feedback.NONE else [_copy_path(paper)]
    return [_page_path(paper), *copies]


def _remove_outputs(paper: Paper) -> None:
    """So that nothing is taken for the outcome of this run that an earlier one left."""
    for path in _outputs(paper):
        with contextlib.suppress(OSError):
            path.unlink()
