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
from simulator.nn.model import Model
from simulator.nn.trace import Shown, Step
from simulator.sheet.grid import extent, is_picture
from simulator.sheet.panel import Block, Panel, Part, Text
from simulator.sheet.style import BODY, COST, ENTRY, MUTED, ROLES, Style, restyled
from simulator.tape.equation import right_side
from simulator.tape.expression import Expression

ONE_SHEET = "Training"
WIDEST_SHEET = 56  # columns of a sheet that holds the whole network
MOST_CELLS_A_STEP, MOST_CELLS = 20_000, 500_000  # what a person can still follow, and a spreadsheet open quickly
FIRST_ROW = 4
MARGIN = 1  # the column of epoch numbers and band names
WIDE, NARROW, GAP = 9.5, 5.6, 2.0  # widths of columns, the narrow ones for pictures
LONGEST_EQUATION = 60  # letters for which a block is widened; the note and the index have the rest
SMALL = 8  # letters of pictures
COUNTED = {"epoch": '"epoch "0', "batch": '"batch "0', "step": '"step "0'}


@dataclass(frozen=True)
class Plan:
    """The panels of a step, with what an index needs: every block's array, meaning and first row of its title."""

    panels: list[Panel]
    widths: dict[str, dict[int, float]]  # of the columns of every sheet
    layers: dict[str, list[tuple[int, int]]]  # sheet -> (layer, first column)
    shown: dict[tuple[str, str], Shown]  # (sheet, block) -> an array of it that shows its equation


def check_size(step: Step, count: int) -> None:
    """Raises LayoutError when nobody could follow the workbook."""
    cells = sum(math.prod(s.node.shape) for s in step.shown)
    if cells > MOST_CELLS_A_STEP or cells * count > MOST_CELLS:
        raise LayoutError(
            f"A workbook shows at most {MOST_CELLS_A_STEP:,} cells a step and {MOST_CELLS:,} in all, which a person can "
            f"follow. Received: {cells:,} cells a step, {count:,} {'step' if count == 1 else 'steps'}. "
            f'Use fewer epochs, fewer samples or smaller layers, or what="forward".'
        )


def lay_out(step: Step, model: Model, formats: Mapping[str, str]) -> Plan:
    """The blocks of a step, placed. formats has the number formats of data, by block."""
    groups: dict[int, list[Shown]] = {}
    for s in step.shown:
        groups.setdefault(s.layer, []).append(s)
    sheets = [(model.title_of(layer), [layer]) for layer in sorted(groups)]
    small = all(len(s.node.shape) < 3 and "[" not in s.node.name for s in step.shown)
    if small and model.loss:
        together = _panel(ONE_SHEET, [groups[layer] for layer in sorted(groups)], step, WIDE, formats)
        if together.panels[0].last_col < WIDEST_SHEET:
            sheets = [(ONE_SHEET, sorted(groups))]
    plan = Plan([], {}, {}, {})
    for title, layers in sheets:
        pictures = any(is_picture(s.node.shape, s.kind) and s.node.shape[-1] > 3 for k in layers for s in groups[k])
        one = _panel(
            _sheet_name(title), [groups[layer] for layer in layers], step, NARROW if pictures else WIDE, formats
        )
        plan = Plan(
            plan.panels + one.panels, plan.widths | one.widths, plan.layers | one.layers, plan.shown | one.shown
        )
    return plan


def _sheet_name(title: str) -> str:
    """A title that a sheet may have: 31 characters, none of []:*?/\\."""
    return re.sub(r"[\[\]:*?/\\']", " ", title)[:31].strip()


def _panel(sheet: str, groups: Sequence[list[Shown]], step: Step, width: float, formats: Mapping[str, str]) -> Plan:
    size = 10 if width == WIDE else SMALL
    blocks: list[tuple[Block, Shown, int]] = []  # with the band, row and column relative to it
    layers, gaps, col = [], [], MARGIN
    for group in groups:
        layers.append((group[0].layer, col))
        for base in dict.fromkeys(s.block for s in group if s.band == 0 and s.block not in COUNTED):
            stacks: dict[int, int] = {}
            family = [s for s in group if base in (s.block, s.under)]
            for name in dict.fromkeys(s.block for s in family):
                mine = [s for s in family if s.block == name]
                band = mine[0].band
                at = stacks.setdefault(band, col)
                block, shown = _block(mine, at, size, formats)
                stacks[band] = at + _columns(block, shown, width) + 1
                blocks.append((block, shown, band))
            col = max(stacks.values())
            gaps.append(col - 1)
    panel_texts: list[Text] = []
    placed: list[Block] = []
    row = 0
    for band in sorted({band for *_, band in blocks} | {0}):
        mine_ = [(b, s) for b, s, k in blocks if k == band]
        label = ("forward", "backward")[band] if band < 2 else mine_[0][0].role
        if step.labels is not None:
            role = ROLES["update" if band > 1 else label]
            panel_texts.append(Text(row + (band == 0), 0, label, Style(fill=role[1], size=9, color=MUTED, indent=0)))
        for b, s in mine_:
            placed.append(replace(b, row=row + 2))
            panel_texts += _titles(b, s, row, _columns(b, s, width))
        row += 2 + max((b.extent[0] for b, _ in mine_), default=1) + 1
    placed += _counters(step, any(s.layer == 0 for g in groups for s in g))
    panel = Panel(sheet, FIRST_ROW, row + 1, placed, panel_texts)
    widths = {0: 9.5} | dict.fromkeys(range(1, col), width) | dict.fromkeys(gaps, GAP)
    return Plan([panel], {sheet: widths}, {sheet: layers}, {(sheet, b.name): s for b, s, _ in blocks})


