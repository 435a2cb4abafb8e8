"""What a submission holds in a table's cells: numbers with their precision, and formulas with what they refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.check.calculator import MOST_CELLS, Found, calculate
from simulator.check.formula import NotUnderstood, cells_in, names_of, parse
from simulator.check.placement import At, Placement
from simulator.check.reference import Array, Reference
from simulator.check.tolerance import significant_digits, stored_margin, typed_margin
from simulator.check.world import BLOCKS, JUDGED, RUNS, World
from simulator.tape.expression import Index
from simulator.tape.vector import Vector
from simulator.xlsx.submission import Submission, SubmittedCell

LOCAL_NUMBER = re.compile(r"\s*([+-]?)(\d{1,3}(?:[.\s]\d{3})*|\d*),(\d+)((?:[eE][+-]?\d+)?)\s*")  # 1.234,5 and 0,25
PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
BLANK, NUMBER, ERROR, OTHER = range(4)


@dataclass(frozen=True)
class Spelled:
    """A formula as a group of cells has it: its text, its place in an array formula, and what it refers to.

    targets has, for every corner of a reference, ("element", m, blocks away) or ("cell", sheet, row, column).
    """

    text: str
    offset: tuple[int, int] | None
    first: bool
    targets: tuple[tuple[object, ...], ...]


@dataclass
class Evidence:
    """values and margins (elements, blocks); state says what a cell holds; formulas maps (k, b) to theirs."""

    submission: Submission
    reference: Reference
    placement: Placement
    given_cells: Mapping[At, tuple[int, Index]]
    values: Array = field(init=False)
    margins: Array = field(init=False)
    state: NDArray[np.int8] = field(init=False)
    has_formula: NDArray[np.bool_] = field(init=False)
    formulas: dict[tuple[int, int], Spelled] = field(init=False)  # those that refer to something
    remarks: list[str] = field(init=False)

    def __post_init__(self) -> None:
        shape = len(self.reference.elements), self.placement.count
        self.values, self.margins = np.full(shape, np.nan), np.zeros(shape)
        self.state = np.zeros(shape, dtype=np.int8)
        self.has_formula = np.zeros(shape, dtype=bool)
        self.formulas, self.remarks = {}, []
        self._worlds: dict[tuple[int, bytes, int], tuple[World, dict[At, Found]]] = {}
        self._memo: dict[At, float | None] = {}
        texts = uncached = 0
        for k, places in enumerate(self.placement.where):
            for b, at in places.items():
                cell = self.cell(at)
                if cell is None:
                    continue
                value = cell.value
                if cell.formula and value is None:
                    value = self._computed(at)
                    uncached += 1
                if isinstance(value, bool):
                    value = float(value)
                if isinstance(value, str) and not cell.is_error:
                    number = number_of(value)
                    texts += number is not None and not cell.formula
                    value = value if number is None else number
                if isinstance(value, str):
                    self.state[k, b] = ERROR if cell.is_error else OTHER if value.strip() else BLANK
                elif value is None or not np.isfinite(value):
                    self.state[k, b] = ERROR if cell.formula else BLANK
                else:
                    self.state[k, b], self.values[k, b] = NUMBER, value
                self.has_formula[k, b] = bool(cell.formula)
                if cell.formula:
                    spelled = self._spelled(at, cell, b)
                    if spelled:
                        self.formulas[k, b] = spelled
        self._set_margins()
        if texts:
            self.remarks.append(
                f"{texts} numbers are stored as text, for example with a decimal comma; they were read."
            )
        if uncached:
            self.remarks.append(f"{uncached} formulas had no stored value; they were computed here.")

    def cell(self, at: At) -> SubmittedCell | None:
        sheet = self.submission.sheets.get(at[0])
        return sheet.cells.get(at[1:]) if sheet else None

    @cached_property
    def groups(self) -> dict[tuple[int, Spelled], list[int]]:
        """The blocks in which an element has the same formula."""
        found: dict[tuple[int, Spelled], list[int]] = {}
        for (k, b), spelled in self.formulas.items():
            found.setdefault((k, spelled), []).append(b)
        return found

    @cached_property
    def cells(self) -> dict[At, tuple[int, int]]:
        return self.placement.cells

    def _set_margins(self) -> None:
        computed = np.zeros_like(self.state, dtype=bool)
        for at in self.formulas:
            computed[at] = True
        shown = self.values[computed & np.isfinite(self.values)]
        digits = max((significant_digits(x) for x in shown), default=17)
        self.margins[computed] = np.abs(self.values[computed]) * stored_margin(digits)
        for k, b in np.argwhere(~computed & np.isfinite(self.values)):
            element = self.reference.elements[k]
            is_given = element.quantity.role == "given" or (element.quantity.role == "parameter" and b == 0)
            self.margins[k, b] = 0.0 if is_given else typed_margin(float(self.values[k, b]))
        self.margins[~np.isfinite(self.margins)] = 0.0

    # Formulas

    def _spelled(self, at: At, cell: SubmittedCell, b: int) -> Spelled | None:
        """None where the formula names no cell: it is a number, worked out on the spot."""
        home = self._home(at, cell)
        try:
            references = cells_in(cell.formula)
        except NotUnderstood:
            return Spelled(cell.formula, cell.offset, b == 0, (("cell", *at),))
        targets: list[tuple[object, ...]] = []
        sheet, row, col = home
        for reference in references:
            for corner in (reference.first, reference.last):
                if corner is None:
                    targets.append(targets[-1])
                    continue
                place = (reference.sheet or sheet, *corner.at(row, col))
                found = self.cells.get(place)
                targets.append(("element", found[0], found[1] - b) if found else ("cell", *place))
        if not targets and not re.search("[A-Za-z_]", re.sub(r"[A-Za-z0-9.]+\(", "", cell.formula)):
            return None
        return Spelled(cell.formula, cell.offset, b == 0, tuple(targets))

    @staticmethod
    def _home(at: At, cell: SubmittedCell) -> At:
        dr, dc = cell.offset or (0, 0)
        return at[0], at[1] - dr, at[2] - dc

    def name(self, name: str) -> At | None:
        return self._names.get(name.casefold())

    @cached_property
    def _names(self) -> dict[str, At]:
        return {n.casefold(): place for n, place in self.submission.names.items()}

    def in_world(self, at: At, b: int, world: World, scale: Array) -> Vector:
        """What the formula of a cell gives in a world, its block b taken for the world's. Raises NotUnderstood."""
        cell = self.cell(at)
        assert cell is not None
        _, known = self._worlds.setdefault((id(world), scale.tobytes(), b), (world, {}))

        def in_table(place: At) -> Found:
            if place in self.cells:
                m, block = self.cells[place]
                j = max(block if b == 0 else JUDGED + block - b, 0)
                return world.values[m, j] * scale[m] if j < BLOCKS else np.full(RUNS, np.nan)
            return world.given[self.given_cells[place]]

        def look(sheet: str, row: int, col: int) -> Found:
            place = sheet, row, col
            if place in self.cells or place in self.given_cells:
                return in_table(place)
            other = self.cell(place)
            return known[place] if other and other.formula else _stored(other)

        def helpers(place: At) -> list[At]:
            return [p for p in self._formulas_of(place) if p not in self.cells and p not in self.given_cells]

        def work(place: At) -> Found:
            helper = self.cell(place)
            assert helper is not None
            tree = parse(helper.formula)
            return calculate(tree, self._home(place, helper), look, self.name, RUNS, helper.offset)

        if at in self._formulas_of(at):
            return np.full(RUNS, np.nan)  # whatever it says: a cell that refers to itself has no value
        for place in helpers(at):
            settle(place, known, helpers, work)
        return calculate(parse(cell.formula), self._home(at, cell), look, self.name, RUNS, cell.offset)

    def _formulas_of(self, at: At) -> list[At]:
        """The cells with formulas that a formula refers to. Raises NotUnderstood."""
        cell = self.cell(at)
        if cell is None or not cell.formula:
            return []
        home = self._home(at, cell)
        found = [place for name in names_of(parse(cell.formula)) if (place := self.name(name))]
        for area in cells_in(cell.formula):
            corners = area.first.at(*home[1:]), (area.last or area.first).at(*home[1:])
            (top, bottom), (left, right) = (sorted(pair) for pair in zip(*corners, strict=True))
            if (bottom - top + 1) * (right - left + 1) > MOST_CELLS:
                raise NotUnderstood("a long range")
            sheet = area.sheet or home[0]
            found += [(sheet, r, c) for r in range(top, bottom + 1) for c in range(left, right + 1)]
        return [place for place in found if (other := self.cell(place)) and other.formula]

    # Values that the file does not store

    def number(self, at: At) -> float | None:
        """The number that a cell shows, also where the file has not stored it; None when there is none."""
        cell = self.cell(at)
        if cell is None or cell.is_error or isinstance(cell.value, bool):
            return None
        value = self._computed(at) if cell.formula and cell.value is None else cell.value
        return number_of(value) if isinstance(value, str) else value

    def _computed(self, at: At) -> float | None:
        def uncached(place: At) -> list[At]:
            try:
                return [p for p in self._formulas_of(place) if (other := self.cell(p)) and other.value is None]
            except NotUnderstood:
                return []

        def look(sheet: str, row: int, col: int) -> Found:
            place = sheet, row, col
            other = self.cell(place)
            if other and other.formula and other.value is None:
                value = self._memo.get(place)
                return np.array([np.nan if value is None else value])
            return np.array([np.nan]) if other and other.is_error else _stored(other)

        def work(place: At) -> float | None:
            cell = self.cell(place)
            assert cell is not None
            try:
                return float(
                    calculate(parse(cell.formula), self._home(place, cell), look, self.name, 1, cell.offset)[0]
                )
            except NotUnderstood:
                return None

        try:
            settle(at, self._memo, uncached, work)
        except NotUnderstood:
            self._memo[at] = None  # a circle has no value
        return self._memo[at]


