"""Jena's weather: its columns by their names, which part it is, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from simulator.datasets import series
from simulator.datasets.series import FEATURES, load_climate
from simulator.errors import DataError
from tests.datasets.weather import put_weather

NUMBERS = np.arange(42.0).reshape(3, 14) / 4


def test_columns_are_found_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_weather(tmp_path, monkeypatch, NUMBERS)
    climate = load_climate()
    assert (climate.numbers == NUMBERS).all()
    assert (climate.first, climate.last) == ("0 o'clock", "2 o'clock")
    assert climate.part == "3 rows of 2024 in place of 420,451 of 2009 to 2016"


def test_all_years_come_first_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_weather(tmp_path, monkeypatch, NUMBERS)
    heading = ",".join(f'"{name}"' for name in ("Date Time", *FEATURES))
    rows = [f"0{k}.01.2009 00:10:00," + ",".join(["1.5"] * 14) for k in (1, 2)]
    whole = tmp_path / series.NAME / series.WHOLE
    whole.write_text("\n".join([heading, *rows]))
    with pytest.raises(DataError, match=re.escape("has 420,451 rows. Received: '") + ".* with 2"):
        load_climate()
    monkeypatch.setattr(series, "ROWS", 2)
    assert load_climate().part == "all of 2009 to 2016"
    assert load_climate().numbers.shape == (2, 14)


def test_files_without_a_column_or_with_words_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Date Time," + ",".join(FEATURES[:-1]) + "\n")
    with pytest.raises(DataError, match=re.escape("has a column for wd (deg). Received: '")):
        series.read_climate(path)
    path.write_text("Date Time," + ",".join(FEATURES) + "\nnow" + ",1" * 13 + ",calm\n")
    with pytest.raises(DataError, match=re.escape("is a number in every column. Received: '")):
        series.read_climate(path)
