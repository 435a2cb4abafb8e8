"""formualizer (Rust, an independent code base). It recalculates on `evaluate_all` and ignores stored values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.xlsx.engines.protocol import serve


def recalculate(path: str, request: dict[str, tuple[int, int]]) -> Iterator[tuple[str, Iterator[list[Any]]]]:
    import formualizer

    book = formualizer.load_workbook(path)
    book.evaluate_all()
    present = set(book.sheet_names)
    value = book.get_value

    def plain(found: Any) -> Any:
        return f"#{found.get('kind', 'ERROR')}" if isinstance(found, dict) else found

    for sheet, (rows, columns) in request.items():
        if sheet in present:
            yield sheet, ([plain(value(sheet, r, c)) for c in range(1, columns + 1)] for r in range(1, rows + 1))
        else:
            yield sheet, ([None] * columns for _ in range(rows))


if __name__ == "__main__":
    serve(recalculate)
