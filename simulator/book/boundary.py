"""Boundary: the network's answer over the input square at an epoch that the reader picks.

The map on top refers to a table below it, one row per point of the grid, with every step of the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.book.heading import entry_names, put_headings
from simulator.book.parameters import put_labelled
from simulator.book.training import at_epoch
from simulator.book.trajectory import Trajectory
from simulator.lessons.run import Run
from simulator.lessons.setting import BOUNDARY, entry_label
from simulator.lessons.training import trace_epoch
from simulator.sheet.address import a1, column_name, sheet_prefix
from simulator.sheet.program import Carry
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import HEADING, LABEL, SUBTITLE, TITLE, Style, header, restyled
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, Index, given, indices, literal, rewritten, squeezed, upstream
from simulator.tape.namespace import argmax, maximum, sigmoid, where
from simulator.tape.primitive import apply
from simulator.tape.scalar import Position

POINTS = 21  # a side
MAP_ROW, MAP_COL = 6, 4
PARAMETER_ROW = 7
CLASS_FILLS = ("#BFDBFE", "#FECACA", "#BBF7D0", "#FDE68A", "#DDD6FE", "#FBCFE8", "#BAE6FD", "#E5E7EB")


class PickedParameters:
    """Every parameter, one a row, at the epoch in a cell; arrays for equations to use."""

    def __init__(self, run: Run, sheet: Sheet, row: int, epoch_name: str, path: Trajectory) -> None:
        self.places = dict(run.settings.places)
        self.numbers = dict(run.settings.numbers)
        self.arrays: dict[str, Expression] = {}
        picked = run.settings.items[epoch_name]
        cell = a1(picked.row, picked.col, absolute=True)
        block = path.picked[run.block_of(epoch_name)]
        self.rows: dict[tuple[str, Index], int] = {}
        for name, w in run.epoch.parameters.items():
            array = self.arrays[name] = given(name, w.shape, w.meaning)
            for index in indices(w.shape):
                label = entry_label(name, squeezed(index, w.shape))
                value = block[run.table.slot[w.serial, index]]
                sheet.put(row, 0, label, LABEL)
                formula = at_epoch(run, w, index, cell)
                sheet.put(row, 1, value, Style(number_format="0.00000", align="right"), formula=formula)
                self.numbers[array.serial, index] = value
                self.rows[name, index] = row
                row += 1
            self.places[array.serial] = self._finder(sheet.name, name)
        self.block = block
        self.next_row = row

    def _finder(self, sheet: str, name: str) -> Callable[[Index], Position]:
        return lambda index: Position(sheet, self.rows[name, index], 1, False)


def boundary_sheet(run: Run, path: Trajectory) -> Sheet:
    sheet = Sheet(BOUNDARY, "#0891B2")
    sheet.put(0, 0, f"{run.lesson.title}: what the network answers over the input square", TITLE)
    sheet.put(1, 0, "Pick an epoch and watch the boundary move. Outlined cells are the samples' places.", SUBTITLE)
    for name in ("boundary_epoch", "boundary_low", "boundary_high"):
        put_labelled(sheet, run.settings.items[name])
    sheet.put(PARAMETER_ROW - 1, 0, "At this epoch", HEADING)
    picked = PickedParameters(run, sheet, PARAMETER_ROW, "boundary_epoch", path)

    samples = _put_samples(sheet, run, picked.next_row + 1)
    first_row = max(MAP_ROW + POINTS, samples[1]) + 10

    leaves = run.settings.leaves
    low, high = leaves["boundary_low"], leaves["boundary_high"]
    i, j = given("i", (), "step along x1"), given("j", (), "step along x2")
    span = high - low
    x1 = (low + span * i / literal(POINTS - 1)).named("x1", "input")
    x2 = (low + span * j / literal(POINTS - 1)).named("x2", "input")
    X = apply("stack", x1, x2, shape=(1, 2) if run.lesson.samples == 0 else (2, 1))
    classes = len(run.lesson.given["Y"]) if run.lesson.samples == 1 else 1
    Y = apply("broadcast", literal(0), shape=(1, 1) if classes == 1 else (classes, 1))
    output = trace_epoch(run.lesson, {"X": X, "Y": Y}, picked.arrays, literal(0), chain=False).output
    # Softmax keeps the order of the logits, and they cannot overflow.
    answer = argmax(output.softmax_of[0]).named("class", "most probable") if output.softmax_of else output
    [answer] = rewritten([answer], bounded)
    shown = [Quantity(e, "forward") for e in upstream(answer) if e.name and e.primitive and e not in (x1, x2)]
    columns = [
        Quantity(i, "given", "0"),
        Quantity(j, "given", "0"),
        Quantity(x1, "given", "0.00"),
        Quantity(x2, "given", "0.00"),
    ]
    columns += [_in_row(q) for q in shown]
    last = literal(POINTS - 1)
    carries = {
        i.serial: Carry(literal(0), where(i, "=", last, literal(0), i + 1)),
        j.serial: Carry(literal(0), where(i, "=", last, j + 1, j)),
    }
    table = Table(BOUNDARY, first_row, 0, columns, POINTS**2, picked.places, picked.numbers, carries)
    sheet.tables.append(table)
    sheet.put(first_row - 6, 0, "The points of the map, row by row from the lower left", HEADING)
    put_headings(sheet, table, lambda q: ("Given" if q.role == "given" else "Forward", ""))
    _put_map(sheet, run, table, answer, classes, _is_a_sample(*samples))
    sheet.print_area = (0, 0, MAP_ROW + POINTS + 1, MAP_COL + POINTS)
    sheet.widths |= {0: 16, 1: 10, 2: 7, 3: 7} | dict.fromkeys(
        range(MAP_COL, max(table.last_col, MAP_COL + POINTS) + 1), 7
    )
    return sheet


def bounded(node: Expression) -> Expression | None:
    """The corners of the square may drive a sum past 709, where EXP overflows."""
    if node.primitive is not None and node.primitive.name == "sigmoid":
        return sigmoid(maximum(node.args[0], -700.0)).named(node.name, node.meaning)
    return None


def _in_row(q: Quantity) -> Quantity:
    flat = q.node.shape not in ((), (1, 1))
    number_format = "0" if q.node.name == "class" else "0.000"
    return Quantity(q.node, q.role, number_format, flat=flat, entries=entry_names(q.node))


def _put_map(sheet: Sheet, run: Run, table: Table, answer: Expression, classes: int, outlined: str) -> None:
    index = (0,) * len(answer.shape)
    slot, col = table.slot[answer.serial, index], table.column(answer)
    x1, x2 = (table.find(name).node for name in ("x1", "x2"))
    blocks = list(table.blocks())
    what = f"{run.lesson.output} over the square" if classes == 1 else "most probable class over the square"
    sheet.put(MAP_ROW - 2, MAP_COL, what, HEADING)
    colours = "red: towards 0, blue: towards 1" if classes == 1 else "one colour a class, counted from 0"
    sheet.put(MAP_ROW - 1, MAP_COL, colours, LABEL)
    for k, block in enumerate(blocks):
        i, j = k % POINTS, k // POINTS
        row = MAP_ROW + POINTS - 1 - j
        style = Style(number_format="0" if classes > 1 else "0.00", align="center", size=9)
        sheet.put(row, MAP_COL + i, block[slot], style, formula=a1(table.first_row + k, col))
        if j == 0:
            sheet.put(
                MAP_ROW + POINTS,
                MAP_COL + i,
                block[table.slot[x1.serial, ()]],
                restyled(header("given", level=4), number_format="0.00"),
                formula=a1(table.first_row + k, table.column(x1)),
            )
        if i == 0:
            sheet.put(
                row,
                MAP_COL - 1,
                block[table.slot[x2.serial, ()]],
                restyled(header("given", level=4), number_format="0.00"),
                formula=a1(table.first_row + k, table.column(x2)),
            )
            sheet.heights[row] = 21
    sheet.put(MAP_ROW + POINTS + 1, MAP_COL + POINTS // 2, "x1", LABEL)
    sheet.put(MAP_ROW - 1, MAP_COL - 1, "x2", restyled(LABEL, align="center"))
    first, final = (MAP_ROW, MAP_COL), (MAP_ROW + POINTS - 1, MAP_COL + POINTS - 1)
    sheet.highlights.append(Highlight(first, final, "formula", outlined))
    if classes == 1:
        sheet.highlights.append(Highlight(first, final, "scale"))
    else:
        for k in range(classes):
            sheet.highlights.append(
                Highlight(first, final, "equal", float(k), CLASS_FILLS[k % len(CLASS_FILLS)], "#111827")
            )


def _put_samples(sheet: Sheet, run: Run, row: int) -> tuple[int, int]:
    """The samples' places, live, for the outlines on the map; returns their first and last row."""
    sheet.put(row, 0, "Samples: x1, x2", HEADING)
    [place] = [p for p in run.settings.arrays if p.leaf.name == "X"]
    for k in range(place.leaf.shape[run.lesson.samples]):
        for i in range(2):
            index = (k, i) if run.lesson.samples == 0 else (i, k)
            cell = f"{sheet_prefix(place.sheet)}{a1(place.row + index[0], place.col + index[1], absolute=True)}"
            number = Style(number_format="General", align="right")
            sheet.put(row + 1 + k, i, run.settings.numbers[place.leaf.serial, index], number, formula=cell)
    return row + 1, row + k + 1


def _is_a_sample(first: int, last: int) -> str:
    """The formula that is true in a cell of the map when a sample lies there.

    It looks at its own sheet only: a conditional format may not refer to another one in every version of Excel.
    """
    x1, x2 = f"{column_name(MAP_COL)}${MAP_ROW + POINTS + 1}", f"${column_name(MAP_COL - 1)}{MAP_ROW + 1}"
    near = "(ABS({}-${}${}:${}${})<0.000000001)"
    pair = "*".join(near.format(x, col, first + 1, col, last + 1) for x, col in ((x1, "A"), (x2, "B")))
    return f"=SUMPRODUCT({pair})>0"
