"""The workbook of one place of a network: its formulas, its gradient, and what the backend computed, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.book.given import Given
from simulator.book.layout import SLOPE, equation_of, lay_out
from simulator.book.numbers import DATA, PARAMETERS
from simulator.book.step import panel_sheet
from simulator.book.workbook import At, Workbook
from simulator.nn.place import FLOAT32, Place
from simulator.sheet.grid import extent, is_picture
from simulator.sheet.panel import Spread
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import (
    ANSWER,
    BAD,
    BAD_INK,
    BODY,
    GOOD,
    GOOD_INK,
    HEADING,
    HYPERLINK,
    KEY,
    LABEL,
    SUBTITLE,
    TITLE,
    WRAPPED,
    header,
    restyled,
)
from simulator.tape.expression import indices

PLACE = "Place"
SMALL = restyled(BODY, number_format="General")
CLOSE = restyled(BODY, number_format="0.0E+00;-0.0E+00;0")
LISTED = "C", "D", "E", "F"  # formula, backend, difference, as far apart as they may be


def place_workbook(place: Place, sample: str = "", changed: Mapping[At, float] | None = None) -> Workbook:
    """The sheets of a place; changed holds other numbers for given cells, sample says which sample it is."""
    known, changed = Given(), changed or {}
    given = _given_sheet(place, known, changed)
    plan = lay_out(place.step, place.model, {"G": SLOPE, "C": SLOPE})
    spread = Spread(plan.panels, 1, known.places, known.numbers, place.step.carries, DATA, 0, 1, {}, {}, [()])
    sheets = [panel_sheet(place.model, plan, panel) for panel in plan.panels]
    front = _front(place, spread, sample, known, changed)

    def moved() -> Workbook:
        other = {at: round(x * 0.75 + 0.015, 6) for at, x in known.cells.items()}
        return place_workbook(place, sample, other)

    checked = tuple(s.check() for s in (front, *sheets, given))
    title = f"{place.model.name}: {place.title}"
    return Workbook(title, place.model.name, 1, checked, known.cells, moved, {"place": place.title})


def _given_sheet(place: Place, known: Given, changed: Mapping[At, float]) -> Sheet:
    sheet = Sheet(PARAMETERS, "#E0B93B")
    sheet.put(0, 0, f"{place.model.name}: what the place uses", TITLE)
    sheet.put(1, 0, "Change any yellow cell; the formulas follow, the backend's numbers stay.", SUBTITLE)
    row = 3
    for name, (leaf, number, meaning) in place.step.settings.items():
        sheet.put(row, 0, name, KEY)
        known.put(sheet, leaf, np.array(number), row, 1, "", changed)
        sheet.put(row, 2, meaning, LABEL)
        row += 2
    for name, (leaf, value) in place.step.first.items():
        kind = place.kinds.get(name, "")
        rows, cols = extent(leaf.shape, kind)
        sheet.put(row, 0, f"{name}: {leaf.meaning}, {' × '.join(map(str, leaf.shape))}", HEADING)
        known.put(sheet, leaf, value, row + 1, 1, kind, changed)
        if is_picture(leaf.shape, kind):
            colours = "shade" if name.startswith("x") else "signed"
            sheet.highlights.append(Highlight((row + 1, 1), (row + rows, cols), colours))
        row += rows + 2
    sheet.widths |= {0: 16} | dict.fromkeys(range(1, 20), 9)
    return sheet


def _front(place: Place, spread: Spread, sample: str, known: Given, changed: Mapping[At, float]) -> Sheet:
    """What the place is, and every number that the backend has too, beside its formula."""
    sheet = Sheet(PLACE, "#374151")
    sheet.put(0, 0, f"{place.model.name}: {place.title}", TITLE)
    sheet.put(
        1, 0, "The layer's own equations on what the place uses, beside what the NumPy backend computed.", SUBTITLE
    )
    lines = [
        ("sample", sample or "the one given"),
        ("label", _short(place.label)),
        ("answer", _short(place.answer)),
        ("loss", f"{place.loss:.6g}"),
        ("gradients", "of this sample's loss, and of weights the part that this place has in them"),
        *(("note", remark) for remark in place.remarks),
    ]
    row = 3
    for name, text in lines:
        sheet.put(row, 0, name, KEY)
        sheet.put(row, 1, text)
        row += 1
    top = row + 1
    sheet.put(top, 0, "Beside the backend", HEADING)
    text = f"float32 keeps about 7 digits: apart by at most {FLOAT32:g} of the largest number that goes into it"
    sheet.put(top, 2, text, LABEL)
    columns = ["array", "meaning", "entries", "farthest apart", "allowed", "agrees"]
    sheet.put_row(top + 1, 0, columns, header("given", level=2))
    first = top + 2 + len(place.compared) + 2  # the first row of the list
    list_row = first + 1
    values = spread.values[0]
    sheet.put(first - 1, 0, "Every number", HEADING)
    columns = ["array", "entry", "formula", "backend", "difference"]
    sheet.put_row(first, 0, columns, header("given", level=2))
    weights = {place.step.gradients[name].serial for name in place.step.parameters if name in place.step.gradients}
    for k, compared in enumerate(place.compared):
        node, begun = compared.node, list_row
        for index in indices(node.shape):
            backend = float(compared.backend[index])
            if np.isnan(backend):
                continue
            at = (PLACE, list_row, 3)
            backend = float(changed.get(at, backend))
            known.cells[at] = backend
            mine = values[spread.slot[node.serial, index]]
            here = list_row + 1
            sheet.put(list_row, 0, node.name, LABEL)
            entry = index if node.serial in weights else index[1:] or index  # without the number of the sample
            sheet.put(list_row, 1, ", ".join(map(str, entry)) or "·", LABEL)
            sheet.put(list_row, 2, mine, SMALL, formula=spread.address(node, index, 0))
            sheet.put(list_row, 3, backend, SMALL)
            sheet.put(list_row, 4, mine - backend, CLOSE, formula=f"C{here}-D{here}")
            list_row += 1
        rows = f"E{begun + 1}:E{list_row}"
        differences = [sheet.cells[r, 4].value for r in range(begun, list_row)]
        farthest = max(abs(float(d)) for d in differences)
        here = top + 2 + k
        sheet.put(here, 0, node.name, HYPERLINK, link=f"internal:'{PLACE}'!A{begun + 1}")
        sheet.put(here, 1, f"{node.meaning}: {equation_of_node(place, node)}", restyled(WRAPPED, valign="vcenter"))
        sheet.heights[here] = 28
        sheet.put(here, 2, list_row - begun, BODY)
        sheet.put(here, 3, farthest, CLOSE, formula=f"MAX(MAX({rows}),-MIN({rows}))")
        at = (PLACE, here, 4)
        allowed = float(changed.get(at, compared.tolerance))
        known.cells[at] = allowed
        sheet.put(here, 4, allowed, CLOSE)
        agrees = "yes" if farthest <= allowed else "no"
        sheet.put(here, 5, agrees, ANSWER, formula=f'IF(D{here + 1}<=E{here + 1},"yes","no")')
        for fill, ink, word in ((GOOD, GOOD_INK, "yes"), (BAD, BAD_INK, "no")):
            sheet.highlights.append(Highlight((here, 5), (here, 5), "equal", word, fill, ink))
    sheet.widths = {0: 12, 1: 46, 2: 20, 3: 20, 4: 12, 5: 10}
    return sheet


def equation_of_node(place: Place, node: object) -> str:
    shown = next(s for s in place.step.shown if s.node is node)
    return equation_of(shown)


def _short(array: np.ndarray) -> str:
    numbers = [f"{x:.4g}" for x in array.ravel()]
    return ", ".join(numbers) if len(numbers) <= 12 else f"{', '.join(numbers[:12])} … ({len(numbers)} numbers)"
