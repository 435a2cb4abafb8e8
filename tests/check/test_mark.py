"""One workbook marked: what is correct, carried, wrong, typed over, missing, not reached, and where it goes wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.student import StudentBook
from simulator.check.mark import mark
from simulator.check.marking import Marking, Status
from simulator.errors import SettingError, WorkbookError
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.variant import variant_settings
from simulator.xlsx.submission import Submission
from tests.check.test_misconception import book_of, element, written


def marked(book: StudentBook, lesson: str) -> Marking:
    return mark(book.submission(), lesson, variant_settings(find_lesson(lesson), 1, "test"))[0]


def put(book: StudentBook, cell: str, formula: str, blocks: range) -> None:
    for b in blocks:
        book.cells[book.at(element(book, cell), b)] = written(book, formula, b)


def addresses(marking: Marking) -> list[str]:
    return [e.first.address for e in marking.errors]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_lesson_itself_has_no_error(lesson: str) -> None:
    marking = marked(book_of(lesson), lesson)
    assert marking.errors == ()
    assert {m.status for m in marking.cells} == {Status.CORRECT}


def test_what_follows_from_an_error_is_carried_not_wrong() -> None:
    book = book_of("xor")
    put(book, "dZ1 0,3", "={dA1 0,3}", range(1, 2))
    marking = marked(book, "xor")
    [error] = marking.errors
    changed = {m.quantity for m in marking.cells if m.status == Status.CARRIED and m.epoch == 2}
    assert changed == {"dV", "db1", "V'", "b1'"}
    assert error.follows == marking.count(Status.CARRIED) > 0
    in_front = [m for m in marking.cells if m.epoch == 1 and m.quantity in marking.to_fill]
    assert marking.before >= len(in_front)


def test_one_mistake_down_a_column_is_one_error() -> None:
    book = book_of("xor")
    for unit in range(3):
        for sample in range(4):
            put(book, f"dZ1 {unit},{sample}", f"={{dA1 {unit},{sample}}}", range(4))
    [error] = marked(book, "xor").errors
    assert (len(error.cells), error.names[0].key) == (48, "slope-forgotten-hidden")


def test_two_mistakes_are_two_errors_in_the_order_of_computation() -> None:
    book = book_of("xor")
    put(book, "V' 0,0", "={V 0,0}+{rate}*{dV 0,0}", range(2, 4))
    put(book, "dZ2 1", "={P 1}-{Y 1}", range(1, 4))
    errors = marked(book, "xor").errors
    assert [(e.first.quantity, e.first.epoch, [n.key for n in e.names]) for e in errors] == [
        ("dZ2", 2, ["mean-missing"]),
        ("V'", 3, ["update-sign"]),
    ]


def test_a_mistake_from_one_epoch_on_is_located_there() -> None:
    book = book_of("decoder")
    put(book, "dZ 1,2", "={Y 1,2}-{P 1,2}", range(3, 4))
    [error] = marked(book, "decoder").errors
    assert (error.first.epoch, error.first.entry) == (4, "1,2")


def test_a_reference_that_drifts_on_filling_down_is_shown_with_both_places() -> None:
    book = book_of("xor")
    rate = book.names["learning_rate"]
    for b in range(4):
        put(book, "V' 0,0", f"={{V 0,0}}-Parameters!B{rate[1] + 1 + b}*{{dV 0,0}}", range(b, b + 1))
    [error] = marked(book, "xor").errors
    first = error.first.row + 1
    assert [n.key for n in error.names] == ["drift"]
    assert error.detail == f"row {first} refers to Parameters!B6, the rows above to Parameters!B5"
    assert error.first.epoch == 2


def test_a_dollar_too_few_in_the_middle_of_a_column_is_a_drift() -> None:
    book = book_of("ledger")
    good = {b: written(book, f"={{w5@{b - 1}}}-$B$5*{{dE/dw5@{b - 1}}}", b) for b in range(1, 4)}
    for b, formula in good.items():
        book.cells[book.at(element(book, "w5"), b)] = formula.replace("$B$5", f"Parameters!$B${5 if b < 3 else 7}")
    [error] = marked(book, "ledger").errors
    row = error.first.row + 1
    assert error.detail == f"row {row} refers to Parameters!B7, the rows above to Parameters!B5"


def test_a_number_typed_among_formulas_is_typed_over_even_where_it_is_right() -> None:
    book = book_of("xor")
    k = element(book, "dA1 0,0")
    right = mark(book.submission(), "xor", variant_settings(find_lesson("xor"), 1, "test"))[1].own[k, 2]
    book.cells[book.at(k, 2)] = float(right)
    [error] = marked(book, "xor").errors
    assert (error.status, len(error.cells), error.first.epoch) == (Status.TYPED_OVER, 1, 3)


def test_a_wrong_number_typed_among_formulas_names_what_leads_to_it() -> None:
    book = book_of("xor")
    verdicts = mark(book.submission(), "xor", variant_settings(find_lesson("xor"), 1, "test"))[1]
    dA1 = verdicts.evidence.values[element(book, "dA1 0,3"), 2]
    book.cells[book.at(element(book, "dZ1 0,3"), 2)] = round(float(dA1), 6)
    [error] = marked(book, "xor").errors
    assert error.status == Status.TYPED_OVER
    assert "slope-forgotten-hidden" in [n.key for n in error.names]


def test_blank_cells_are_missing_before_the_last_filled_one_and_not_reached_after_it() -> None:
    book = book_of("xor")
    for k in range(len(book.reference.elements)):
        for b in range(2, 4):
            del book.cells[book.at(k, b)]
    del book.cells[book.at(element(book, "A1 1,1"), 1)]
    marking = marked(book, "xor")
    [error] = marking.errors
    assert (error.status, error.first.quantity, error.first.epoch) == (Status.MISSING, "A1", 2)
    statuses = Counter(m.status for m in marking.cells if m.epoch > 2)
    assert set(statuses) == {Status.NOT_REACHED}
    assert all(m.status.is_right for m in marking.cells if m.epoch == 2 and m.quantity in ("Z2", "P", "dZ1"))


CONVENTIONS = (
    # gradient on the way,         of the weights,                 update
    ("={P %s}-{Y %s}", "=SUMPRODUCT({dZ2 0}:{dZ2 3},{A1 %s,0}:{A1 %s,3})/4", "={W %s}-{rate}*{dW %s}"),
    ("={P %s}-{Y %s}", "=SUMPRODUCT({dZ2 0}:{dZ2 3},{A1 %s,0}:{A1 %s,3})", "={W %s}-{rate}*{dW %s}/4"),
    ("=({Y %s}-{P %s})/4", "=SUMPRODUCT({dZ2 0}:{dZ2 3},{A1 %s,0}:{A1 %s,3})", "={W %s}+{rate}*{dW %s}"),
)


@pytest.mark.parametrize(("dZ2", "dW", "W"), CONVENTIONS, ids=["m-at-weights", "m-at-update", "opposite-sign"])
def test_an_equivalent_convention_is_no_error(dZ2: str, dW: str, W: str) -> None:
    book = book_of("xor")
    at_weights, at_update = "/4" in dW, "/4" in W
    sign = "+" if "+" in W else "-"
    for i in range(4):
        put(book, f"dZ2 {i}", dZ2.replace("%s", str(i)), range(4))
    for i in range(3):
        put(book, f"dW {i}", dW.replace("%s", str(i)), range(4))
        put(book, f"W' {i}", W.replace("%s", str(i)), range(4))
    end = "/4" if at_weights else ""
    put(book, "db2", f"=SUM({{dZ2 0}}:{{dZ2 3}}){end}", range(4))
    updated = ["b2", *(f"b1 {i}" for i in range(3)), *(f"V {i},{j}" for i in range(3) for j in range(2))]
    for i in range(3):
        put(book, f"db1 {i}", f"=SUM({{dZ1 {i},0}}:{{dZ1 {i},3}}){end}", range(4))
        for j in range(2):
            formula = f"=SUMPRODUCT({{dZ1 {i},0}}:{{dZ1 {i},3}},{{X {j},0}}:{{X {j},3}}){end}"
            put(book, f"dV {i},{j}", formula, range(4))
    for cell in updated:
        name, _, entry = cell.partition(" ")
        gradient, new = f"d{name} {entry}".strip(), f"{name}' {entry}".strip()
        put(book, new, f"={{{cell}}}{sign}{{rate}}*{{{gradient}}}{'/4' if at_update else ''}", range(4))
    marking = marked(book, "xor")
    assert marking.errors == ()
    assert any("judged as right" in remark for remark in marking.remarks)


def test_half_a_convention_is_an_error() -> None:
    book = book_of("xor")
    for i in range(4):
        put(book, f"dZ2 {i}", f"={{P {i}}}-{{Y {i}}}", range(4))  # and 1/m comes nowhere else
    [error] = marked(book, "xor").errors
    assert (error.first.quantity, [n.key for n in error.names]) == ("dZ2", ["mean-missing"])


def test_changed_given_numbers_are_said_and_the_rest_is_judged_by_them() -> None:
    lesson = find_lesson("xor")
    book = StudentBook(lesson.run(4, {"learning_rate": 0.5}))
    marking, _ = mark(book.submission(), "xor")
    assert marking.errors == ()
    assert marking.remarks[:1] == (
        "Given numbers were changed: learning_rate is 0.5, not 3. The cells were judged by the numbers that stand "
        "there.",
    )


def test_a_lesson_is_recognised_by_its_headings() -> None:
    for name in ("and", "decoder", "xor", "ledger"):
        assert mark(StudentBook(find_lesson(name).run(2)).submission())[0].lesson == name


def test_a_workbook_without_a_table_is_refused() -> None:
    empty = Submission(book_of("xor").submission().path, {}, {}, {}, ())
    with pytest.raises(
        SettingError, match=r"A workbook names its lesson, has its headings, or is marked with --lesson"
    ):
        mark(empty)
    with pytest.raises(WorkbookError, match="'xor'"):
        mark(empty, "xor")
