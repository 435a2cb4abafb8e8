"""The README's examples run and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("example", CONSOLE, ids=[c.splitlines()[0][2:40] for c in CONSOLE])
def test_console_example(example: str, folder: Path) -> None:
    command, *expected = example.splitlines()
    words = command.removeprefix("$ simulator ").split()
    done = subprocess.run([sys.executable, "-m", "simulator", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    if expected[-1] == "...":
        assert printed[: len(expected) - 1] == expected[:-1]
    else:
        assert printed == expected


def test_python_example(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PYTHON[0]], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < float(done.stdout) < 1


def test_there_is_something_to_run() -> None:
    assert len(CONSOLE) == 3
    assert len(PYTHON) == 2
