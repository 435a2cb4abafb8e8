"""The closed table of primitives: value, one element as a scalar term, equation text, derivative rules.

A derivative rule has two halves, as in the lecture's chain rule: the local derivative (dp/dZ) and how the
gradient that arrives (dC/dp) is combined with it. Showing the chain in full means giving the local
derivative cells of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.errors import ShapeError
from simulator.tape import scalar
from simulator.tape.expression import Expression, Index, Shape, broadcast_shapes, indices, literal
from simulator.tape.scalar import Call, Choice, Number, Power, Scalar, total
from simulator.tape.simplify import simplified

Array = NDArray[np.float64]
Element = Callable[[Expression, Index], Scalar]
E = Expression


class Rule(NamedTuple):
    """d out / d arg: local(out) is the derivative itself, pull(g, local, arg) is dC/d arg from dC/d out."""

    local: Callable[[E], E]
    pull: Callable[[E, E, E], E]


@dataclass(frozen=True)
class Primitive:
    name: str
    value: Callable[..., Array]  # NumPy arrays in, NumPy array out
    element: Callable[[Element, E, Index], Scalar]  # (element of an argument, this node, index) -> term
    shape: Callable[..., Shape]  # shapes of the arguments -> shape of the result
    rules: tuple[Rule | None, ...]  # None: the argument only guards, no gradient flows to it
    text: str  # the equation, {0} and {1} standing for the arguments
    level: int  # binding strength of that text: 1 sum, 2 product, 3 minus, 4 power, 5 atom
    whole: bool = False  # its rules need the arriving gradient in the result's own shape


PRIMITIVES: dict[str, Primitive] = {}


def apply(name: str, *args: Expression, **params: Any) -> Expression:
    """The node that applies a primitive, after the few simplifications that a lecturer makes too."""
    node = simplified(name, args, params)
    if node is not None:
        return node
    p = PRIMITIVES[name]
    return Expression(p, args, p.shape(*(a.shape for a in args), **params), params)


def _elementwise(
    name: str, value: Callable[..., Array], term: Callable[..., Scalar], text: str, level: int, *rules: Rule | None
) -> None:
    def shape(*shapes: Shape) -> Shape:
        return shapes[0] if len(shapes) == 1 else broadcast_shapes(shapes[0], shapes[-1], f"'{name}'")

    def element(at: Element, node: E, index: Index) -> Scalar:
        return term(*(at(a, _broadcast_index(index, a.shape)) for a in node.args))

    PRIMITIVES[name] = Primitive(name, value, element, shape, rules, text, level)


def _broadcast_index(index: Index, shape: Shape) -> Index:
    index = index[len(index) - len(shape) :]
    return tuple(0 if n == 1 else i for i, n in zip(index, shape, strict=True))


def _times(g: E, local: E, arg: E) -> E:
    return reduced(g * local, arg.shape)


def reduced(g: E, shape: Shape) -> E:
    """The gradient summed over the axes along which an operand of this shape was broadcast."""
    if g.shape == shape or (g.is_constant and g.shape == ()):
        return g
    if shape == ():
        return g.sum()
    if len(g.shape) > len(shape):
        g = fold(g, len(shape))
    for axis, (n, had) in enumerate(zip(g.shape, shape, strict=True)):
        if had == 1 and n > 1:
            g = g.sum(axis)
    return g


def constant(value: float) -> Callable[[E], E]:
    return lambda out: literal(value)


def _power_slope(base: E, exponent: float) -> E:
    return exponent * base if exponent == 2 else exponent * base ** (exponent - 1)


def slope(local: Callable[[E], E]) -> Rule:
    """The rule of an elementwise function whose derivative is local(out)."""
    return Rule(local, _times)


# name         value             one element                                             equation         level
_elementwise("add", np.add, scalar.add, "{0} + {1}", 1, slope(constant(1)), slope(constant(1)))
_elementwise("subtract", np.subtract, scalar.subtract, "{0} - {1}", 1, slope(constant(1)), slope(constant(-1)))
_elementwise(
    "multiply",
    np.multiply,
    scalar.multiply,
    "{0} * {1}",
    2,
    slope(lambda out: out.args[1]),
    slope(lambda out: out.args[0]),
)
_elementwise(
    "divide",
    np.divide,
    scalar.divide,
    "{0} / {1}",
    2,
    slope(lambda out: 1 / out.args[1]),
    slope(lambda out: -out.args[0] / out.args[1] ** 2),
)
_elementwise("negative", np.negative, scalar.negate, "-{0}", 3, slope(constant(-1)))
_elementwise("copy", np.positive, lambda x: x, "{0}", 5, slope(constant(1)))
_elementwise(
    "power",
    np.power,
    Power,
    "{0}^{1}",
    4,
    slope(lambda out: _power_slope(out.args[0], out.args[1].value or 0.0)),
    None,  # the exponent is a literal
)
_elementwise("exp", np.exp, lambda x: Call("exp", (x,)), "exp({0})", 5, slope(lambda out: out))
_elementwise("log", np.log, lambda x: Call("log", (x,)), "log({0})", 5, slope(lambda out: 1 / out.args[0]))
_elementwise("tanh", np.tanh, lambda x: Call("tanh", (x,)), "tanh({0})", 5, slope(lambda out: 1 - out**2))
_elementwise(
    "sigmoid",
    lambda z: 1 / (1 + np.exp(-z)),
    lambda z: scalar.divide(Number(1), scalar.add(Number(1), Call("exp", (scalar.negate(z),)))),
    "sigmoid({0})",
    5,
    slope(lambda out: out * (1 - out)),
)

# A sum such as 0.1+0.2-0.3 leaves 5.6e-17 in some programs and 0 in others; below this a number counts as zero.
NOTHING = 1e-12


def _positive(z: Scalar, then: Scalar, otherwise: Scalar) -> Scalar:
    return Choice(z, ">", Number(NOTHING), then, otherwise)


def _step_rule(low: Callable[[E, E], E]) -> Rule:
    """The rule of a function with slope 1 above zero: the gradient g there, low(g, out) below."""
    return Rule(
        lambda out: out,
        lambda g, out, arg: apply("where", arg, literal(NOTHING, "0"), g, low(g, out), relation=">"),
    )


def _activation(
    name: str, value: Callable[..., Array], term: Callable[..., Scalar], text: str, low: Callable[[E, E], E]
) -> None:
    PRIMITIVES[name] = Primitive(
        name,
        value,
        lambda at, node, index: term(at(node.args[0], index), **{k: Number(v) for k, v in node.params.items()}),
        lambda z, **params: z,
        (_step_rule(low),),
        text,
        5,
        whole=True,
    )


_activation(
    "relu",
    lambda z: np.maximum(z, 0),
    lambda z: Call("max", (Number(0), z)),
    "max(0, {0})",
    lambda g, out: literal(0),
)
_activation(
    "leaky_relu",
    lambda z, slope: np.where(z > NOTHING, z, slope * z),
    lambda z, slope: _positive(z, z, scalar.multiply(slope, z)),
    "leaky_relu({0})",
    lambda g, out: g * literal(out.params["slope"]),
)
_activation(
    "elu",
    lambda z, alpha: np.where(z > NOTHING, z, alpha * (np.exp(np.minimum(z, 1)) - 1)),
    lambda z, alpha: _positive(z, z, scalar.multiply(alpha, scalar.subtract(Call("exp", (z,)), Number(1)))),
    "elu({0})",
    lambda g, out: g * (out + literal(out.params["alpha"])),
)


def _sign(x: Scalar) -> Scalar:
    below = Choice(x, "<", Number(-NOTHING), Number(-1), Number(0))
    return Choice(x, ">", Number(NOTHING), Number(1), below)


_elementwise("sign", lambda x: np.where(np.abs(x) > NOTHING, np.sign(x), 0.0), _sign, "sign({0})", 5, None)
_elementwise("abs", np.abs, lambda x: Call("abs", (x,)), "|{0}|", 5, slope(lambda out: apply("sign", out.args[0])))
_elementwise("sin", np.sin, lambda x: Call("sin", (x,)), "sin({0})", 5, slope(lambda out: apply("cos", out.args[0])))
_elementwise("cos", np.cos, lambda x: Call("cos", (x,)), "cos({0})", 5, slope(lambda out: -apply("sin", out.args[0])))
_elementwise("sqrt", np.sqrt, lambda x: Call("sqrt", (x,)), "sqrt({0})", 5, slope(lambda out: 0.5 / out))

# From here on 1-p has lost half of its digits or more; exp(-z) equals it to 1.3e-14.
# LibreOffice snaps a difference below 3.6e-15 to zero, which is reached at z = 33.3.
SATURATED = 32.0


def _complement(p: Scalar, z: Scalar) -> Scalar:
    near_one = Call("exp", (scalar.negate(z),))
    return Choice(z, ">", Number(SATURATED), near_one, scalar.subtract(Number(1), p))


_elementwise(
    "complement",  # of p = sigmoid(z): (p, z) -> 1 - p
    lambda p, z: np.where(z > SATURATED, np.exp(-np.maximum(z, SATURATED)), 1 - p),
    _complement,
    "1 - {0}",
    1,
    slope(constant(-1)),
    None,
)

# Below this probability the logarithm is taken from the logits, where exp(z) has not underflowed. Not smaller:
# IronCalc takes numbers that differ by less than 2.2e-16 for equal.
VANISHED = 1e-9


def _log_softmax(p: Scalar, z: Scalar, s: Scalar) -> Scalar:
    return Choice(p, ">", Number(VANISHED), Call("log", (p,)), scalar.subtract(z, Call("log", (s,))))


PRIMITIVES["log_softmax"] = Primitive(  # of p = exp(z)/s: (p, z, s) -> log p
    "log_softmax",
    lambda p, z, s: np.where(p > VANISHED, np.log(np.maximum(p, VANISHED)), z - np.log(s)),
    lambda at, node, index: _log_softmax(*(at(a, _broadcast_index(index, a.shape)) for a in node.args)),
    lambda p, z, s: p,
    (slope(lambda out: 1 / out.args[0]), None, None),
    "log({0})",
    5,
)


_elementwise("maximum", np.maximum, lambda x, y: Call("max", (x, y)), "max({0}, {1})", 5, None, None)
RELATIONS: dict[str, Callable[[Array, Array], Any]] = {"=": np.equal, "<": np.less, ">": np.greater}
PRIMITIVES["where"] = Primitive(  # (a, b, x, y) -> x where a relation b, else y
    "where",
    lambda a, b, x, y, relation: np.asarray(np.where(RELATIONS[relation](a, b), x, y)),
    lambda at, node, index: _choice(node, [at(a, _broadcast_index(index, a.shape)) for a in node.args]),
    lambda a, b, x, y, relation: broadcast_shapes(
        broadcast_shapes(a, b, "'where'"), broadcast_shapes(x, y, "'where'"), "'where'"
    ),
    (None, None, None, None),
    "where({0} {relation} {1}, {2}, {3})",
    5,
)


PRIMITIVES["one_hot"] = Primitive(  # class numbers from 0 -> 1 in the place of the class, 0 elsewhere
    "one_hot",
    lambda ids, classes: (ids[..., None] == np.arange(classes)).astype(float),
    lambda at, node, index: Choice(at(node.args[0], index[:-1]), "=", Number(float(index[-1])), Number(1), Number(0)),
    lambda ids, classes: (*ids, classes),
    (None,),
    "one_hot({0})",
    5,
)


def _choice(node: E, terms: list[Scalar]) -> Scalar:
    a, b, x, y = terms
    return Choice(a, node.params["relation"], b, x, y)


PRIMITIVES["stack"] = Primitive(  # scalars -> an array of them, row by row
    "stack",
    lambda *entries, shape: np.array(entries).reshape(shape),
    lambda at, node, index: at(node.args[list(indices(node.shape)).index(index)], ()),
    lambda *entries, shape: shape,
    (),
    "({0}, {1})",
    5,
)
PRIMITIVES["element"] = Primitive(
    "element",
    lambda a, index: a[index],
    lambda at, node, index: at(node.args[0], node.params["index"]),
    lambda a, index: (),
    (None,),
    "{0}",
    5,
)


def _matmul_shape(a: Shape, b: Shape, turned: bool = False) -> Shape:
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2] or (len(b) > 2 and a[:-2] != b[:-2]):
        raise ShapeError(
            f"A @ B needs as many columns in A as rows in B. Received: A {a}, B {b}. Check whether one is transposed."
        )
    return (*a[:-1], b[-1])


def _matmul_element(at: Element, node: E, index: Index) -> Scalar:
    a, b = node.args
    *lead, row, col = index
    stack = lead if len(b.shape) > 2 else ()
    return total(scalar.multiply(at(a, (*lead, row, k)), at(b, (*stack, k, col))) for k in range(a.shape[-1]))


LONGEST_SUM = 4  # products that are written out in one formula


def _transposed(out: E) -> E:
    """The second factor's transpose; with cells, shared by all that need it, where sums over its columns are long."""
    w = out.args[1]
    if not out.params.get("turned") or not w.name or w.shape[-1] <= LONGEST_SUM:
        return w.T
    if "_transposed" not in w.params:
        turned = apply("copy", w.T).named(f"{w.name}.T", f"{w.name} transposed", gradient=False, about=w)
        w.params["_transposed"] = turned
    found: E = w.params["_transposed"]
    return found


