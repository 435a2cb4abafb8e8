"""The headings above a table: stage, symbol, meaning and entry, with a note that holds the equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.sheet.sheet import Sheet
from simulator.sheet.style import ROLES, Style, header
from simulator.sheet.table import Labels, PlannedCell, Quantity, Table
from simulator.tape.equation import equation
from simulator.tape.expression import Expression, indices, squeezed
from simulator.tape.primitive import NOTHING

LEVELS = 4  # stage, symbol, meaning, entry
STAGES = {
    "given": "Given",
    "parameter": "Parameters",
    "forward": "Forward",
    "cost": "Cost",
    "backward": "Backward",
    "update": "Update",
}
GUARDS = {
    "complement": "Where Z > 32, 1-p is rounded away; EXP(-Z), which equals it to 14 digits, stands in.",
    "window_first": "The first entry that is within 1E-9 of the largest.",
    "log_softmax": "Where P < 1E-9, log P is taken as Z - log(sum), so that it stays finite when P vanishes.",
}


def put_headings(sheet: Sheet, table: Table, stage: Callable[[Quantity], tuple[str, str]] | None = None) -> None:
    """Place the headings in the four rows above the table's body, and set column widths.

    stage maps a quantity to the text and the formula of its top heading; the six stages of training by default.
    """
    stage = stage or (lambda q: (STAGES[q.role], ""))
    top = table.first_row - LEVELS
    firsts = {id(c.quantity): c for c in reversed(table.computed)}
    spans: list[tuple[tuple[str, str], str, int, int]] = []  # top heading, role, first and last column
    start = col = table.first_col
    for column in table.columns:
        if isinstance(column, Labels):
            sheet.widths[col] = 10
            col += 1
            continue
        width, text = column.shape[1], stage(column)
        for level in (2, 3, 4):
            for c in range(start, col + width):  # a column of labels belongs to what it labels
                sheet.put(top + level - 1, c, "", header(column.role, level=level))
        if spans and spans[-1][:2] == (text, column.role):
            spans[-1] = (*spans[-1][:3], col + width - 1)
        else:
            spans.append((text, column.role, start, col + width - 1))
        sheet.put(top + 1, col, column.node.name, header(column.role, level=2))
        sheet.put(top + 2, col, _short(column), header(column.role, level=3))
        for i in range(width):
            if column.entries:
                sheet.put(top + 3, col + i, column.entries(i), header(column.role, level=4))
            sheet.widths[col + i] = _width(column)
        for level in (1, 2):
            sheet.merge(top + level, col, top + level, col + width - 1)
        sheet.notes[top + 1, col] = note(column, firsts[id(column)], table)
        col += width
        start = col
    for (title, formula), role, first, last in spans:
        sheet.put(top, first, title, header(role, level=1), formula=formula)
        sheet.merge(top, first, top, last)
    sheet.heights[top + 2] = 30


def entry_names(node: Expression) -> Callable[[int], str] | None:
    """The entries of an array laid out in one row: 1, 2 for a vector, 1,1 and 1,2 for a matrix."""
    names = [",".join(str(i + 1) for i in squeezed(index, node.shape)) for index in indices(node.shape)]
    return (lambda k: names[k]) if len(names) > 1 else None


def _short(q: Quantity) -> str:
    """The meaning, or its first word where a narrow column has no room for the sentence."""
    meaning = q.node.meaning
    if meaning.startswith(("gradient of", "slope of")):
        return meaning.partition(" ")[0]
    return meaning.replace(f"{q.node.name.rstrip(chr(39))} of the ", "")


def _width(q: Quantity) -> float:
    decimals = q.number_format.rpartition(";")[2].partition(".")[2]
    wide = len(decimals) + 6
    wide += 6 if q.number_format.startswith("#") else 0
    return max(8.0, wide, len(q.node.name) if q.shape[1] == 1 else 0, 12 if q.node.name == "cost" else 0)


def note(q: Quantity, first: PlannedCell, table: Table) -> str:
    """What a quantity is: its meaning, equation and the formula of its first cell, unless that is to be filled in."""
    lines = [f"{q.node.name}: {q.node.meaning}" if q.node.meaning else q.node.name]
    if q.node.serial in table.carries:
        lines.append("first from Parameters, then the updated value of the epoch before")
        if not first.later:
            lines.append(equation(table.carries[q.node.serial].then))
    elif q.node.primitive:
        lines.append(equation(q.node))
    block = 1 if first.later != first.first and table.count > 1 else 0
    if first.formula(bool(block)):
        text = table.formula_at(first, block)
        lines.append(f"{'second' if block else 'first'} {'epoch' if block else 'cell'}: ={text}")
    return "\n".join([*lines, *guards_of(q.node)])


def guards_of(node: Expression) -> list[str]:
    """Why the formula of an array differs a little from its equation, if it does."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.primitive and node.primitive.name in GUARDS:
            return [GUARDS[node.primitive.name]]
        if node.primitive and node.primitive.name == "where" and node.args[1].value == NOTHING:
            return ["Below 1E-12 a number counts as zero: 0.1+0.2-0.3 leaves 5.6E-17 in some programs, 0 in others."]
        stack.extend(a for a in node.args if not a.name)
    return []


def legend(sheet: Sheet, row: int, col: int, roles: Sequence[str]) -> int:
    """The colour legend, one role a row; returns the next free row."""
    for strong, _, meaning in map(ROLES.__getitem__, roles):
        sheet.put(row, col, "", Style(fill=strong))
        sheet.put(row, col + 1, meaning, Style(indent=1))
        row += 1
    return row
