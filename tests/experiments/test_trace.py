"""`simulator trace`: a place of a network that a run has left."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.cli import app
from simulator.errors import ModelError, SettingError
from simulator.experiments import EXPERIMENTS
from simulator.experiments.run import run_experiment, trained
from tests.datasets.pictures import put_small_data


def test_a_place_of_a_run_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_small_data(tmp_path / "data", monkeypatch)
    folder = tmp_path / "reports" / "mnist-convnet"
    outcome = run_experiment(EXPERIMENTS["mnist-convnet"], folder, epochs=1, samples=64)
    monkeypatch.chdir(tmp_path)
    words = ["trace", "mnist-convnet", "--layer", "1", "--at", "13,12,7", "--sample", "3"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "101 formulas, all agree" in done.output
    assert (tmp_path / "mnist-convnet-1-13-12-7.xlsx").is_file()
    outcome.model.save(tmp_path / "model.keras")
    again = CliRunner().invoke(app, [*words, "--model", "model.keras", "--out", "again.xlsx"])
    assert again.exit_code == 0, again.output


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_small_data(tmp_path / "data", monkeypatch)
    experiment = EXPERIMENTS["mnist-logistic"]
    with pytest.raises(ModelError, match=r"Train it first: simulator run mnist-logistic\."):
        trained(experiment, tmp_path / "absent")
    run_experiment(experiment, tmp_path / "there", epochs=1, samples=64)
    _, task = trained(experiment, tmp_path / "there")
    with pytest.raises(SettingError, match=r"A network of 'mnist-rate-1' .* a run of 'mnist-logistic'\. "):
        trained(EXPERIMENTS["mnist-rate-1"], tmp_path / "there")
    with pytest.raises(SettingError, match=r"--sample is from 0 to 63, a picture of the test\. Received: 64\."):
        task.sample(64)
