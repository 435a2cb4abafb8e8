"""Index: every sheet and every array of a network's workbook; Network: its description."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.book.curves import CHARTS
from simulator.book.heading import legend
from simulator.book.layout import FIRST_ROW, equation_of, shape_of, short
from simulator.book.numbers import DATA, PARAMETERS
from simulator.book.part import Part
from simulator.book.plane import PLANE, POINTS
from simulator.book.step import MOST_NOTE, options_of
from simulator.sheet.address import a1
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import HEADING, HYPERLINK, LABEL, ROLES, SUBTITLE, TITLE, Style, header, restyled
from simulator.tape.expression import indices

INDEX, NETWORK = "Index", "Network"


def index_sheet(parts: Sequence[Part], others: Sequence[Sheet], epochs: int, batches: int) -> Sheet:
    """What is on each sheet, and every named array with its shape, equation and place."""
    sheet = Sheet(INDEX, "#374151")
    first_part, *rivals = parts
    sheet.put(0, 0, first_part.model.name, TITLE)
    count = first_part.spread.count
    if first_part.step.cost is None:
        said = "The forward pass of a network, every cell a live formula; its weights are on Parameters."
    else:
        many = "one epoch" if epochs == 1 else f"{epochs} epochs"
        said = f"The training of a network over {many}"
        said += f", {batches} batches each: {count} steps" if batches > 1 else ""
        said += ": forward pass, gradients and updates, every cell a live formula."
        said += "".join(f" Beside it: {rival.model.name}." for rival in rivals)
    sheet.put(1, 0, said, SUBTITLE)
    row = 3
    sheet.put(row, 0, "Sheets", HEADING)
    about = {
        PARAMETERS: "learning rate, first weights and all other given numbers; yellow cells may be changed",
        DATA: "the samples; yellow cells may be changed",
        CHARTS: "the cost, step by step",
        PLANE: "the network's answer over the plane, at an epoch of your choice",
        POINTS: "the forward pass at every point of that picture",
        NETWORK: "the network as a text that builds it again; its numbers are on Parameters and Data",
    }
    for other in others:
        row += 1
        sheet.put(row, 0, other.name, HYPERLINK, link=f"internal:'{other.name}'!A1")
        layers = [
            p.model.title_of(k) + options_of(p.model, k) for p in parts for k, _ in p.plan.layers.get(other.name, [])
        ]
        own = other.name.removesuffix(rivals[0].suffix) if rivals else other.name
        sheet.put(row, 1, about.get(own) or "; ".join(layers))
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
    for plan, panel in ((p.plan, panel) for p in parts for panel in p.plan.panels):
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
    for part in parts:
        weights = {w.symbol for w in part.model.weights}
        for symbol, (leaf, _) in part.step.first.items():
            if symbol not in weights:
                row += 1
                sheet.put(row, 0, symbol)
                sheet.put(row, 1, PARAMETERS + part.suffix, HYPERLINK, link=f"internal:'{PARAMETERS}{part.suffix}'!A1")
                sheet.put(row, 2, "given", Style(fill=ROLES["given"][1], indent=1))
                sheet.put(row, 3, " × ".join(map(str, leaf.shape)))
                sheet.put(row, 4, leaf.meaning)
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


def network_sheet(description: str, suffix: str) -> Sheet:
    """The network's own description, a line per row, from which it can be built and verified again."""
    sheet = Sheet(NETWORK + suffix, "#374151")
    sheet.put(0, 0, "The network as a description", TITLE)
    text = "Save these lines as network.toml, add a [data] part, and build it again: simulator build network.toml"
    sheet.put(1, 0, text, SUBTITLE)
    for k, line in enumerate(description.splitlines()):
        sheet.put(3 + k, 0, line)
    sheet.widths[0] = 90
    return sheet
