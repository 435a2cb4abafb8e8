"""Workbooks to hand out: what is left empty, what waits, what filling in leads to, and the lecturer's answers."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from simulator.book.answers import answers_book
from simulator.book.template import blank_quantities, template_workbook
from simulator.book.workbook import Workbook, workbook_of
from simulator.errors import SettingError
from simulator.lessons import LESSONS
from simulator.lessons.run import Run
from simulator.lessons.variant import variant_settings
from simulator.sheet.sheet import Sheet
from simulator.xlsx.recalculate import EMBEDDED, Grid, recalculated
from simulator.xlsx.verify import expected_grid, formula_cells, verify
from simulator.xlsx.writer import write_workbook

BLANKS = ["all", "backward"]
Formula = Callable[[str], str]


def sheet(workbook: Workbook, name: str) -> Sheet:
    return next(s for s in workbook.sheets if s.name == name)


def fill(path: Path, run: Run, names: frozenset[str], changed: Formula = lambda text: text, epochs: int = 99) -> None:
    """Write the lesson's formulas into the empty cells of a workbook, those of the first epochs."""
    book = openpyxl.load_workbook(path)
    for block in range(min(epochs, run.count)):
        for c in run.table.computed:
            assert c.quantity
            if c.quantity.node.name in names and not (c.quantity.role == "parameter" and block == 0):
                cell = run.table.address(c.quantity.node, c.index, block).partition("!")[2]
                assert book["Training"][cell].value is None
                book["Training"][cell] = "=" + changed(run.table.formula_at(c, block))
    book.save(path)


def recalculated_sheet(path: Path, workbook: Workbook, name: str, engine: str = "formualizer") -> Grid:
    sizes = {s.name: expected_grid(s).numbers.shape for s in workbook.sheets}
    return recalculated(path, engine, sizes)[name]


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("blank", BLANKS)
def test_what_remains_of_a_template_agrees_and_waits_for_the_empty_cells(name: str, blank: str, tmp_path: Path) -> None:
    workbook = template_workbook(LESSONS[name].run(epochs=4), blank, reveal=True)
    path = write_workbook(workbook, tmp_path / "template.xlsx")
    verification = verify(path, workbook, EMBEDDED)
    assert [str(m) for f in verification.findings for m in f.mismatches] == []
    assert verification.formulas == sum(map(formula_cells, workbook.sheets))


# lesson, blank: an array whose later blocks alone are empty, a cell that takes several, one in the middle
PARTS = [("xor", "b2"), ("decoder", "W,dZ"), ("ledger-bias", "dE/dw1"), ("and", "dC/dp"), ("and", "W'")]


@pytest.mark.parametrize(("name", "blank"), PARTS)
def test_some_columns_may_be_left_empty(name: str, blank: str, tmp_path: Path) -> None:
    workbook = template_workbook(LESSONS[name].run(epochs=4), blank)
    path = write_workbook(workbook, tmp_path / "template.xlsx")
    verification = verify(path, workbook, EMBEDDED)
    assert [str(m) for f in verification.findings for m in f.mismatches] == []


def test_a_formula_counts_the_empty_cells_that_it_refers_to() -> None:
    run = LESSONS["decoder"].run(epochs=3)
    [table] = sheet(template_workbook(run, "W,e^Z"), "Training").tables
    formulas = {(c.quantity.node.name, c.index): c for c in table.computed if c.quantity}
    Z, total = formulas["Z", (0, 0)], formulas["sum", (0, 0)]
    plain = {(c.quantity.node.name, c.index): c for c in run.table.computed if c.quantity}
    assert table.formula_at(Z, 0) == run.table.formula_at(plain["Z", (0, 0)], 0)
    assert table.formula_at(Z, 1) == f"IF(COUNT(L14:M14)=2,{run.table.formula_at(plain['Z', (0, 0)], 1)},NA())"
    assert table.formula_at(total, 0) == "IF(COUNT(T10:T13)=4,SUM(T10:T13),NA())"


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("blank", BLANKS)
def test_the_lessons_formulas_in_the_empty_cells_make_the_lesson(name: str, blank: str, tmp_path: Path) -> None:
    run = LESSONS[name].run(epochs=4)
    workbook = template_workbook(run, blank, reveal=True)
    path = write_workbook(workbook, tmp_path / "template.xlsx")
    names = blank_quantities(run, blank)
    fill(path, run, names)
    sizes = {s.name: expected_grid(s).numbers.shape for s in workbook.sheets}
    found = recalculated(path, "formualizer", sizes)
    expected = expected_grid(sheet(workbook_of(run), "Training")).numbers[run.table.first_row :]
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(found["Training"].numbers[run.table.first_row :], expected, rtol=1e-12)
    costs = run.column(run.epoch.cost.name).ravel()
    np.testing.assert_allclose(found["Charts"].numbers[-len(costs) :, 1], costs, rtol=1e-12)
    assert verdicts(found["Training"]) == ["TRUE"] * len(names)


