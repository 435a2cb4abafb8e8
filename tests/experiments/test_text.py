"""Texts: how they are cut into sequences, what is written, and that a killed run goes on to the same weights."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from simulator.cli import app
from simulator.errors import SettingError, TrainingError
from simulator.experiments import EXPERIMENTS
from simulator.experiments.run import CHECKPOINT, run_experiment
from simulator.experiments.text import WRITTEN, Text, at_random, continued, one_hot, sequential
from tests.datasets.weather import PROSE, put_text
from tests.experiments.test_run import _metadata, same

SMALL = {"units": 8, "batch_size": 4, "steps": 5}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_text(tmp_path / "data", monkeypatch, "a bcdefghijklmnopqrstuvwxyz " + PROSE * 4)
    return tmp_path


@pytest.mark.parametrize("name", ["timemachine-rnn", "timemachine-gru", "timemachine-lstm"])
@pytest.mark.parametrize("sampling", ["sequential", "random"])
def test_every_network_trains(name: str, sampling: str, small: Path) -> None:
    outcome = run_experiment(EXPERIMENTS[name], small, 2, 300, changes=SMALL | {"sampling": sampling})
    record = outcome.record
    assert record["kind"] == "text"
    assert record["history"]["perplexity"] == pytest.approx([np.exp(loss) for loss in record["history"]["loss"]])
    assert set(EXPERIMENTS[name].reported) <= {*record["results"], "tokens a second"}
    assert record["tokens a second"] > 0
    assert list(record["notes"]) == ["1", "2"]
    assert record["notes"]["2"] == record["written"]
    assert [len(text) for text in record["written"]] == [len(p) + WRITTEN for p in record["prefixes"]]


@pytest.mark.parametrize("name", ["timemachine-rnn", "timemachine-gru", "timemachine-lstm"])
@pytest.mark.parametrize("sampling", ["sequential", "random"])
def test_equations_step_by_step_learn_as_fused_operations(name: str, sampling: str, small: Path) -> None:
    changes = SMALL | {"sampling": sampling}
    fused, steps = (
        run_experiment(EXPERIMENTS[name], small / b, 3, 300, changes=changes, backend=b)
        for b in ("numpy", "expressions")
    )
    for a, b in zip(fused.model.get_weights(), steps.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_allclose(fused.record["history"]["loss"], steps.record["history"]["loss"], rtol=1e-5)
    assert fused.record["computed"].startswith("by fused operations on NumPy arrays")
    assert steps.record["computed"] == "step by step as equations"
    resumed = small / "expressions resumed"
    options = {"samples": 300, "changes": changes, "backend": "expressions"}
    run_experiment(EXPERIMENTS[name], resumed, 1, **options)
    assert same(run_experiment(EXPERIMENTS[name], resumed, 3, resume=True, **options).model, steps.model)


def test_the_command_says_how_it_computed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--epochs", "1", "--samples", "300", "--out", str(small)]
    words += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(app, ["run", "timemachine-rnn", *words, "--backend", "expressions"])
    assert done.exit_code == 0, done.output
    assert re.search(r"tokens a second: [\d.,]+, log book 98,665 \(", done.output)
    page = (small / "timemachine-rnn" / "index.html").read_text(encoding="utf-8")
    assert " s, step by step as equations, on " in page
    assert "library&#x27;s layer, sampling at random 1.2 at 557,044." in page

    monkeypatch.setenv("SIMULATOR_BACKEND", "expressions")
    done = CliRunner().invoke(app, ["run", "timemachine-gru", *words, "--set", "sampling=random"])
    assert done.exit_code == 0, done.output
    record = json.loads((small / "timemachine-gru" / "record.json").read_text(encoding="utf-8"))
    assert (record["computed"], record["log book"]) == ("step by step as equations", {})
    page = (small / "timemachine-gru" / "index.html").read_text(encoding="utf-8")
    assert "<p>The log book has no numbers of such a run.</p>" in page


def test_what_may_be_set_is_listed() -> None:
    lines = CliRunner().invoke(app, ["experiments"]).output.splitlines()
    after = lines[next(k for k, line in enumerate(lines) if line.startswith("timemachine-lstm ")) + 1]
    assert after.strip().startswith("--set learning_rate 1, clip 1, batch_size 32, steps 35, units 256, sampling ")
    assert after.endswith("; sampling is sequential or random")


# sampling, fused -> the log book's perplexity and tokens a second of the RNN
KEPT = [
    ("sequential", False, {"perplexity": 1.3, "tokens a second": 98_664.9}),
    ("sequential", True, {"perplexity": 1.3, "tokens a second": 497_418.5}),
    ("random", False, {"perplexity": 1.4}),
    ("random", True, {"perplexity": 1.2, "tokens a second": 557_043.9}),
]


@pytest.mark.parametrize(("sampling", "fused", "kept"), KEPT)
def test_a_run_stands_beside_the_log_books_run_of_its_own_kind(
    sampling: str, fused: bool, kept: dict[str, float], small: Path
) -> None:
    changes, backend = SMALL | {"sampling": sampling}, "numpy" if fused else "expressions"
    outcome = run_experiment(EXPERIMENTS["timemachine-rnn"], small, 1, 300, changes=changes, backend=backend)
    assert outcome.record["log book"] == kept
    for number in (f"{value:,g}" for _, _, numbers in KEPT for value in numbers.values()):
        assert number in outcome.record["remark"]


def test_what_the_log_book_lacks_is_beside_no_numbers() -> None:
    experiment = EXPERIMENTS["timemachine-gru"]
    assert experiment.reported_for({"sampling": "random", "fused": True}) == {}
    assert experiment.reported_for({"sampling": "sequential", "fused": True})["tokens a second"] == 320_064.1
    assert EXPERIMENTS["lenet"].reported_for({"fused": False}) == EXPERIMENTS["lenet"].reported


def test_sequences_go_on_where_those_of_the_batch_before_have_ended() -> None:
    rng = np.random.default_rng(0)
    starts = sequential(100, 3, 4, rng).reshape(-1, 3)
    assert starts[0].tolist() == [0, 33, 66]
    assert (np.diff(starts, axis=0) == 4).all()
    assert starts.max() + 4 <= 100
    assert len(starts) == 33 // 4
    shuffled = at_random(100, 3, 4, rng)
    assert len(set(shuffled.tolist())) == len(shuffled) == 24
    assert set(shuffled.tolist()) <= set(range(0, 100, 4))
    assert shuffled.tolist() != sorted(shuffled.tolist())


def test_labels_are_one_character_later(small: Path) -> None:
    for sampling in ("sequential", "random"):
        experiment = EXPERIMENTS["timemachine-rnn"]
        task = Text(experiment, experiment.settings_with(SMALL | {"sampling": sampling}), 0, 200)
        for epoch in (0, 1):
            x, y = task.sequences(epoch)
            assert (x[:, 1:] == y[:, :-1]).all()
        assert task.an_epoch == x.size
        text = task.tokens.text(task.tokens.corpus[:200])
        assert all(task.tokens.text([*a, b[-1]]) in text for a, b in zip(x, y, strict=True))


def test_a_network_that_guesses_has_a_perplexity_of_its_vocabulary(small: Path) -> None:
    """Weights of zero and a rate next to it: every token is as probable as any other."""
    experiment = EXPERIMENTS["timemachine-rnn"]
    settings = experiment.settings_with(SMALL | {"learning_rate": 1e-9})
    task, model = Text(experiment, settings, 0, 200), experiment.build(settings, 0)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    x, y = task.sequences(0)
    loss = model.fit(one_hot(x, 28), y, batch_size=4, shuffle=False, verbose=0).history["loss"][0]
    assert task.measured({"loss": loss})["perplexity"] == pytest.approx(28, rel=1e-5)


def test_states_go_on_within_an_epoch(small: Path) -> None:
    """The loss of a second batch is that of one long sequence, whose states never start anew."""
    experiment = EXPERIMENTS["timemachine-lstm"]
    settings = experiment.settings_with(SMALL)
    short, text = experiment.build(settings, 0), Text(experiment, settings, 0, 200)
    x, _ = text.sequences(0)
    inputs = one_hot(x, 28)
    parts = [short.predict(inputs[k : k + 4], 4) for k in (0, 4)]
    long = experiment.build({**settings, "steps": 10}, 0)
    long.set_weights(short.get_weights())
    whole = long.predict(np.concatenate([inputs[:4], inputs[4:8]], axis=1), 4)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    long.reset_states()
    assert np.abs(long.predict(np.concatenate([inputs[4:8]] * 2, axis=1), 4)[:, :5] - parts[1]).max() > 1e-4


def test_what_is_written_is_always_the_same(small: Path) -> None:
    experiment = EXPERIMENTS["timemachine-gru"]
    settings = experiment.settings_with(SMALL)
    task = Text(experiment, settings, 0, 200)
    one = experiment.build({**settings, "steps": 1}, 0)
    first = continued(one, task.tokens, "time", 20)
    assert continued(one, task.tokens, "time", 20) == first
    assert first.startswith("time")
    whole = experiment.build({**settings, "steps": len(first) - 1, "sampling": "random"}, 0)
    answers = whole.predict(one_hot(task.tokens.numbers(first[:-1])[None], 28))
    assert task.tokens.text(answers[0].argmax(-1))[3:] == first[4:]


def test_a_run_that_is_interrupted_goes_on_with_its_states(small: Path, interrupted: Callable[[int], None]) -> None:
    """In an epoch whose batches take over the states of those before."""
    experiment, changes = EXPERIMENTS["timemachine-gru"], SMALL | {"units": 8, "sampling": "sequential"}
    whole = run_experiment(experiment, small / "whole", 2, 300, 0, changes)
    steps = experiment_steps(whole)
    assert steps > 2
    interrupted(steps + 2)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, small / "parts", 2, 300, 0, changes)
    parts = run_experiment(experiment, small / "parts", 2, 300, 0, changes, resume=True)
    assert same(parts.model, whole.model)
    for name in ("history", "notes", "written"):
        assert parts.record[name] == whole.record[name]


def experiment_steps(outcome: Any) -> int:
    """Steps of an epoch."""
    x, _ = outcome.task.sequences(0)
    return -(-len(x) // outcome.task.batch)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("sampling", ["sequential", "random"])
def test_a_run_that_is_killed_goes_on_to_the_same_weights(sampling: str, small: Path) -> None:
    """Killed in the middle of an epoch, by a signal that nothing can catch."""
    changes = SMALL | {"units": 64, "sampling": sampling}
    script = small / "run.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from simulator.datasets import text\n"
        f"text.CHECKSUM = {__import__('simulator').datasets.text.CHECKSUM!r}\n"
        "from simulator.experiments import find_experiment\n"
        "from simulator.experiments.run import run_experiment\n"
        f"run_experiment(find_experiment('timemachine-gru'), Path(sys.argv[1]), 4000, 300, changes={changes!r})\n"
    )
    process = subprocess.Popen([sys.executable, str(script), str(small / "killed")])
    checkpoint, waited = small / "killed" / CHECKPOINT, time.monotonic()
    while not checkpoint.exists() and time.monotonic() - waited < 60:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    first = json.loads(_metadata(checkpoint)["run"])["epoch"]
    assert 1 <= first < 4000
    resumed = run_experiment(EXPERIMENTS["timemachine-gru"], small / "killed", first + 2, 300, 0, changes, resume=True)
    whole = run_experiment(EXPERIMENTS["timemachine-gru"], small / "whole", first + 2, 300, 0, changes)
    assert same(resumed.model, whole.model)
    for name in ("history", "notes", "written"):
        assert resumed.record[name] == whole.record[name]


def test_words_and_numbers_that_do_not_fit_are_refused(small: Path) -> None:
    experiment = EXPERIMENTS["timemachine-rnn"]
    for changes, said in (
        ({"sampling": "sideways"}, "sampling must be one of sequential, random. Received: 'sideways'."),
        ({"units": "many"}, "units is a number. Received: 'many'."),
        ({"steps": 2.5}, "steps is a whole number above 0. Received: 2.5."),
    ):
        with pytest.raises(SettingError) as caught:
            run_experiment(experiment, small, 1, changes=changes)
        assert said in str(caught.value)
    with pytest.raises(SettingError) as caught:
        run_experiment(experiment, small, 1, 25, changes=SMALL)
    said = "4 sequences of 5 characters and an offset. Received: --samples 25. Take 26 or more."
    assert said in str(caught.value)


def test_a_perplexity_beyond_all_numbers_stops_with_its_cause(small: Path) -> None:
    experiment = EXPERIMENTS["timemachine-rnn"]
    said = r"A perplexity, .* Received: a loss of \S+\. Likely cause: a learning rate of 1e\+06 is too large\."
    with pytest.raises(TrainingError, match=said):
        run_experiment(experiment, small, 3, 300, changes=SMALL | {"learning_rate": 1e6})
