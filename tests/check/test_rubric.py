from __future__ import annotations

from pathlib import Path

import pytest

from simulator.check.feedback import Feedback
from simulator.check.marking import CellMark, Marking, OwnError, Status
from simulator.check.rubric import DEFAULT, DEFAULT_RUBRIC_TEXT, parse_rubric, read_rubric, score
from simulator.errors import SettingError

RIGHT, CARRIED, WRONG = Status.CORRECT, Status.CARRIED, Status.WRONG
MISSING, TYPED, NOT_REACHED = Status.MISSING, Status.TYPED_OVER, Status.NOT_REACHED
STAGES = {"W": "parameter", "Z": "forward", "A": "forward", "cost": "cost", "dZ": "backward", "W new": "update"}


def marking(
    columns: dict[str, list[Status]], errors: tuple[OwnError, ...] = (), fill: set[str] | None = None
) -> Marking:
    """Cells by quantity, one per epoch."""
    cells = [
        CellMark("Training", epoch, col, quantity, "", STAGES[quantity], epoch, status, 0.5, 0.5)
        for col, (quantity, statuses) in enumerate(columns.items())
        for epoch, status in enumerate(statuses)
    ]
    to_fill = frozenset(columns if fill is None else fill)
    return Marking("a.xlsx", "a", "and", "AND", cells, errors, to_fill, 0)


def own(status: Status) -> OwnError:
    return OwnError((CellMark("Training", 0, 0, "Z", "", "forward", 1, status, 0.5, 0.5),), (), "", 0)


ALL_RIGHT = dict.fromkeys(STAGES, [RIGHT] * 70)


def test_the_default_gives_100_points_and_full_feedback() -> None:
    assert (DEFAULT.maximum, DEFAULT.carried, DEFAULT.feedback) == (100, 1.0, Feedback.FULL)
    assert score(marking(ALL_RIGHT), DEFAULT) == 100


# cells by column,                                    points by the default rubric
SCORES = [
    (ALL_RIGHT | {"dZ": [WRONG] * 70, "W": [CARRIED] * 70}, 60.0),  # one formula wrong down the column: its share only
    (ALL_RIGHT | {"A": [WRONG] * 70}, 85.0),  # half of the forward stage's cells
    (ALL_RIGHT | {"dZ": [RIGHT] * 35 + [MISSING] * 35}, 80.0),
    (ALL_RIGHT | {"dZ": [RIGHT] * 35 + [NOT_REACHED] * 35}, 80.0),
    (ALL_RIGHT | {"cost": [TYPED] * 70}, 90.0),
    ({name: [WRONG] for name in STAGES}, 0.0),
    ({"Z": [RIGHT], "dZ": [WRONG]}, 100 * 30 / 70),  # the other stages' points are shared in proportion, 30 to 40
    ({"dZ": [RIGHT, WRONG]}, 50.0),
]


@pytest.mark.parametrize(("columns", "points"), SCORES)
def test_a_stage_earns_the_share_of_its_cells_that_are_right(columns: dict[str, list[Status]], points: float) -> None:
    assert score(marking(columns), DEFAULT) == pytest.approx(points, abs=1e-8)


def test_columns_that_were_given_do_not_count() -> None:
    assert score(marking({"Z": [WRONG], "dZ": [RIGHT]}, fill={"dZ"}), DEFAULT) == 100


def test_carried_cells_earn_what_the_rubric_says() -> None:
    half = parse_rubric("carried = 0.5")
    assert score(marking({"dZ": [CARRIED, RIGHT]}), half) == 75


def test_a_column_with_points_of_its_own_takes_them_from_the_whole() -> None:
    rubric = parse_rubric('[columns]\n"dZ" = 20\n"never there" = 7')
    assert rubric.maximum == 100
    assert score(marking(ALL_RIGHT | {"dZ": [WRONG] * 70}), rubric) == 80
    assert score(marking({"dZ": [RIGHT], "Z": [WRONG]}), rubric) == 20
    assert score(marking({"dZ": [RIGHT, WRONG]}), rubric) == 50  # alone, it is worth everything


def test_a_column_named_like_a_stage_is_kept_apart_from_it() -> None:
    rubric = parse_rubric("[columns]\ncost = 50\n[points]\ncost = 10\nbackward = 90")
    assert score(marking({"cost": [WRONG], "dZ": [RIGHT]}), rubric) == 50


