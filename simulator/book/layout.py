"""Where the arrays of a network's step stand: blocks side by side, gradients below what they belong to.

A panel has bands: forward above, backward below, then a band for each state of the optimizer and the new weights. What
belongs to a weight stands in the weight's columns. A small dense network fits on one sheet; otherwise every layer has
its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from simulator.errors import LayoutError
from simulator.nn.layer import walk
from simulator.nn.model import Model
from simulator.nn.trace import Shown, Step
from simulator.sheet.grid import extent, is_picture
from simulator.sheet.panel import Block, Panel, Part, Text
from simulator.sheet.style import BODY, COST, ENTRY, MUTED, ROLES, Style, restyled
from simulator.tape.equation import right_side

WIDEST_SHEET = 56  # columns of a sheet that holds the whole network
MOST_CELLS_A_STEP, MOST_CELLS = 20_000, 500_000  # what a person can still follow, and a spreadsheet open quickly
FIRST_ROW = 4
MARGIN = 1  # the column of epoch numbers and band names
WIDE, NARROW, GAP, TIME = 9.5, 5.6, 2.0, 6.0  # widths of columns, the narrow ones for pictures
LONGEST_EQUATION = 40  # letters that a block shows; its note and the index have the rest
SLOPE = "0.00000"  # gradients and what optimizers make of them are small
SMALL = 8  # letters of pictures
BANDS = {0: ("forward", "forward"), 1: ("backward", "backward"), 1.5: ("turned", "backward")}  # label, colour
COUNTED = {"epoch": '"epoch "0', "batch": '"batch "0', "step": '"step "0'}


@dataclass(frozen=True)
class Plan:
    """The panels of a step, with what an index needs: every block's array, meaning and first row of its title."""

    panels: list[Panel]
    widths: dict[str, dict[int, float]]  # of the columns of every sheet
    layers: dict[str, list[tuple[int, int]]]  # sheet -> (layer, first column)
    shown: dict[tuple[str, str], Shown]  # (sheet, block) -> an array of it that shows its equation


def check_model(model: Model, samples: int, count: int) -> None:
    """Raises LayoutError when the results of the layers and the weights alone are too many, before they are traced."""
    _check_cells(samples * sum(math.prod(t.sizes) for t in walk(model.outputs)) + model.count_params(), count)


def check_size(step: Step, count: int) -> None:
    """Raises LayoutError when nobody could follow the workbook."""
    _check_cells(sum(math.prod(s.node.shape) for s in step.shown), count)


def _check_cells(cells: int, count: int) -> None:
    if cells > MOST_CELLS_A_STEP or cells * count > MOST_CELLS:
        raise LayoutError(
            f"A workbook shows at most {MOST_CELLS_A_STEP:,} cells a step and {MOST_CELLS:,} in all, to be read. "
            f"Received: {cells:,} cells a step, {count:,} {'step' if count == 1 else 'steps'}. "
            f'Use fewer epochs, fewer samples or smaller layers, or what="forward".'
        )


def lay_out(step: Step, model: Model, formats: Mapping[str, str], suffix: str = "") -> Plan:
    """The blocks of a step, placed. formats has the number formats of data, by block; suffix ends sheet names."""
    groups: dict[int, list[Shown]] = {}
    for s in step.shown:
        groups.setdefault(s.layer, []).append(s)
    sheets = [(model.title_of(layer), [layer]) for layer in sorted(groups)]
    small = all(len(s.node.shape) < 3 and s.time is None for s in step.shown)
    if small:
        together = _panel("all", [groups[layer] for layer in sorted(groups)], step, WIDE, formats)
        if together.panels[0].last_col < WIDEST_SHEET:
            sheets = [("Training" if step.labels is not None else "Forward", sorted(groups))]
    plan = Plan([], {}, {}, {})
    for title, layers in sheets:
        pictures = any(is_picture(s.node.shape, s.kind) and s.node.shape[-1] > 3 for k in layers for s in groups[k])
        one = _panel(
            _sheet_name(title, suffix), [groups[layer] for layer in layers], step, NARROW if pictures else WIDE, formats
        )
        plan = Plan(
            plan.panels + one.panels, plan.widths | one.widths, plan.layers | one.layers, plan.shown | one.shown
        )
    return plan


