"""Convolution and pooling: sums over patches, so that a patch and a kernel are ranges of cells.

# x (N, *S, C) samples, places, channels; k (*K, C, F) kernels; the result (N, *S', F). One or two axes of places.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from simulator.errors import ShapeError
from simulator.tape import scalar
from simulator.tape.arrangement import Positions, flat, positions_of, take, unflat
from simulator.tape.expression import Expression, Index, Shape, indices
from simulator.tape.primitive import PRIMITIVES, TIE, Array, Element, Primitive, Rule, apply
from simulator.tape.scalar import Call, Choice, Number, Scalar, total

E = Expression
Groups = list[list[tuple[int, int]]]  # pairs of entries to multiply, grouped by the rectangles that hold them
Places = tuple[int, ...]
NONE = -1  # in the place of an entry that a window lacks


def places_after(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """How many windows fit along an axis, and how many places of padding stand before it: TensorFlow's rule."""
    if padding == "same":
        count = -(-size // stride)
        return count, max((count - 1) * stride + window - size, 0) // 2
    return (size - window) // stride + 1, 0


def places_transposed(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """The same for a convolution the other way round: its places, and how many that are cut off stand before them."""
    if padding == "same":
        return size * stride, max(window - stride, 0) // 2
    return size * stride + max(window - stride, 0), 0


def _axes(places: Shape, windows: Shape, strides: Places, padding: str) -> tuple[Shape, Places]:
    pairs = [places_after(*each, padding) for each in zip(places, windows, strides, strict=True)]
    return tuple(n for n, _ in pairs), tuple(before for _, before in pairs)


def convolve(x: E, k: E, strides: Places, padding: str) -> E:
    """The sum of each patch times each kernel, as Keras's Conv1D and Conv2D without bias.

    Raises ShapeError when channels differ or the kernel is larger than what it slides over.
    """
    if x.shape[-1] != k.shape[-2]:
        raise ShapeError(f"A kernel needs the input's channels. Received: input {x.shape}, kernel {k.shape}.")
    out, before = _axes(x.shape[1:-1], k.shape[:-2], strides, padding)
    if min(out) < 1:
        raise ShapeError(
            f"A kernel must fit into its input. Received: input {x.shape}, kernel {k.shape}. "
            'Use a smaller kernel or padding="same".'
        )
    return apply("convolve", x, k, strides=strides, before=before, out=(x.shape[0], *out, k.shape[-1]))


def convolve_transposed(x: E, k: E, strides: Places, padding: str) -> E:
    """Every place of x adds a kernel (*K, F, C), as Keras's Conv2DTranspose without bias: `convolve` the other way
    round, which is a convolution of x spread out between zeros with the kernel turned by 180 degrees."""
    sizes = k.shape[:-2]
    found = [places_transposed(*each, padding) for each in zip(x.shape[1:-1], sizes, strides, strict=True)]
    wide = (x.shape[0], *(n + w - 1 for (n, _), w in zip(found, sizes, strict=True)), x.shape[-1])
    where = np.arange(math.prod(wide)).reshape(wide)[
        (
            slice(None),
            *(
                slice(w - 1 - cut, w - 1 - cut + (n - 1) * s + 1, s)
                for n, w, s, (_, cut) in zip(x.shape[1:-1], sizes, strides, found, strict=True)
            ),
        )
    ]
    spread = apply("put", x, positions=where, shape=wide, text="{0} spread out")
    back = positions_of(k)[(*[slice(None, None, -1)] * len(sizes),)]
    turned = take(k, np.swapaxes(back, -1, -2), "{0} turned by 180 degrees")
    return convolve(spread, turned, (1,) * len(sizes), "valid")


def contract(
    a: E, b: E, listed: Callable[[], Sequence[Groups]], value: Callable[[Array, Array], Array], shape: Shape, text: str
) -> E:
    """Sums of products: entry number o of the result adds a[i]*b[j] over the pairs (i, j) of listed()[o].

    value computes all of them; the pairs are listed when a formula is asked for.
    """
    return apply("contract", a, b, listed=cache(listed), value=value, out=shape, text=text)


def _hits(node: E) -> Iterator[tuple[Index, Index, Index]]:
    """Where a kernel's place meets an input's place: (place of the result, place of the input, place of the kernel)."""
    x, k = node.args
    strides, before = node.params["strides"], node.params["before"]
    for p in indices(node.shape[1:-1]):
        for u in indices(k.shape[:-2]):
            s = tuple(i * step + w - pad for i, step, w, pad in zip(p, strides, u, before, strict=True))
            if all(0 <= i < n for i, n in zip(s, x.shape[1:-1], strict=True)):
                yield p, s, u


def _forward(node: E) -> list[Groups]:
    cached: list[Groups] | None = node.params.get("_groups")
    if cached is None:
        x, k = node.args
        patches: dict[Index, list[tuple[Index, Index]]] = {}
        for p, s, u in _hits(node):
            patches.setdefault(p, []).append((s, u))
        cached = [
            _by_channel(
                patches[index[1:-1]],
                x.shape[-1],
                lambda s, c, n=index[0]: flat((n, *s, c), x.shape),  # type: ignore[misc]
                lambda u, c, f=index[-1]: flat((*u, c, f), k.shape),  # type: ignore[misc]
            )
            for index in indices(node.shape)
        ]
        node.params["_groups"] = cached
    return cached


def _by_channel(
    pairs: list[tuple[Index, Index]],
    channels: int,
    left: Callable[[Index, int], int],
    right: Callable[[Index, int], int],
) -> Groups:
    """One group per channel of an image, whose cells are one rectangle; channels of a sequence stand side by side."""
    if len(pairs[0][0]) == 1:
        return [[(left(s, c), right(u, c)) for s, u in pairs for c in range(channels)]]
    return [[(left(s, c), right(u, c)) for s, u in pairs] for c in range(channels)]


def _input_gradient(g: E, out: E, x: E) -> E:
    k = out.args[1]
    filters, unit = g.shape[-1], all(s == 1 for s in out.params["strides"])
    turned = math.prod(k.shape[:-2]) > 1 and unit
    if turned:  # so that ranges run the same way in the gradient and in the kernel
        back = positions_of(k)[(*[slice(None, None, -1)] * (len(k.shape) - 2),)]
        rotated = take(k, np.swapaxes(back, -1, -2), "{0} turned by 180 degrees")
        if k.name:
            rotated = rotated.named(f"{k.name} turned", f"{k.name} turned by 180 degrees", gradient=False, about=k)

    def opposite(u: Index) -> Index:
        return tuple(size - 1 - i for size, i in zip(k.shape, u, strict=False))

    def listed() -> list[Groups]:
        meets: dict[Index, list[tuple[Index, Index]]] = {}
        for p, s, u in _hits(out):
            meets.setdefault(s, []).append((p, u))
        groups: list[Groups] = []
        for index in indices(x.shape):
            n, s, c = index[0], index[1:-1], index[-1]

            def right(u: Index, f: int, c: int = c) -> int:
                return flat((*opposite(u), f, c), rotated.shape) if turned else flat((*u, c, f), k.shape)

            pairs = sorted(meets.get(s, []))
            groups.append(
                _by_channel(pairs, filters, lambda p, f, n=n: flat((n, *p, f), g.shape), right)  # type: ignore[misc]
                if pairs
                else []
            )
        return groups

    def value(g: Array, kernel: Array) -> Array:
        edges = _edges(x.shape, k.shape, **out.params)
        wide = np.zeros([n + before + after for n, (before, after) in zip(x.shape, edges, strict=True)])
        for u, seen in _looks(k.shape, **out.params):
            wide[seen] += g @ (kernel[opposite(u)] if turned else kernel[u].T)
        return wide[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, edges, strict=True))]

    return contract(g, rotated if turned else k, listed, value, x.shape, "full_convolution({0}, {1})")


