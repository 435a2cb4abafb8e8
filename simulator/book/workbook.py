"""All sheets of a lesson's workbook, in the order in which a reader meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.book.boundary import boundary_sheet
from simulator.book.charts import charts_sheet, curves_table
from simulator.book.fit import fit_sheet
from simulator.book.gradient_check import gradient_check_sheet
from simulator.book.parameters import data_sheet, parameters_sheet
from simulator.book.readme import readme_sheet
from simulator.book.sweep import contrast_sheet, sweep_sheet
from simulator.book.training import training_sheet
from simulator.book.trajectory import follow
from simulator.lessons.run import Run
from simulator.lessons.setting import BOUNDARY, FIT, PICKERS, Setting
from simulator.sheet.sheet import Sheet

At = tuple[str, int, int]  # sheet, row, column
VIEWS = {BOUNDARY: boundary_sheet, FIT: fit_sheet}


@dataclass(frozen=True)
class Workbook:
    """Sheets in order, and what a verifier needs to expect the same cells.

    lesson names it in reports; given has the cells that hold constants; moved makes the same workbook with every given
    number moved a little, whose cells the same formulas must lead to; origin says in the file what it was built from.
    """

    title: str
    lesson: str
    epochs: int
    sheets: tuple[Sheet, ...]
    given: Mapping[At, float] = field(default_factory=dict)
    moved: Callable[[], Workbook] | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def _moved(setting: Setting) -> float:
    if setting.name in PICKERS:
        return setting.value - 1 if setting.value > setting.low else setting.value + 1
    if setting.kind == "integer" or setting.name.startswith("check"):
        return setting.value
    return round(setting.value * 0.75 + 0.015, 6)


def workbook_of(run: Run) -> Workbook:
    """The workbook of a run. One pass over the epochs is made here; the writer makes the second."""
    lesson = run.lesson
    views = [name for name in PICKERS if name in run.settings.items]
    cost = run.table.slot[run.epoch.cost.serial, ()]
    parameter_slots = [slot for w in run.epoch.parameters.values() for slot in run.table.slots(w)]
    pick = [run.block_of(name) for name in views]
    path = follow(run.table, cost, pick, parameter_slots)
    curves = curves_table(run)
    sheets = [parameters_sheet(run)]
    if lesson.data_sheet:
        sheets.append(data_sheet(run))
    sheets += [training_sheet(run, path, curves), charts_sheet(run, curves, path)]
    if lesson.view:
        sheets.append(VIEWS[lesson.view](run, path))
    sheets += [gradient_check_sheet(run, path), sweep_sheet(run)]
    contrast = contrast_sheet(run)
    if contrast:
        sheets.append(contrast)
    sheets.insert(0, readme_sheet(run, sheets))

    def moved() -> Workbook:
        changed = {s.name: _moved(s) for s in run.settings.items.values()}
        return workbook_of(Run.of(lesson, run.epochs, changed, strict=False))

    given = {(s.sheet, s.row, s.col): s.value for s in run.settings.items.values()}
    checked = tuple(s.check() for s in sheets)
    return Workbook(
        lesson.title, lesson.name, run.epochs, checked, given, moved, lesson.origin or {"lesson": lesson.name}
    )