PRIMITIVES["matmul"] = Primitive(  # (..., n, k) with (k, m) or (..., k, m); turned: see namespace.weighted
    "matmul",
    lambda a, b, turned=False: np.matmul(a, b),
    _matmul_element,
    _matmul_shape,
    (
        Rule(_transposed, lambda g, local, arg: g @ local),
        Rule(lambda out: out.args[0], lambda g, local, arg: reduced(local.T @ g, arg.shape)),
    ),
    "{0} @ {1}",
    2,
    whole=True,
)
PRIMITIVES["transpose"] = Primitive(
    "transpose",
    lambda a: np.swapaxes(a, -1, -2),
    lambda at, node, index: at(node.args[0], (*index[:-2], index[-1], index[-2])),
    lambda a: (*a[:-2], a[-1], a[-2]),
    (Rule(constant(1), lambda g, local, arg: g.T),),
    "{0}.T",
    5,
)


def _sum_shape(a: Shape, axis: int | None, axes: int) -> Shape:
    return () if axis is None else tuple(1 if i == axes + axis else n for i, n in enumerate(a))


def _sum_element(at: Element, node: E, index: Index) -> Scalar:
    (arg,), axis = node.args, node.params["axis"]
    if axis is None:
        return total(at(arg, i) for i in indices(arg.shape))
    axis += len(arg.shape)
    return total(at(arg, (*index[:axis], k, *index[axis + 1 :])) for k in range(arg.shape[axis]))


