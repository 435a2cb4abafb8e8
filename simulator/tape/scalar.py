"""One cell's arithmetic: the scalar terms that array equations expand into.

The same term is printed as a spreadsheet formula and as the Python statement that computes its value, so
both do the same operations in the same order. Sums and products are flattened from the left, so that no
formula needs a parenthesis to the right of a plus sign: one embedded engine drops those on import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulator.tape.expression import Expression, Index


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Ref:
    """An element of a named array. back=1 means the block before: the epoch that the weights come from."""

    node: Expression
    index: Index
    back: int = 0


@dataclass(frozen=True)
class Span:
    """The rectangle of cells from first to last."""

    first: Ref
    last: Ref


@dataclass(frozen=True)
class Sum:
    """Terms from left to right, each with its sign, +1 or -1."""

    terms: tuple[tuple[int, Scalar], ...]


@dataclass(frozen=True)
class Product:
    """Factors from left to right; True marks a divisor."""

    factors: tuple[tuple[bool, Scalar], ...]


@dataclass(frozen=True)
class Negative:
    operand: Scalar


@dataclass(frozen=True)
class Power:
    base: Scalar
    exponent: Scalar


@dataclass(frozen=True)
class Call:
    function: str
    args: tuple[Scalar, ...]


@dataclass(frozen=True)
class Choice:
    """then where left > right or left = right holds, otherwise the other value; one branch is evaluated."""

    left: Scalar
    relation: str
    right: Scalar
    then: Scalar
    otherwise: Scalar


@dataclass(frozen=True)
class Total:
    """A sum over an axis; once the cells are placed it becomes SUM, SUMPRODUCT or a plain sum."""

    terms: tuple[Scalar, ...]


@dataclass(frozen=True)
class Lifted:
    """What spreadsheets write as one function over ranges, and the same cell by cell."""

    call: Call
    plain: Scalar


ZERO = Number(0)
Scalar = Number | Ref | Span | Sum | Product | Negative | Power | Call | Choice | Total | Lifted


def add(a: Scalar, b: Scalar) -> Scalar:
    if _is_zero(a) or _is_zero(b):
        return b if _is_zero(a) else a
    tail: tuple[tuple[int, Scalar], ...]
    if isinstance(b, Sum):
        tail = b.terms
    elif isinstance(b, Negative):
        tail = ((-1, b.operand),)
    else:
        tail = ((+1, b),)
    return Sum((*_terms(a), *tail))


def subtract(a: Scalar, b: Scalar) -> Scalar:
    if _is_zero(a) or _is_zero(b):
        return negate(b) if _is_zero(a) else a
    return Sum((*_terms(a), (-1, b)))


def multiply(a: Scalar, b: Scalar) -> Scalar:
    if _is_zero(a) or _is_zero(b):
        return ZERO
    return Product((*_factors(a), *_factors(b)))


def divide(a: Scalar, b: Scalar) -> Scalar:
    if _is_zero(a):
        return ZERO
    return Product((*_factors(a), (True, b)))


def negate(a: Scalar) -> Scalar:
    if _is_zero(a):
        return ZERO
    return a.operand if isinstance(a, Negative) else Negative(a)


def _is_zero(a: Scalar) -> bool:
    return isinstance(a, Number) and a.value == 0


def total(terms: Iterable[Scalar]) -> Scalar:
    """The sum over an axis, without the entries that are known to be zero."""
    kept = tuple(t for t in terms if not _is_zero(t))
    return Total(kept) if len(kept) > 1 else kept[0] if kept else ZERO


def _terms(a: Scalar) -> tuple[tuple[int, Scalar], ...]:
    return a.terms if isinstance(a, Sum) else ((+1, a),)


def _factors(a: Scalar) -> tuple[tuple[bool, Scalar], ...]:
    return a.factors if isinstance(a, Product) else ((False, a),)


class Position(NamedTuple):
    """Where a cell lies. row counts from the block's first row when the cell moves with its block."""

    sheet: str
    row: int
    col: int
    moves: bool


