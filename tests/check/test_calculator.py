from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from simulator.check.calculator import AGGREGATES, ELEMENTWISE, OPERATORS, SPECIAL, Found, calculate
from simulator.check.formula import NotUnderstood, parse
from simulator.sheet.relative import relative_text
from simulator.xlsx.recalculate import EMBEDDED, recalculated

HOME = ("Sheet1", 20, 10)
# row by row: A1:D3; A3 is empty, B3 a text, C3 a blank between numbers
GRID: list[list[Found]] = [[1.0, 2.0, -3.0, 0.5], [4.0, 0.25, 2.0, 8.0], [None, "x", None, 7.0]]
ERROR = math.nan

# formula,                             value by Microsoft's pages
VALUES = [
    ("1+2*3", 7),
    ("10-4-3", 3),
    ("-2^2", 4),
    ("2^-1", 0.5),
    ("2^3^2", 64),
    ("50%", 0.5),
    ("200*5%", 10),
    ("8/4/2", 1),
    ("A1=1", 1),
    ("A1<>1", 0),
    ("A1<B1", 1),
    ("A1>B1", 0),
    ("A1<=1", 1),
    ("A1>=B1", 0),
    ("1/0", ERROR),
    ("1/0+1", ERROR),
    ("#N/A*0", ERROR),
    ("A3", 0),  # empty
    ("A3+1", 1),
    ("B3+1", ERROR),  # a text
    ('A3=""', 1),
    ('A1=""', 0),
    ('IF(A3<>"",1,2)', 2),
    ("EXP(1)", math.e),
    ("EXP(1000)", ERROR),
    ("1/(1+EXP(1000))", ERROR),
    ("LN(A2)", math.log(4)),
    ("LN(0)", ERROR),
    ("LN(-1)", ERROR),
    ("LOG10(1000)", 3),
    ("LOG(8,2)", 3),
    ("LOG(100)", 2),
    ("SQRT(A2)", 2),
    ("SQRT(-1)", ERROR),
    ("ABS(C1)", 3),
    ("TANH(0.5)", math.tanh(0.5)),
    ("SINH(1)", math.sinh(1)),
    ("COSH(1)", math.cosh(1)),
    ("SIN(1)", math.sin(1)),
    ("COS(1)", math.cos(1)),
    ("SIGN(C1)", -1),
    ("POWER(A2,D1)", 2),
    ("ROUND(2.5,0)", 3),
    ("ROUND(-2.5,0)", -3),
    ("ROUND(2.675,2)", 2.68),
    ("ROUND(1234,-2)", 1200),
    ("ROUNDDOWN(-2.79,1)", -2.7),
    ("ROUNDUP(-2.71,1)", -2.8),
    ("TRUNC(-2.7)", -2),
    ("TRUNC(2.79,1)", 2.7),
    ("INT(-2.5)", -3),
    ("MOD(-3,2)", 1),
    ("MOD(3,0)", ERROR),
    ("PI()", math.pi),
    ("TRUE()", 1),
    ("TRUE", 1),
    ("FALSE()", 0),
    ("NA()", ERROR),
    ("NOT(0)", 1),
    ("NOT(NA())", ERROR),
    ("N(4)", 4),
    ("VALUE(4)", 4),
    ("SUM(A1:D3)", 21.75),  # passes over the empty cell and the text
    ("SUM(A1,B1,5)", 8),
    ("SUM(A1:B1,1/0)", ERROR),
    ("PRODUCT(A1:A3)", 4),
    ("PRODUCT(A3:A3)", 0),
    ("AVERAGE(A1:A3)", 2.5),
    ("AVERAGE(A3:A3)", ERROR),
    ("MAX(A1:D1)", 2),
    ("MAX(A3:A3)", 0),
    ("MIN(A1:D1)", -3),
    ("SUMSQ(A1:B1)", 5),
    ("COUNT(A1:D3)", 9),
    ("COUNTA(A1:D3)", 10),
    ("AND(A1=1,B1=2)", 1),
    ("AND(A1=1,NA())", ERROR),
    ("OR(A1=2,B1=2)", 1),
    ("OR(A1=2,B1=3)", 0),
    ("SUMPRODUCT(A1:B1,A2:B2)", 4.5),
    ("SUMPRODUCT(A1:B1*A2:B2)", 4.5),
    ("SUMPRODUCT(--(A1:D1>0),A2:D2)", 12.25),
    ("SUMPRODUCT(A1:A3,D1:D3)", 32.5),  # an empty cell counts as 0
    ("SUMPRODUCT(A1:B1,A1:A2)", ERROR),
    ("MMULT(A1:B1,A1:A2)", 9),
    ("SUM(MMULT(TRANSPOSE(A1:A2),D1:D2))", 32.5),
    ("INDEX(A1:D2,2,3)", 2),
    ("INDEX(A1:D1,2)", 2),
    ("INDEX(A1:A2,2)", 4),
    ("INDEX(A1:A2,NA())", ERROR),
    ("IF(A1=1,5,6)", 5),
    ("IF(A1>1,5,1/A1)", 1),
    ("IF(A1>1,1/0,7)", 7),  # an error in the other branch does no harm
    ("IF(A1>1,5)", 0),  # FALSE
    ("IF(NA(),1,2)", ERROR),
    ("IFERROR(1/0,9)", 9),
    ("IFERROR(A1,9)", 1),
    ("ISNUMBER(A1)", 1),
    ("ISNUMBER(B3)", 0),
    ("ISBLANK(A3)", 1),
    ("ISBLANK(A1)", 0),
    ("SUMXMY2(A1:B1,A2:B2)", 12.0625),
    ("SUMX2MY2(A1:B1,A2:B2)", -11.0625),
    ("SUMX2PY2(A1:B1,A2:B2)", 21.0625),
]  # fmt: skip


