"""The given numbers of a network: what they are, and the yellow cells where a reader may change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.book.workbook import At
from simulator.nn.initializer import Array
from simulator.sheet.grid import place
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import INPUT, Style, restyled
from simulator.tape.expression import Expression, Index, indices
from simulator.tape.scalar import Position

Numbers = dict[tuple[int, Index], float]
INPUT_CELL = restyled(INPUT, number_format="General")


@dataclass
class Given:
    """The given numbers of a network and their cells."""

    numbers: Numbers = field(default_factory=dict)
    cells: dict[At, float] = field(default_factory=dict)
    places: dict[int, Callable[[Index], Position]] = field(default_factory=dict)

    def put(
        self,
        sheet: Sheet,
        leaf: Expression,
        value: Array,
        row: int,
        col: int,
        kind: str,
        changed: Mapping[At, float],
        style: Style = INPUT_CELL,
    ) -> None:
        """An array as yellow cells from this one on."""
        where: dict[Index, Position] = {}
        for index in indices(leaf.shape):
            r, c = place(index, leaf.shape, kind)
            at = (sheet.name, row + r, col + c)
            number = float(changed.get(at, value[index]))
            sheet.put(row + r, col + c, number, style)
            self.numbers[leaf.serial, index] = self.cells[at] = number
            where[index] = Position(sheet.name, row + r, col + c, False)
        self.places[leaf.serial] = where.__getitem__
