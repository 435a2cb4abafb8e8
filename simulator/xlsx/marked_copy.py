"""A marked copy whose colours show: without the shades of every other epoch, which would lie over them."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from simulator.errors import WorkbookError
from simulator.xlsx.annotate import Annotation, write_annotated
from simulator.xlsx.limit import LIMITS

RULE = re.compile(r"<((?:\w+:)?)cfRule\s[^>]*?(?:/>|>.*?</\1cfRule\s*>)", re.DOTALL)
FORMATTING = re.compile(r"<((?:\w+:)?)conditionalFormatting\s[^>]*>\s*</\1conditionalFormatting\s*>")
SHADE = re.compile(r"MOD\(ROW\(\)\s*-")  # what the rules of generated workbooks hold, in all programs that save them


def write_marked_copy(source: Path, target: Path, annotations: Mapping[tuple[str, int, int], Annotation]) -> None:
    """Write an annotated copy of source; see `write_annotated`. Raises WorkbookError when source can't be patched."""
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        plain = Path(folder) / source.name
        try:
            _without_shades(source, plain)
        except (OSError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError) as error:
            raise WorkbookError(
                f"A workbook to mark must be an .xlsx file that opens. Received: '{source.name}' ({error}). "
                "Save it again as .xlsx in Excel or LibreOffice."
            ) from error
        write_annotated(plain, target, annotations)


def _without_shades(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        if sum(m.file_size for m in old.infolist()) > LIMITS.unpacked_bytes:
            raise ValueError(f"more than {LIMITS.unpacked_bytes:,} bytes unpacked")
        for member in old.infolist():
            data = old.read(member)
            if member.filename.lower().startswith("xl/worksheets/") and b"cfRule" in data:
                data = plain_sheet(data.decode()).encode()
            new.writestr(member, data)


def plain_sheet(text: str) -> str:
    """A sheet's XML without the rules that shade every other epoch; all other rules stay.

    >>> rule = '<cfRule type="expression"><formula>MOD(ROW()-8,8)&gt;=4</formula></cfRule>'
    >>> plain_sheet(f'<a/><conditionalFormatting sqref="A8:B20">{rule}</conditionalFormatting><b/>')
    '<a/><b/>'
    """
    text = RULE.sub(lambda rule: "" if SHADE.search(rule[0]) else rule[0], text)
    return FORMATTING.sub("", text)
