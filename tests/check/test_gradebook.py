from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.check.gradebook import Row, row_of, write_gradebook
from simulator.check.marking import CellMark, Marking, Name, OwnError, Status
from simulator.errors import WorkbookError

HEADER = "identifier,file,score,maximum,own errors,carried,missing,typed over,first wrong cell,misconception,remark"


def mark(col: int, status: Status) -> CellMark:
    return CellMark("Gradient check", 6, col, "dZ", "", "backward", 1, status, 0.5, 0.25)


def lines(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_row_counts_cells_and_says_where_it_first_goes_wrong() -> None:
    slope, share = Name("slope", "slope left out", "?"), Name("share", "1/m left out", "?")
    cells = [mark(0, Status.WRONG), mark(1, Status.CARRIED), mark(2, Status.CARRIED), mark(3, Status.MISSING)]
    errors = (
        OwnError((cells[0],), (slope, share), "=1", 2),
        OwnError((cells[0],), (slope, share), "=1", 0),
        OwnError((cells[3],), (), "", 0),
    )
    marking = Marking("a.xlsx", "ada", "and", "AND", cells, errors, frozenset({"dZ"}), 0, ("Two sheets.", "No Check."))
    assert row_of(marking, 87.5, 100) == Row(
        "ada", "a.xlsx", 87.5, 100, 3, 2, 1, 0, "'Gradient check'!A7",
        "slope left out or 1/m left out; cells left empty", "Two sheets. No Check.",
    )  # fmt: skip


def test_the_file_has_a_byte_order_mark_a_header_and_a_line_for_files_that_could_not_be_read(tmp_path: Path) -> None:
    rows = [
        Row("Zoë", "a.xlsx", 200 / 3, 100.0, 1, 2, 3, 4, "Training!N7", "slope left out"),
        Row("bob", "b.xlsx", None, 100.0, remark="No workbook, or a broken one."),
    ]
    assert write_gradebook(rows, tmp_path / "deep" / "gradebook.csv").read_bytes().decode() == (
        f"\ufeff{HEADER}\r\n"
        "Zoë,a.xlsx,66.67,100,1,2,3,4,Training!N7,slope left out,\r\n"
        'bob,b.xlsx,,100,,,,,,,"No workbook, or a broken one."\r\n'
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")'])
def test_no_text_is_taken_for_a_formula(text: str, tmp_path: Path) -> None:
    row = Row(text, text, -1.5, 100, 0, 0, 0, 0, text, text, text)
    _, line = lines(write_gradebook([row], tmp_path / "gradebook.csv"))
    safe = "'" + text
    assert line == [safe, safe, "-1.5", "100", "0", "0", "0", "0", safe, safe, safe]


def test_quotes_commas_and_names_that_are_not_unicode_stay_in_their_fields(tmp_path: Path) -> None:
    _, line = lines(write_gradebook([Row('a"b,c\nd', "\udcff.xlsx", 1, 2)], tmp_path / "gradebook.csv"))
    assert line[:4] == ['a"b,c\nd', "?.xlsx", "1", "2"]


def test_an_earlier_gradebook_survives_a_failure(tmp_path: Path) -> None:
    def failing() -> Iterator[Row]:
        yield Row("ada", "a.xlsx", 1, 2)
        raise RuntimeError

    path = write_gradebook([], tmp_path / "gradebook.csv")
    with pytest.raises(RuntimeError):
        write_gradebook(failing(), path)
    assert lines(path) == [HEADER.split(",")]
    assert list(tmp_path.iterdir()) == [path]


def test_a_gradebook_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gradebook.csv"
    path.mkdir()
    with pytest.raises(WorkbookError) as caught:
        write_gradebook([], path)
    assert str(caught.value) == (
        "A gradebook can only be written to a folder that allows it and over a file that is not open. "
        f"Received: '{path}' (Is a directory). Close it, or choose another place."
    )
