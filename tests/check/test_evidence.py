from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.student import StudentBook
from simulator.check.evidence import number_of, settle
from simulator.check.formula import NotUnderstood
from simulator.check.mark import mark
from simulator.check.marking import Marking, Status
from simulator.check.placement import At
from simulator.lessons import find_lesson
from simulator.lessons.run import Run

# text,          the number that it is
TEXTS = [
    ("0.25", 0.25),
    ("0,25", 0.25),
    (",25", 0.25),
    ("-0,25", -0.25),
    ("\N{MINUS SIGN}0,25", -0.25),
    (" 1.234,5 ", 1234.5),
    ("2,5E-05", 2.5e-5),
    ("2.5e-05", 2.5e-5),
    ("n/a", None),
    ("", None),
    ("1,2,3", None),
    ("0x10", None),
]


@pytest.mark.parametrize(("text", "number"), TEXTS)
def test_a_number_stored_as_text_is_read_with_either_decimal_mark(text: str, number: float | None) -> None:
    assert number_of(text) == number


def marked(cells: dict[At, float | str], formula: str) -> tuple[Marking, Status]:
    """The lesson `and` with further cells, and one formula for the first Z of the second epoch."""
    book = StudentBook(Run.of(find_lesson("and"), 3, {}))
    k = next(k for k, e in enumerate(book.reference.elements) if e.name == "Z")
    book.cells |= {**cells, book.at(k, 1): formula}
    marking = mark(book.submission(), "and")[0]
    sheet, row, col = book.at(k, 1)
    return marking, next(c.status for c in marking.cells if (c.sheet, c.row, c.col) == (sheet, row, col))


RIGHT = "C14*F14+D14*G14+H14"
SOURCE = "=Training!C14*Training!F14+Training!D14*Training!G14+Training!H14"


def test_a_chain_of_500_helper_cells_is_followed() -> None:
    chain: dict[At, float | str] = {("Scratch", i, 0): f"=A{i}+0" for i in range(1, 500)}
    chain["Scratch", 0, 0] = SOURCE
    marking, status = marked(chain, "=Scratch!A500")
    assert status == Status.CORRECT and marking.errors == ()
    assert marked(chain, "=Scratch!A500+1")[1] == Status.WRONG


def test_helper_cells_that_double_at_every_step_cost_little() -> None:
    chain: dict[At, float | str] = {("Scratch", i, 0): f"=(A{i}+A{i})/2" for i in range(1, 60)}
    chain["Scratch", 0, 0] = SOURCE
    began = time.perf_counter()
    assert marked(chain, "=Scratch!A60")[1] == Status.CORRECT
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "formula",
    [
        "=Scratch!A1",  # which refers to itself through another cell
        f"={'+'.join(['C14'] * 4_000)}",
        f"={'(' * 64}{RIGHT}{')' * 64}+NOSUCH(1)",
        '=INDIRECT("C14")',
        '=WEBSERVICE("http://x")',
        "=J14",  # itself
        "=SUM(A1:XFD1048576)",
        "=IF(1)",
        "=C14*(",
    ],
    ids=lambda f: f[:12],
)
def test_a_hostile_formula_without_a_stored_value_is_wrong_and_costs_little(formula: str) -> None:
    circle: dict[At, float | str] = {("Scratch", 0, 0): "=A2", ("Scratch", 1, 0): "=A1"}
    began = time.perf_counter()
    assert marked(circle, formula)[1] == Status.WRONG
    assert time.perf_counter() - began < 5


def test_what_a_cell_needs_is_settled_first_and_once() -> None:
    needs = {"a": ["b", "c"], "b": ["c"], "c": []}
    known: dict[At, int] = {}
    calls: list[At] = []

    def at(name: str) -> At:
        return name, 0, 0

    def work(place: At) -> int:
        calls.append(place)
        return 1 + sum(known[at(n)] for n in needs[place[0]])

    settle(at("a"), known, lambda place: [at(n) for n in needs[place[0]]], work)
    assert known[at("a")] == 4
    assert sorted(calls) == [at("a"), at("b"), at("c")]
    needs["c"] = ["a"]
    known.clear()
    with pytest.raises(NotUnderstood):
        settle(at("a"), known, lambda place: [at(n) for n in needs[place[0]]], work)


def test_numbers_of_ten_digits_have_the_margin_of_ten_digits() -> None:
    book = StudentBook(Run.of(find_lesson("and"), 3, {}))
    submission = book.submission()
    _, verdicts = mark(submission, "and")
    for k, places in enumerate(verdicts.evidence.placement.where):
        for b, (sheet, row, col) in places.items():
            cells = submission.sheets[sheet].cells
            cells[row, col] = cells[row, col]._replace(value=float(f"{verdicts.evidence.values[k, b]:.9e}"))
    marking, verdicts = mark(submission, "and")
    assert marking.errors == ()
    p = next(k for k, e in enumerate(verdicts.reference.elements) if e.name == "p")
    ratio = verdicts.evidence.margins[p] / np.abs(verdicts.evidence.values[p])
    assert ratio == pytest.approx(0.5e-9)
