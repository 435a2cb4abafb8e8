"""Hand-written parts stand for Excel; hostile files are small on disk and must cost little."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import thread_time
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from simulator.errors import SubmissionError
from simulator.sheet.relative import a1_text
from simulator.xlsx.limit import LIMITS
from simulator.xlsx.submission import SubmittedCell, read_submission

AND = Path(__file__).parents[2] / "workbooks" / "and.xlsx"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = {
    MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
    REL: "http://purl.oclc.org/ooxml/officeDocument/relationships",
}
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
AGAIN = "Save it again with a spreadsheet program and hand it in again."
XLSX = "Save it as an Excel workbook (.xlsx) and hand it in again."


def relations(*rows: tuple[str, str, str]) -> str:
    given = "".join(f'<Relationship Id="{key}" Type="{REL}/{kind}" Target="{target}"/>' for key, kind, target in rows)
    return f'{HEAD}<Relationships xmlns="urn:r">{given}</Relationships>'


def sheet(rows: str) -> str:
    return f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def parts(rows: str = "", strings: str = "", names: str = "") -> dict[str, str]:
    """The parts of a workbook with one sheet, S, as Excel lays them out."""
    return {
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": (
            f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets>'
            f"<definedNames>{names}</definedNames></workbook>"
        ),
        "xl/_rels/workbook.xml.rels": relations(
            ("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "sharedStrings", "/xl/sharedStrings.xml")
        ),
        "xl/sharedStrings.xml": f'{HEAD}<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/worksheets/sheet1.xml": sheet(rows),
    }


def packed(path: Path, given: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, text in given.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def cells(tmp_path: Path) -> Callable[..., dict[tuple[int, int], SubmittedCell]]:
    def read(rows: str, strings: str = "") -> dict[tuple[int, int], SubmittedCell]:
        return read_submission(packed(tmp_path / "a.xlsx", parts(rows, strings))).sheets["S"].cells

    return read


def refusal(path: Path, seconds: float = 2.0, megabytes: float = 30.0) -> str:
    """The message with which a file is refused, at little cost."""
    started = thread_time()
    with pytest.raises(SubmissionError) as caught:
        read_submission(path)
    assert thread_time() - started < seconds
    tracemalloc.start()
    try:
        with pytest.raises(SubmissionError):
            read_submission(path)
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()
    return str(caught.value)


def test_every_cell_of_a_generated_workbook_is_read_as_openpyxl_reads_it() -> None:
    submission = read_submission(AND)
    formulas: Any = openpyxl.load_workbook(AND)
    values: Any = openpyxl.load_workbook(AND, data_only=True)
    assert list(submission.sheets) == formulas.sheetnames
    compared = 0
    for name, mine in submission.sheets.items():
        theirs = {
            (c.row - 1, c.column - 1): (c.value, values[name][c.coordinate].value)
            for line in formulas[name].iter_rows()
            for c in line
            if c.value is not None
        }
        assert theirs.keys() == mine.cells.keys()
        for at, (text, value) in theirs.items():
            cell = mine.cells[at]
            if cell.formula:
                assert "=" + a1_text(cell.formula, *at) == text
                compared += 1
            assert cell.value == value, (name, at)
    assert compared > 15_000
    assert submission.names["W_1"] == ("Parameters", 16, 2)
    assert submission.names["check_step"] == ("Gradient check", 3, 1)
    assert submission.properties["simulator"].startswith('{"lesson": "and"')
    assert submission.warnings == ()


def test_a_large_sheet_is_read_fast(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{r}"><c r="A{r}"><v>1</v></c>'
        + "".join(f'<c r="{c}{r}"><f>A{r}*$A$1+A{r}</f><v>2</v></c>' for c in "BCDEFG")
        + "</row>"
        for r in range(1, 1001)
    )
    path = packed(tmp_path / "a.xlsx", parts(rows))
    times = []
    for _ in range(3):
        started = thread_time()
        submission = read_submission(path)
        times.append(thread_time() - started)
    assert len(submission.sheets["S"].cells) == 7000
    assert min(times) < 0.5  # 0.1 s on a usual machine


def test_plain_and_shared_formulas_have_the_same_relative_form(
    tmp_path: Path, cells: Callable[..., dict[tuple[int, int], SubmittedCell]]
) -> None:
    expected = {(r, 1): "R[0]C[-1]*R1C3" for r in range(3)}

    def formulas(given: dict[tuple[int, int], SubmittedCell]) -> dict[tuple[int, int], str]:
        return {at: cell.formula for at, cell in given.items() if cell.formula}

    book = openpyxl.Workbook()
    for r in range(1, 4):
        book.worksheets[0][f"B{r}"] = f"=A{r}*$C$1"
    book.save(tmp_path / "openpyxl.xlsx")
    with xlsxwriter.Workbook(tmp_path / "xlsxwriter.xlsx") as other:
        page = other.add_worksheet()
        for r in range(3):
            page.write_formula(r, 1, f"=A{r + 1}*$C$1", None, 0)
    for name in ("openpyxl", "xlsxwriter"):
        (only,) = read_submission(tmp_path / f"{name}.xlsx").sheets.values()
        assert formulas(only.cells) == expected, name
    master = '<row r="1"><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*$C$1</f><v>1</v></c></row>'
    members = "".join(f'<row r="{r}"><c r="B{r}"><f t="shared" si="0"/><v>1</v></c></row>' for r in (2, 3))
    assert formulas(cells(master + members)) == expected
    assert formulas(cells(members + master)) == expected  # a member may come before its master


@pytest.mark.parametrize(
    ("xml", "cell"),
    [
        ("<c r='A1'><v>1.5</v></c>", SubmittedCell(1.5)),
        ("<c r='A1' t='n'><v>0,5</v></c>", SubmittedCell("0,5")),  # others interpret it
        ("<c r='A1'><v>1_000</v></c>", SubmittedCell("1_000")),  # Python's notation is none of a workbook's
        ("<c r='A1'><v>nan</v></c>", SubmittedCell("nan")),
        ("<c r='A1' t='b'><v>1</v></c>", SubmittedCell(True)),
        ("<c r='A1' t='b'><v>0</v></c>", SubmittedCell(False)),
        ("<c r='A1' t='e'><v>#NUM!</v></c>", SubmittedCell("#NUM!", is_error=True)),
        ("<c r='A1' t='e'><f>LN(0)</f><v>#NUM!</v></c>", SubmittedCell("#NUM!", "LN(0)", is_error=True)),
        ("<c r='A1' t='s'><v>0</v></c>", SubmittedCell("weight")),
        ("<c r='A1' t='s'><v>1</v></c>", SubmittedCell("東京\nb")),
        ("<c r='A1' t='str'><f>\"a\"</f><v>a</v></c>", SubmittedCell("a", '"a"')),
        ("<c r='A1' t='inlineStr'><is><r><t>in</t></r><r><t>line</t></r></is></c>", SubmittedCell("inline")),
        ("<c r='A1'><f>1+1</f></c>", SubmittedCell(None, "1+1")),
        ("<c r='A1'><f>1+1</f><v></v></c>", SubmittedCell(None, "1+1")),
        ("<c r='A1'><f>=1+1</f><v>2</v></c>", SubmittedCell(2.0, "1+1")),
        ("<c r='A1'><f/><v>2</v></c>", SubmittedCell(2.0)),
        ("<c r='A1'><f t='dataTable' ref='A1:A2' r1='B1'/><v>2</v></c>", SubmittedCell(2.0)),
        ("<c r='A1'><f>_xlfn._xlws.SORT(B1)&amp;\"_xlfn.\"</f></c>", SubmittedCell(None, 'SORT(R[0]C[1])&"_xlfn."')),
        ("<c r='A1' s='1'/>", None),
        ("<c r='A1'><v/></c>", None),
    ],
)
def test_every_kind_of_cell(xml: str, cell: SubmittedCell | None, cells: Any) -> None:
    strings = "<si><t>weight</t></si><si><r><t>東京</t></r><r><t>_x000A_b</t></r><rPh sb='0' eb='2'><t>x</t></rPh></si>"
    read = cells(f"<row r='1'>{xml}</row>", strings)
    assert read == ({} if cell is None else {(0, 0): cell})
    assert cell is None or type(read[0, 0].value) is type(cell.value)


def test_every_cell_of_an_array_formula_has_its_anchors_formula(cells: Any) -> None:
    read = cells(
        "<row r='2'><c r='B2'><f t='array' ref='B2:C3'>A2:A3*D1</f><v>1</v></c><c r='C2'><v>2</v></c></row>"
        "<row r='3'><c r='B3'><v>3</v></c></row>"
    )
    text = "R[0]C[-1]:R[1]C[-1]*R[-1]C[2]"
    assert read == {
        (1, 1): SubmittedCell(1.0, text, (0, 0)),
        (1, 2): SubmittedCell(2.0, text, (0, 1)),
        (2, 1): SubmittedCell(3.0, text, (1, 0)),
        (2, 2): SubmittedCell(None, text, (1, 1)),
    }


def test_cells_and_rows_without_an_address_follow_each_other(cells: Any) -> None:
    read = cells("<row><c><v>1</v></c><c/><c><v>2</v></c></row><row r='5'><c r='C5'><v>3</v></c><c><f>A1</f></c></row>"
                 "<row><c><v>4</v></c></row>")  # fmt: skip
    assert {at: cell.value for at, cell in read.items()} == {(0, 0): 1, (0, 2): 2, (4, 2): 3, (4, 3): None, (5, 0): 4}
    assert read[4, 3].formula == "R[-4]C[-3]"


def test_strict_prefixed_and_utf16_files_read_as_transitional_ones_do(tmp_path: Path) -> None:
    given = parts("<row r='1'><c r='A1'><f>B1</f><v>1</v></c></row>")
    usual = read_submission(packed(tmp_path / "a.xlsx", given)).sheets
    strict = {name: text.replace(MAIN, STRICT[MAIN]).replace(REL, STRICT[REL]) for name, text in given.items()}
    assert read_submission(packed(tmp_path / "b.xlsx", strict)).sheets == usual
    part = "xl/worksheets/sheet1.xml"
    prefixed = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1"><x:f>B1</x:f><x:v>1</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )
    assert read_submission(packed(tmp_path / "c.xlsx", given | {part: prefixed})).sheets == usual
    wide = given[part].replace("UTF-8", "UTF-16").encode("utf-16")
    with zipfile.ZipFile(tmp_path / "d.xlsx", "w") as archive:
        for name, text in given.items():
            archive.writestr(name, wide if name == part else text)
    assert read_submission(tmp_path / "d.xlsx").sheets == usual


def test_names_of_single_cells_are_read_and_others_passed_over(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "It's one"
    given = {
        "weight": "'It''s one'!$B$5",
        "range": "'It''s one'!$B$5:$B$6",
        "moving": "'It''s one'!B5",
        "elsewhere": "Other!$A$1",
        "hidden": "'It''s one'!$A$1",
        "number": "3",
    }
    for name, text in given.items():
        hidden = True if name == "hidden" else None
        book.defined_names[name] = openpyxl.workbook.defined_name.DefinedName(name, attr_text=text, hidden=hidden)
    book.worksheets[0].defined_names["local"] = openpyxl.workbook.defined_name.DefinedName(
        "local", attr_text="'It''s one'!$A$1"
    )
    book.save(tmp_path / "a.xlsx")
    assert read_submission(tmp_path / "a.xlsx").names == {"weight": ("It's one", 4, 1)}


def test_chart_sheets_are_passed_over_and_properties_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("Last").write("A1", 1)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Last!$A$1:$A$1"})
        book.add_chartsheet("Chart").set_chart(chart)
        book.add_worksheet("First")
        book.set_custom_property("simulator", "a <b>")
        book.set_custom_property("epochs", 5)
    submission = read_submission(tmp_path / "a.xlsx")
    assert list(submission.sheets) == ["Last", "First"]
    assert submission.properties == {"simulator": "a <b>", "epochs": "5"}


def test_macros_and_links_are_ignored_with_a_warning(tmp_path: Path) -> None:
    given = parts("<row r='1'><c r='A1'><f>[1]Sheet1!A1</f><v>1</v></c></row>")
    extra = {"xl/vbaProject.bin": "code", "xl/externalLinks/externalLink1.xml": "<x/>"}
    submission = read_submission(packed(tmp_path / "a.xlsm", given | extra))
    assert submission.warnings == ("macros are ignored", "links to other workbooks are ignored")
    assert submission.sheets["S"].cells[0, 0].value == 1


def test_a_far_cell_costs_nothing(cells: Any) -> None:
    tracemalloc.start()
    try:
        read = cells("<row r='1'><c r='A1'><v>1</v></c></row><row r='1048576'><c r='XFD1048576'><v>2</v></c></row>")
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert {at: cell.value for at, cell in read.items()} == {(0, 0): 1, (1_048_575, 16_383): 2}


OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
NO_BOOK = "A submission must be an .xlsx workbook. Received: 'a.xlsx', which is"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"{NO_BOOK} empty. {AGAIN}"),
        (b"%PDF-1.7", f"{NO_BOOK} a PDF document. {XLSX}"),
        (b"a;b\n1;2\n", f"{NO_BOOK} a text file such as .csv. {XLSX}"),
        (b"<html>", f"{NO_BOOK} a web page or another XML file. {XLSX}"),
        (b"\0\1\2", f"{NO_BOOK} another kind of file. {XLSX}"),
        (OLE2 + "Workbook".encode("utf-16-le"), f"{NO_BOOK} a file of Excel before 2007 (.xls). {XLSX}"),
        (
            OLE2 + "EncryptedPackage".encode("utf-16-le"),
            "A submission must be an .xlsx workbook that opens without a password. Received: 'a.xlsx', which is "
            "protected by one. Save it without a password and hand it in again.",
        ),
        (
            AND.read_bytes()[:50_000],
            "A submission must be an .xlsx workbook that opens. Received: 'a.xlsx', which is damaged: its zip archive "
            f"is cut off or broken. {AGAIN}",
        ),
        (
            bytes(11 * 2**20),
            "A submission must have at most 10 MB. Received: 'a.xlsx', which has more. Delete pictures and other extra "
            "content.",
        ),
    ],
)
def test_another_kind_of_file_is_called_what_it_is(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    assert refusal(path) == message


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("content.xml", "an OpenDocument file such as .ods"),
        ("Index/Document.iwa", "an Apple Numbers document"),
        ("xl/workbook.bin", "a binary workbook (.xlsb)"),
        ("word/document.xml", "a Word document"),
        ("holiday.jpg", "a zip archive without a workbook in it"),
    ],
)
def test_another_kind_of_archive_is_called_what_it_is(tmp_path: Path, part: str, kind: str) -> None:
    assert refusal(packed(tmp_path / "a.xlsx", {part: "x"})) == f"{NO_BOOK} {kind}. {XLSX}"


def test_a_path_that_is_no_workbook_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "~$a.xlsx").write_bytes(b"\5Name")
    assert refusal(tmp_path / "~$a.xlsx") == (
        "A submission must be an .xlsx workbook. Received: '~$a.xlsx', which is the lock file that a spreadsheet "
        "program keeps beside an open workbook. Hand in 'a.xlsx' itself."
    )
    assert refusal(tmp_path / "b.xlsx") == (
        "A submission must be a file. Received: 'b.xlsx', which is not there. Check its name."
    )
    (tmp_path / "c.xlsx").mkdir()
    assert refusal(tmp_path / "c.xlsx") == (
        "A submission must be an .xlsx workbook. Received: 'c.xlsx', which is a folder. Name the workbook in it."
    )


SHEET1 = "xl/worksheets/sheet1.xml"
DAMAGED = "A submission must be an .xlsx workbook that opens. Received: 'a.xlsx', which is damaged:"
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "ha">' + "".join(f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdefgh", "bcdefghi", strict=True)) + "]>"  # noqa: E501
)  # fmt: skip
XXE = '<!DOCTYPE a [<!ENTITY i SYSTEM "file:///etc/passwd">]>'
DOCTYPE = (
    f"A submission must hold no document type declaration. Received: 'a.xlsx', whose part '{SHEET1}' does. {AGAIN}"
)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (f"{HEAD}{LAUGHS}<worksheet><sheetData><row><c><v>&i;</v></c></row></sheetData></worksheet>", DOCTYPE),
        (f"{HEAD}{XXE}<worksheet><sheetData><row><c><v>&i;</v></c></row></sheetData></worksheet>", DOCTYPE),
        (
            sheet("<row r='4000000000'><c r='A4000000000'><v>1</v></c></row>"),
            "A submission must keep to 1,048,576 rows and 16,384 columns. Received: 'a.xlsx', which has a cell "
            f"'A4000000000' on sheet 'S'. {AGAIN}",
        ),
        (
            sheet("<row r='1'><c r='ZZZ1'><v>1</v></c></row>"),
            "A submission must keep to 1,048,576 rows and 16,384 columns. Received: 'a.xlsx', which has a cell "
            f"'ZZZ1' on sheet 'S'. {AGAIN}",
        ),
        (
            sheet("<row r='4000000000'><c><v>1</v></c></row>"),
            "A submission must keep to 1,048,576 rows and 16,384 columns. Received: 'a.xlsx', which has a cell "
            f"'A4000000000' on sheet 'S'. {AGAIN}",
        ),
        (
            sheet(f"<row r='1'><c r='B1'><f>{'(' * 5000}1{')' * 5000}</f></c></row>"),
            "A submission must hold no formula with more than 64 brackets in one another. Received: 'a.xlsx', whose "
            "cell S!B1 does. Split the formula.",
        ),
        (
            sheet(f"<row r='1'><c r='B1'><f>{'1+' * 5000}1</f></c></row>"),
            "A submission must hold no formula of more than 8,192 characters. Received: 'a.xlsx', whose cell S!B1 "
            "does. Split the formula.",
        ),
        (
            sheet(f"<row r='1'><c r='B1' t='str'><v>{'a' * 100_000}</v></c></row>"),
            f"A submission must hold no text of more than 32,767 characters. Received: 'a.xlsx', whose part '{SHEET1}' "
            "does. Shorten it.",
        ),
        (
            sheet("<row r='1'><c r='A1'><f t='array' ref='A1:XFD1048576'>1</f></c></row>"),
            "A submission must hold at most 500,000 cells. Received: 'a.xlsx', which holds more. Delete what is extra.",
        ),
        (
            sheet("<a>" * 1000 + "</a>" * 1000),
            f"{DAMAGED} its part '{SHEET1}' holds more than 64 elements in one another. {AGAIN}",
        ),
        (sheet("<row><c>"), f"{DAMAGED} its part '{SHEET1}' is cut off or broken. {AGAIN}"),
        (sheet("<row><c t='s'><v>7</v></c></row>"), f"{DAMAGED} its part '{SHEET1}' is cut off or broken. {AGAIN}"),
        (
            sheet("<row><c r='A1'><v>1</v></c><c r='A1'><v>2</v></c></row>"),
            f"{DAMAGED} S!A1 is there twice. {AGAIN}",
        ),
        (
            sheet("<row><c r='A1'><f t='shared' si='3'/><v>1</v></c></row>"),
            f"{DAMAGED} the formula that S!A1 shares is missing. {AGAIN}",
        ),
    ],
)
def test_a_hostile_or_broken_sheet_is_refused(tmp_path: Path, xml: str, message: str) -> None:
    assert refusal(packed(tmp_path / "a.xlsx", parts() | {SHEET1: xml})) == message


def test_brackets_in_texts_do_not_count(cells: Any) -> None:
    read = cells(f"<row r='1'><c r='A1'><f>\"{'(' * 500}\"</f></c></row>")
    assert read[0, 0].formula == f'"{"(" * 500}"'


UNPACKS = (
    f"A submission must not unpack to more than 200 times its size. Received: 'a.xlsx', whose part '{SHEET1}' does. "
    f"{AGAIN}"
)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = sheet("<row r='1'>" + "<c r='A1'/>" * 10_000_000 + "</row>")
    path = packed(tmp_path / "a.xlsx", parts() | {SHEET1: bomb})
    assert path.stat().st_size < 1_000_000
    assert refusal(path, seconds=0.2) == UNPACKS
    with_entry(path, SHEET1, 20, "<I", 2**32 - 2)  # the packed size, which would make it harmless
    assert refusal(path, seconds=0.2) == UNPACKS


def test_a_tag_that_does_not_end_is_left_after_a_megabyte(tmp_path: Path) -> None:
    junk = random.Random(1).randbytes(3_000_000).hex()
    xml = sheet(f"<row a='{junk}'/>")
    assert refusal(packed(tmp_path / "a.xlsx", parts() | {SHEET1: xml})) == (
        f"{DAMAGED} its part '{SHEET1}' holds an element that doesn't end. {AGAIN}"
    )


def with_entry(path: Path, part: str, offset: int, layout: str, value: int) -> None:
    """Overwrite one number in a part's entry of the archive's directory."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(part.encode()))
    struct.pack_into(layout, data, at + offset, value)
    path.write_bytes(data)


