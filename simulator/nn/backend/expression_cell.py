"""Recurrent cells as expressions, unrolled over time, in Keras's gate order.

# N samples, T steps, D inputs, H units; x[t] (N, D), h[t] (N, H); W (D, .), U (H, .), b
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from simulator.nn.activation import ACTIVATIONS
from simulator.nn.backend.operation import Carried, Cell
from simulator.tape.arrangement import positions_of, take
from simulator.tape.expression import Expression
from simulator.tape.namespace import weighted

if TYPE_CHECKING:
    from simulator.nn.backend.expression import Expressions

E = Expression


def unrolled(at: Expressions, x: E, cell: Cell, carried: Carried | None = None) -> list[E]:
    """The states h[1], ..., h[T] of a cell. The first are zeros, or what the batch before has left in carried."""
    n, steps, _ = x.shape
    where = positions_of(x)
    kinds = {"h": "state"} | ({"c": "cell"} if cell.kind == "lstm" else {})
    firsts = [at.fixed(f"{k}_first", np.zeros((n, cell.units)), f"{kinds[k]} before step 1") for k in kinds]
    states = tuple(
        at.call(first, symbol, kinds[symbol], step=0, gradient=False)
        for symbol, first in zip(kinds, firsts, strict=True)
    )
    outputs = []
    for t in range(1, steps + 1):
        now = take(x, where[:, t - 1, :], f"{{0}}[{t}]")
        states = STEPS[cell.kind](at, cell, t, now, *states)
        outputs.append(states[0])
    if carried is not None:
        at.goes_on(carried, kinds, firsts, states)
    return outputs


def _part(x: E, units: int, k: int, width: int = 1) -> E:
    """The columns of gate k, counted from 0, or of several gates."""
    start, stop = k * units, (k + width) * units
    return take(x, positions_of(x)[:, start:stop], "{0}" + f"[:,{start + 1}:{stop}]")


def _rnn(at: Expressions, cell: Cell, t: int, x: E, h: E) -> tuple[E, ...]:
    """h[t] = activation(x[t] @ W + h[t-1] @ U + b)."""
    z = weighted(x, at.weights["kernel"]) + weighted(h, at.weights["recurrent_kernel"])
    z = at.call(z + at.weights["bias"] if cell.use_bias else z, "Z", "weighted sum", step=t)
    if cell.activation == "linear":
        return (at.call(z, "h", "state", step=t),)
    return (at.call(ACTIVATIONS[cell.activation](z), "h", "state", step=t),)


def _lstm(at: Expressions, cell: Cell, t: int, x: E, h: E, c: E) -> tuple[E, ...]:
    """Z[t] = x[t] @ W + h[t-1] @ U + b, in it the gates i, f, g, o; c[t] = f*c[t-1] + i*g, h[t] = o*act(c[t])."""
    gate, act = ACTIVATIONS[cell.recurrent_activation], ACTIVATIONS[cell.activation]
    z = weighted(x, at.weights["kernel"]) + weighted(h, at.weights["recurrent_kernel"])
    z = at.call(z + at.weights["bias"] if cell.use_bias else z, "Z", "weighted sums of i, f, g, o", step=t)
    i = at.call(gate(_part(z, cell.units, 0)), "i", "input gate", step=t)
    f = at.call(gate(_part(z, cell.units, 1)), "f", "forget gate", step=t)
    g = at.call(act(_part(z, cell.units, 2)), "g", "candidate", step=t)
    o = at.call(gate(_part(z, cell.units, 3)), "o", "output gate", step=t)
    c = at.call(f * c + i * g, "c", "cell", step=t)
    tc = at.call(act(c), "tc", f"{cell.activation} of the cell", step=t)
    return at.call(o * tc, "h", "state", step=t), c


def _gru(at: Expressions, cell: Cell, t: int, x: E, h: E, own: E | None = None) -> tuple[E, ...]:
    """z and r are gates of x[t] @ W + h[t-1] @ U + b, g the candidate, h[t] = z*h[t-1] + (1-z)*g.

    own is the part of h[t-1] that belongs to these units, where they aren't all.
    """
    gate, act = ACTIVATIONS[cell.recurrent_activation], ACTIVATIONS[cell.activation]
    u, units = at.weights["recurrent_kernel"], cell.units
    zx = weighted(x, at.weights["kernel"])
    zx = at.call(zx + at.weights["bias"] if cell.use_bias else zx, "Zx", "input's part of z, r, g", step=t)
    if cell.reset_after:
        zh = weighted(h, u)
        zh = zh + at.weights["recurrent_bias"] if cell.use_bias else zh
        zh = at.call(zh, "Zh", "state's part of z, r, g", step=t)
        gates = _part(zx, units, 0, 2) + _part(zh, units, 0, 2)
    else:
        gates = _part(zx, units, 0, 2) + h @ take(u, positions_of(u)[:, : 2 * units], "{0}[z,r]")
    s = at.call(gates, "S", "sums of z and r", step=t)
    z = at.call(gate(_part(s, units, 0)), "z", "update gate", step=t)
    r = at.call(gate(_part(s, units, 1)), "r", "reset gate", step=t)
    if cell.reset_after:
        k = _part(zx, units, 2) + r * _part(zh, units, 2)
    else:
        rh = at.call(r * h, "rh", "state after reset", step=t)
        k = _part(zx, units, 2) + rh @ take(u, positions_of(u)[:, 2 * units :], "{0}[g]")
    k = at.call(k, "k", "sum of the candidate", step=t)
    g = at.call(act(k), "g", "candidate", step=t)
    return (at.call(z * (h if own is None else own) + (1 - z) * g, "h", "state", step=t),)


STEPS: dict[str, Callable[..., tuple[E, ...]]] = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}
