"""All sheets of a lesson's workbook, in the order in which a reader meets them."""

from __future__ import annotations

from dataclasses import dataclass

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
from simulator.sheet.sheet import Sheet


@dataclass(frozen=True)
class Workbook:
    """Sheets in order, and what a verifier needs to know to expect the same cells: lesson and epochs."""

    title: str
    lesson: str
    epochs: int
    sheets: tuple[Sheet, ...]


def workbook_of(run: Run) -> Workbook:
    """The workbook of a run. One pass over the epochs is made here; the writer makes the second."""
    lesson = run.lesson
    views = [name for name in ("boundary_epoch", "fit_epoch", "check_epoch") if name in run.settings.items]
    cost = run.table.slot[run.epoch.cost.serial, ()]
    parameter_slots = [slot for w in run.epoch.parameters.values() for slot in run.table.slots(w)]
    pick = [int(run.settings[name]) - run.first_epoch for name in views]
    path = follow(run.table, cost, pick, parameter_slots)
    curves = curves_table(run)
    sheets = [parameters_sheet(run)]
    if lesson.data_sheet:
        sheets.append(data_sheet(run))
    sheets += [training_sheet(run, path, curves), charts_sheet(run, curves, path, cost)]
    sheets.append(fit_sheet(run, path) if lesson.data_sheet else boundary_sheet(run, path))
    sheets += [gradient_check_sheet(run, path), sweep_sheet(run)]
    contrast = contrast_sheet(run)
    if contrast:
        sheets.append(contrast)
    sheets.insert(0, readme_sheet(run, sheets))
    return Workbook(lesson.title, lesson.name, run.epochs, tuple(s.check() for s in sheets))
