"""Whether a column is right so far, without the answer: a very hidden sheet compares checksums.

A checksum is a weighted sum of an epoch's cells with random weights, so a slip, and two cells exchanged, change it.
"""

from __future__ import annotations

import math
import random

from simulator.lessons.run import Run
from simulator.lessons.training import SHEET
from simulator.sheet.address import range_text
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import (
    ANSWER,
    BAD,
    BAD_INK,
    GOOD,
    GOOD_INK,
    LABEL,
    SUBTITLE,
    TITLE,
    header,
    restyled,
)
from simulator.sheet.table import Quantity
from simulator.tape.dialect import number_text
from simulator.tape.expression import indices

CHECK = "Check"
WEIGHTS_ROW = 4
REVEAL_ROW = 4  # of Training, right above the headings
ROUNDED = 0.0006  # how far a number with three decimals is off, or as a part of a number above 1


def check_sheet(run: Run, names: frozenset[str], seed: int) -> Sheet:
    """A row per epoch and, below the column that it has on Training, a verdict per quantity: 1, 0, or "" if incomplete.

    run has the right values. The weights are drawn from seed. An epoch whose values overflow has no verdict.
    """
    sheet = Sheet(CHECK, very_hidden=True)
    sheet.put(0, 0, "Checksums of the sheet Training", TITLE)
    sheet.put(1, 0, "A row per epoch: 1 where the weighted sum of the column's cells is right.", SUBTITLE)
    draw = random.Random(seed)
    quantities = [q for q in run.table.quantities if q.node.name in names]
    weights = {q.node.serial: _put_weights(sheet, run, q, draw) for q in quantities}
    top = _first_row(run)
    for block, values in enumerate(run.table.blocks()):
        sheet.put(top + block, 0, run.first_epoch + block, LABEL)
        for q in quantities:
            if q.role == "parameter" and block == 0:
                continue
            terms = [(w, values[k]) for w, k in zip(weights[q.node.serial], run.table.slots(q.node), strict=True)]
            total = math.fsum(w * x for w, x in terms)
            tolerance = ROUNDED * math.fsum(w * max(1.0, abs(x)) for w, x in terms)
            if math.isfinite(total) and math.isfinite(tolerance):
                sheet.put(top + block, run.table.column(q.node), "", formula=_verdict(run, q, block, total, tolerance))
    return sheet


def put_reveal(training: Sheet, run: Run, names: frozenset[str]) -> None:
    """TRUE or FALSE above every column that is to be filled in, and nothing where no epoch is complete."""
    top = _first_row(run)
    style = restyled(ANSWER, align="center", size=9)
    training.put(REVEAL_ROW, 0, "right?", LABEL)
    for q in run.table.quantities:
        if q.node.name in names:
            col = run.table.column(q.node)
            verdicts = range_text(CHECK, top, col, top + run.count - 1, col)
            formula = f'IF(COUNT({verdicts})=0,"",MIN({verdicts})=1)'
            training.put(REVEAL_ROW, col, "", style, formula=formula)
            training.merge(REVEAL_ROW, col, REVEAL_ROW, col + q.shape[1] - 1)
    ends = (REVEAL_ROW, 0), (REVEAL_ROW, run.table.last_col)
    cell = f"A${REVEAL_ROW + 1}"  # an empty one equals FALSE, hence ISLOGICAL
    for verdict, fill, color in ((cell, GOOD, GOOD_INK), (f"NOT({cell})", BAD, BAD_INK)):
        rule = f"=IF(ISLOGICAL({cell}),{verdict},FALSE)"
        training.highlights.append(Highlight(*ends, "fill", rule, fill, color))


def _first_row(run: Run) -> int:
    return WEIGHTS_ROW + run.table.height + 1


def _put_weights(sheet: Sheet, run: Run, q: Quantity, draw: random.Random) -> list[float]:
    """Random weights in the quantity's shape; returns them in the order of its entries."""
    col = run.table.column(q.node)
    sheet.put(WEIGHTS_ROW - 1, col, q.node.name, header(q.role, level=2))
    weights = []
    for index in indices(q.node.shape):
        row, offset = q.place(index)
        weights.append(round(0.5 + 1.5 * draw.random(), 6))
        sheet.put(WEIGHTS_ROW + row, col + offset, weights[-1], LABEL)
    return weights


def _verdict(run: Run, q: Quantity, block: int, total: float, tolerance: float) -> str:
    rows, cols = q.shape
    first, col = run.table.first_row + block * run.table.height, run.table.column(q.node)
    cells = range_text(SHEET, first, col, first + rows - 1, col + cols - 1)
    weights = range_text(CHECK, WEIGHTS_ROW, col, WEIGHTS_ROW + rows - 1, col + cols - 1)
    target = ("-" if total >= 0 else "+") + _rounded(abs(total))
    right = f"ABS(SUMPRODUCT({cells},{weights}){target})<={_rounded(tolerance)}"
    return f'IF(COUNT({cells})<{rows * cols},"",IF({right},1,0))'


def _rounded(number: float) -> str:
    """Few enough digits for a formula; the tolerance is far coarser."""
    return number_text(float(f"{number:.12g}"))