Locate = Callable[[Ref], Position]
LONGEST_PLAIN_SUM = 2  # from three terms on, a function over a range reads better than a chain of plus signs


def lowered(term: Scalar, locate: Locate) -> Scalar:
    """The term with every total written as SUM, SUMPRODUCT or a plain sum, by where its cells lie."""

    def lifted(terms: Sequence[Scalar]) -> Scalar | None:
        call = _lifted_call(terms, locate) if len(terms) > LONGEST_PLAIN_SUM else None
        return Lifted(call, _plain_sum(terms)) if call else None

    def added(terms: Sequence[Scalar]) -> Scalar:
        if all(isinstance(t, Sum) and all(sign > 0 for sign, _ in t.terms) for t in terms):
            # the sum of sums over neighbouring columns is one rectangle, row by row
            flat = tuple(x for t in terms if isinstance(t, Sum) for _, x in t.terms)
            whole = _lifted_call(flat, locate)
            if whole and whole.function == "SUM":
                return Lifted(whole, _plain_sum(flat))
        call = lifted(terms)
        if call:
            return call
        terms = _as_they_lie(terms, locate)
        call = lifted(terms)
        if call:
            return call
        parts = [lifted(part) or part for part in _rectangles(terms, locate)]
        out: Scalar | None = None
        for part in parts:
            for t in part if isinstance(part, list) else [part]:
                out = t if out is None else add(out, t)
        assert out is not None
        return out

    def walk(s: Scalar) -> Scalar:
        match s:
            case Sum(terms):
                if all(sign > 0 and isinstance(t, Total | Product) for sign, t in terms):
                    whole = lifted([walk(t) for t in _flat(t for _, t in terms)])
                    if whole:
                        return whole
                first, *rest = [(sign, walk(t)) for sign, t in terms]
                out: Scalar = first[1] if first[0] > 0 else Negative(first[1])
                for sign, t in rest:
                    out = add(out, t) if sign > 0 else subtract(out, t)
                return out
            case Product(factors):
                return Product(tuple((d, walk(f)) for d, f in factors))
            case Negative(x):
                return Negative(walk(x))
            case Power(x, n):
                return Power(walk(x), n)
            case Call(f, args):
                plain = Call(f, tuple(map(walk, args)))
                span = _lift(plain.args, locate, set()) if len(args) > LONGEST_PLAIN_SUM else None
                return Lifted(Call(f, (span,)), plain) if isinstance(span, Span) else plain
            case Choice(a, r, b, x, y):
                return Choice(walk(a), r, walk(b), walk(x), walk(y))
            case Total(terms):
                return added([walk(t) for t in _flat(terms)])
        return s

    return walk(term)


def _plain_sum(terms: Sequence[Scalar]) -> Sum:
    return Sum(tuple((+1, t) for t in terms))


def _flat(terms: Iterable[Scalar]) -> list[Scalar]:
    """The terms with totals inside totals opened up."""
    return [x for t in terms for x in (_flat(t.terms) if isinstance(t, Total) else [t])]


def _as_they_lie(terms: Sequence[Scalar], locate: Locate) -> Sequence[Scalar]:
    """Entries of one array, or a power of them, in the order of their cells."""
    inner = [t.base if isinstance(t, Power) else t for t in terms]
    refs = [r for r in inner if isinstance(r, Ref)]
    if len(refs) < len(terms) or len({r.node.serial for r in refs}) > 1:
        return terms
    order = sorted(range(len(terms)), key=lambda k: locate(refs[k])[1:3])
    return [terms[k] for k in order]


