from __future__ import annotations

import math

import pytest

from simulator.check.feedback import Feedback, label, note_text, numbers, sentence
from simulator.check.marking import CellMark, Name, OwnError, Status

SLOPE = Name("slope", "the sigmoid's slope left out", "Was the sigmoid's slope A*(1-A) left out?")
SHARE = Name("share", "the factor 1/m left out", "Was the factor 1/m left out?")
FOLLOWING = "9 cells follow from it; they agree with your own value, so they are not marked down."


def error(
    status: Status = Status.WRONG,
    expected: float = 0.0616,
    found: float | str = 0.2495,
    names: tuple[Name, ...] = (SLOPE,),
    cells: int = 1,
    follows: int = 0,
    detail: str = "",
    entry: str = "sample 3",
) -> OwnError:
    first = CellMark("Training", 6, 13, "dC/dZ", entry, "backward", 2, status, expected, found)
    return OwnError((first,) * cells, names, "=K7-D7", follows, detail)


def test_a_sentence_has_cell_quantity_both_numbers_and_question_then_what_is_right_before_and_follows() -> None:
    assert sentence(error(follows=9), Feedback.FULL, before=31) == (
        "Training!N7 (dC/dZ, epoch 2, sample 3): expected 0.0616, found 0.2495. "
        f"Was the sigmoid's slope A*(1-A) left out? 31 cells before it are right. {FOLLOWING}"
    )


# level,         what a student reads of the same error
LEVELS = [
    (Feedback.NONE, ""),
    (Feedback.CELL, "Training!N7 (dC/dZ, epoch 2, sample 3) is not right."),
    (
        Feedback.HINT,
        "Training!N7 (dC/dZ, epoch 2, sample 3) is not right. Was the sigmoid's slope A*(1-A) left out?",
    ),
    (
        Feedback.FULL,
        "Training!N7 (dC/dZ, epoch 2, sample 3): expected 0.0616, found 0.2495. "
        "Was the sigmoid's slope A*(1-A) left out? K8 instead of K7.",
    ),
]


@pytest.mark.parametrize(("level", "text"), LEVELS)
def test_a_level_tells_no_more_than_it_may(level: Feedback, text: str) -> None:
    assert sentence(error(detail="K8 instead of K7"), level) == text


@pytest.mark.parametrize("status", [Status.WRONG, Status.MISSING, Status.TYPED_OVER])
@pytest.mark.parametrize("level", [Feedback.NONE, Feedback.CELL, Feedback.HINT])
def test_the_expected_number_is_told_at_full_only(status: Status, level: Feedback) -> None:
    assert "0.0616" not in sentence(error(status), level) + note_text(error(status), level)
    assert "0.0616" in sentence(error(status), Feedback.FULL)
    assert "0.0616" in note_text(error(status), Feedback.FULL)


