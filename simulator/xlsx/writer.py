"""Workbooks to .xlsx files, through XlsxWriter.

A table is not handed over cell by cell: its rows are printed from one compiled template while the sheet's
XML is being written, so memory doesn't grow with the epochs.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from simulator.book.workbook import Workbook
from simulator.errors import WorkbookError
from simulator.sheet.address import a1
from simulator.sheet.chart import PALETTE, Area, Chart
from simulator.sheet.sheet import Body, Highlight, Sheet
from simulator.sheet.style import BAND, INK, SCALE, Style
from simulator.sheet.table import Table
from simulator.xlsx.rows import row_printer, with_errors

PROPERTY = "simulator"  # the custom document property that names lesson and epochs
# A fixed date: the same input gives the same bytes, so that version control shows real changes only.
CREATED = datetime(2024, 1, 1)
NOT_A_NUMBER, NOT_AVAILABLE = "#NUM!", "#N/A"  # a result that overflows, and one that waits for empty cells
PAPER_A4, CHARACTERS_A_PAGE = 9, 260
FEW = 10  # whole numbers that all stand below an axis
COLOURS = {"signed": ("#F8A5A5", "#FFFFFF", "#93B8F5"), "shade": ("#FFFFFF", "", "#9CA3AF")}  # of pictures
TINIEST = 1e-300  # of numbers that a spreadsheet keeps
Progress = Callable[[int, int], None]  # cells written so far, and in all


class _StreamedSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no type information
    """A worksheet that appends streamed rows to its own, and keeps all 17 digits of its numbers.

    XlsxWriter rewrites every formula with 29 patterns (three quarters of its time) for functions that the
    portable dialect doesn't have, and stores constants with 16 digits, which changes four in ten doubles.
    """

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[Iterator[str]] = []
        self.last_streamed_row = 0

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        return formula.removeprefix("=")

    def _xml_number_element(self, number: float, attributes: Any = ()) -> None:
        text = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{text}><v>{float(number)!r}</v></c>")

    def _write_rows(self) -> None:
        sheet: Any = self
        notes, sheet.comments = sheet.comments, {}  # XlsxWriter would write an empty row for a note among the streams
        super()._write_rows()
        sheet.comments = notes
        for stream in self.streams:
            for rows in stream:
                self.fh.write(rows)

    def _write_dimension(self) -> None:
        sheet: Any = self
        own = sheet.dim_rowmax
        sheet.dim_rowmax = max(own, self.last_streamed_row)
        super()._write_dimension()
        sheet.dim_rowmax = own  # XlsxWriter looks for its own rows up to here


class _Writer:
    def __init__(self, book: xlsxwriter.Workbook, sheets: Sequence[Sheet], progress: Progress) -> None:
        self.book, self.progress = book, progress
        self.written, self.total = 0, sum(len(t.computed) * t.count for sheet in sheets for t in sheet.tables)
        self.formats: dict[Style, Format] = {}

    def format(self, style: Style) -> Format:
        if style not in self.formats:
            properties: dict[str, Any] = {"font_name": "Arial", "font_size": style.size, "font_color": style.color}
            properties |= {"bold": style.bold, "italic": style.italic, "text_wrap": style.wrap, "valign": style.valign}
            if style.underline:
                properties["underline"] = 1
            if style.fill:
                properties["bg_color"] = style.fill
            if style.number_format:
                properties["num_format"] = style.number_format
            if style.align:
                properties["align"] = style.align
            if style.border:
                properties |= {"border": 1, "border_color": style.border}
            if style.indent:
                properties["indent"] = style.indent
            self.formats[style] = self.book.add_format(properties)
        return self.formats[style]

    def write(self, sheet: Sheet) -> None:
        ws: Any = self.book.add_worksheet(sheet.name, _StreamedSheet)
        ws.hide_gridlines(2)
        if sheet.very_hidden:
            ws.very_hidden()
        if sheet.color:
            ws.set_tab_color(sheet.color)
        for col, width in sheet.widths.items():
            ws.set_column(col, col, width)
        for row, height in sheet.heights.items():
            ws.set_row(row, height)
        if sheet.freeze:
            ws.freeze_panes(*sheet.freeze)
        for (row, col), cell in sheet.cells.items():
            fmt = self.format(cell.style)
            if cell.formula:
                value = cell.value if isinstance(cell.value, str) or math.isfinite(cell.value) else NOT_A_NUMBER
                ws.write_formula(row, col, cell.formula, fmt, value)
            elif cell.link:
                ws.write_url(row, col, cell.link, fmt, str(cell.value))
            elif cell.value == "":
                ws.write_blank(row, col, None, fmt)
            elif isinstance(cell.value, str):
                ws.write_string(row, col, cell.value, fmt)
            else:
                ws.write_number(row, col, cell.value, fmt)
        for row, col, last_row, last_col in sheet.merges:
            ws.merge.append([row, col, last_row, last_col])
        for (row, col), text in sheet.notes.items():
            lines = text.count("\n") + 1 + len(text) // 60
            ws.write_comment(
                row, col, text, {"x_scale": 3, "y_scale": max(0.6, 0.28 * lines), "font_size": 10, "author": ""}
            )
        for v in sheet.validations:
            between = {"criteria": "between", "minimum": _limit(v.low), "maximum": _limit(v.high)}
            allowed = {"source": str(v.low).split(",")} if v.kind == "list" else between
            said = {"error_title": "Not a possible value", "error_message": v.rule}
            ws.data_validation(v.row, v.col, v.row, v.col, {"validate": v.kind, **allowed, **said})
        for highlight in sheet.highlights:
            self._highlight(ws, highlight)
        for chart in sheet.charts:
            self._chart(ws, chart)
        for table in sheet.tables:
            ws.streams.append(self._rows(ws, table))
            if table.banded:
                band = {
                    "type": "formula",
                    "criteria": f"=MOD(INT((ROW()-{table.first_row + 1})/{table.height}),2)=1",
                    "format": self.book.add_format({"bg_color": BAND}),
                }
                ws.conditional_format(table.first_row, table.first_col, table.last_row, table.last_col, band)
            if ws.dim_rowmin is None:
                ws.dim_rowmin = ws.dim_rowmax = ws.dim_colmin = ws.dim_colmax = 0
            ws.dim_colmax = max(table.last_col, ws.dim_colmax)
            ws.last_streamed_row = table.last_row
        for name, (row, col) in sheet.names.items():
            prefix = f"'{sheet.name}'" if not sheet.name.isidentifier() else sheet.name
            self.book.define_name(name, f"={prefix}!{a1(row, col, absolute=True)}")
        ws.set_paper(PAPER_A4)
        if sheet.one_page:
            ws.fit_to_pages(1, 1)
        else:
            ws.set_landscape()
            ws.fit_to_pages(1 + int(_characters(sheet) // CHARACTERS_A_PAGE), 0)
        if sheet.print_area:
            ws.print_area(*sheet.print_area)
        if sheet.tables:
            heading = sheet.tables[0].first_row
            ws.repeat_rows(max(heading - 4, 0), heading - 1)
        if sheet.freeze and sheet.freeze[1]:
            ws.repeat_columns(0, sheet.freeze[1] - 1)

    def _rows(self, ws: Any, table: Body) -> Iterator[str]:
        """The XML of a table's rows, one block at a time."""
        plain = {style: self.format(style) for c in table.plan for style in (c.look(False), c.look(True))}
        distinct = dict.fromkeys(c.text for c in table.plan if c.text)
        error = NOT_AVAILABLE if isinstance(table, Table) and table.blank else NOT_A_NUMBER
        texts = {text: ws.str_table._get_shared_string_index(text) for text in distinct}
        ws.str_table.count += sum(1 for c in table.plan if c.text) * table.count - len(texts)

        def rows() -> Iterator[str]:
            # Formats have their numbers only now, when the file is being put together.
            numbers = {style: f._get_xf_index() for style, f in plain.items()}
            first, later = (row_printer(table, which, numbers, texts) for which in (False, True))
            for k, values in enumerate(table.blocks()):
                text = (later if k else first)(tuple(table.rows_at(k).values()), values)
                if not all(map(math.isfinite, values)):
                    text = with_errors(text, error)
                yield text
                self.written += len(values)
                if k % 64 == 0:
                    self.progress(self.written, self.total)

        return rows()

    def _highlight(self, ws: Any, h: Highlight) -> None:
        if h.kind == "scale":
            options = {
                "type": "3_color_scale",
                "min_type": "num",
                "mid_type": "num",
                "max_type": "num",
                "min_value": h.low,
                "mid_value": (h.low + h.high) / 2,
                "max_value": h.high,
                "min_color": SCALE[0],
                "mid_color": SCALE[1],
                "max_color": SCALE[2],
            }
        elif h.kind in COLOURS:
            low, middle, high = COLOURS[h.kind]
            options = {"type": "3_color_scale" if middle else "2_color_scale", "min_color": low, "max_color": high}
            if middle:
                options |= {"mid_color": middle, "mid_type": "num", "mid_value": 0}
            if h.value:
                options["multi_range"] = str(h.value)
                first = str(h.value).split()[0].split(":")[0]
                ws.conditional_format(first, options)
                return
        elif h.kind == "formula":
            outline = self.book.add_format({"border": 1, "border_color": INK, "bold": True})
            options = {"type": "formula", "criteria": h.value, "format": outline}
        elif h.kind == "fill":
            colours = {"bg_color": h.fill} | ({"font_color": h.color} if h.color else {})
            options = {"type": "formula", "criteria": h.value, "format": self.book.add_format(colours)}
        elif h.kind == "error":
            options = {"type": "errors", "format": self.book.add_format({"font_color": h.color})}
        elif h.kind == "tiny":
            power = self.book.add_format({"num_format": "0.0E+00"})
            for least, most in ((TINIEST, h.low), (-h.low, -TINIEST)):  # but not zero
                bounds = {"type": "cell", "criteria": "between", "minimum": least, "maximum": most, "format": power}
                ranges = str(h.value)
                ws.conditional_format(ranges.split()[0].split(":")[0], bounds | {"multi_range": ranges})
            return
        elif h.kind == "dot":
            dot = self.book.add_format({"num_format": '"●";"●";"●"', "font_color": h.color, "bold": True})
            options = {"type": "formula", "criteria": h.value, "format": dot}
        else:
            value = f'"{h.value}"' if isinstance(h.value, str) else h.value
            style = self.book.add_format({"bg_color": h.fill, "font_color": h.color})
            options = {"type": "cell", "criteria": "==", "value": value, "format": style}
        ws.conditional_format(*h.first, *h.last, options)

    def _chart(self, ws: Any, chart: Chart) -> None:
        drawn = self.book.add_chart({"type": "scatter", "subtype": "straight"})
        assert drawn is not None
        for k, series in enumerate(chart.series):
            color = series.color or PALETTE[k % len(PALETTE)]
            dash = ("solid", "dash")[k % 2]  # so that a curve under another one shows through
            options: dict[str, Any] = {
                "name": f"={series.name}" if "!" in series.name else series.name,
                "categories": _area(series.x),
                "values": _area(series.y),
            }
            if series.y_numbers:
                options |= {"categories_data": _points(series.x_numbers), "values_data": _points(series.y_numbers)}
            if series.markers:
                options |= {
                    "line": {"none": True},
                    "marker": {"type": "circle", "size": 5, "fill": {"color": color}, "border": {"none": True}},
                }
            else:
                options |= {"line": {"color": color, "width": 1.75, "dash_type": dash}, "marker": {"type": "none"}}
            drawn.add_series(options)
        axis = {
            "name_font": {"size": 10, "bold": False, "color": "#374151"},
            "num_font": {"size": 9},
            "num_format": "General",
            "line": {"color": "#9CA3AF"},
        }
        x_axis: dict[str, Any] = {
            **axis,
            "name": chart.x_title,
            "major_gridlines": {"visible": False},
            "label_position": "low",
        }
        if chart.x_min is not None:
            x_axis["min"] = chart.x_min
        across = [x for series in chart.series for x in series.x_numbers]
        if across and max(across) - min(across) <= FEW and all(float(x).is_integer() for x in across):
            x_axis["major_unit"] = 1  # not every half epoch
        drawn.set_x_axis(x_axis)
        grid = {"visible": True, "line": {"color": "#E5E7EB", "width": 0.75}}
        y_axis: dict[str, Any] = {"max": chart.y_max} if chart.y_max is not None else {}
        drawn.set_y_axis(y_axis | {**axis, "name": chart.y_title, "major_gridlines": grid, "label_position": "low"})
        drawn.set_title(
            {"name": chart.title, "name_font": {"size": 13, "bold": True, "color": "#1F2933"}, "overlay": False}
        )
        drawn.set_legend({"none": True} if len(chart.series) == 1 else {"position": "right", "font": {"size": 9}})
        drawn.set_size({"width": chart.width, "height": chart.height})
        drawn.show_blanks_as("span")
        ws.insert_chart(chart.row, chart.col, drawn, {"x_offset": chart.x_offset})