PRIMITIVES["sum"] = Primitive(  # axis counts from the last one, -1
    "sum",
    lambda a, axis, axes: np.sum(a, axis=tuple(range(-axes, 0)) if axis is None else axis, keepdims=axis is not None),
    _sum_element,
    _sum_shape,
    (Rule(constant(1), lambda g, local, arg: g),),  # its consumers broadcast it
    "sum({0})",
    5,
)


def fold(x: E, axes: int) -> E:
    """The sum over all but the last axes."""
    return apply("fold", x, axes=axes, over=len(x.shape) - axes)


PRIMITIVES["fold"] = Primitive(
    "fold",
    lambda a, axes, over: a.sum(axis=tuple(range(-axes - over, -axes))),
    lambda at, node, index: total(
        at(node.args[0], (*lead, *index)) for lead in indices(node.args[0].shape[: -len(index)])
    ),
    lambda a, axes, over: a[-axes:],
    (Rule(constant(1), lambda g, local, arg: g),),
    "sum({0})",
    5,
)


def _argmax_element(at: Element, node: E, index: Index) -> Scalar:
    # A margin stands in for equality: engines compare to 15 digits, and classes tie on lines of symmetry.
    entries = [at(node.args[0], (k, *index[1:])) for k in range(node.args[0].shape[0])]
    bar = scalar.subtract(Call("max", tuple(entries)), Number(TIE))
    answer: Scalar = Number(float(len(entries) - 1))
    for k in reversed(range(len(entries) - 1)):
        answer = Choice(entries[k], ">", bar, Number(float(k)), answer)
    return answer


TIE = 1e-9
PRIMITIVES["argmax"] = Primitive(  # along axis 0, the first of those that tie
    "argmax",
    lambda a: np.argmax(a > a.max(axis=0) - TIE, axis=0, keepdims=True).astype(np.float64),
    _argmax_element,
    lambda a: (1, *a[1:]),
    (None,),
    "argmax({0})",
    5,
)
PRIMITIVES["broadcast"] = Primitive(
    "broadcast",
    np.broadcast_to,
    lambda at, node, index: at(node.args[0], _broadcast_index(index, node.args[0].shape)),
    lambda a, shape: shape,
    (Rule(constant(1), lambda g, local, arg: reduced(g, arg.shape)),),
    "{0}",
    5,
)
