"""Entries taken, put back and joined: reshaping, slicing, steps of a sequence.

Rearranging has no arithmetic, so none of this has cells of its own: a formula refers to the entry itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import ShapeError
from simulator.tape.expression import Expression, Index, Shape
from simulator.tape.primitive import PRIMITIVES, Array, Element, Primitive, Rule, apply
from simulator.tape.scalar import ZERO, Scalar, total

E = Expression
Positions = NDArray[np.int64]


def flat(index: Index, shape: Shape) -> int:
    """The number of an entry, counted row by row."""
    position = 0
    for i, n in zip(index, shape, strict=True):
        position = position * n + i
    return position


def unflat(position: int, shape: Shape) -> Index:
    index = []
    for n in reversed(shape):
        position, i = divmod(position, n)
        index.append(i)
    return tuple(reversed(index))


def positions_of(x: E) -> Positions:
    """The numbers of all entries, in the array's shape: slice or reshape them, and `take` the result."""
    return np.arange(math.prod(x.shape)).reshape(x.shape)


def take(x: E, positions: Positions, text: str) -> E:
    """The entries of x at these positions, in the shape of positions; text is the equation, {0} standing for x."""
    mine = positions.copy()  # a slice would keep all of the array that it was cut from
    return apply("take", x, positions=mine, shape=x.shape, text=text)


def reshaped(x: E, shape: Shape, text: str = "{0}") -> E:
    """The same entries, row by row, in another shape. Raises ShapeError when their number differs."""
    if math.prod(shape) != math.prod(x.shape):
        raise ShapeError(f"A reshape keeps the number of entries. Received: {x.shape} to {shape}. Check the product.")
    return take(x, positions_of(x).reshape(shape), text)


def join(parts: Sequence[E], axis: int, text: str = "") -> E:
    """Arrays one after the other along an axis that exists."""
    seen = set[int]()
    parts = list(parts)
    for k, part in enumerate(parts):  # a gradient finds its window by the array, so one that repeats is copied
        parts[k] = apply("copy", part) if part.serial in seen else part
        seen.add(part.serial)
    return apply("join", *parts, axis=axis, text=text or "[" + ", ".join(f"{{{i}}}" for i in range(len(parts))) + "]")


def _lead(a: Array, shape: Shape) -> Array:
    """The array with its own axes made one; axes before them count runs."""
    return a.reshape(*a.shape[: a.ndim - len(shape)], -1)


def _put_text(out: E) -> str:
    """x[1:2] is taken from x; its gradient is put at [1:2]."""
    suffix = str(out.params["text"]).removeprefix("{0}")
    return "({0}) at " + suffix if suffix.startswith("[") else "{0}"


def _put_value(g: Array, positions: Positions, shape: Shape, text: str) -> Array:
    g = _lead(g, positions.shape)
    out = np.zeros((*g.shape[:-1], math.prod(shape)))
    places: Any = (..., positions.ravel())
    np.add.at(out, places, g)
    return out.reshape(*g.shape[:-1], *shape)


def _put_element(at: Element, node: E, index: Index) -> Scalar:
    sources: dict[int, list[int]] = node.params.setdefault("_sources", {})
    if not sources:
        for k, p in enumerate(node.params["positions"].ravel().tolist()):
            sources.setdefault(p, []).append(k)
    (g,) = node.args
    return total(at(g, unflat(k, g.shape)) for k in sources.get(flat(index, node.shape), ()))


PRIMITIVES["take"] = Primitive(
    "take",
    lambda a, positions, shape, text: _lead(a, shape)[..., positions],
    lambda at, node, index: at(node.args[0], unflat(int(node.params["positions"][index]), node.args[0].shape)),
    lambda a, positions, shape, text: positions.shape,
    (
        Rule(
            lambda out: out,
            lambda g, out, arg: apply(
                "put", g, positions=out.params["positions"], shape=arg.shape, text=_put_text(out)
            ),
        ),
    ),
    "{0}",
    5,
    whole=True,
)
PRIMITIVES["put"] = Primitive(  # zeros, with the entries of g added at these positions
    "put",
    lambda g, positions, shape, text, **_: _put_value(g, positions, shape, text),
    _put_element,
    lambda g, positions, shape, text: shape,
    (Rule(lambda out: out, lambda g, out, arg: take(g, out.params["positions"], "{0}")),),
    "{0}",
    5,
)


def _join_shape(*parts: Shape, axis: int, text: str) -> Shape:
    rest = {p[:axis] + p[axis + 1 :] for p in parts}
    if len(rest) != 1:
        raise ShapeError(
            f"Joined arrays need the same shape but for axis {axis}. Received: {', '.join(map(str, parts))}."
        )
    return (*parts[0][:axis], sum(p[axis] for p in parts), *parts[0][axis + 1 :])


def _join_element(at: Element, node: E, index: Index) -> Scalar:
    axis = node.params["axis"]
    k = index[axis]
    for part in node.args:
        if k < part.shape[axis]:
            return at(part, (*index[:axis], k, *index[axis + 1 :]))
        k -= part.shape[axis]
    return ZERO


def _join_gradient(g: E, out: E, arg: E) -> E:
    axis, which = out.params["axis"], next(i for i, part in enumerate(out.args) if part is arg)
    start = sum(p.shape[axis] for p in out.args[:which])
    window: Any = (*[slice(None)] * axis, slice(start, start + arg.shape[axis]))
    return take(g, positions_of(g)[window], f"{{0}}[{start + 1}:{start + arg.shape[axis]}]")


PRIMITIVES["join"] = Primitive(
    "join",
    lambda *parts, axis, text: np.concatenate(parts, axis=axis),
    _join_element,
    _join_shape,
    (Rule(lambda out: out, _join_gradient),),  # one rule for all arguments
    "{0}",
    5,
    whole=True,
)
