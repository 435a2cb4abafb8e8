"""The words that an equation may use, beside the operators of `Expression`.

>>> from simulator.tape.expression import given
>>> X, W, b = given("X", (4, 2)), given("W", (2, 1)), given("b", (1, 1))
>>> p = sigmoid((X @ W + b).named("Z")).named("p")
>>> p
<p (4, 1)>
"""

from __future__ import annotations

from simulator.errors import ShapeError
from simulator.tape.expression import Contribution, Expression, literal
from simulator.tape.primitive import apply

E = Expression


def exp(x: E) -> E:
    return apply("exp", x)


def log(x: E) -> E:
    """The natural logarithm."""
    return apply("log", x)


def tanh(x: E) -> E:
    return apply("tanh", x)


def sigmoid(x: E) -> E:
    """1/(1 + exp(-x)), in (0, 1); finite for |x| up to 700."""
    return apply("sigmoid", x)


def complement(p: E) -> E:
    """1 - p of a sigmoid p, kept above zero where p has been rounded to 1.

    Raises ShapeError when p is not the result of `sigmoid`.
    """
    if p.primitive is None or p.primitive.name != "sigmoid":
        raise ShapeError(f"complement needs the result of sigmoid. Received: {p!r}. Write 1 - p instead.")
    return apply("complement", p, p.args[0])


def relu(x: E) -> E:
    """x where it is positive, otherwise 0; the slope is 1 where x > 1e-12."""
    return apply("relu", x)


def leaky_relu(x: E, slope: float = 0.2) -> E:
    """x where it is positive, otherwise slope*x."""
    return apply("leaky_relu", x, slope=slope)


def elu(x: E, alpha: float = 1.0) -> E:
    """x where it is positive, otherwise alpha*(exp(x) - 1)."""
    return apply("elu", x, alpha=alpha)


def absolute(x: E) -> E:
    """|x|; its slope is the sign of x, 0 where |x| < 1e-12."""
    return apply("abs", x)


def sin(x: E) -> E:
    return apply("sin", x)


def sqrt(x: E) -> E:
    return apply("sqrt", x)


def weighted(x: E, w: E) -> E:
    """x @ w, whose gradient with respect to x gives w.T cells where its sums are long.

    A sheet holds w with a row per unit, so that x @ w runs along rows; d(x @ w)/dx runs along the rows of w.T.
    """
    return apply("matmul", x, w, turned=True)


def one_hot(ids: E, classes: int) -> E:
    """1 in the place of each class number, counted from 0, and 0 elsewhere; an axis longer than ids."""
    return apply("one_hot", ids, classes=classes)


def maximum(x: E, low: float) -> E:
    """x, or low where x is smaller; for forward passes only, since it has no derivative here."""
    return apply("maximum", x, literal(low))


def where(a: E, relation: str, b: E, x: E, y: E) -> E:
    """x where a relation b holds, otherwise y; the relation is "=", "<" or ">"."""
    return apply("where", a, b, x, y, relation=relation)


def element(x: E, index: tuple[int, ...]) -> E:
    """One entry of an array."""
    return apply("element", x, index=index)


def argmax(x: E) -> E:
    """The row of the largest entry of every column, counted from 0; the first one when two tie within 1e-9."""
    return apply("argmax", x)


def mean(x: E, over: int, symbol: str = "m") -> E:
    """The sum of all entries divided by the number of samples."""
    return x.sum() / literal(over, symbol)


def softmax(z: E, axis: int, names: tuple[str, str] = ("", "")) -> E:
    """exp(z)/sum(exp(z)) along an axis; the two names give the exponentials and their sums cells."""
    e = exp(z)
    if names[0]:
        e = e.named(names[0], "exponential", gradient=False)
    s = e.sum(axis)
    if names[1]:
        s = s.named(names[1], "sum over the classes", gradient=False)
    p = e / s
    p.softmax_of = (z, s)

    def to_logits(g: E) -> list[Contribution]:
        dot = (g * p).sum(axis)
        if p.name:
            meaning = f"d{p.name} times {p.name}, summed along the row"
            dot = dot.named(f"d{p.name}.{p.name}", meaning, gradient=False, about=p)
        return [(z, p * (g - dot))]

    p.shortcut = to_logits
    return p


def categorical_crossentropy(y: E, p: E, name: str = "") -> E:
    """-y log p, entry by entry. y is one-hot; p comes from `softmax`; a name gives log p cells.

    With a constant gradient g its derivative goes straight to the logits: g*(p - y), which holds because
    every column of y sums to 1.
    """
    if p.softmax_of is None:
        raise ShapeError(f"categorical_crossentropy needs the result of softmax. Received: {p!r}.")
    z, s = p.softmax_of
    log_p = apply("log_softmax", p, z, s)
    if name:
        log_p = log_p.named(name, "logarithm of the prediction", gradient=False)
    loss = -y * log_p

    def straight_to_logits(g: E) -> list[Contribution]:
        return [(z, g * (p - y))]

    loss.shortcut = straight_to_logits
    return loss


def binary_crossentropy(y: E, p: E) -> E:
    """-(y log p + (1-y) log(1-p)), entry by entry. y is 0 or 1; p comes from `sigmoid`, and g*(p - y) is dC/dz."""
    loss = -(y * log(p) + (1 - y) * log(complement(p)))  # complement has checked where p comes from
    z = p.args[0]

    def straight_to_logits(g: E) -> list[Contribution]:
        return [(z, g * (p - y))]

    loss.shortcut = straight_to_logits
    return loss
