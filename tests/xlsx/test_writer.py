"""The file itself: portable, the same every time, and never half-written."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from simulator.book.workbook import workbook_of
from simulator.errors import LayoutError, WorkbookError
from simulator.lessons import LESSONS
from simulator.sheet.sheet import Sheet
from simulator.xlsx.writer import write_workbook

# What Excel 2010, LibreOffice, Google Sheets and IronCalc share, and the lessons need.
PORTABLE = {"ABS", "COUNTIF", "EXP", "IF", "IFERROR", "INDEX", "INT", "LN", "MATCH", "MAX", "MIN", "MOD", "ROW"}
PORTABLE |= {"SUM", "SUMPRODUCT", "TANH"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    for name, lesson in LESSONS.items():
        write_workbook(workbook_of(lesson.run(epochs=5)), folder / f"{name}.xlsx")
    return folder


@pytest.mark.parametrize("name", LESSONS)
def test_only_portable_functions_and_short_formulas(name: str, folder: Path) -> None:
    with zipfile.ZipFile(folder / f"{name}.xlsx") as archive:
        sheets = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
        assert not any("vbaProject" in n or "externalLink" in n for n in archive.namelist())
    formulas = [f for xml in sheets for f in re.findall(r"<f[^>]*>([^<]*)</f>", xml)]
    assert len(formulas) > 200
    used = {word for f in formulas for word in re.findall(r"([A-Z][A-Z0-9.]*)\(", f)}
    assert used <= PORTABLE
    assert max(map(len, formulas)) < 8_192
    assert not any('t="array"' in xml for xml in sheets)


@pytest.mark.parametrize("name", LESSONS)
def test_every_computed_cell_of_training_is_a_formula_and_constants_stand_on_parameters(
    name: str, folder: Path
) -> None:
    book = openpyxl.load_workbook(folder / f"{name}.xlsx")
    run = LESSONS[name].run(epochs=5)
    for sheet in ("Training", "Charts", "Sweep"):
        for row in book[sheet].iter_rows():
            for cell in row:
                assert not isinstance(cell.value, int | float), f"{sheet}!{cell.coordinate} holds {cell.value}"
    for setting in run.settings.items.values():
        assert isinstance(book[setting.sheet].cell(setting.row + 1, setting.col + 1).value, int | float)


@pytest.mark.parametrize("name", LESSONS)
def test_every_given_number_has_its_name_and_its_limits(name: str, folder: Path) -> None:
    book = openpyxl.load_workbook(folder / f"{name}.xlsx")
    settings = LESSONS[name].run(epochs=5).settings.items
    where = {n: d.attr_text.replace("'", "").replace("$", "") for n, d in book.defined_names.items()}
    assert where == {
        s.name: f"{s.sheet}!{openpyxl.utils.get_column_letter(s.col + 1)}{s.row + 1}" for s in settings.values()
    }
    for s in settings.values():
        cell = f"{openpyxl.utils.get_column_letter(s.col + 1)}{s.row + 1}"
        assert any(cell in rule.sqref for rule in book[s.sheet].data_validations.dataValidation), s.name


def test_stored_values_are_seen_without_a_recalculation(folder: Path) -> None:
    frame = pd.read_excel(folder / "and.xlsx", sheet_name="Charts", header=None, skiprows=28, engine="openpyxl")
    assert frame[1].round(5).tolist()[:3] == [12.50001, 11.81253, 11.12508]


def test_charts_hold_their_points_and_axes(folder: Path) -> None:
    with zipfile.ZipFile(folder / "and.xlsx") as archive:
        charts = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/charts/chart")]
    assert len(charts) == 3
    for xml in charts:
        assert xml.count("<c:ptCount") >= 2
        assert '<c:ptCount val="0"/>' not in xml
        assert 'c:delete val="1"' not in xml
        assert "epoch" in xml


DIVERGING = [
    ("xor", {"W_0": 5000, "W_1": 5000, "W_2": -9000}),
    ("linear-regression", {"learning_rate": 1000}),
    ("linear-regression", {"sweep_rate_6": 20}),
]


@pytest.mark.parametrize(("name", "changed"), DIVERGING)
def test_a_diverging_run_writes_no_chart_point_that_is_not_a_number(
    name: str, changed: dict[str, float], tmp_path: Path
) -> None:
    path = write_workbook(workbook_of(LESSONS[name].run(settings=changed)), tmp_path / "d.xlsx")
    with zipfile.ZipFile(path) as archive:
        charts = "".join(archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/charts/chart"))
    numbers = re.findall(r"<c:v>([^<]*)</c:v>", charts) + re.findall(r'<c:max val="([^"]*)"', charts)
    assert len(numbers) > 50
    assert not {"nan", "inf", "-inf"} & set(numbers)


def test_signed_numbers_have_formats_without_conditions(folder: Path) -> None:
    """LibreOffice drops the minus of a number format's conditional section."""
    for name in LESSONS:
        run = LESSONS[name].run(epochs=1)
        conditional = {q.node.name for q in run.table.quantities if "[" in q.number_format}
        assert conditional <= {run.epoch.cost.name}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        write_workbook(workbook_of(LESSONS["xor"].run(epochs=3)), tmp_path / n) for n in ("a.xlsx", "b.xlsx")
    )
    assert first.read_bytes() == second.read_bytes()


def test_a_failing_build_leaves_the_earlier_workbook(tmp_path: Path) -> None:
    path = tmp_path / "and.xlsx"
    path.write_bytes(b"earlier")

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_workbook(workbook_of(LESSONS["and"].run(epochs=3)), path, interrupted)
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["and.xlsx"]


def test_an_unwritable_target_is_one_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(WorkbookError) as caught:
        write_workbook(workbook_of(LESSONS["and"].run(epochs=2)), blocker / "and.xlsx")
    assert str(caught.value) == (
        f"A workbook can only be written to a folder that allows it and over a file that is not open. "
        f"Received: '{blocker / 'and.xlsx'}' ({caught.value.__cause__.strerror}). "
        "Close it in Excel, or choose another place with --out."
    )


def test_a_single_cell_inside_a_table_is_refused() -> None:
    run = LESSONS["and"].run(epochs=2)
    sheet = Sheet("Training", tables=[run.table])
    sheet.put(run.table.first_row + 1, 0, "in the way")
    with pytest.raises(LayoutError, match=r"Received: row 11, with a table from row 10 on sheet 'Training'"):
        sheet.check()
