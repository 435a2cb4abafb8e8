"""Build a lesson's workbook and prove it: the step behind `simulator build`, `verify` and `demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from simulator.book.network import network_workbook
from simulator.book.place import place_workbook
from simulator.book.workbook import Workbook, workbook_of
from simulator.lessons.ledger import ledger_of
from simulator.lessons.lesson import Lesson
from simulator.nn.model import Model, epochs_checked
from simulator.nn.option import one_of, require
from simulator.nn.place import place_of
from simulator.xlsx.recalculate import choose_engines
from simulator.xlsx.verify import Verification, verify
from simulator.xlsx.writer import Progress, beside, put_workbook


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
    return written(workbook_of(lesson.run(epochs, settings)), path, engines, progress)


def build_network(
    model: Model,
    path: Path,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    epochs: int = 10,
    batch_size: int | None = None,
    what: str = "training",
    layout: str = "sheets",
    against: Model | None = None,
    engine: str = "ironcalc",
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Write a model's training or forward pass beside path, verify it, and rename it; see `Model.to_workbook`."""
    engines = choose_engines(engine)
    one_of("what", what, ("training", "forward"))
    one_of("layout", layout, ("sheets", "ledger"))
    require(path.suffix.lower() == ".xlsx", "A workbook's file ends in .xlsx.", f"'{path}'")
    epochs_checked(epochs)
    x = model.inputs_checked(X)
    y = None
    if what == "training":
        require(Y is not None, "A training needs labels.", "Y=None", 'Give Y, or what="forward".')
        y = model.labels_checked(Y, len(x))  # type: ignore[arg-type]
    if against is not None:
        require((what, layout) == ("training", "sheets"), "Two trainings are compared on sheets.", f"{what}, {layout}")
        require(bool(against.loss), "A network to compare with is compiled.", "no loss", "Call against.compile first.")
    if layout == "ledger":
        require(what == "training", "A ledger shows a training.", f"what={what}")
        require(batch_size in (None, len(x)), "A ledger shows full batches.", f"batch_size={batch_size}")
        workbook = workbook_of(ledger_of(model, x, y).run(epochs))
    else:
        workbook = network_workbook(model, x, y, epochs, batch_size, against=against)
    return written(workbook, path, engines, progress)


def build_place(
    model: Model,
    path: Path,
    x: ArrayLike,
    y: ArrayLike,
    layer: int | str,
    at: Sequence[int],
    sample: str = "",
    engine: str = "ironcalc",
) -> Verification:
    """Write one place of a network beside path, verify it, and rename it; see `simulator.nn.place.place_of`.

    sample says on the sheet which sample it is.
    """
    engines = choose_engines(engine)
    require(path.suffix.lower() == ".xlsx", "A workbook's file ends in .xlsx.", f"'{path}'")
    workbook = place_workbook(place_of(model, x, y, layer, at), sample)
    return written(workbook, path, engines, lambda done, total: None)


def written(workbook: Workbook, path: Path, engines: Sequence[str], progress: Progress) -> Verification:
    """Write a workbook beside path, verify it, and rename it when all engines agree."""
    with beside(path) as part:
        verification = verify(put_workbook(workbook, part, progress), workbook, engines)
        if not verification.agrees:
            part.unlink()
    return replace(verification, path=path)


def verify_file(path: Path, engines: Sequence[str]) -> Verification:
    """Verify a workbook that was built earlier, with the given numbers that stand in it now."""
    from simulator.xlsx.reader import read_workbook

    return verify(path, read_workbook(path), engines, fresh=False)
