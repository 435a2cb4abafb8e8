"""A workbook to hand out: the lesson's, with the cells left empty that students fill in."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from simulator.book.charts import charts_sheet, curves_table
from simulator.book.heading import STAGES, put_headings
from simulator.book.parameters import data_sheet, parameters_sheet
from simulator.book.reveal import check_sheet, put_reveal
from simulator.book.trajectory import Trajectory
from simulator.book.workbook import Workbook
from simulator.errors import SettingError, did_you_mean
from simulator.lessons.run import Run
from simulator.lessons.setting import PARAMETERS, Setting
from simulator.lessons.training import SHEET
from simulator.lessons.variant import LONGEST_IDENTIFIER
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import (
    BAND,
    BLANK_BAND,
    HEADING,
    KEY,
    LABEL,
    PENDING,
    REMARK,
    SUBTITLE,
    TEXT,
    TITLE,
    Style,
)
from simulator.sheet.style import (
    blank as left_empty,
)
from simulator.sheet.table import Quantity, Table

MOST_CHARACTERS = 255  # of a custom document property, Excel's limit
AFTER_THE_COST = ("parameter", "backward", "update")
SCALARS = ("learning_rate", "first_epoch")


def blank_quantities(run: Run, blank: str) -> frozenset[str]:
    """The names of the quantities that are left empty.

    blank is "all", "backward" (what follows the cost: gradients, updates, later parameters), or names of columns with
    commas between them. The parameters of the first epoch are given, whatever it is. Raises SettingError for a name
    that heads no column, or that of a given one.

    >>> from simulator.lessons import find_lesson
    >>> sorted(blank_quantities(find_lesson("decoder").run(epochs=2), "backward"))
    ['W', "W'", 'b', "b'", 'dW', 'dZ', 'db']
    """
    roles = {q.node.name: q.role for q in run.table.quantities if q.role != "given"}
    if blank == "all":
        return frozenset(roles)
    if blank == "backward":
        return frozenset(name for name, role in roles.items() if role in AFTER_THE_COST)
    names = [name.strip() for name in blank.split(",")]
    for name in names:
        if name not in roles:
            raise SettingError(
                f"--blank takes all, backward, or columns of '{run.lesson.name}' to fill in: {', '.join(roles)}. "
                f"Received: '{name}'.{did_you_mean(name, roles)}"
            )
    return frozenset(names)


def template_workbook(
    run: Run, blank: str = "all", *, reveal: bool = False, student: str = "", seed: int | None = None, draw: int = 0
) -> Workbook:
    """The workbook of a run with the cells of some quantities left empty.

    Every cell stands where it stands in the lesson's own workbook, and a formula that remains waits for the empty
    cells that it refers to. blank is what `blank_quantities` takes; with reveal a hidden sheet tells whether a column
    is right so far; student, seed and draw say whose given numbers these are. Raises SettingError for an unknown
    quantity and an identifier that is too long.
    """
    names = blank_quantities(run, blank)
    empty = {q.node.serial: int(q.role == "parameter") for q in run.table.quantities if q.node.name in names}
    handout = replace(run, table=replace(run.table, blank=empty, banded=False))
    curves = curves_table(handout)
    charts = charts_sheet(handout, curves, Trajectory(array("d")), "The curves grow as you fill in the sheet Training.")
    charts.highlights.append(_pending(curves))
    training = _training_sheet(handout)
    sheets = [_parameters_sheet(run), training, charts]
    if run.lesson.data_sheet:
        data = data_sheet(run)
        data.put(1, 0, "One sample a row.", SUBTITLE)
        sheets.insert(1, data)
    if reveal:
        check = check_sheet(run, names, seed or 0)
        put_reveal(training, run, names)
        sheets.append(check)
    sheets.insert(0, _readme_sheet(handout, names, student, reveal))
    given = {(s.sheet, s.row, s.col): s.value for s in handed_out(run)}
    origin = _origin(run, blank, student, seed, draw)
    title = f"{run.lesson.title}: to fill in"
    return Workbook(title, run.lesson.name, run.epochs, tuple(s.check() for s in sheets), given, origin=origin)


def _origin(run: Run, blank: str, student: str, seed: int | None, draw: int) -> dict[str, str]:
    """What the file says of itself, within what a document property holds."""
    if len(student) > LONGEST_IDENTIFIER:
        raise SettingError(
            f"A student's identifier has at most {LONGEST_IDENTIFIER} characters. Received: {len(student)} of them, "
            f"'{student[:20]}...'. Shorten it."
        )
    origin = {**run.lesson.origin, "template": run.lesson.name, "blank": blank}
    origin |= {"student": student} if student else {}
    origin |= {"seed": str(seed)} if seed is not None else {}
    origin |= {"draw": str(draw)} if draw else {}
    if len(json.dumps({**origin, "epochs": run.epochs}, ensure_ascii=False)) > MOST_CHARACTERS:
        origin["blank"] = "custom"
    return origin


def handed_out(run: Run) -> list[Setting]:
    """The given numbers that a student needs: learning rate, first epoch, and all arrays."""
    arrays = {**run.lesson.given, **run.lesson.parameters}
    return [s for s in run.settings.items.values() if s.name in SCALARS or s.leaf.name in arrays]


def _parameters_sheet(run: Run) -> Sheet:
    """The lesson's sheet without what belongs to its other sheets; those rows are hidden, so that no cell moves."""
    sheet = parameters_sheet(run)
    sheet.put(1, 0, "These are your numbers. Leave them as they are: your work is marked by them.", SUBTITLE)
    kept = handed_out(run)
    for setting in run.settings.items.values():
        if setting.sheet == PARAMETERS and setting not in kept:
            for col in range(setting.col - 1, setting.col + 2):
                del sheet.cells[setting.row, col]
            del sheet.names[setting.name]
            sheet.validations = [v for v in sheet.validations if v.row != setting.row]
            sheet.heights[setting.row] = 0
    return sheet


