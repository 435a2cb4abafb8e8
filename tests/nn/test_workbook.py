"""Workbooks of networks: formulas recalculated by all engines, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.xlsx.report import lines_of
from tests.nn.networks import CASES


@pytest.mark.parametrize("name", CASES)
def test_every_engine_recalculates_the_values_of_every_network(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    path = tmp_path / "network.xlsx"
    verification = case.model.to_workbook(path, case.X, case.Y, epochs=3, batch_size=case.batch_size, engine="all")
    assert verification.agrees, "\n".join(lines_of(verification))
    assert path.exists()