def _characters(sheet: Sheet) -> float:
    """How wide the printed part is."""
    last = sheet.print_area[3] if sheet.print_area else max([0, *sheet.widths])
    return sum(width for col, width in sheet.widths.items() if col <= last)


def _limit(value: float | str) -> str:
    """A validation's limit: a formula, or a number as the file format spells it."""
    return value if isinstance(value, str) else f"{value:.15G}"


def _points(numbers: Sequence[float]) -> list[float | None]:
    """Chart data without what is not a number, which would make the file invalid."""
    return [x if math.isfinite(x) else None for x in numbers]


def _area(a: Area) -> list[Any]:
    return [a.sheet, a.row, a.col, a.last_row, a.last_col]


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A file to write beside path, renamed to path at the end if it is still there; whatever fails, it is removed.

    Raises WorkbookError when the target can't be written, for example because it is open in Excel.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.xlsx")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if part.exists():
            part.replace(path)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        if isinstance(error, WorkbookError):
            raise
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise WorkbookError(
            f"A workbook can only be written to a folder that allows it and over a file that is not open. "
            f"Received: '{path}' ({reason}). Close it in Excel, or choose another place with --out."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_workbook(workbook: Workbook, path: Path, progress: Progress = lambda done, total: None) -> Path:
    """Write the workbook to path: first beside it, then renamed, so an earlier file survives a failure.

    progress is told how many cells of the tables were written, and how many there are. Raises WorkbookError when
    the target can't be written.
    """
    with beside(path) as part:
        put_workbook(workbook, part, progress)
    return path


def put_workbook(workbook: Workbook, part: Path, progress: Progress = lambda done, total: None) -> Path:
    """Write the workbook to a path that may be left half-written by a failure."""
    folder = tempfile.mkdtemp(prefix="simulator-")
    book = xlsxwriter.Workbook(str(part), {"tmpdir": folder})
    try:
        book.set_properties({"title": workbook.title, "author": "simulator", "created": CREATED})
        origin = {**workbook.origin, "epochs": workbook.epochs}
        book.set_custom_property(PROPERTY, json.dumps(origin, ensure_ascii=False))
        book.set_calc_mode("auto")
        writer = _Writer(book, workbook.sheets, progress)
        for sheet in workbook.sheets:
            writer.write(sheet)
        book.close()
        progress(writer.total, writer.total)
    finally:
        for worksheet in book.worksheets():  # an interrupted one leaves its own temporary file open
            if worksheet.fh is not None and not worksheet.fh.closed:
                worksheet.fh.close()
        shutil.rmtree(folder, ignore_errors=True)
    return part
