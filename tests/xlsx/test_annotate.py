"""A marked copy holds the marks, and everything else as it was."""

from __future__ import annotations

import re
import subprocess
import zipfile
from functools import cache
from pathlib import Path
from typing import Any
from xml.parsers import expat

import openpyxl
import pytest
import xlsxwriter
from openpyxl.comments import Comment
from python_calamine import CalamineWorkbook

from simulator.errors import SettingError, WorkbookError
from simulator.sheet.address import a1
from simulator.xlsx.annotate import Annotation, write_annotated
from simulator.xlsx.recalculate import find_libreoffice

WORKBOOKS = Path(__file__).parents[2] / "workbooks"
RED, GREEN = "#FFC7CE", "#C6EFCE"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
Marks = dict[tuple[str, int, int], Annotation]


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed_parts(old: Path, new: Path) -> set[str]:
    before, after = parts_of(old), parts_of(new)
    assert before.keys() <= after.keys()
    return {name for name, data in after.items() if before.get(name) != data}


def number_of(address: str) -> tuple[int, int]:
    column, row = re.fullmatch("([A-Z]+)([0-9]+)", address).groups()  # type: ignore[union-attr]
    number = 0
    for letter in column:
        number = 26 * number + ord(letter) - 64
    return int(row), number


def assert_well_formed(path: Path) -> None:
    """Every part parses, rows and cells are sorted and unique, and every reference leads to a part."""
    parts = parts_of(path)
    for name, data in parts.items():
        places: list[tuple[int, int]] = []
        rows: list[int] = []

        def start(tag: str, a: dict[str, str], places: list[tuple[int, int]] = places, rows: list[int] = rows) -> None:
            if tag.rpartition(":")[2] == "row":
                rows.append(int(a["r"]))
            elif tag.rpartition(":")[2] == "c":
                places.append(number_of(a["r"]))
                assert places[-1][0] == rows[-1]

        if name.endswith((".xml", ".rels", ".vml")):
            parser = expat.ParserCreate()
            if name.startswith("xl/worksheets/sheet"):
                parser.StartElementHandler = start
            parser.Parse(data, True)
        assert rows == sorted(set(rows)), name
        assert places == sorted(set(places)), name
        if name.startswith("xl/worksheets/_rels/"):
            text = data.decode()
            ids = re.findall(r'\bId="([^"]+)"', text)
            assert len(ids) == len(set(ids))
            for target in re.findall(r'Target="\.\./([^"]+)"', text):
                assert f"xl/{target}" in parts


def looks(path: Path) -> dict[str, dict[str, Any]]:
    """Content, format and comment of every cell, by sheet and address."""
    book = openpyxl.load_workbook(path)

    @cache  # a few formats, thousands of cells
    def style(number: int, cell: Any) -> str:
        return repr((cell.font, cell.border, cell.number_format, cell.alignment, cell.protection))

    first: dict[int, Any] = {}
    return {
        sheet.title: {
            cell.coordinate: (
                cell.value,
                style(cell.style_id, first.setdefault(cell.style_id, cell)),
                cell.fill.fgColor.rgb if cell.fill.patternType else None,
                cell.comment.text if cell.comment else None,
            )
            for row in sheet.iter_rows()
            for cell in row
        }
        for sheet in book.worksheets
    }


