"""The workbook of a network of the user's own: index, parameters, data, every step, the cost curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from simulator.book.given import INPUT_CELL, Given
from simulator.book.heading import guards_of, legend, put_headings
from simulator.book.layout import FIRST_ROW, Plan, check_size, equation_of, lay_out, shape_of, short
from simulator.book.plane import PLANE, POINTS, Scene, has_plane, plane_sheets, square_around
from simulator.book.workbook import At, Workbook
from simulator.nn.description import describe
from simulator.nn.initializer import Array
from simulator.nn.model import Model
from simulator.nn.trace import Step
from simulator.sheet.address import a1
from simulator.sheet.chart import Area, Chart, Series
from simulator.sheet.grid import extent, is_picture, place
from simulator.sheet.panel import Panel, Spread
from simulator.sheet.program import Carry, Slots
from simulator.sheet.sheet import Highlight, Sheet, Validation
from simulator.sheet.style import (
    COST,
    HEADING,
    HYPERLINK,
    INPUT,
    KEY,
    LABEL,
    REMARK,
    ROLES,
    SUBTITLE,
    TITLE,
    Style,
    header,
    restyled,
)
from simulator.sheet.table import Quantity, Table
from simulator.tape.expression import Expression, Index, given, indices, literal

INDEX, PARAMETERS, DATA, CHARTS, NETWORK = "Index", "Parameters", "Data", "Charts", "Network"
DATA_ROW = 5
CURVES_FIRST_ROW = 28
MOST_NOTE = 600  # letters of a formula in a note
INPUT_SMALL = restyled(INPUT, size=8, number_format="General")


def network_workbook(
    model: Model,
    X: Array,
    Y: Array | None,
    epochs: int,
    batch_size: int | None = None,
    changed: Mapping[At, float] | None = None,
    boundary: tuple[float, float] | None = None,
) -> Workbook:
    """The training of a compiled model, or with Y=None its forward pass, as sheets.

    X and Y are checked data; changed holds other numbers for given cells; boundary is the square over which the answers
    of a network from two inputs to one output are drawn. Raises LayoutError when the workbook would be too large.
    """
    changed = changed or {}
    if Y is None:
        step, size, batches, count = model.trace_forward(X), len(X), 1, 1
    else:
        step = model.trace(X, Y, batch_size)
        size, batches = model.batches_of(len(X), batch_size)
        count = epochs * batches
    check_size(step, count)
    plan = lay_out(step, model, _formats(X, Y))
    known = Given()
    parameters = _parameters_sheet(model, step, known, changed)
    data, feeds, slots, where, stride = _data_sheet(model, step, X, Y, size, batches, known, changed)
    spread = Spread(
        plan.panels,
        count,
        known.places,
        known.numbers,
        step.carries,
        DATA,
        DATA_ROW,
        size * stride,
        where,
        slots,
        feeds,
    )
    sheets = [parameters, data]
    for panel in plan.panels:
        sheets.append(_panel_sheet(model, plan, panel))
    if Y is not None:
        sheets.append(_charts_sheet(model, step, spread))
    if has_plane(model):
        square = boundary or square_around(X)
        sheets += plane_sheets(Scene(model, step, known, spread, batches, X, Y, square, changed))
    description = describe(model, epochs, batch_size, forward=Y is None)
    sheets.append(_network_sheet(description))
    sheets.insert(0, _index_sheet(model, plan, sheets, epochs, batches, forward=Y is None))

    def moved() -> Workbook:
        steady = {at for at in known.cells if at[0] == DATA and not _is_measured(model)}
        other = {at: x if at in steady else round(x * 0.75 + 0.015, 6) for at, x in known.cells.items()}
        return network_workbook(model, X, Y, epochs, batch_size, other, boundary)

    return Workbook(
        model.name,
        model.name,
        epochs,
        tuple(s.check() for s in sheets),
        known.cells,
        moved,
        {"network": model.name[:60], "samples": str(len(X))},
    )


def _formats(X: Array, Y: Array | None) -> dict[str, str]:
    """Whole numbers are shown as such."""
    arrays = {"X": X, "Y": Y}
    return {name: "0" for name, a in arrays.items() if a is not None and bool((a == np.round(a)).all())}


def _is_measured(model: Model) -> bool:
    """Whether the data are measurements, which may be moved a little, and not numbers of classes."""
    from simulator.nn.layers import Embedding

    return model.loss in ("mean_squared_error", "mean_absolute_error") and not any(
        isinstance(layer, Embedding) for layer in model.layers
    )


def _parameters_sheet(model: Model, step: Step, known: Given, changed: Mapping[At, float]) -> Sheet:
    sheet = Sheet(PARAMETERS, "#E0B93B")
    sheet.put(0, 0, f"{model.name}: given numbers", TITLE)
    sheet.put(1, 0, "Change any yellow cell; every sheet follows.", SUBTITLE)
    row = 3
    if step.settings:
        sheet.put_row(row, 0, ["name", "value", "meaning"], header("given", level=2))
        for name, (leaf, number, meaning) in step.settings.items():
            row += 1
            sheet.put(row, 0, name, KEY)
            known.put(sheet, leaf, np.array(number), row, 1, "", changed)
            sheet.names[name] = (row, 1)
            rule = "A number from 0 to 1000."
            sheet.validations.append(Validation(row, 1, "decimal", 0, 1000, rule))
            sheet.put(row, 2, meaning, REMARK)
        row += 2
    for symbol, (leaf, value) in step.first.items():
        weight = next((w for ws in model.weights.values() for w in ws if w.symbol == symbol), None)
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


def _data_sheet(
    model: Model,
    step: Step,
    X: Array,
    Y: Array | None,
    size: int,
    batches: int,
    known: Given,
    changed: Mapping[At, float],
) -> tuple[Sheet, list[tuple[float, ...]], Slots, dict[int, Callable[[Index], tuple[int, int]]], int]:
    """The sheet, the numbers of every batch and their slots, where a batch's entries are, rows per sample."""
    sheet = Sheet(DATA, "#E0B93B")
    sheet.put(0, 0, f"{model.name}: data", TITLE)
    per_sample = {len(a.shape): extent(a[:1].shape)[0] + (a.ndim == 4) for a in (X, Y) if a is not None}
    stride = max(per_sample.values())
    rows = "one row" if stride == 1 else f"{stride} rows"
    batch_text = f", {size} samples a batch, in this order" if batches > 1 else ""
    sheet.put(
        1, 0, f"{len(X)} samples, {rows} each{batch_text}. Change any yellow cell; every sheet follows.", SUBTITLE
    )
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
        sheet.put(DATA_ROW - 1, col, title, header("given", level=2))
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
    return sheet, [tuple(f) for f in feeds], slots, where, stride