def _kernel_gradient(g: E, out: E, k: E) -> E:
    x = out.args[0]

    def listed() -> list[Groups]:
        meets: dict[Index, list[tuple[Index, Index]]] = {}
        for p, s, u in _hits(out):
            meets.setdefault(u, []).append((p, s))
        groups: list[Groups] = []
        for index in indices(k.shape):
            u, c, f = index[:-2], index[-2], index[-1]
            groups.append(
                [
                    [(flat((n, *s, c), x.shape), flat((n, *p, f), g.shape)) for p, s in sorted(meets.get(u, []))]
                    for n in range(x.shape[0])
                ]
            )
        return groups

    def value(x: Array, g: Array) -> Array:
        padded, found = np.pad(x, _edges(x.shape, k.shape, **out.params)), np.empty(k.shape)
        for u, seen in _looks(k.shape, **out.params):
            found[u] = padded[seen].reshape(-1, x.shape[-1]).T @ g.reshape(-1, g.shape[-1])
        return found

    return contract(x, g, listed, value, k.shape, "sum of patches of {0} times {1}")


def _edges(x: Shape, k: Shape, strides: Places, before: Places, out: Shape, **_: object) -> list[tuple[int, int]]:
    """How many zeros stand before and after every axis of an input."""
    after = (
        max((n - 1) * s + w - size - b, 0)
        for n, s, w, size, b in zip(out[1:-1], strides, k, x[1:-1], before, strict=False)
    )
    return [(0, 0), *zip(before, after, strict=True), (0, 0)]


