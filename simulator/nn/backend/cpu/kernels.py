"""What Numba compiles, where the extra `fast` has brought it: a step's work in one pass over its numbers.

Each function is what NumPy's calls elsewhere in this package do, and its tests hold one against the other. NaN goes
through as it does there.

# H units, n samples of the plan; arrays are float32 and contiguous
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from simulator.nn.backend.cpu.activation import TANH_IS_FAST
from simulator.nn.backend.cpu.plan import AnyArray

F = TypeVar("F", bound=Callable[..., Any])
HALF, ONE, LARGEST = np.float32(0.5), np.float32(1), np.float32(7.90531110763549805)
# With all of fastmath a NaN may be lost; without "contract" and "reassoc" sums aren't vectorised.
# Tiles of a product: the sums of a wide one and of one of half its columns fill eight registers, 512 bits long or 256
ROWS, WIDE, NARROW = 4, 32 if TANH_IS_FAST else 16, 8
HALF_WIDE = WIDE // 2
LOOSE = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: F) -> F:
    """Compiled at the first call, kept on disk for later ones, free of the interpreter's lock while it runs."""
    return cast(F, numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=LOOSE)(function))


def inlined(function: F) -> F:
    """A part of what is compiled."""
    return cast(F, numba.njit(inline="always", error_model="numpy", fastmath=LOOSE)(function))


def also_inlined(function: F) -> tuple[F, F]:
    """A function of its own, and the same as a part of others.

    A call would be compiled one way while the other function is in memory and another way while it is in the cache: two
    runs would differ in their last digits.
    """
    return compiled(function), inlined(function)


@inlined
def tanh(x: Any) -> Any:
    """A quotient of polynomials, 4e-7 from tanh at most; a third of the time of NumPy's. Source: Eigen."""
    x = LARGEST if x > LARGEST else x
    x = -LARGEST if x < -LARGEST else x
    y = x * x
    p = y * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
    p = p * y + np.float32(-8.60467152213735e-11)
    p = p * y + np.float32(5.12229709037114e-08)
    p = p * y + np.float32(1.48572235717979e-05)
    p = p * y + np.float32(6.37261928875436e-04)
    p = p * y + np.float32(4.89352455891786e-03)
    q = y * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
    q = q * y + np.float32(2.26843463243900e-03)
    q = q * y + np.float32(4.89352518554385e-03)
    return x * p / q


