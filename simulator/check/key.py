"""The right given numbers, from a workbook of answers: a lesson's own, or one with a row per student."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.book.answers import ANSWERS, GIVEN, TOP
from simulator.book.template import handed_out
from simulator.check.mark import origin_of
from simulator.errors import SettingError
from simulator.lessons import find_lesson
from simulator.xlsx.submission import Submission, read_submission
from simulator.xlsx.writer import PROPERTY


@dataclass(frozen=True)
class Key:
    """The given numbers of a lesson by name: of everybody, or of every student."""

    file: str
    lesson: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    students: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, student: str) -> Mapping[str, float]:
        """A student's given numbers. Raises SettingError when the key has a row per student, but none for this one."""
        if not self.students:
            return self.numbers
        if student not in self.students:
            raise SettingError(
                f"A key with a row per student has one for every file. Received: '{student}', who has none in "
                f"'{self.file}'. Name the file as in the roster."
            )
        return self.students[student]


def read_key(path: Path) -> Key:
    """The key of a workbook that `simulator build` or `simulator template` wrote.

    Raises SubmissionError when it can't be read, SettingError when it holds no answers.
    """
    book = read_submission(path)
    try:
        stored = json.loads(book.properties.get(PROPERTY, "{}"))
        answers = str(stored.get("answers", ""))
    except (ValueError, AttributeError):
        answers = ""
    if answers and {ANSWERS, GIVEN} <= book.sheets.keys():
        return Key(path.name, answers, students=_rows(book, answers))
    name = origin_of(book).lesson
    if not name:
        raise SettingError(
            f"A key is a workbook that 'simulator build' or 'simulator template' wrote. Received: '{path}', which "
            "names no lesson. Give LESSON-answers.xlsx."
        )
    numbers = {}
    for s in handed_out(find_lesson(name).run()):
        sheet, row, col = book.names.get(s.name, (s.sheet, s.row, s.col))
        cell = book.sheets[sheet].cells.get((row, col)) if sheet in book.sheets else None
        numbers[s.name] = _number(cell.value if cell else None, s.name, path.name)
    return Key(path.name, name, numbers)


def _rows(book: Submission, lesson: str) -> dict[str, dict[str, float]]:
    """The sheet of given numbers: headings, then a row per student."""
    cells = book.sheets[GIVEN].cells
    wanted = {s.name for s in handed_out(find_lesson(lesson).run())}
    columns = {str(c.value): col for (row, col), c in cells.items() if row == TOP - 1 and c.value in wanted}
    rows = sorted(row for row, col in cells if col == 0 and row >= TOP)
    found = {}
    for row in rows:
        student = cells[row, 0].value
        student = f"{student:g}" if isinstance(student, float) else str(student)
        numbers = {}
        for name in sorted(wanted):
            cell = cells.get((row, columns[name])) if name in columns else None
            numbers[name] = _number(cell.value if cell else None, name, book.path.name)
        found[student] = numbers
    if not found:
        raise SettingError(f"A key has a row per student. Received: '{book.path.name}' without any. Write it again.")
    return found


def _number(value: object, name: str, file: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(
            f"A key has a number for every given one. Received: {value!r} for {name} in '{file}'. Type a number."
        )
    return float(value)
