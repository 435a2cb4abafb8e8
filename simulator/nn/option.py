"""Options with Keras's names: an unknown one is refused with the nearest there is."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self, TypeVar

from simulator.errors import SettingError

T = TypeVar("T")


class Configured:
    """Base of layers and optimizers: dataclasses whose fields are the options."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        known = [name for name in inspect.signature(cls).parameters if name != "name"]
        for name in options:
            if name not in (*known, "name"):
                raise SettingError(
                    f"{cls.__name__} takes {', '.join(known) or 'no options'}. Received: {name}={options[name]!r}."
                    f"{nearest(name, known)}"
                )
        if len(args) > len(known):
            raise SettingError(f"{cls.__name__} takes {', '.join(known) or 'no options'}. Received: {args!r}.")
        return super().__new__(cls)

    def config(self) -> dict[str, Any]:
        """The options that differ from their defaults, as plain values."""
        found: dict[str, Any] = {}
        for f in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, f.name)
            if f.init and (value != f.default or f.name == "name"):
                found[f.name] = value
        return found


def nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


def chosen(what: str, name: object, table: Mapping[str, T]) -> T:
    """The entry of a table. Raises SettingError, with the nearest name, when there is none."""
    if isinstance(name, str) and name in table:
        return table[name]
    hint = nearest(name, list(table)) if isinstance(name, str) else ""
    raise SettingError(f"{what} must be one of {', '.join(table)}. Received: {name!r}.{hint}")


def require(holds: bool, rule: str, received: object, advice: str = "") -> None:
    """Raises SettingError with the rule and what was received, unless it holds."""
    if not holds:
        raise SettingError(f"{rule} Received: {received}.{' ' + advice if advice else ''}")


def pair(value: object, axes: int, what: str) -> tuple[int, ...]:
    """A size per axis from a number or a tuple, as Keras takes them."""
    sizes = (value,) * axes if isinstance(value, int) else value
    good = isinstance(sizes, tuple | list) and len(sizes) == axes and all(isinstance(n, int) and n > 0 for n in sizes)
    require(good, f"{what} must be a positive whole number or {axes} of them.", value)
    return tuple(sizes)  # type: ignore[arg-type]
