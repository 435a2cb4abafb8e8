"""The answers of all variants in one file: an overview, every student's given numbers, every student's table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from simulator.book.heading import put_headings
from simulator.book.template import handed_out
from simulator.book.trajectory import Trajectory, follow
from simulator.book.workbook import Workbook
from simulator.errors import SettingError
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.lessons.setting import Setting, entry_label
from simulator.lessons.variant import file_name
from simulator.sheet.address import a1
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import BODY, COST, ENTRY, HYPERLINK, INPUT, LABEL, SUBTITLE, TITLE, header, restyled
from simulator.sheet.table import Table
from simulator.tape.expression import Index, indices, squeezed
from simulator.tape.scalar import Position

ANSWERS, GIVEN = "Answers", "Given"
LONGEST_SHEET_NAME = 31
TOP = 4  # the first student's row on both sheets


def answers_book(lesson: Lesson, runs: Mapping[str, Run]) -> Workbook:
    """One workbook for a lecturer: the sheet Answers with a row per student, and a sheet with each student's table.

    runs maps a student's identifier to their run; every table is live and starts from the student's row on the sheet
    Given. Raises SettingError when there is no run.
    """
    if not runs:
        raise SettingError("Answers need at least one student. Received: none. Give a run per identifier.")
    answers, given = Sheet(ANSWERS, "#059669"), Sheet(GIVEN, "#E0B93B")
    answers.put(0, 0, f"{lesson.title}: answers", TITLE)
    answers.put(1, 0, "A row per student; the identifier leads to the student's table.", SUBTITLE)
    given.put(0, 0, f"{lesson.title}: given numbers", TITLE)
    given.put(1, 0, "A row per student. Change any yellow cell; the student's table and answers follow.", SUBTITLE)
    given.put(TOP - 1, 0, "student", header("given", level=2))
    shown = _shown(lesson, list(runs.values()))
    sheets, numbers = [answers, given], {}
    for k, (identifier, run) in enumerate(runs.items()):
        cells = {s.name: (TOP + k, col) for col, s in enumerate(handed_out(run), 1)}
        given.put(TOP + k, 0, identifier, LABEL)
        for s in handed_out(run):
            row, col = given.put(*cells[s.name], s.value, restyled(INPUT, number_format="General"))
            numbers[GIVEN, row, col] = s.value
            given.put(TOP - 1, col, s.name, header("given", level=2))
        table = _table(run, _sheet_name(k + 1, identifier), cells)
        sheets.append(_student_sheet(lesson, identifier, table))
        _put_answers(answers, TOP + k, identifier, run, table, [(run.settings.items[s], cells[s]) for s in shown])
    for sheet in (answers, given):
        columns = [col for _, col in sheet.cells]
        sheet.widths = dict.fromkeys(range(max(columns) + 1), 11.0) | {0: 24}
        sheet.freeze = (TOP, 1)
    answers.widths[1] = 28
    first = next(iter(runs.values()))
    title, origin = f"{lesson.title}: answers", {"answers": lesson.name}
    return Workbook(title, lesson.name, first.epochs, tuple(s.check() for s in sheets), numbers, origin=origin)


def _shown(lesson: Lesson, runs: Sequence[Run]) -> list[str]:
    """The given numbers that the overview shows: first parameters, and what differs from student to student."""

    def differs(s: Setting) -> bool:
        return len({run.settings[s.name] for run in runs}) > 1

    return [s.name for s in handed_out(runs[0]) if s.leaf.name in lesson.parameters or differs(s)]


def _sheet_name(number: int, identifier: str) -> str:
    """A name that no other sheet has, whatever the identifier; the space keeps it from looking like a cell.

    >>> _sheet_name(3, "o'neil/[1]")
    '3 o_neil__1_'
    """
    safe = re.sub(r"[^\w .@-]", "_", identifier)
    return f"{number} {safe}"[:LONGEST_SHEET_NAME].rstrip()


def _table(run: Run, name: str, cells: Mapping[str, tuple[int, int]]) -> Table:
    """The run's training table on a sheet of its own, its given numbers in these cells of the sheet Given."""
    where: dict[int, dict[Index, Position]] = {}
    for s in handed_out(run):
        where.setdefault(s.leaf.serial, {})[s.index] = Position(GIVEN, *cells[s.name], False)
    outside: dict[int, Callable[[Index], Position]] = {serial: at.__getitem__ for serial, at in where.items()}
    return replace(run.table, sheet=name, outside=outside)


def _student_sheet(lesson: Lesson, identifier: str, table: Table) -> Sheet:
    sheet = Sheet(table.sheet, "#2563EB", tables=[table])
    sheet.put(0, 0, f"{identifier}: {lesson.title}", TITLE)
    sheet.put(1, 0, f"The given numbers are on the sheet {GIVEN}.", SUBTITLE)
    sheet.put(2, 0, f"back to {ANSWERS}", HYPERLINK, link=f"internal:'{ANSWERS}'!A1")
    put_headings(sheet, table)
    sheet.notes = {at: text.replace("from Parameters", f"from {GIVEN}") for at, text in sheet.notes.items()}
    sheet.freeze = (table.first_row, 1)
    sheet.widths[0] = 8
    return sheet


def _put_answers(
    sheet: Sheet, row: int, identifier: str, run: Run, table: Table, shown: Sequence[tuple[Setting, tuple[int, int]]]
) -> None:
    """One student's row: identifier, file, given numbers, costs, last parameters."""
    last, cost = run.count - 1, run.epoch.cost
    picked = dict.fromkeys((0, min(1, last), last))
    path: Trajectory = follow(table, table.slot[cost.serial, ()], [last])
    sheet.put(row, 0, identifier, HYPERLINK, link=f"internal:'{table.sheet}'!A1")
    sheet.put(row, 1, f"{file_name(identifier)}.xlsx", LABEL)
    _put_heading(sheet, 0, "given", "student", "")
    _put_heading(sheet, 1, "given", "file", "")
    col = 2
    for setting, at in shown:
        formula = f"{GIVEN}!{a1(*at, absolute=True)}"
        sheet.put(row, col, setting.value, restyled(BODY, number_format="General"), formula=formula)
        _put_heading(sheet, col, "parameter", setting.name, "given" if col == 2 else "")
        col += 1
    for k, block in enumerate(picked):
        formula = table.address(cost, (), block)
        sheet.put(row, col, path.costs[block], restyled(BODY, number_format=COST), formula=formula)
        _put_heading(sheet, col, "cost", f"epoch {run.first_epoch + block}", "" if k else cost.name)
        col += 1
    title = f"parameters at epoch {run.first_epoch + last}"
    for name, w in run.epoch.parameters.items():
        for index in indices(w.shape):
            value = path.picked[last][table.slot[w.serial, index]]
            formula = table.address(w, index, last)
            number_format = run.lesson.formats.get(name, ENTRY)
            sheet.put(row, col, value, restyled(BODY, number_format=number_format), formula=formula)
            _put_heading(sheet, col, "update", entry_label(name, squeezed(index, w.shape)), title)
            col, title = col + 1, ""


def _put_heading(sheet: Sheet, col: int, role: str, name: str, title: str) -> None:
    sheet.put(TOP - 2, col, title, header(role, level=1))
    sheet.put(TOP - 1, col, name, header(role, level=2))
