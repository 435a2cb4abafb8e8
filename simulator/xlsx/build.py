"""Build a lesson's workbook and prove it: the step behind `simulator build`, `verify` and `demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.book.workbook import Workbook, workbook_of
from simulator.lessons.lesson import Lesson
from simulator.xlsx.recalculate import choose_engines
from simulator.xlsx.verify import Verification, verify
from simulator.xlsx.writer import Progress, write_workbook


def build_lesson(
    lesson: Lesson,
    path: Path,
    epochs: int | None = None,
    settings: Mapping[str, float] | None = None,
    engine: str = "ironcalc",
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Write one lesson to path and verify the file with the chosen engines.

    Raises SettingError for impossible epochs, settings or engines before any file is touched, and
    WorkbookError when the file can't be written; an earlier file then stays as it was.

    >>> from simulator.lessons import find_lesson
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     build_lesson(find_lesson("and"), Path(folder) / "and.xlsx", epochs=3).agrees
    True
    """
    engines = choose_engines(engine)
    workbook = workbook_of(lesson.run(epochs, settings))
    write_workbook(workbook, path, progress)
    return verify(path, workbook, engines)


def verify_file(path: Path, engines: Sequence[str]) -> Verification:
    """Verify a workbook that was built earlier, with the given numbers that stand in it now."""
    from simulator.xlsx.reader import read_run

    workbook: Workbook = workbook_of(read_run(path))
    return verify(path, workbook, engines)
