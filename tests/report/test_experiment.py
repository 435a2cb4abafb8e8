"""What a run leaves: the page, the record, and a workbook whose summaries are recalculated by an engine."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from simulator.book.experiment import ACTIVITY, CONFUSION, HISTORY, experiment_workbook
from simulator.experiments import EXPERIMENTS
from simulator.experiments.run import run_experiment
from simulator.report.experiment import compared, write_report
from simulator.xlsx.recalculate import recalculated
from simulator.xlsx.writer import write_workbook
from tests.datasets.pictures import put_small_data

RECORD = {
    "experiment": "e",
    "title": "E",
    "data": "mnist",
    "kind": "pictures",
    "measure": {"name": "accuracy", "unit": "share that is right", "rises": True, "threshold": 0.8},
    "settings": {"learning_rate": 0.1},
    "samples": 10,
    "seed": 0,
    "epochs": 4,
    "history": {
        "loss": [2.0, 1.5, 1.2, 1.0],
        "accuracy": [0.5, 0.7, 0.85, 0.9],
        "val_loss": [1.9, 1.95, 1.4, 1.6],
        "val_accuracy": [0.6, 0.78, 0.81, 0.8],
    },
    "confusion": [[8, 2], [0, 5]],
    "classes": ["cat", "dog"],
    "activity": [{"layer": "1 Dense", "numbers": 80, "zeros": 30, "units": 4, "dead": 1}],
}


def test_a_run_leaves_a_page_a_record_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_small_data(tmp_path / "data", monkeypatch)
    outcome = run_experiment(EXPERIMENTS["mnist-convnet"], tmp_path / "out", epochs=2)
    files = write_report(outcome, tmp_path / "out")
    names = ["index.html", "record.json", "mnist-convnet.xlsx", "curves.png", "confusion.png", "pictures.png"]
    names.append("inside.png")
    assert [file.name for file in files] == names
    page = files[0].read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "0.993" in page
    record = json.loads(files[1].read_text())
    assert record["results"]["parameters"] == record["log book"]["parameters"] == 104_202
    assert compared(record)[1] == ("parameters", "104,202", "104,202", "the same")


@pytest.mark.parametrize("engine", ["ironcalc", "formualizer"])
def test_the_workbooks_answers_are_live(engine: str, tmp_path: Path) -> None:
    """What is stored is what engines compute that see formulas alone, and they follow another threshold."""
    path = write_workbook(experiment_workbook(RECORD), tmp_path / "e.xlsx")
    book, values = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    sizes = {sheet.title: (sheet.max_row, sheet.max_column) for sheet in book.worksheets}
    grids, formulas = recalculated(path, engine, sizes), 0
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    formulas += 1
                    expected = values[sheet.title][cell.coordinate].value
                    assert grids[sheet.title].numbers[cell.row - 1, cell.column - 1] == pytest.approx(expected)
    assert formulas == 4 + 2 * 4 + 1 + 2 * 2 + 2
    assert book[HISTORY]["G7"].value == 0.8
    book[HISTORY]["G7"] = 0.7
    book.save(path)
    assert recalculated(path, engine, sizes)[HISTORY].numbers[7, 6] == 2


def test_the_workbooks_answers_are_those_of_the_record(tmp_path: Path) -> None:
    path = write_workbook(experiment_workbook(RECORD), tmp_path / "e.xlsx")
    stored = openpyxl.load_workbook(path, data_only=True)
    answers = {stored[HISTORY].cell(row, 1).value: stored[HISTORY].cell(row, 7).value for row in range(5, 10)}
    assert answers == {
        "best epoch, by val_loss": 3,
        "best val_accuracy": 0.81,
        "threshold": 0.8,
        "first epoch with val_accuracy at the threshold, 0 for none": 3,
        "first epoch over-fitting: past the best val_loss, loss falls, 0 for none": 4,
    }
    assert [stored[CONFUSION].cell(row, 4).value for row in (6, 7)] == [0.8, 1.0]
    assert [stored[ACTIVITY].cell(5, col).value for col in (4, 7)] == [30 / 80, 1 / 4]
    assert stored[CONFUSION].cell(8, 3).value == pytest.approx(5 / 7)
    assert stored[CONFUSION].cell(3, 2).value == pytest.approx(13 / 15)
