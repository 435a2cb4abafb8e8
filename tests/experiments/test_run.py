"""Runs of experiments on small data: what they leave, and that an interrupted one goes on to the same weights."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.datasets.image import load_images
from simulator.errors import MemoryNeededError, ModelError, SettingError
from simulator.experiments import EXPERIMENTS, PICTURES, find_experiment
from simulator.experiments.classifier import classifier, sgd
from simulator.experiments.experiment import Experiment, Settings
from simulator.experiments.run import CHECKPOINT, EARLIER, run_experiment
from simulator.nn.memory import need_of
from tests.datasets.pictures import put_small_data

LOGBOOK = Path(os.environ.get("SIMULATOR_DATA", "")) / ".." / "logbook" / "results.csv"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_small_data(tmp_path / "data", monkeypatch)
    monkeypatch.setenv("SIMULATOR_THREADS", "1")  # so that the memory needed is the same on all machines
    return tmp_path


ENLARGED = ("alexnet", "alexnet-simplified", "googlenet", "resnet")


@pytest.mark.parametrize("name", [e.name for e in PICTURES if e.name != "vgg"])  # whose weights alone take 500 MB
def test_every_experiment_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = 20 if name in ENLARGED else 100
    put_small_data(tmp_path / "data", monkeypatch, test=tests)
    samples = 16 if name in ENLARGED else 128
    outcome = run_experiment(EXPERIMENTS[name], tmp_path / "out", epochs=1, samples=samples)
    record = outcome.record
    assert record["epochs"] == len(record["history"]["loss"]) == 1
    assert np.isfinite(record["history"]["loss"]).all()
    assert set(EXPERIMENTS[name].reported) <= set(record["results"])
    assert sum(map(sum, record["confusion"])) == min(tests, samples)
    reported = EXPERIMENTS[name].reported.get("parameters")
    assert reported is None or reported == record["results"]["parameters"]


PARAMETERS = {  # as PyTorch counts those of the papers' networks, with one channel and ten classes
    "alexnet": 46_764_746,
    "vgg": 128_806_154,
    "googlenet": 5_977_530,
    "resnet": 11_178_378 + 7_808,  # and moving statistics
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_large_networks_have_the_papers_parameters(name: str) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.build(experiment.settings, 0).count_params() == PARAMETERS[name]


def test_pictures_stand_beside_noise_or_zeros(small: Path) -> None:
    experiment = EXPERIMENTS["mnist-noise-channels"]
    noisy, zeros = (
        run_experiment(experiment, small, epochs=1, samples=64, changes={"noise": noise}).task.images
        for noise in (1, 0)
    )
    assert noisy.x_train.shape == (300, 28, 56, 1)
    assert (noisy.x_test[..., :28, :] == zeros.x_test[..., :28, :]).all()
    assert zeros.x_test[..., 28:, :].max() == 0
    assert noisy.x_test[..., 28:, :].mean() == pytest.approx(0.5, abs=0.01)
    again = experiment.prepare(load_images("mnist"), {"noise": 1}, 0)
    assert (again.x_train == noisy.x_train).all()


def test_unshuffled_pictures_come_class_after_class(small: Path) -> None:
    experiment = EXPERIMENTS["fashion-mlp-adam"]
    outcome = run_experiment(experiment, small, epochs=2, changes={"shuffle": 0})
    x, y = outcome.task.images.x_train, outcome.task.images.y_train
    assert (np.diff(y) >= 0).all()
    model = experiment.build(outcome.record["settings"], 0)
    model.fit(x, y, batch_size=128, epochs=2, shuffle=False, verbose=0)
    assert same(model, outcome.model)
    assert not same(model, run_experiment(experiment, small / "shuffled", epochs=2).model)


def test_a_network_learns_what_is_easy(small: Path) -> None:
    said: list[str] = []
    outcome = run_experiment(EXPERIMENTS["mnist-96-96"], small, epochs=8, say=said.append)
    assert outcome.record["results"]["test accuracy"] > 0.95
    assert said[0].startswith("training takes ")
    assert len(said) == 1 + 8 + 1
    assert re.fullmatch(r"epoch 1 of 8: loss .*; \d+ s, [\d,]+ examples a second, about \d+ s left", said[1])
    assert outcome.record["apart"] == []


def test_what_a_run_has_of_its_own_is_recorded(small: Path) -> None:
    outcome = run_experiment(EXPERIMENTS["mnist-rate-1"], small, 1, 100, changes={"learning_rate": 0.5})
    assert outcome.record["apart"] == ["learning_rate 0.5 instead of learning_rate 1", "100 of 300 samples"]


def test_an_earlier_run_is_set_aside(small: Path) -> None:
    experiment, said = EXPERIMENTS["mnist-rate-1"], []
    run_experiment(experiment, small / "out", 1)
    run_experiment(experiment, small / "out", 2, resume=True)
    assert not (small / "out" / EARLIER).exists()
    first = (small / "out" / CHECKPOINT).read_bytes()
    run_experiment(experiment, small / "out", 1, seed=1, say=said.append)
    assert (small / "out" / EARLIER).read_bytes() == first
    assert said[1] == "the checkpoint of an earlier run is kept as earlier.safetensors"


def test_a_place_that_takes_no_checkpoint_is_refused_before_training(small: Path) -> None:
    (small / "file").write_text("")
    (small / "folder" / CHECKPOINT).mkdir(parents=True)
    for out in (small / "file", small / "folder"):
        said: list[str] = []
        with pytest.raises(ModelError, match=r"A checkpoint needs a folder .* Choose another place with --out"):
            run_experiment(EXPERIMENTS["mnist-rate-1"], out, 1, say=said.append)
        assert said == []


def same(a: Any, b: Any) -> bool:
    return all((x == y).all() for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def test_a_resumed_run_ends_with_the_very_same_weights(small: Path) -> None:
    whole = run_experiment(EXPERIMENTS["mnist-rate-0.01"], small / "whole", epochs=4)
    run_experiment(EXPERIMENTS["mnist-rate-0.01"], small / "parts", epochs=2)
    parts = run_experiment(EXPERIMENTS["mnist-rate-0.01"], small / "parts", epochs=4, resume=True)
    assert same(whole.model, parts.model)
    assert parts.record["history"] == whole.record["history"]
    assert parts.record["results"] == whole.record["results"]
    other = run_experiment(EXPERIMENTS["mnist-rate-0.01"], small / "other", epochs=4, seed=1)
    assert not same(whole.model, other.model)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_that_is_killed_goes_on_to_the_same_weights(small: Path) -> None:
    """Killed in the middle of an epoch, by a signal that nothing can catch."""
    script = small / "run.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from simulator.datasets import image\n"
        f"image.SOURCES = {__import__('simulator').datasets.image.SOURCES!r}\n"
        "from simulator.experiments import find_experiment\n"
        "from simulator.experiments.run import run_experiment\n"
        "run_experiment(find_experiment('mnist-convnet'), Path(sys.argv[1]), epochs=40)\n"
    )
    process = subprocess.Popen([sys.executable, str(script), str(small / "killed")])
    checkpoint, waited = small / "killed" / CHECKPOINT, time.monotonic()
    while not checkpoint.exists() and time.monotonic() - waited < 60:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    first = json.loads(_metadata(checkpoint)["run"])["epoch"]
    assert 1 <= first < 40
    resumed = run_experiment(EXPERIMENTS["mnist-convnet"], small / "killed", epochs=first + 2, resume=True)
    whole = run_experiment(EXPERIMENTS["mnist-convnet"], small / "whole", epochs=first + 2)
    assert same(resumed.model, whole.model)


@pytest.mark.parametrize("step", [2, 5, 7])  # of 5 in an epoch: within the first, at its end, within the second
def test_a_run_that_is_interrupted_goes_on_within_its_epoch(
    step: int, small: Path, interrupted: Callable[[int], None]
) -> None:
    experiment, changes = EXPERIMENTS["alexnet-28"], {"batch_size": 64}
    whole = run_experiment(experiment, small / "whole", 3, changes=changes)
    interrupted(step)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, small / "parts", 3, changes=changes)
    said: list[str] = []
    epoch, within = (step - 1) // 5, (step - 1) % 5 + 1
    assert json.loads(_metadata(small / "parts" / CHECKPOINT)["run"])["epoch"] == epoch
    parts = run_experiment(experiment, small / "parts", 3, changes=changes, resume=True, say=said.append)
    assert said[0] == f"goes on after epoch {epoch}, step {within}"
    assert same(parts.model, whole.model)
    assert parts.record["history"] == whole.record["history"]
    assert parts.record["results"] == whole.record["results"]
    assert len(parts.record["history"]["loss"]) == 3


def test_a_run_within_an_epoch_is_not_resumed_for_fewer(small: Path, interrupted: Callable[[int], None]) -> None:
    experiment, changes = EXPERIMENTS["mnist-96-96"], {"batch_size": 60}
    interrupted(6)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, small, 3, changes=changes)
    said = "A run that was interrupted within an epoch goes on to its end. Received: --epochs 1. It is in epoch 2."
    with pytest.raises(SettingError, match=re.escape(said)):
        run_experiment(experiment, small, 1, changes=changes, resume=True)


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(str(path), "numpy") as file:
        return dict(file.metadata())


def test_what_does_not_fit_a_checkpoint_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = EXPERIMENTS["mnist-logistic"]
    with pytest.raises(
        ModelError, match=re.escape("--resume goes on from a checkpoint that a run has kept. Received: '")
    ):
        run_experiment(experiment, small / "absent", resume=True)
    monkeypatch.setenv("SIMULATOR_NUMBA", "0")
    run_experiment(experiment, small, epochs=1)
    with pytest.raises(SettingError, match=re.escape("Received: backend expressions, and the checkpoint has numpy.")):
        run_experiment(experiment, small, epochs=2, backend="expressions", resume=True)
    if find_spec("numba"):
        monkeypatch.delenv("SIMULATOR_NUMBA")
        with pytest.raises(SettingError, match="Received: backend numpy with Numba, and the checkpoint has numpy"):
            run_experiment(experiment, small, epochs=2, resume=True)
        monkeypatch.setenv("SIMULATOR_NUMBA", "0")
    with pytest.raises(SettingError, match=re.escape("Received: seed 5, and the checkpoint has 0.")):
        run_experiment(experiment, small, epochs=2, seed=5, resume=True)
    with pytest.raises(SettingError, match=r"Received: settings .*'learning_rate': 0.5"):
        run_experiment(experiment, small, epochs=2, changes={"learning_rate": 0.5}, resume=True)
    (small / CHECKPOINT).write_bytes((small / CHECKPOINT).read_bytes()[:-8])
    with pytest.raises(ModelError, match=re.escape("--resume goes on from a checkpoint")):
        run_experiment(experiment, small, epochs=2, resume=True)


def test_unknown_names_and_numbers_are_refused(small: Path) -> None:
    with pytest.raises(SettingError, match=re.escape("Received: 'lenett'. Did you mean 'lenet'?")):
        find_experiment("lenett")
    with pytest.raises(SettingError) as caught:
        run_experiment(EXPERIMENTS["lenet"], small, changes={"learningrate": 1})
    said = "'lenet' has the settings learning_rate, batch_size. Received: learningrate. Did you mean 'learning_rate'?"
    assert str(caught.value) == said
    with pytest.raises(SettingError, match=re.escape("batch_size is a whole number above 0. Received: 2.5.")):
        run_experiment(EXPERIMENTS["lenet"], small, changes={"batch_size": 2.5})
    with pytest.raises(SettingError, match=re.escape("shuffle is 0 or 1. Received: 2.")):
        EXPERIMENTS["fashion-mlp-adam"].settings_with({"shuffle": 2})
    with pytest.raises(SettingError, match=re.escape("--samples is a whole number above 0. Received: 0.")):
        run_experiment(EXPERIMENTS["lenet"], small, samples=0)


def test_too_little_memory_is_said_before_it_is_taken(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.nn.memory.free_memory", lambda: 600 * 2**20)
    with pytest.raises(MemoryNeededError) as caught:
        run_experiment(EXPERIMENTS["resnet"], small / "out")
    said = r"Received: 1\.\d GiB for batches of 64, and 0\.6 GiB free\. --set batch_size=16 needs 0\.\d GiB\."
    assert re.fullmatch("Training must fit into memory\\. " + said, str(caught.value))
    assert not (small / "out").exists()


def small_network(settings: Settings, seed: int) -> nn.Model:
    return classifier([nn.Flatten(), nn.Dense(16, activation="relu")], "small", sgd(settings), seed)


IN_PARTS = Experiment(
    "in-parts", "In parts", "mnist", small_network, 3, {"learning_rate": 0.1, "batch_size": 20, "micro_batch": 0}
)


def test_parts_of_a_batch_make_the_steps_of_the_whole(small: Path) -> None:
    whole = run_experiment(IN_PARTS, small / "whole").model
    parts = run_experiment(IN_PARTS, small / "parts", changes={"micro_batch": 5}).model
    other = run_experiment(IN_PARTS, small / "other", changes={"batch_size": 5}).model
    for a, b, c in zip(whole.get_weights(), parts.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert np.abs(a - c).max() > 1e-3


def test_a_run_in_parts_that_is_resumed_ends_with_the_very_same_weights(small: Path) -> None:
    """Of 290 samples the last two parts of an epoch wait for the next epoch."""
    options: dict[str, Any] = {"samples": 290, "changes": {"micro_batch": 5}}
    whole = run_experiment(IN_PARTS, small / "whole", **options)
    run_experiment(IN_PARTS, small / "parts", epochs=1, **options)
    assert same(whole.model, run_experiment(IN_PARTS, small / "parts", resume=True, **options).model)


def test_parts_that_fit_are_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_network(IN_PARTS.settings, 0)
    monkeypatch.setattr("simulator.nn.memory.free_memory", lambda: int(1.01 * need_of(model, 80, gathers=True)))
    with pytest.raises(MemoryNeededError, match=re.escape("--set micro_batch=80 needs ")):
        run_experiment(IN_PARTS, small, changes={"batch_size": 240})
    with pytest.raises(SettingError) as caught:
        run_experiment(IN_PARTS, small, changes={"micro_batch": 3})
    said = "micro_batch divides batch_size, or is 0 for none. Received: micro_batch 3, batch_size 20."
    assert str(caught.value) == said


def test_a_backend_that_is_not_there_is_refused(small: Path) -> None:
    with pytest.raises(SettingError, match=re.escape("A backend must be one of numpy")):
        run_experiment(IN_PARTS, small, backend="torch")
    with pytest.raises(SettingError) as caught:
        run_experiment(EXPERIMENTS["jena-lstm-dropout"], small, backend="expressions")
    assert str(caught.value) == (
        "Equations draw masks and noise once, and an experiment draws them anew at every step. "
        "Received: LSTM, Dropout on the backend 'expressions'. Choose numpy."
    )
    assert run_experiment(IN_PARTS, small, backend="numpy").record["backend"].startswith("numpy")


def test_pictures_are_learnt_step_by_step_as_by_fused_operations(small: Path) -> None:
    changes: dict[str, Any] = {"changes": {"micro_batch": 5}, "samples": 100}
    fused, steps = (run_experiment(IN_PARTS, small / b, backend=b, **changes) for b in ("numpy", "expressions"))
    for a, b in zip(fused.model.get_weights(), steps.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert fused.record["confusion"] == steps.record["confusion"]


@pytest.mark.skipif(not LOGBOOK.is_file(), reason="the log book's numbers are not at hand")
def test_reported_numbers_are_the_log_books() -> None:
    with LOGBOOK.open(newline="", encoding="utf-8") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    for e in EXPERIMENTS.values():
        row = rows[e.name]
        assert row["data"] == e.data
        if e.reported:
            assert float(row["reported"]) == next(iter(e.reported.values()))
        else:
            assert row["reported"] in ("out of GPU memory", "yes")


def test_an_experiment_is_data_alone() -> None:
    assert all(isinstance(e, Experiment) and e.name == name for name, e in EXPERIMENTS.items())
