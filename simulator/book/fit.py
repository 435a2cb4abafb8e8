"""Fit: the fitted line over the points, at an epoch that the reader picks."""

from __future__ import annotations

from simulator.book.boundary import PARAMETER_ROW, PickedParameters
from simulator.book.parameters import put_labelled
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.setting import DATA, FIT
from simulator.sheet.address import a1, range_text
from simulator.sheet.chart import PALETTE, Area, Chart, Series
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import HEADING, SUBTITLE, TITLE, Style, header


def fit_sheet(run: Run, path: Trajectory) -> Sheet:
    sheet = Sheet(FIT, "#0891B2")
    sheet.put(0, 0, f"{run.lesson.title}: the line over the points", TITLE)
    sheet.put(1, 0, "Pick an epoch and watch the line turn into place.", SUBTITLE)
    put_labelled(sheet, run.settings.items["fit_epoch"])
    sheet.put(PARAMETER_ROW - 1, 0, "At this epoch", HEADING)
    picked = PickedParameters(run, sheet, PARAMETER_ROW, "fit_epoch", path)

    x_place, y_place = (next(p for p in run.settings.arrays if p.leaf.name == name) for name in ("X", "Y"))
    count = x_place.leaf.shape[0]
    xs = [run.settings.numbers[x_place.leaf.serial, (k, 0)] for k in range(count)]
    ys = [run.settings.numbers[y_place.leaf.serial, (k, 0)] for k in range(count)]
    data = range_text(DATA, x_place.row, x_place.col, x_place.row + count - 1, x_place.col)
    w_cell, b_cell = (a1(picked.rows[name, (0, 0)], 1, absolute=True) for name in ("W", "b"))
    w, b = (picked.numbers[picked.arrays[name].serial, (0, 0)] for name in ("W", "b"))
    top = picked.next_row + 1
    sheet.put_row(top, 0, ["x", "line"], header("forward", level=2))
    number = Style(number_format="0.0000", align="right")
    for k, (function, x) in enumerate((("MIN", min(xs)), ("MAX", max(xs)))):
        row = top + 1 + k
        sheet.put(row, 0, x, number, formula=f"{function}({data})")
        sheet.put(row, 1, w * x + b, number, formula=f"{w_cell}*{a1(row, 0)}+{b_cell}")
    points = Series(
        "points",
        Area(DATA, x_place.row, x_place.col, x_place.row + count - 1, x_place.col),
        Area(DATA, y_place.row, y_place.col, y_place.row + count - 1, y_place.col),
        tuple(xs),
        tuple(ys),
        markers=True,
        color=PALETTE[0],
    )
    ends = (min(xs), max(xs))
    line = Series(
        "line at this epoch",
        Area(FIT, top + 1, 0, top + 2, 0),
        Area(FIT, top + 1, 1, top + 2, 1),
        ends,
        tuple(w * x + b for x in ends),
        color=PALETTE[1],
    )
    sheet.charts.append(Chart("Points and fitted line", "x", "y", (points, line), 2, 5, 760, 460))
    sheet.widths |= {0: 16, 1: 12, 2: 12}
    return sheet