def _rectangles(terms: Sequence[Scalar], locate: Locate) -> list[list[Scalar]]:
    """Products of two references cut into runs whose cells are rectangles on both sides, taken from the left."""
    pairs = [tuple(f for _, f in t.factors) if isinstance(t, Product) else () for t in terms]
    if not all(len(p) == 2 and all(isinstance(f, Ref) for f in p) for p in pairs):
        return [list(terms)]
    places = [tuple(locate(f) for f in p if isinstance(f, Ref)) for p in pairs]

    def follows(k: int, start: int, rows: int, cols: int) -> bool:
        return k < len(places) and all(
            (a.sheet, a.row + rows, a.col + cols) == (b.sheet, b.row, b.col)
            for a, b in zip(places[start], places[k], strict=True)
        )

    parts, start = [], 0
    while start < len(terms):
        width = 1
        while follows(start + width, start, 0, width):
            width += 1
        height = 1
        while all(follows(start + height * width + c, start, height, c) for c in range(width)):
            height += 1
        parts.append(list(terms[start : start + width * height]))
        start += width * height
    return parts


def _lifted_call(terms: Sequence[Scalar], locate: Locate) -> Call | None:
    """SUM or SUMPRODUCT over ranges, when the terms are alike and their cells are neighbours."""
    shapes: set[tuple[int, int]] = set()
    if all(isinstance(t, Product) and not any(d for d, _ in t.factors) for t in terms):
        columns = list(zip(*(t.factors for t in terms if isinstance(t, Product)), strict=False))
        if len({len(t.factors) for t in terms if isinstance(t, Product)}) != 1:
            return None
        parts = [_lift([f for _, f in column], locate, shapes) for column in columns]
        if all(p and _has_span(p) for p in parts) and len(shapes) == 1:
            return Call("SUMPRODUCT", tuple(p for p in parts if p))
        shapes.clear()
    whole = _lift(terms, locate, shapes)
    if whole is None or len(shapes) != 1:
        return None
    return Call("SUM" if isinstance(whole, Span) else "SUMPRODUCT", (whole,))


def _lift(terms: Sequence[Scalar], locate: Locate, shapes: set[tuple[int, int]]) -> Scalar | None:
    """One term over ranges that stands for all of these, or None; notes the shape of every range."""
    first = terms[0]
    if all(t == first for t in terms):
        return first
    if any(type(t) is not type(first) for t in terms):
        return None
    match first:
        case Ref():
            places = [locate(t) for t in terms if isinstance(t, Ref)]
            a, z = places[0], places[-1]
            rows, cols = z.row - a.row + 1, z.col - a.col + 1
            box = [(a.row + r, a.col + c) for r in range(rows) for c in range(cols)]
            if [(p.row, p.col) for p in places] != box or len({(p.sheet, p.moves) for p in places}) > 1:
                return None
            shapes.add((rows, cols))
            last = terms[-1]
            assert isinstance(last, Ref)
            return Span(first, last)
        case Sum():
            pairs = _lift_pairs([t.terms for t in terms if isinstance(t, Sum)], locate, shapes)
            return Sum(pairs) if pairs else None
        case Product():
            factors = _lift_pairs([t.factors for t in terms if isinstance(t, Product)], locate, shapes)
            return Product(tuple((bool(mark), x) for mark, x in factors)) if factors else None
        case Negative():
            x = _lift([t.operand for t in terms if isinstance(t, Negative)], locate, shapes)
            return Negative(x) if x else None
        case Power():
            powers = [t for t in terms if isinstance(t, Power)]
            if any(p.exponent != first.exponent for p in powers):
                return None
            x = _lift([p.base for p in powers], locate, shapes)
            return Power(x, first.exponent) if x else None
    return None  # EXP, LN and IF over ranges are array formulas in some engines


def _lift_pairs(
    rows: Sequence[Sequence[tuple[int, Scalar]]], locate: Locate, shapes: set[tuple[int, int]]
) -> tuple[tuple[int, Scalar], ...] | None:
    if len({tuple(mark for mark, _ in row) for row in rows}) > 1:
        return None
    lifted = [_lift([x for _, x in column], locate, shapes) for column in zip(*rows, strict=True)]
    if not all(lifted):
        return None
    return tuple((mark, x) for (mark, _), x in zip(rows[0], lifted, strict=True) if x)


def _has_span(s: Scalar) -> bool:
    match s:
        case Span():
            return True
        case Sum(pairs) | Product(pairs):
            return any(_has_span(x) for _, x in pairs)
        case Negative(x) | Power(x, _):
            return _has_span(x)
    return False
