"""Series: windows as Keras cuts them, numbers of the training part only, and the naive forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.datasets.series import TEMPERATURE
from simulator.errors import SettingError
from simulator.experiments import EXPERIMENTS
from simulator.experiments.run import run_experiment
from simulator.experiments.series import DELAY, SPAN, error, windows_of
from tests.datasets.weather import put_weather

ROWS = 6800
JENA = [name for name in EXPERIMENTS if name.startswith("jena-")]


def weather(rows: int = ROWS) -> np.ndarray:
    """A temperature that goes up and down once a day, on 14 columns that differ."""
    t = np.arange(rows)
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 14))
    numbers[:, TEMPERATURE] = np.round(10 + 5 * np.sin(2 * np.pi * t / 144) + rng.normal(size=rows), 2)
    return numbers


@pytest.mark.parametrize("name", JENA)
def test_every_network_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_weather(tmp_path / "data", monkeypatch, weather())
    record = run_experiment(EXPERIMENTS[name], tmp_path, 1, 64, changes={"batch_size": 32}).record
    assert (record["kind"], record["samples"]) == ("series", 64)
    assert set(EXPERIMENTS[name].reported) <= set(record["results"])
    assert (
        record["part"] == f"{ROWS:,} rows of 2024 in place of 420,451 of 2009 to 2016, 0 o'clock to {ROWS - 1} o'clock"
    )
    assert len(record["shown"]["measured"]) == len(record["shown"]["forecast"])


def test_windows_are_those_of_keras() -> None:
    """Of keras.utils.timeseries_dataset_from_array, as the book calls it, for the part of the validation."""
    numbers = weather()
    train, held, tests = windows_of(numbers)
    first, second = ROWS // 2, ROWS // 2 + ROWS // 4
    mean, deviation = numbers[:first].mean(axis=0), numbers[:first].std(axis=0)
    rows = (numbers - mean) / deviation
    assert len(train.x) == first - SPAN
    assert len(held.x) == second - first - SPAN
    assert len(tests.x) == ROWS - second - DELAY - SPAN
    for windows, start in ((train, 0), (held, first), (tests, second)):
        for k in (0, 7, len(windows.x) - 1):
            np.testing.assert_allclose(windows.x[k], rows[start + k : start + k + SPAN + 1 : 6], atol=1e-5)
            assert windows.x[k].shape == (120, 14)
            assert windows.y[k] == numbers[start + k + 858, TEMPERATURE]
            assert windows.naive[k] == numbers[start + k + 714, TEMPERATURE]


def test_normalisation_knows_the_training_part_only() -> None:
    """What follows may be anything: the training windows stay as they are, to the last bit."""
    numbers = weather()
    changed = numbers.copy()
    changed[ROWS // 2 :] += 1000
    (before, *_), (after, *_) = windows_of(numbers), windows_of(changed)
    assert (before.x == after.x).all()
    np.testing.assert_allclose(before.x[:, 0].mean(), 0, atol=0.1)
    changed[0] += 1000
    assert (windows_of(changed)[0].x[1:] != before.x[1:]).any()


def test_the_naive_forecast_is_checked_by_hand() -> None:
    """The temperature rises by 0.5 a row: a day, 144 rows, later it is 72 degrees warmer than the naive forecast."""
    numbers = weather()
    numbers[:, TEMPERATURE] = 0.5 * np.arange(ROWS)
    for windows in windows_of(numbers):
        assert error(windows.naive, windows) == 72.0
        assert error(windows.y, windows) == 0.0


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(SettingError) as caught:
        windows_of(weather(6000))
    assert str(caught.value) == "Each part of a series has more than 714 rows. Received: 6000 rows in all."
