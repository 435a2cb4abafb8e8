"""Write what a lecturer hands out, and the answers that they keep: the step behind `simulator template`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from simulator.book.answers import answers_book
from simulator.book.template import template_workbook
from simulator.book.workbook import workbook_of
from simulator.check.diagnose import best_draw, blind_spots, diagnose
from simulator.lessons.lesson import Lesson
from simulator.lessons.variant import file_name
from simulator.xlsx.build import written
from simulator.xlsx.recalculate import choose_engines
from simulator.xlsx.verify import Verification

FIRST_SEED = 1  # of variants when none is given, so that a second call gives the same files
STUDENTS = "students"


class HandOut(NamedTuple):
    """A verification per file, that of the answers last; blind_spots says what the given numbers can't show."""

    files: list[Verification]
    blind_spots: list[str]


def hand_out(
    lesson: Lesson,
    folder: Path,
    students: Sequence[str] = (),
    blank: str = "all",
    epochs: int | None = None,
    seed: int | None = None,
    reveal: bool = False,
    engine: str = "formualizer",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HandOut:
    """Write folder/LESSON.xlsx to fill in, or folder/students/NAME.xlsx for every student, and LESSON-answers.xlsx.

    Every file is verified beside its place and renamed when the engines agree; one that disagrees is not handed over.
    progress is told how many files are done, and of how many. Raises SettingError for impossible epochs, columns,
    engines or students before anything is written.

    >>> from simulator.lessons import find_lesson
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [v.path.name for v in hand_out(find_lesson("and"), Path(folder), epochs=3, engine="none").files]
    ['and.xlsx', 'and-answers.xlsx']
    """
    engines = choose_engines(engine)
    if students and seed is None:
        seed = FIRST_SEED
    runs, draws, diagnoses = {}, {}, []
    for student in students or [""]:
        draws[student], numbers = (0, {}) if seed is None else best_draw(lesson, seed, student)
        runs[student] = lesson.run(epochs, numbers)
        diagnoses.append(diagnose(lesson, numbers))
        template_workbook(runs[student], blank, reveal=reveal, student=student, seed=seed)
    results = []
    for done, (student, run) in enumerate(runs.items()):
        progress(done, len(runs) + 1)
        path = folder / STUDENTS / f"{file_name(student)}.xlsx" if students else folder / f"{lesson.name}.xlsx"
        workbook = template_workbook(run, blank, reveal=reveal, student=student, seed=seed, draw=draws[student])
        results.append(written(workbook, path, engines, lambda cells, total: None))
    progress(len(runs), len(runs) + 1)
    answers = answers_book(lesson, runs) if students else workbook_of(runs[""])
    results.append(written(answers, folder / answers_name(lesson.name), engines, lambda cells, total: None))
    return HandOut(results, blind_spots(diagnoses))


def answers_name(lesson: str) -> str:
    """The file of a lesson's answers, for the lecturer alone."""
    return f"{lesson}-answers.xlsx"
