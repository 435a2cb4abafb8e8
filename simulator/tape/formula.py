"""Scalar terms as text: a spreadsheet formula, or the Python statement that computes the same number."""

from __future__ import annotations

from collections.abc import Callable

from simulator.tape.dialect import SPREADSHEET, Dialect, number_text
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
    Span,
    Sum,
)

# Binding strength. Spreadsheets bind a unary minus tighter than ^, Python looser; a power's base is
# therefore bracketed unless it is an atom, and Python's power is a call.
SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(1, 6)


def formula_text(term: Scalar, cell: Callable[[Ref], str], corner: Callable[[Ref], str]) -> str:
    """The formula without its equals sign.

    cell writes a reference; corner writes the second corner of a range, which never repeats the sheet.
    """

    def leaf(s: Ref | Span) -> str:
        return cell(s) if isinstance(s, Ref) else f"{cell(s.first)}:{corner(s.last)}"

    return _text(term, SPREADSHEET, leaf)[0]


def python_text(term: Scalar, name: Callable[[Ref], str], dialect: Dialect) -> str:
    """The Python expression that does the formula's operations in the formula's order."""

    def leaf(s: Ref | Span) -> str:
        assert isinstance(s, Ref), "only a lifted call holds spans, and Python adds its terms instead"
        return name(s)

    return _text(term, dialect, leaf)[0]


def _text(term: Scalar, d: Dialect, leaf: Callable[[Ref | Span], str]) -> tuple[str, int]:
    def at_least(s: Scalar, level: int) -> str:
        text, got = _text(s, d, leaf)
        return text if got >= level else f"({text})"

    match term:
        case Ref() | Span():
            return leaf(term), ATOM
        case Number(value):
            if d is not SPREADSHEET:
                return repr(value), ATOM if value >= 0 else NEGATIVE
            return number_text(value), ATOM if value >= 0 else NEGATIVE
        case Sum(terms):
            (sign, first), *rest = terms
            text = ("-" if sign < 0 else "") + at_least(first, PRODUCT)
            for sign, t in rest:
                text += ("+" if sign > 0 else "-") + at_least(t, PRODUCT if not isinstance(t, Negative) else ATOM)
            return text, SUM
        case Product(factors):
            (_, first), *rest_factors = factors
            text = at_least(first, NEGATIVE)
            for divides, f in rest_factors:
                text += ("/" if divides else "*") + at_least(f, POWER)
            return text, PRODUCT
        case Negative(x):
            # -a*b is (-a)*b in both languages, and the sign is exact; a power needs its bracket in sheets.
            return "-" + at_least(x, ATOM if isinstance(x, Power | Negative) else PRODUCT), NEGATIVE
        case Power(base, exponent):
            if d is not SPREADSHEET:
                return d.power(at_least(base, SUM), at_least(exponent, SUM)), ATOM
            return d.power(at_least(base, ATOM), at_least(exponent, ATOM)), POWER
        case Call(function, args):
            return f"{d.functions.get(function, function)}({','.join(at_least(a, SUM) for a in args)})", ATOM
        case Choice(a, relation, b, x, y):
            relation = d.equals if relation == "=" else relation
            texts = [at_least(s, SUM) for s in (a, b, x, y)]
            return d.choice(texts[0], relation, texts[1], texts[2], texts[3]), ATOM
        case Lifted(call, plain):
            if d is not SPREADSHEET:
                return f"({_text(plain, d, leaf)[0]})", ATOM
            return _text(call, d, leaf)
    raise TypeError(f"{type(term).__name__} must be lowered before it is printed")
