"""A marked copy of a workbook: colours and notes on cells, everything else as it was.

Loading and saving would lose stored values, text boxes and whatever else a library doesn't know. So the text of the few
parts that must change is patched, and all others keep their bytes:

    styles.xml      a format per old format and colour that meet
    sheetN.xml      the formats of the cells, and where the notes' boxes are
    commentsN.xml   the notes
    vmlDrawingN.vml their boxes, without which Excel shows none
"""

from __future__ import annotations

import html
import posixpath
import re
import textwrap
import zipfile
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

from simulator.errors import WorkbookError
from simulator.nn.option import require
from simulator.sheet.address import COLUMNS, ROWS, a1
from simulator.xlsx.writer import beside

AUTHOR = "simulator"
LARGEST = 1 << 30  # bytes of all parts together, unpacked
LONGEST = 32_767  # characters of a note, as of a cell
DATE = (1980, 1, 1, 0, 0, 0)  # of new parts: the same input gives the same bytes
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENTS = "[Content_Types].xml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
VML = "urn:schemas-microsoft-com:vml"
EXCEL = "urn:schemas-microsoft-com:office:excel"
NEW_BOXES = f'<xml xmlns:v="{VML}" xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="{EXCEL}"></xml>'
NEW_NOTES = f'{HEAD}<comments xmlns="{MAIN}"><authors/><commentList/></comments>'
NEW_RELATIONS = f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"/>'
# What may follow the notes' boxes in a sheet.
LATER = {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems", "tableParts", "extLst"}
LATER |= {"AlternateContent"}  # which wraps controls and embedded objects
LINE, LINES = 60, 40  # a note's box: characters of a line, and lines at most
CHARACTER, LINE_HEIGHT = 7, 17  # pixels in Tahoma 10

ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
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
            parts = _Parts(archive)
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


def _annotate(parts: _Parts, annotations: Mapping[tuple[str, int, int], Annotation]) -> None:
    book = parts.target("", "officeDocument")
    sheets = _sheets(parts, book)
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
        first_free = len(_formats(_section(styles, "cellXfs")))
        for sheet, wanted in fills.items():
            parts.changed[sheet] = _with_fills(parts.text(sheet), wanted, formats, first_free)
        parts.changed[style_part] = _with_formats(styles, formats)
    for sheet, texts in notes.items():
        _add_notes(parts, sheet, texts)


# --- the package: parts and their relations ---


class _Parts:
    """The parts of a file: text read on demand, `changed` holds what is new."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.infos = {info.filename: info for info in archive.infolist()}
        self.changed: dict[str, str] = {}
        if len(self.infos) < len(archive.infolist()):
            raise ValueError("two parts of one name")
        if (size := sum(info.file_size for info in self.infos.values())) > LARGEST:
            raise ValueError(f"{size:,} bytes unpacked, more than {LARGEST:,}")

    def text(self, part: str) -> str:
        """A part's text, in UTF-8. Raises ValueError for one that is missing or can't be patched."""
        if part in self.changed:
            return self.changed[part]
        if part not in self.infos:
            raise ValueError(f"no part '{part}'")
        text = self.archive.read(part).decode()
        encoding = re.match(r"""\ufeff?<\?xml[^>]*\sencoding\s*=\s*["']([^"']+)""", text)
        if encoding and encoding[1].lower() not in ("utf-8", "us-ascii"):
            raise ValueError(f"{part} is in {encoding[1]}, not UTF-8")
        if "<!" in text and not part.lower().endswith(".vml"):  # in which cells could hide from a search
            raise ValueError(f"{part} holds comments, CDATA or a DOCTYPE")
        return text

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id -> (kind, part) of what a part refers to; files outside are left out."""
        name = _relations_part(part)
        if name not in self.infos and name not in self.changed:
            return {}
        found = {}
        for tag in re.findall(r"<(?:[\w.-]+:)?Relationship\s[^>]*>", self.text(name)):
            a = _attributes(tag)
            outside = a.get("TargetMode") == "External"
            to = "" if outside else posixpath.normpath(posixpath.join("/", posixpath.dirname(part), a["Target"]))[1:]
            found[a["Id"]] = a["Type"].rpartition("/")[2], to
        return found

    def target(self, part: str, kind: str) -> str:
        """The part of one kind that a part refers to, or ValueError."""
        found = self.find(part, kind)
        if not found:
            raise ValueError(f"no part of kind {kind}")
        return found

    def find(self, part: str, kind: str) -> str:
        return next((to for k, to in self.relations(part).values() if k == kind and to), "")

    def relate(self, part: str, kind: str, to: str) -> str:
        """Let a part refer to another; returns the new id."""
        name = _relations_part(part)
        known = self.relations(part)
        key = next(f"rId{n}" for n in range(1, len(known) + 2) if f"rId{n}" not in known)
        text = self.text(name) if name in self.infos or name in self.changed else NEW_RELATIONS
        path = posixpath.relpath(to, posixpath.dirname(part))
        self.changed[name] = _appended(
            text, "Relationships", f'<{{}}Relationship Id="{key}" Type="{RELATIONS}/{kind}" Target="{path}"/>'
        )
        return key

    def create(self, name: str, text: str) -> str:
        """Add a part, with a free number for the star in its name; returns the name."""
        used = {n.lower() for n in (*self.infos, *self.changed)}
        part = next(p for n in range(1, len(used) + 2) if (p := name.replace("*", str(n))).lower() not in used)
        self.changed[part] = text
        return part

    def declare(self, tag: str) -> None:
        """Say what new parts hold."""
        self.changed[CONTENTS] = _appended(self.text(CONTENTS), "Types", tag)

    def members(self) -> list[zipfile.ZipInfo]:
        """All parts as they are written: those of the source with their dates, then the new ones."""
        result = []
        for name in (*self.infos, *(n for n in self.changed if n not in self.infos)):
            old = self.infos.get(name)
            info = zipfile.ZipInfo(name, old.date_time if old else DATE)
            info.compress_type = old.compress_type if old else zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = (old.create_system, old.external_attr) if old else (0, 0)
            result.append(info)
        return result

    def bytes_of(self, member: zipfile.ZipInfo) -> bytes:
        name = member.filename
        return self.changed[name].encode() if name in self.changed else self.archive.read(name)


def _relations_part(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _sheets(parts: _Parts, book: str) -> dict[str, str]:
    """The part of every sheet, by the sheet's name."""
    relations = parts.relations(book)
    sheets = {}
    for tag in re.findall(rf"<(?:[\w.-]+:)?sheet\s{TAG}>", parts.text(book)):
        a = _attributes(tag)
        key = next((value for name, value in a.items() if name.endswith(":id")), "")
        if key in relations:
            sheets[a["name"]] = relations[key][1]
    return sheets


# --- XML as text ---

TAG = r"""(?:[^>"']|"[^"]*"|'[^']*')*?"""  # what a tag holds; > may stand in an attribute


class _Section(NamedTuple):
    """An element: its namespace prefix ("x:" or ""), its attributes as written, what it holds, and where it lies."""

    name: str
    prefix: str
    attributes: str
    body: str
    start: int
    end: int

    def replaced(self, text: str, body: str, attributes: str | None = None) -> str:
        tag, given = f"{self.prefix}{self.name}", self.attributes if attributes is None else attributes
        return f"{text[: self.start]}<{tag}{given}>{body}</{tag}>{text[self.end :]}"


def _section(text: str, name: str) -> _Section:
    """The first element of a name that occurs on one level only, or ValueError."""
    opening = re.search(rf"<((?:[\w.-]+:)?){name}((?:\s{TAG})?)(/?)>", text)
    if opening is None:
        raise ValueError(f"no element '{name}' where one must be")
    prefix, attributes, empty = opening.groups()
    if empty:
        return _Section(name, prefix, attributes, "", opening.start(), opening.end())
    closing = text.rfind(f"</{prefix}{name}>")
    if closing < opening.end():
        raise ValueError(f"no end of element '{name}'")
    end = closing + len(f"</{prefix}{name}>")
    return _Section(name, prefix, attributes, text[opening.end() : closing], opening.start(), end)


def _appended(text: str, name: str, addition: str) -> str:
    """An element with one more child; {} stands for the namespace prefix."""
    section = _section(text, name)
    return section.replaced(text, section.body + addition.replace("{}", section.prefix))


def _attributes(tag: str) -> dict[str, str]:
    return {m[1]: html.unescape(m[2] or m[3] or "") for m in ATTRIBUTE.finditer(tag)}


def _with_attribute(attributes: str, name: str, value: object) -> str:
    """
    >>> _with_attribute(' r="B2" s="1"', "s", 7), _with_attribute("", "count", 3)
    (' r="B2" s="7"', ' count="3"')
    """
    result, found = re.subn(rf"""(\s{name}\s*=\s*)(?:"[^"]*"|'[^']*')""", rf'\g<1>"{value}"', attributes, count=1)
    return result if found else f'{attributes.rstrip()} {name}="{value}"'


def _sheet_prefix(text: str) -> str:
    """The namespace prefix of a sheet's elements, or ValueError for a chart's sheet and the strict format."""
    root = re.search(rf"<((?:[\w.-]+:)?)worksheet((?:\s{TAG})?)>", text)
    declared = _attributes(root[2]) if root else {}
    if root is None or declared.get(f"xmlns:{root[1]}".rstrip(":")) != MAIN:
        raise ValueError("a sheet that isn't a worksheet of the usual, transitional format")
    return root[1]


# --- colours ---


def _formats(section: _Section) -> list[re.Match[str]]:
    p = section.prefix
    return list(re.finditer(rf"<{p}xf((?:\s[^>]*?)?)(?:/>|>.*?</{p}xf\s*>)", section.body, re.DOTALL))


def _with_formats(styles: str, formats: Mapping[tuple[int, str], int]) -> str:
    """The styles with a copy of an old format for every (old format, fill), in the order of their new numbers."""
    xfs = _section(styles, "cellXfs")
    fills = _section(styles, "fills")
    old, p = _formats(xfs), xfs.prefix
    first = len(re.findall(rf"<{p}fill[\s/>]", fills.body))
    colours = list(dict.fromkeys(fill for _, fill in formats))
    new = []
    for base, fill in formats:
        if base >= len(old):
            raise ValueError(f"a cell of format {base}, of {len(old)} formats")
        before = old[base][1]
        given = _with_attribute(_with_attribute(before, "fillId", first + colours.index(fill)), "applyFill", 1)
        new.append(f"<{p}xf{given}{old[base][0].removeprefix(f'<{p}xf{before}')}")
    count = _with_attribute(xfs.attributes, "count", len(old) + len(new))
    styles = xfs.replaced(styles, xfs.body + "".join(new), count)
    added = [
        f'<{p}fill><{p}patternFill patternType="solid"><{p}fgColor rgb="FF{colour[1:].upper()}"/>'
        f'<{p}bgColor indexed="64"/></{p}patternFill></{p}fill>'
        for colour in colours
    ]
    count = _with_attribute(fills.attributes, "count", first + len(colours))
    return _section(styles, "fills").replaced(styles, fills.body + "".join(added), count)


def _with_fills(text: str, fills: Mapping[Place, str], formats: dict[tuple[int, str], int], first_free: int) -> str:
    """A sheet with the formats of these cells exchanged, in one pass; cells and rows that are missing are inserted.

    formats gives every (old format, fill) its new number and grows.
    """
    p = _sheet_prefix(text)
    data = _section(text, "sheetData")
    columns = _columns(text[: data.start], p)
    out: list[str] = []
    written, row, col, row_format = 0, -1, -1, ""
    wanted: dict[int, deque[int]] = {}
    for r, c in sorted(fills):
        wanted.setdefault(r, deque()).append(c)
    rows, cells = deque(wanted), deque[int]()

    def style(at: Place, old: object) -> int:
        return formats.setdefault((int(str(old)), fills[at]), first_free + len(formats))

    def new_cells(before: int) -> str:
        new = []
        while cells and cells[0] < before:
            at = row, cells.popleft()
            own = row_format or next((c.style for c in columns if c.first <= at[1] <= c.last), 0)
            new.append(f'<{p}c r="{a1(*at)}" s="{style(at, own)}"/>')
        return "".join(new)

    def new_rows(before: int) -> str:
        nonlocal row, row_format, cells
        new = []
        while rows and rows[0] < before:
            row, row_format = rows.popleft(), ""
            cells = wanted[row]
            new.append(f'<{p}row r="{row + 1}">{new_cells(COLUMNS)}</{p}row>')
        return "".join(new)

    def put(new: str, start: int, end: int) -> None:
        nonlocal written
        out.extend((data.body[written:start], new))
        written = end

    for tag in re.finditer(rf"<{p}(?:(c)|row)((?:\s[^>]*?)?)(/?)>|</{p}row\s*>", data.body):
        is_cell, attributes, empty = tag.groups()
        if attributes is None:  # the end of a row
            put(new_cells(COLUMNS), tag.start(), tag.start())
        elif is_cell:
            if not cells:
                continue
            previous, col = col, _column_of(attributes, row)
            if col <= previous:
                raise ValueError(f"cells of row {row + 1} in disorder")
            put(new_cells(col), tag.start(), tag.start())
            if cells and cells[0] == col:
                cells.popleft()
                number = style((row, col), _attributes(attributes).get("s", 0))
                put(f"<{p}c{_with_attribute(attributes, 's', number)}{empty}>", tag.start(), tag.end())
        else:
            a = _attributes(attributes)
            number = int(a["r"]) - 1 if "r" in a else -1
            if number <= row:
                raise ValueError(f"rows without numbers or in disorder after row {row + 1}")
            put(new_rows(number), tag.start(), tag.start())
            row, col, row_format = number, -1, a.get("s", "") if a.get("customFormat") in ("1", "true") else ""
            cells = wanted[rows.popleft()] if rows and rows[0] == row else deque()
            if empty and cells:
                put(f"<{p}row{attributes}>{new_cells(COLUMNS)}</{p}row>", tag.start(), tag.end())
    put(new_rows(ROWS), len(data.body), len(data.body))
    return data.replaced(text, "".join(out))


def _column_of(attributes: str, row: int) -> int:
    """A cell's column from its address, which must name the row that holds it."""
    address = re.search(r"""\sr\s*=\s*["']([A-Z]{1,3})(\d+)["']""", attributes)
    if address is None or int(address[2]) != row + 1:
        raise ValueError(f"cells of row {row + 1} without addresses in it")
    col = 0
    for letter in address[1]:
        col = 26 * col + ord(letter) - 64
    return col - 1


class _Column(NamedTuple):
    first: int
    last: int
    width: int  # pixels
    style: int  # the format of its cells


def _columns(head: str, p: str) -> list[_Column]:
    """The columns that a sheet gives widths or formats."""
    columns = []
    for tag in re.findall(rf"<{p}col\s[^>]*>", head):
        a = _attributes(tag)
        hidden = a.get("hidden") in ("1", "true")
        width = 0 if hidden else round(7 * float(a.get("width", 8.43)) + 5)
        columns.append(_Column(int(a["min"]) - 1, int(a["max"]) - 1, width, int(a.get("style", 0))))
    return columns


# --- notes ---


def _add_notes(parts: _Parts, sheet: str, notes: Mapping[Place, str]) -> None:
    """Put notes on cells of a sheet: into its comments and drawing of boxes, or into new ones."""
    text = parts.text(sheet)
    p = _sheet_prefix(text)
    data = _section(text, "sheetData")
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
        key = next(value for name, value in _attributes(drawing[0]).items() if name.endswith(":id"))
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
    columns, height = _columns(text[: data.start], p), _row_height(text[: data.start], p)
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
    return max(1, round(float(_attributes(tag[0] if tag else "").get("defaultRowHeight", 15)) * 4 / 3))


def _with_comments(text: str, notes: Mapping[Place, str]) -> tuple[str, dict[Place, str]]:
    """A comments part with these notes added, and the whole text of each."""
    by_address = {a1(*at): at for at in notes}
    shown: dict[Place, str] = {}
    listed = _section(text, "commentList")
    authors = _section(text, "authors")
    p = listed.prefix
    names = re.findall(rf"<{p}author(?:\s[^>]*?)?(?:/>|>([^<]*)</{p}author\s*>)", authors.body)
    author = names.index(AUTHOR) if AUTHOR in names else len(names)

    def run(note: str) -> str:
        return (
            f'<{p}r><{p}rPr><{p}sz val="10"/><{p}color indexed="81"/><{p}rFont val="Tahoma"/><{p}family val="2"/>'
            f'</{p}rPr><{p}t xml:space="preserve">{escape(note, quote=False)}</{p}t></{p}r>'
        )

    def joined(comment: re.Match[str]) -> str:
        at = by_address.get(_attributes(comment[1]).get("ref", ""))
        if at is None or at in shown:
            return comment[0]
        content = _section(comment[0], "text")
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
    return text if AUTHOR in names else _appended(text, "authors", f"<{{}}author>{AUTHOR}</{{}}author>"), shown


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
    def around(at: Place, text: str, columns: list[_Column], row_height: int) -> _Box:
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
    return _appended(text, "xml", new)


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