def _looks(k: Shape, strides: Places, out: Shape, **_: object) -> Iterator[tuple[Index, tuple[slice, ...]]]:
    """Every place of a kernel, and the part of the padded input that it meets, as large as the result."""
    for u in indices(k[:-2]):
        window = (slice(w, w + (n - 1) * s + 1, s) for w, n, s in zip(u, out[1:-1], strides, strict=True))
        yield u, (slice(None), *window)


def _contract_element(groups: Sequence[Groups], at: Element, node: E, index: Index) -> Scalar:
    a, b = node.args
    return total(
        total(scalar.multiply(at(a, unflat(i, a.shape)), at(b, unflat(j, b.shape))) for i, j in part)
        for part in groups[flat(index, node.shape)]
    )


def _convolve_value(x: Array, k: Array, strides: Places, before: Places, out: Shape, **_: object) -> Array:
    padded, result = np.pad(x, _edges(x.shape, k.shape, strides, before, out)), np.zeros(out)
    for u, seen in _looks(k.shape, strides, out):
        result += padded[seen] @ k[u]
    return result


PRIMITIVES["convolve"] = Primitive(
    "convolve",
    _convolve_value,
    lambda at, node, index: _contract_element(_forward(node), at, node, index),
    lambda x, k, strides, before, out: out,
    (Rule(lambda out: out, _input_gradient), Rule(lambda out: out, _kernel_gradient)),
    "convolve({0}, {1})",
    5,
    whole=True,
)
PRIMITIVES["contract"] = Primitive(  # made by derivatives only, so it has none
    "contract",
    lambda a, b, listed, value, out, text: value(a, b),
    lambda at, node, index: _contract_element(node.params["listed"](), at, node, index),
    lambda a, b, listed, value, out, text: out,
    (None, None),
    "{0}",
    5,
)

# Pooling: a window is a row of the entries that one entry of the result looks at, filled up with NONE.


def windows_of(x: Shape, size: Places, strides: Places, padding: str) -> tuple[Positions, Shape]:
    """The windows of every entry of a pooled array, a row each, and its shape (N, *S', C).

    Raises ShapeError when no window fits.
    """
    out, before = _axes(x[1:-1], size, strides, padding)
    if min(out) < 1:
        raise ShapeError(f'A pool must fit into its input. Received: input {x}, pool {size}. Use padding="same".')
    (samples, *places, channels), row = x, math.prod(size)
    windows = np.full((math.prod(out), row), NONE)
    for here, p in zip(windows, indices(out), strict=True):
        spans = [
            range(max(i * s - b, 0), min(i * s - b + w, limit))
            for i, s, b, w, limit in zip(p, strides, before, size, places, strict=True)
        ]
        found = [flat(place, tuple(places)) for place in itertools.product(*spans)]
        here[: len(found)] = found
    of_sample = np.arange(samples)[:, None, None, None] * math.prod(places)
    entries = (of_sample + windows[:, None]) * channels + np.arange(channels)[:, None]  # sample, place, channel, entry
    every = np.where(windows[:, None] == NONE, NONE, entries)
    return every.reshape(-1, row), (samples, *out, channels)


def window_mean(x: E, windows: Positions, shape: Shape) -> E:
    """The mean over every window."""
    return apply("window_mean", x, windows=windows, out=shape)


def window_max(x: E, windows: Positions, shape: Shape) -> E:
    """The largest entry of every window; its gradient goes to the first entry within 1e-9 of it."""
    return apply("window_max", x, windows=windows, out=shape)


def _entries(at: Element, node: E, index: Index) -> list[Scalar]:
    (x, *_) = node.args
    window: list[int] = node.params["windows"][flat(index, node.shape)].tolist()
    return [at(x, unflat(i, x.shape)) for i in window if i != NONE]


def _mean_element(at: Element, node: E, index: Index) -> Scalar:
    entries = _entries(at, node, index)
    return scalar.divide(total(entries), Number(float(len(entries))))


