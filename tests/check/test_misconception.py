"""Every mistake of the table, written as a student writes it, is found in its cell and named alone."""

from __future__ import annotations

import re

import pytest

from benchmarks.student import StudentBook
from simulator.check.mark import mark
from simulator.check.marking import Status
from simulator.check.misconception import MISCONCEPTIONS
from simulator.lessons import find_lesson
from simulator.lessons.variant import variant_settings

EPOCHS, PLANTED = 4, 2  # blocks, and the one with the mistake

PATH1 = "({a_o1}-{t1})*{a_o1}*(1-{a_o1})*{w5}"
PATH2 = "({a_o2}-{t2})*{a_o2}*(1-{a_o2})*{w7}"
SIGMOID_OF_A = "(1/(1+EXP(-{A1 0,0})))"

# mistake, lesson, cell, formula; {V 0,1} is an entry of V in the same epoch, {w1@0} one in another block
ROWS = (
    ("slope-forgotten-hidden", "xor", "dZ1 0,0", "={dA1 0,0}"),
    ("slope-forgotten-hidden", "ledger", "dE/dw1", f"=({PATH1}+{PATH2})*{{i1}}"),
    ("slope-forgotten-hidden", "xor-tanh", "dZ1 1,2", "={dA1 1,2}"),
    ("slope-forgotten-output", "and", "dC/dZ 0", "={dC/dp 0}"),
    ("slope-forgotten-output", "ledger", "dE/dw5", "=({a_o1}-{t1})*{a_h1}"),
    ("slope-of-activation", "xor", "dZ1 0,0", f"={{dA1 0,0}}*{SIGMOID_OF_A}*(1-{SIGMOID_OF_A})"),
    ("slope-of-sum", "xor", "dZ1 0,1", "={dA1 0,1}*{Z1 0,1}*(1-{Z1 0,1})"),
    ("half-slope", "xor", "dZ1 0,0", "={dA1 0,0}*{A1 0,0}"),
    ("another-unit", "xor", "dZ1 0,0", "={dA1 0,0}*{A1 1,0}*(1-{A1 1,0})"),
    ("another-unit", "ledger", "o1", "={w5}*{a_h1}+{w6}*{a_h1}"),
    ("wrong-weight", "xor", "dA1 0,0", "={W 1}*{dZ2 0}"),
    ("wrong-weight", "ledger", "h1", "={w1}*{i1}+{w3}*{i2}"),
    ("wrong-weight", "decoder", "Z 0,3", "={W 0,0}*{X 0,3}+{W 1,0}*{X 1,3}+{b 0}"),
    ("path-missing", "ledger", "dE/dw1", f"=({PATH1})*{{a_h1}}*(1-{{a_h1}})*{{i1}}"),
    ("brackets-missing", "ledger", "dE/dw1", f"={PATH1}+{PATH2}*{{a_h1}}*(1-{{a_h1}})*{{i1}}"),
    ("brackets-missing", "xor", "A1 0,0", "=1/1+EXP(-{Z1 0,0})"),
    ("update-sign", "xor", "V' 0,0", "={V 0,0}+{rate}*{dV 0,0}"),
    ("update-sign", "ledger", "w5", "={w5@1}+learning_rate*{dE/dw5@1}"),
    ("update-left-out", "xor", "V' 0,0", "={V 0,0}"),
    ("not-carried", "ledger", "w1", "={w1@0}"),
    ("rate-missing", "xor", "V' 0,0", "={V 0,0}-{dV 0,0}"),
    ("label-first", "xor", "dZ2 0", "=({Y 0}-{P 0})/4"),
    ("label-first", "ledger", "dE/dw5", "=({t1}-{a_o1})*{a_o1}*(1-{a_o1})*{a_h1}"),
    ("gradient-sign", "xor", "dA1 0,0", "=-{W 0}*{dZ2 0}"),
    ("mean-missing", "xor", "dZ2 0", "={P 0}-{Y 0}"),
    ("mean-doubled", "xor", "db2", "=({dZ2 0}+{dZ2 1}+{dZ2 2}+{dZ2 3})/4"),
    ("sum-for-mean", "xor", "cost", "=SUM({loss 0}:{loss 3})"),
    ("factor-two", "ledger", "E1", "=({t1}-{a_o1})^2"),
    ("bias-gradient-missing", "xor", "b2'", "={b2}"),
    ("bias-times-input", "xor", "db2", "={dZ2 0}*{A1 0,0}+{dZ2 1}*{A1 0,1}+{dZ2 2}*{A1 0,2}+{dZ2 3}*{A1 0,3}"),
    ("input-missing", "xor", "dW 0", "=SUM({dZ2 0}:{dZ2 3})"),
    ("input-missing", "ledger", "dE/dw5", "=({a_o1}-{t1})*{a_o1}*(1-{a_o1})"),
    ("input-swapped", "xor", "dV 0,0", "=SUMPRODUCT({dZ1 0,0}:{dZ1 0,3},{X 1,0}:{X 1,3})"),
    ("input-swapped", "ledger", "dE/dw1", f"=({PATH1}+{PATH2})*{{a_h1}}*(1-{{a_h1}})*{{i2}}"),
    ("updated-weights", "xor", "dA1 0,0", "={W' 0}*{dZ2 0}"),
    (
        "updated-weights",
        "ledger",
        "dE/dw1",
        f"=({PATH1}+{PATH2})*{{a_h1}}*(1-{{a_h1}})*{{i1}}".replace("{w5}", "{w5@3}").replace("{w7}", "{w7@3}"),
    ),
    ("another-gradient", "xor", "V' 0,0", "={V 0,0}-{rate}*{dV 0,1}"),
    ("softmax-not-normalised", "decoder", "P 0,0", "={e^Z 0,0}"),
    ("softmax-axis", "decoder", "sum 0", "=SUM({e^Z 0,0}:{e^Z 0,3})"),
    ("slope-on-top", "xor", "dZ2 0", "=({P 0}-{Y 0})/4*{P 0}*(1-{P 0})"),
    ("crossentropy-sign", "and", "dC/dp 3", "=({Y 3}/{p 3}+(1-{Y 3})/(1-{p 3}))/4"),
    ("crossentropy-sign", "and", "-ylog(p) 3", "={Y 3}*LN({p 3})"),
    ("log-base", "xor", "loss 0", "=-({Y 0}*LOG10({P 0})+(1-{Y 0})*LOG10(1-{P 0}))"),
    ("log-base", "decoder", "-Ylog(P) 0,0", "=-{Y 0,0}*LOG({P 0,0},2)"),
    ("exponent-sign", "xor", "A1 0,0", "=1/(1+EXP({Z1 0,0}))"),
    ("bias-forgotten", "xor", "Z1 0,0", "={V 0,0}*{X 0,0}+{V 0,1}*{X 1,0}"),
    ("rounded", "xor", "Z1 0,3", "=ROUND({V 0,0}*{X 0,3}+{V 0,1}*{X 1,3}+{b1 0},2)"),
)


