"""An untrusted .xlsx file, read part by part under limits; nothing in it is followed, fetched or run.

zipfile and expat stand here by themselves: libraries for workbooks hang, abort or allocate gigabytes on crafted files.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import thread_time
from typing import Protocol
from xml.parsers import expat

from simulator.errors import SubmissionError

CHUNK = 65_536  # bytes between two looks at the limits
TOKEN = 2**20  # bytes; expat starts an unfinished tag anew with every chunk, so a long one costs its square
SAVE = "Save it as an Excel workbook (.xlsx) and hand it in again."
AGAIN = "Save it again with a spreadsheet program and hand it in again."
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, LookupError)

STARTS = (  # the first bytes, what such a file is
    (b"%PDF", "a PDF document"),
    (b"\x00\x05\x16\x07", "the companion that macOS writes beside a file"),
    (b"<", "a web page or another XML file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
PARTS = (  # a part in a zip archive, what such a file is
    ("xl/workbook.bin", "a binary workbook (.xlsb)"),
    ("content.xml", "an OpenDocument file such as .ods"),
    ("index/document.iwa", "an Apple Numbers document"),
    ("index.zip", "an Apple Numbers document"),
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
)


@dataclass(frozen=True)
class Limits:
    """What a submission may cost."""

    file_bytes: int = 10 * 2**20  # the largest workbook written here has a few MB
    members: int = 500  # a workbook with charts and notes on every sheet has 100
    unpacked_bytes: int = 150_000_000  # what a file of 10 MB unpacks to when it is packed as usual, 15 to 1
    ratio: int = 200  # sheets reach 60, bombs 1,000; smaller parts than a megabyte do no harm
    cells: int = 500_000  # not empty, on all sheets; also texts, names and properties
    sheets: int = 100
    text: int = 32_767  # characters in a cell, as in Excel
    formula: int = 8_192  # characters, as in Excel
    nesting: int = 64  # brackets in brackets, as in Excel; engines crash from 3,000
    depth: int = 64  # elements in elements; a sheet has 10
    seconds: float = 20.0  # of computing, so that a busy machine doesn't count; 500,000 formulas take less


LIMITS = Limits()


class Handler(Protocol):
    """What is told about a part: elements by local name, as strict and transitional files differ in namespaces only."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str, text: str) -> None:
        """An element ends; the text is all of it in an element without others."""


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    text: str = ""