# own errors,                          penalties,                            points
PENALTIES = [
    ([WRONG] * 9, "", 100.0),
    ([TYPED], "", 99.0),
    ([TYPED] * 9, "", 95.0),  # at most 5
    ([TYPED, WRONG], "[penalties]\nown_error = 2", 95.0),  # 2 for each and 1 for the typed one
    ([WRONG], "[penalties]\nown_error = 1000", 0.0),  # never below 0
]


@pytest.mark.parametrize(("errors", "text", "points"), PENALTIES)
def test_penalties_are_taken_off_at_the_end(errors: list[Status], text: str, points: float) -> None:
    assert score(marking(ALL_RIGHT, tuple(map(own, errors))), parse_rubric(text)) == points


def test_a_rubric_without_points_for_what_was_asked_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        score(marking({"dZ": [RIGHT]}), parse_rubric("[points]\nforward = 10"))
    assert str(caught.value) == "A rubric gives points to what a workbook asks for. Received: none for dZ in 'a.xlsx'."
    with pytest.raises(SettingError) as caught:
        score(marking({}), DEFAULT)
    assert str(caught.value) == (
        "A rubric gives points to what a workbook asks for. Received: none for any cell in 'a.xlsx'."
    )


def test_what_is_left_out_keeps_its_default_but_a_table_of_points_is_complete() -> None:
    rubric = parse_rubric("[points]\nbackward = 10\n[penalties]\ntyped_over = 3")
    assert rubric.points == {"backward": 10}
    assert (rubric.own_error, rubric.typed_over, rubric.typed_over_most) == (0, 3, 5)
    assert rubric.feedback is Feedback.FULL


POINTS = "parameter, forward, cost, backward, update"
# TOML,                      the error
REFUSED = [
    (
        "point = 5",
        "A rubric takes feedback, carried, points, columns, penalties. Received: 'point'. Did you mean 'points'?",
    ),
    ("[points]\nfoward = 5", f"[points] takes {POINTS}. Received: 'foward'. Did you mean 'forward'?"),
    (
        "[penalties]\ntyped = 5",
        "[penalties] takes own_error, typed_over, typed_over_most. Received: 'typed'. Did you mean 'typed_over'?",
    ),
    ("[points]\nforward = -3", "[points] forward must be a number, 0 or more. Received: -3."),
    ("[points]\nforward = true", "[points] forward must be a number, 0 or more. Received: True."),
    ("[points]\nforward = inf", "[points] forward must be a number, 0 or more. Received: inf."),
    ("[points]\nforward = nan", "[points] forward must be a number, 0 or more. Received: nan."),
    ('[columns]\n"dC/dZ" = "5"', "[columns] dC/dZ must be a number, 0 or more. Received: '5'."),
    ("[penalties]\nown_error = -1", "[penalties] own_error must be a number, 0 or more. Received: -1."),
    ("points = 5", "[points] must be a table of names and points. Received: 5."),
    ("carried = 2", "carried must be a number from 0 to 1. Received: 2."),
    ("[points]\nforward = 0", "A rubric gives points to at least one stage. Received: [points] {'forward': 0}."),
    (
        'feedback = "ful"',
        "feedback must be one of none, cell, hint, full. Received: 'ful'. Did you mean 'full'?",
    ),
    ("feedback = 3", "feedback must be one of none, cell, hint, full. Received: 3."),
    (
        "[columns]\nZ = 101",
        "[columns] shares out the 100 points of [points]. Received: 101 points. "
        "Give the columns less, or the stages more.",
    ),
    ("points =", "A rubric must be TOML. Received: Invalid value (at end of document)."),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_rubric_is_refused_with_the_rule_and_what_was_received(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as caught:
        read_rubric(path)
    assert str(caught.value) == message


def test_the_default_text_saved_and_read_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(DEFAULT_RUBRIC_TEXT, encoding="utf-8-sig")  # as Windows' editor may save it
    assert read_rubric(path) == DEFAULT


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    missing, binary = tmp_path / "none.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError) as caught:
        read_rubric(missing)
    assert str(caught.value) == (
        f"A rubric must be a file of UTF-8 text. Received: '{missing}' (No such file or directory)."
    )
    with pytest.raises(SettingError) as caught:
        read_rubric(binary)
    assert str(caught.value) == (
        f"A rubric must be a file of UTF-8 text. Received: '{binary}' "
        "('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)."
    )