Known = TypeVar("Known")


def settle(start: At, known: dict[At, Known], needs: Callable[[At], list[At]], work: Callable[[At], Known]) -> None:
    """Fill in known[start] and before it what it needs, step by step: a chain of helper cells may be long.

    Raises NotUnderstood when a cell needs itself.
    """
    waiting, opened = [start], set[At]()
    while waiting:
        place = waiting[-1]
        if place not in known and place not in opened:
            opened.add(place)
            missing = [p for p in needs(place) if p not in known]
            if opened.intersection(missing):
                raise NotUnderstood("a circle")
            waiting += missing
            if missing:
                continue
        if place not in known:
            known[place] = work(place)
        opened.discard(place)
        waiting.pop()


def _stored(cell: SubmittedCell | None) -> Found:
    if cell is None or cell.value is None:
        return None
    if isinstance(cell.value, str):
        number = number_of(cell.value)
        return cell.value if number is None else number
    return float(cell.value)


def number_of(text: str) -> float | None:
    """The number that a text is, also with a decimal comma; None when it is none.

    >>> number_of("0,25"), number_of("1.234,5"), number_of(" -3 "), number_of("n/a")
    (0.25, 1234.5, -3.0, None)
    """
    text = text.replace("\N{MINUS SIGN}", "-")
    local = LOCAL_NUMBER.fullmatch(text)
    if local:
        return float(local[1] + re.sub(r"[.\s]", "", local[2]) + "." + local[3] + local[4])
    return float(text) if PLAIN_NUMBER.fullmatch(text) else None
