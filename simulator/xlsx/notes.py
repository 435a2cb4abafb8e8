"""Cells' notes, and their boxes, without which Excel shows none."""

from __future__ import annotations

import html
import posixpath
import re
import textwrap
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from simulator.sheet.address import COLUMNS, ROWS, a1
from simulator.xlsx.package import (
    CONTENTS,
    HEAD,
    MAIN,
    RELATIONS,
    TAG,
    Column,
    Parts,
    appended,
    attributes_of,
    columns_of,
    name_prefix,
    section_of,
)

AUTHOR = "simulator"
LONGEST = 32_767  # characters of a note, as of a cell
VML = "urn:schemas-microsoft-com:vml"
EXCEL = "urn:schemas-microsoft-com:office:excel"
NEW_BOXES = f'<xml xmlns:v="{VML}" xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="{EXCEL}"></xml>'
NEW_NOTES = f'{HEAD}<comments xmlns="{MAIN}"><authors/><commentList/></comments>'
# What may follow the notes' boxes in a sheet.
LATER = {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems", "tableParts", "extLst"}
LATER |= {"AlternateContent"}  # which wraps controls and embedded objects
LINE, LINES = 60, 40  # a note's box: characters of a line, and lines at most
CHARACTER, LINE_HEIGHT = 7, 17  # pixels in Tahoma 10
Place = tuple[int, int]  # row and column, from 0


def add_notes(parts: Parts, sheet: str, notes: Mapping[Place, str]) -> None:
    """Put notes on cells of a sheet: into its comments and drawing of boxes, or into new ones."""
    text = parts.text(sheet)
    p = name_prefix(text)
    data = section_of(text, "sheetData")
    folder = posixpath.dirname(posixpath.dirname(sheet))
    comments = parts.find(sheet, "comments")
    if not comments:
        comments = parts.create(posixpath.join(folder, "comments*.xml"), NEW_NOTES)
        parts.relate(sheet, "comments", comments)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
        parts.declare(f'<{{}}Override PartName="/{comments}" ContentType="{kind}"/>')
    parts.changed[comments], shown = _with_comments(parts.text(comments), notes)

    drawing = re.search(rf"<{p}legacyDrawing\s[^>]*>", text[data.end :])
    if drawing:
        key = next(value for name, value in attributes_of(drawing[0]).items() if name.endswith(":id"))
        boxes = parts.relations(sheet)[key][1]
    else:
        boxes = parts.create(posixpath.join(folder, "drawings/vmlDrawing*.vml"), NEW_BOXES)
        key = parts.relate(sheet, "vmlDrawing", boxes)
        kind = "application/vnd.openxmlformats-officedocument.vmlDrawing"
        if 'extension="vml"' not in parts.text(CONTENTS).lower():
            parts.declare(f'<{{}}Default Extension="vml" ContentType="{kind}"/>')
        at = data.end + _place_of_drawing(text[data.end :])
        link = f'<{p}legacyDrawing xmlns:r="{RELATIONS}" r:id="{key}"/>'
        parts.changed[sheet] = text[:at] + link + text[at:]
    columns, height = columns_of(text[: data.start], p), _row_height(text[: data.start], p)
    sizes = {at: _Box.around(at, shown[at], columns, height) for at in notes}
    parts.changed[boxes] = _with_boxes(parts.text(boxes), sizes)


def _place_of_drawing(tail: str) -> int:
    """Where the notes' boxes are named in what follows a sheet's cells: before all that comes later by the schema."""
    place = depth = 0
    name = ""
    for tag in re.finditer(rf"<(/?)(?:[\w.-]+:)?([\w.-]+)({TAG})(/?)>", tail):
        closing, word, _, empty = tag.groups()
        if depth == 0:
            if closing:  # of the sheet itself
                break
            name = word
        depth += 0 if empty else -1 if closing else 1
        if depth == 0 and name not in LATER:
            place = tag.end()
    return place


def _row_height(head: str, p: str) -> int:
    """A usual row's height in pixels."""
    tag = re.search(rf"<{p}sheetFormatPr\s[^>]*>", head)
    return max(1, round(float(attributes_of(tag[0] if tag else "").get("defaultRowHeight", 15)) * 4 / 3))


def _with_comments(text: str, notes: Mapping[Place, str]) -> tuple[str, dict[Place, str]]:
    """A comments part with these notes added, and the whole text of each."""
    by_address = {a1(*at): at for at in notes}
    shown: dict[Place, str] = {}
    listed = section_of(text, "commentList")
    authors = section_of(text, "authors")
    p = listed.prefix
    names = re.findall(rf"<{p}author(?:\s[^>]*?)?(?:/>|>([^<]*)</{p}author\s*>)", authors.body)
    author = names.index(AUTHOR) if AUTHOR in names else len(names)

    def run(note: str) -> str:
        return (
            f'<{p}r><{p}rPr><{p}sz val="10"/><{p}color indexed="81"/><{p}rFont val="Tahoma"/><{p}family val="2"/>'
            f'</{p}rPr><{p}t xml:space="preserve">{escape(note, quote=False)}</{p}t></{p}r>'
        )

    def joined(comment: re.Match[str]) -> str:
        at = by_address.get(attributes_of(comment[1]).get("ref", ""))
        if at is None or at in shown:
            return comment[0]
        content = section_of(comment[0], "text")
        old = "".join(map(html.unescape, re.findall(rf"<{p}t(?:\s[^>]*)?>([^<]*)</{p}t\s*>", content.body)))
        new = f"\n—\n{notes[at]}" if old.strip() else notes[at]
        new = _shortened(new, LONGEST - len(old))
        shown[at] = old + new
        # a plain text becomes a run, because runs don't follow one
        runs = re.sub(rf"^\s*<{p}t[\s>].*?</{p}t\s*>", rf"<{p}r>\g<0></{p}r>", content.body, flags=re.DOTALL)
        phonetic = re.search(rf"<{p}(?:rPh|phoneticPr)[\s/>]", runs)
        end = phonetic.start() if phonetic else len(runs)
        return content.replaced(comment[0], runs[:end] + run(new) + runs[end:])

    body = re.sub(rf"<{p}comment\s({TAG})>.*?</{p}comment\s*>", joined, listed.body, flags=re.DOTALL)
    for at in sorted(notes.keys() - shown.keys()):
        shown[at] = _shortened(notes[at], LONGEST)
        body += f'<{p}comment ref="{a1(*at)}" authorId="{author}"><{p}text>{run(shown[at])}</{p}text></{p}comment>'
    text = listed.replaced(text, body)
    return text if AUTHOR in names else appended(text, "authors", f"<{{}}author>{AUTHOR}</{{}}author>"), shown


def _shortened(text: str, most: int) -> str:
    """
    >>> _shortened("weights", 7), _shortened("weights", 6)
    ('weights', 'weigh…')
    """
    return text if len(text) <= most else text[: most - 1] + "…" if most > 0 else ""


class _Box(NamedTuple):
    """A note's box: from and to where it reaches in cells and pixels, and its size in points."""

    anchor: str
    width: float
    height: float

    @staticmethod
    def around(at: Place, text: str, columns: list[Column], row_height: int) -> _Box:
        """A box to the right of a cell, large enough for its text."""
        lines = [part for line in text.split("\n") for part in textwrap.wrap(line, LINE) or [""]]
        width = CHARACTER * max(20, *(len(line) for line in lines)) + 20
        height = LINE_HEIGHT * min(len(lines), LINES) + 12
        row, left = max(at[0] - 1, 0), min(at[1] + 1, COLUMNS - 1)
        col, rest = left, width + 15
        while col < COLUMNS - 1:
            wide = next((c.width for c in columns if c.first <= col <= c.last), 64)
            if rest < wide:
                break
            col, rest = col + 1, rest - wide
        down, below = divmod(height + 2, row_height)
        anchor = f"{left}, 15, {row}, 2, {col}, {rest}, {min(row + down, ROWS - 1)}, {below}"
        return _Box(anchor, 0.75 * width, 0.75 * height)


def _with_boxes(text: str, boxes: Mapping[Place, _Box]) -> str:
    """A drawing with a box for every note: new ones, and those that were there in their new size."""
    v, x = _declared(text, VML), _declared(text, EXCEL)
    placed = set()

    def resized(shape: re.Match[str]) -> str:
        row, col = (re.search(rf"<{x}:{axis}\s*>\s*(\d+)\s*<", shape[0]) for axis in ("Row", "Column"))
        at = (int(row[1]), int(col[1])) if row and col else (-1, -1)
        if at not in boxes:
            return shape[0]
        placed.add(at)
        box = boxes[at]
        result = re.sub(rf"(<{x}:Anchor\s*>)[^<]*", rf"\g<1>{box.anchor}", shape[0])
        result = re.sub(r"(?<![\w-])width:[^;\"']+", f"width:{box.width:g}pt", result, count=1)
        return re.sub(r"(?<![\w-])height:[^;\"']+", f"height:{box.height:g}pt", result, count=1)

    text = re.sub(rf"<{v}:shape\s.*?</{v}:shape\s*>", resized, text, flags=re.DOTALL)
    last = max(1024, *map(int, re.findall(r"_x0000_s(\d{1,9})\b", text)), 0)
    new = "" if 'id="_x0000_t202"' in text else _shape_type(v)
    for number, at in enumerate(sorted(boxes.keys() - placed), last + 1):
        box = boxes[at]
        new += (
            f'<{v}:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;margin-left:59.25pt;'
            f'margin-top:1.5pt;width:{box.width:g}pt;height:{box.height:g}pt;z-index:1;visibility:hidden" '
            f'fillcolor="#ffffe1"><{v}:fill color2="#ffffe1"/><{v}:shadow on="t" color="black" obscured="t"/>'
            f'<{v}:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></{v}:textbox>'
            f'<{x}:ClientData ObjectType="Note"><{x}:MoveWithCells/><{x}:SizeWithCells/><{x}:Anchor>{box.anchor}'
            f"</{x}:Anchor><{x}:AutoFill>False</{x}:AutoFill><{x}:Row>{at[0]}</{x}:Row>"
            f"<{x}:Column>{at[1]}</{x}:Column></{x}:ClientData></{v}:shape>"
        )
    return appended(text, "xml", new)


def _shape_type(v: str) -> str:
    return (
        f'<{v}:shapetype id="_x0000_t202" coordsize="21600,21600" xmlns:o="urn:schemas-microsoft-com:office:office" '
        f'o:spt="202" path="m,l,21600r21600,l21600,xe"><{v}:stroke joinstyle="miter"/>'
        f'<{v}:path gradientshapeok="t" o:connecttype="rect"/></{v}:shapetype>'
    )


def _declared(text: str, namespace: str) -> str:
    found = re.search(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(namespace)}["']""", text)
    if found is None:
        raise ValueError(f"a drawing of notes without the namespace {namespace}")
    return found[1]
