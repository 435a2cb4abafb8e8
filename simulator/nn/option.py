"""Options with Keras's names: an unknown one is refused with the nearest there is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from simulator.errors import SettingError, did_you_mean

T = TypeVar("T")
LONGEST_NAME, MARKS = 60, " -_.,()+"
EVERYWHERE = ("name", "trainable", "input_shape")  # options of all layers, which a list of a layer's own leaves out


# Options of Keras that are not here, and the values at which nothing depends on them
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "activity_regularizer": (None,),
    "amsgrad": (False,),
    "auto_scale_loss": (True, False),
    "axis": (-1,),
    "beta_constraint": (None,),
    "bias_constraint": (None,),
    "centered": (False,),
    "data_format": (None, "channels_last"),
    "dilation_rate": (1, (1, 1)),
    "dtype": (None, "float32"),
    "embeddings_constraint": (None,),
    "gamma_constraint": (None,),
    "groups": (1,),
    "implementation": (1, 2),
    "jit_compile": ("auto", True, False),
    "keepdims": (False,),
    "kernel_constraint": (None,),
    "loss_weights": (None,),
    "max_value": (None,),
    "mask_zero": (False,),
    "name": (None,),
    "noise_shape": (None,),
    "output_padding": (None,),
    "recurrent_constraint": (None,),
    "return_state": (False,),
    "run_eagerly": (True, False),
    "save_freq": ("epoch",),
    "steps_per_execution": (1,),
    "synchronized": (False,),
    "use_cudnn": ("auto", True, False),
    "threshold": (0.0,),
    "use_ema": (False,),
    "weighted_metrics": (None,),
}


# Names that Keras still takes, and what they are now
OLDER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "alpha": ("negative_slope", lambda slope: slope),
    "input_dim": ("input_shape", lambda size: (size,)),
}


def refuse_unknown(owner: str, options: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raises SettingError for options that aren't known here, unless Keras has them and the value changes nothing."""
    names = list(known)
    for name, value in options.items():
        same = WITHOUT_EFFECT.get(name, ())
        if not any(value is v or value == v for v in same):
            rule = f"{owner} takes {', '.join(names) or 'no options'}"
            advice = did_you_mean(name, names)
            if same:
                rule, advice = f"{owner} has {' or '.join(f'{name}={v!r}' for v in same)} alone", ""
            raise SettingError(f"{rule}. Received: {name}={value!r}.{advice}")


class _Checking(type):
    """Classes whose options are looked at before an object is made."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the options; without it, help would show the one of `__call__`."""
        return _signature(cls)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        parameters = _signature(cls).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return super().__call__(*args, **options)  # a subclass of the user's own, which passes them on
        known = [name for name in parameters if name not in EVERYWHERE]
        if options.get("name", "") is None:  # Keras's own default
            del options["name"]
        for older, (name, value_of) in OLDER.items():
            if older in options and older not in parameters and name in parameters:
                options[name] = value_of(options.pop(older))
        if isinstance(options.get("padding"), str):
            options["padding"] = options["padding"].lower()
        refuse_unknown(cls.__name__, {k: v for k, v in options.items() if k not in parameters}, known)
        if len(args) > len(known):
            raise SettingError(f"{cls.__name__} takes {', '.join(known) or 'no options'}. Received: {args!r}.")
        options = {name: value for name, value in options.items() if name in parameters}
        for name, value in {**dict(zip(known, args, strict=False)), **options}.items():
            _check(cls.__name__, name, value, parameters[name].default)
        made = super().__call__(*args, **options)
        made.begin()
        return made


@cache
def _signature(cls: Any) -> inspect.Signature:
    whole = inspect.signature(cls.__init__)
    return whole.replace(parameters=[p for p in whole.parameters.values() if p.name != "self"])


class Configured(metaclass=_Checking):
    """Base of layers and optimizers: dataclasses whose fields are the options."""

    def begin(self) -> None:
        """What is done once the options are there."""

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
        kinds = str | Path if name in ("filepath", "filename") else str
        rule = "" if isinstance(value, kinds) or (name == "activation" and value is None) else "a text"
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


def shown(value: Any) -> tuple[str, str]:
    """What was received where an object was expected, and what to do: a class lacks its brackets."""
    if isinstance(value, type):
        return f"the class {value.__name__}", f"Write {value.__name__}(...), with its brackets."
    return type(value).__name__ if isinstance(value, Configured) else f"{value!r:.60}", ""


def is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def pair(value: object, axes: int, what: str) -> tuple[int, ...]:
    """A size per axis from a number or a tuple, as Keras takes them."""
    sizes = (value,) * axes if is_whole(value) else value
    good = isinstance(sizes, tuple | list) and len(sizes) == axes and all(is_whole(n) and n > 0 for n in sizes)
    require(good, f"{what} must be a whole number above 0, or {axes} of them.", repr(value))
    return tuple(sizes)  # type: ignore[arg-type]