def test_declared_sizes_are_not_believed(tmp_path: Path) -> None:
    rows = "".join(f"<row r='{r}'><c r='A{r}'><v>{r}</v></c></row>" for r in range(1, 2000))
    path = packed(tmp_path / "a.xlsx", parts(rows))
    with_entry(path, SHEET1, 24, "<I", 100)
    assert refusal(path) == f"{DAMAGED} its part '{SHEET1}' is cut off or broken. {AGAIN}"
    with_entry(path, SHEET1, 24, "<I", 2**32 - 2)
    assert refusal(path) == UNPACKS


def test_what_is_read_counts_however_often_it_is_read(tmp_path: Path) -> None:
    given = parts("<!--" + random.Random(1).randbytes(30_000).hex() + "-->")
    one = '<sheet name="S" sheetId="1" r:id="rId1"/>'
    many = "".join(one.replace('"S"', f'"S{i}"') for i in range(20))
    given["xl/workbook.xml"] = given["xl/workbook.xml"].replace(one, many)
    path = packed(tmp_path / "a.xlsx", given)
    assert len(read_submission(path).sheets) == 20
    with pytest.raises(SubmissionError) as caught:
        read_submission(path, replace(LIMITS, unpacked_bytes=1_000_000))
    assert str(caught.value) == (
        "A submission must unpack to at most 1 MB. Received: 'a.xlsx', which unpacks to more. Delete what is extra."
    )


