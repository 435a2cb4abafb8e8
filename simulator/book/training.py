"""Training: the table of the lecture, every epoch, with the answers above it."""

from __future__ import annotations

from simulator.book.heading import put_headings
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.training import SHEET
from simulator.sheet.address import a1, range_text
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import ANSWER, LABEL, SUBTITLE, TITLE, restyled
from simulator.sheet.table import Table
from simulator.tape.expression import Expression, Index

NOT_REACHED = "not reached"


def training_sheet(run: Run, path: Trajectory, curves: Table) -> Sheet:
    """The sheet, its answers taken over the per-epoch table on the sheet Charts."""
    sheet = Sheet(SHEET, "#2563EB", tables=[run.table])
    sheet.put(0, 0, f"{run.lesson.title}: training by hand", TITLE)
    block = f"{run.table.height} rows are one epoch" if run.table.height > 1 else "One row is one epoch"
    update = " The next row's weights are w - learning_rate * dE/dw." if run.lesson.columns else ""
    where = "Every cell is a formula; the given numbers are on the sheet Parameters."
    sheet.put(1, 0, f"{block}.{update} {where}", SUBTITLE)
    put_headings(sheet, run.table)

    epochs, costs, below = (
        range_text(curves.sheet, curves.first_row, curves.column(q.node), curves.last_row, curves.column(q.node))
        for q in curves.quantities[:3]
    )
    threshold = run.settings.items["threshold"]
    found = path.first_below(threshold.value)
    cost_slot = run.table.position(run.epoch.cost, ())
    answers = [
        ("threshold", threshold.value, f"Parameters!{a1(threshold.row, threshold.col, absolute=True)}", "General"),
        (
            "first epoch below",
            NOT_REACHED if found is None else found + run.first_epoch,
            f'IFERROR(INDEX({epochs},MATCH(1,{below},0)),"{NOT_REACHED}")',
            "0",
        ),
        ("smallest cost", path.smallest, f"MIN({costs})", "0.00000"),
        (
            "last cost",
            path.costs[-1],
            a1(run.table.first_row + run.table.height * (run.count - 1), cost_slot.col),
            "0.00000",
        ),
    ]
    col = 0
    for label, value, formula, number_format in answers:
        sheet.put(2, col, label, restyled(LABEL, align="center"))
        sheet.put(3, col, value, restyled(ANSWER, number_format=number_format, align="center"), formula=formula)
        for row in (2, 3):
            sheet.merge(row, col, row, col + 1)
        col += 2
    sheet.freeze = (run.table.first_row, 1)
    sheet.widths[0] = 8
    return sheet


def at_epoch(run: Run, node: Expression, index: Index, epoch_cell: str) -> str:
    """The formula that reads one element of a training quantity at the epoch in a cell, or at the nearest there is."""
    place = run.table.position(node, index)
    height, first = run.table.height, run.settings.items["first_epoch"]
    column = range_text(SHEET, run.table.first_row, place.col, run.table.last_row, place.col)
    offset = f"MAX(0,MIN({run.count - 1},{epoch_cell}-Parameters!{a1(first.row, first.col, absolute=True)}))"
    return f"INDEX({column},{offset}{f'*{height}' if height > 1 else ''}+{place.row + 1})"