class Package:
    """The parts of one file by name in lower case.

    Raises SubmissionError when the file is none that holds parts, or costs more than the limits allow.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.name, self.limits = path.name, limits
        self.started, self.unpacked, self.counts = thread_time(), 0, Counter[str]()
        data = self._bytes(path)
        self.size = len(data)
        if not data.startswith(b"PK"):
            raise self._no_archive(data)
        try:
            self.archive = zipfile.ZipFile(BytesIO(data))
        except BROKEN as error:
            raise self.damaged("its zip archive is cut off or broken") from error
        members = [(m.filename.replace("\\", "/").lstrip("/").lower(), m) for m in self.archive.infolist()]
        if len(members) > limits.members:
            raise self.refused(f"be an archive of at most {limits.members} parts", "which has more")
        if any(m.flag_bits & 1 for _, m in members):
            raise self._protected()
        self.members = dict(members)
        self.doubled = {name for name, number in Counter(n for n, _ in members).items() if number > 1}
        for part, kind in PARTS:
            if part in self.members:
                raise self.no_workbook(kind)

    def refused(self, rule: str, received: str, advice: str = AGAIN) -> SubmissionError:
        """The rule, what was received, what to do."""
        return SubmissionError(f"A submission must {rule}. Received: {self.name!r}, {received}. {advice}")

    def damaged(self, what: str) -> SubmissionError:
        return self.refused("be an .xlsx workbook that opens", f"which is damaged: {what}")

    def no_workbook(self, kind: str) -> SubmissionError:
        return self.refused("be an .xlsx workbook", f"which is {kind}", SAVE)

    def count(self, kind: str, number: int = 1) -> None:
        """Raises SubmissionError when there are more of this kind than cells may be."""
        self.counts[kind] += number
        if self.counts[kind] > self.limits.cells:
            raise self.refused(
                f"hold at most {self.limits.cells:,} {kind}", "which holds more", "Delete what is extra."
            )

    def elements(self, part: str) -> list[Element]:
        """All elements of a small part, in the order in which they start; attributes by local name."""
        handler = _Elements(self)
        self.parse(part, handler)
        return handler.found

    def parse(self, part: str, handler: Handler) -> None:
        """Tell the handler about every element of a part.

        Raises SubmissionError when the part is missing, doubled or broken, or when a limit is reached;
        a ValueError or LookupError of the handler means a broken part.
        """
        if part not in self.members:
            raise self.damaged(f"its part {part!r} is missing")
        if part in self.doubled:
            raise self.damaged(f"its part {part!r} is there twice")
        member = self.members[part]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.damaged(f"its part {part!r} is packed in a way that .xlsx files never are")
        if member.file_size > max(1_000_000, self.limits.ratio * min(member.compress_size, self.size)):
            raise self.refused(
                f"not unpack to more than {self.limits.ratio} times its size", f"whose part {part!r} does"
            )
        parser = self._parser(part, handler)
        read = 0
        try:
            with self.archive.open(member) as stream:
                while chunk := stream.read(CHUNK):
                    read += len(chunk)
                    self._look(len(chunk))
                    parser.Parse(chunk)
                    if read - parser.CurrentByteIndex > TOKEN:
                        raise self.damaged(f"its part {part!r} holds an element that doesn't end")
            parser.Parse(b"", True)
        except SubmissionError:
            raise
        except (expat.ExpatError, *BROKEN) as error:
            raise self.damaged(f"its part {part!r} is cut off or broken") from error

    def _look(self, new: int) -> None:
        """Raise when bytes or time are used up; counted, as a part may be read for many sheets, or declare less."""
        self.unpacked += new
        if self.unpacked > self.limits.unpacked_bytes:
            size = self.limits.unpacked_bytes // 1_000_000
            raise self.refused(f"unpack to at most {size} MB", "which unpacks to more", "Delete what is extra.")
        if thread_time() - self.started > self.limits.seconds:
            raise self.refused(
                f"be read within {self.limits.seconds:g} seconds", "which takes longer", "Delete what is extra."
            )

    def _parser(self, part: str, handler: Handler) -> expat.XMLParserType:
        local: dict[str, str] = {}
        pieces: list[str] = []
        depth = length = 0

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth, length
            depth += 1
            if depth > self.limits.depth:
                raise self.damaged(f"its part {part!r} holds more than {self.limits.depth} elements in one another")
            pieces.clear()
            length = 0
            if name not in local:
                local[name] = name.rpartition(":")[2]
            handler.start(local[name], attributes)

        def end(name: str) -> None:
            nonlocal depth, length
            depth -= 1
            handler.end(local[name], "".join(pieces))
            pieces.clear()
            length = 0

        def text(data: str) -> None:
            nonlocal length
            length += len(data)
            if length > self.limits.text:
                most = f"{self.limits.text:,} characters"
                raise self.refused(f"hold no text of more than {most}", f"whose part {part!r} does", "Shorten it.")
            pieces.append(data)

        def refuse(*_: object) -> None:
            raise self.refused("hold no document type declaration", f"whose part {part!r} does")

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
        return parser

    def _bytes(self, path: Path) -> bytes:
        if path.is_dir():
            raise self.refused("be an .xlsx workbook", "which is a folder", "Name the workbook in it.")
        if not path.is_file():
            raise self.refused("be a file", "which is not there", "Check its name.")
        if self.name.startswith(("~$", ".~lock.")):
            raise self.refused(
                "be an .xlsx workbook",
                "which is the lock file that a spreadsheet program keeps beside an open workbook",
                f"Hand in {self.name.removeprefix('~$').removeprefix('.~lock.').removesuffix('#')!r} itself.",
            )
        if path.stat().st_size > self.limits.file_bytes:
            most = self.limits.file_bytes // 2**20
            raise self.refused(f"have at most {most} MB", "which has more", "Delete pictures and other extra content.")
        try:
            return path.read_bytes()
        except OSError as error:
            raise self.refused("be a file that can be read", f"which can't ({error.strerror})", "Copy it.") from error

    def _no_archive(self, data: bytes) -> SubmissionError:
        if not data:
            return self.refused("be an .xlsx workbook", "which is empty")
        if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):  # OLE2: Excel before 2007, or a wrapper for a password
            encrypted = "EncryptedPackage".encode("utf-16-le") in data
            return self._protected() if encrypted else self.no_workbook("a file of Excel before 2007 (.xls)")
        for start, kind in STARTS:
            if data.startswith(start):
                return self.no_workbook(kind)
        return self.no_workbook("another kind of file" if b"\0" in data[:1000] else "a text file such as .csv")

    def _protected(self) -> SubmissionError:
        rule = "be an .xlsx workbook that opens without a password"
        return self.refused(rule, "which is protected by one", "Save it without a password and hand it in again.")


class _Elements:
    def __init__(self, package: Package) -> None:
        self.package, self.found, self.open = package, list[Element](), list[Element]()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.package.count("elements beside its cells")
        self.open.append(Element(name, {key.rpartition(":")[2]: value for key, value in attributes.items()}))
        self.found.append(self.open[-1])

    def end(self, name: str, text: str) -> None:
        self.open.pop().text = text
