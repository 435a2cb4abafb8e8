"""What a run asks of an experiment's data, whatever kind they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.callback import Callback, Logs
from simulator.nn.model import Model

History = Mapping[str, list[float]]


class Measure(NamedTuple):
    """What is watched beside the loss: its name in a history, its unit, whether more of it is better, and the threshold
    that a workbook begins with."""

    name: str
    unit: str
    rises: bool
    threshold: float


class Tested(NamedTuple):
    """Of a trained network: results by their names in the log book, and what else a record keeps."""

    results: dict[str, float]
    more: dict[str, Any]


class Task(ABC):
    """An experiment's data, loaded and split, and what is done with them.

    Made of the experiment, its settings, a seed and the number of samples, None for all. kind says which figures and
    sheets a report has, counted what of it is counted a second; an_epoch is how many of those an epoch has. samples are
    those that are trained on, of all.
    """

    kind: ClassVar[str]
    measure: ClassVar[Measure]
    counted: ClassVar[str] = "examples"
    samples: int
    all: int
    an_epoch: int

    @abstractmethod
    def __init__(self, experiment: Experiment, settings: Settings, seed: int, samples: int | None) -> None: ...

    @abstractmethod
    def fit(self, model: Model, begun: int, epochs: int, keeper: Callback) -> None:
        """Train from the epoch `begun`, counted from 0, to the number of epochs."""

    @abstractmethod
    def test(self, model: Model, history: History) -> Tested: ...

    @abstractmethod
    def sample(self, number: int) -> tuple[Any, Any]:
        """Sample and label of that number, counted from 0, of what the network is tested on. Raises SettingError."""

    def named(self, number: int) -> str:
        """How that sample is called."""
        return str(number)

    def measured(self, logs: Logs) -> Logs:
        """The numbers of an epoch, with those that follow from them."""
        return logs

    def noted(self, model: Model, epoch: int) -> Any:
        """What is kept of an epoch, counted from 1, beside its numbers; None for nothing."""
        return None
