"""gradebook.csv: a line per file, as Moodle and Canvas import it and as a spreadsheet opens it without harm."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from simulator.check.feedback import label
from simulator.check.marking import Marking, Status
from simulator.errors import WorkbookError
from simulator.files import replacing

COMMANDS = ("=", "+", "-", "@", "\t", "\r", "\n")  # a text that begins so may be taken for a formula


class Row(NamedTuple):
    """One line; the fields' names are the header's. A file that could not be read has a remark and no score."""

    identifier: str
    file: str
    score: float | None
    maximum: float
    own_errors: int | None = None
    carried: int | None = None
    missing: int | None = None
    typed_over: int | None = None
    first_wrong_cell: str = ""
    misconception: str = ""
    remark: str = ""


def row_of(marking: Marking, score: float, maximum: float) -> Row:
    """The line of a marked workbook; carried, missing and typed over are numbers of cells."""
    return Row(
        marking.identifier,
        marking.file,
        score,
        maximum,
        len(marking.errors),
        marking.count(Status.CARRIED),
        marking.count(Status.MISSING),
        marking.count(Status.TYPED_OVER),
        marking.errors[0].first.address if marking.errors else "",
        "; ".join(dict.fromkeys(map(label, marking.errors))),
        " ".join(marking.remarks),
    )


def write_gradebook(rows: Iterable[Row], path: Path) -> Path:
    """Write the lines beside path, then rename, so that an earlier file survives a failure.

    UTF-8 with a byte order mark, for Excel. Raises WorkbookError when the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file's name need not be Unicode; what can't be written becomes a question mark.
        with replacing(path) as part, part.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(name.replace("_", " ") for name in Row._fields)
            writer.writerows(map(_field, row) for row in rows)
    except OSError as error:
        raise WorkbookError(
            f"A gradebook can only be written to a folder that allows it and over a file that is not open. "
            f"Received: '{path}' ({error.strerror}). Close it, or choose another place."
        ) from error
    return path


def _field(value: str | float | None) -> str | float | None:
    """Points with at most two decimals; a text that a spreadsheet could take for a formula after an apostrophe."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(COMMANDS) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 2)
    return value
