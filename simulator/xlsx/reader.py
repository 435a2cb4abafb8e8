"""Read back what a workbook was built from: its lesson or network, and its given numbers as they stand now."""

from __future__ import annotations

import json
import warnings
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from simulator.book.index import NETWORK
from simulator.book.network import network_workbook
from simulator.book.numbers import DATA, PARAMETERS
from simulator.book.plane import PLANE
from simulator.book.workbook import Workbook, workbook_of
from simulator.errors import SimulatorError, WorkbookError
from simulator.lessons import find_lesson
from simulator.lessons.ledger import blank_ledger
from simulator.lessons.run import Run
from simulator.lessons.setting import Setting, settings_of
from simulator.nn.description import Described, read_description
from simulator.sheet.address import a1
from simulator.xlsx.writer import PROPERTY


def read_workbook(path: Path) -> Workbook:
    """The workbook that a generated file must be, with the given numbers that its cells hold.

    Raises WorkbookError when the file isn't a workbook, or wasn't built here.
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    if not zipfile.is_zipfile(path):
        what = "a folder" if path.is_dir() else "not a workbook" if path.exists() else "no such file"
        raise WorkbookError(
            f"A workbook must be an .xlsx file that opens. Received: '{path}' ({what}). Check the path."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about extensions that openpyxl doesn't keep; nothing is saved here
            book: Any = openpyxl.load_workbook(path, read_only=True)
            with closing(book):
                return _workbook_of(book, path)
    except SimulatorError:
        raise
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, InvalidFileException) as error:
        # SyntaxError: what the XML parser raises for a truncated part
        raise WorkbookError(
            f"A workbook must be an .xlsx file that opens. Received: '{path}' ({error}). Check the path."
        ) from error


def _workbook_of(book: Any, path: Path) -> Workbook:
    stored = next((p.value for p in book.custom_doc_props.props if p.name == PROPERTY), None)
    if stored is None:
        raise WorkbookError(
            f"verify takes workbooks that 'simulator build' wrote. Received: '{path}', which names no lesson. "
            "Build it with 'simulator build LESSON'."
        )
    described = json.loads(str(stored))
    others = {
        "template": "a template to fill in. Mark it with 'simulator check'.",
        "answers": "the answers of a roster. Write it again with 'simulator template', which verifies it.",
        "place": "a place of a trained network. Write it again with 'simulator trace', which verifies it.",
        "experiment": "the report of a run, whose numbers no lesson computes.",
    }
    for word, what in others.items():
        if word in described:
            raise WorkbookError(f"verify takes workbooks that 'simulator build' wrote. Received: '{path}', {what}")
    if "network" in described:
        return _network_of(book, path, int(described["samples"]), described.get("against", ""))
    lesson = blank_ledger(described) if "ledger" in described else find_lesson(described["lesson"])
    epochs = int(described["epochs"])
    by_sheet: dict[str, list[Setting]] = {}
    for setting in settings_of(lesson, epochs, {}).items.values():
        by_sheet.setdefault(setting.sheet, []).append(setting)
    changed = {}
    for sheet, settings in by_sheet.items():
        if sheet not in book.sheetnames:
            raise WorkbookError(
                f"A workbook of '{lesson.name}' must have the sheet '{sheet}'. Received: '{path}' without it. "
                "Build it again."
            )
        last_row, last_col = max(s.row for s in settings) + 1, max(s.col for s in settings) + 1
        rows = book[sheet].iter_rows(max_row=last_row, max_col=last_col, values_only=True)
        cells = {(r, c): value for r, row in enumerate(rows) for c, value in enumerate(row)}
        for setting in settings:
            value = cells.get((setting.row, setting.col))
            if not isinstance(value, int | float):
                raise WorkbookError(
                    f"A given number must be a number in its cell. Received: {value!r} for {setting.name} in "
                    f"'{path}'. Type a number, or build the workbook again."
                )
            changed[setting.name] = float(value)
    return workbook_of(Run.of(lesson, epochs, changed, strict=False))


def _network_of(book: Any, path: Path, samples: int, suffix: str) -> Workbook:
    """A network's workbook from its description, on the last sheets, and the numbers on its other sheets.

    suffix ends the names of the sheets of a network that it is compared with; without one it is empty.
    """
    holders = [PARAMETERS, DATA, *([PARAMETERS + suffix] if suffix else [])]
    for name in (NETWORK, NETWORK + suffix, *holders):
        if name not in book.sheetnames:
            raise WorkbookError(
                f"A network's workbook must have the sheet '{name}'. Received: '{path}' without it. Build it again."
            )

    def described(name: str) -> Described:
        lines = [row[0] for row in book[name].iter_rows(min_row=4, max_col=1, values_only=True)]
        return read_description("\n".join(str(line or "") for line in lines), path.parent, with_data=False)

    first = described(NETWORK)
    against = described(NETWORK + suffix).model if suffix else None
    numbers = {
        (name, r, c): float(value)
        for name in (*holders, PLANE)
        if name in book.sheetnames
        for r, row in enumerate(book[name].iter_rows(values_only=True))
        for c, value in enumerate(row)
        if isinstance(value, int | float)
    }
    X = np.zeros((samples, *first.model.inputs.sizes))
    Y = None if first.forward else np.zeros(first.model.label_shape(samples))
    workbook = network_workbook(first.model, X, Y, first.epochs or 1, first.batch_size, numbers, against=against)
    missing = [at for at in workbook.given if at not in numbers]
    if missing:
        sheet, row, col = missing[0]
        raise WorkbookError(
            f"A given number must be a number in its cell. Received: {book[sheet].cell(row + 1, col + 1).value!r} in "
            f"{sheet}!{a1(row, col)} of '{path}'. "
            "Type a number, or build the workbook again."
        )
    return workbook
