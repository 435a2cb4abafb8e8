"""Sweep: the same network trained with several learning rates side by side, and a lesson against another one.

Both are tables with one row per epoch, in which only arrays that are used more than once have cells.
"""

from __future__ import annotations

import math
from decimal import Decimal

from simulator.book.charts import column_area
from simulator.book.heading import entry_names, put_headings
from simulator.book.trajectory import CACHED_POINTS, follow
from simulator.lessons import find_lesson
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.lessons.setting import SWEEP_RATES
from simulator.lessons.training import Epoch, compact_columns, trace_epoch
from simulator.sheet.address import a1
from simulator.sheet.chart import Chart, Series
from simulator.sheet.program import Carry
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import COST, SUBTITLE, TITLE, WRAPPED, restyled
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, given

SWEEP, CONTRAST = "Sweep", "Contrast"
FIRST_ROW = 28
LONGEST = 200  # epochs; a longer sweep is no longer a picture, and six trainings outgrow the lesson itself


def _one_row(quantities: list[Quantity]) -> list[Quantity]:
    """The same quantities entry by entry, so that an epoch takes one row."""
    flat = []
    for q in quantities:
        if q.node.shape in ((), (1, 1)):
            flat.append(q)
        else:
            flat.append(Quantity(q.node, q.role, q.number_format, entries=entry_names(q.node), flat=True))
    return flat


class _Training:
    """One more training of a lesson on the same given numbers, with a rate of its own."""

    def __init__(self, lesson: Lesson, run: Run, rate: Expression, role: str) -> None:
        leaves = run.settings.leaves
        parameters = {name: given(name, leaves[name].shape, lesson.meanings[name]) for name in lesson.parameters}
        inputs = {name: leaves[name] for name in lesson.given}
        self.epoch: Epoch = trace_epoch(lesson, inputs, parameters, rate, chain=False)
        details = compact_columns(lesson, self.epoch)[1:]  # the cost comes first
        self.cost = Quantity(self.epoch.cost, role, COST)
        self.details = _one_row([q for q in details if not lesson.data_sheet or q.role == "parameter"])
        self.carries = {
            w.serial: Carry(leaves[name], self.epoch.updates[name].args[0] - self.epoch.updates[name].args[1])
            for name, w in parameters.items()
        }


def _table(
    sheet: str, run: Run, lead: list[Quantity], trainings: list[_Training], number: Expression, **more: object
) -> Table:
    columns = [*lead, *(t.cost for t in trainings), *(q for t in trainings for q in t.details)]
    carries = {number.serial: Carry(run.settings.leaves["first_epoch"], number + 1)} if number.is_given else {}
    for t in trainings:
        carries |= t.carries
    count = min(run.count, LONGEST)
    return Table(sheet, FIRST_ROW, 0, columns, count, run.settings.places, run.settings.numbers, carries, **more)  # type: ignore[arg-type]


def sweep_sheet(run: Run) -> Sheet:
    rates = [run.settings.items[f"sweep_rate_{i + 1}"] for i in range(len(SWEEP_RATES))]
    trainings = [_Training(run.lesson, run, rate.leaf, "cost") for rate in rates]
    number = given("epoch", (), "epoch")
    table = _table(SWEEP, run, [Quantity(number, "given", "0")], trainings, number)

    sheet = Sheet(SWEEP, "#059669", tables=[table])
    sheet.put(0, 0, f"{run.lesson.title}: six learning rates side by side", TITLE)
    limit = f" The first {LONGEST} epochs." if run.count > LONGEST else ""
    sheet.put(1, 0, f"The rates are on the sheet Parameters; each one trains the whole network below.{limit}", SUBTITLE)
    owner = {id(q): rate for t, rate in zip(trainings, rates, strict=True) for q in (t.cost, *t.details)}

    def stage(q: Quantity) -> tuple[str, str]:
        rate = owner.get(id(q))
        if rate is None:
            return "", ""
        return (
            f"rate {Decimal(repr(rate.value)).normalize():f}",
            f'"rate "&Parameters!{a1(rate.row, rate.col, absolute=True)}',
        )

    put_headings(sheet, table, stage)
    _put_chart(
        sheet,
        run,
        table,
        number,
        [(f"Sweep!{a1(FIRST_ROW - 4, table.column(t.cost.node), absolute=True)}", t.cost.node) for t in trainings],
        "Cost by learning rate",
    )
    return sheet


def contrast_sheet(run: Run) -> Sheet | None:
    """This lesson's cost beside another one's, trained from the same numbers; None when it has no contrast."""
    contrast = run.lesson.contrast
    if contrast is None:
        return None
    rate = run.settings.leaves["learning_rate"]
    other = _Training(find_lesson(contrast.lesson), run, rate, "cost")
    number = run.number.named("epoch", "epoch")
    here = run.epoch.cost.named("cost", contrast.here)
    other.epoch.cost.meaning = contrast.there
    lead = [Quantity(number, "given", "0"), Quantity(here, "cost", COST)]
    table = _table(CONTRAST, run, lead, [other], number, follows=run.table)

    sheet = Sheet(CONTRAST, "#DC2626", tables=[table])
    sheet.put(0, 0, f"{run.lesson.title}: the same start, two gradients", TITLE)
    limit = f" The first {LONGEST} epochs." if run.count > LONGEST else ""
    sheet.put(1, 0, contrast.sentence + limit, restyled(WRAPPED, size=11))
    sheet.merge(1, 0, 3, 13)
    put_headings(sheet, table, lambda q: ("this lesson" if q in lead else contrast.lesson, ""))
    for q in (lead[1], other.cost):
        sheet.widths[table.column(q.node)] = 20
    _put_chart(sheet, run, table, number, [(contrast.here, here), (contrast.there, other.epoch.cost)], "Cost")
    return sheet


def _put_chart(
    sheet: Sheet, run: Run, table: Table, number: Expression, curves: list[tuple[str, Expression]], title: str
) -> None:
    slots = [table.slot[node.serial, ()] for _, node in curves]
    path = follow(table, slots[0], curves=slots) if table.count <= CACHED_POINTS else None
    first = path.costs[0] if path else 0.0
    points = [y for curve in path.curves.values() for y in curve] if path else []
    runs_away = 0 < first < math.inf and any(not y < 10 * first for y in points)
    if runs_away:
        sheet.put(1, 0, f"{sheet.cells[1, 0].value} A curve that leaves the picture diverges.", sheet.cells[1, 0].style)
    x = column_area(table, number)
    numbers = tuple(float(run.first_epoch + k) for k in range(table.count))
    series = tuple(
        Series(name, x, column_area(table, node), numbers, path.curves[slot] if path else ())
        for (name, node), slot in zip(curves, slots, strict=True)
    )
    top = 4 if sheet.name == CONTRAST else 2
    sheet.charts.append(
        Chart(
            title,
            "epoch",
            "cost",
            series,
            top,
            0,
            900,
            20 * (FIRST_ROW - 5 - top),
            x_min=0,
            y_max=float(f"{1.5 * first:.1g}") if runs_away else None,
        )
    )
    sheet.freeze = (0, 1)
    sheet.print_area = (0, 0, table.last_row, 14)  # the chart's width