def stored_values(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def assert_only_marks_differ(source: Path, target: Path, marks: Marks) -> None:
    old, new = looks(source), looks(target)
    assert old.keys() == new.keys()
    for sheet, cells in new.items():
        assert old[sheet].keys() <= cells.keys()
        for address, (formula, style, fill, note) in cells.items():
            row, col = number_of(address)
            mark = marks.get((sheet, row - 1, col - 1), Annotation())
            old_formula, old_style, old_fill, old_note = old[sheet].get(address, (None, style, None, None))
            assert (formula, style) == (old_formula, old_style), f"{sheet}!{address}"
            assert fill == ("FF" + mark.fill[1:] if mark.fill else old_fill), f"{sheet}!{address}"
            whole = f"{old_note}\n—\n{mark.note}" if old_note and mark.note else mark.note or old_note
            assert note == whole, f"{sheet}!{address}"
    assert stored_values(source) == stored_values(target)
    assert_well_formed(target)


@pytest.mark.parametrize("lesson", ["and", "decoder"])
def test_a_generated_workbook_gets_its_marks_and_nothing_else(lesson: str, tmp_path: Path) -> None:
    source, target = WORKBOOKS / f"{lesson}.xlsx", tmp_path / "marked.xlsx"
    marks: Marks = {
        ("Training", 6, 0): Annotation(GREEN, "joins the heading's note"),
        ("Training", 6, 2): Annotation("", "only a note,\nin two lines: a < b & c"),
        ("Training", 12, 1): Annotation(RED, "on a cell without one"),
        ("Training", 12, 9): Annotation(RED),
        ("Training", 10, 9): Annotation(GREEN),
        ("Charts", 30, 1): Annotation(RED, "beside charts"),
        ("Read me", 80, 30): Annotation(RED, "where neither row nor cell was"),
        ("Parameters", 4, 1): Annotation("", "where no note was"),
    }
    write_annotated(source, target, marks)
    assert_only_marks_differ(source, target, marks)
    assert changed_parts(source, target) == {
        "[Content_Types].xml",
        "xl/styles.xml",
        *(f"xl/worksheets/sheet{n}.xml" for n in (1, 2, 3, 4)),
        *(f"xl/worksheets/_rels/sheet{n}.xml.rels" for n in (1, 2)),
        *(f"xl/comments{n}.xml" for n in (1, 2, 6, 7)),
        *(f"xl/drawings/vmlDrawing{n}.vml" for n in (1, 2, 6, 7)),
    }


def test_only_fills_touch_styles_and_that_sheet(tmp_path: Path) -> None:
    source, target = WORKBOOKS / "and.xlsx", tmp_path / "marked.xlsx"
    write_annotated(source, target, {("Boundary", 40, 3): Annotation(RED)})
    assert changed_parts(source, target) == {"xl/styles.xml", "xl/worksheets/sheet5.xml"}


def test_no_marks_copy_every_part_and_its_date(tmp_path: Path) -> None:
    source, target = WORKBOOKS / "and.xlsx", tmp_path / "marked.xlsx"
    write_annotated(source, target, {("Training", 0, 0): Annotation()})
    assert changed_parts(source, target) == set()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target) as new:
        dates = [[(i.filename, i.date_time, i.compress_type) for i in f.infolist()] for f in (old, new)]
    assert dates[0] == dates[1]


def test_the_same_marks_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    marks: Marks = {("Training", r, c): Annotation((RED, GREEN)[c % 2], "n" * c) for r in range(9) for c in range(9)}
    write_annotated(WORKBOOKS / "and.xlsx", tmp_path / "a.xlsx", marks)
    write_annotated(WORKBOOKS / "and.xlsx", tmp_path / "b.xlsx", dict(reversed(marks.items())))
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_a_marked_copy_can_be_marked_again_in_place(tmp_path: Path) -> None:
    path = tmp_path / "marked.xlsx"
    write_annotated(WORKBOOKS / "and.xlsx", path, {("Read me", 3, 3): Annotation(RED, "first")})
    write_annotated(
        path, path, {("Read me", 3, 3): Annotation(GREEN, "second"), ("Read me", 4, 3): Annotation("", "x")}
    )
    sheet = openpyxl.load_workbook(path)["Read me"]
    assert (sheet["D4"].fill.fgColor.rgb, sheet["D4"].comment.text) == ("FFC6EFCE", "first\n—\nsecond")
    assert sheet["D5"].comment.author == "simulator"
    assert_well_formed(path)
    assert parts_of(path)["xl/comments6.xml"].count(b"<author>") == 1


def test_a_file_saved_by_openpyxl_gets_notes_with_and_without_earlier_ones(tmp_path: Path) -> None:
    source, target = tmp_path / "source.xlsx", tmp_path / "marked.xlsx"
    book = openpyxl.Workbook()
    book.active["B2"] = "=1+1"  # type: ignore[index]
    book.create_sheet("Notes & more")["A1"].comment = Comment("hello", "a student")
    book.save(source)
    marks: Marks = {
        ("Sheet", 1, 1): Annotation(RED, "wrong"),
        ("Sheet", 0, 0): Annotation(GREEN, "right"),
        ("Notes & more", 0, 0): Annotation("", "joined"),
        ("Notes & more", 5, 0): Annotation("", "new"),
    }
    write_annotated(source, target, marks)
    assert_only_marks_differ(source, target, marks)
    notes = openpyxl.load_workbook(target)["Notes & more"]
    assert [notes[a].comment.author for a in ("A1", "A6")] == ["a student", "simulator"]