def _colours(role: str) -> str:
    """Weights and gradients are coloured around zero, pictures from light to dark."""
    return "shade" if role in ("given", "forward") else "signed"


def _panel_sheet(model: Model, plan: Plan, panel: Panel) -> Sheet:
    sheet = Sheet(panel.sheet, "#2563EB", tables=[panel])
    layers = plan.layers[panel.sheet]
    names = ", ".join(model.title_of(layer) for layer, _ in layers)
    title = names if len(layers) == 1 else "every step"
    sheet.put(0, 0, f"{model.name}: {title}", TITLE)
    many = "One block of rows is one step. " if panel.count > 1 else ""
    below = "Gradients stand below what they belong to, new weights below their gradients." if model.loss else ""
    sheet.put(
        1, 0, f"{many}{below if panel.count > 1 or model.loss else ''} Every cell is a formula.".strip(), SUBTITLE
    )
    for layer, col in layers:
        text = model.title_of(layer) + _options(model, layer)
        sheet.put(2, col, text, HEADING)
    sheet.widths = plan.widths[panel.sheet]
    sheet.freeze = (FIRST_ROW, 1)
    for block in panel.blocks_:
        shown = plan.shown.get((panel.sheet, block.name))
        if shown is None:
            continue
        at = (FIRST_ROW + block.row - 2, block.col)
        first = panel.computed[panel.slot[block.parts[0].node.serial, next(indices(block.parts[0].node.shape))]]
        lines = [f"{shown.node.name}: {shown.node.meaning}", equation_of(shown)]
        lines.append(f"first cell: ={panel.formula_at(first, 0)}"[:MOST_NOTE])
        sheet.notes[at] = "\n".join([*lines, *guards_of(shown.node)])
        if is_picture(shown.node.shape, shown.kind):
            rows, cols = block.extent
            tops = [FIRST_ROW + panel.height * k + block.row for k in range(panel.count)]
            ranges = [f"{a1(t, block.col)}:{a1(t + rows - 1, block.col + cols - 1)}" for t in tops]
            sheet.highlights.append(Highlight((0, 0), (0, 0), _colours(shown.role), " ".join(ranges)))
    return sheet


def _options(model: Model, layer: int) -> str:
    if not 0 < layer <= len(model.layers):
        return f": {model.loss.replace('_', ' ')}" if layer and model.loss else ""
    config = {k: v for k, v in model.layers[layer - 1].config().items() if k != "name"}
    text = ", ".join(f"{k}={v}" if not isinstance(v, str) else v for k, v in config.items())
    return f": {text}" if text else ""


