from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.student import StudentBook
from benchmarks.variation import KINDS, correct_variant, correct_variants
from simulator.check.mark import mark, mark_file
from simulator.check.marking import Marking, Status
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.run import Run
from simulator.sheet.address import a1


def alarms(marking: Marking) -> list[str]:
    return [f"{e.first.address} {e.first.quantity} {e.status}: {e.first.found}" for e in marking.errors]


@cache
def book(lesson: str, epochs: int = 4, **settings: float) -> StudentBook:
    return StudentBook(Run.of(find_lesson(lesson), epochs, settings, strict=False))


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_variant_of_a_correct_workbook_is_marked_down(lesson: str) -> None:
    for variant in correct_variants(lesson, 3, seed=1):
        assert alarms(variant.marked()) == [], (variant.seed, sorted(variant.kinds))


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_variation_is_marked_down(kind: str) -> None:
    lesson = list(LESSONS)[KINDS.index(kind) % len(LESSONS)]
    for name in (lesson, "ledger"):
        assert alarms(correct_variant(name, 77, kind).marked()) == []


def test_a_table_of_text_numbers_without_an_epoch_column_is_found() -> None:
    variant = correct_variant("linear-regression", 43, "all typed", "numbers as text", "no epoch column")
    assert alarms(variant.marked()) == []


def test_the_same_seed_gives_the_same_workbook() -> None:
    one, two = correct_variant("xor", 3), correct_variant("xor", 3)
    assert one.kinds == two.kinds and one.submission == two.submission


def test_a_mistake_in_a_variant_is_still_found() -> None:
    """What raises no alarm must not be deaf."""
    variant = correct_variant("and", 5, "other spelling")
    found = [c for c in variant.marked().cells if c.quantity == "p"]
    sheet = variant.submission.sheets[found[0].sheet]
    for c in found:
        cell = sheet.cells[c.row, c.col]
        sheet.cells[c.row, c.col] = cell._replace(value=0.4321, formula=f"{cell.formula}*1.01" if cell.formula else "")
    assert {e.first.quantity for e in variant.marked().errors} == {"p"}


# Overflow


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("weight", [10.0, 20.0, 300.0])
def test_a_right_formula_is_right_where_the_spreadsheet_overflows(weight: float, stored: bool) -> None:
    """W = b = 20 takes Z to 60, where p is 1 and LN(1-p) is #NUM!; 300 takes EXP(Z) beyond the largest number."""
    twin = book("and", 4, W_0=weight, W_1=weight, b=weight).copy()
    for at, content in twin.cells.items():
        if isinstance(content, str) and content.startswith("="):
            content = re.sub(r"IF\(\w+>32,EXP\(-\w+\),(1-\w+)\)", r"(\1)", content)
            twin.cells[at] = re.sub(r"=1/\(1\+EXP\(-(\w+)\)\)", r"=EXP(\1)/(1+EXP(\1))", content)
    submission = twin.submission()
    if stored:
        marking = mark(submission, "and")[0]
        for c in marking.cells:  # as the file stores it: numbers, and the names of errors
            cells = submission.sheets[c.sheet].cells
            error = isinstance(c.found, str)
            value = "#NUM!" if error else c.found
            cells[c.row, c.col] = cells[c.row, c.col]._replace(value=value, is_error=error)
        assert (weight == 10) == (not any(isinstance(c.found, str) for c in marking.cells))
    assert alarms(mark(submission, "and", {"W_0": weight, "W_1": weight, "b": weight})[0]) == []


# Half-filled sheets


def blanked(twin: StudentBook, blank: Callable[[int, int], bool]) -> dict[tuple[str, str, int], Status]:
    """The statuses of all cells by quantity, entry and block, when these are empty; first weights and givens stay."""
    for k, e in enumerate(twin.reference.elements):
        for b in range(twin.run.table.count):
            is_given = e.quantity.role == "given" or (e.quantity.role == "parameter" and b == 0)
            if not is_given and blank(k, b):
                del twin.cells[twin.at(k, b)]
    marking = mark(twin.submission(), twin.run.lesson.name)[0]
    first = twin.run.first_epoch
    return {(c.quantity, c.entry, c.epoch - first): c.status for c in marking.cells}


@pytest.mark.parametrize("lesson", LESSONS)
def test_of_an_empty_sheet_nothing_is_reached(lesson: str) -> None:
    twin = book(lesson).copy()
    statuses = blanked(twin, lambda k, b: True)
    roles = {e.name: e.quantity.role for e in twin.reference.elements}
    for (name, _, b), status in statuses.items():
        given = roles[name] == "given" or (roles[name] == "parameter" and b == 0)
        assert status == (Status.CORRECT if given else Status.NOT_REACHED)


