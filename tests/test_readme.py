"""The README's examples run and print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "network.py").write_text(PYTHON[0].replace("model.to_workbook", "# model.to_workbook"))
    (folder / "network.toml").write_text(TOML[0])
    (folder / "xor.csv").write_text("x1,x2,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    return folder


def test_console_examples_one_after_the_other(folder: Path) -> None:
    for example in CONSOLE:
        command, *expected = example.splitlines()
        words = command.removeprefix("$ simulator ").split()
        done = subprocess.run([sys.executable, "-m", "simulator", *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        if expected[-1] == "...":
            assert printed[: len(expected) - 1] == expected[:-1], command
        else:
            assert printed == expected, command


def test_a_network_is_built_from_python(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PYTHON[0]], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "xor.xlsx").exists()


def test_the_toml_describes_the_same_network(folder: Path) -> None:
    command = [sys.executable, "-m", "simulator", "build", "network.toml", "--out", "toml.xlsx"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "16,630 formulas, all agree" in done.stdout


TRAINS = """
import numpy as np
rng = np.random.default_rng(0)
history = model.fit(rng.random((40, 28, 28, 1)), rng.integers(0, 10, 40), epochs=2, batch_size=16,
                    validation_split=0.2, verbose=0).history
print(sorted(history), model.count_params())
"""


@pytest.mark.parametrize("library", ["simulator", "keras"])
def test_the_listing_at_full_size_runs_with_either_import(library: str, folder: Path) -> None:
    listing = PYTHON[1]
    if library == "keras":
        pytest.importorskip("keras", reason="Keras is not installed") if not os.environ.get("CI") else None
        listing = listing.replace("from simulator import nn as keras", "import keras").replace("simulator.nn", "keras")
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", listing + TRAINS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.stdout == "['accuracy', 'loss', 'val_accuracy', 'val_loss'] 54410\n", done.stderr


def test_python_example(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PYTHON[2]], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < float(done.stdout) < 1


def test_there_is_something_to_run() -> None:
    assert (len(CONSOLE), len(TOML), len(PYTHON)) == (4, 1, 4)
