"""The given numbers of a lesson: each once, with its name, its limits and its cell.

A name is what `--set` takes and what the workbook defines: learning_rate, W_0, X_2_1. A scalar array whose
name would read as a cell (b2) keeps its index: b2_0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from simulator.errors import SettingError, did_you_mean
from simulator.lessons.lesson import Lesson
from simulator.tape.expression import Expression, Index, given, indices, squeezed
from simulator.tape.scalar import Position

PARAMETERS, DATA, BOUNDARY, CHECK, FIT = "Parameters", "Data", "Boundary", "Gradient check", "Fit"
PICKERS = ("boundary_epoch", "fit_epoch", "check_epoch")
SWEEP_RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
FIRST_SCALAR_ROW = 4  # on the sheet Parameters
LIMIT = 1e6
At = tuple[str, int, int] | None  # sheet, row, column


@dataclass(frozen=True)
class Setting:
    """One given number: value within low and high, kind "decimal" or "integer", and its cell."""

    name: str
    value: float
    meaning: str
    kind: str
    low: float
    high: float
    sheet: str
    row: int
    col: int
    leaf: Expression
    index: Index


class ArrayPlace(NamedTuple):
    """Where an array of given numbers stands: its title row, and the cell of its first entry."""

    leaf: Expression
    meaning: str
    sheet: str
    title_row: int
    row: int
    col: int
    across: bool


@dataclass
class Settings:
    items: dict[str, Setting] = field(default_factory=dict)
    leaves: dict[str, Expression] = field(default_factory=dict)
    arrays: list[ArrayPlace] = field(default_factory=list)

    def __getitem__(self, name: str) -> float:
        return self.items[name].value

    @property
    def places(self) -> dict[int, Callable[[Index], Position]]:
        """Where the leaves of the equations are, for `Table.outside`."""
        cells = {(s.leaf.serial, s.index): Position(s.sheet, s.row, s.col, False) for s in self.items.values()}
        return {leaf.serial: _finder(cells, leaf.serial) for leaf in self.leaves.values()}

    @property
    def numbers(self) -> dict[tuple[int, Index], float]:
        return {(s.leaf.serial, s.index): s.value for s in self.items.values()}


def _finder(cells: Mapping[tuple[int, Index], Position], serial: int) -> Callable[[Index], Position]:
    return lambda index: cells[serial, index]


def setting_name(array: str, index: Index) -> str:
    """
    >>> setting_name("W", (1,)), setting_name("b", ()), setting_name("b2", ())
    ('W_1', 'b', 'b2_0')
    """
    if not index and re.fullmatch(r"[A-Za-z]{1,3}\d+|[RrCc]", array):
        index = (0,)
    return entry_label(array, index)


def entry_label(array: str, index: Index) -> str:
    """An entry where it is shown and needs no defined name: W_1, b, b2."""
    return "_".join([array, *map(str, index)])


def settings_of(lesson: Lesson, epochs: int, changed: Mapping[str, float], *, strict: bool = True) -> Settings:
    """All given numbers of a lesson, some of them changed.

    Raises SettingError for a name the lesson doesn't have and, when strict, for a value outside its limits.
    """
    s = Settings()
    first = changed.get("first_epoch", lesson.first_epoch)
    row = FIRST_SCALAR_ROW
    for name, value, meaning, kind, low, high, at in _scalars(lesson, first, first + block_count(lesson, epochs) - 1):
        leaf = s.leaves[name] = given(name, ())
        s.items[name] = Setting(name, float(value), meaning, kind, low, high, *(at or (PARAMETERS, row, 1)), leaf, ())
        row += not at
    row += 1
    data_col = 1
    for name, matrix in {**lesson.parameters, **lesson.given}.items():
        shape = (len(matrix), len(matrix[0]))
        leaf = s.leaves[name] = given(name, shape, lesson.meanings[name])
        across = name in lesson.across
        if lesson.columns and shape == (1, 1):
            at = PARAMETERS, row, 1
            number, meaning = float(matrix[0][0]), f"{name}, {leaf.meaning}"
            key = setting_name(name, ())
            s.items[key] = Setting(key, number, meaning, "decimal", -LIMIT, LIMIT, *at, leaf, (0, 0))
            row += 1
            continue
        if lesson.data_sheet and name in lesson.given:
            place = ArrayPlace(leaf, leaf.meaning, DATA, 2, 4, data_col, False)
            data_col += shape[1]
        else:
            place = ArrayPlace(leaf, leaf.meaning, PARAMETERS, row, row + 2, 1, across)
            row += (shape[1] if across else shape[0]) + 3
        s.arrays.append(place)
        for index in indices(shape):
            r, c = index[::-1] if across else index
            key = setting_name(name, squeezed(index, shape))
            number, at = float(matrix[index[0]][index[1]]), (place.sheet, place.row + r, place.col + c)
            s.items[key] = Setting(key, number, f"{leaf.meaning} {name}", "decimal", -LIMIT, LIMIT, *at, leaf, index)
    for name, value in changed.items():
        s.items[name] = _changed(s, lesson, name, value, strict)
    return s


def _scalars(lesson: Lesson, first: float, last: float) -> Iterator[tuple[str, float, str, str, float, float, At]]:
    """Name, value, meaning, kind, limits, and the cell where it isn't in the list on Parameters."""
    decimal, integer, here = "decimal", "integer", None
    yield "learning_rate", lesson.learning_rate, "learning rate of the sheet Training", decimal, 0, 1000, here
    yield "first_epoch", lesson.first_epoch, "number of the first epoch", integer, 0, LIMIT, here
    yield "threshold", lesson.threshold, "cost to get below: see the answers on Training", decimal, 0, LIMIT, here
    for i, rate in enumerate(SWEEP_RATES, 1):
        yield f"sweep_rate_{i}", rate, f"learning rate {i} of the sheet Sweep", decimal, 0, 1000, here
    if lesson.view == FIT:
        yield "fit_epoch", last, "epoch of the line drawn over the points", integer, first, last, (FIT, 2, 1)
    elif lesson.view == BOUNDARY:
        yield "boundary_epoch", last, "epoch to look at", integer, first, last, (BOUNDARY, 2, 1)
        yield "boundary_low", -0.5, "inputs from", decimal, -1000, 1000, (BOUNDARY, 3, 1)
        yield "boundary_high", 1.5, "inputs to", decimal, -1000, 1000, (BOUNDARY, 4, 1)
    yield "check_epoch", min(first + 1, last), "epoch to check", integer, first, last, (CHECK, 2, 1)
    yield "check_step", 1e-4, "step h of the central difference", decimal, 1e-9, 1, (CHECK, 3, 1)
    yield "check_tolerance", 1e-6, "largest difference that is green", decimal, 1e-15, 1, (CHECK, 4, 1)


def _changed(settings: Settings, lesson: Lesson, name: str, value: float, strict: bool) -> Setting:
    if name not in settings.items:
        hint = did_you_mean(name, settings.items)
        arrays = [] if lesson.columns else list(lesson.given)
        shown = [n for n in settings.items if n.split("_")[0] not in arrays]
        entries = f", and entries of {' and '.join(arrays)} such as X_0_1" if arrays else ""
        raise SettingError(
            f"--set takes a given number of the lesson '{lesson.name}': {', '.join(shown)}{entries}. "
            f"Received: '{name}'.{hint}"
        )
    old = settings.items[name]
    possible = math.isfinite(value) and old.low <= value <= old.high and (old.kind != "integer" or value == int(value))
    if strict and not possible:
        kind = "a whole number" if old.kind == "integer" else "a number"
        raise SettingError(
            f"{name} must be {kind} from {old.low:g} to {old.high:g}. Received: {value:g}. "
            f"Its own value is {old.value:g}; choose another one within the limits."
        )
    return replace(old, value=float(value))


def block_count(lesson: Lesson, epochs: int) -> int:
    """How many epochs the table shows: counted from 0, the last one is number `epochs`."""
    return epochs + 1 - lesson.first_epoch
