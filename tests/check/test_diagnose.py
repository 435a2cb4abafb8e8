"""Which mistakes the given numbers show, held against what marking finds when they are typed."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from benchmarks.student import StudentBook
from simulator.check.diagnose import (
    DRAWS,
    EPOCHS,
    Shown,
    best_draw,
    blind_spots,
    blindness,
    diagnose,
    diagnosis_lines,
    written,
)
from simulator.check.mark import mark
from simulator.lessons import find_lesson
from simulator.lessons.variant import variants


def of(lesson: str, numbers: dict[str, float] | None = None) -> dict[str, Shown]:
    return {s.key: s for s in diagnose(find_lesson(lesson), numbers)}


def test_a_rate_of_1_hides_that_it_was_left_out_and_another_rate_shows_it() -> None:
    assert of("and")["rate-missing"].cells == set()
    assert of("and")["rate-missing"].hidden == {("W'", "0"), ("W'", "1"), ("b'", "")}
    shown = of("and", {"learning_rate": 0.5})["rate-missing"]
    assert shown.cells == {("W'", "0"), ("W'", "1"), ("b'", "")}


def test_equal_weights_hide_which_one_was_taken() -> None:
    settings = find_lesson("xor").run(2).settings.items.values()
    same = {s.name: 0.5 for s in settings if s.name.startswith(("V_", "W_"))}
    assert len(same) == 9
    first_layer = {("Z1", f"{unit},{sample}") for unit in range(3) for sample in range(4)}
    assert first_layer - of("xor", same)["wrong-weight"].cells
    assert not {("Z1", "0,1"), ("Z1", "0,2")} - of("xor")["wrong-weight"].cells


@pytest.mark.parametrize("lesson", ["and", "xor", "ledger"])
def test_the_example_of_a_mistake_is_found_and_named_when_it_is_typed(lesson: str) -> None:
    book = StudentBook(find_lesson(lesson).run(find_lesson(lesson).first_epoch + EPOCHS - 1))
    checked = 0
    for shown in of(lesson).values():
        if shown.example is None or not np.isfinite(shown.example[4]):
            continue
        name, entry, epoch, _, wrong = shown.example
        k = next(i for i, e in enumerate(book.reference.elements) if (e.name, e.entry) == (name, entry))
        mine = book.copy()
        at = book.at(k, epoch - book.run.first_epoch)
        mine.cells[at] = wrong * (1 + 1e-13)  # 0.15 alone would be right for 0.1499
        marking, _ = mark(mine.submission(), lesson)
        assert [(e.first.row, e.first.col) for e in marking.errors][:1] == [at[1:]]
        assert shown.key in {n.key for n in marking.errors[0].names}
        checked += 1
    assert checked >= 15


def test_the_draw_is_the_one_that_hides_least() -> None:
    lesson = find_lesson("ledger")
    number, numbers = best_draw(lesson, 3, "ada")
    draws = list(islice(variants(lesson, 3, "ada"), DRAWS))
    blind = [blindness(diagnose(lesson, draw)) for draw in draws]
    assert numbers == draws[number]
    assert blind[number] == min(blind) < max(blind)


def test_blind_spots_are_counted_over_the_students() -> None:
    a, b, c = Shown("a", "A"), Shown("b", "B"), Shown("c", "C", cells={("Z", "0")})
    a.cells = b.cells = {("Z", "0"), ("Z", "1")}
    a.twins = {"b": {("Z", "0")}}
    b.twins = {"a": {("Z", "0")}}
    hidden = Shown("c", "C", hidden={("Z", "0")})
    assert blind_spots([[a, b, hidden], [a, b, c]]) == [
        "These numbers never show: C (1 of 2).",
        "Typed numbers can't tell these apart in some cells: A / B (2 of 2).",
    ]
    assert blind_spots([[a, b, hidden]])[0] == "These numbers never show: C."
    assert blind_spots([[c]]) == []


def test_the_printed_table_has_a_line_per_mistake_and_per_pair() -> None:
    lines = diagnosis_lines(find_lesson("and"))
    assert lines[0] == "and: what each mistake leads to in epochs 0 to 2, at 4 digits"
    [missing] = [line for line in lines if line.startswith("1/m missing")]
    assert missing.split("epoch 0")[1].split() == ["5507", "22030"]
    [rate] = [line for line in lines if line.startswith("learning rate left out")]
    assert rate.endswith(" nowhere                                     3 of 3 cells")
    assert "  wrong sign in the cross-entropy / sign of the gradient: 4 cells of dC/dp" in lines


@pytest.mark.parametrize(("value", "text"), [(0.061634, "0.0616"), (-12.3456, "-12.35"), (0.00004, "0"), (-1e-9, "0")])
def test_numbers_are_written_as_students_write_them(value: float, text: str) -> None:
    assert written(value) == text
