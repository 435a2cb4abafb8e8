"""What an experiment is: data, a network, how it is trained, and what the course's log book reports of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.datasets.image import Images
from simulator.errors import SettingError, did_you_mean
from simulator.nn.model import Model
from simulator.nn.option import is_whole, one_of, require

Settings = Mapping[str, Any]  # numbers and words
Prepare = Callable[[Images, Settings, int], Images]


def as_they_are(images: Images, settings: Settings, seed: int) -> Images:
    return images


@dataclass(frozen=True)
class Experiment:
    """build(settings, seed) gives the compiled model; settings has what --set may change.

    Among them are batch_size and, where a batch may be worked through in parts, micro_batch: their size, or 0 for none.
    A setting that is a word or a switch has its choices. versions has the log book's numbers by the settings that a run
    must have for them, fused among them, false where it trains step by step as equations; other runs then stand beside
    none.
    prepare(images, settings, seed) gives the data as this experiment has them; with a setting "shuffle" of 0 they keep
    their order. validation is the share of the training data that is held back; reported has the log book's numbers, by
    the names that a record has for them; remark says what else the log book notes.
    """

    name: str
    title: str
    data: str
    build: Callable[[Settings, int], Model]
    epochs: int
    settings: Settings
    prepare: Prepare = as_they_are
    validation: float = 0.0
    reported: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""
    choices: Mapping[str, Sequence[str | float]] = field(default_factory=dict)
    versions: Sequence[tuple[Settings, Mapping[str, float]]] = ()

    def reported_for(self, run: Settings) -> Mapping[str, float]:
        """The log book's numbers for the settings of a run."""
        others = {} if self.versions else self.reported
        return next((numbers for when, numbers in self.versions if when.items() <= run.items()), others)

    def settings_with(self, changes: Settings) -> dict[str, Any]:
        """All settings, some of them changed. Raises SettingError for one that isn't there, or can't be so."""
        for name, value in changes.items():
            require(
                name in self.settings,
                f"'{self.name}' has the settings {', '.join(self.settings)}.",
                name,
                did_you_mean(name, self.settings).strip(),
            )
            choices = self.choices.get(name, ())
            if any(isinstance(choice, str) for choice in choices):
                one_of(name, value, map(str, choices))
                continue
            require(not isinstance(value, str), f"{name} is a number.", f"'{value}'")
            require(not choices or value in choices, f"{name} is {' or '.join(map(str, choices))}.", f"{value:g}")
        found = {**self.settings, **changes}
        size = found["batch_size"]
        require(float(size).is_integer() and size > 0, "batch_size is a whole number above 0.", f"{size:g}")
        part = found.get("micro_batch", 0)
        rule = "micro_batch divides batch_size, or is 0 for none."
        require(part >= 0 and (not part or size % part == 0), rule, f"micro_batch {part:g}, batch_size {size:g}")
        return found


def at_once(settings: Settings) -> int:
    """How many samples are worked on at a time: a batch, or a part of it.

    >>> at_once({"batch_size": 20, "micro_batch": 5}), at_once({"batch_size": 20})
    (5, 20)
    """
    return int(settings.get("micro_batch") or settings["batch_size"])


def listed(settings: Settings) -> str:
    """
    >>> listed({"learning_rate": 1.0, "sampling": "random"})
    'learning_rate 1, sampling random'
    """
    return ", ".join(f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in settings.items())


def find_experiment(name: str) -> Experiment:
    """The experiment of that name. Raises SettingError, with the nearest, when there is none."""
    from simulator.experiments import EXPERIMENTS

    if name not in EXPERIMENTS:
        raise SettingError(
            f"An experiment is one of {', '.join(EXPERIMENTS)}. Received: '{name}'.{did_you_mean(name, EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def whole(value: Any, what: str) -> int:
    require(is_whole(value) and value > 0, f"{what} is a whole number above 0.", repr(value))
    return int(value)


def in_range(number: int, count: int, what: str) -> int:
    """The number. Raises SettingError unless there is such a sample."""
    require(0 <= number < count, f"--sample is from 0 to {count - 1:,}, {what}.", number)
    return number
