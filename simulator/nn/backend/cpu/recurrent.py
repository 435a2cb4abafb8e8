"""Recurrent cells over a whole sequence, forward and backward through time.

# T steps, D inputs, H units, n samples; x (T, D, n), W (D, G*H), U (H, G*H), b (G*H,) for G gates
# Z[t] = [h before step t; x[t]; 1], (H + D + 1, n), so that [U; W; b].T @ Z[t] is all of a step's sums

One product a step instead of two products and two sums; and what local derivatives are made of is computed for several
steps at a time, so that a step backward is one product and a handful of calls.
"""

from __future__ import annotations

import numpy as np

from simulator.nn.backend.cpu.activation import HALF, ONE, TANH_IS_FAST, TWO, curve_of
from simulator.nn.backend.cpu.elementwise import mask_of
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan, Weight
from simulator.nn.backend.cpu.product import SMALL
from simulator.nn.backend.operation import Carried, Cell, require_one_size

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
FEWEST = 64  # samples of such a product where many of them are added up
STEPS = 5  # of which local derivatives are computed at a time: they stay in the second-level cache


def _blocked(m: Array, columns: int) -> Array:
    """The rows of a matrix in blocks, each of whose products with so many columns stays small.

    With AVX-512 1.4 times as fast, without it as fast.
    """
    rows, depth = m.shape
    blocks = next((g for g in range(1, rows + 1) if rows % g == 0 and rows // g * depth * columns <= SMALL), 1)
    return m.reshape(blocks, rows // blocks, depth) if blocks > 1 else m


def product_into(m: Array, x: AnyArray, out: AnyArray) -> None:
    if m.ndim == 3:
        np.matmul(m, x, out=out.reshape(m.shape[0], m.shape[1], -1))
    else:
        np.matmul(m, x, out=out)


def _in_columns(x: AnyArray) -> Array:
    """(T, D, n) as (D, T*n)."""
    return np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(x.shape[1], -1)


def _in_rows(x: AnyArray) -> Array:
    """(T, D, n) as (T*n, D): a product along it is one and a half times as fast with its right side so."""
    return np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, x.shape[1])


def _over_steps(d: AnyArray, x: AnyArray) -> Array:
    """The sum of d[t] x[t].T over all steps. d (T, G, n), x (T, K, n).

    As one product; but step by step where each is small: twice as fast for 64 x 31 numbers and 256 samples.
    """
    n, rows = d.shape[2], _in_rows(x)
    if FEWEST <= n <= SMALL // (d.shape[1] * x.shape[1]):
        return np.asarray(np.matmul(d, rows.reshape(len(x), n, -1)).sum(axis=0))
    return _in_columns(d) @ rows


class Recurrent(Operation):
    """What the cells have in common."""

    order: tuple[int, ...] = (0,)  # Keras's gates, as they are computed here: those with the gates' activation first
    gated = 0  # how many of them

    def __init__(
        self,
        x: Node,
        cell: Cell,
        sequences: bool,
        weights: dict[str, Weight],
        number: int,
        carried: Carried | None,
    ) -> None:
        steps, _ = x.shape
        shape = (steps, cell.units) if sequences else (cell.units,)
        super().__init__(shape, x, weights=list(weights.values()))
        self.cell, self.sequences, self.named = cell, sequences, weights
        self.number, self.carried = number, carried
        self.arrived: list[dict[str, Array]] | None = None  # `arriving` of every step, where somebody reads it
        self.masks: Array | None = None  # (1 or gates, H + D + 1, n), of h, x and 1, for every step
        self.act, self.gate = curve_of(cell.activation), curve_of(cell.recurrent_activation)
        # sigmoid(z) = tanh(z/2)/2 + 1/2 = 1/(1 + exp(-z)), tanh(z) = 2/(1 + exp(-2z)) - 1: one function for all, what
        # stands before z folded into the weights
        self.is_usual = cell.activation == "tanh" and cell.recurrent_activation == "sigmoid" and self.gated > 0
        self.inner = (HALF, ONE) if TANH_IS_FAST else (-ONE, -TWO)

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        (self.steps, self.depth), self.h, self.n = self.inputs[0].shape, self.cell.units, plan.n
        self.z = self.empty(self.steps + 1, self.h + self.depth + 1)
        self.z[:, -1] = 1
        self.states = self.z[:, : self.h]
        self.sums = self.empty(self.steps, GATES[self.cell.kind] * self.h)
        self.errors = self.empty(*self.sums.shape[:2])  # local derivatives, then d cost / d sums
        self.one, self.dh = self.empty(self.h), self.empty(self.h)
        self.m: Array = np.zeros((self.sums.shape[1], self.z.shape[1]), np.float32)
        self.make()

    def empty(self, *shape: int) -> Array:
        return np.zeros((*shape, self.n), np.float32)

    def make(self) -> None:
        """The buffers of this kind of cell."""

    def gates_of(self, columns: AnyArray) -> AnyArray:
        """The columns of a weight, gate by gate in the order of this file."""
        h = self.h
        return np.concatenate([columns[..., k * h : (k + 1) * h] for k in self.order], axis=-1)

    def back(self, rows: AnyArray) -> AnyArray:
        """The opposite, for the columns of a gradient."""
        h, found = self.h, np.empty_like(rows)
        for k, gate in enumerate(self.order):
            found[..., gate * h : (gate + 1) * h] = rows[..., k * h : (k + 1) * h]
        return found

    def stacked(self) -> Array:
        """[U; W; b].T, ready for `activate`."""
        m, h = self.m, self.h
        u, w = self.named["recurrent_kernel"].value, self.named["kernel"].value
        for k, gate in enumerate(self.order):
            rows, columns = slice(k * h, (k + 1) * h), slice(gate * h, (gate + 1) * h)
            m[rows, :h] = u[:, columns].T
            m[rows, h:-1] = w[:, columns].T
            m[rows, -1] = self.named["bias"].value[columns] if self.cell.use_bias else 0
        if self.is_usual:
            of_gates, of_rest = self.inner
            m[: self.gated * h] *= of_gates
            if of_rest != 1:
                m[self.gated * h :] *= of_rest
        return m

    def activate(self, s: AnyArray, gates: AnyArray, rest: AnyArray | None = None) -> None:
        """Sums, in place; gates and rest are their parts."""
        if not self.is_usual:
            self.gate.apply(gates, gates)
            if rest is not None:
                self.act.apply(rest, rest)
        elif TANH_IS_FAST:
            np.tanh(s, out=s)
            np.multiply(gates, HALF, out=gates)
            np.add(gates, HALF, out=gates)
        else:
            np.exp(s, out=s)
            np.add(s, ONE, out=s)
            np.reciprocal(s, out=s)
            if rest is not None:
                np.multiply(rest, TWO, out=rest)
                np.subtract(rest, ONE, out=rest)

    def forward(self, plan: Plan) -> None:
        np.copyto(self.z[:-1, self.h : -1], self.x)
        self.masks = self.drawn(plan)
        for name, states in self.going_on().items():
            np.copyto(states[0], self.carried_in(name, plan))
        self.run(self.stacked())
        for name, states in self.going_on().items():
            np.copyto(self.carried_in(name, plan), states[-1])
        np.copyto(self.y, self.states[1:] if self.sequences else self.states[-1])

    def drawn(self, plan: Plan) -> Array | None:
        """The masks of a batch, as Keras has them: one of the input for all gates, but where states are dropped too,
        one for every gate."""
        cell, h = self.cell, self.h
        if not (plan.training and (cell.dropout or cell.recurrent_dropout)):
            return None
        masks = np.ones((GATES[cell.kind] if cell.recurrent_dropout else 1, *self.z.shape[1:]), np.float32)
        rng = plan.random(self.number, cell.seed)
        for part, rate in ((masks[:, :h], cell.recurrent_dropout), (masks[:, h:-1], cell.dropout)):
            if rate:
                part[...] = mask_of(rng, part.shape, rate)
        return masks

    def stepwise(self) -> dict[str, Array]:
        """The states, the first of each from before step 1."""
        return {"h": self.states}

    def going_on(self) -> dict[str, Array]:
        """What a batch takes over from the one before, step by step, if anything."""
        return {} if self.carried is None else self.stepwise()

    def carried_in(self, name: str, plan: Plan) -> AnyArray:
        """This plan's columns of a state that goes on. Raises SettingError for a batch of another size."""
        assert self.carried is not None
        found = self.carried.setdefault(f"{self.number}/{name}", np.zeros((self.h, plan.batch), np.float32))
        require_one_size(found.shape[1], plan.batch)
        return found[:, plan.where]

    # What a product of a step takes: the masks are there in training, and only where something is dropped.

    def grouped(self, m: Array) -> Array:
        """[U; W; b].T, or the rows of its first gates, for products with `before`."""
        if self.masks is None:
            return _blocked(m, self.n)
        return m.reshape(min(len(self.masks), len(m) // self.h), -1, m.shape[1])

    def before(self, t: int, gates: int | None = None) -> AnyArray:
        """[h; x; 1] before a step, for every gate its own where masks differ."""
        z: AnyArray = self.z[t]
        return z if self.masks is None else np.multiply(z, self.masks[:gates])

    def of_last_gate(self, rows: slice) -> AnyArray:
        """Some rows of [h; x; 1] before every step, as the last gate has them."""
        z: AnyArray = self.z[:-1, rows]
        return z if self.masks is None else np.multiply(z, self.masks[-1, rows])

    def masked(self, state: Array) -> Array:
        """The state before a step as the last gate has it, or its gradient."""
        return state * self.masks[-1, : self.h] if self.masks is not None and self.drops_states else state

    def backwards(self, u: Array) -> Array:
        """U for `times_back`."""
        return u if self.drops_states else _blocked(u, self.n)

    @property
    def drops_states(self) -> bool:
        return self.masks is not None and self.cell.recurrent_dropout > 0

    def times_back(self, u: AnyArray, d: AnyArray, out: AnyArray) -> None:
        """d cost / d h before a step, from that of the sums of some gates."""
        if not self.drops_states:
            product_into(u, d, out)
            return
        assert self.masks is not None
        h, gates = self.h, len(d) // self.h
        parts = np.matmul(u.reshape(h, gates, h).transpose(1, 0, 2), d.reshape(gates, h, -1))
        np.sum(np.multiply(parts, self.masks[:gates, :h], out=parts), axis=0, out=out)

    def weighed(self, rows: slice = slice(None)) -> Array:
        """The errors times some rows of [h; x; 1] before the steps, over all steps and samples."""
        z = self.z[:-1, rows]
        if self.masks is None:
            return _over_steps(self.errors, z)
        parts = np.split(self.errors, len(self.masks), axis=1)
        return np.concatenate([_over_steps(d, z * m[rows]) for d, m in zip(parts, self.masks, strict=True)])

    def backward(self, plan: Plan) -> None:
        dy: list[AnyArray | None] = [None] * self.steps
        if self.sequences:
            dy = list(self.dy)
        else:
            dy[-1] = self.dy
        for start in range(0, self.steps, STEPS):
            self.derive(slice(start, min(start + STEPS, self.steps)))
        self.run_back(self.gates_of(self.named["recurrent_kernel"].value), dy)
        self.collect()

    def enter(self, dh: Array, error: AnyArray | None) -> None:
        """Add what comes to a state from above."""
        if error is not None:
            np.add(dh, error, out=dh)
        if self.arrived is not None:
            self.arrived.insert(0, self.arriving())

    def arriving(self) -> dict[str, Array]:
        """What has come to the states of a step from above and from the steps after it."""
        return {"h": self.dh.copy()}

    def collect(self) -> None:
        """The gradients of the weights, one product over all steps and samples, and of the input."""
        h, found = self.h, self.weighed()  # (G*H, H + D + 1)
        self.give(found[:, :h], found[:, h:-1], found[:, -1], self.errors)

    def give(self, u: AnyArray, w: AnyArray, b: AnyArray, errors: AnyArray) -> None:
        """u, w, b with a row per sum, as gradients of the weights; errors, those of the sums, lead to the input's."""
        self.found = {"kernel": self.back(w.T), "recurrent_kernel": self.back(u.T)}
        if self.cell.use_bias:
            self.found["bias"] = self.back(b)
        if self.dx is None:
            return
        kernel = self.gates_of(self.named["kernel"].value)
        if self.masks is None:
            np.matmul(kernel, errors, out=self.dx)
            return
        groups, inputs = len(self.masks), slice(self.h, -1)
        self.dx.fill(0)
        for k, some in enumerate(np.split(errors, groups, axis=1)):
            np.add(self.dx, np.split(kernel, groups, axis=1)[k] @ some * self.masks[k, inputs], out=self.dx)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.named[name], grad) for name, grad in self.found.items()]

    def run(self, m: Array) -> None:
        """All steps from states[0]; m is [U; W; b].T."""
        raise NotImplementedError

    def derive(self, some: slice) -> None:
        """The local derivatives of some steps."""
        raise NotImplementedError

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        """errors from the states' gradients, last step first; u is U."""
        raise NotImplementedError


class SimpleRNN(Recurrent):
    """h[t] = act(sums)."""

    def run(self, m: Array) -> None:
        m, s, apply = self.grouped(m), self.one, self.act.apply
        for t in range(self.steps):
            product_into(m, self.before(t), s)
            apply(s, self.states[t + 1])

    def derive(self, some: slice) -> None:
        self.act.factor(self.states[1:][some], self.errors[some])

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        u, dh = self.backwards(u), self.dh
        dh.fill(0)
        for t in range(self.steps - 1, -1, -1):
            self.enter(dh, dy[t])
            np.multiply(dh, self.errors[t], out=self.errors[t])
            if t:
                self.times_back(u, self.errors[t], dh)


class LSTM(Recurrent):
    """c[t] = f*c[t-1] + i*g, h[t] = o*act(c[t]); o, i, f gates."""

    order, gated = (3, 0, 1, 2), 3

    def make(self) -> None:
        self.cells = self.empty(self.steps + 1, self.h)
        self.acts = self.empty(self.steps, self.h)  # act(c), then d h / d c
        self.dc = self.empty(self.h)

    def stepwise(self) -> dict[str, Array]:
        return super().stepwise() | {"c": self.cells}

    def arriving(self) -> dict[str, Array]:
        return super().arriving() | {"c": self.dc.copy()}

    def run(self, m: Array) -> None:
        m, h, one = self.grouped(m), self.h, self.one
        for t in range(self.steps):
            s, c = self.sums[t], self.cells[t + 1]
            product_into(m, self.before(t), s)
            self.activate(s, s[: 3 * h], s[3 * h :])
            np.multiply(s[2 * h : 3 * h], self.cells[t], out=c)
            np.multiply(s[h : 2 * h], s[3 * h :], out=one)
            np.add(c, one, out=c)
            self.act.apply(c, self.acts[t])
            np.multiply(s[:h], self.acts[t], out=self.states[t + 1])

    def derive(self, some: slice) -> None:
        h, s, d, a = self.h, self.sums[some], self.errors[some], self.acts[some]
        o, i, g = s[:, :h], s[:, h : 2 * h], s[:, 3 * h :]
        self.gate.factor(s[:, : 3 * h], d[:, : 3 * h])
        self.act.factor(g, d[:, 3 * h :])
        for rows, factor in ((0, a), (1, g), (2, self.cells[:-1][some]), (3, i)):
            part = d[:, rows * h : (rows + 1) * h]
            np.multiply(part, factor, out=part)
        slope = np.empty_like(a)
        self.act.factor(a, slope)
        np.multiply(slope, o, out=a)

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        h, dh, dc, one, u = self.h, self.dh, self.dc, self.one, self.backwards(u)
        dh.fill(0)
        dc.fill(0)
        for t in range(self.steps - 1, -1, -1):
            self.enter(dh, dy[t])
            np.multiply(dh, self.acts[t], out=one)
            np.add(dc, one, out=dc)
            d = self.errors[t]
            np.multiply(d[:h], dh, out=d[:h])
            rest = d[h:].reshape(3, h, self.n)
            np.multiply(rest, dc, out=rest)
            np.multiply(dc, self.sums[t, 2 * h : 3 * h], out=dc)
            if t:
                self.times_back(u, d, dh)


class GRU(Recurrent):
    """h[t] = g + z*(h[t-1] - g); z, r gates, g = act(W.T x + b + r*(U.T h + bU)): reset after the product."""

    order, gated = (0, 1, 2), 2

    def make(self) -> None:
        self.candidates = self.empty(self.steps, self.h)  # the input's part of g's sum, then g
        self.inputs_part = self.empty(self.steps, self.h)  # d cost / d that part

    def stacked(self) -> Array:
        """The rows of g without the input: only the state's part is reset."""
        m, h = super().stacked(), self.h
        if self.is_usual and self.inner[1] != 1:
            m[2 * h :] /= self.inner[1]
        self.of_input = m[2 * h :, h:].copy()
        m[2 * h :, h:] = 0
        if "recurrent_bias" in self.named:
            bias = self.named["recurrent_bias"].value.copy()
            bias[: 2 * h] *= self.inner[0] if self.is_usual else 1
            m[:, -1] += bias
        return m

    def run(self, m: Array) -> None:
        m, h, one = self.grouped(m), self.h, self.one
        np.matmul(self.of_input, self.of_last_gate(slice(h, None)), out=self.candidates)
        for t in range(self.steps):
            s, g = self.sums[t], self.candidates[t]
            product_into(m, self.before(t), s)
            self.activate(s[: 2 * h], s[: 2 * h])
            np.multiply(s[h : 2 * h], s[2 * h :], out=one)
            np.add(g, one, out=g)
            self.act.apply(g, g)
            self.mix(self.states[t], g, s[:h], self.states[t + 1])

    @staticmethod
    def mix(before: AnyArray, g: AnyArray, z: AnyArray, new: AnyArray) -> None:
        """The state after a step: g + z*(before - g)."""
        np.subtract(before, g, out=new)
        np.multiply(new, z, out=new)
        np.add(new, g, out=new)

    def derive(self, some: slice) -> None:
        h, s, d, g = self.h, self.sums[some], self.errors[some], self.candidates[some]
        z, r, inner, dg = s[:, :h], s[:, h : 2 * h], s[:, 2 * h :], self.inputs_part[some]
        self.act.factor(g, dg)
        rest = 1 - z
        np.multiply(dg, rest, out=dg)
        self.gate.factor(s[:, : 2 * h], d[:, : 2 * h])
        np.multiply(d[:, :h], self.states[:-1][some] - g, out=d[:, :h])
        np.multiply(d[:, h : 2 * h], dg * inner, out=d[:, h : 2 * h])
        np.multiply(dg, r, out=d[:, 2 * h :])

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        h, dh, one, u = self.h, self.dh, self.one, self.backwards(u)
        dh.fill(0)
        for t in range(self.steps - 1, -1, -1):
            self.enter(dh, dy[t])
            d = self.errors[t].reshape(3, h, self.n)
            np.multiply(d, dh, out=d)
            np.multiply(self.inputs_part[t], dh, out=self.inputs_part[t])
            if t:
                self.times_back(u, self.errors[t], one)
                np.multiply(dh, self.sums[t, :h], out=dh)
                np.add(dh, one, out=dh)

    def collect(self) -> None:
        h = self.h
        state = self.weighed(slice(h))
        total = self.errors.sum(axis=(0, 2))
        np.copyto(self.errors[:, 2 * h :], self.inputs_part)
        rest = self.weighed(slice(h, None))
        self.give(state, rest[:, :-1], rest[:, -1], self.errors)
        if "recurrent_bias" in self.named:
            self.found["recurrent_bias"] = total


class ResetFirstGRU(GRU):
    """g = act(W.T x + b + U.T (r*h)): the state is reset before the product, as in Cho et al. 2014."""

    def run(self, m: Array) -> None:
        h, inner, one = self.h, self.sums[:, 2 * self.h :], self.one
        gates, self.of_state = self.grouped(m[: 2 * h]), np.ascontiguousarray(m[2 * h :, :h])
        np.matmul(self.of_input, self.of_last_gate(slice(h, None)), out=self.candidates)
        for t in range(self.steps):
            s, g = self.sums[t], self.candidates[t]
            product_into(gates, self.before(t, 2), s[: 2 * h])
            self.activate(s[: 2 * h], s[: 2 * h])
            np.multiply(s[h : 2 * h], self.masked(self.states[t]), out=inner[t])
            np.matmul(self.of_state, inner[t], out=one)
            np.add(g, one, out=g)
            self.act.apply(g, g)
            self.mix(self.states[t], g, s[:h], self.states[t + 1])

    def derive(self, some: slice) -> None:
        h, s, d, g = self.h, self.sums[some], self.errors[some], self.candidates[some]
        self.act.factor(g, d[:, 2 * h :])
        np.multiply(d[:, 2 * h :], 1 - s[:, :h], out=d[:, 2 * h :])
        self.gate.factor(s[:, : 2 * h], d[:, : 2 * h])
        np.multiply(d[:, :h], self.states[:-1][some] - g, out=d[:, :h])
        np.multiply(d[:, h : 2 * h], self.states[:-1][some], out=d[:, h : 2 * h])

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        h, dh, one = self.h, self.dh, self.one
        gates = self.backwards(np.ascontiguousarray(u[:, : 2 * h]))
        dh.fill(0)
        for t in range(self.steps - 1, -1, -1):
            self.enter(dh, dy[t])
            s, d = self.sums[t], self.errors[t]
            np.multiply(d[:h], dh, out=d[:h])
            np.multiply(d[2 * h :], dh, out=d[2 * h :])
            np.matmul(self.of_state.T, d[2 * h :], out=one)  # d cost / d (r*h)
            one = self.masked(one)
            np.multiply(d[h : 2 * h], one, out=d[h : 2 * h])
            if t:
                np.multiply(one, s[h : 2 * h], out=one)
                np.multiply(dh, s[:h], out=dh)
                np.add(dh, one, out=dh)
                self.times_back(gates, d[: 2 * h], one)
                np.add(dh, one, out=dh)

    def collect(self) -> None:
        h, found = self.h, self.weighed()
        found[2 * h :, :h] = _over_steps(self.errors[:, 2 * h :], self.sums[:, 2 * h :])
        self.give(found[:, :h], found[:, h:-1], found[:, -1], self.errors)


def recurrent(
    x: Node, cell: Cell, sequences: bool, weights: dict[str, Weight], number: int, carried: Carried | None
) -> Recurrent:
    """The operation of a cell."""
    kinds: dict[str, type[Recurrent]] = {
        "rnn": SimpleRNN,
        "lstm": LSTM,
        "gru": GRU if cell.reset_after else ResetFirstGRU,
    }
    return kinds[cell.kind](x, cell, sequences, weights, number, carried)
