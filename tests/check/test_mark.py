"""One workbook marked: what is correct, carried, wrong, typed over, missing, not reached, and where it goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.student import StudentBook
from simulator.check.mark import mark
from simulator.check.marking import Marking, Status
from simulator.check.misconception import MISCONCEPTIONS
from simulator.check.rubric import DEFAULT, score
from simulator.errors import SettingError, WorkbookError
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.variant import variant_settings
from simulator.sheet.address import a1
from simulator.xlsx.submission import Submission
from simulator.xlsx.writer import PROPERTY
from tests.check.test_misconception import book_of, element, written


def marked(book: StudentBook, lesson: str) -> Marking:
    return mark(book.submission(), lesson, variant_settings(find_lesson(lesson), 1, "test"))[0]


def put(book: StudentBook, cell: str, formula: str, blocks: range) -> None:
    for b in blocks:
        book.cells[book.at(element(book, cell), b)] = written(book, formula, b)


def title(key: str) -> str:
    return next(m.title for m in MISCONCEPTIONS if m.key == key)


def question(key: str) -> str:
    return next(m.question for m in MISCONCEPTIONS if m.key == key)


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


# lesson, cell, formula, the two mistakes in it
PAIRS = (
    ("xor", "dZ1 0,0", "=-{dA1 0,0}", "gradient-sign+slope-forgotten-hidden"),
    ("xor", "dZ2 0", "={Y 0}-{P 0}", "label-first+mean-missing"),
    ("xor", "V' 0,0", "={V 0,0}+{dV 0,0}", "rate-missing+update-sign"),
    ("ledger", "dE/dw5", "=2*({a_o1}-{t1})*{a_h1}", "factor-two+slope-forgotten-output"),
    ("and", "dC/dp 3", "=({Y 3}/{p 3}-(1-{Y 3})/(1-{p 3}))", "gradient-sign+mean-missing"),
)


@pytest.mark.parametrize(("lesson", "cell", "formula", "key"), PAIRS)
def test_two_mistakes_in_one_formula_are_both_named(lesson: str, cell: str, formula: str, key: str) -> None:
    book = book_of(lesson)
    put(book, cell, formula, range(1, 3))
    [error] = marked(book, lesson).errors
    [name] = error.names
    assert name.key == key
    assert name.title == " with ".join(title(k) + "," * (k == key.partition("+")[0]) for k in key.split("+"))
    assert all(question(k) in name.question for k in key.split("+"))


def test_what_no_two_mistakes_explain_has_no_name() -> None:
    book = book_of("xor")
    put(book, "dZ1 0,0", "={dA1 0,0}*SIN({A1 0,0})+0.125", range(1, 2))
    [error] = marked(book, "xor").errors
    assert error.names == ()


def test_a_formula_filled_down_has_one_cause_also_in_the_last_row_whose_neighbour_is_empty() -> None:
    book = book_of("ledger")
    formula = "=(({a_o1}-{t1})*{a_o1}*(1-{a_o1})*%s+({a_o2}-{t2})*{a_o2}*(1-{a_o2})*%s)*{a_h1}*(1-{a_h1})*{i1}"
    k = element(book, "dE/dw1")
    for b in range(1, 4):
        below = [f"{a1(book.at(element(book, w), b)[1] + 1, book.at(element(book, w), b)[2])}" for w in ("w5", "w7")]
        book.cells[book.at(k, b)] = written(book, formula % tuple(below), b)
    [error] = marked(book, "ledger").errors
    assert ([n.key for n in error.names], len(error.cells)) == (["updated-weights"], 3)


def test_the_learning_rate_typed_into_a_formula_is_right_with_a_remark() -> None:
    book = book_of("xor")
    rate = next(s.value for s in book.run.settings.items.values() if s.name == "learning_rate")
    for b in range(4):
        put(book, "V' 0,0", f"={{V 0,0}}-{rate!r}*{{dV 0,0}}", range(b, b + 1))
    marking = marked(book, "xor")
    assert marking.errors == ()
    at = a1(*book.at(element(book, "V' 0,0"), 0)[1:])
    assert marking.remarks[-1] == (
        f"The learning rate is typed as a number in Training!{at} (V'). It is right, but refer to the rate's cell "
        "instead: then the table follows when the rate changes."
    )


@pytest.mark.parametrize("handed_out", [True, False])
def test_a_column_that_is_gone_counts_as_missing_where_it_was_handed_out(handed_out: bool) -> None:
    book = book_of("xor")
    for unit in range(3):
        for b in range(4):
            del book.cells[book.at(element(book, f"dW {unit}"), b)]
    col = book.at(element(book, "dW 0"), 0)[2]
    gone = {at for at, text in book.cells.items() if at[0] == "Training" and at[2] == col and isinstance(text, str)}
    book.cells = {at: content for at, content in book.cells.items() if at not in gone}
    for unit in range(3):
        inlined = f"SUMPRODUCT({{dZ2 0}}:{{dZ2 3}},{{A1 {unit},0}}:{{A1 {unit},3}})"
        put(book, f"W' {unit}", f"={{W {unit}}}-{{rate}}*{inlined}", range(4))
    submission = book.submission()
    if handed_out:
        submission = replace(submission, properties={PROPERTY: json.dumps({"template": "xor"})})
    marking, _ = mark(submission, "xor", variant_settings(find_lesson("xor"), 1, "test"))
    assert marking.errors == ()
    assert dict(marking.absent) == ({("dW", "backward"): 12} if handed_out else {})
    said = "; 12 cells count as missing" if handed_out else ""
    assert marking.remarks[0] == f"No column was found for dW{said}."
    assert (score(marking, DEFAULT) < 100) == handed_out


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
