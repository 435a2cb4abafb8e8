"""A class's files: found, marked in processes that may crash, and never twice."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from simulator.book.template import blank_quantities, template_workbook
from simulator.check.feedback import Feedback
from simulator.check.hand_out import hand_out
from simulator.check.key import read_key
from simulator.check.marking import Status
from simulator.errors import SettingError, WorkbookError
from simulator.lessons import LESSONS
from simulator.lessons.variant import variant_settings
from simulator.report import paper as papers_module
from simulator.report.folder import find_papers, lines_of, mark_papers, prepare, write_class
from simulator.report.marking import SIGNS
from simulator.report.paper import RESULTS, Result, Task, task_of
from simulator.report.pool import Lost, outcomes
from simulator.xlsx.writer import write_workbook

Change = Callable[[str, int, str], Any]  # quantity, block, formula: what stands in the cell instead
EPOCHS = 4


def right(quantity: str, block: int, formula: str) -> str:
    return f"={formula}"


def typed(quantity: str, block: int, formula: str) -> Any:
    """A number typed where the prediction of epoch 2 belongs; the first epoch is 0."""
    return 0.25 if (quantity, block) == ("p", 2) else f"={formula}"


def hand_in(
    path: Path, change: Change = right, student: str = "", seed: int | None = None, lesson: str = "and"
) -> Path:
    """A template, filled in."""
    numbers = {} if seed is None else variant_settings(LESSONS[lesson], seed, student)
    run = LESSONS[lesson].run(EPOCHS, numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_workbook(template_workbook(run, "all", student=student, seed=seed), path)
    names = blank_quantities(run, "all")
    book = openpyxl.load_workbook(path)
    for block in range(run.count):
        for c in run.table.computed:
            assert c.quantity
            name = c.quantity.node.name
            if name in names and not (c.quantity.role == "parameter" and block == 0):
                cell = run.table.address(c.quantity.node, c.index, block).partition("!")[2]
                book["Training"][cell] = change(name, block, run.table.formula_at(c, block))
    book.save(path)
    return path


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed-in")
    hand_in(folder / "ada.xlsx")
    hand_in(folder / "bob.xlsx", typed)
    return folder


def marked(paths: Sequence[Path], task: Task, again: bool = False) -> list[Result]:
    papers = find_papers(paths, task)
    prepare(task)
    found = dict(mark_papers(papers, again))
    return [found[n] for n in range(len(papers))]


def test_a_mistake_leads_to_a_marked_copy_a_page_and_a_result(handed_in: Path, tmp_path: Path) -> None:
    [result] = marked([handed_in / "bob.xlsx"], Task(tmp_path))
    [error] = result.record["errors"]
    first = error["address"].partition("!")[2]
    assert (error["quantity"], error["epoch"], error["status"], error["found"]) == ("p", 2, "typed-over", 0.25)
    assert result.summary.row.own_errors == 1
    sheet = openpyxl.load_workbook(tmp_path / "bob.xlsx")["Training"]
    colours = {status.value: colour[1:] for status, (_, colour, _, _) in SIGNS.items()}
    filled = {c.coordinate: c.fill.fgColor.rgb[2:] for row in sheet for c in row if isinstance(c.fill.fgColor.rgb, str)}
    assert filled[first] == colours["typed-over"]
    assert list(filled.values()).count(colours["typed-over"]) == len(error["cells"])
    assert list(filled.values()).count(colours["carried"]) == result.record["counts"]["carried"]
    note = sheet[first].comment
    assert note is not None
    assert note.text.startswith("This cell holds a typed number where the cells around it hold a formula. Expected ")
    assert "found" in (tmp_path / "bob.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [RESULTS, "bob.html", "bob.xlsx"]


def test_no_shade_lies_over_the_colours_of_a_marked_copy(handed_in: Path, tmp_path: Path) -> None:
    def rules(path: Path) -> list[str]:
        formats = openpyxl.load_workbook(path)["Training"].conditional_formatting
        return [str(rule.formula) for area in formats for rule in area.rules]

    marked([handed_in / "bob.xlsx"], Task(tmp_path))
    before, after = rules(handed_in / "bob.xlsx"), rules(tmp_path / "bob.xlsx")
    assert [rule for rule in before if "MOD(ROW()" in rule]
    assert after == [rule for rule in before if "MOD(ROW()" not in rule]


def test_given_cells_keep_their_colour(handed_in: Path, tmp_path: Path) -> None:
    marked([handed_in / "ada.xlsx"], Task(tmp_path))
    run = LESSONS["and"].run(EPOCHS)
    before, after = (openpyxl.load_workbook(folder / "ada.xlsx")["Training"] for folder in (handed_in, tmp_path))
    checked = 0
    for c in run.table.computed:
        assert c.quantity
        cell = run.table.address(c.quantity.node, c.index, 0).partition("!")[2]
        if c.quantity.role in ("given", "parameter"):
            assert before[cell].fill.fgColor.rgb == after[cell].fill.fgColor.rgb
            checked += 1
        else:
            assert after[cell].fill.fgColor.rgb == "FF" + SIGNS[Status.CORRECT][1][1:]
    assert checked > 3


# level, there is a marked copy, the page names the cell, and tells the expected number
LEVELS = [
    (Feedback.NONE, False, False, False),
    (Feedback.CELL, True, True, False),
    (Feedback.HINT, True, True, False),
    (Feedback.FULL, True, True, True),
]


@pytest.mark.parametrize(("level", "copied", "names", "tells"), LEVELS)
def test_nothing_tells_more_than_the_level(
    level: Feedback, copied: bool, names: bool, tells: bool, handed_in: Path, tmp_path: Path
) -> None:
    [result] = marked([handed_in / "bob.xlsx"], Task(tmp_path, level=level))
    page, address = (tmp_path / "bob.html").read_text(), result.record["errors"][0]["address"]
    assert (tmp_path / "bob.xlsx").exists() == copied
    assert (address in page, "<dt>expected" in page) == (names, tells)
    assert any("expected" in sentence for sentence in result.sentences) == tells
    if copied:
        note = openpyxl.load_workbook(tmp_path / "bob.xlsx")["Training"][address.partition("!")[2]].comment
        assert note is not None
        assert ("Expected" in note.text) == tells


def test_a_file_that_has_not_changed_is_not_marked_twice(handed_in: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(handed_in, folder)

    def times() -> list[int]:
        return [(out / f"{name}.html").stat().st_mtime_ns for name in ("ada", "bob")]

    first, then = marked([folder], Task(out)), times()
    again = marked([folder], Task(out))
    assert times() == then
    assert [r.is_earlier for r in again] == [True, True]
    assert [r._replace(is_earlier=False, record=json.loads(json.dumps(r.record))) for r in again] == [
        r._replace(sentences=list(r.sentences), record=json.loads(json.dumps(r.record))) for r in first
    ]
    hand_in(folder / "ada.xlsx", typed)
    assert [r.is_earlier for r in marked([folder], Task(out))] == [False, True]
    assert [r.is_earlier for r in marked([folder], Task(out, level=Feedback.HINT))] == [False, False]
    (out / "ada.xlsx").unlink()
    assert [r.is_earlier for r in marked([folder], Task(out, level=Feedback.HINT))] == [False, True]
    assert [r.is_earlier for r in marked([folder], Task(out, level=Feedback.HINT), again=True)] == [False, False]


def test_a_result_that_was_cut_off_is_marked_anew(handed_in: Path, tmp_path: Path) -> None:
    marked([handed_in / "ada.xlsx"], Task(tmp_path))
    stored = tmp_path / RESULTS / "ada.json"
    stored.write_text(stored.read_text()[:100])
    assert [r.is_earlier for r in marked([handed_in / "ada.xlsx"], Task(tmp_path))] == [False]


def test_a_bad_file_costs_one_line_and_what_an_earlier_run_left_of_it(handed_in: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(handed_in, folder)
    marked([folder], Task(out))
    (folder / "ada.xlsx").write_text("no workbook")
    results = marked([folder], Task(out))
    ada, bob = write_class([r.summary for r in results], out)
    assert (ada.row.score, bob.row.own_errors) == (None, 1)
    assert ada.row.remark == (
        "A submission must be an .xlsx workbook. Received: 'ada.xlsx', which is a text file such as .csv. "
        "Save it as an Excel workbook (.xlsx) and hand it in again."
    )
    assert sorted(p.name for p in out.iterdir()) == [RESULTS, "bob.html", "bob.xlsx", "gradebook.csv", "index.html"]
    rows = list(csv.DictReader((out / "gradebook.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["score"] for row in rows] == ["", str(rows[1]["score"])]
    assert "1 file marked, 1 could not be read." in (out / "index.html").read_text()
    assert marked([folder], Task(out))[0].is_earlier


def test_an_unexpected_fault_is_one_line_and_is_tried_again(
    handed_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError("secret")

    with monkeypatch.context() as m:
        m.setattr(papers_module, "mark", fail)
        [result] = marked([handed_in / "ada.xlsx"], Task(tmp_path))
    assert result.summary.row.remark == "This file could not be marked (ZeroDivisionError)."
    assert result.summary.page == ""
    assert not marked([handed_in / "ada.xlsx"], Task(tmp_path))[0].is_earlier


def test_a_copy_that_cannot_be_made_is_a_remark_and_costs_no_point(
    handed_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise WorkbookError("A reason.")

    monkeypatch.setattr(papers_module, "write_marked_copy", fail)
    [result] = marked([handed_in / "ada.xlsx"], Task(tmp_path))
    assert (result.summary.row.score, (tmp_path / "ada.html").exists()) == (100, True)
    assert result.summary.row.remark.endswith("There is no marked copy. A reason.")


# Tasks for processes; by name, since another process imports them


def do(task: str) -> str:
    if task == "crash":
        os._exit(3)
    if task == "hang":
        time.sleep(600)
    if task == "memory":
        try:
            return str(len(bytearray(8 << 30)))
        except MemoryError:
            return "refused"
    return task.upper()


def test_a_task_that_crashes_or_hangs_costs_itself_alone() -> None:
    tasks = ["a", "crash", "hang", "b", "memory"]
    found = dict(outcomes(do, tasks, seconds=2))
    said = [o.reason if isinstance(o, Lost) else o for _, o in sorted(found.items())]
    assert said == ["A", "the process ended", "no answer within 2 seconds", "B", "refused"]


def test_no_task_needs_no_process() -> None:
    assert list(outcomes(do, [])) == []


# Finding files


def found_below(folder: Path, out: Path | None = None, key: Path | None = None) -> dict[str, str]:
    papers = find_papers([folder], Task(out or folder / "marked"), key)
    return {p.name: p.path.relative_to(folder).as_posix() for p in papers}


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_workbooks_are_found_in_folders_but_no_lock_hidden_or_marked_one(tmp_path: Path) -> None:
    put(tmp_path, "b.xlsx", "a.XLSM", "c/d.xlsx", "c/e.ods", "c/roster.csv", "~$b.xlsx", ".~lock.b.xlsx#", ".h.xlsx")
    put(tmp_path, "__MACOSX/b.xlsx", "marked/b.xlsx", f"old/{RESULTS}/b.json", "old/b.xlsx", "key.xlsx")
    assert found_below(tmp_path, key=tmp_path / "key.xlsx") == {
        "a": "a.XLSM", "b": "b.xlsx", "d": "c/d.xlsx", "e": "c/e.ods"
    }  # fmt: skip


def test_a_file_that_is_named_twice_is_marked_once(tmp_path: Path) -> None:
    put(tmp_path, "a.xlsx")
    assert len(find_papers([tmp_path, tmp_path / "a.xlsx"], Task(tmp_path / "out"))) == 1


def test_where_names_repeat_the_folders_name_tells_students_apart(tmp_path: Path) -> None:
    put(tmp_path, "Ada L_12_assignsubmission_file_/xor.xlsx", "Bob_13_assignsubmission_file_/XOR.xlsx")
    put(tmp_path, "c/and.xlsx", "c/and.xlsm", "c/index.xlsx")
    assert found_below(tmp_path) == {
        "Ada L_12_assignsubmission_file_": "Ada L_12_assignsubmission_file_/xor.xlsx",
        "Bob_13_assignsubmission_file_": "Bob_13_assignsubmission_file_/XOR.xlsx",
        "c": "c/and.xlsm",
        "c and": "c/and.xlsx",
        "c index": "c/index.xlsx",
    }


def test_hostile_names_stay_in_the_folder_and_are_text(handed_in: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ["<img src=x onerror=alert(1)>.xlsx", "=cmd|' .xlsx", "..xlsx.xlsx", "\x1b[31m.xlsx", "con.xlsx"]:
        shutil.copy(handed_in / "ada.xlsx", folder / name)
    results = marked([folder], Task(out))
    summaries = write_class([r.summary for r in results], out)
    assert [r.summary.row.score for r in results] == [100] * len(results)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]
    assert "<img src=x" not in (out / "index.html").read_text()
    assert "\x1b" not in "".join(lines_of(results, summaries, False, out))
    rows = list(csv.reader((out / "gradebook.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]


def nothing_there(tmp_path: Path) -> str:
    put(tmp_path, "notes.txt")
    return f"check needs workbooks (.xlsx or .xlsm). Received: '{tmp_path}' with none."


def a_lock_file_only(tmp_path: Path) -> str:
    put(tmp_path, "~$a.xlsx")
    return (
        f"check needs workbooks (.xlsx or .xlsm). Received: '{tmp_path}' with nothing but ~$a.xlsx, which a "
        "spreadsheet program keeps beside an open workbook."
    )


@pytest.mark.parametrize("case", [nothing_there, a_lock_file_only])
def test_a_folder_without_workbooks_is_refused(case: Callable[[Path], str], tmp_path: Path) -> None:
    said = case(tmp_path)
    with pytest.raises(SettingError) as caught:
        find_papers([tmp_path], Task(tmp_path / "out"))
    assert str(caught.value) == said


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        find_papers([tmp_path / "absent"], Task(tmp_path))
    assert str(caught.value) == (
        f"check takes workbooks and folders of them. Received: '{tmp_path / 'absent'}', which is not there. "
        "Give the folder that the files were handed in to."
    )


def test_answers_beside_what_was_handed_out_are_passed_over_and_nothing_else(tmp_path: Path) -> None:
    hand_out(LESSONS["and"], tmp_path, epochs=EPOCHS, engine="none")
    hand_in(tmp_path / "ada_1" / "and-answers.xlsx")
    assert [p.path.relative_to(tmp_path).as_posix() for p in find_papers([tmp_path], Task(tmp_path / "out"))] == [
        "and.xlsx",
        "ada_1/and-answers.xlsx",
    ]


# Keys


def test_a_key_has_the_right_given_numbers_of_everybody(tmp_path: Path) -> None:
    hand_out(LESSONS["and"], tmp_path, epochs=EPOCHS, seed=5, engine="none")
    path = hand_in(tmp_path / "in" / "ada.xlsx", seed=5)
    task = task_of(tmp_path / "out", key=tmp_path / "and-answers.xlsx")
    assert task.key is not None
    assert task.key.numbers["W_0"] == variant_settings(LESSONS["and"], 5)["W_0"]
    [result] = marked([path], task)
    assert result.summary.row.score == 100
    assert "Given numbers were changed" not in result.summary.row.remark
    [other] = marked([hand_in(tmp_path / "in" / "bob.xlsx")], task)
    assert "Given numbers were changed: learning_rate is 1, not 0.5" in other.summary.row.remark


def test_a_key_of_a_roster_has_a_row_per_student(tmp_path: Path) -> None:
    hand_out(LESSONS["and"], tmp_path, ["ada", "007"], epochs=EPOCHS, seed=5, engine="none")
    key = read_key(tmp_path / "and-answers.xlsx")
    assert (key.lesson, sorted(key.students)) == ("and", ["007", "ada"])
    assert key.of("ada")["W_0"] == variant_settings(LESSONS["and"], 5, "ada")["W_0"]
    task = Task(tmp_path / "out", key=key)
    [result] = marked([hand_in(tmp_path / "in" / "x.xlsx", student="ada", seed=5)], task)
    assert (result.summary.row.identifier, result.summary.row.score) == ("ada", 100)
    [absent] = marked([hand_in(tmp_path / "in" / "eve.xlsx")], task)
    assert absent.summary.row.remark == (
        "A key with a row per student has one for every file. Received: 'eve', who has none in 'and-answers.xlsx'. "
        "Name the file as in the roster."
    )


def test_a_file_of_another_lesson_than_the_key_is_one_line(tmp_path: Path) -> None:
    hand_out(LESSONS["and"], tmp_path, epochs=EPOCHS, engine="none")
    task = task_of(tmp_path / "out", key=tmp_path / "and-answers.xlsx")
    [result] = marked([hand_in(tmp_path / "in" / "ada.xlsx", lesson="xor")], task)
    assert result.summary.row.remark == (
        "A file is marked by a key of its lesson. Received: 'ada.xlsx', which is 'xor', and 'and-answers.xlsx', which "
        "is 'and'."
    )


def test_two_files_of_one_student_are_remarked(tmp_path: Path) -> None:
    for name in ("a", "b"):
        hand_in(tmp_path / "in" / f"{name}.xlsx", student="ada", seed=5)
    results = marked([tmp_path / "in"], Task(tmp_path / "out"))
    summaries = write_class([r.summary for r in results], tmp_path / "out")
    assert [s.row.remark.endswith("1 more file has this identifier.") for s in summaries] == [True, True]
    assert (tmp_path / "out" / "a.html").exists()
    assert (tmp_path / "out" / "b.html").exists()
