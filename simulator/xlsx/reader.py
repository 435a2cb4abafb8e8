"""Read back what a workbook was built from: its lesson, its epochs, and its given numbers as they stand now."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

from simulator.errors import WorkbookError
from simulator.lessons import find_lesson
from simulator.lessons.run import Run
from simulator.lessons.setting import settings_of
from simulator.xlsx.writer import PROPERTY


def read_run(path: Path) -> Run:
    """The run that a generated workbook shows, with the given numbers that its cells hold.

    Raises WorkbookError when the file isn't a workbook, or wasn't built here.
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about extensions that openpyxl doesn't keep; nothing is saved here
            book: Any = openpyxl.load_workbook(path, read_only=True)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, InvalidFileException) as error:
        raise WorkbookError(
            f"A workbook must be an .xlsx file that opens. Received: '{path}' ({error}). Check the path."
        ) from error
    try:
        stored = next((p.value for p in book.custom_doc_props if p.name == PROPERTY), None)
        if stored is None:
            raise WorkbookError(
                f"verify takes workbooks that 'simulator build' wrote. Received: '{path}', which names no lesson. "
                "Build it with 'simulator build LESSON'."
            )
        described = json.loads(str(stored))
        lesson, epochs = find_lesson(described["lesson"]), int(described["epochs"])
        changed = {}
        cells: dict[str, dict[tuple[int, int], object]] = {}
        for name, setting in settings_of(lesson, epochs, {}).items.items():
            if setting.sheet not in book.sheetnames:
                continue
            if setting.sheet not in cells:
                mine = [s for s in settings_of(lesson, epochs, {}).items.values() if s.sheet == setting.sheet]
                last_row, last_col = max(s.row for s in mine) + 1, max(s.col for s in mine) + 1
                rows = book[setting.sheet].iter_rows(max_row=last_row, max_col=last_col, values_only=True)
                cells[setting.sheet] = {(r, c): v for r, row in enumerate(rows) for c, v in enumerate(row)}
            value = cells[setting.sheet].get((setting.row, setting.col))
            if not isinstance(value, int | float):
                raise WorkbookError(
                    f"A given number must be a number in its cell. Received: {value!r} for {name} in '{path}'. "
                    f"Type a number, or build the workbook again."
                )
            changed[name] = float(value)
        return lesson.run(epochs, changed)
    finally:
        book.close()
