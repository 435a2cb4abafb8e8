"""What a lecturer would write: the formulas of networks, and that nothing is computed twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from simulator.book.network import network_workbook
from simulator.book.workbook import Workbook
from simulator.sheet.address import sheet_prefix
from simulator.sheet.panel import Panel, Spread
from simulator.sheet.program import formula_at
from simulator.tape.expression import given
from simulator.tape.scalar import (
    Call,
    Choice,
    Lifted,
    Negative,
    Number,
    Power,
    Product,
    Ref,
    Scalar,
    Sum,
)
from tests.nn.networks import CASES, Case


def workbook_of(case: Case, epochs: int = 2) -> Workbook:
    x = case.model.inputs_checked(case.X)
    return network_workbook(case.model, x, case.model.labels_checked(case.Y, len(x)), epochs, case.batch_size)


def spread_of(workbook: Workbook) -> Spread:
    return next(t.spread for s in workbook.sheets for t in s.tables if isinstance(t, Panel))


def inside(term: Scalar) -> Iterator[Scalar]:
    """The term and everything that it is made of, as the formula shows it."""
    yield term
    match term:
        case Sum(pairs) | Product(pairs):
            for _, x in pairs:
                yield from inside(x)
        case Negative(x) | Power(x, _):
            yield from inside(x)
        case Call(_, args):
            for x in args:
                yield from inside(x)
        case Choice(a, _, b, x, y):
            for z in (a, b, x, y):
                yield from inside(z)
        case Lifted(_, plain):
            yield from inside(plain)


def is_share(term: Scalar) -> bool:
    """dA/4: what every cell of an averaged window gets of its gradient."""
    match term:
        case Product(((False, Ref()), (True, Number()))):
            return True
    return False


def repeats(terms: list[Scalar]) -> list[Scalar]:
    """Computations that stand in more than one cell, or inside a formula although they have a cell."""
    whole = [t for t in terms if not isinstance(t, Ref | Number) and not is_share(t)]
    counts: dict[Scalar, int] = {}
    for t in whole:
        counts[t] = counts.get(t, 0) + 1
    found = [t for t, n in counts.items() if n > 1]
    for t in whole:
        found += [part for part in inside(t) if part is not t and part != t and part in counts]
    return found


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_computed_twice(name: str) -> None:
    spread = spread_of(workbook_of(CASES[name]()))
    assert repeats([later for _, later in spread.program.terms]) == []


def test_a_repeated_subexpression_is_found() -> None:
    x, y = (Ref(e, ()) for e in (given("x", ()), given("y", ())))
    product = Product(((False, x), (False, y)))
    assert repeats([product, Sum(((1, x), (1, product)))]) == [product]
    assert repeats([product, product]) == [product]
    assert repeats([product, x, x]) == []


# case, array, entry, what its first formula must be
FORMULAS = [
    ("sigmoid", "dZ1", (0, 0), "{dA1}*{A1}*(1-{A1})"),  # the slope refers to A's cell
    ("tanh", "dZ1", (0, 2), "{dA1}*(1-{A1}^2)"),
    ("relu", "dZ1", (1, 0), "IF({Z1}>1E-12,{dA1},0)"),
    ("binary_crossentropy", "dZ1", (1, 1), "({P}-{Y})/6"),
    ("categorical_crossentropy", "dZ1", (2, 1), "({P}-{Y})/3"),
    ("softmax", "dZ1", (0, 1), "{A1}*({dA1}-{dA1.A1})"),
    ("l2", "dW1", (0, 0), None),
]


@pytest.mark.parametrize(("name", "array", "index", "expected"), FORMULAS)
def test_slopes_and_losses_are_written_as_in_the_lecture(
    name: str, array: str, index: tuple[int, ...], expected: str | None
) -> None:
    spread = spread_of(workbook_of(CASES[name]()))
    nodes = {node.name: node for node, _ in spread.program.entries}
    k = spread.program.entries.index((nodes[array], index))
    text = formula_at(spread.program.texts[k][0], spread.rows_at(0))

    def cell(other: str) -> str:
        at = index if len(nodes[other].shape) == len(index) and nodes[other].shape[-1] > 1 else (index[0], 0)
        address = spread.address(nodes[other], at, 0)
        return address.removeprefix(sheet_prefix(spread.position(nodes[array], index).sheet))

    if expected is None:
        assert re.fullmatch(r"SUMPRODUCT\(\w+:\w+,\w+:\w+\)\+2\*Parameters!\$B\$6\*\w+", text)
        return
    cells = {other: cell(other) for other in nodes if "{" + other + "}" in expected}
    for other, address in cells.items():
        expected = expected.replace("{" + other + "}", address)
    assert text == expected


# case, array, what its formulas consist of
PRODUCTS = [
    ("dense", "dW1", r"SUMPRODUCT\(\w+:\w+,\w+:\w+\)"),
    ("lstm", "dU1", r"SUMPRODUCT\(\w+:\w+,\w+:\w+\)"),  # one sum over all steps
    ("conv2d", "Z1", r"(SUMPRODUCT\([\w!]+:\w+,\w+:\w+\)\+){2}\w+"),  # a patch of each channel, and the bias
    ("conv1d", "Z1", r"SUMPRODUCT\([\w!]+:\w+,\w+:\w+\)\+\w+"),
    ("maxpooling2d", "A2", r"MAX\('1 Conv2D'!\w+:\w+\)"),
]


@pytest.mark.parametrize(("name", "array", "pattern"), PRODUCTS)
def test_sums_run_over_ranges(name: str, array: str, pattern: str) -> None:
    spread = spread_of(workbook_of(CASES[name]()))
    for (node, _), (first, _) in zip(spread.program.entries, spread.program.texts, strict=True):
        if node.name == array:
            assert re.fullmatch(pattern, formula_at(first, spread.rows_at(0)))
