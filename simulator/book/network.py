"""The workbook of a network of the user's own: index, parameters, data, every step, the cost curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.book.curves import curves_sheet
from simulator.book.given import Given
from simulator.book.index import index_sheet, network_sheet
from simulator.book.layout import check_model, check_size, lay_out
from simulator.book.numbers import DATA, DATA_ROW, data_sheet, parameters_sheet
from simulator.book.part import Part
from simulator.book.plane import Scene, has_plane, plane_sheets, square_around
from simulator.book.step import panel_sheet
from simulator.book.workbook import At, Workbook
from simulator.nn.basic import Embedding
from simulator.nn.description import describe
from simulator.nn.initializer import Array
from simulator.nn.model import Model
from simulator.nn.option import require
from simulator.sheet.panel import Spread
from simulator.sheet.sheet import Sheet

LONGEST_LABEL = 14  # letters of a rival's name, which ends the names of its sheets


def network_workbook(
    model: Model,
    X: Array,
    Y: Array | None,
    epochs: int,
    batch_size: int | None = None,
    changed: Mapping[At, float] | None = None,
    boundary: tuple[float, float] | None = None,
    against: Model | None = None,
) -> Workbook:
    """The training of a compiled model, or with Y=None its forward pass, as sheets.

    X and Y are checked data; changed holds other numbers for given cells; boundary is the square over which the answers
    of a network from two inputs to one output are drawn; against is another model whose training on the same data
    stands beside this one's. Raises LayoutError when the workbook would be too large.
    """
    changed = changed or {}
    known = Given()
    batches = 1 if Y is None else model.batches_of(len(X), batch_size)[1]
    count = 1 if Y is None else epochs * batches
    models = [(model, "")] if against is None else [(model, ""), (against, suffix_of(model, against))]
    parts: list[Part] = []
    given: list[Sheet] = []
    data_sheets: list[Sheet] = []
    for each, suffix in models:
        check_model(each, len(X) // batches, count)
        step = each.trace_forward(X) if Y is None else each.trace(X, Y, batch_size)
        check_size(step, count)
        plan = lay_out(step, each, _formats(X, Y), suffix)
        given.append(parameters_sheet(each, step, known, changed, suffix))
        data = data_sheet(model, step, X, Y, len(X) // batches, batches, known, changed)
        data_sheets.append(data.sheet)
        rows = len(X) // batches * data.stride
        where = DATA, DATA_ROW, rows, data.where, data.slots, data.feeds
        spread = Spread(plan.panels, count, known.places, known.numbers, step.carries, *where)
        parts.append(Part(each, step, plan, spread, suffix))
    sheets = [*given, data_sheets[0]]
    sheets += [panel_sheet(part.model, part.plan, panel) for part in parts for panel in part.plan.panels]
    if Y is not None:
        sheets.append(curves_sheet(parts))
    if has_plane(model):
        square = boundary or square_around(X)
        first = parts[0]
        sheets += plane_sheets(Scene(model, first.step, known, first.spread, batches, X, Y, square, changed))
    for each, suffix in models:
        sheets.append(network_sheet(describe(each, epochs, batch_size, forward=Y is None), suffix))
    sheets.insert(0, index_sheet(parts, sheets, epochs, batches))

    def moved() -> Workbook:
        steady = {at for at in known.cells if at[0] == DATA and not _is_measured(model)}
        other = {at: x if at in steady else round(x * 0.75 + 0.015, 6) for at, x in known.cells.items()}
        return network_workbook(model, X, Y, epochs, batch_size, other, boundary, against)

    origin = {"network": model.name[:60], "samples": str(len(X)), "against": models[-1][1]}
    checked = tuple(s.check() for s in sheets)
    return Workbook(model.name, model.name, epochs, checked, known.cells, moved, origin)


def suffix_of(model: Model, against: Model) -> str:
    """What ends the names of the other network's sheets. Raises SettingError when the two can't be compared."""
    require(against.loss == model.loss, "Two networks are compared by one loss.", f"{model.loss}, {against.loss}")
    require(
        against.inputs.sizes == model.inputs.sizes and against.outputs.sizes == model.outputs.sizes,
        "Two networks are compared on the same data.",
        f"{model.inputs.sizes} to {model.outputs.sizes}, {against.inputs.sizes} to {against.outputs.sizes}",
    )
    label = against.name
    good = 0 < len(label) <= LONGEST_LABEL and label.replace(" ", "").isalnum() and label != model.name
    rule = f"A network to compare with needs a name of its own of at most {LONGEST_LABEL} letters."
    require(good, rule, repr(label), "Give it with name=...")
    return f" ({label})"


def _formats(X: Array, Y: Array | None) -> dict[str, str]:
    """Whole numbers are shown as such, and what replaces them as it is."""
    arrays = {"X": X, "Y": Y}
    return {name: "General" for name, a in arrays.items() if a is not None and bool((a == np.round(a)).all())}


def _is_measured(model: Model) -> bool:
    """Whether the data are measurements, which may be moved a little, and not numbers of classes."""
    return model.loss in ("mean_squared_error", "mean_absolute_error") and not any(
        isinstance(layer, Embedding) for layer in model.numbered
    )
