"""How a marked workbook becomes points: a TOML file that a lecturer edits, and the score."""

from __future__ import annotations

import math
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.check.feedback import Feedback
from simulator.check.marking import Marking, Status
from simulator.errors import SettingError, did_you_mean
from simulator.nn.option import chosen, require

DEFAULT_RUBRIC_TEXT = """\
# How a marked workbook becomes points. What is left out keeps the value that it has here.

# What a student is told: "none" (the score alone), "cell" (which cell is wrong first),
# "hint" (and a question, but no expected number) or "full" (and what was expected).
feedback = "full"

# The part of its points that a cell gets which is right by the student's own numbers,
# while an earlier mistake has changed these: 1.0 marks a mistake once, 0.0 marks down all that follows.
carried = 1.0

# Points per stage; their sum is the maximum. A stage earns the part of its cells that are right. Only cells that
# the student had to fill in count; a stage without any gives its points to the others, in proportion.
# A stage that is left out of this table has no points.
[points]
parameter = 5
forward = 30
cost = 10
backward = 40
update = 15

# Points of single columns, taken from the maximum before the stages share the rest. For example:
# "dC/dZ" = 20
[columns]

# Points taken off, down to a score of 0.
[penalties]
own_error = 0        # for every own error
typed_over = 1       # for every own error of numbers typed where the cells around them hold a formula ...
typed_over_most = 5  # ... at most so many in all
"""
TABLES = ("points", "columns", "penalties")


@dataclass(frozen=True)
class Rubric:
    """Points per stage and per column, penalties, and how much students are told; `DEFAULT_RUBRIC_TEXT` explains it."""

    feedback: Feedback
    carried: float
    points: Mapping[str, float]
    columns: Mapping[str, float]
    own_error: float
    typed_over: float
    typed_over_most: float

    @property
    def maximum(self) -> float:
        return math.fsum(self.points.values())

    def earned(self, status: Status) -> float:
        """The part of its points that a cell gets: all when it is right, none when it is wrong or not there."""
        return {Status.CORRECT: 1.0, Status.CARRIED: self.carried}.get(status, 0.0)


def read_rubric(path: Path) -> Rubric:
    """The rubric of a TOML file. Raises SettingError when it can't be read or has something that no rubric has."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(f"A rubric must be a file of UTF-8 text. Received: '{path}' ({reason}).") from None
    return parse_rubric(text)


def parse_rubric(text: str) -> Rubric:
    """The rubric of a TOML text.

    >>> parse_rubric('feedback = "hint"').feedback
    <Feedback.HINT: 'hint'>
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"A rubric must be TOML. Received: {error}.") from None
    default = tomllib.loads(DEFAULT_RUBRIC_TEXT)
    _keys_checked("A rubric", given, default)
    for name in TABLES:
        table = given.get(name, {})
        require(isinstance(table, dict), f"[{name}] must be a table of names and points.", repr(table))
        if name != "columns":
            _keys_checked(f"[{name}]", table, default[name])
        for key, value in table.items():
            _number_checked(f"[{name}] {key}", value)
    table = {**default, **given, "penalties": {**default["penalties"], **given.get("penalties", {})}}
    chosen("feedback", table["feedback"], dict.fromkeys(Feedback))
    _number_checked("carried", table["carried"], most=1)
    points, columns = table["points"], table["columns"]
    require(sum(points.values()) > 0, "A rubric gives points to at least one stage.", f"[points] {points}")
    require(
        sum(columns.values()) <= sum(points.values()),
        f"[columns] shares out the {sum(points.values()):g} points of [points].",
        f"{sum(columns.values()):g} points",
        "Give the columns less, or the stages more.",
    )
    return Rubric(Feedback(table["feedback"]), table["carried"], points, columns, **table["penalties"])


def score(marking: Marking, rubric: Rubric) -> float:
    """The points of a marking, from 0 to rubric.maximum.

    Every stage (and every column with points of its own) is worth its points times the share of its judged cells that
    are right: correct ones count 1, carried ones rubric.carried, all others nothing. A mistake that repeats down a
    column costs these cells and no others. Then the penalties are taken off.
    Raises SettingError when the rubric has no points for anything that was to be filled in.
    """
    columns: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, list[float]] = defaultdict(list)
    judged = [(mark.quantity, mark.stage, rubric.earned(mark.status)) for mark in marking.judged]
    judged += [(*which, 0.0) for which, cells in marking.absent.items() for _ in range(cells)]
    for quantity, stage, part in judged:
        if quantity in rubric.columns:
            columns[quantity].append(part)
        elif stage in rubric.points:
            stages[stage].append(part)
    column_worth = {name: rubric.columns[name] for name in columns}
    stage_worth = {name: rubric.points[name] for name in stages}
    of_columns, of_stages = math.fsum(column_worth.values()), math.fsum(stage_worth.values())
    require(
        of_columns + of_stages > 0,
        "A rubric gives points to what a workbook asks for.",
        f"none for {', '.join(sorted({m.quantity for m in marking.judged})) or 'any cell'} in '{marking.file}'",
    )
    if of_stages:
        scale = (rubric.maximum - of_columns) / of_stages
        stage_worth = {name: worth * scale for name, worth in stage_worth.items()}
    else:
        column_worth = {name: worth * rubric.maximum / of_columns for name, worth in column_worth.items()}
    earned = math.fsum(
        worth[name] * math.fsum(cells) / len(cells)
        for worth, parts in ((column_worth, columns), (stage_worth, stages))
        for name, cells in parts.items()
    )
    typed = sum(error.status is Status.TYPED_OVER for error in marking.errors) * rubric.typed_over
    penalty = len(marking.errors) * rubric.own_error + min(typed, rubric.typed_over_most)
    return max(round(earned - penalty, 9), 0.0)  # nine decimals: so that all cells right are the maximum itself


def _keys_checked(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    for key in given:
        require(key in known, f"{owner} takes {', '.join(known)}.", f"'{key}'", did_you_mean(key, known).strip())


def _number_checked(name: str, value: Any, most: float = math.inf) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    rule = "a number, 0 or more" if most == math.inf else f"a number from 0 to {most:g}"
    require(number and 0 <= value <= most, f"{name} must be {rule}.", repr(value))


DEFAULT = parse_rubric(DEFAULT_RUBRIC_TEXT)
