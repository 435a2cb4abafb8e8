"""A lesson: its inputs, its first parameters, its equations.

# m samples; epochs counted from first_epoch; a quantity's name is the lecture's symbol
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from simulator.tape.backward import Rules
from simulator.tape.expression import Expression

if TYPE_CHECKING:
    from simulator.lessons.run import Run

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Contrast:
    """Another lesson with the same parameters whose cost curve is drawn beside this one's, and what it shows."""

    lesson: str
    here: str  # this lesson's curve
    there: str  # the other one's
    sentence: str


@dataclass(frozen=True)
class Lesson:
    """One network and its training by hand.

    equations takes the arrays of `given` and `parameters` by name and returns the cost; it names the
    quantities that get columns. output is the quantity that predicts; samples is the axis of X that counts
    samples. entries names the columns of a quantity. data_sheet keeps X and Y off the training table.
    view is the sheet that shows the answer at an epoch, if any. columns names the columns of training where a
    lesson puts them in an order of its own; the updates then stand in the next row's parameters.
    """

    name: str
    title: str
    story: str
    given: Mapping[str, Matrix]
    parameters: Mapping[str, Matrix]
    equations: Callable[..., Expression]
    meanings: Mapping[str, str]
    output: str = "P"
    samples: int = 1
    learning_rate: float = 1.0
    first_epoch: int = 1
    epochs: int = 70
    threshold: float = 0.1
    gradient: str = "d{}"
    chain: bool = False
    rules: Rules = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    across: frozenset[str] = frozenset()
    axes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    data_sheet: bool = False
    view: Literal["Boundary", "Fit", ""] = "Boundary"
    columns: tuple[str, ...] = ()
    contrast: Contrast | None = None
    origin: Mapping[str, str] = field(default_factory=dict)  # how to make it again when it has no name of its own

    def run(self, epochs: int | None = None, settings: Mapping[str, float] | None = None) -> Run:
        """Train, epoch by epoch, with the C library's functions in the formulas' own order.

        epochs: how far to count, 70 by default; settings: other values for the given numbers, named as in
        `simulator build --set`. Raises SettingError when one is unknown or out of range.

        >>> from simulator.lessons import find_lesson
        >>> run = find_lesson("xor").run(epochs=2)
        >>> round(float(run.column("cost")[0]), 3)
        0.732
        """
        from simulator.lessons.run import Run

        return Run.of(self, epochs, settings or {})