def found(formula: str) -> float:
    def at(sheet: str, row: int, col: int) -> Found:
        return GRID[row][col] if row < 3 and col < 4 else None

    relative = relative_text(formula, *HOME[1:])
    values = calculate(parse(relative), HOME, at, lambda name: None, 2)
    assert values.shape == (2,)
    return float(values[0])


@pytest.mark.parametrize(("formula", "value"), VALUES)
def test_a_formula_gives_what_the_spreadsheet_gives(formula: str, value: float) -> None:
    assert found(formula) == pytest.approx(value, rel=1e-12, abs=1e-15, nan_ok=True)


def test_every_function_and_operator_has_a_row() -> None:
    text = " ".join(formula for formula, _ in VALUES)
    assert [name for name in (*ELEMENTWISE, *AGGREGATES, *SPECIAL) if f"{name}(" not in text] == []
    assert [sign for sign in OPERATORS if sign not in text] == []


@pytest.mark.parametrize("engine", EMBEDDED)
def test_the_engines_agree_where_they_know_the_function(engine: str, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for r, row in enumerate(GRID):
        for c, content in enumerate(row):
            sheet.cell(r + 1, c + 1).value = content
    for i, (formula, _) in enumerate(VALUES):
        sheet.cell(5 + i, 1).value = "=" + formula
    book.save(tmp_path / "test.xlsx")
    grid = recalculated(tmp_path / "test.xlsx", engine, {"Sheet1": (5 + len(VALUES), 5)})["Sheet1"]
    theirs = {formula: float(grid.numbers[4 + i, 0]) for i, (formula, _) in enumerate(VALUES)}
    known = {formula: x for formula, x in theirs.items() if np.isfinite(x)}
    assert len(known) > 60
    right = {formula: value for formula, value in VALUES if formula in known and not math.isnan(value)}
    assert [f for f in right if known[f] != pytest.approx(right[f], rel=1e-9, abs=1e-12)] == []


def test_an_array_formula_has_a_value_for_every_cell_of_its_range() -> None:
    def at(sheet: str, row: int, col: int) -> Found:
        return GRID[row][col]

    tree = parse(relative_text("A1:B2*2", 5, 5))
    for offset, value in (((0, 0), 2), ((1, 0), 8), ((1, 1), 0.5), ((2, 0), ERROR)):
        got = calculate(tree, ("Sheet1", 5, 5), at, lambda name: None, 1, offset)
        assert float(got[0]) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    "formula",
    [
        'INDIRECT("A1")', 'WEBSERVICE("http://x")', "NOSUCH(1)", "LAMBDA(x,x)", "nosuchname+1", "IF(1)", "IFERROR(1)",
        "MMULT(A1:B1)", "INDEX(A1:B1)", "INDEX(A1:B2,0,1)", "INDEX(A1:B2,5,1)", "TRANSPOSE()", "EXP()", "EXP(1,2)",
        "SUMXMY2(A1:B1)", 'A1&"x"', "A1:B2", "A1:B2+A1:C3", "SUM(A1:Z9999)", "SUM(A1:A9000*TRANSPOSE(A1:A9000))",
        "SUM(MMULT(A1:A9000,TRANSPOSE(A1:A9000)))",
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_understood_and_costs_little(formula: str) -> None:
    began = time.perf_counter()
    with pytest.raises(NotUnderstood):
        found(formula)
    assert time.perf_counter() - began < 2