AT = "Training!N7 (dC/dZ, epoch 2, sample 3)"
# error,                                  at level full,
WORDINGS = [
    (
        error(names=(SLOPE, SHARE)),
        f"{AT}: expected 0.0616, found 0.2495. One of these: the sigmoid's slope left out or the factor 1/m left out; "
        "the numbers can't tell them apart.",
    ),  # two mistakes that give the same number
    (error(names=()), f"{AT}: expected 0.0616, found 0.2495. No known mistake gives this number."),
    (
        error(Status.TYPED_OVER, names=()),
        f"{AT}: expected 0.0616, found 0.2495, typed where the cells around it hold a formula. "
        "It stays the same when the given numbers change. What is its formula?",
    ),
    (
        error(Status.TYPED_OVER, found=0.0616 + 1e-16, names=()),
        f"{AT}: 0.0616 is right, but typed where the cells around it hold a formula. "
        "It stays the same when the given numbers change. What is its formula?",
    ),  # copied from its cell, and the last digits are lost
    (
        error(Status.MISSING, found="", names=(), cells=70),
        f"{AT} is empty; expected 0.0616. How is dC/dZ computed? 69 more cells of dC/dZ are empty.",
    ),
    (
        error(found="#DIV/0!", names=()),
        f"{AT}: expected 0.0616, found #DIV/0!. The formula has no value here. Which part of it can't be computed?",
    ),
    (
        error(found="0,2495", names=()),
        f"{AT}: expected 0.0616, found '0,2495'. "
        "This is text, not a number. Is the decimal mark the one that your spreadsheet expects?",
    ),
    (error(expected=math.nan), f"{AT}: found 0.2495. Was the sigmoid's slope A*(1-A) left out?"),  # an error before it
    (
        error(cells=2, follows=1),
        f"{AT}: expected 0.0616, found 0.2495. Was the sigmoid's slope A*(1-A) left out? "
        "1 more cell of dC/dZ goes wrong in the same way. "
        "1 cell follows from it; it agrees with your own value, so it is not marked down.",
    ),
    (
        error(entry="0,1"),
        "Training!N7 (dC/dZ, epoch 2, entry 0,1): expected 0.0616, found 0.2495. "
        "Was the sigmoid's slope A*(1-A) left out?",
    ),
    (
        error(entry=""),
        "Training!N7 (dC/dZ, epoch 2): expected 0.0616, found 0.2495. Was the sigmoid's slope A*(1-A) left out?",
    ),
]


@pytest.mark.parametrize(("mistake", "text"), WORDINGS)
def test_every_kind_of_error_has_its_own_words(mistake: OwnError, text: str) -> None:
    assert sentence(mistake, Feedback.FULL) == text


def test_cells_that_follow_are_not_said_to_be_free_when_the_rubric_gives_them_half() -> None:
    assert sentence(error(follows=2), Feedback.CELL, carried=0.5) == (
        f"{AT} is not right. 2 cells follow from it; they agree with your own value, so they count 50%."
    )
    assert sentence(error(follows=1), Feedback.CELL, carried=0.5) == (
        f"{AT} is not right. 1 cell follows from it; it agrees with your own value, so it counts 50%."
    )


# expected, found,          as shown
NUMBERS = [
    (0.0616, 0.2495, ("0.0616", "0.2495")),
    (0.061649, 0.061651, ("0.061649", "0.061651")),  # four digits would show 0.06165 twice
    (1.0, 0.999999, ("1", "0.999999")),
    (123456.7, 123456.8, ("123456.7", "123456.8")),
    (2.5e-9, -2.5e-9, ("2.5e-09", "-2.5e-09")),
    (0.0, -0.0, ("0", "0")),
    (0.1, 0.1 + 1e-10, ("0.1", "0.1000000001")),
    (3.0, math.inf, ("3", "inf")),
]


@pytest.mark.parametrize(("expected", "found", "text"), NUMBERS)
def test_numbers_have_the_digits_that_show_the_difference(expected: float, found: float, text: tuple[str, str]) -> None:
    assert numbers(error(expected=expected, found=found).first) == text


def test_a_long_text_is_cut() -> None:
    assert numbers(error(found="x" * 1000).first)[1] == f"'{'x' * 37}...'"


def test_a_note_names_neither_its_own_cell_nor_what_stands_there() -> None:
    assert note_text(error(follows=9), Feedback.FULL) == (
        "This cell is not right. Expected 0.0616. Was the sigmoid's slope A*(1-A) left out?"
    )
    assert note_text(error(Status.MISSING, found=""), Feedback.CELL) == "This cell is empty."
    assert note_text(error(), Feedback.NONE) == ""


def test_an_error_without_a_name_is_called_by_its_kind() -> None:
    assert label(error(names=(SLOPE, SHARE))) == "the sigmoid's slope left out or the factor 1/m left out"
    assert label(error(names=())) == "no known mistake"
    assert label(error(Status.MISSING, names=())) == "cells left empty"
    assert label(error(Status.TYPED_OVER, names=())) == "numbers typed over formulas"