@pytest.mark.filterwarnings("ignore:.*extension is not supported")  # openpyxl's, when the test looks at the result
def test_text_boxes_images_and_conditional_formats_keep_their_bytes(tmp_path: Path) -> None:
    source, target = tmp_path / "source.xlsx", tmp_path / "marked.xlsx"
    with xlsxwriter.Workbook(str(source)) as book:
        sheet = book.add_worksheet("S")
        sheet.insert_textbox("D2", "a box of text")
        sheet.conditional_format("A1:A9", {"type": "data_bar", "bar_solid": True})  # leaves a list inside the rule
        sheet.add_table("F1:G3")
        sheet.set_header("&L&G", {"image_left": str(_image(tmp_path))})  # a legacyDrawingHF, of its own VML
        sheet.set_column("C:C", 3, book.add_format({"num_format": "0.000", "bold": True}))
    marks: Marks = {("S", 1, 2): Annotation(RED, "x"), ("S", 0, 0): Annotation(GREEN)}
    write_annotated(source, target, marks)
    assert_well_formed(target)
    assert changed_parts(source, target) == {
        "[Content_Types].xml",
        "xl/styles.xml",
        "xl/comments1.xml",
        "xl/drawings/vmlDrawing2.vml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/_rels/sheet1.xml.rels",
    }
    tail = parts_of(target)["xl/worksheets/sheet1.xml"].decode().partition("</sheetData>")[2]
    last = re.findall(r"<(drawing|legacyDrawing|legacyDrawingHF|tableParts|extLst)\b", tail)
    assert last == ["extLst", "drawing", "legacyDrawing", "legacyDrawingHF", "tableParts", "extLst"]
    cell = openpyxl.load_workbook(target)["S"]["C2"]  # a new cell takes its column's format
    assert (cell.number_format, cell.font.b, cell.fill.fgColor.rgb) == ("0.000", True, "FFFFC7CE")


def _image(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (2, 2)).save(folder / "dot.png")
    return folder / "dot.png"


