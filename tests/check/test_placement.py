"""Where tables are: several in a row, one below the other, blocks with and without numbers."""

from __future__ import annotations

from simulator.check.placement import headings_side_by_side, placed
from simulator.check.reference import Reference
from simulator.lessons import find_lesson
from simulator.xlsx.submission import SubmittedCell, SubmittedSheet

Grid = list[list[object]]
NAMES = {"epoch", "X", "Y", "W", "b", "cost", "dW"}


def sheet_of(rows: Grid) -> dict[str, SubmittedSheet]:
    """A sheet; a text with "=" in front is a formula without a stored value."""
    cells = {}
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if isinstance(value, str) and value.startswith("="):
                cells[r, c] = SubmittedCell(None, value[1:])
            elif value is not None:
                cells[r, c] = SubmittedCell(value)  # type: ignore[arg-type]
    return {"S": SubmittedSheet("S", cells)}


def found(rows: Grid) -> list[tuple[int, dict[str, int], int]]:
    return [(h.row, h.columns, h.last) for h in headings_side_by_side(sheet_of(rows), NAMES, {})]


def test_tables_side_by_side_are_told_apart_by_their_names() -> None:
    last = 1_048_575
    assert found([["W", "b", "cost", None, "W", "b", "cost"]]) == [
        (0, {"W": 0, "b": 1, "cost": 2}, last),
        (0, {"W": 4, "b": 5, "cost": 6}, last),
    ]


def test_a_repeated_column_is_no_second_table() -> None:
    assert [columns for _, columns, _ in found([["W", "b", "cost", "dW", "W"]])] == [
        {"W": 0, "b": 1, "cost": 2, "dW": 3}
    ]


def test_a_shared_epoch_column_belongs_to_the_first_table() -> None:
    columns = [columns for _, columns, _ in found([["epoch", "W", "b", "cost", "W", "b", "cost"]])]
    assert columns == [{"epoch": 0, "W": 1, "b": 2, "cost": 3}, {"W": 4, "b": 5, "cost": 6}]


def test_a_table_ends_above_the_headings_below_it() -> None:
    rows: Grid = [["W", "b", "cost"], [1, 2, 3], [1, 2, 3], ["W", "b", "cost"], [1, 2, 3]]
    assert [(row, last) for row, _, last in found(rows)] == [(0, 2), (3, 1_048_575)]


def starts_of(rows: Grid) -> tuple[list[int], int | None]:
    """The rows in which W of the lesson and-zeros begins, and the first epoch's number."""
    reference = Reference(find_lesson("and-zeros").run(1))
    (heading,) = headings_side_by_side(sheet_of(rows), NAMES, {})
    placement = placed(heading, reference)
    k = next(k for k, e in enumerate(reference.elements) if e.name == "W")
    return [row for _, row, _ in placement.where[k].values()], placement.first_epoch


SAMPLES: Grid = [[None, 0, 0, 1, 1, 1], [None, 0, 1], [None, 1, 0], [None, 1, 1]]


def test_epochs_that_nobody_has_computed_are_counted() -> None:
    heading: Grid = [["epoch", "X", None, "W", None, "b"]]
    rows: Grid = [*heading, [0, *SAMPLES[0][1:]], *SAMPLES[1:], ["=R[-4]C[0]+1", *SAMPLES[0][1:]], *SAMPLES[1:]]
    assert starts_of(rows) == ([1, 5], 0)


def test_blocks_without_numbers_may_have_empty_rows_between_them() -> None:
    heading: Grid = [[None, "X", None, "W", None, "b"]]
    assert starts_of([*heading, *SAMPLES, *SAMPLES]) == ([1, 5], None)
    assert starts_of([*heading, *SAMPLES, [], *SAMPLES, [], *SAMPLES]) == ([1, 6, 11], None)
