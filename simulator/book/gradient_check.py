"""Gradient check: central differences as live formulas beside the analytic gradients of an epoch.

Below the verdicts stands the working table: one row per parameter, the network's cost with that parameter
moved by +h and by -h. The cost is taken in the form that does not lose 1 - p.
"""

from __future__ import annotations

import math

from simulator.book.boundary import PickedParameters
from simulator.book.heading import put_headings
from simulator.book.parameters import put_labelled
from simulator.book.training import at_epoch
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.setting import CHECK
from simulator.lessons.training import stable
from simulator.sheet.address import a1
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import BAD, BAD_INK, GOOD, GOOD_INK, KEY, SUBTITLE, TITLE, Style, header, restyled
from simulator.sheet.table import Carry, Quantity, Table
from simulator.tape.expression import Expression, given, indices, literal, squeezed, upstream
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
    table, plus, minus = _working_table(run, sheet, picked)
    sheet.tables.append(table)
    sheet.put(table.first_row - 6, 0, "Working table: one parameter moved in every row", restyled(KEY, size=12))
    put_headings(sheet, table, lambda q: _side(q, table))
    _put_verdicts(sheet, run, picked, table, plus, minus)
    sheet.print_area = (0, 0, picked.next_row, 8)
    sheet.widths |= {0: 16, 1: 12, 2: 12, 3: 12, 4: 12, 5: 16, 6: 12, 7: 10}
    return sheet


def _side(q: Quantity, table: Table) -> tuple[str, str]:
    if q.role == "given":
        return "", ""
    return (
        "with + h"
        if table.column(q.node) < table.first_col + 1 + (table.last_col - table.first_col) // 2
        else "with - h"
    ), ""


def _working_table(run: Run, sheet: Sheet, picked: PickedParameters) -> tuple[Table, Expression, Expression]:
    """One row per parameter: the parameters with that one moved, and the forward pass, for +h and for -h."""
    leaves = run.settings.leaves
    row_number = given("row", (), "moved parameter")
    first_row = picked.next_row + 9
    label_row = first_row - 5
    columns: list[Quantity] = [Quantity(row_number, "given", "0")]
    costs: list[Expression] = []
    places, numbers = dict(picked.places), dict(picked.numbers)
    for sign in (1, -1):
        moved: dict[str, Expression] = {}
        k = 0
        for name, w in picked.arrays.items():
            order = given(f"number of {name}", w.shape)
            col = sum(c.shape[1] for c in columns)
            size = w.shape[0] * w.shape[1]
            for n, index in enumerate(indices(w.shape)):
                numbers[order.serial, index] = float(k + n + 1)
                sheet.put(label_row, col + n, k + n + 1, Style(color="#6B7280", size=9, align="center"))
            places[order.serial] = _across(sheet.name, label_row, col, w.shape[1])
            h = leaves["check_step"] if sign > 0 else -leaves["check_step"]
            moved[name] = where(row_number, "=", order, w + h, w).named(name, w.meaning)
            columns.append(Quantity(moved[name], "parameter", "0.0000", flat=True, entries=_entry(w)))
            k += size
        inputs = {name: leaves[name] for name in run.lesson.given}
        cost = stable(run.lesson.equations(**inputs, **moved))
        known = {e.serial for e in moved.values()}
        for e in upstream(cost):
            if e.name and e.primitive and e.serial not in known and e is not cost and _has_cells(e, run):
                columns.append(Quantity(e, "forward", "0.0000", flat=len(e.shape) == 2, entries=_entry(e)))
        cost.named("cost", "cost with + h" if sign > 0 else "cost with - h") if not cost.name else None
        columns.append(Quantity(cost, "cost", "0.0000000"))
        costs.append(cost)
    carries = {row_number.serial: Carry(literal(1), row_number + 1)}
    table = Table(CHECK, first_row, 0, columns, len(picked.rows), places, numbers, carries)
    return table, costs[0], costs[1]


def _has_cells(e: Expression, run: Run) -> bool:
    """Arrays over all 200 points stay inside the sums."""
    return not run.lesson.data_sheet


def _entry(e: Expression):  # type: ignore[no-untyped-def]
    names = [",".join(str(i + 1) for i in squeezed(index, e.shape)) for index in indices(e.shape)]
    return lambda k: names[k]


def _across(sheet: str, row: int, col: int, width: int):  # type: ignore[no-untyped-def]
    return lambda index: Position(sheet, row, col + index[0] * width + index[1], False)


def _put_verdicts(
    sheet: Sheet, run: Run, picked: PickedParameters, table: Table, plus: Expression, minus: Expression
) -> None:
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
        Style(bold=True, align="center", border="#D5DAE1"),
        formula=f'IF(COUNTIF({verdicts},"{OK}")={len(picked.rows)},"{OK}","{DIFFERS}")',
    )
    for first, final in (((VERDICT_ROW, 7), (last, 7)), ((5, 1), (5, 1))):
        sheet.highlights.append(Highlight(first, final, "equal", OK, GOOD, GOOD_INK))
        sheet.highlights.append(Highlight(first, final, "equal", DIFFERS, BAD, BAD_INK))
