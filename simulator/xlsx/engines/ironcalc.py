"""IronCalc (Rust). It recalculates on `evaluate` and ignores stored values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.xlsx.engines.protocol import serve


def recalculate(path: str, request: dict[str, tuple[int, int]]) -> Iterator[tuple[str, Iterator[list[Any]]]]:
    import ironcalc

    model = ironcalc.load_from_xlsx(path, "en", "UTC", "en")
    model.evaluate()
    names = [sheet["name"] for sheet in model.get_worksheets_properties()]
    value = model.get_cell_value
    for sheet, (rows, columns) in request.items():
        if sheet in names:
            n = names.index(sheet)
            yield sheet, ([value(n, r, c) for c in range(1, columns + 1)] for r in range(1, rows + 1))
        else:
            yield sheet, ([None] * columns for _ in range(rows))


if __name__ == "__main__":
    serve(recalculate)
