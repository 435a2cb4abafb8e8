"""The parts of a workbook's package, their relations, and their XML as text that is patched and not parsed."""

from __future__ import annotations

import html
import posixpath
import re
import zipfile
from typing import NamedTuple

LARGEST = 1 << 30  # bytes of all parts together, unpacked
DATE = (1980, 1, 1, 0, 0, 0)  # of new parts: the same input gives the same bytes
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENTS = "[Content_Types].xml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
NEW_RELATIONS = f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"/>'
ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
TAG = r"""(?:[^>"']|"[^"]*"|'[^']*')*?"""  # what a tag holds; > may stand in an attribute


class Parts:
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
            a = attributes_of(tag)
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
        self.changed[name] = appended(
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
        self.changed[CONTENTS] = appended(self.text(CONTENTS), "Types", tag)

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


def sheets_of(parts: Parts, book: str) -> dict[str, str]:
    """The part of every sheet, by the sheet's name."""
    relations = parts.relations(book)
    sheets = {}
    for tag in re.findall(rf"<(?:[\w.-]+:)?sheet\s{TAG}>", parts.text(book)):
        a = attributes_of(tag)
        key = next((value for name, value in a.items() if name.endswith(":id")), "")
        if key in relations:
            sheets[a["name"]] = relations[key][1]
    return sheets


class Section(NamedTuple):
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


def section_of(text: str, name: str) -> Section:
    """The first element of a name that occurs on one level only, or ValueError."""
    opening = re.search(rf"<((?:[\w.-]+:)?){name}((?:\s{TAG})?)(/?)>", text)
    if opening is None:
        raise ValueError(f"no element '{name}' where one must be")
    prefix, attributes, empty = opening.groups()
    if empty:
        return Section(name, prefix, attributes, "", opening.start(), opening.end())
    closing = text.rfind(f"</{prefix}{name}>")
    if closing < opening.end():
        raise ValueError(f"no end of element '{name}'")
    end = closing + len(f"</{prefix}{name}>")
    return Section(name, prefix, attributes, text[opening.end() : closing], opening.start(), end)


def appended(text: str, name: str, addition: str) -> str:
    """An element with one more child; {} stands for the namespace prefix."""
    section = section_of(text, name)
    return section.replaced(text, section.body + addition.replace("{}", section.prefix))


def attributes_of(tag: str) -> dict[str, str]:
    return {m[1]: html.unescape(m[2] or m[3] or "") for m in ATTRIBUTE.finditer(tag)}


def with_attribute(attributes: str, name: str, value: object) -> str:
    """
    >>> with_attribute(' r="B2" s="1"', "s", 7), with_attribute("", "count", 3)
    (' r="B2" s="7"', ' count="3"')
    """
    result, found = re.subn(rf"""(\s{name}\s*=\s*)(?:"[^"]*"|'[^']*')""", rf'\g<1>"{value}"', attributes, count=1)
    return result if found else f'{attributes.rstrip()} {name}="{value}"'


def name_prefix(text: str) -> str:
    """The namespace prefix of a sheet's elements, or ValueError for a chart's sheet and the strict format."""
    root = re.search(rf"<((?:[\w.-]+:)?)worksheet((?:\s{TAG})?)>", text)
    declared = attributes_of(root[2]) if root else {}
    if root is None or declared.get(f"xmlns:{root[1]}".rstrip(":")) != MAIN:
        raise ValueError("a sheet that isn't a worksheet of the usual, transitional format")
    return root[1]


def column_of(attributes: str, row: int) -> int:
    """A cell's column from its address, which must name the row that holds it."""
    address = re.search(r"""\sr\s*=\s*["']([A-Z]{1,3})(\d+)["']""", attributes)
    if address is None or int(address[2]) != row + 1:
        raise ValueError(f"cells of row {row + 1} without addresses in it")
    col = 0
    for letter in address[1]:
        col = 26 * col + ord(letter) - 64
    return col - 1


class Column(NamedTuple):
    first: int
    last: int
    width: int  # pixels
    style: int  # the format of its cells


def columns_of(head: str, p: str) -> list[Column]:
    """The columns that a sheet gives widths or formats."""
    columns = []
    for tag in re.findall(rf"<{p}col\s[^>]*>", head):
        a = attributes_of(tag)
        hidden = a.get("hidden") in ("1", "true")
        width = 0 if hidden else round(7 * float(a.get("width", 8.43)) + 5)
        columns.append(Column(int(a["min"]) - 1, int(a["max"]) - 1, width, int(a.get("style", 0))))
    return columns
