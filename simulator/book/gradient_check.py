"""Gradient check: central differences as live formulas beside the analytic gradients of an epoch.

Below the verdicts stands the working table: one row per parameter, the network's cost with that parameter
moved by +h and by -h. The cost is taken in the form that does not lose 1 - p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.book.boundary import PickedParameters
from simulator.book.heading import entry_names, put_headings
from simulator.book.parameters import put_labelled
from simulator.book.training import at_epoch
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.setting import CHECK
from simulator.lessons.training import stable
from simulator.sheet.address import a1
from simulator.sheet.program import Carry
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import (
    BAD,
    BAD_INK,
    GOOD,
    GOOD_INK,
    KEY,
    LINE,
    MUTED,
    SUBTITLE,
    TITLE,
    Style,
    header,
    restyled,
)
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, Index, given, indices, literal, upstream
from simulator.tape.namespace import where
from simulator.tape.scalar import Position

VERDICT_ROW = 8
OK, DIFFERS = "ok", "differs"


def gradient_check_sheet(run: Run, path: Trajectory) -> Sheet:
    sheet = Sheet(CHECK, "#D97706")
    sheet.put(0, 0, f"{run.lesson.title}: are the gradients right?", TITLE)
    sheet.put(
        1, 0, "A central difference (C(w+h) - C(w-h)) / 2h needs no calculus; it must agree with the formula.", SUBTITLE
    )
    for name in ("check_epoch", "check_step", "check_tolerance"):
        put_labelled(sheet, run.settings.items[name])
    heads = ["parameter", "value", "gradient", "C(w+h)", "C(w-h)", "central difference", "difference", "verdict"]
    sheet.put_row(VERDICT_ROW - 1, 0, heads, restyled(header("backward", level=2), size=10))
    sheet.heights[VERDICT_ROW - 1] = 30
    picked = PickedParameters(run, sheet, VERDICT_ROW, "check_epoch", path)
    working = _working_table(run, sheet, picked)
    table = working.table
    sheet.tables.append(table)
    sheet.put(table.first_row - 6, 0, "Working table: one parameter moved in every row", restyled(KEY, size=12))
    put_headings(sheet, table, lambda q: (working.sides[id(q)], ""))
    _put_verdicts(sheet, run, picked, working)
    sheet.print_area = (0, 0, picked.next_row, 8)
    sheet.widths |= {0: 16, 1: 12, 2: 12, 3: 12, 4: 12, 5: 16, 6: 12, 7: 10}
    return sheet


@dataclass
class _WorkingTable:
    """One row per parameter: the parameters with that one moved and the forward pass, for +h and for -h."""

    table: Table
    plus: Expression  # the cost with +h
    minus: Expression
    sides: dict[int, str]  # what the heading over a quantity says


def _working_table(run: Run, sheet: Sheet, picked: PickedParameters) -> _WorkingTable:
    step = run.settings.leaves["check_step"]
    moved_row = given("row", (), "moved parameter")
    first_row = picked.next_row + 9
    columns: list[Quantity] = [Quantity(moved_row, "given", "0")]
    places, numbers, sides = dict(picked.places), dict(picked.numbers), {id(columns[0]): ""}
    costs: list[Expression] = []
    for side, h in (("with + h", step), ("with - h", -step)):
        moved: dict[str, Expression] = {}
        counted = 0
        for name, w in picked.arrays.items():
            order, col = given(f"number of {name}", w.shape), sum(c.shape[1] for c in columns)
            places[order.serial] = _across(sheet.name, first_row - 5, col, w.shape[1])
            for n, index in enumerate(indices(w.shape)):
                counted += 1
                numbers[order.serial, index] = float(counted)
                sheet.put(first_row - 5, col + n, counted, Style(color=MUTED, size=9, align="center"))
            moved[name] = where(moved_row, "=", order, w + h, w).named(name, w.meaning)
            columns.append(Quantity(moved[name], "parameter", "0.0000", flat=True, entries=entry_names(w)))
        inputs = {name: run.settings.leaves[name] for name in run.lesson.given}
        cost = stable(run.lesson.equations(**inputs, **moved))
        named = [e for e in upstream(cost) if e.name and e.primitive and e not in moved.values() and e is not cost]
        if not run.lesson.data_sheet:  # arrays over all the data stay inside the sums
            columns += [Quantity(e, "forward", "0.0000", flat=True, entries=entry_names(e)) for e in named]
        columns.append(Quantity(cost, "cost", "0.0000000"))
        costs.append(cost)
        sides |= {id(c): side for c in columns if id(c) not in sides}
    carries = {moved_row.serial: Carry(literal(1), moved_row + 1)}
    table = Table(CHECK, first_row, 0, columns, len(picked.rows), places, numbers, carries)
    return _WorkingTable(table, costs[0], costs[1], sides)


def _across(sheet: str, row: int, col: int, width: int) -> Callable[[Index], Position]:
    return lambda index: Position(sheet, row, col + index[0] * width + index[1], False)


def _put_verdicts(sheet: Sheet, run: Run, picked: PickedParameters, working: _WorkingTable) -> None:
    table, plus, minus = working.table, working.plus, working.minus
    epoch, step, tolerance = (run.settings.items[n] for n in ("check_epoch", "check_step", "check_tolerance"))
    cells = {s.name: a1(s.row, s.col, absolute=True) for s in (epoch, step, tolerance)}
    number = Style(number_format="0.00000000", align="right")
    blocks = list(table.blocks())
    worst = True
    for k, ((name, index), row) in enumerate(picked.rows.items()):
        gradient = run.epoch.gradients[name]
        analytic = picked.block[run.table.slot[gradient.serial, index]]
        up, down = (blocks[k][table.slot[c.serial, ()]] for c in (plus, minus))
        numeric = (up - down) / (2 * step.value)
        difference = analytic - numeric
        ok = abs(difference) <= tolerance.value * max(1, abs(analytic))
        worst = worst and ok
        verdict = OK if ok else DIFFERS if math.isfinite(difference) else math.nan
        sheet.put(row, 2, analytic, number, formula=at_epoch(run, gradient, index, cells["check_epoch"]))
        for col, value, cost in ((3, up, plus), (4, down, minus)):
            sheet.put(row, col, value, number, formula=a1(table.first_row + k, table.column(cost)))
        sheet.put(row, 5, numeric, number, formula=f"({a1(row, 3)}-{a1(row, 4)})/(2*{cells['check_step']})")
        sheet.put(row, 6, difference, restyled(number, number_format="0.0E+00"), formula=f"{a1(row, 2)}-{a1(row, 5)}")
        formula = f'IF(ABS({a1(row, 6)})<={cells["check_tolerance"]}*MAX(1,ABS({a1(row, 2)})),"{OK}","{DIFFERS}")'
        sheet.put(row, 7, verdict, Style(bold=True, align="center"), formula=formula)
    last = picked.next_row - 1
    sheet.put(5, 0, "all gradients", KEY)
    verdicts = f"{a1(VERDICT_ROW, 7)}:{a1(last, 7)}"
    sheet.put(
        5,
        1,
        OK if worst else DIFFERS,
        Style(bold=True, align="center", border=LINE),
        formula=f'IF(COUNTIF({verdicts},"{OK}")={len(picked.rows)},"{OK}","{DIFFERS}")',
    )
    for first, final in (((VERDICT_ROW, 7), (last, 7)), ((5, 1), (5, 1))):
        sheet.highlights.append(Highlight(first, final, "equal", OK, GOOD, GOOD_INK))
        sheet.highlights.append(Highlight(first, final, "equal", DIFFERS, BAD, BAD_INK))
