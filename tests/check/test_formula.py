from __future__ import annotations

import time

import pytest

from simulator.check.formula import Cell, Constant, NotUnderstood, cells_of, names_of, parse, skeleton
from simulator.sheet.relative import relative_text


def parsed(formula: str) -> object:
    return parse(relative_text(formula, 4, 2))


# one spelling,           another one of the same tree
SAME = [
    ("1-2-3", "(1-2)-3"),
    ("8/4/2", "(8/4)/2"),
    ("2^3^2", "(2^3)^2"),  # spreadsheets go from the left
    ("-2^2", "(-2)^2"),  # the sign binds tighter than the power
    ("2^-1", "2^(-1)"),
    ("1-2^2", "1-(2^2)"),
    ("--A1", "A1"),
    ("+A1", "A1"),
    ("50%", "(50)%"),
    ("-50%", "-(50%)"),
    ("1+2=3", "(1+2)=3"),
    ("1+2*3", "1+(2*3)"),
    (" SUM( A1 ; 2 ) ", "SUM(A1,2)"),
    ("sum(A1)", "SUM(A1)"),
    ("1.5E+2", "150"),
    (".5", "0.5"),
]


@pytest.mark.parametrize(("formula", "same"), SAME)
def test_operators_bind_as_in_a_spreadsheet(formula: str, same: str) -> None:
    assert parsed(formula) == parsed(same)


def test_references_know_their_sheet_and_both_corners() -> None:
    found = cells_of(parse("SUM(R[-1]C[0]:R5C3)+'O''Brien'!R1C1+Übung!R1C1"))  # type: ignore[arg-type]
    assert [c.sheet for c in found] == [None, "O'Brien", "Übung"]
    assert found[0].first.at(4, 2) == (3, 2)
    assert found[0].last is not None and found[0].last.at(9, 9) == (4, 2)
    assert isinstance(found[1], Cell) and found[1].last is None


def test_names_may_have_letters_of_any_alphabet() -> None:
    assert names_of(parse("R[0]C[-1]-η*learning_rate+Größe.x")) == ["η", "learning_rate", "Größe.x"]


def test_an_error_value_is_a_number_that_is_none() -> None:
    tree = parse("#REF!")
    assert isinstance(tree, Constant) and tree.value != tree.value


def test_a_skeleton_keeps_all_but_the_references() -> None:
    assert skeleton("SUM(R[0]C[1]:R[3]C[1])/R2C3") == "SUM(#:#)/#"


# formula,                      why it is judged by its number
NOT_UNDERSTOOD = [
    "1+",
    "(1",
    "1)",
    "SUM(1",
    "{1,2;3,4}",  # array constants
    "R[0]C[0] R[0]C[1]",  # intersections
    "Table1[x]",
    "[1]Sheet1!R1C1",  # another workbook
    "1 + + ?",
    "R1C1:5",
    "+".join(["1"] * 4_001),
    "(" * 65 + "1" + ")" * 65,
    "SUM(" * 65 + "1" + ")" * 65,
    "(1+" * 60 + "1" + "+1" * 100 + ")+1+1+1" * 60,
]


@pytest.mark.parametrize("formula", NOT_UNDERSTOOD, ids=lambda f: f[:12])
def test_what_is_not_understood_says_so_quickly(formula: str) -> None:
    began = time.perf_counter()
    with pytest.raises(NotUnderstood):
        parse(formula)
    assert time.perf_counter() - began < 1


def test_sixty_brackets_in_one_another_are_understood() -> None:
    assert parse("(" * 60 + "1" + ")" * 60) == Constant(1.0)