def verdicts(training: Grid) -> list[str]:
    """The row above the headings, without what is empty."""
    return [text.upper() for (r, c), text in sorted(training.texts.items()) if r == 4 and c > 0 and text]


def test_the_verdict_of_a_column_shows_a_slip_and_only_there(tmp_path: Path) -> None:
    run = LESSONS["decoder"].run(epochs=3)
    workbook = template_workbook(run, "Z,dZ", reveal=True)
    path = write_workbook(workbook, tmp_path / "template.xlsx")
    assert verdicts(recalculated_sheet(path, workbook, "Training")) == []
    fill(path, run, frozenset({"Z"}), epochs=1)
    assert verdicts(recalculated_sheet(path, workbook, "Training")) == ["TRUE"]
    fill(path, run, frozenset({"dZ"}), lambda text: text.replace("/4", ""), epochs=1)
    assert verdicts(recalculated_sheet(path, workbook, "Training")) == ["TRUE", "FALSE"]


@pytest.mark.parametrize(("decimals", "verdict"), [(3, "TRUE"), (1, "FALSE")])
def test_numbers_typed_with_three_decimals_are_right(decimals: int, verdict: str, tmp_path: Path) -> None:
    run = LESSONS["and"].run(epochs=4)
    workbook = template_workbook(run, "dC/dW", reveal=True)
    path = write_workbook(workbook, tmp_path / "template.xlsx")
    book = openpyxl.load_workbook(path)
    values = run.column("dC/dW")
    node = run.table.find("dC/dW").node
    for block in range(run.count):
        for i in range(2):
            cell = run.table.address(node, (i, 0), block).partition("!")[2]
            book["Training"][cell] = round(float(values[block, i, 0]), decimals)
    book.save(path)
    assert verdicts(recalculated_sheet(path, workbook, "Training")) == [verdict]


def test_the_checksums_are_on_a_very_hidden_sheet(tmp_path: Path) -> None:
    path = write_workbook(template_workbook(LESSONS["and"].run(epochs=2), reveal=True), tmp_path / "x.xlsx")
    assert openpyxl.load_workbook(path)["Check"].sheet_state == "veryHidden"


@pytest.mark.parametrize("name", LESSONS)
def test_a_template_gives_no_answer_away(name: str, tmp_path: Path) -> None:
    run = LESSONS[name].run(epochs=3)
    workbook = template_workbook(run)
    assert [s.name for s in workbook.sheets if s.name != "Data"] == ["Read me", "Parameters", "Training", "Charts"]
    training = sheet(workbook, "Training")
    names = blank_quantities(run, "all")
    for q in run.table.quantities:
        note = training.notes[run.table.first_row - 3, run.table.column(q.node)]
        if q.node.name in names and q.role != "parameter":
            assert "\nfirst cell: =" not in note
            assert f"\n{q.node.name} = " in note
        assert "second epoch: =" not in note or q.role == "given"
    path = write_workbook(workbook, tmp_path / "x.xlsx")
    with zipfile.ZipFile(path) as archive:
        text = b"".join(archive.read(part) for part in archive.namelist()).decode(errors="ignore")
    second = run.column(run.epoch.cost.name).ravel()[1]
    assert repr(float(second))[:10] not in text