def tile_of(height: int, columns: int) -> Any:
    """What computes height x columns numbers of m x into out, from a row and a column on, all sums in registers.

    In LLVM's words: of loops over arrays that may overlap it makes code of a third to a half of the speed.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(t)(context, builder, a) for t, a in zip(signature.args[:3], arguments, strict=False)
        ]
        depth, samples, width = (builder.extract_value(array.shape, 1) for array in arrays)
        first, left = arguments[3:]
        vector, number = ir.VectorType(ir.FloatType(), columns), first.type

        def at(array: int, i: Any, length: Any, j: Any) -> Any:
            return builder.gep(arrays[array].data, [builder.add(builder.mul(i, length), j)])

        def as_vector(address: Any) -> Any:
            return builder.bitcast(address, vector.as_pointer())

        rows = [builder.add(first, number(i)) for i in range(height)]
        before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.branch(loop)
        builder.position_at_end(loop)
        k, *sums = values = [builder.phi(t) for t in (number, *[vector] * height)]
        numbers = builder.load(as_vector(at(1, k, samples, left)), align=4)
        empty, everywhere = vector(ir.Undefined), ir.VectorType(ir.IntType(32), columns)([0] * columns)
        nexts = [builder.add(k, number(1))]
        for i, total in zip(rows, sums, strict=True):
            factor = builder.insert_element(empty, builder.load(at(0, i, depth, k)), number(0))
            part = builder.fmul(builder.shuffle_vector(factor, empty, everywhere), numbers, flags=["contract"])
            nexts.append(builder.fadd(total, part, flags=["contract"]))
        for value, later in zip(values, nexts, strict=True):
            value.add_incoming(number(0) if value is k else vector([0.0] * columns), before)
            value.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed("<", nexts[0], depth), loop, after)
        builder.position_at_end(after)
        for i, total in zip(rows, nexts[1:], strict=True):
            builder.store(total, as_vector(at(2, i, width, left)), align=4)
        return context.get_dummy_value()

    def tile(typing: Any, m: Any, x: Any, out: Any, row: Any, column: Any) -> Any:
        return types.void(m, x, out, types.intp, types.intp), generate

    return intrinsic(tile)


wide, tall, narrow = tile_of(ROWS, WIDE), tile_of(2 * ROWS, HALF_WIDE), tile_of(ROWS, NARROW)
single = tile_of(ROWS, 1)


@compiled
def product(m: AnyArray, x: AnyArray, out: AnyArray) -> None:
    """m (R, K) x (K, n), R a multiple of ROWS, without a call for every step, which two threads would wait for.

    As fast as OpenBLAS for 64 x 31 and 16 x 64 numbers and 128 samples, 1.6 times as fast for 1024 x 285 and 16.
    """
    rows, samples = len(m), x.shape[1]
    j = samples // WIDE * WIDE
    for r in range(0, rows, ROWS):
        for k in range(0, j, WIDE):
            wide(m, x, out, r, k)
    if samples - j >= HALF_WIDE:
        for r in range(0, rows - ROWS, 2 * ROWS):
            tall(m, x, out, r, j)
        _rest(m, x, out, rows // (2 * ROWS) * 2 * ROWS, j, j + HALF_WIDE)
        j += HALF_WIDE
    _rest(m, x, out, 0, j, samples)


@inlined
def _rest(m: AnyArray, x: AnyArray, out: AnyArray, first: int, left: int, right: int) -> None:
    """From a row on, the columns from left to right; those before may be computed once more."""
    for r in range(first, len(m), ROWS):
        for j in range(left, right, NARROW):
            if right >= NARROW:
                narrow(m, x, out, r, min(j, right - NARROW))
            else:
                for k in range(j, right):
                    single(m, x, out, r, k)


def _lstm_step(s: AnyArray, before: AnyArray, c: AnyArray, h: AnyArray, d: AnyArray, slope: AnyArray) -> None:
    """One step of an LSTM from its sums s (4H, n): half those of o, i, f, then that of g.

    Afterwards s has o, i, f, g; c and h the new states; d (4H, n) what d c, or d h for o, is to each sum; slope what
    d h is to d c.
    """
    size = c.size
    flat, to = s.reshape(-1), d.reshape(-1)
    o, i, f, g = flat[:size], flat[size : 2 * size], flat[2 * size : 3 * size], flat[3 * size :]
    to_o, to_i, to_f, to_g = to[:size], to[size : 2 * size], to[2 * size : 3 * size], to[3 * size :]
    old, new, state, dc = before.reshape(-1), c.reshape(-1), h.reshape(-1), slope.reshape(-1)
    for k in range(size):
        out, into = HALF * tanh(o[k]) + HALF, HALF * tanh(i[k]) + HALF
        keep, what = HALF * tanh(f[k]) + HALF, tanh(g[k])
        cell = keep * old[k] + into * what
        shown = tanh(cell)
        o[k], i[k], f[k], g[k] = out, into, keep, what
        new[k], state[k] = cell, out * shown
        to_o[k] = out * (ONE - out) * shown
        to_i[k] = into * (ONE - into) * what
        to_f[k] = keep * (ONE - keep) * old[k]
        to_g[k] = into * (ONE - what * what)
        dc[k] = out * (ONE - shown * shown)


lstm_step, lstm_step_here = also_inlined(_lstm_step)


def _lstm_step_back(dh: AnyArray, dc: AnyArray, d: AnyArray, slope: AnyArray, f: AnyArray) -> None:
    """From the gradients of the states after a step: d becomes those of its sums, dc that of the cell before it."""
    size = dc.size
    arrived, cell, to = dh.reshape(-1), dc.reshape(-1), d.reshape(-1)
    to_o, to_i, to_f, to_g = to[:size], to[size : 2 * size], to[2 * size : 3 * size], to[3 * size :]
    by, keep = slope.reshape(-1), f.reshape(-1)
    for k in range(size):
        e = arrived[k]
        total = cell[k] + e * by[k]
        to_o[k] *= e
        to_i[k] *= total
        to_f[k] *= total
        to_g[k] *= total
        cell[k] = total * keep[k]


lstm_step_back, lstm_step_back_here = also_inlined(_lstm_step_back)


@compiled
def lstm_steps(m: AnyArray, z: AnyArray, s: AnyArray, cells: AnyArray, d: AnyArray, slopes: AnyArray) -> None:
    """All steps: sums m z[t], then `lstm_step`, whose h is the first rows of z[t + 1]."""
    units = cells.shape[1]
    for t in range(len(s)):
        product(m, z[t], s[t])
        lstm_step_here(s[t], cells[t], cells[t + 1], z[t + 1, :units], d[t], slopes[t])


@compiled
def lstm_steps_back(
    u: AnyArray, dy: AnyArray, dh: AnyArray, dc: AnyArray, s: AnyArray, d: AnyArray, slopes: AnyArray
) -> None:
    """All steps back. dy are the gradients that come from above to the last len(dy) steps; dh and dc begin with 0."""
    units, steps = dc.shape[0], len(s)
    first = steps - len(dy)
    for t in range(steps - 1, -1, -1):
        if t >= first:
            dh += dy[t - first]
        lstm_step_back_here(dh, dc, d[t], slopes[t], s[t, 2 * units : 3 * units])
        if t > 0:
            product(u, d[t], dh)


@compiled
def rnn_steps(m: AnyArray, z: AnyArray, d: AnyArray) -> None:
    """All steps of h = tanh(m z[t]), which is the first rows of z[t + 1]; d gets what d h is to each sum."""
    steps, units = d.shape[:2]
    for t in range(steps):
        state = z[t + 1, :units]
        product(m, z[t], state)
        flat, to = state.reshape(-1), d[t].reshape(-1)
        for k in range(flat.size):
            flat[k] = tanh(flat[k])
            to[k] = ONE - flat[k] * flat[k]


@compiled
def rnn_steps_back(u: AnyArray, dy: AnyArray, dh: AnyArray, d: AnyArray) -> None:
    """All steps back; see `lstm_steps_back`."""
    first = len(d) - len(dy)
    for t in range(len(d) - 1, -1, -1):
        if t >= first:
            dh += dy[t - first]
        arrived, to = dh.reshape(-1), d[t].reshape(-1)
        for k in range(to.size):
            to[k] *= arrived[k]
        if t > 0:
            product(u, d[t], dh)


def _gru_step(s: AnyArray, g: AnyArray, before: AnyArray, h: AnyArray, d: AnyArray, direct: AnyArray) -> None:
    """One step of a GRU that resets after the product, from its sums s (3H, n): half those of z and r, then the state's
    part of the candidate; g is the input's part.

    Afterwards s has z and r, g the candidate, h the new state; d (3H, n) what d h is to each sum, direct to the
    input's part.
    """
    size = g.size
    flat, to = s.reshape(-1), d.reshape(-1)
    z, r, inner = flat[:size], flat[size : 2 * size], flat[2 * size :]
    to_z, to_r, to_inner = to[:size], to[size : 2 * size], to[2 * size :]
    old, new, candidate, to_input = before.reshape(-1), h.reshape(-1), g.reshape(-1), direct.reshape(-1)
    for k in range(size):
        keep, reset = HALF * tanh(z[k]) + HALF, HALF * tanh(r[k]) + HALF
        what = tanh(candidate[k] + reset * inner[k])
        slope = (ONE - what * what) * (ONE - keep)
        z[k], r[k], candidate[k] = keep, reset, what
        new[k] = what + keep * (old[k] - what)
        to_z[k] = keep * (ONE - keep) * (old[k] - what)
        to_r[k] = reset * (ONE - reset) * slope * inner[k]
        to_inner[k] = slope * reset
        to_input[k] = slope


gru_step, gru_step_here = also_inlined(_gru_step)


def _gru_step_back(dh: AnyArray, z: AnyArray, d: AnyArray, direct: AnyArray) -> None:
    """From the gradient of the state after a step: d and direct become those of its sums, dh its way past them."""
    size = dh.size
    arrived, keep, to, to_input = dh.reshape(-1), z.reshape(-1), d.reshape(-1), direct.reshape(-1)
    to_z, to_r, to_inner = to[:size], to[size : 2 * size], to[2 * size :]
    for k in range(size):
        e = arrived[k]
        to_z[k] *= e
        to_r[k] *= e
        to_inner[k] *= e
        to_input[k] *= e
        arrived[k] = e * keep[k]


gru_step_back, gru_step_back_here = also_inlined(_gru_step_back)


@compiled
def gru_steps(m: AnyArray, z: AnyArray, s: AnyArray, g: AnyArray, d: AnyArray, direct: AnyArray) -> None:
    """All steps: sums m z[t], then `gru_step`, whose h is the first rows of z[t + 1]."""
    units = g.shape[1]
    for t in range(len(s)):
        product(m, z[t], s[t])
        gru_step_here(s[t], g[t], z[t, :units], z[t + 1, :units], d[t], direct[t])


@compiled
def gru_steps_back(
    u: AnyArray, dy: AnyArray, dh: AnyArray, part: AnyArray, s: AnyArray, d: AnyArray, direct: AnyArray
) -> None:
    """All steps back; see `lstm_steps_back`. part is a buffer like dh."""
    units, steps = dh.shape[0], len(s)
    first = steps - len(dy)
    for t in range(steps - 1, -1, -1):
        if t >= first:
            dh += dy[t - first]
        gru_step_back_here(dh, s[t, :units], d[t], direct[t])
        if t > 0:
            product(u, d[t], part)
            dh += part


@compiled
def pool(x: AnyArray, b: AnyArray, y: AnyArray, place: AnyArray) -> None:
    """y = max(0, b + the largest of every 2 x 2 places); place says which it was, row by row, or 4 for none.

    x (C, H, W, n), b (C,), y and place (C, H//2, W//2, n).
    """
    channels, height, width, samples = y.shape
    zero = np.float32(0)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                p, q = x[c, 2 * i, 2 * j], x[c, 2 * i, 2 * j + 1]
                r, s = x[c, 2 * i + 1, 2 * j], x[c, 2 * i + 1, 2 * j + 1]
                out, at = y[c, i, j], place[c, i, j]
                for k in range(samples):  # chosen, not branched: so it is vectorised; a NaN is larger than all
                    top, which, other = p[k], np.uint8(0), q[k]
                    less = not (top >= other) and top == top
                    top, which = (other if less else top), (np.uint8(1) if less else which)
                    other = r[k]
                    less = not (top >= other) and top == top
                    top, which = (other if less else top), (np.uint8(2) if less else which)
                    other = s[k]
                    less = not (top >= other) and top == top
                    top, which = (other if less else top) + b[c], (np.uint8(3) if less else which)
                    none = top <= zero
                    out[k], at[k] = (zero if none else top), (np.uint8(4) if none else which)


@compiled
def pool_back(dy: AnyArray, place: AnyArray, dx: AnyArray, db: AnyArray) -> None:
    """The way back of `pool`; dx beyond the windows becomes 0."""
    channels, height, width, samples = place.shape
    one, zero = np.float32(1), np.float32(0)
    for c in range(channels):
        total = zero
        for i in range(height):
            for j in range(width):
                d, at = dy[c, i, j], place[c, i, j]
                for which in range(4):  # one after the other: all at once it isn't vectorised, ten times as slow
                    part = dx[c, 2 * i + which // 2, 2 * j + which % 2]
                    for k in range(samples):
                        part[k] = d[k] * (one if at[k] == which else zero)
                for k in range(samples):
                    total += d[k] * (one if at[k] < 4 else zero)
        db[c] = total
        dx[c, 2 * height :] = 0
        dx[c, :, 2 * width :] = 0


@compiled
def add_patches(parts: AnyArray, x: AnyArray, row: int, strides: Any) -> None:
    """Add to every number of x, from a row on, those that were copied from it.

    x (C, H, W, n) with its padding, parts (kh, kw, C, rows, W', n); strides is a pair.
    """
    kh, kw, channels, rows, width, samples = parts.shape
    for c in range(channels):
        for r in range(rows):
            for i in range(kh):
                for j in range(kw):
                    for o in range(width):
                        to, d = x[c, (row + r) * strides[0] + i, o * strides[1] + j], parts[i, j, c, r, o]
                        for k in range(samples):
                            to[k] += d[k]


@compiled
def mean(x: AnyArray, share: AnyArray, y: AnyArray, size: Any, strides: Any) -> None:
    """The sum of every window times its share. x (C, H, W, n), share (H', W'), y (C, H', W', n)."""
    channels, height, width, samples = y.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                out = y[c, i, j]
                out[:] = np.float32(0)
                for a in range(size[0]):
                    for b in range(size[1]):
                        other = x[c, i * strides[0] + a, j * strides[1] + b]
                        for k in range(samples):
                            out[k] += other[k]
                for k in range(samples):
                    out[k] *= share[i, j]


@compiled
def mean_back(dy: AnyArray, share: AnyArray, dx: AnyArray, size: Any, strides: Any) -> None:
    """To every number of a window is added its share of what comes to y."""
    channels, height, width, samples = dy.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                d = dy[c, i, j]
                for a in range(size[0]):
                    for b in range(size[1]):
                        to = dx[c, i * strides[0] + a, j * strides[1] + b]
                        for k in range(samples):
                            to[k] += d[k] * share[i, j]


@compiled
def largest(x: AnyArray, y: AnyArray, size: Any, strides: Any) -> None:
    """The largest of every window. x (C, H, W, n) with its padding, y (C, H', W', n); size and strides are pairs."""
    channels, height, width, samples = y.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                out = y[c, i, j]
                out[:] = x[c, i * strides[0], j * strides[1]]
                for a in range(size[0]):
                    for b in range(size[1]):
                        other = x[c, i * strides[0] + a, j * strides[1] + b]
                        for k in range(samples):
                            less = not (out[k] >= other[k]) and out[k] == out[k]
                            out[k] = other[k] if less else out[k]


@compiled
def largest_back(x: AnyArray, y: AnyArray, dy: AnyArray, dx: AnyArray, size: Any, strides: Any) -> None:
    """To the first of the largest of every window, row by row, is added what comes to y."""
    channels, height, width, samples = y.shape
    one, zero = np.float32(1), np.float32(0)
    free = np.empty(samples, np.float32)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                top, d = y[c, i, j], dy[c, i, j]
                free[:] = one
                for a in range(size[0]):
                    for b in range(size[1]):
                        row, column = i * strides[0] + a, j * strides[1] + b
                        some, to = x[c, row, column], dx[c, row, column]
                        for k in range(samples):
                            hit = free[k] if some[k] == top[k] else zero
                            to[k] += d[k] * hit
                            free[k] -= hit
