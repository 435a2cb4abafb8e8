"""A marked copy of a workbook: colours and notes on cells, everything else as it was.

Loading and saving would lose stored values, text boxes and whatever else a library doesn't know. So the text of the few
parts that must change is patched, and all others keep their bytes:

    styles.xml      a format per old format and colour that meet
    sheetN.xml      the formats of the cells, and where the notes' boxes are
    commentsN.xml   the notes
    vmlDrawingN.vml their boxes, without which Excel shows none
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import WorkbookError
from simulator.nn.option import require
from simulator.sheet.address import COLUMNS, ROWS
from simulator.xlsx.fills import formats_of, with_fills, with_formats
from simulator.xlsx.notes import add_notes
from simulator.xlsx.package import Parts, section_of, sheets_of
from simulator.xlsx.writer import beside

FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Place = tuple[int, int]  # row and column, from 0


@dataclass(frozen=True)
class Annotation:
    """What marks a cell: a colour such as "#FFC7CE", or "" to keep the cell's own, and a note of any lines."""

    fill: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        known = re.fullmatch("(#[0-9A-Fa-f]{6})?", self.fill)
        require(bool(known), "A fill is # and six hexadecimal digits, or empty.", f"'{self.fill}'")


def write_annotated(source: Path, target: Path, annotations: Mapping[tuple[str, int, int], Annotation]) -> None:
    """Write a copy of source in which the cells (sheet, row, column), counted from 0, carry these annotations.

    A note joins the one that a cell has. The copy is written beside target and renamed; the two may be one file.
    Raises WorkbookError when source has no such sheet or can't be patched, and when target can't be written.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            parts = Parts(archive)
            _annotate(parts, annotations)
            members = [(m, parts.bytes_of(m)) for m in parts.members()]
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, EOFError) as error:
        # RuntimeError: encrypted parts, and NotImplementedError for other compressions
        raise WorkbookError(
            "A workbook to mark must be an .xlsx file that opens, with the sheets that are marked. "
            f"Received: '{source}' ({error}). Save it again as .xlsx in Excel or LibreOffice."
        ) from error
    with beside(target) as part, zipfile.ZipFile(part, "w") as new:
        for member, data in members:
            new.writestr(member, data)


def _annotate(parts: Parts, annotations: Mapping[tuple[str, int, int], Annotation]) -> None:
    book = parts.target("", "officeDocument")
    sheets = sheets_of(parts, book)
    fills: dict[str, dict[Place, str]] = {}
    notes: dict[str, dict[Place, str]] = {}
    for (sheet, row, col), annotation in sorted(annotations.items()):
        if sheet not in sheets:
            raise ValueError(f"no sheet '{sheet}' among {', '.join(sheets)}")
        if not (0 <= row < ROWS and 0 <= col < COLUMNS):
            raise ValueError(f"no cell in row {row} and column {col}, counted from 0")
        if annotation.fill:
            fills.setdefault(sheets[sheet], {})[row, col] = annotation.fill
        if note := FORBIDDEN.sub("", re.sub("\r\n?", "\n", annotation.note)):
            notes.setdefault(sheets[sheet], {})[row, col] = note
    formats: dict[tuple[int, str], int] = {}
    if fills:
        style_part = parts.target(book, "styles")
        styles = parts.text(style_part)
        first_free = len(formats_of(section_of(styles, "cellXfs")))
        for sheet, wanted in fills.items():
            parts.changed[sheet] = with_fills(parts.text(sheet), wanted, formats, first_free)
        parts.changed[style_part] = with_formats(styles, formats)
    for sheet, texts in notes.items():
        add_notes(parts, sheet, texts)
