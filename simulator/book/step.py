"""The sheets of a network's steps."""

from __future__ import annotations

from simulator.book.heading import guards_of
from simulator.book.layout import FIRST_ROW, SLOPE, Plan, equation_of
from simulator.nn.model import Model
from simulator.sheet.address import a1
from simulator.sheet.grid import is_picture
from simulator.sheet.panel import Panel
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import HEADING, SUBTITLE, TITLE
from simulator.tape.expression import indices

MOST_NOTE = 600  # letters of a formula in a note
COLOURED = 200  # steps whose blocks are coloured: one rule lists all their ranges
TINY = 0.0001  # gradients below it are written as 1.2E-07


def panel_sheet(model: Model, plan: Plan, panel: Panel) -> Sheet:
    """One sheet of the steps: titles, notes on the first step's blocks, colours."""
    sheet = Sheet(panel.sheet, "#2563EB", tables=[panel])
    layers = plan.layers[panel.sheet]
    names = ", ".join(model.title_of(layer) for layer, _ in layers)
    title = names if len(layers) == 1 else "every step"
    sheet.put(0, 0, f"{model.name}: {title}", TITLE)
    many = "One block of rows is one step. " if panel.count > 1 else ""
    trained = any(block.role == "update" for part in plan.panels for block in part.blocks_)
    below = "Gradients stand below what they belong to, new weights below their gradients." if trained else ""
    sheet.put(
        1, 0, f"{many}{below if panel.count > 1 or model.loss else ''} Every cell is a formula.".strip(), SUBTITLE
    )
    for layer, col in layers:
        text = model.title_of(layer) + options_of(model, layer)
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
        rows, cols = block.extent
        tops = [FIRST_ROW + panel.height * k + block.row for k in range(min(panel.count, COLOURED))]
        ranges = " ".join(f"{a1(t, block.col)}:{a1(t + rows - 1, block.col + cols - 1)}" for t in tops)
        if is_picture(shown.node.shape, shown.kind):
            sheet.highlights.append(Highlight((0, 0), (0, 0), _colours(shown.role), ranges))
        if block.style.number_format == SLOPE:  # on the same ranges: of several formats LibreOffice shows one
            sheet.highlights.append(Highlight((0, 0), (0, 0), "tiny", ranges, low=TINY))
    return sheet


def options_of(model: Model, layer: int) -> str:
    """What was chosen for a layer, or for the loss, as its heading says it."""
    if not 0 < layer <= len(model.numbered):
        return f": {model.loss.replace('_', ' ')}" if layer and model.loss else ""
    config = {k: v for k, v in model.numbered[layer - 1].config().items() if k != "name"}
    text = ", ".join(f"{k}={v}" if not isinstance(v, str) else v for k, v in config.items())
    return f": {text}" if text else ""


def _colours(role: str) -> str:
    """Weights and gradients are coloured around zero, pictures from light to dark."""
    return "shade" if role in ("given", "forward") else "signed"