def _training_sheet(run: Run) -> Sheet:
    table = run.table
    sheet = Sheet(SHEET, "#2563EB", tables=[table])
    sheet.put(0, 0, f"{run.lesson.title}: training by hand", TITLE)
    block = f"{table.height} rows are one epoch" if table.height > 1 else "One row is one epoch"
    where = "Fill in the turquoise cells with formulas, epoch by epoch, from left to right."
    sheet.put(1, 0, f"{block}. {where} The note on a heading has its equation.", SUBTITLE)
    put_headings(sheet, table)
    sheet.highlights += [_pending(table), *_bands(table)]  # LibreOffice applies the first that holds
    sheet.freeze = (table.first_row, 1)
    sheet.widths[0] = 8
    return sheet


def _bands(table: Table) -> Iterator[Highlight]:
    """What shades every other epoch: cells to fill in a deeper turquoise, the others grey."""
    height = table.height
    filled = [0] * (table.last_col + 1)  # rows of an epoch that are to be filled in, column by column
    for q in table.quantities:
        if q.node.serial in table.blank:
            col = table.column(q.node)
            filled[col : col + q.shape[1]] = [q.shape[0]] * q.shape[1]
    row = f"MOD(ROW()-{table.first_row + 1},{2 * height})"  # from 0 in an epoch that isn't shaded, from height in one
    for rows, columns in groupby(range(len(filled)), key=filled.__getitem__):
        cols = list(columns)
        area = (table.first_row, cols[0]), (table.last_row, cols[-1])
        if rows:
            yield Highlight(*area, "fill", f"=AND({row}>={height},{row}<{height + rows})", BLANK_BAND)
        if rows < height:
            yield Highlight(*area, "fill", f"={row}>={height + rows}", BAND)


def _pending(table: Table) -> Highlight:
    return Highlight((table.first_row, 0), (table.last_row, table.last_col), "error", color=PENDING)


def _readme_sheet(run: Run, names: frozenset[str], student: str, reveal: bool) -> Sheet:
    sheet = Sheet("Read me", "#374151")
    sheet.put(0, 0, f"{run.lesson.title}: to fill in", TITLE)
    last = run.first_epoch + run.count - 1
    sheet.put(1, 0, f"Epochs {run.first_epoch} to {last}." + (f" For {student}." if student else ""), SUBTITLE)
    row = _put_steps(sheet, 3, "What to do", _steps(run))
    row = _put_columns(sheet, row + 1, run, names)
    marking = [
        "Each cell is judged by your own numbers in the cells that it depends on: one slip is one error.",
        "What follows from a slip, and agrees with it, is not marked down.",
    ]
    row = _put_steps(sheet, row + 1, "How it is marked", marking)
    if reveal:
        hints = [
            "Row 5 of Training shows TRUE while every complete epoch of a column is right, and FALSE otherwise.",
            "Three decimals are enough. It knows the numbers that were handed out: change them and it is wrong.",
        ]
        _put_steps(sheet, row + 1, "Right so far?", hints)
    sheet.widths = {0: 18, 1: 46, 2: 46}
    sheet.one_page = True
    return sheet


def _steps(run: Run) -> list[str]:
    steps = [
        "Your given numbers are on Parameters" + (", the samples on Data." if run.lesson.data_sheet else "."),
        "On Training, fill in the turquoise cells of the first epoch, from left to right, with formulas.",
        "Point at a heading to read its equation; refer to cells, don't type their numbers.",
    ]
    parameters = [q for q in run.table.quantities if q.role == "parameter" and q.node.serial in run.table.blank]
    if parameters and run.count > 1:
        steps.append(
            "In the second epoch the parameters are the updated values of the epoch before; then go on as before."
        )
        steps.append("Copy the second epoch down to the last one.")
    elif run.count > 1:
        steps.append("Fill in the second epoch, then copy it down to the last one.")
    grey = "#N/A in grey waits for cells that are still empty"
    steps.append(f"{grey}; on Charts the curves grow as you go.")
    return steps


def _put_steps(sheet: Sheet, row: int, title: str, steps: list[str]) -> int:
    """A heading with numbered sentences below; returns the next free row."""
    sheet.put(row, 0, title, HEADING)
    for k, step in enumerate(steps, 1):
        sheet.put(row + k, 0, str(k), LABEL)
        sheet.put(row + k, 1, step)
    return row + len(steps) + 1


def _put_columns(sheet: Sheet, row: int, run: Run, names: frozenset[str]) -> int:
    """What is to be filled in, stage by stage; returns the next free row."""
    sheet.put(row, 0, "Columns to fill in", HEADING)
    sheet.put(row, 1, "turquoise on Training", left_empty(Style(size=9, align="center")))
    for q in run.table.quantities:
        if q.node.name in names:
            row += 1
            sheet.put(row, 0, q.node.name, KEY)
            sheet.put(row, 1, _meaning(q), TEXT)
            sheet.put(row, 2, STAGES[q.role], REMARK)
    return row + 1


def _meaning(q: Quantity) -> str:
    return q.node.meaning + (", from the second epoch on" if q.role == "parameter" else "")
