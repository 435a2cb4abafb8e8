"""Numbers from outside: cells as a class log book prints them, rounded half away from zero.

The log book's own file is read where SIMULATOR_DATA points beside it; the rows below are always checked.
"""

from __future__ import annotations

import csv
import os
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import pytest

from simulator.lessons import LESSONS

# lesson, epoch, quantity, index, as printed
ROWS = [
    ("and", 0, "dC/dp", "1", "121291294.749"),  # carries the cancellation of 1 - p
    ("and", 1, "dC/dp", "0", "2601.421"),
    ("and", 1, "cost", "", "11.81253"),
    ("and", 7, "cost", "", "7.69109"),
    ("and", 0, "Z", "1", "20.000"),
    ("and", 8, "Z", "3", "20.00406"),
    ("and", 8, "-(1-y)log(1-p)", "0", "4.022"),
    ("and", 8, "dp/dZ", "0", "0.018"),
    ("and", 8, "dC/db", "", "0.746"),
    ("and", 1, "b'", "", "8.500"),
    ("and", 8, "W'", "0", "7.750"),
    ("decoder", 2, "cost", "", "1.269"),
    ("decoder", 60, "cost", "", "0.175"),
    ("decoder", 1, "dZ", "0,0", "-0.188"),
    ("decoder", 3, "dZ", "2,2", "-0.172"),
    ("decoder", 3, "W'", "2,0", "0.855"),
    ("decoder", 3, "P", "3,3", "0.364"),
    ("decoder-sigmoid", 60, "cost", "", "1.169"),
    ("decoder-sigmoid-as-printed", 60, "cost", "", "1.052"),
    ("decoder-sigmoid-as-printed", 3, "W'", "0,0", "0.136"),
    ("xor", 1, "cost", "", "0.732"),
    ("xor", 1, "Z1", "0,1", "-0.7"),
    ("xor", 1, "V'", "1,0", "-0.522"),
    ("xor", 2, "A1", "2,3", "0.604"),
    ("xor-tanh", 1, "cost", "", "0.745"),
]


def shared_rows() -> list[tuple[str, int, str, str, str]]:
    folder = os.environ.get("SIMULATOR_DATA")
    file = Path(folder).parent / "logbook" / "printed_cells.csv" if folder else None
    if file is None or not file.exists():
        return []
    with file.open() as f:
        return [(r["table"], int(r["epoch"]), r["quantity"], r["index"], r["printed"]) for r in csv.DictReader(f)]


@cache
def table(lesson: str) -> dict[tuple[int, str, str], float]:
    return {(row.epoch, row.quantity, row.index): row.value for row in LESSONS[lesson].run().rows()}


def rounded(value: float, like: str) -> str:
    digits = len(like.partition(".")[2])
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


@pytest.mark.parametrize(("lesson", "epoch", "quantity", "index", "printed"), ROWS)
def test_cell_comes_out_to_the_last_printed_digit(
    lesson: str, epoch: int, quantity: str, index: str, printed: str
) -> None:
    assert rounded(table(lesson)[epoch, quantity, index], printed) == printed


def test_every_cell_of_the_log_book_comes_out_to_the_last_printed_digit() -> None:
    rows = shared_rows()
    if not rows:
        pytest.skip("SIMULATOR_DATA does not point to the data that the log book lies beside")
    wrong = [r for r in rows if rounded(table(r[0])[r[1], r[2], r[3]], r[4]) != r[4]]
    assert len(rows) > 150
    assert wrong == []


def test_and_falls_below_its_threshold_at_epoch_52() -> None:
    costs = LESSONS["and"].run().column("cost")
    assert costs[51] >= 0.09 > costs[52]


def test_epochs_are_counted_from_the_lessons_first_number_up_to_the_last() -> None:
    spans = {name: (run.first_epoch, run.first_epoch + run.count - 1) for name, run in _runs().items()}
    assert spans == {name: (0 if name == "and" else 1, 200 if name == "linear-regression" else 70) for name in LESSONS}


def _runs():  # type: ignore[no-untyped-def]
    return {name: lesson.run() for name, lesson in LESSONS.items()}
