"""Formulas as text: brackets, ranges, and the rules of the portable dialect."""

from __future__ import annotations

import pytest

from simulator.sheet.table import Quantity, Table
from simulator.tape.dialect import number_text
from simulator.tape.expression import Expression, given, literal
from simulator.tape.namespace import complement, exp, log, sigmoid, where
from simulator.tape.primitive import apply
from simulator.tape.scalar import Position

x = given("x", (1, 1))
y = given("y", (1, 1))
w = given("w", (1, 1))
C = given("C", (4, 1))
D = given("D", (4, 1))
PLACES = {x.serial: "B", y.serial: "C", w.serial: "D", C.serial: "F", D.serial: "G"}

# expression                     formula                              why
ROWS: list[tuple[Expression, str, str]] = [
    (x + y * w, "$B$1+$C$1*$D$1", "a product binds tighter than a sum"),
    ((x + y) * w, "($B$1+$C$1)*$D$1", "a sum inside a product is bracketed"),
    (x + (y + w), "$B$1+$C$1+$D$1", "IronCalc drops brackets to the right of a plus sign, so none are written"),
    (x + (y - w), "$B$1+$C$1-$D$1", "the same for a difference"),
    (x - (y + w), "$B$1-($C$1+$D$1)", "to the right of a minus sign the bracket is needed and kept"),
    (x / (y * w), "$B$1/($C$1*$D$1)", "a product as divisor"),
    (x * (y / w), "$B$1*$C$1/$D$1", "products are flattened from the left"),
    (-(x**2), "-($B$1^2)", "unary minus binds tighter than ^ in spreadsheets"),
    ((-x) ** 2, "(-$B$1)^2", "a negative base is bracketed"),
    (-x * y, "-$B$1*$C$1", "the sign of a product needs no bracket"),
    (x * -y, "-$B$1*$C$1", "a sign is moved to the front"),
    (-(x + y), "-($B$1+$C$1)", "the sign of a sum needs one"),
    (sigmoid(x), "1/(1+EXP(-$B$1))", "the lecture's form"),
    (
        complement(sigmoid(x)),
        "IF($B$1>32,EXP(-$B$1),1-1/(1+EXP(-$B$1)))",
        "1-p is guarded where it would be rounded away",
    ),
    (log(exp(x) + 1), "LN(EXP($B$1)+1)", "LN is the natural logarithm"),
    (where(x, "=", y, w, literal(0)), "IF($B$1=$C$1,$D$1,0)", "a choice"),
    (C.sum(0), "SUM($F$1:$F$4)", "a sum over neighbours is SUM"),
    (C.T @ D, "SUMPRODUCT($F$1:$F$4,$G$1:$G$4)", "a sum of products over neighbours is SUMPRODUCT"),
    ((C + D).sum(0), "SUM($F$1:$G$4)", "a sum of sums over neighbouring columns is one rectangle"),
    (((C - D) ** 2).sum(0) / 4, "SUMPRODUCT(($F$1:$F$4-$G$1:$G$4)^2)/4", "arithmetic over ranges stays inside"),
    ((C * x + y - D).sum(0), "SUMPRODUCT($F$1:$F$4*$B$1+$C$1-$G$1:$G$4)", "single cells may stand between ranges"),
]


@pytest.mark.parametrize(("expression", "formula", "why"), ROWS, ids=[row[2] for row in ROWS])
def test_formula(expression: Expression, formula: str, why: str) -> None:
    named = apply("copy", expression).named("result")
    numbers: dict[tuple[int, tuple[int, ...]], float] = {}
    places = {s: _column(ord(letter) - 65) for s, letter in PLACES.items()}
    table = Table("Sheet", 9, 0, [Quantity(named, "forward")], 1, places, numbers)
    assert table.plan[0].first == formula, why


def _column(col: int):  # type: ignore[no-untyped-def]
    return lambda index: Position("Sheet", index[0], col, False)


def test_a_number_that_needs_more_than_15_digits_is_refused() -> None:
    assert number_text(0.1) == "0.1"
    with pytest.raises(ValueError, match=r"must survive 15 digits. Received: 0.30000000000000004"):
        number_text(0.1 + 0.2)