def _max_element(at: Element, node: E, index: Index) -> Scalar:
    entries = _entries(at, node, index)
    return Call("max", tuple(entries)) if len(entries) > 1 else entries[0]


def _users(node: E) -> dict[int, list[tuple[int, int]]]:
    """Which windows look at an entry: entry -> (window, place in the window, from 1)."""
    users: dict[int, list[tuple[int, int]]] = node.params.setdefault("_users", {})
    if not users:
        for o, window in enumerate(node.params["windows"].tolist()):
            for k, i in enumerate(window, 1):
                if i != NONE:
                    users.setdefault(i, []).append((o, k))
    return users


def _spread_element(at: Element, node: E, index: Index) -> Scalar:
    (g,), windows = node.args, node.params["windows"]
    return total(
        scalar.divide(at(g, unflat(o, g.shape)), Number(float((windows[o] != NONE).sum())))
        for o, _ in _users(node).get(flat(index, node.shape), ())
    )


def _seen(x: Array, windows: Positions, outside: float) -> Array:
    """The entries of every window, a row each, with a number for those that it lacks."""
    return np.where(windows == NONE, outside, x.ravel()[windows])


def _added(parts: Array, places: Positions, out: Shape) -> Array:
    """Numbers added up at their places; those at NONE are left out."""
    there = places != NONE
    return np.bincount(places[there], parts[there], math.prod(out)).astype(float).reshape(out)


def _spread_value(g: Array, windows: Positions, out: Shape, **_: object) -> Array:
    shares = g.ravel() / (windows != NONE).sum(axis=1)
    return _added(np.broadcast_to(shares[:, None], windows.shape), windows, out)


def _first_element(at: Element, node: E, index: Index) -> Scalar:
    entries = _entries(at, node, index)
    bar = scalar.subtract(at(node.args[1], index), Number(TIE))
    answer: Scalar = Number(float(len(entries)))
    for k in reversed(range(1, len(entries))):
        answer = Choice(entries[k - 1], ">", bar, Number(float(k)), answer)
    return answer


def _first_value(x: Array, largest: Array, windows: Positions, out: Shape) -> Array:
    bars = largest.ravel()[:, None] - TIE
    first: Positions = np.argmax(_seen(x, windows, -np.inf) > bars, axis=1) + 1
    return first.astype(float).reshape(out)


def _route_element(at: Element, node: E, index: Index) -> Scalar:
    g, first = node.args
    return total(
        Choice(at(first, unflat(o, g.shape)), "=", Number(float(k)), at(g, unflat(o, g.shape)), scalar.ZERO)
        for o, k in _users(node).get(flat(index, node.shape), ())
    )


def _route_value(g: Array, first: Array, windows: Positions, out: Shape, **_: object) -> Array:
    places = np.take_along_axis(windows, first.reshape(-1, 1).astype(np.int64) - 1, axis=1)
    return _added(g.ravel(), places[:, 0], out)


def _max_gradient(g: E, out: E, x: E) -> E:
    windows = out.params["windows"]
    first = apply("window_first", x, out, windows=windows, out=out.shape)
    if out.name:
        meaning = "which entry of the window is the largest, from 1"
        first = first.named(f"place of {out.name}", meaning, gradient=False, about=out)
    return apply("window_route", g, first, windows=windows, out=x.shape)


PRIMITIVES["window_mean"] = Primitive(
    "window_mean",
    lambda x, windows, out: (_seen(x, windows, 0).sum(axis=1) / (windows != NONE).sum(axis=1)).reshape(out),
    _mean_element,
    lambda x, windows, out: out,
    (
        Rule(
            lambda out: out,
            lambda g, out, x: apply("window_spread", g, windows=out.params["windows"], out=x.shape),
        ),
    ),
    "mean of each window of {0}",
    2,
    whole=True,
)
PRIMITIVES["window_max"] = Primitive(
    "window_max",
    lambda x, windows, out: _seen(x, windows, -np.inf).max(axis=1).reshape(out),
    _max_element,
    lambda x, windows, out: out,
    (Rule(lambda out: out, _max_gradient),),
    "max of each window of {0}",
    2,
    whole=True,
)
for _name, _value, _element, _text in (
    ("window_spread", _spread_value, _spread_element, "{0} / entries of its window"),
    ("window_first", _first_value, _first_element, "first place where {0} = {1}"),
    ("window_route", _route_value, _route_element, "{0} where the window's largest entry is"),
):
    PRIMITIVES[_name] = Primitive(_name, _value, _element, lambda *shapes, out, **_: out, (None, None), _text, 2)