@pytest.mark.parametrize("lesson", LESSONS)
@pytest.mark.parametrize("epoch", [0, 2])
def test_up_to_where_the_student_came_all_is_right_and_behind_it_nothing_is_missing(lesson: str, epoch: int) -> None:
    """The forward pass of the first epoch; and up to the middle of the third."""
    twin = book(lesson).copy()
    elements = twin.reference.elements
    forward = [k for k, e in enumerate(elements) if e.quantity.role in ("given", "parameter", "forward")]
    last = max(forward) if epoch == 0 else len(elements) // 2
    statuses = blanked(twin, lambda k, b: (b, k) > (epoch, last))
    for k, e in enumerate(elements):
        for b in range(twin.run.table.count):
            given = e.quantity.role == "given" or (e.quantity.role == "parameter" and b == 0)
            expected = Status.CORRECT if given or (b, k) <= (epoch, last) else Status.NOT_REACHED
            assert statuses[e.name, e.entry, b] == expected, (e.name, e.entry, b)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_column_left_out_is_missing_and_the_rest_is_judged_without_it(lesson: str) -> None:
    for column in {e.name for e in book(lesson).reference.elements if e.quantity.role in ("cost", "backward")}:
        twin = book(lesson).copy()
        elements = twin.reference.elements
        statuses = blanked(twin, lambda k, b, c=column, es=elements: es[k].name == c)  # type: ignore[misc]
        count = twin.run.table.count
        later = {
            (e.name, e.entry, b)
            for k, e in enumerate(elements)
            for b in range(count)
            if b < count - 1 or any(x.name != column and x.quantity.role != "given" for x in elements[k + 1 :])
        }
        for at, status in statuses.items():
            if at[0] != column:
                assert status in (Status.CORRECT, Status.CARRIED), (column, at)
            else:
                assert status == (Status.MISSING if at in later else Status.NOT_REACHED), (column, at)


def test_one_blank_cell_in_the_middle_is_missing_and_the_rest_is_right() -> None:
    twin = book("xor").copy()
    k = next(k for k, e in enumerate(twin.reference.elements) if e.name == "P" and e.entry == "2")
    statuses = blanked(twin, lambda m, b: (m, b) == (k, 1))
    assert [at for at, s in statuses.items() if s == Status.MISSING] == [("P", twin.reference.elements[k].entry, 1)]
    assert {s for s in statuses.values() if s != Status.MISSING} <= {Status.CORRECT, Status.CARRIED}


# Through real files


def test_a_saved_workbook_without_stored_values_is_right(tmp_path: Path) -> None:
    twin = book("xor").copy()
    twin.save(tmp_path / "student.xlsx")
    assert alarms(mark_file(tmp_path / "student.xlsx", "xor")[0]) == []


def test_array_formulas_booleans_and_text_numbers_in_a_file_are_right(tmp_path: Path) -> None:
    import openpyxl
    from openpyxl.worksheet.formula import ArrayFormula

    twin = book("and").copy()
    twin.save(tmp_path / "student.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "student.xlsx")
    sheet: Any = workbook["Training"]
    by_name = {(e.name, e.index): k for k, e in enumerate(twin.reference.elements)}
    for b in range(twin.run.table.count):

        def at(name: str, index: tuple[int, int], b: int = b) -> str:
            return a1(*twin.at(by_name[name, index], b)[1:])

        cells = {name: at(name, (0, 0)) for name in ("X", "W", "Z")}
        columns = f"{cells['X']}:{at('X', (3, 1))}", f"{cells['W']}:{at('W', (1, 0))}"
        area = f"{cells['Z']}:{at('Z', (3, 0))}"
        sheet[cells["Z"]] = ArrayFormula(area, f"=MMULT({columns[0]},TRANSPOSE({columns[1]}))+{at('b', (0, 0))}")
        for i in range(1, 4):
            sheet[at("Z", (i, 0))] = None
        sheet[at("Y", (3, 0))] = True
        sheet[at("X", (1, 0))] = "0,0"
    workbook.save(tmp_path / "student.xlsx")
    assert alarms(mark_file(tmp_path / "student.xlsx", "and")[0]) == []


def test_shared_formulas_in_a_file_are_right(tmp_path: Path) -> None:
    """Filled down, as Excel stores it: the first cell has the formula, the others its number."""
    twin = book("and").copy()
    twin.save(tmp_path / "plain.xlsx")
    ks = [k for k, e in enumerate(twin.reference.elements) if e.name == "p"]
    places = [a1(*twin.at(k, b)[1:]) for b in range(twin.run.table.count) for k in ks]
    shared = 0
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as old, zipfile.ZipFile(tmp_path / "shared.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if b"1/(1+EXP(-" in text:
                sheet = text.decode()
                for i, place in enumerate(places):
                    first = f'<f t="shared" si="0" ref="{places[0]}:{places[-1]}">\\2</f>'
                    formula = first if i == 0 else '<f t="shared" si="0"/>'
                    sheet, n = re.subn(rf'(<c r="{place}"[^>]*>)<f>([^<]*)</f>', rf"\1{formula}", sheet)
                    shared += n
                text = sheet.encode()
            new.writestr(name, text)
    assert shared == len(places)
    assert alarms(mark_file(tmp_path / "shared.xlsx", "and")[0]) == []


def test_a_value_that_no_formula_explains_is_not_taken_on_trust() -> None:
    twin = book("and").copy()
    k = next(k for k, e in enumerate(twin.reference.elements) if e.name == "p")
    twin.cells[twin.at(k, 1)] = "=NOSUCH(1)"
    submission = twin.submission()
    sheet, row, col = twin.at(k, 1)
    cells = submission.sheets[sheet].cells
    right = float(twin.reference.key[k, 1])
    for value, errors in ((right, 0), (right + 0.1, 1)):
        cells[row, col] = cells[row, col]._replace(value=value)
        assert len(mark(submission, "and")[0].errors) == errors
    assert np.isfinite(right)
