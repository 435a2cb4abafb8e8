"""Charts: cost and parameters against the epoch, beside the per-epoch table they are drawn from."""

from __future__ import annotations

from simulator.book.heading import put_headings
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.setting import entry_label
from simulator.lessons.training import CURVES_FIRST_ROW
from simulator.sheet.chart import Area, Chart, Series
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import COST, ENTRY, SUBTITLE, TITLE
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, indices, literal, squeezed
from simulator.tape.namespace import element, where

SHEET = "Charts"


def curves_table(run: Run) -> Table:
    """One row per epoch: its number, cost, whether the cost is below the threshold, and the parameters.

    Where cells of the training are left empty there is no threshold, and a row waits until they are filled in.
    """
    epoch = run.number.named("epoch", "epoch")
    cost = run.epoch.cost.named("cost", run.epoch.cost.meaning)
    columns = [Quantity(epoch, "given", "0"), Quantity(cost, "cost", COST)]
    if not run.table.blank:
        below = where(cost, "<", run.settings.leaves["threshold"], literal(1), literal(0))
        columns.append(Quantity(below.named("below", "1 where cost < threshold"), "cost", "0"))
    for name, w in run.epoch.parameters.items():
        for index in indices(w.shape):
            symbol = entry_label(name, squeezed(index, w.shape))
            node = element(w, index).named(symbol, run.lesson.meanings[name])
            columns.append(Quantity(node, "parameter", run.lesson.formats.get(name, ENTRY)))
    return Table(
        SHEET,
        CURVES_FIRST_ROW,
        0,
        columns,
        run.count,
        run.settings.places,
        run.settings.numbers,
        follows=run.table,
        blank=run.table.blank,
    )


def column_area(table: Table, node: Expression) -> Area:
    col = table.column(node)
    return Area(table.sheet, table.first_row, col, table.last_row, col)


def charts_sheet(
    run: Run,
    table: Table,
    path: Trajectory,
    subtitle: str = "The curves follow every change on the sheet Parameters.",
) -> Sheet:
    sheet = Sheet(SHEET, "#7C3AED", tables=[table])
    sheet.put(0, 0, f"{run.lesson.title}: cost and parameters", TITLE)
    sheet.put(1, 0, subtitle, SUBTITLE)
    put_headings(sheet, table)
    epoch, cost, *others = table.quantities
    parameters = [q for q in others if q.role == "parameter"]
    x = column_area(table, epoch.node)
    numbers = tuple(float(run.first_epoch + k) for k in range(run.count)) if path.curves else ()
    costs = tuple(path.costs) if path.curves else ()
    title = f"{run.lesson.title}: {run.epoch.cost.meaning}"
    sheet.charts.append(
        Chart(
            title,
            "epoch",
            "cost",
            (Series("cost", x, column_area(table, cost.node), numbers, costs),),
            2,
            0,
            x_min=0,
        )
    )
    slots = [slot for w in run.epoch.parameters.values() for slot in run.table.slots(w)]
    curves = tuple(
        Series(q.node.name, x, column_area(table, q.node), numbers, path.curves.get(slot, ()))
        for q, slot in zip(parameters, slots, strict=True)
    )
    sheet.charts.append(Chart("Parameters", "epoch", "value", curves, 2, 0, x_min=0, x_offset=740))
    return sheet