def test_an_encrypted_or_strangely_packed_part_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.xlsx", parts())
    with_entry(path, SHEET1, 8, "<H", 1)
    assert refusal(path) == (
        "A submission must be an .xlsx workbook that opens without a password. Received: 'a.xlsx', which is "
        "protected by one. Save it without a password and hand it in again."
    )
    packed(path, parts(), zipfile.ZIP_BZIP2)  # unpacked in one piece, however large
    assert refusal(path) == f"{DAMAGED} its part '_rels/.rels' is packed in a way that .xlsx files never are. {AGAIN}"


def test_a_part_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.xlsx", parts() | {"xl/worksheets/SHEET1.xml": sheet("")})
    assert refusal(path) == f"{DAMAGED} its part '{SHEET1}' is there twice. {AGAIN}"


def test_two_sheets_of_one_name_are_refused(tmp_path: Path) -> None:
    given = parts()
    one = '<sheet name="S" sheetId="1" r:id="rId1"/>'
    given["xl/workbook.xml"] = given["xl/workbook.xml"].replace(one, one + one.replace('"S"', '"s"'))
    assert refusal(packed(tmp_path / "a.xlsx", given)) == f"{DAMAGED} two sheets have the name 's'. {AGAIN}"


def test_an_archive_of_many_parts_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.xlsx", parts() | {f"x{i}": "" for i in range(500)})
    assert refusal(path) == (
        f"A submission must be an archive of at most 500 parts. Received: 'a.xlsx', which has more. {AGAIN}"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.0}, "be read within 0 seconds. Received: 'and.xlsx', which takes longer."),
        ({"unpacked_bytes": 1_000_000}, "unpack to at most 1 MB. Received: 'and.xlsx', which unpacks to more."),
        ({"cells": 5000}, "hold at most 5,000 cells. Received: 'and.xlsx', which holds more."),
        ({"sheets": 6}, "have at most 6 sheets. Received: 'and.xlsx', which has more."),
    ],
)
def test_every_limit_is_kept(change: dict[str, float], message: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        read_submission(AND, replace(LIMITS, **change))  # type: ignore[arg-type]
    assert str(caught.value) == f"A submission must {message} Delete what is extra."


def test_a_file_with_changed_bytes_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    packed(tmp_path / "b.xlsx", parts("<row r='1'><c r='A1' t='s'><f>B1</f><v>0</v></c></row>", "<si><t>a</t></si>"))
    packed(tmp_path / "c.xlsx", dict(parts("<row r='1'><c r='A1'><v>0</v></c></row>")), zipfile.ZIP_STORED)
    refused = 0
    for name in ("b", "c"):
        data = (tmp_path / f"{name}.xlsx").read_bytes()
        draw = random.Random(7)
        for _ in range(400):
            changed = bytearray(data)
            for _ in range(draw.choice([1, 3])):
                changed[draw.randrange(2, len(data))] = draw.randrange(256)
            if draw.random() < 0.2:
                changed = changed[: draw.randrange(2, len(data))]
            (tmp_path / "a.xlsx").write_bytes(changed)
            try:
                read_submission(tmp_path / "a.xlsx")
            except SubmissionError as error:
                assert str(error).startswith("A submission must ")
                refused += 1
    assert 200 < refused < 800


def test_xml_with_changed_bytes_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    given = parts(
        "<row r='1'><c r='A1' t='s'><f t='shared' ref='A1:A2' si='0'>B1</f><v>0</v></c></row>"
        "<row r='2'><c r='A2'><f t='shared' si='0'/></c><c r='B2'><f t='array' ref='B2:C3'>A1</f><v>1</v></c></row>",
        "<si><t>a</t></si>",
        "<definedName name='a'>S!$A$1</definedName>",
    )
    draw = random.Random(3)
    for _ in range(600):
        part = draw.choice(list(given))
        text = bytearray(given[part].encode())
        text[draw.randrange(len(text))] = draw.choice(b"<>&'\"/=:0129AZa \0\xff")
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, other in given.items():
                archive.writestr(name, bytes(text) if name == part else other)
        (tmp_path / "a.xlsx").write_bytes(buffer.getvalue())
        try:
            submission = read_submission(tmp_path / "a.xlsx")
        except SubmissionError as error:
            assert str(error).startswith("A submission must ")
        else:
            assert len(submission.sheets) <= 1
