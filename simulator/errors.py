"""Errors: the rule, what was received, what to do.

Each one also inherits the built-in that it refines, so `except ValueError` keeps working.
A student's mistake is a returned value, never an exception.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The last sentence of a message about an unknown name, or nothing when no known one is like it.

    >>> did_you_mean("sigmod", ["tanh", "sigmoid"])
    " Did you mean 'sigmoid'?"
    >>> did_you_mean("ReLU", ["relu", "elu"])
    " Did you mean 'relu'?"
    """
    names = list(known)
    same = [other for other in names if other.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    return f" Did you mean '{near[0]}'?" if near else ""


def public(cls: type) -> list[str]:
    """The names that a class is used by."""
    return [name for name in dir(cls) if not name.startswith("_")]


def missing(module: str, names: Sequence[str]) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module with these names: it raises AttributeError with the nearest of them, or with all.

    It stands under `if not TYPE_CHECKING`: a type checker would take every name for one that is there.

    >>> missing("simulator.nn.layers", ["Conv2D", "Dense"])("Dens")
    Traceback (most recent call last):
    AttributeError: simulator.nn.layers has no Dens. Did you mean 'Dense'?
    """

    def of(name: str) -> NoReturn:
        advice = did_you_mean(name, names) or f" It has {', '.join(names)}."
        raise AttributeError(f"{module} has no {name}.{advice}", name=name, obj=None)  # Python adds no hint of its own

    return of


class SimulatorError(Exception):
    """Wrong use or a broken file; the command line prints it as one sentence and exits with status 2."""


class ShapeError(SimulatorError, ValueError):
    """Two arrays do not fit together."""


class SettingError(SimulatorError, ValueError):
    """An unknown or unusable name, value or number of epochs."""


class LayoutError(SimulatorError, ValueError):
    """Tables that overlap, or a sheet that is too small."""


class WorkbookError(SimulatorError, OSError):
    """A workbook that cannot be read or written."""


class SubmissionError(WorkbookError):
    """A handed-in file that is no workbook, is damaged or costs too much to read."""


class DataError(SimulatorError, OSError):
    """A data set that can't be had, or isn't what it should be."""


class ModelError(SimulatorError, OSError):
    """A saved model, or what is kept of its training, that can't be read or written."""


class TrainingError(SimulatorError, ArithmeticError):
    """A training whose numbers have left what can be computed with."""


class MemoryNeededError(SimulatorError, MemoryError):
    """More memory than the machine has free, said before any of it is taken."""


class EngineError(SimulatorError, RuntimeError):
    """A spreadsheet engine that is missing or has crashed."""