def book_of(lesson: str) -> StudentBook:
    return StudentBook(find_lesson(lesson).run(EPOCHS, variant_settings(find_lesson(lesson), 1, "test")))


def element(book: StudentBook, cell: str) -> int:
    name, _, entry = cell.partition(" ")
    return next(k for k, e in enumerate(book.reference.elements) if (e.name, e.entry) == (name, entry))


def written(book: StudentBook, formula: str, b: int) -> str:
    """The formula with the addresses of the named cells."""
    from simulator.sheet.address import a1

    def address(match: re.Match[str]) -> str:
        cell, _, block = match[1].partition("@")
        return a1(*book.at(element(book, cell), int(block or b))[1:])

    return re.sub(r"\{([^}]+)\}", address, formula)


@pytest.mark.parametrize(("key", "lesson", "cell", "formula"), ROWS, ids=[f"{r[0]}-{r[1]}-{r[2]}" for r in ROWS])
def test_a_mistake_is_found_in_its_cell_and_named(key: str, lesson: str, cell: str, formula: str) -> None:
    book = book_of(lesson)
    k = element(book, cell)
    at = book.at(k, PLANTED)
    book.cells[at] = written(book, formula, PLANTED)
    marking, _ = mark(book.submission(), lesson, variant_settings(find_lesson(lesson), 1, "test"))
    assert [(e.status, (e.first.sheet, e.first.row, e.first.col), len(e.cells)) for e in marking.errors] == [
        (Status.WRONG, at, 1)
    ]
    assert [name.key for name in marking.errors[0].names] == [key]
    assert marking.errors[0].formula == book.cells[at]


def test_every_mistake_has_a_row() -> None:
    assert {row[0] for row in ROWS} == {m.key for m in MISCONCEPTIONS}


def test_titles_and_questions_are_sentences_of_their_own() -> None:
    assert len({m.title for m in MISCONCEPTIONS}) == len({m.question for m in MISCONCEPTIONS}) == len(MISCONCEPTIONS)
    assert all("?" in m.question for m in MISCONCEPTIONS)
