"""Read me: what the workbook is, what is on each sheet, the equations, the colours, how to play."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.book.heading import legend
from simulator.lessons.run import Run
from simulator.sheet.address import a1
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import HEADING, HYPERLINK, INPUT, KEY, LABEL, ROLES, SUBTITLE, TEXT, TITLE, WRAPPED, Style
from simulator.tape.equation import equation

README = "Read me"
CHANGED = " (This file was built with other numbers or epochs than the lesson's own, of which this text speaks.)"
WHAT_IS_ON: dict[str, str] = {
    "Parameters": "every given number once; the yellow cells may be changed",
    "Data": "the samples",
    "Training": "the table: forward, cost, backward, update, epoch after epoch",
    "Charts": "cost and parameters against the epoch",
    "Boundary": "the answer over the whole input square, at an epoch that you pick",
    "Fit": "the fitted line over the points, at an epoch that you pick",
    "Gradient check": "central differences beside the gradients, green or red",
    "Sweep": "the same network with six learning rates side by side",
    "Contrast": "this cost curve beside the other one's",
}
HOW_TO_PLAY = (
    "On Parameters, change learning_rate: the table and all charts follow.",
    "Change a first weight, or a label, and see where training goes.",
    "On Training, point at a heading to read its equation; press F2 on a cell to see what it refers to.",
    "On {view}, type another epoch and watch the answer move.",
    "On Gradient check, type another epoch, or break a gradient formula on Training and watch it turn red.",
)
SIGNS = "@ is the matrix product, * entry by entry, .T transposed, ' the next epoch; m is the number of samples."
SIGNS_OF_SCALARS = "Every name is one number; ' is the next epoch, the row below."
LONG_EQUATION = 64  # characters that fit between the name and the meaning


def readme_sheet(run: Run, others: Sequence[Sheet]) -> Sheet:
    lesson = run.lesson
    sheet = Sheet(README, "#374151")
    sheet.put(0, 0, lesson.title, TITLE)
    sheet.put(1, 0, lesson.story + (CHANGED if run.is_changed else ""), WRAPPED)
    sheet.merge(1, 0, 1, 3)
    sheet.heights[1] = 34
    last = run.first_epoch + run.count - 1
    first = run.settings.items["first_epoch"]
    cell = f"Parameters!{a1(first.row, first.col, absolute=True)}"
    text = f"Epochs {run.first_epoch} to {last}, every one a live formula."
    formula = f'"Epochs "&{cell}&" to "&{cell}+{run.count - 1}&", every one a live formula."'
    sheet.put(2, 0, text, SUBTITLE, formula=formula)
    row = 4
    if lesson.contrast:
        sheet.put(3, 0, lesson.contrast.sentence, Style(wrap=True, valign="top", bold=True, color="#9C0006"))
        sheet.merge(3, 0, 3, 3)
        sheet.heights[3] = 48
        row = 5

    sheet.put(row, 0, "Sheets", HEADING)
    for other in others:
        row += 1
        sheet.put(row, 0, other.name, HYPERLINK, link=f"internal:'{other.name}'!A1")
        sheet.put(row, 1, WHAT_IS_ON[other.name])
    row += 2
    sheet.put(row, 0, "How to play", HEADING)
    steps = [step.format(view=lesson.view) for step in HOW_TO_PLAY if lesson.view or "{view}" not in step]
    for k, step in enumerate(steps, 1):
        row += 1
        sheet.put(row, 0, str(k), LABEL)
        sheet.put(row, 1, step)
    row += 2
    sheet.put(row, 0, "Equations", HEADING)
    sheet.put(row, 1, SIGNS_OF_SCALARS if lesson.columns else SIGNS, LABEL)
    columns = [q.node for q in run.table.quantities if q.node.primitive and q.role not in ("given", "parameter")]
    hidden = [e for e in run.epoch.forward if e not in columns]
    updates = [e for e in run.epoch.updates.values() if e not in columns]
    for node in [*hidden, *columns, *updates]:
        row += 1
        text = equation(node)
        sheet.put(row, 0, node.name, KEY)
        sheet.put(row, 1, text, WRAPPED if len(text) > LONG_EQUATION else TEXT)
        sheet.put(row, 3, node.meaning, LABEL)
        if len(text) > LONG_EQUATION:
            sheet.merge(row, 1, row, 2)
            sheet.heights[row] = 14 * math.ceil(len(text) / LONG_EQUATION) + 1
    row += 2
    sheet.put(row, 0, "Colours", HEADING)
    sheet.put(row + 1, 0, 1, INPUT)
    sheet.put(row + 1, 1, "a yellow cell with blue figures is yours to change", Style(indent=1))
    legend(sheet, row + 2, 0, [r for r in ROLES if r != "update" or not updates])
    sheet.widths = {0: 18, 1: 40, 2: 22, 3: 46}
    sheet.one_page = True
    return sheet