def _sheet_name(title: str, suffix: str) -> str:
    """A title that a sheet may have: 31 characters, none of []:*?/\\."""
    return re.sub(r"[\[\]:*?/\\']", " ", title)[: 31 - len(suffix)].strip() + suffix


def _panel(sheet: str, groups: Sequence[list[Shown]], step: Step, width: float, formats: Mapping[str, str]) -> Plan:
    size = 10 if width == WIDE else SMALL
    blocks: list[tuple[Block, Shown, float]] = []  # with the band; rows come later
    layers: list[tuple[int, int]] = []
    narrow: dict[int, float] = {}
    times: tuple[int, Block, int] | None = None  # the column of time steps, a block that it goes with, its last step
    col = MARGIN
    for group in groups:
        layers.append((group[0].layer, col))
        for family in _families(group):
            stacks: dict[float, int] = {}
            if times is None and family[0][0].time is not None:
                narrow[col], col = TIME, col + 1
            for mine in family:
                at = stacks.setdefault(mine[0].band, col)
                block, shown = _block(mine, at, size, formats)
                stacks[mine[0].band] = at + _columns(block, shown, width) + 1
                blocks.append((block, shown, mine[0].band))
                if times is None and mine[0].time is not None:
                    times = col - 1, block, max(s.time or 0 for s in mine)
            col = max(stacks.values())
            narrow[col - 1] = GAP
    texts: list[Text] = []
    placed: list[Block] = []
    row = 0
    bands = sorted({band for *_, band in blocks} | {0})
    for band in bands:
        here = [(b, s) for b, s, k in blocks if k == band]
        if len(bands) > 1:
            label, role = BANDS.get(band, ("update", "update"))
            texts.append(Text(row + (band == 0), 0, label, Style(fill=ROLES[role][1], size=9, color=MUTED)))
        for b, s in here:
            placed.append(replace(b, row=row + 2))
            texts += _titles(b, s, row, _columns(b, s, width))
        if times and any(len(b.parts) > 1 for b, _ in here):
            style = Style(size=SMALL, color=MUTED, align="right")
            texts += [
                Text(row + 2 + p.row, times[0], f"t = {times[2] - (len(times[1].parts) - 1 - k)}", style)
                for k, p in enumerate(times[1].parts)
            ]
        row += 2 + max((b.extent[0] for b, _ in here), default=1) + 1
    placed += _counters(step, any(s.layer == 0 for g in groups for s in g))
    panel = Panel(sheet, FIRST_ROW, row + 1, placed, texts)
    widths = {0: 9.5} | dict.fromkeys(range(1, col), width) | narrow
    return Plan([panel], {sheet: widths}, {sheet: layers}, {(sheet, b.name): s for b, s, _ in blocks})


def _families(group: list[Shown]) -> list[list[list[Shown]]]:
    """The blocks of a layer that share columns: an array, then its gradient, then whatever else belongs to it."""
    named: dict[str, list[Shown]] = {}
    for s in group:
        if s.block not in COUNTED:
            named.setdefault(s.block, []).append(s)

    def first_computed(block: str) -> int:
        return min((s.node.serial for s in named[block] if s.role != "given"), default=0)

    bases = sorted((name for name, mine in named.items() if mine[0].band == 0), key=first_computed)
    return [
        [
            named[base],
            *sorted((mine for mine in named.values() if mine[0].under == base), key=lambda m: m[0].block != f"d{base}"),
        ]
        for base in bases
    ]


