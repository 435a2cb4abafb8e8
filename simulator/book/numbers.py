"""Parameters and Data of a network: every given number once, in a yellow cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from simulator.book.given import INPUT_CELL, Given
from simulator.book.workbook import At
from simulator.nn.initializer import Array
from simulator.nn.model import Model
from simulator.nn.trace import Step
from simulator.sheet.grid import extent, is_picture, place
from simulator.sheet.program import Slots
from simulator.sheet.sheet import Highlight, Sheet, Validation
from simulator.sheet.style import HEADING, INPUT, KEY, LABEL, REMARK, SUBTITLE, TITLE, header, restyled
from simulator.tape.expression import Index, indices

PARAMETERS, DATA = "Parameters", "Data"
DATA_ROW = 5
SHARES = ("momentum", "rho", "beta_", "dropout_")  # of something that is kept or dropped
LARGEST_SHARE, LARGEST = 0.999999, 1e9
INPUT_SMALL = restyled(INPUT, size=8, number_format="General")


class Data(NamedTuple):
    """The sheet; the numbers of every batch and their slots; where a batch's entries are; rows per sample."""

    sheet: Sheet
    feeds: list[tuple[float, ...]]
    slots: Slots
    where: dict[int, Callable[[Index], tuple[int, int]]]
    stride: int


def parameters_sheet(model: Model, step: Step, known: Given, changed: Mapping[At, float], suffix: str) -> Sheet:
    """Hyperparameters and first weights as yellow cells; known learns where they are."""
    sheet = Sheet(PARAMETERS + suffix, "#E0B93B")
    sheet.put(0, 0, f"{model.name}: given numbers", TITLE)
    sheet.put(1, 0, "Change any yellow cell; every sheet follows.", SUBTITLE)
    row = 3
    if step.settings:
        sheet.put_row(row, 0, ["name", "value", "meaning"], header("given", level=2))
        for name, (leaf, number, meaning) in step.settings.items():
            row += 1
            sheet.put(row, 0, name, KEY)
            known.put(sheet, leaf, np.array(number), row, 1, "", changed)
            if not suffix:  # a name is there once in a workbook
                sheet.names[name] = (row, 1)
            most = LARGEST_SHARE if name.startswith(SHARES) else LARGEST
            sheet.validations.append(Validation(row, 1, "decimal", 0, most, f"A number from 0 to {most:g}."))
            sheet.put(row, 2, meaning, REMARK)
        row += 2
    for symbol, (leaf, value) in step.first.items():
        weight = next((w for w in model.weights if w.symbol == symbol), None)
        kind = weight.spec.kind if weight else ""
        rows, cols = extent(leaf.shape, kind)
        shape = " × ".join(map(str, leaf.shape))
        sheet.put(row, 0, f"{symbol}: {leaf.meaning}, {shape}", HEADING)
        if weight:
            text = "one row per unit, one column per input" if kind == "turned" else ""
            sheet.put(row, 4, f"layer {model.title_of(weight.layer)}{': ' + text if text else ''}", REMARK)
        known.put(sheet, leaf, value, row + 1, 1, kind, changed)
        if is_picture(leaf.shape, kind):
            sheet.highlights.append(Highlight((row + 1, 1), (row + rows, cols), "signed"))
        row += rows + 2
    sheet.widths |= {0: 16} | dict.fromkeys(range(1, 20), 9)
    return sheet


def data_sheet(
    model: Model,
    step: Step,
    X: Array,
    Y: Array | None,
    size: int,
    batches: int,
    known: Given,
    changed: Mapping[At, float],
) -> Data:
    """The samples as yellow cells, a sample in the same rows for inputs and labels."""
    sheet = Sheet(DATA, "#E0B93B")
    sheet.put(0, 0, f"{model.name}: data", TITLE)
    per_sample = {len(a.shape): extent(a[:1].shape)[0] + (a.ndim == 4) for a in (X, Y) if a is not None}
    stride = max(per_sample.values())
    rows = "one row" if stride == 1 else f"{stride} rows"
    batch_text = f", {size} samples a batch, in this order" if batches > 1 else ""
    many = "1 sample" if len(X) == 1 else f"{len(X)} samples"
    sheet.put(1, 0, f"{many}, {rows} each{batch_text}. Change any yellow cell; every sheet follows.", SUBTITLE)
    leaves = [(step.inputs.args[0], X, "X: inputs")]
    if Y is not None and step.labels is not None:
        leaves.append((step.labels.args[0], Y, "Y: labels"))
    col = 1
    slots: Slots = {}
    feeds: list[list[float]] = [[] for _ in range(batches)]
    where: dict[int, Callable[[Index], tuple[int, int]]] = {}
    pictured = X.ndim == 4
    for leaf, array, title in leaves:
        start, width = col, extent(array[:1].shape)[1]
        sheet.put(DATA_ROW - 1, col, title, restyled(header("given", level=2), wrap=False, align="left"))
        for c in range(1, width):
            sheet.put(DATA_ROW - 1, col + c, "", header("given", level=2))
        sheet.merge(DATA_ROW - 1, col, DATA_ROW - 1, col + width - 1)

        def at(index: Index, start: int = start, shape: tuple[int, ...] = array.shape) -> tuple[int, int]:
            r, c = place((0, *index[1:]), (1, *shape[1:]))
            return index[0] * stride + r, start + c

        where[leaf.serial] = at
        style = INPUT_SMALL if pictured else INPUT_CELL
        for index in indices(array.shape):
            r, c = at(index)
            cell = (DATA, DATA_ROW + r, c)
            number = float(changed.get(cell, array[index]))
            sheet.put(cell[1], c, number, style)
            known.cells[cell] = number
            feeds[index[0] // size].append(number)
            if index[0] < size:
                slots[leaf.serial, index] = len(feeds[0]) - 1
        if array.ndim == 4:
            first, last = (DATA_ROW, col), (DATA_ROW + len(array) * stride - 1, col + width - 1)
            sheet.highlights.append(Highlight(first, last, "shade"))
        col += width + 1
    for n in range(len(X)):
        sheet.put(DATA_ROW + n * stride, 0, f"sample {n + 1}", LABEL)
    sheet.widths = {0: 12} | dict.fromkeys(range(1, col), 5.6 if pictured else 9.0)
    sheet.freeze = (DATA_ROW, 1)
    return Data(sheet, [tuple(f) for f in feeds], slots, where, stride)
