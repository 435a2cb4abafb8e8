"""What the sheets say: headings with notes, answers, verdicts, views."""

from __future__ import annotations

import pytest

from simulator.book.boundary import MAP_COL, MAP_ROW, POINTS
from simulator.book.gradient_check import DIFFERS, OK
from simulator.book.workbook import Workbook, workbook_of
from simulator.lessons import LESSONS
from simulator.sheet.sheet import Sheet


def sheet(workbook: Workbook, name: str) -> Sheet:
    return next(s for s in workbook.sheets if s.name == name)


@pytest.fixture(scope="module", params=LESSONS)
def workbook(request: pytest.FixtureRequest) -> Workbook:
    return workbook_of(LESSONS[request.param].run(epochs=12))


def test_the_sheets_stand_in_reading_order(workbook: Workbook) -> None:
    views = {"linear-regression": ["Fit"], "ledger": [], "ledger-bias": []}
    view = views.get(workbook.lesson, ["Boundary"])
    expected = ["Read me", "Parameters", "Training", "Charts", *view, "Gradient check", "Sweep"]
    names = [s.name for s in workbook.sheets if s.name not in ("Data", "Contrast")]
    assert names == expected


def test_every_quantity_of_training_has_a_note_with_its_equation_or_formula(workbook: Workbook) -> None:
    training = sheet(workbook, "Training")
    [table] = training.tables
    notes = {col: text for (_, col), text in training.notes.items()}
    for q in table.quantities:
        text = notes[table.column(q.node)]
        assert f"{q.node.name}" in text.splitlines()[0]
        assert "\nfirst cell: =" in text or "\nsecond epoch: =" in text
        if q.role in ("forward", "cost", "backward", "update"):
            assert f"\n{q.node.name} = " in text


def test_guarded_forms_say_so_in_their_note() -> None:
    notes = sheet(workbook_of(LESSONS["and"].run(epochs=3)), "Training").notes.values()
    guarded = [n.splitlines()[0].partition(":")[0] for n in notes if "EXP(-Z), which equals it" in n]
    assert guarded == ["-(1-y)log(1-p)", "dC/dp", "dp/dZ"]


def test_training_is_frozen_below_its_headings_and_stages_are_merged(workbook: Workbook) -> None:
    training = sheet(workbook, "Training")
    [table] = training.tables
    assert training.freeze == (table.first_row, 1)
    stages = [training.cells[table.first_row - 4, c].value for c in range(table.last_col + 1)]
    ends = ["Cost", "Backward"] if LESSONS[workbook.lesson].columns else ["Cost", "Backward", "Update"]
    assert [s for s in stages if s][-len(ends) :] == ends


# lesson, threshold, first epoch below it
ANSWERS = [("and", 0.09, 52), ("decoder", 0.2, 53), ("xor-tanh", 0.1, 35), ("linear-regression", 0.2, 16)]


@pytest.mark.parametrize(("name", "threshold", "epoch"), ANSWERS)
def test_answers_on_training(name: str, threshold: float, epoch: int) -> None:
    run = LESSONS[name].run()
    answers = [
        c.value for (r, _), c in sorted(sheet(workbook_of(run), "Training").cells.items()) if r == 3 and c.formula
    ]
    costs = run.column("cost")
    assert answers == [threshold, epoch, costs.min(), costs[-1]]
    assert costs[epoch - run.first_epoch] < threshold <= costs[epoch - run.first_epoch - 1]


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("epoch", [1, 5, 12])
def test_the_gradient_check_is_green_for_right_gradients_and_red_for_the_printed_mistake(name: str, epoch: int) -> None:
    check = sheet(workbook_of(LESSONS[name].run(epochs=12, settings={"check_epoch": epoch})), "Gradient check")
    assert check.cells[5, 1].value == (DIFFERS if name == "decoder-sigmoid-as-printed" else OK)


def corners(boundary: Sheet) -> list[float]:
    """The map's values where x1 and x2 are 0 or 1, row by row from the upper left."""

    def on_an_axis(at: tuple[int, int]) -> bool:
        value = boundary.cells[at].value
        return isinstance(value, float) and round(value, 9) in (0, 1)

    columns = [c for c in range(MAP_COL, MAP_COL + POINTS) if on_an_axis((MAP_ROW + POINTS, c))]
    rows = [r for r in range(MAP_ROW, MAP_ROW + POINTS) if on_an_axis((r, MAP_COL - 1))]
    return [round(float(boundary.cells[r, c].value)) for r in rows for c in columns]


def test_the_boundary_of_and_separates_the_corners_at_the_last_epoch() -> None:
    assert corners(sheet(workbook_of(LESSONS["and"].run()), "Boundary")) == [0, 1, 0, 0]  # 01, 11, then 00, 10


def test_the_map_of_the_decoder_shows_each_class_at_its_corner() -> None:
    assert corners(sheet(workbook_of(LESSONS["decoder"].run()), "Boundary")) == [1, 3, 0, 2]


def test_the_outlines_on_the_map_follow_the_samples() -> None:
    outline = sheet(workbook_of(LESSONS["and"].run(epochs=2)), "Boundary").highlights[0]
    assert outline.value == ("=SUMPRODUCT((ABS(E$28-$A$13:$A$16)<0.000000001)*(ABS($D7-$B$13:$B$16)<0.000000001))>0")
    boundary = sheet(workbook_of(LESSONS["and"].run(epochs=2, settings={"X_3_0": 0.5})), "Boundary")
    assert [(boundary.cells[r, 0].value, boundary.cells[r, 1].value) for r in range(12, 16)] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (0.5, 1),
    ]
    assert boundary.cells[15, 0].formula == "Parameters!$B$28"


def test_the_contrast_names_the_difference() -> None:
    workbook = workbook_of(LESSONS["decoder-sigmoid"].run())
    contrast = sheet(workbook, "Contrast")
    assert "leaves the sigmoid's slope A (1 - A) out" in str(contrast.cells[1, 0].value)
    [chart] = contrast.charts
    assert [round(s.y_numbers[59], 3) for s in chart.series] == [1.169, 1.052]


def test_a_long_run_sweeps_its_first_200_epochs_and_says_so() -> None:
    sweep = sheet(workbook_of(LESSONS["and"].run(epochs=300)), "Sweep")
    assert sweep.tables[0].count == 200
    assert "The first 200 epochs." in str(sweep.cells[1, 0].value)