def test_given_numbers_stand_where_the_lesson_has_them() -> None:
    run = LESSONS["and"].run(epochs=3)
    mine, whole = (sheet(w, "Parameters") for w in (template_workbook(run), workbook_of(run)))
    assert set(mine.names) == {"learning_rate", "first_epoch", "W_0", "W_1", "b"} | {
        n for n in whole.names if n[:2] in ("X_", "Y_")
    }
    assert {n: whole.names[n] for n in mine.names} == mine.names
    hidden = sorted(row for row, height in mine.heights.items() if height == 0)
    assert hidden == sorted(whole.names[n][0] for n in whole.names if n not in mine.names)


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(SettingError) as caught:
        blank_quantities(LESSONS["decoder"].run(epochs=2), "dZ,dWW")
    assert str(caught.value) == (
        "--blank takes all, backward, or columns of 'decoder' to fill in: W, b, Z, e^Z, sum, P, -Ylog(P), cost, dZ, "
        "dW, db, W', b'. Received: 'dWW'. Did you mean 'dW'?"
    )


def test_given_columns_cannot_be_left_empty() -> None:
    with pytest.raises(SettingError, match=r"Received: 'X'\."):
        blank_quantities(LESSONS["and"].run(epochs=2), "X")


def test_a_template_says_what_it_is_within_255_characters() -> None:
    run = LESSONS["decoder-sigmoid-as-printed"].run(epochs=70)
    assert template_workbook(run, "dZ", student="ada", seed=7).origin == {
        "template": "decoder-sigmoid-as-printed",
        "blank": "dZ",
        "student": "ada",
        "seed": "7",
    }
    every = ",".join(sorted(blank_quantities(run, "all")))
    assert template_workbook(run, every, student='"' * 60, seed=10**12).origin["blank"] == "custom"


def test_a_long_identifier_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        template_workbook(LESSONS["and"].run(epochs=2), student="a" * 61)
    assert str(caught.value) == (
        "A student's identifier has at most 60 characters. Received: 61 of them, 'aaaaaaaaaaaaaaaaaaaa...'. Shorten it."
    )


@pytest.mark.parametrize("name", ["and", "ledger", "linear-regression", "xor"])
def test_the_answers_of_all_students_are_live(name: str, tmp_path: Path) -> None:
    lesson = LESSONS[name]
    students = ["ada", "A1", "o'neil/[7]", "x" * 60]
    runs = {s: lesson.run(5, variant_settings(lesson, 1, s)) for s in students}
    workbook = answers_book(lesson, runs)
    names = [s.name for s in workbook.sheets]
    assert names[:5] == ["Answers", "Given", "1 ada", "2 A1", "3 o_neil__7_"]
    verification = verify(write_workbook(workbook, tmp_path / "answers.xlsx"), workbook, EMBEDDED)
    assert [str(m) for f in verification.findings for m in f.mismatches] == []
    for student, own in zip(students, workbook.sheets[2:], strict=True):
        [table] = own.tables
        assert list(table.blocks()) == list(runs[student].table.blocks())


def test_the_overview_has_cost_and_parameters_of_every_student() -> None:
    lesson = LESSONS["and"]
    runs = {s: lesson.run(5, variant_settings(lesson, 1, s)) for s in ("ada", "bo")}
    answers = answers_book(lesson, runs).sheets[0]
    for row, run in enumerate(runs.values(), 4):
        costs, weights = run.column("cost").ravel(), run.column("W")[-1].ravel()
        first = [run.settings[n] for n in ("W_0", "W_1", "b")]
        expected = [*first, costs[0], costs[1], costs[-1], *weights, run.column("b")[-1].item()]
        assert [answers.cells[row, col].value for col in range(2, 11)] == expected


def test_answers_need_a_student() -> None:
    with pytest.raises(SettingError) as caught:
        answers_book(LESSONS["and"], {})
    assert str(caught.value) == "Answers need at least one student. Received: none. Give a run per identifier."
