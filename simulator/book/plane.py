"""Boundary: what a network of two inputs answers over the plane, at an epoch that the reader picks.

The picture refers to a table on the next sheet: one row per point of a grid, one column per unit, the same equations as
in the training, with the weights after the picked epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.book.boundary import bounded
from simulator.book.given import Given
from simulator.book.heading import entry_names, put_headings
from simulator.book.workbook import At
from simulator.nn.basic import Embedding
from simulator.nn.initializer import Array
from simulator.nn.model import Model
from simulator.nn.recurrent import Recurrent
from simulator.nn.trace import Step, Tracer
from simulator.sheet.address import a1, column_name, range_text, sheet_prefix
from simulator.sheet.grid import extent, place
from simulator.sheet.panel import Spread
from simulator.sheet.program import Carry
from simulator.sheet.sheet import Highlight, Sheet, Validation
from simulator.sheet.style import HEADING, KEY, LABEL, REMARK, SUBTITLE, TITLE, Style, header, restyled
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, Index, given, indices, literal, rewritten, upstream
from simulator.tape.namespace import where
from simulator.tape.primitive import apply
from simulator.tape.scalar import Position

PLANE, POINTS = "Boundary", "Boundary points"
SIDE = 25  # points along an axis
LABELLED = 6  # every so many points an axis has a number
EPOCH_ROW, LOW_ROW, HIGH_ROW = 3, 4, 5
MAP_ROW, MAP_COL = 9, 4
LIST_COL = MAP_COL + SIDE + 1  # the samples
WEIGHT_COL = LIST_COL + 4
TABLE_ROW = 7
SQUARE, HEIGHT = 2.86, 21.0  # width and height of a square of the picture
HIGH_INK, LOW_INK = "#1E3A8A", "#991B1B"
OUTPUTS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # of an activation, from the red end to the blue one


@dataclass(frozen=True)
class Scene:
    """What the sheet shows: the training (spread), its given numbers and samples, the square from low to high."""

    model: Model
    step: Step
    known: Given
    spread: Spread
    batches: int
    X: Array
    Y: Array | None
    square: tuple[float, float]
    changed: Mapping[At, float]

    @property
    def epochs(self) -> int:
        return self.spread.count // self.batches

    @property
    def colours(self) -> tuple[float, float]:
        """The answers at the red and at the blue end of the scale."""
        activation = self.model.outputs.layer.config().get("activation")
        if activation in OUTPUTS:
            return OUTPUTS[activation]
        if self.Y is None or self.Y.min() == self.Y.max():
            return -1.0, 1.0
        return float(self.Y.min()), float(self.Y.max())


def has_plane(model: Model) -> bool:
    """Whether the model maps two measured numbers to one, neither classes nor steps of a sequence."""
    other = any(isinstance(layer, Embedding | Recurrent) for layer in model.numbered)
    return model.inputs.sizes == (2,) and model.outputs.sizes == (1,) and not other


def square_around(X: Array) -> tuple[float, float]:
    """A square with half of the data's width to spare, in numbers that are easy to read.

    >>> import numpy as np
    >>> square_around(np.array([[0.0, 1.0], [1.0, 0.0]]))
    (-0.5, 1.5)
    """
    low, high = float(X.min()), float(X.max())
    margin = (high - low) / 2 or 1.0
    return round(low - margin, 1), round(high + margin, 1)


def plane_sheets(scene: Scene) -> list[Sheet]:
    """The picture, and the table that it refers to."""
    sheet = Sheet(PLANE, "#0891B2")
    sheet.put(0, 0, f"{scene.model.name}: what the network answers over the plane", TITLE)
    trained = scene.model.loss and scene.step.updates
    pick = "Pick an epoch and watch the boundary move. " if trained else ""
    sheet.put(1, 0, f"{pick}Every square is a live formula; dots are the samples.", SUBTITLE)
    low, high = _square(sheet, scene)
    weights = _weights(sheet, scene)
    table, answer = _points(scene, low, high, weights)
    points = Sheet(POINTS, "#0891B2", tables=[table])
    points.put(0, 0, f"{scene.model.name}: the points of the sheet {PLANE}", TITLE)
    points.put(1, 0, "One row is one point, from the lower left, row by row; every step of the forward pass.", SUBTITLE)
    put_headings(points, table, lambda q: ("Given" if q.role == "given" else "Forward", ""))
    points.freeze = (TABLE_ROW, 4)
    last = _samples(sheet, scene)
    _picture(sheet, scene, table, answer, last)
    return [sheet, points]


def _square(sheet: Sheet, scene: Scene) -> tuple[Expression, Expression]:
    """The given numbers of the sheet: the epoch, and the edges of the square."""
    edges = []
    rows = [(LOW_ROW, "boundary_low", scene.square[0], "left and lower edge of the picture")]
    rows += [(HIGH_ROW, "boundary_high", scene.square[1], "right and upper edge")]
    for row, name, value, meaning in rows:
        sheet.put(row, 0, name, KEY)
        edges.append(given(name, (), meaning))
        scene.known.put(sheet, edges[-1], np.array(value), row, 1, "", scene.changed)
        sheet.names[name] = row, 1
        sheet.put(row, 2, meaning, REMARK)
    if scene.step.updates:
        name, meaning = "boundary_epoch", f"the epoch to show, from 0 (before the training) to {scene.epochs}"
        sheet.put(EPOCH_ROW, 0, name, KEY)
        scene.known.put(sheet, given(name, ()), np.array(scene.epochs), EPOCH_ROW, 1, "", scene.changed)
        sheet.names[name] = EPOCH_ROW, 1
        rule = f"A whole number from 0 to {scene.epochs}."
        sheet.validations.append(Validation(EPOCH_ROW, 1, "integer", 0, scene.epochs, rule))
        sheet.put(EPOCH_ROW, 2, meaning, REMARK)
    return edges[0], edges[1]


@dataclass
class _Weights:
    """The weights at the picked epoch: arrays for equations, their numbers and cells."""

    arrays: dict[str, Expression]
    numbers: dict[tuple[int, Index], float]
    places: dict[int, Callable[[Index], Position]]


def _weights(sheet: Sheet, scene: Scene) -> _Weights:
    found = _Weights({}, dict(scene.known.numbers), dict(scene.known.places))
    kinds = {w.symbol: w.spec.kind for w in scene.model.weights}
    epoch = int(scene.known.cells.get((PLANE, EPOCH_ROW, 1), 0))
    block = max(0, min(scene.spread.count - 1, epoch * scene.batches - 1))
    values = scene.spread.values[block] if scene.step.updates and epoch >= 1 else None
    row = MAP_ROW - 1
    after = "after this epoch" if scene.step.updates else "from Parameters"
    sheet.put(row - 1, WEIGHT_COL, f"Weights {after}", HEADING)
    for symbol, parameter in scene.step.parameters.items():
        first = scene.step.first[symbol][0]
        array = found.arrays[symbol] = given(symbol, parameter.shape, parameter.meaning)
        sheet.put(row, WEIGHT_COL, f"{symbol}: {parameter.meaning}", LABEL)
        where_: dict[Index, Position] = {}
        for index in indices(parameter.shape):
            r, c = place(index, parameter.shape, kinds[symbol])
            at = row + 1 + r, WEIGHT_COL + c
            source = scene.known.places[first.serial](index)
            formula = f"{sheet_prefix(source.sheet)}{a1(source.row, source.col, absolute=True)}"
            number = scene.known.numbers[first.serial, index]
            if symbol in scene.step.updates:
                update = scene.step.updates[symbol]
                formula = _after(scene, update, index, formula)
                number = number if values is None else values[scene.spread.slot[update.serial, index]]
            sheet.put(*at, number, Style(number_format="0.000", align="right"), formula=formula)
            found.numbers[array.serial, index] = number
            where_[index] = Position(PLANE, *at, False)
        found.places[array.serial] = where_.__getitem__
        row += extent(parameter.shape, kinds[symbol])[0] + 2
    return found


def _after(scene: Scene, update: Expression, index: Index, first: str) -> str:
    """The formula that reads an updated weight after the epoch in the cell, or the first weight at epoch 0."""
    p = scene.spread.position(update, index)
    panel = next(panel for panel in scene.spread.panels if panel.sheet == p.sheet)
    column = range_text(p.sheet, panel.first_row, p.col, panel.last_row, p.col)
    cell = f"INT({a1(EPOCH_ROW, 1, absolute=True)})"
    steps = cell if scene.batches == 1 else f"{cell}*{scene.batches}"
    offset = f"MAX(0,MIN({scene.spread.count - 1},{steps}-1))"
    return f"IF({cell}<1,{first},INDEX({column},{offset}*{panel.height}+{p.row + 1}))"


def _points(scene: Scene, low: Expression, high: Expression, weights: _Weights) -> tuple[Table, Expression]:
    """The table of the grid, and its column of answers."""
    i, j = given("i", (), "step along x1"), given("j", (), "step along x2")
    last, span = literal(SIDE - 1), high - low
    x1 = (low + span * i / last).named("x1", "input")
    x2 = (low + span * j / last).named("x2", "input")
    tracer = Tracer(scene.model.outputs, scene.model.by_layer, scene.model.numbers)
    X = apply("stack", x1, x2, shape=(1, 2))
    tracer.step = Step(X, None, X, None, parameters=weights.arrays, settings=scene.step.settings)
    output = tracer.forward(training=False)
    [answer] = rewritten([output], bounded)
    columns = [Quantity(i, "given", "0"), Quantity(j, "given", "0")]
    columns += [Quantity(i_, "given", "0.00") for i_ in (x1, x2)]
    for node in upstream(answer):
        if node.name and node.primitive and node not in (x1, x2):
            flat = node.shape not in ((), (1, 1))
            columns.append(Quantity(node, "forward", flat=flat, entries=entry_names(node)))
    carries = {
        i.serial: Carry(literal(0), where(i, "=", last, literal(0), i + 1)),
        j.serial: Carry(literal(0), where(i, "=", last, j + 1, j)),
    }
    return Table(POINTS, TABLE_ROW, 0, columns, SIDE**2, weights.places, weights.numbers, carries), answer


def _samples(sheet: Sheet, scene: Scene) -> int:
    """The samples beside the picture, live; returns their last row."""
    labels = scene.step.labels
    columns = [(scene.step.inputs, 0, "x1"), (scene.step.inputs, 1, "x2")]
    columns += [(labels, 0, "label")] if labels is not None else []
    sheet.put(MAP_ROW - 2, LIST_COL, "Samples", HEADING)
    number = Style(number_format="General", align="right", size=9)
    for c, (node, entry, title) in enumerate(columns):
        sheet.put(MAP_ROW - 1, LIST_COL + c, title, header("given", level=4))
        for n in range(len(scene.X)):
            row, col = scene.spread.data[node.args[0].serial]((n, entry))
            at = scene.spread.data_row + row, col
            formula = f"{sheet_prefix(scene.spread.data_sheet)}{a1(*at, absolute=True)}"
            value = scene.known.cells[scene.spread.data_sheet, *at]
            sheet.put(MAP_ROW + n, LIST_COL + c, value, number, formula=formula)
    return MAP_ROW + len(scene.X) - 1


def _picture(sheet: Sheet, scene: Scene, table: Table, answer: Expression, last_sample: int) -> None:
    slot, col = table.slot[answer.serial, (0, 0)], table.column(answer)
    x1, x2 = (table.find(name).node for name in ("x1", "x2"))
    low, high = scene.colours
    middle = (low + high) / 2
    text = f"red: towards {low:g}, white: {middle:g}, blue: towards {high:g}"
    dots = f"; a dot is a sample, dark blue above {middle:g}" if scene.Y is not None else "; a dot is a sample"
    sheet.put(MAP_ROW - 2, MAP_COL, f"{text}{dots}", LABEL)
    prefix = sheet_prefix(POINTS)
    hidden = Style(number_format=";;;", align="center", size=16)
    for k, block in enumerate(table.blocks()):
        i, j = k % SIDE, k // SIDE
        row = MAP_ROW + SIDE - 1 - j
        sheet.put(row, MAP_COL + i, block[slot], hidden, formula=f"{prefix}{a1(table.first_row + k, col)}")
        axis = Style(number_format="General", size=9, align="right")
        if i == 0 and j % LABELLED == 0:
            value, at = block[table.slot[x2.serial, ()]], a1(table.first_row + k, table.column(x2))
            sheet.put(row, MAP_COL - 1, value, axis, formula=prefix + at)
        if j == 0 and i % LABELLED == 0:
            value, at = block[table.slot[x1.serial, ()]], a1(table.first_row + k, table.column(x1))
            first = MAP_COL + min(max(i - 1, 0), SIDE - 3)
            align = "left" if i == 0 else "right" if i == SIDE - 1 else "center"
            sheet.put(MAP_ROW + SIDE, first, value, restyled(axis, align=align), formula=prefix + at)
            sheet.merge(MAP_ROW + SIDE, first, MAP_ROW + SIDE, first + 2)
        if i == 0:
            sheet.heights[row] = HEIGHT
    sheet.put(MAP_ROW + SIDE + 1, MAP_COL + SIDE // 2, "x1", LABEL)
    sheet.put(MAP_ROW + SIDE // 2 - 3, MAP_COL - 1, "x2", restyled(LABEL, align="right"))
    corners = (MAP_ROW, MAP_COL), (MAP_ROW + SIDE - 1, MAP_COL + SIDE - 1)
    for sign, ink in ((">=", HIGH_INK), ("<", LOW_INK)) if scene.Y is not None else (("", HIGH_INK),):
        sheet.highlights.append(Highlight(*corners, "dot", _is_a_sample(last_sample, sign, middle), color=ink))
    sheet.highlights.append(Highlight(*corners, "scale", low=low, high=high))
    sheet.widths = {0: 16, 1: 9, 2: 2, 3: 5, LIST_COL - 1: 2, LIST_COL + 3: 2}
    sheet.widths |= dict.fromkeys(range(MAP_COL, MAP_COL + SIDE), SQUARE)
    sheet.widths |= dict.fromkeys(range(LIST_COL, LIST_COL + 3), 7.5)
    sheet.widths |= dict.fromkeys(range(WEIGHT_COL, WEIGHT_COL + 4), 8)
    last_row = max(MAP_ROW + SIDE + 1, *(row for row, _ in sheet.cells))
    sheet.print_area = 0, 0, last_row, WEIGHT_COL + 3


def _is_a_sample(last: int, sign: str, middle: float) -> str:
    """The formula that is true in a square of the picture when a sample with such a label lies in it.

    It looks at its own sheet only: a conditional format may not refer to another one in every version of Excel.
    """
    low, high = (a1(row, 1, absolute=True) for row in (LOW_ROW, HIGH_ROW))
    names = [column_name(LIST_COL + c) for c in range(3)]
    x1, x2, label = (f"${name}${MAP_ROW + 1}:${name}${last + 1}" for name in names)
    near = f"(ROUND(({{}}-{low})/({high}-{low})*{SIDE - 1},0)={{}})"
    pair = f"{near.format(x1, f'COLUMN()-{MAP_COL + 1}')}*{near.format(x2, f'{MAP_ROW + SIDE}-ROW()')}"
    of_label = f"*({label}{sign}{middle:g})" if sign else ""
    return f"=SUMPRODUCT({pair}{of_label})>0"
