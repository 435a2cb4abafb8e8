"""Scalar terms read as NumPy vectors: one cell's arithmetic at many epochs, or in many trial runs, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from simulator.tape.primitive import RELATIONS
from simulator.tape.scalar import Call, Choice, Lifted, Negative, Number, Power, Product, Ref, Scalar, Span, Sum, Total

Vector = NDArray[np.float64]
FUNCTIONS: dict[str, Callable[..., Vector]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "abs": np.abs,
    "max": lambda *xs: np.maximum.reduce(np.broadcast_arrays(*xs)),
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "round": lambda x, digits: np.asarray(np.round(x, int(digits))),
}


def vector_value(term: Scalar, at: Callable[[Ref], Vector]) -> Vector:
    """The values of a term whose references have these values; NaN or infinite where it has none.

    The caller silences NumPy's warnings.

    >>> from simulator.tape.expression import given
    >>> x = Ref(given("x", ()), ())
    >>> vector_value(Product(((False, Number(2)), (False, x))), lambda ref: np.array([1.0, 2.0]))
    array([2., 4.])
    """
    match term:
        case Ref():
            return at(term)
        case Number(value):
            return np.float64(value)  # type: ignore[return-value]
        case Sum(terms):
            (sign, first), *rest = terms
            total = vector_value(first, at) if sign > 0 else -vector_value(first, at)
            for sign, t in rest:
                total = total + vector_value(t, at) if sign > 0 else total - vector_value(t, at)
            return total
        case Product(factors):
            (_, first), *others = factors
            product = vector_value(first, at)
            for divides, f in others:
                product = product / vector_value(f, at) if divides else product * vector_value(f, at)
            return product
        case Negative(x):
            return -vector_value(x, at)
        case Power(base, exponent):
            return np.asarray(vector_value(base, at) ** vector_value(exponent, at))
        case Call(function, args):
            return FUNCTIONS[function](*(vector_value(a, at) for a in args))
        case Choice(a, relation, b, x, y):
            holds = RELATIONS[relation](vector_value(a, at), vector_value(b, at))
            return np.asarray(np.where(holds, vector_value(x, at), vector_value(y, at)))
        case Total(terms):
            first, *later = terms
            total = vector_value(first, at)
            for t in later:
                total = total + vector_value(t, at)
            return total
        case Lifted(_, plain):
            return vector_value(plain, at)
    raise TypeError(f"{type(term).__name__} has no value of its own")


def children(term: Scalar) -> list[Scalar]:
    match term:
        case Sum(pairs) | Product(pairs):
            return [x for _, x in pairs]
        case Negative(x):
            return [x]
        case Power(base, exponent):
            return [base, exponent]
        case Call(_, args) | Total(args):
            return list(args)
        case Choice(a, _, b, x, y):
            return [a, b, x, y]
        case Lifted(_, plain):
            return [plain]
        case Span(first, last):
            return [first, last]
    return []


def references(term: Scalar) -> list[Ref]:
    """The references of a term, each once, from left to right."""
    found: dict[Ref, None] = {}
    stack = [term]
    while stack:
        t = stack.pop()
        if isinstance(t, Ref):
            found[t] = None
        stack.extend(reversed(children(t)))
    return list(found)


def with_child(term: Scalar, k: int, new: Scalar) -> Scalar:
    """The term with its k-th child replaced."""
    match term:
        case Sum(pairs):
            return Sum((*pairs[:k], (pairs[k][0], new), *pairs[k + 1 :]))
        case Product(factors):
            return Product((*factors[:k], (factors[k][0], new), *factors[k + 1 :]))
        case Negative():
            return Negative(new)
        case Power(base, exponent):
            return Power(new, exponent) if k == 0 else Power(base, new)
        case Call(function, args):
            return Call(function, (*args[:k], new, *args[k + 1 :]))
        case Total(terms):
            return Total((*terms[:k], new, *terms[k + 1 :]))
        case Choice(a, r, b, x, y):
            four = [a, b, x, y]
            four[k] = new
            return Choice(four[0], r, four[1], four[2], four[3])
    raise TypeError(f"{type(term).__name__} has no children to replace")


Rewrite = Callable[[Scalar], Iterator[Scalar]]


LONGEST_SUM = 24  # terms that are looked at one by one


def in_one_place(term: Scalar, rewrite: Rewrite) -> Iterator[Scalar]:
    """Every term that comes of rewriting one part of this one; of a long sum, such as one over 200 samples, none."""
    yield from rewrite(term)
    if isinstance(term, Total) and len(term.terms) > LONGEST_SUM:
        return
    for k, child in enumerate(children(term)):
        for new in in_one_place(child, rewrite):
            yield with_child(term, k, new)


def everywhere(term: Scalar, rewrite: Callable[[Scalar], Scalar | None]) -> Scalar:
    """The term with every part rewritten that the rule has something for, from the outside in."""
    new = rewrite(term)
    if new is not None:
        return new
    for k, child in enumerate(children(term)):
        changed = everywhere(child, rewrite)
        if changed is not child:
            term = with_child(term, k, changed)
    return term
