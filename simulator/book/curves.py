"""Charts of a network: its cost step by step, and a rival's beside it."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.book.heading import put_headings
from simulator.book.part import Part
from simulator.sheet.chart import Area, Chart, Series
from simulator.sheet.panel import Together
from simulator.sheet.program import Carry
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import COST, SUBTITLE, TITLE
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, given, literal

CHARTS = "Charts"
CURVES_FIRST_ROW = 28


def curves_sheet(parts: Sequence[Part]) -> Sheet:
    """A row per step with the learning rate and the cost, and the curves above."""
    step, count = parts[0].step, parts[0].spread.count
    batched = "batch" in step.counter
    number = given("step" if batched else "epoch", (), "step" if batched else "epoch")
    columns = [Quantity(number, "given", "0")]
    for name in ("epoch", "batch") if batched else ():
        columns.append(Quantity(step.counter[name].named(name, name), "given", "0"))
    columns.append(Quantity(step.counter["rate"].named("rate", "learning rate"), "given", "General"))
    costs: list[tuple[str, Expression, tuple[float, ...]]] = []
    for part in parts:
        assert part.step.cost is not None
        node = part.step.cost.named("cost" + part.suffix, part.step.cost.meaning)
        columns.append(Quantity(node, "cost", COST))
        slot = part.spread.slot[part.step.cost.serial, ()]
        costs.append((part.model.name, node, tuple(v[slot] for v in part.spread.values)))
    carries = {number.serial: Carry(literal(1), number + 1)}
    follows = Together([part.spread for part in parts])
    table = Table(CHARTS, CURVES_FIRST_ROW, 0, columns, count, {}, {}, carries, follows)
    sheet = Sheet(CHARTS, "#7C3AED", tables=[table])
    title = " and ".join(part.model.name for part in parts)
    sheet.put(0, 0, f"{title}: cost", TITLE)
    sheet.put(1, 0, "The curve follows every change on Parameters and Data.", SUBTITLE)
    put_headings(sheet, table)

    def area(node: Expression) -> Area:
        return Area(CHARTS, table.first_row, table.column(node), table.last_row, table.column(node))

    steps = tuple(float(k + 1) for k in range(count))
    curves = tuple(
        Series(name, area(number), area(node), steps, values, markers=count == 1) for name, node, values in costs
    )
    loss = parts[0].model.loss.replace("_", " ")
    if any(name == "penalty" for part in parts for name in (s.node.name for s in part.step.shown)):
        loss += " with penalty"
    sheet.charts.append(Chart(f"{title}: {loss}", number.name, "cost", curves, 2, 0, x_min=0))
    return sheet
