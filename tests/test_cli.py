"""The commands as a user types them, in a process of their own."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def simulator(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run([sys.executable, "-m", "simulator", *args], cwd=cwd, capture_output=True, text=True, env=env)


def test_lessons_are_listed(tmp_path: Path) -> None:
    done = simulator("lessons", cwd=tmp_path)
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert names[:2] == ["and", "and-zeros"]
    assert names[-1] == "playground-gauss"


def test_build_then_verify_then_json(tmp_path: Path) -> None:
    built = simulator("build", "and", "--epochs", "4", "--set", "learning_rate=0.5", "--out", "here", cwd=tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    assert "all agree" in built.stdout
    verified = simulator("verify", "here/and.xlsx", "--engine", "formualizer", "--json", cwd=tmp_path)
    [record] = json.loads(verified.stdout)
    assert record["agrees"]
    assert [f["source"] for f in record["findings"]] == ["formulas", "stored", "formualizer"]


def test_a_file_name_for_one_lesson(tmp_path: Path) -> None:
    done = simulator("build", "xor", "--epochs", "2", "--out", "mine.xlsx", "--engine", "none", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "mine.xlsx").exists()


def test_a_disagreement_is_exit_status_1_with_sheet_and_cell(tmp_path: Path) -> None:
    import openpyxl

    simulator("build", "and", "--epochs", "3", "--out", ".", "--engine", "none", cwd=tmp_path)
    book = openpyxl.load_workbook(tmp_path / "and.xlsx")
    book["Training"]["J12"] = "=C12*F10"
    book.save(tmp_path / "and.xlsx")
    done = simulator("verify", "and.xlsx", "--engine", "formualizer", cwd=tmp_path)
    assert done.returncode == 1
    assert "Training!J12: formualizer: value, expected 20.0, found 10.0" in done.stdout


NETWORK = """from simulator import nn
X, Y = [[0.0], [1.0]], [[1.0], [0.0]]
model = nn.Sequential([nn.Input((1,)), nn.Dense(1)]).compile(nn.SGD(0.1), "mse")
"""


def test_a_network_is_built_verified_and_built_forward(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    built = simulator("build", "net.py", "--epochs", "3", "--batch-size", "1", "--out", "here", cwd=tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    assert "all agree" in built.stdout
    assert simulator("verify", "here/net.xlsx", "--engine", "embedded", cwd=tmp_path).returncode == 0
    forward = simulator("build", "net.py", "--what", "forward", "--out", "f.xlsx", cwd=tmp_path)
    assert (forward.returncode, (tmp_path / "f.xlsx").exists()) == (0, True)


# arguments                                       what is said on standard error
NETWORKS_REFUSED = [
    (["net", "--epochs", "3"], "A network is built from a .py or .toml file. Received: 'net'. Did you mean 'net.py'?"),
    (["net.py", "--set", "x=1"], "Networks are built by themselves, without --set. Received: --set x=1."),
    (["net.py", "and"], "Networks are built by themselves, without --set. Received: 'and' beside net.py."),
    (["net.py", "--epochs", "0"], "epochs must be a whole number above 0. Received: 0."),
    (["and", "--what", "forward"], "--batch-size, --what and --layout are for networks. Received: a lesson."),
    (["net.py", "a/net.py"], "Every network needs a file of its own. Received: net, net. Build them apart."),
]


@pytest.mark.parametrize(("arguments", "said"), NETWORKS_REFUSED)
def test_wrong_use_of_networks_is_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        (folder / "net.py").write_text(NETWORK)
    done = simulator("build", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.xlsx"))


def test_table_prints_tidy_csv(tmp_path: Path) -> None:
    done = simulator("table", "decoder", "--epochs", "2", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["epoch", "quantity", "index", "value", "cell"]
    cell = next(r for r in rows if (r["epoch"], r["quantity"], r["index"]) == ("1", "dZ", "0,0"))
    assert (float(cell["value"]), cell["cell"]) == (-0.1875, "Training!AK10")


# arguments                                     what the sentence must hold
WRONG = [
    (("build", "adn"), "Received: 'adn'. Did you mean 'and'?"),
    (("build", "and", "--epochs", "ten"), "unable to parse string as an integer. Received: 'ten'. 'simulator build"),
    (("bild",), "No such command 'bild'. Did you mean 'build'"),
    (("build", "--all", "and"), "Received: both --all and and."),
    (("build", "and", "linear-regression", "--set", "W_1=3"), "Received: 'W_1'."),
    (("build", "and", "--out", "and.csv"), "--out takes a folder, or a file that ends in .xlsx. Received: 'and.csv'."),
    (("verify", "."), "Received: '.' (a folder)."),
    (("build",), "build needs a lesson or --all. Received: neither."),
    (("build", "and", "--epochs", "0"), "'and' can show 1 to 262,140 epochs"),
    (("build", "and", "--epochs", "1048577"), "Received: 1,048,577."),
    (("build", "and", "--set", "rate=1"), "Received: 'rate'."),
    (("build", "and", "--set", "learning_rate=nan"), "Received: nan."),
    (("build", "and", "--set", "learning_rate"), "--set takes NAME=NUMBER. Received: 'learning_rate'."),
    (("build", "and", "--set", "learning_rate=fast"), "--set takes NAME=NUMBER. Received: 'learning_rate=fast'."),
    (("build", "and", "xor", "--out", "one.xlsx"), "--out can be a file for one lesson only. Received: 2 lessons"),
    (
        ("build", "and", "--engine", "excel"),
        "--engine takes ironcalc, formualizer, libreoffice, embedded, all or none.",
    ),
    (("verify", "absent.xlsx"), "A workbook must be an .xlsx file that opens. Received: 'absent.xlsx'"),
    (("table", "xor", "--epochs", "-1"), "can show 1 to 349,522 epochs"),
]


@pytest.mark.parametrize(("args", "sentence"), WRONG)
def test_wrong_use_is_one_sentence_and_exit_status_2(args: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    done = simulator(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("simulator: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_build_leaves_the_earlier_workbook_and_nothing_else(
    name: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "and.xlsx").write_text("earlier")
    command = [sys.executable, "-m", "simulator", "build", "and", "--epochs", "60000", "--out", "and.xlsx"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob(".and.*")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate()
    assert process.returncode == status
    assert [p.name for p in tmp_path.iterdir()] == ["and.xlsx"]
    assert (tmp_path / "and.xlsx").read_text() == "earlier"
    if name == "SIGINT":
        assert said == "simulator: interrupted; what was not finished is removed, earlier workbooks are untouched.\n"


def test_no_heavy_module_is_loaded_for_a_build(tmp_path: Path) -> None:
    code = (
        "import sys; from simulator.cli import main\n"
        "sys.argv = ['simulator', 'build', 'and', '--epochs', '2', '--engine', 'none']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = ('pandas', 'matplotlib', 'openpyxl', 'rich', 'PIL', 'psutil', 'ironcalc')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "workbooks" / "and.xlsx").exists()