def _counters(step: Step, here: bool) -> list[Block]:
    """The numbers of epoch and batch in the margin; every other sheet repeats them."""
    found: list[Block] = []
    for name, number_format in COUNTED.items():
        if name in step.counter:
            node = step.counter[name]
            node = node if here else node.named(name, node.meaning)
            style = Style(bold=True, align="left", number_format=number_format)
            found.append(Block(name, "given", "", (Part(node, 0),), 2 * len(found), 0, style))
    return found


def _block(shown: list[Shown], col: int, size: int, formats: Mapping[str, str]) -> tuple[Block, Shown]:
    """The block of these arrays, and the one of them whose equation stands for all."""
    steps = {_time(s.node): s for s in shown}
    first = shown[0]
    if None in steps:
        parts: tuple[Part, ...] = (Part(first.node, 0),)
        best = first
    else:
        rows = extent(first.node.shape, first.kind)[0]
        parts = tuple(Part(s.node, (t or 0) * rows) for t, s in sorted(steps.items(), key=lambda each: each[0] or 0))
        best = steps[sorted(steps, key=lambda t: (t != 2, -(t or 0)))[0]]
    number_format = formats.get(first.block, COST if first.block in ("cost", "data cost", "penalty") else ENTRY)
    if first.node.primitive is not None and first.node.primitive.name in ("one_hot", "window_first"):
        number_format = "0"
    style = restyled(BODY, number_format=number_format, size=size)
    return Block(first.block, first.role, first.kind, parts, 0, col, style), best


def _time(node: Expression) -> int | None:
    found = re.search(r"\[(\d+)\]'?$", node.name)
    return int(found[1]) if found else None


def title_of(block: Block, shown: Shown) -> str:
    """Name and shape of a block, as its title says them."""
    shape = shape_of(block, shown)
    return f"{block.name} · {shape}" if shape else block.name


def shape_of(block: Block, shown: Shown) -> str:
    """4 × 3; for an array per time step, 5 steps of 4 × 3; nothing for one number."""
    shape = " × ".join(map(str, shown.node.shape))
    if block.kind == "turned":
        shape = f"{shown.node.shape[1]} units × {shown.node.shape[0]}"
    return f"{len(block.parts)} steps of {shape}" if len(block.parts) > 1 else shape


def short(shown: Shown) -> str:
    """The meaning in a word or two."""
    meaning = shown.node.meaning
    if meaning.startswith("gradient of"):
        return "gradient"
    if meaning.endswith("for the next step"):
        return "next step"
    return meaning.split(" of W")[0] if shown.role == "update" else meaning


def equation_of(shown: Shown) -> str:
    """The block's equation, or where its numbers come from."""
    node = shown.node
    if node.primitive is None:
        return "from the step before"
    if node.args and node.args[0].is_given and node.primitive.name == "copy":
        return "from the sheet Data" if node.name in ("X", "Y") else "from the sheet Parameters"
    return f"{node.name} = {right_side(node)}"


def _columns(block: Block, shown: Shown, width: float) -> int:
    """How many columns the body and the titles need."""
    letters = max(len(title_of(block, shown)) * 0.92, min(len(equation_of(shown)), LONGEST_EQUATION) * 0.75)
    return max(block.extent[1], math.ceil(letters / width))


def _titles(block: Block, shown: Shown, row: int, columns: int) -> list[Text]:
    strong, light, _ = ROLES[block.role]
    title = Style(fill=strong, bold=True, size=9)
    equation = Style(fill=light, italic=True, size=8, color=MUTED)
    found = [
        Text(row, block.col, title_of(block, shown), title),
        Text(row + 1, block.col, equation_of(shown), equation),
    ]
    for c in range(1, columns):
        found += [Text(row, block.col + c, "", title), Text(row + 1, block.col + c, "", equation)]
    return found