def _charts_sheet(model: Model, step: Step, spread: Spread) -> Sheet:
    number = given("step", (), "step")
    columns = [Quantity(number, "given", "0")]
    columns += [
        Quantity(step.counter[name].named(name, name), "given", "0")
        for name in ("epoch", "batch")
        if "batch" in step.counter
    ]
    if "batch" not in step.counter:
        number = given("epoch", (), "epoch")
        columns = [Quantity(number, "given", "0")]
    assert step.cost is not None
    cost = step.cost.named("cost", step.cost.meaning)
    columns.append(Quantity(step.counter["rate"].named("rate", "learning rate"), "given", "0.0000"))
    columns.append(Quantity(cost, "cost", COST))
    carries = {number.serial: Carry(literal(1), number + 1)}
    table = Table(CHARTS, CURVES_FIRST_ROW, 0, columns, spread.count, {}, {}, carries, spread)
    sheet = Sheet(CHARTS, "#7C3AED", tables=[table])
    sheet.put(0, 0, f"{model.name}: cost", TITLE)
    sheet.put(1, 0, "The curve follows every change on Parameters and Data.", SUBTITLE)
    put_headings(sheet, table)

    def area(node: Expression) -> Area:
        return Area(CHARTS, table.first_row, table.column(node), table.last_row, table.column(node))

    slot = spread.slot[step.cost.serial, ()]
    costs = tuple(v[slot] for v in spread.values)
    steps = tuple(float(k + 1) for k in range(spread.count))
    series = Series("cost", area(number), area(cost), steps, costs, markers=spread.count == 1)
    title = f"{model.name}: {model.loss.replace('_', ' ')}"
    sheet.charts.append(Chart(title, number.name, "cost", (series,), 2, 0, x_min=0))
    return sheet


def _network_sheet(description: str) -> Sheet:
    sheet = Sheet(NETWORK, "#374151")
    sheet.put(0, 0, "The network as a description", TITLE)
    text = "Save these lines as network.toml, add a [data] part, and build it again: simulator build network.toml"
    sheet.put(1, 0, text, SUBTITLE)
    for k, line in enumerate(description.splitlines()):
        sheet.put(3 + k, 0, line)
    sheet.widths[0] = 90
    return sheet


def _index_sheet(model: Model, plan: Plan, others: list[Sheet], epochs: int, batches: int, *, forward: bool) -> Sheet:
    sheet = Sheet(INDEX, "#374151")
    sheet.put(0, 0, model.name, TITLE)
    panels = plan.panels
    count = panels[0].count
    if forward:
        said = "The forward pass of a network, every cell a live formula; its weights are on Parameters."
    else:
        many = "one epoch" if epochs == 1 else f"{epochs} epochs"
        said = f"The training of a network over {many}"
        said += f", {batches} batches each: {count} steps" if batches > 1 else ""
        said += ": forward pass, gradients and updates, every cell a live formula."
    sheet.put(1, 0, said, SUBTITLE)
    row = 3
    sheet.put(row, 0, "Sheets", HEADING)
    about = {
        PARAMETERS: "learning rate, first weights and all other given numbers; yellow cells may be changed",
        DATA: "the samples; yellow cells may be changed",
        CHARTS: "the cost, step by step",
        PLANE: "the network's answer over the plane, at an epoch of your choice",
        POINTS: "the forward pass at every point of that picture",
        NETWORK: "the network as a text that builds it again",
    }
    for other in others:
        row += 1
        sheet.put(row, 0, other.name, HYPERLINK, link=f"internal:'{other.name}'!A1")
        layer = [model.title_of(k) + _options(model, k) for k, _ in plan.layers.get(other.name, [])]
        sheet.put(row, 1, about.get(other.name) or "; ".join(layer))
    row += 2
    sheet.put(row, 0, "Arrays", HEADING)
    sheet.put(row, 1, "Every named array, in the order of the sheets; a name leads to its first block.", LABEL)
    row += 1
    sheet.put_row(
        row,
        0,
        ["array", "sheet", "part", "shape", "meaning", "equation", "formula of its first cell"],
        header("given", level=2),
    )
    for panel in panels:
        for block in panel.blocks_:
            shown = plan.shown.get((panel.sheet, block.name))
            if shown is None:
                continue
            row += 1
            node = block.parts[0].node
            first = panel.computed[panel.slot[node.serial, next(indices(node.shape))]]
            cell = a1(FIRST_ROW + block.row - 2, block.col)
            sheet.put(row, 0, block.name, HYPERLINK, link=f"internal:'{panel.sheet}'!{cell}")
            sheet.put(row, 1, panel.sheet)
            sheet.put(row, 2, block.role, Style(fill=ROLES[block.role][1], indent=1))
            sheet.put(row, 3, shape_of(block, shown))
            sheet.put(row, 4, short(shown))
            sheet.put(row, 5, equation_of(shown))
            state = block.role == "update" and panel.count > 1  # the first step has no last state to show
            sheet.put(row, 6, f"={panel.formula_at(first, int(state))}"[:MOST_NOTE], restyled(LABEL, size=9))
    row += 2
    sheet.put(row, 0, "Colours", HEADING)
    row = legend(sheet, row + 1, 0, list(ROLES))
    row += 1
    sheet.put(
        row,
        0,
        "@ is the matrix product, * entry by entry, .T transposed, ' the next step; m counts what a mean is over.",
        LABEL,
    )
    sheet.widths = {0: 16, 1: 18, 2: 11, 3: 18, 4: 28, 5: 46, 6: 60}
    return sheet
