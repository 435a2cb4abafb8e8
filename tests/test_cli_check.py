"""`simulator template` and `simulator check` as a lecturer types them, in a process of their own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest

from simulator.lessons import LESSONS


def simulator(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run([sys.executable, "-m", "simulator", *args], cwd=cwd, capture_output=True, text=True, env=env)


def work(template: Path, target: Path, answers: Path, changed: Mapping[str, object] | None = None) -> Path:
    """What a student hands in: the template with the formulas of a lesson's own workbook, some cells changed."""
    book, formulas = openpyxl.load_workbook(template), openpyxl.load_workbook(answers)["Training"]
    for row in book["Training"].iter_rows(min_row=8):
        for cell in row:
            if cell.value is None and formulas[cell.coordinate].value is not None:
                cell.value = formulas[cell.coordinate].value
    for address, value in (changed or {}).items():
        book["Training"][address] = value
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)
    return target


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with handout/, and in/ with a right file and one in which a number is typed over N12."""
    folder = tmp_path_factory.mktemp("lecture")
    done = simulator("template", "and", "--epochs", "3", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("handout/and.xlsx: ")
    assert lines[1].startswith("handout/and-answers.xlsx: ")
    assert all(line.endswith(" formulas, all agree") for line in lines[:2])
    assert lines[2:] == [
        "",
        "Hand out handout/and.xlsx; keep handout/and-answers.xlsx.",
        "What comes back is marked by: simulator check FOLDER",
        "",
        "These numbers never show: a weight with the wrong index; learning rate left out.",
        "Typed numbers can't tell these apart in some cells: wrong sign in the cross-entropy / sign of the gradient; "
        "half of the slope / slope of the output activation left out; brackets missing / sum instead of mean; "
        "and 3 more.",
        "All of it is shown by: simulator template and --diagnose; another --seed draws other numbers",
    ]
    template, answers = folder / "handout" / "and.xlsx", folder / "handout" / "and-answers.xlsx"
    work(template, folder / "in" / "ada.xlsx", answers)
    work(template, folder / "in" / "bob.xlsx", answers, {typed_cell(): 0.25})
    return folder


def typed_cell() -> str:
    """A cell of the prediction in the second epoch."""
    run = LESSONS["and"].run(3)
    return run.table.address(run.epoch.output, (1, 0) if len(run.epoch.output.shape) == 2 else (1,), 1).partition("!")[
        2
    ]


def test_a_folder_is_marked_and_a_right_file_alone_is_exit_status_0(lecture: Path, tmp_path: Path) -> None:
    done = simulator("check", str(lecture / "in"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "ada: 100 of 100 points, no mistake\n" in done.stdout
    assert f"\n  Training!{typed_cell()} (p, epoch 1, " in done.stdout
    assert done.stdout.endswith(
        "\n2 files marked.\nOpen marked/index.html; pages, marked copies and gradebook.csv lie beside it.\n"
    )
    names = ["ada.html", "ada.xlsx", "bob.html", "bob.xlsx", "gradebook.csv", "index.html"]
    assert sorted(p.name for p in (tmp_path / "marked").iterdir() if p.name != ".results") == names
    rows = list(csv.DictReader((tmp_path / "marked" / "gradebook.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["identifier"], row["own errors"]) for row in rows] == [("ada", "0"), ("bob", "1")]
    assert 'href="bob.html"' in (tmp_path / "marked" / "index.html").read_text()
    alone = simulator("check", str(lecture / "in" / "ada.xlsx"), cwd=tmp_path)
    assert alone.returncode == 0
    assert "1 file marked. 1 of 1 had not changed since an earlier run; --again marks them anew." in alone.stdout


def test_json_lists_every_file_with_its_errors(lecture: Path, tmp_path: Path) -> None:
    (tmp_path / "eve.xlsx").write_text("no workbook")
    done = simulator("check", str(lecture / "in"), str(tmp_path / "eve.xlsx"), "--json", cwd=tmp_path)
    ada, bob, eve = json.loads(done.stdout)
    assert (ada["score"], ada["errors"], ada["lesson"]) == (100, [], "and")
    [error] = bob["errors"]
    assert (error["address"], error["status"]) == (f"Training!{typed_cell()}", "typed-over")
    assert error["found"] == 0.25
    assert {"names", "expected", "formula", "detail"} <= error.keys()
    assert bob["counts"]["typed-over"] == len(error["cells"])
    assert (eve["score"], eve["identifier"], done.returncode) == (None, "eve", 1)


def test_many_files_have_a_line_each_and_a_bad_one_stops_none(lecture: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        shutil.copy(lecture / "in" / "ada.xlsx", tmp_path / f"{name}.xlsx")
    (tmp_path / "e.ods").write_bytes(b"PK")
    shutil.copy(lecture / "in" / "bob.xlsx", tmp_path / "f.xlsx")
    done = simulator("check", ".", "--feedback", "none", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[:4] == [f"{name}: 100 of 100 points, no mistake" for name in ("a", "b", "c", "d")]
    assert lines[4].startswith("e: not marked. A submission must be an .xlsx workbook that opens. Received: 'e.ods'")
    assert lines[5].startswith("f: ")
    assert lines[5].endswith(f" points, 1 mistake; first Training!{typed_cell()}, numbers typed over formulas")
    assert lines[7] == "5 files marked, 1 not."
    assert not list((tmp_path / "marked").glob("*.xlsx"))


def test_a_rubric_and_a_level_apply(lecture: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('feedback = "cell"\n[points]\nforward = 10\n[penalties]\nown_error = 4\n')
    done = simulator("check", str(lecture / "in" / "bob.xlsx"), "--rubric", "mine.toml", cwd=tmp_path)
    assert " of 10 points, 1 mistake" in done.stdout
    assert "expected" not in done.stdout
    assert (tmp_path / "marked" / "rubric.toml").read_text() == (tmp_path / "mine.toml").read_text()
    told = simulator("check", str(lecture / "in" / "bob.xlsx"), "--feedback", "full", cwd=tmp_path)
    assert "found 0.25" in told.stdout


def test_every_student_of_a_roster_is_marked_by_their_own_numbers(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text("name;id\nAda;a1\nBob;b/2\n")
    options = ("--variants", "roster.csv", "--epochs", "3")
    done = simulator("template", "and", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Hand out a file to each student from handout/students; keep handout/and-answers.xlsx." in done.stdout
    handout = tmp_path / "handout"
    students = sorted(p.name for p in (handout / "students").iterdir())
    assert students == ["a1.xlsx", "b_2.xlsx"]
    answers = openpyxl.load_workbook(handout / "and-answers.xlsx")
    assert answers.sheetnames[:2] == ["Answers", "Given"]
    simulator("build", "and", "--epochs", "3", "--out", "own.xlsx", "--engine", "none", cwd=tmp_path)
    for name in students:
        work(handout / "students" / name, tmp_path / "in" / name, tmp_path / "own.xlsx")
    marked = simulator("check", "in", "--key", "handout/and-answers.xlsx", "--json", cwd=tmp_path)
    assert [(r["identifier"], r["score"]) for r in json.loads(marked.stdout)] == [("a1", 100), ("b/2", 100)]
    without = simulator("check", "in", "--json", "--out", "other", cwd=tmp_path)
    assert [r["score"] for r in json.loads(without.stdout)] == [100, 100]
    before = [(handout / "students" / name).read_bytes() for name in students]
    simulator("template", "and", *options, "--engine", "none", cwd=tmp_path)
    assert [(handout / "students" / name).read_bytes() for name in students] == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_leaves_whole_results_and_the_next_one_finishes(
    name: str, status: int, lecture: Path, tmp_path: Path
) -> None:
    for n in range(8):
        shutil.copy(lecture / "in" / "ada.xlsx", tmp_path / f"s{n:02}.xlsx")
    command, out = [sys.executable, "-m", "simulator", "check", "."], tmp_path / "marked"
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while not list((out / ".results").glob("s*.json")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        os.killpg(process.pid, getattr(signal, name))  # as a terminal does
        _, said = process.communicate()
    assert process.returncode == status
    assert "Traceback" not in said
    done = {path.stem for path in (out / ".results").glob("s*.json")}
    assert 0 < len(done) < 8
    for path in (out / ".results").glob("s*.json"):
        assert json.loads(path.read_text())["record"]["score"] == 100
        assert (out / f"{path.stem}.xlsx").exists()
        assert (out / f"{path.stem}.html").exists()
    assert not list(out.rglob(".*.part*"))
    times = {stem: (out / f"{stem}.html").stat().st_mtime_ns for stem in done}
    second = simulator("check", ".", cwd=tmp_path)
    assert second.returncode == 0
    assert f"8 files marked. {len(done)} of 8 had not changed since an earlier run" in second.stdout
    assert {stem: (out / f"{stem}.html").stat().st_mtime_ns for stem in done} == times
    assert len(list(out.glob("s*.xlsx"))) == 8


# arguments                                       what is said on standard error
WRONG = [
    (("check", "absent"), "Received: 'absent', which is not there. Give the folder that the files were handed in to."),
    (("check", "."), "check needs workbooks (.xlsx or .xlsm). Received: '.' with none."),
    (("check", ".", "--lesson", "adn"), "Received: 'adn'. Did you mean 'and'?"),
    (("check", ".", "--feedback", "ful"), "--feedback must be one of none, cell, hint, full. Received: 'ful'."),
    (("check", ".", "--rubric", "r.toml"), "A rubric must be a file of UTF-8 text. Received: 'r.toml'"),
    (("check", ".", "--key", "k.xlsx"), "A submission must be a file. Received: 'k.xlsx', which is not there."),
    (("check", ".", "--tolerance", "2"), "--tolerance is a part of a number, from 0 to below 1. Received: 2.0."),
    (("check",), "Missing argument 'PATH...'"),
    (("template", "adn"), "Received: 'adn'. Did you mean 'and'?"),
    (("template", "and", "--blank", "q"), "--blank takes all, backward, or columns of 'and' to fill in: "),
    (
        ("template", "and", "--out", "a.xlsx"),
        "--out takes a folder for the template and its answers.",
    ),
    (("template", "and", "--variants", "r.csv"), "A roster must be a text file in UTF-8. Received: 'r.csv'"),
    (("template", "and", "--epochs", "0"), "'and' can show 1 to 262,140 epochs"),
]


@pytest.mark.parametrize(("args", "sentence"), WRONG)
def test_wrong_use_is_one_sentence_and_exit_status_2(args: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    done = simulator(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_verify_says_that_it_takes_no_template_and_no_answers_of_a_roster(lecture: Path, tmp_path: Path) -> None:
    done = simulator("verify", "handout/and.xlsx", cwd=lecture)
    assert done.returncode == 2
    assert done.stderr == (
        "simulator: verify takes workbooks that 'simulator build' wrote. Received: 'handout/and.xlsx', a template to "
        "fill in. Mark it with 'simulator check'.\n"
    )
    assert simulator("verify", "handout/and-answers.xlsx", "--engine", "none", cwd=lecture).returncode == 0
    (tmp_path / "roster.csv").write_text("ada\n")
    simulator("template", "and", "--variants", "roster.csv", "--engine", "none", cwd=tmp_path)
    done = simulator("verify", "handout/and-answers.xlsx", cwd=tmp_path)
    assert done.stderr == (
        "simulator: verify takes workbooks that 'simulator build' wrote. Received: 'handout/and-answers.xlsx', the "
        "answers of a roster. Write it again with 'simulator template', which verifies it.\n"
    )
