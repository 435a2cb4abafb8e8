"""A temperature a day ahead, from five days of weather.

# N rows every ten minutes, F features; windows (n, 120, F), one row an hour
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from simulator.datasets.series import FEATURES, TEMPERATURE, load_climate
from simulator.errors import SettingError
from simulator.experiments.experiment import Experiment, Settings, in_range, whole
from simulator.experiments.task import History, Measure, Task, Tested
from simulator.nn.callback import Callback
from simulator.nn.model import Model

RATE, LENGTH = 6, 120  # rows from one of a window to the next; how many a window has
SPAN = RATE * (LENGTH - 1)  # rows from the first of a window to its last
DELAY = RATE * (LENGTH + 24 - 1)  # rows from the first of a window to what is to be said: a day after its last
SHARES = 0.5, 0.25  # of the rows, for training and validation; the rest is for the test
SHOWN = 24 * 14  # hours of the test that a record keeps
TESTED = 256  # windows of a batch
Array = NDArray[np.float64]


class Windows(NamedTuple):
    """x (n, 120, F) in float32, normalised, a view of the rows; y (n, 1) and the naive answer (n, 1) in degrees."""

    x: NDArray[np.float32]
    y: Array
    naive: Array


class Series(Task):
    """Windows of the first half for training, of the next quarter for validation, of the last for the test.

    Source: Chollet, Deep Learning with Python (2nd ed. 2021), chapter 10.
    """

    kind = "series"
    measure = Measure("mae", "degrees Celsius", rises=False, threshold=2.5)
    answers: Array

    def __init__(self, experiment: Experiment, settings: Settings, seed: int, samples: int | None) -> None:
        self.climate, self.batch = load_climate(), int(settings["batch_size"])
        self.train, self.held, self.tests = windows_of(self.climate.numbers)
        there = len(self.train.x)
        self.all = there
        self.samples = self.an_epoch = there if samples is None else min(whole(samples, "--samples"), there)
        x, y, naive = self.train
        self.train = Windows(x[: self.samples], y[: self.samples], naive[: self.samples])

    def fit(self, model: Model, begun: int, epochs: int, keeper: Callback) -> None:
        model.fit(
            self.train.x,
            self.train.y,
            batch_size=self.batch,
            epochs=epochs,
            verbose=0,
            initial_epoch=begun,
            validation_data=(self.held.x, self.held.y),
            callbacks=[keeper],
        )

    def sample(self, number: int) -> tuple[Any, Any]:
        k = in_range(number, len(self.tests.x), "a window of the test")
        return self.tests.x[k], self.tests.y[k]

    def test(self, model: Model, history: History) -> Tested:
        self.answers = model.predict(self.tests.x, TESTED)
        found = {"test MAE": error(self.answers, self.tests), "training MAE": history["mae"][-1]}
        found["best validation MAE"] = min(history["val_mae"])
        found["naive validation MAE"] = error(self.held.naive, self.held)
        found["naive test MAE"] = error(self.tests.naive, self.tests)
        hours = slice(0, RATE * SHOWN, RATE)
        curves = {"measured": self.tests.y, "forecast": self.answers, "naive": self.tests.naive}
        shown = {name: np.round(curve[hours, 0], 3).tolist() for name, curve in curves.items()}
        part = f"{self.climate.part}, {self.climate.first} to {self.climate.last}"
        levels = {"naive, validation": found["naive validation MAE"]}
        return Tested(found, {"part": part, "shown": shown, "levels": levels})


def windows_of(numbers: Array) -> tuple[Windows, Windows, Windows]:
    """All windows for training, validation and the test; mean and deviation are those of the rows for training.

    Raises SettingError when there are too few rows.
    """
    first = int(SHARES[0] * len(numbers))
    second = first + int(SHARES[1] * len(numbers))
    mean, deviation = numbers[:first].mean(axis=0), numbers[:first].std(axis=0)
    rows = ((numbers - mean) / deviation).astype(np.float32)
    edges = (0, first), (first, second), (second, len(numbers) - DELAY)
    if min(b - a for a, b in edges) <= SPAN:
        raise SettingError(f"Each part of a series has more than {SPAN} rows. Received: {len(numbers)} rows in all.")
    found = []
    for a, b in edges:
        x = sliding_window_view(rows[a:b], SPAN + 1, axis=0)[..., ::RATE].swapaxes(1, 2)
        starts = a + np.arange(len(x))
        temperature = numbers[:, TEMPERATURE, None]
        found.append(Windows(x, temperature[starts + DELAY], temperature[starts + SPAN]))
    return found[0], found[1], found[2]


def error(answers: Array, windows: Windows) -> float:
    """The mean absolute error in degrees."""
    return float(np.abs(answers - windows.y).mean())


SHAPE = LENGTH, len(FEATURES)
