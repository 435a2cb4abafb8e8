"""No engine: the values stored in the file, which Protected View, previews and pandas show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.xlsx.engines.protocol import serve


def recalculate(path: str, request: dict[str, tuple[int, int]]) -> Iterator[tuple[str, Iterator[list[Any]]]]:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(path)
    for sheet, (rows, columns) in request.items():
        found = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False) if sheet in book.sheet_names else []
        padding = [None] * columns
        body = ((row + padding)[:columns] for row in found[:rows])
        yield sheet, _padded(body, rows, padding)


def _padded(body: Iterator[list[Any]], rows: int, padding: list[None]) -> Iterator[list[Any]]:
    count = 0
    for row in body:
        count += 1
        yield row
    for _ in range(rows - count):
        yield list(padding)


if __name__ == "__main__":
    serve(recalculate)
