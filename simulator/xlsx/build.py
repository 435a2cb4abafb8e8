"""Build a lesson's workbook and prove it: the step behind `simulator build`, `verify` and `demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from simulator.book.workbook import workbook_of
from simulator.lessons.lesson import Lesson
from simulator.xlsx.recalculate import choose_engines
from simulator.xlsx.verify import Verification, verify
from simulator.xlsx.writer import Progress, beside, write_workbook


def build_lesson(
    lesson: Lesson,
    path: Path,
    epochs: int | None = None,
    settings: Mapping[str, float] | None = None,
    engine: str = "ironcalc",
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Write one lesson beside path, verify the file with the chosen engines, and rename it when all agree.

    Raises SettingError for impossible epochs, settings or engines, EngineError when an engine is missing, and
    WorkbookError when the file can't be written. Whatever fails, an earlier file stays as it was; so it does
    when the verification finds a disagreement.

    >>> from simulator.lessons import find_lesson
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     build_lesson(find_lesson("and"), Path(folder) / "and.xlsx", epochs=3).agrees
    True
    """
    engines = choose_engines(engine)
    workbook = workbook_of(lesson.run(epochs, settings))
    with beside(path) as part:
        verification = verify(write_workbook(workbook, part, progress), workbook, engines)
        if not verification.agrees:
            part.unlink()
    return replace(verification, path=path)


def verify_file(path: Path, engines: Sequence[str]) -> Verification:
    """Verify a workbook that was built earlier, with the given numbers that stand in it now."""
    from simulator.xlsx.reader import read_run

    workbook = workbook_of(read_run(path))
    return verify(path, workbook, engines, fresh=False)
