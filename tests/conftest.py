"""Shared by all tests: small workbooks of single expressions, and engines that recalculate them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from simulator.book.workbook import Workbook
from simulator.sheet.sheet import Sheet
from simulator.sheet.table import Quantity, Table
from simulator.tape.evaluate import evaluate
from simulator.tape.expression import Expression, indices
from simulator.tape.scalar import Position
from simulator.xlsx.recalculate import EMBEDDED, LIBREOFFICE, find_libreoffice
from simulator.xlsx.writer import write_workbook

settings.register_profile(
    "simulator",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("simulator")

Array = NDArray[np.float64]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of LibreOffice skip where it is missing, with the reason; in CI its absence is a failure."""
    if find_libreoffice() is not None or os.environ.get("CI"):
        return
    for item in items:
        if "libreoffice" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason="LibreOffice with its Python bridge is not installed"))


@pytest.fixture(params=[*EMBEDDED, LIBREOFFICE])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sheet_of(named: Sequence[Expression], values: Mapping[str, Array]) -> tuple[Workbook, Table]:
    """A workbook with the given arrays as numbers on one sheet and these expressions as formulas on another."""
    given = {e.name: e for root in named for e in _leaves(root)}
    numbers_sheet = Sheet("Given")
    places, numbers, row = {}, {}, 0
    for name, leaf in given.items():
        array = np.asarray(values[name], dtype=float).reshape(leaf.shape)
        start = row
        for index in indices(leaf.shape):
            r, c = index if len(index) == 2 else (0, 0)
            numbers_sheet.put(start + r, c, float(array[index]))
            numbers[leaf.serial, index] = float(array[index])
        places[leaf.serial] = _at(start)
        row += (leaf.shape[0] if leaf.shape else 1) + 1
    columns = [Quantity(e, "forward") for e in named]
    table = Table("Formulas", 4, 0, columns, 1, places, numbers)
    formulas = Sheet("Formulas", tables=[table])
    formulas.put(0, 0, "formulas")
    return Workbook("test", "and", 1, (numbers_sheet, formulas)), table


def _at(start: int):  # type: ignore[no-untyped-def]
    return lambda index: Position("Given", start + (index[0] if index else 0), index[1] if index else 0, False)


def _leaves(root: Expression) -> list[Expression]:
    from simulator.tape.expression import upstream

    return [e for e in upstream(root) if e.is_given]


def write(workbook: Workbook, folder: Path) -> Path:
    return write_workbook(workbook, folder / "test.xlsx")


def central_differences(cost: Expression, leaf: Expression, values: Mapping[str, Array], h: float = 1e-6) -> Array:
    """dC/d leaf by moving one entry at a time, in NumPy."""
    gradient = np.zeros(leaf.shape)
    for index in indices(leaf.shape):
        ends = []
        for sign in (1, -1):
            moved = np.array(values[leaf.name], dtype=float).reshape(leaf.shape)
            moved[index] += sign * h
            ends.append(float(evaluate(cost, {**values, leaf.name: moved})))
        gradient[index] = (ends[0] - ends[1]) / (2 * h)
    return gradient
