"""Options with Keras's names: an unknown one is refused with the nearest there is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Self, TypeVar

import numpy as np

from simulator.errors import SettingError, did_you_mean

T = TypeVar("T")
LONGEST_NAME, MARKS = 60, " -_.,()+"
EVERYWHERE = ("name", "trainable", "input_shape")  # options of all layers, which a list of a layer's own leaves out


class Configured:
    """Base of layers and optimizers: dataclasses whose fields are the options."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        parameters = inspect.signature(cls).parameters
        known = [name for name in parameters if name not in EVERYWHERE]
        for name in options:
            if name not in parameters:
                raise SettingError(
                    f"{cls.__name__} takes {', '.join(known) or 'no options'}. Received: {name}={options[name]!r}."
                    f"{did_you_mean(name, known)}"
                )
        if len(args) > len(known):
            raise SettingError(f"{cls.__name__} takes {', '.join(known) or 'no options'}. Received: {args!r}.")
        for name, value in {**dict(zip(known, args, strict=False)), **options}.items():
            _check(cls.__name__, name, value, parameters[name].default)
        return super().__new__(cls)

    def config(self) -> dict[str, Any]:
        """The options that differ from their defaults, as plain values."""
        found: dict[str, Any] = {}
        for f in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, f.name)
            if f.init and (value != f.default or f.name == "name"):
                found[f.name] = value
        return found


def _check(owner: str, name: str, value: Any, default: object) -> None:
    """Raises SettingError when a value isn't of the kind of its default."""
    rule = ""
    if isinstance(default, bool) and not isinstance(value, bool | np.bool_):
        rule = "True or False"
    elif isinstance(default, float) and name != "learning_rate":
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        rule = "" if number and math.isfinite(value) else "a finite number"
    elif name == "name":
        good = isinstance(value, str) and len(value) <= LONGEST_NAME and all(c.isalnum() or c in MARKS for c in value)
        rule = "" if good else f"a text of at most {LONGEST_NAME} letters, digits, spaces and {MARKS.strip()}"
    elif isinstance(default, str) and not name.endswith("_initializer"):
        rule = "" if isinstance(value, str) or (name == "activation" and value is None) else "a text"
    if rule:
        raise SettingError(f"{owner} needs {name} to be {rule}. Received: {value!r}.")


def name_checked(owner: str, name: object) -> None:
    """Raises SettingError for a name that sheets and files can't carry."""
    _check(owner, "name", name, "")


def chosen(what: str, name: object, table: Mapping[str, T]) -> T:
    """The entry of a table. Raises SettingError, with the nearest name, when there is none."""
    if isinstance(name, str) and name in table:
        return table[name]
    hint = did_you_mean(name, list(table)) if isinstance(name, str) else ""
    raise SettingError(f"{what} must be one of {', '.join(table)}. Received: {name!r}.{hint}")


def made(what: str, table: Mapping[str, Any], types: Mapping[str, Callable[..., T]]) -> T:
    """The object of a table with its type and options."""
    options = dict(table)
    return chosen(what, options.pop("type", ""), types)(**options)


def one_of(what: str, name: object, names: Iterable[str]) -> None:
    """Raises SettingError unless the name is one of these."""
    chosen(what, name, dict.fromkeys(names))


def require(holds: bool, rule: str, received: object, advice: str = "") -> None:
    """Raises SettingError with the rule and what was received, unless it holds."""
    if not holds:
        raise SettingError(f"{rule} Received: {received}.{' ' + advice if advice else ''}")


def is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def pair(value: object, axes: int, what: str) -> tuple[int, ...]:
    """A size per axis from a number or a tuple, as Keras takes them."""
    sizes = (value,) * axes if is_whole(value) else value
    good = isinstance(sizes, tuple | list) and len(sizes) == axes and all(is_whole(n) and n > 0 for n in sizes)
    require(good, f"{what} must be a whole number above 0, or {axes} of them.", repr(value))
    return tuple(sizes)  # type: ignore[arg-type]