def handmade(path: Path, sheet: str, prefix: str = "", **parts: str) -> Path:
    """A workbook with one sheet 'S' of this XML and two formats, of which format 1 is bold."""
    p = f"{prefix}:" if prefix else ""
    declared = f'xmlns{":" + prefix if prefix else ""}="{MAIN}"'
    styles = (
        f"<styleSheet {declared}><fonts><font/><font><b/></font></fonts><fills><fill><patternFill/></fill></fills>"
        "<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/>"
        '<xf fontId="1" fillId="0"><alignment wrapText="1"/></xf></cellXfs>'
        '<cellStyles><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
    book = (
        f'<workbook {declared} xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    contents = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kinds}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": _prefixed(book, p),
        "xl/_rels/workbook.xml.rels": f'<pr:Relationships xmlns:pr="{PACKAGE}/relationships"><pr:Relationship '
        f'Id="rId1" Type="{OFFICE}/worksheet" Target="/xl/worksheets/sheet1.xml"/><pr:Relationship Id="rId2" '
        f'Type="{OFFICE}/styles" Target="styles.xml"/></pr:Relationships>',
        "xl/styles.xml": _prefixed(styles, p),
        "xl/worksheets/sheet1.xml": _prefixed(f"<worksheet {declared}>{sheet}</worksheet>", p),
        **parts,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return path


def _prefixed(text: str, p: str) -> str:
    return re.sub(r"<(/?)(?=\w)", rf"<\g<1>{p}", text)


FIVE: Marks = {("S", r, c): Annotation(RED) for r, c in ((0, 0), (1, 1), (1, 3), (4, 0), (9, 27))}
HANDMADE = [
    # sheet,                                                               rows that must come out
    ("<sheetData/>", "1:A 2:B,D 5:A 10:AB"),
    ("<sheetData></sheetData>", "1:A 2:B,D 5:A 10:AB"),
    ('<sheetData><row r="2"><c r="A2"/><c r="C2" s="1"><v>1</v></c></row></sheetData>', "1:A 2:A,B,C,D 5:A 10:AB"),
    ('<sheetData><row r="5"/><row r="7" spans="1:2"/></sheetData>', "1:A 2:B,D 5:A 7: 10:AB"),
    ('<sheetData><row r="1"></row><row r="11"><c r="B11"/></row></sheetData>', "1:A 2:B,D 5:A 10:AB 11:B"),
    ("<sheetData><row r='2'><c r='D2' t='str' s='1'><v>é</v></c></row></sheetData>", "1:A 2:B,D 5:A 10:AB"),
]


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize(("sheet", "rows"), HANDMADE)
def test_missing_cells_and_rows_are_inserted_in_their_places(
    sheet: str, rows: str, prefix: str, tmp_path: Path
) -> None:
    source = handmade(tmp_path / "source.xlsx", sheet, prefix)
    write_annotated(source, tmp_path / "marked.xlsx", FIVE)
    assert_well_formed(tmp_path / "marked.xlsx")
    xml = parts_of(tmp_path / "marked.xlsx")["xl/worksheets/sheet1.xml"].decode()
    found = []
    for line in re.split(r"<(?:x:)?row ", xml)[1:]:
        number = re.search(r"""r=["'](\d+)""", line)
        found.append(f"{number and number[1]}:" + ",".join(re.findall(r"""<(?:x:)?c r=["']([A-Z]+)""", line)))
    assert " ".join(found) == rows
    marked = openpyxl.load_workbook(tmp_path / "marked.xlsx")["S"]
    filled = [(c.row - 1, c.column - 1) for row in marked.iter_rows() for c in row if c.fill.fgColor.rgb == "FFFFC7CE"]
    assert filled == [(r, c) for _, r, c in FIVE]


def test_a_new_cell_takes_the_format_of_its_row_and_then_of_its_column(tmp_path: Path) -> None:
    sheet = (
        '<cols><col min="1" max="2" width="9" style="1"/></cols><sheetData><row r="1"/>'
        '<row r="2" s="1" customFormat="1"/></sheetData>'
    )
    source = handmade(tmp_path / "source.xlsx", sheet)
    write_annotated(source, source, {("S", r, c): Annotation(RED) for r in (0, 1) for c in (1, 2)})
    marked = openpyxl.load_workbook(source)["S"]
    assert [marked[a].font.b for a in ("B1", "C1", "B2", "C2")] == [True, False, True, True]
    assert marked["B1"].alignment.wrap_text
    formats = re.findall(r"<xf[^>]*>", parts_of(source)["xl/styles.xml"].decode().partition('<cellXfs count="4">')[2])
    assert formats == [
        "<xf/>",
        '<xf fontId="1" fillId="0">',
        '<xf fontId="1" fillId="1" applyFill="1">',
        '<xf fillId="1" applyFill="1"/>',
    ]


@pytest.mark.parametrize(
    ("tail", "order"),
    [
        ("<pageMargins/><tableParts/>", "pageMargins legacyDrawing tableParts"),
        ("", "legacyDrawing"),
        ("<mergeCells/><drawing/><picture/><extLst/>", "mergeCells drawing legacyDrawing picture extLst"),
        # an extLst inside a rule is none of the sheet's
        ("<conditionalFormatting><extLst/></conditionalFormatting><pageSetup/>", "pageSetup legacyDrawing"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "x"])
def test_the_notes_boxes_are_named_at_the_schemas_place(tail: str, order: str, prefix: str, tmp_path: Path) -> None:
    source = handmade(tmp_path / "source.xlsx", f"<sheetData/>{tail}", prefix)
    write_annotated(source, source, {("S", 0, 0): Annotation("", "a note")})
    assert_well_formed(source)
    xml = parts_of(source)["xl/worksheets/sheet1.xml"].decode()
    assert " ".join(re.findall(r"<(?:x:)?(\w+)", xml)[-len(order.split()) :]) == order


def test_a_note_joins_plain_text_before_its_phonetic_guide(tmp_path: Path) -> None:
    path = handmade(
        tmp_path / "source.xlsx",
        "<sheetData/>",
        **{
            "xl/worksheets/_rels/sheet1.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship '
            f'Id="rId1" Type="{OFFICE}/comments" Target="../comments1.xml"/></Relationships>',
            "xl/comments1.xml": f'<x:comments xmlns:x="{MAIN}"><x:authors><x:author/></x:authors><x:commentList>'
            '<x:comment ref="A1" authorId="0"><x:text><x:t>old</x:t><x:phoneticPr fontId="1"/></x:text></x:comment>'
            '<x:comment ref="A2" authorId="0"><x:text/></x:comment></x:commentList></x:comments>',
        },
    )
    write_annotated(path, path, {("S", row, 0): Annotation("", f"new {row}") for row in range(3)})
    assert_well_formed(path)
    xml = parts_of(path)["xl/comments1.xml"].decode()
    texts = ["".join(re.findall(r"<x:t[ >][^<]*", c)) for c in re.findall(r"<x:comment .*?</x:comment>", xml, re.S)]
    new = '<x:t xml:space="preserve">'
    assert texts == [f"<x:t>old{new}\n—\nnew 0", f"{new}new 1", f"{new}new 2"]
    assert "<x:r><x:t>old</x:t></x:r>" in xml
    assert xml.index("new 0") < xml.index("phoneticPr")
    assert "<x:author/><x:author>simulator</x:author>" in xml
    assert '<x:comment ref="A3" authorId="1">' in xml


def test_threaded_comments_and_macros_stay_as_they_are(tmp_path: Path) -> None:
    thread = '<Relationship Id="rId1" Type="http://schemas.microsoft.com/office/2017/10/relationships/threadedComment" '
    source = handmade(
        tmp_path / "source.xlsm",
        "<sheetData/>",
        **{
            "xl/worksheets/_rels/sheet1.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{thread}'
            'Target="../threadedComments/threadedComment1.xml"/></Relationships>',
            "xl/threadedComments/threadedComment1.xml": "<ThreadedComments><!-- kept --></ThreadedComments>",
            "xl/vbaProject.bin": "\0\1\2",
        },
    )
    write_annotated(source, tmp_path / "marked.xlsm", {("S", 0, 0): Annotation(RED, "a note")})
    changed = changed_parts(source, tmp_path / "marked.xlsm")
    assert not {n for n in changed if "threaded" in n or "vba" in n}
    ids = re.findall(
        r'\bId="(\w+)"', parts_of(tmp_path / "marked.xlsm")["xl/worksheets/_rels/sheet1.xml.rels"].decode()
    )
    assert ids == ["rId1", "rId2", "rId3"]


@pytest.mark.parametrize(
    ("note", "stored"),
    [
        ("a\x00b\x0bc\ud800d\ufffe", "abcd"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("x" * 32_767, "x" * 32_767),
        ("x" * 32_768, "x" * 32_766 + "…"),
        ("]]> &amp; <b> \"'", "]]> &amp; <b> \"'"),
    ],
)
def test_a_note_holds_what_xml_and_excel_allow(note: str, stored: str, tmp_path: Path) -> None:
    path = handmade(tmp_path / "source.xlsx", "<sheetData/>")
    write_annotated(path, path, {("S", 0, 0): Annotation("", note)})
    assert_well_formed(path)
    assert openpyxl.load_workbook(path)["S"]["A1"].comment.text == stored


def test_a_joined_note_is_cut_where_both_together_grow_too_long(tmp_path: Path) -> None:
    path = handmade(tmp_path / "source.xlsx", "<sheetData/>")
    for letter in "ab":
        write_annotated(path, path, {("S", 0, 0): Annotation("", letter * 20_000)})
    text = openpyxl.load_workbook(path)["S"]["A1"].comment.text
    assert text == "a" * 20_000 + "\n—\n" + "b" * (32_767 - 20_000 - 4) + "…"


def test_a_box_grows_with_its_text_over_narrow_columns_and_hides(tmp_path: Path) -> None:
    source = handmade(tmp_path / "source.xlsx", '<cols><col min="2" max="4" width="20"/></cols><sheetData/>')
    write_annotated(source, source, {("S", 5, 0): Annotation("", "word " * 24)})
    vml = parts_of(source)["xl/drawings/vmlDrawing1.vml"].decode()
    # 59 characters of 7 pixels and 20 around; from 15 pixels in column B, 145 wide as C and D, into column E
    assert "<x:Anchor>1, 15, 4, 2, 4, 13, 6, 8</x:Anchor>" in vml
    assert "width:324.75pt;height:34.5pt;z-index:1;visibility:hidden" in vml
    write_annotated(source, source, {("S", 5, 0): Annotation("", "another")})
    vml = parts_of(source)["xl/drawings/vmlDrawing1.vml"].decode()
    assert vml.count("<v:shape ") == 1
    assert "<x:Anchor>1, 15, 4, 2, 4, 13, 8, 2</x:Anchor>" in vml
    assert "width:324.75pt;height:60pt;z-index:1;visibility:hidden" in vml


REFUSED = [
    # sheet XML, marks,                                       why
    ("<sheetData/>", ("T", 0, 0), "no sheet 'T' among S"),
    ("<sheetData/>", ("S", -1, 0), "no cell in row -1 and column 0, counted from 0"),
    ("<sheetData/>", ("S", 0, 16_384), "no cell in row 0 and column 16384, counted from 0"),
    ("<cols/>", ("S", 0, 0), "no element 'sheetData' where one must be"),
    ("<sheetData><!-- --></sheetData>", ("S", 0, 0), "xl/worksheets/sheet1.xml holds comments, CDATA or a DOCTYPE"),
    ('<sheetData><row r="3"/><row r="2"/></sheetData>', ("S", 0, 0), "rows without numbers or in disorder after row 3"),
    ("<sheetData><row/></sheetData>", ("S", 0, 0), "rows without numbers or in disorder after row 0"),
    ('<sheetData><row r="1"><c/></row></sheetData>', ("S", 0, 0), "cells of row 1 without addresses in it"),
    ('<sheetData><row r="1"><c r="B1"/><c r="A1"/></row></sheetData>', ("S", 0, 3), "cells of row 1 in disorder"),
    (
        '<sheetData><row r="1"><c r="A1" s="7"/></row></sheetData>',
        ("S", 0, 0),
        "a cell of format 7, of 2 formats",
    ),
]


@pytest.mark.parametrize(("sheet", "place", "why"), REFUSED)
def test_what_cannot_be_patched_is_refused(sheet: str, place: tuple[str, int, int], why: str, tmp_path: Path) -> None:
    source, target = handmade(tmp_path / "source.xlsx", sheet), tmp_path / "marked.xlsx"
    with pytest.raises(WorkbookError) as error:
        write_annotated(source, target, {place: Annotation(RED)})
    assert str(error.value) == (
        "A workbook to mark must be an .xlsx file that opens, with the sheets that are marked. "
        f"Received: '{source}' ({why}). Save it again as .xlsx in Excel or LibreOffice."
    )
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04" + b"\0" * 40])
def test_a_file_that_is_no_workbook_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "source.xlsx").write_bytes(content)
    with pytest.raises(WorkbookError, match="File is not a zip file"):
        write_annotated(tmp_path / "source.xlsx", tmp_path / "marked.xlsx", {})
    with pytest.raises(WorkbookError, match="No such file"):
        write_annotated(tmp_path / "missing.xlsx", tmp_path / "marked.xlsx", {})


def test_a_part_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.xlsx.package.LARGEST", 1_000_000)
    with pytest.raises(WorkbookError, match="bytes unpacked, more than 1,000,000"):
        write_annotated(WORKBOOKS / "and.xlsx", tmp_path / "marked.xlsx", {})


def test_a_fill_is_six_hexadecimal_digits() -> None:
    with pytest.raises(SettingError) as error:
        Annotation('#FFF"/>')
    assert str(error.value) == "A fill is # and six hexadecimal digits, or empty. Received: '#FFF\"/>'."


def converted(source: Path, folder: Path) -> Path:
    """A workbook as LibreOffice loads and saves it."""
    found = find_libreoffice()
    assert found
    program = str(Path(found[0]).with_name("soffice"))  # which starts again after the first start in a new profile
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [program, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(folder / "out"), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder / "out" / source.name


def test_files_from_libreoffice_are_marked_and_open_there_again(tmp_path: Path) -> None:
    source, target = converted(WORKBOOKS / "and.xlsx", tmp_path), tmp_path / "marked.xlsx"
    marks: Marks = {
        ("Training", 6, 0): Annotation(GREEN, "joins the heading's note"),
        ("Training", 12, 1): Annotation(RED, "on a cell\nwithout one"),
        ("Read me", 80, 30): Annotation(RED, "where neither row nor cell was"),
    }
    write_annotated(source, target, marks)
    assert_only_marks_differ(source, target, marks)
    again = openpyxl.load_workbook(converted(target, tmp_path))
    for (sheet, row, col), mark in marks.items():
        cell = again[sheet][a1(row, col)]
        assert cell.comment.text.endswith(mark.note)
        assert cell.fill.fgColor.rgb == "FF" + mark.fill[1:]
    assert again["Training"]["A7"].comment.text.startswith("epoch: epoch\n")