def _counters(step: Step, here: bool) -> list[Block]:
    """The numbers of epoch and batch in the margin; every other sheet repeats them."""
    found: list[Block] = []
    for name, number_format in COUNTED.items():
        if name in step.counter:
            node = step.counter[name]
            node = node if here else node.named(name, node.meaning)
            style = Style(bold=True, align="left", number_format=number_format)
            found.append(Block(name, "given", "", (Part(node, 0),), (0, 2, 3)[len(found)], 0, style))
    return found


def _block(shown: list[Shown], col: int, size: int, formats: Mapping[str, str]) -> tuple[Block, Shown]:
    """The block of these arrays, and the one of them whose equation stands for all."""
    steps = {s.time: s for s in shown}
    first = shown[0]
    if None in steps:
        parts: tuple[Part, ...] = (Part(first.node, 0),)
        best = first
    else:
        rows = extent(first.node.shape, first.kind)[0]
        parts = tuple(Part(s.node, (t or 0) * rows) for t, s in sorted(steps.items(), key=lambda each: each[0] or 0))
        best = steps[sorted(steps, key=lambda t: (t != 2, -(t or 0)))[0]]
    usual = COST if first.block in ("cost", "data cost", "penalty") else ENTRY
    if size > SMALL and first.band in (1, 2, 3) and not first.block.endswith("'"):
        usual = SLOPE
    if first.block in ("rate", "alpha"):
        usual = "General"  # may be small
    number_format = formats.get(first.block, usual)
    if first.node.primitive is not None and first.node.primitive.name in ("one_hot", "window_first"):
        number_format = "0"
    style = restyled(BODY, number_format=number_format, size=size)
    return Block(first.block, best.role, first.kind, parts, 0, col, style), best


def title_of(block: Block, shown: Shown) -> str:
    """Name and shape of a block, as its title says them."""
    shape = shape_of(block, shown)
    return f"{block.name} · {shape}" if shape else block.name


def shape_of(block: Block, shown: Shown) -> str:
    """4 × 3; for an array per time step, 5 steps of 4 × 3; nothing for one number."""
    shape = " × ".join(map(str, shown.node.shape))
    if block.kind == "turned":
        inputs, units = shown.node.shape
        shape = f"{units} {'unit' if units == 1 else 'units'} × {inputs}"
    return f"{len(block.parts)} steps of {shape}" if len(block.parts) > 1 else shape


def short(shown: Shown) -> str:
    """The meaning in a word or two."""
    meaning = shown.node.meaning
    if meaning.startswith("gradient of"):
        return "gradient"
    if meaning.endswith("for the next step"):
        return "next step"
    return meaning.rpartition(" of ")[0] if shown.role == "update" else meaning


def equation_of(shown: Shown) -> str:
    """The block's equation, or where its numbers come from."""
    node = shown.node
    if node.primitive is None and not shown.stays:
        return f"{node.name}' of the step before"
    if node.primitive is None or (node.args and node.args[0].is_given and node.primitive.name == "copy"):
        return "from the sheet Data" if node.name in ("X", "Y") else "from the sheet Parameters"
    return f"{node.name} = {right_side(node)}"


def _columns(block: Block, shown: Shown, width: float) -> int:
    """How many columns the body and the titles need."""
    letters = max(len(title_of(block, shown)) * 0.92, min(len(equation_of(shown)), LONGEST_EQUATION) * 0.72)
    return max(block.extent[1], math.ceil(letters / width))


def _titles(block: Block, shown: Shown, row: int, columns: int) -> list[Text]:
    strong, light, _ = ROLES[block.role]
    title = Style(fill=strong, bold=True, size=9)
    equation = Style(fill=light, italic=True, size=8, color=MUTED)
    text = equation_of(shown)
    if len(text) > LONGEST_EQUATION:
        text = text[: LONGEST_EQUATION - 2].rpartition(" ")[0] + " …"
    found = [Text(row, block.col, title_of(block, shown), title), Text(row + 1, block.col, text, equation)]
    for c in range(1, columns):
        found += [Text(row, block.col + c, "", title), Text(row + 1, block.col + c, "", equation)]
    return found
