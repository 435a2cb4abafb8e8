"""Recurrent cells over a whole sequence, forward and backward through time.

# T steps, D inputs, H units, G gates, n samples; x (T, D, n), W (D, G*H), U (H, G*H); A[t] = W.T x[t] + b
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.nn.backend.cpu.elementwise import curve_of
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan, Weight
from simulator.nn.backend.operation import Cell

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
SMALL = 1_000_000  # multiply-adds below which OpenBLAS takes its operands as they are, without packing them first


def _blocked(m: Array, columns: int) -> Array:
    """The rows of a matrix in blocks, each of whose products with so many columns stays small: 1.4 times as fast."""
    rows, depth = m.shape
    blocks = next((g for g in range(1, rows + 1) if rows % g == 0 and rows // g * depth * columns <= SMALL), 1)
    return m.reshape(blocks, rows // blocks, depth) if blocks > 1 else m


def _times(m: Array, x: AnyArray, out: AnyArray) -> None:
    if m.ndim == 3:
        np.matmul(m, x, out=out.reshape(m.shape[0], m.shape[1], -1))
    else:
        np.matmul(m, x, out=out)


class Recurrent(Operation):
    """What the three cells have in common: products with all steps at once, and the way through time."""

    def __init__(self, x: Node, cell: Cell, sequences: bool, weights: dict[str, Weight], number: int) -> None:
        steps, _ = x.shape
        shape = (steps, cell.units) if sequences else (cell.units,)
        super().__init__(shape, x, weights=list(weights.values()))
        self.cell, self.sequences, self.named, self.number = cell, sequences, weights, number
        self.act, self.gate = curve_of(cell.activation), curve_of(cell.recurrent_activation)

    def allocate(self, plan: Plan) -> None:
        super().allocate(plan)
        (steps, _), h, n = self.inputs[0].shape, self.cell.units, plan.n
        g = GATES[self.cell.kind]

        def empty(*shape: int) -> Array:
            return np.zeros((*shape, n), np.float32)

        self.steps, self.h = steps, h
        self.states = empty(steps + 1, h)  # states[t] is the one before step t
        self.sums = empty(steps, g * h)  # A, then what the gates are
        self.errors = empty(steps, g * h)  # d cost / d sums
        self.through, self.into = empty(g * h), empty(h)
        self.make(empty)

    def make(self, empty: Callable[..., Array]) -> None:
        """The buffers of this kind of cell."""

    @property
    def weight(self) -> AnyArray:
        return self.named["kernel"].value

    @property
    def recurrent(self) -> AnyArray:
        return self.named["recurrent_kernel"].value

    def forward(self, plan: Plan) -> None:
        x = self.x[::-1] if self.cell.backwards else self.x
        np.matmul(np.ascontiguousarray(self.weight.T), x, out=self.sums)
        if self.cell.use_bias:
            np.add(self.sums, self.first_bias().reshape(-1, 1), out=self.sums)
        if not self.cell.stateful:
            self.states[0] = 0
        elif plan.step >= 0:
            self.states[0] = self.states[-1]
        self.run(_blocked(np.ascontiguousarray(self.recurrent.T), plan.n))
        found = self.states[1:]
        if not self.sequences:
            np.copyto(self.y, found[-1])
        else:
            np.copyto(self.y, found[::-1] if self.cell.backwards else found)

    def first_bias(self) -> AnyArray:
        return self.named["bias"].value

    def backward(self, plan: Plan) -> None:
        steps = self.steps
        dy: list[AnyArray | None] = [None] * steps
        if self.sequences:
            dy = list(self.dy[::-1] if self.cell.backwards else self.dy)
        else:
            dy[-1] = self.dy
        self.run_back(_blocked(self.recurrent, plan.n), dy)
        if self.dx is not None:
            np.matmul(self.weight, self.errors, out=self.dx[::-1] if self.cell.backwards else self.dx)
        self.collect_parts()

    def collect_parts(self) -> None:
        """The weights' gradients: one product over all steps and samples each."""
        errors, x = _in_columns(self.errors), self.x[::-1] if self.cell.backwards else self.x
        self.found = {
            "kernel": _in_columns(x) @ errors.T,
            "recurrent_kernel": _in_columns(self.states[:-1]) @ self.state_errors(errors).T,
        }
        if self.cell.use_bias:
            self.found["bias"] = errors.sum(axis=1)

    def state_errors(self, errors: Array) -> Array:
        return errors

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.named[name], grad) for name, grad in self.found.items()]

    def run(self, u: Array) -> None:
        """All steps from states[0]; u is U.T, in blocks of rows."""
        raise NotImplementedError

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        """errors from the states' gradients, last step first; u is U, in blocks of rows."""
        raise NotImplementedError


def _in_columns(x: AnyArray) -> Array:
    """(T, D, n) as (D, T*n)."""
    return np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(x.shape[1], -1)


class SimpleRNN(Recurrent):
    """h[t] = act(A[t] + U.T h[t-1])."""

    def run(self, u: Array) -> None:
        z, apply = self.through, self.act.apply
        for t in range(self.steps):
            _times(u, self.states[t], z)
            np.add(z, self.sums[t], out=z)
            apply(z, self.states[t + 1])

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        d = self.into
        for t in range(self.steps - 1, -1, -1):
            if t < self.steps - 1:
                _times(u, self.errors[t + 1], d)
                error = dy[t]
                if error is not None:
                    np.add(d, error, out=d)
            else:
                last = dy[t]
                assert last is not None
                np.copyto(d, last)
            np.copyto(self.errors[t], d)
            self.act.slope(self.states[t + 1], self.errors[t], None)


class LSTM(Recurrent):
    """c[t] = f*c[t-1] + i*g, h[t] = o*act(c[t]); gates i, f, g, o."""

    def make(self, empty: Callable[..., Array]) -> None:
        self.cells = empty(self.steps + 1, self.h)
        self.acts = empty(self.steps, self.h)  # act(c)
        self.one, self.dc = empty(self.h), empty(self.h)

    def _gates(self, block: AnyArray) -> list[AnyArray]:
        h = self.h
        return [block[k * h : (k + 1) * h] for k in range(4)]

    def run(self, u: Array) -> None:
        h, z = self.h, self.through
        gate, act, one = self.gate.apply, self.act.apply, self.one
        self.cells[0] = self.cells[-1] if self.cell.stateful else 0
        for t in range(self.steps):
            s = self.sums[t]
            _times(u, self.states[t], z)
            np.add(s, z, out=s)
            gate(s[: 2 * h], s[: 2 * h])
            act(s[2 * h : 3 * h], s[2 * h : 3 * h])
            gate(s[3 * h :], s[3 * h :])
            i, f, g, o = self._gates(s)
            c = self.cells[t + 1]
            np.multiply(f, self.cells[t], out=c)
            np.multiply(i, g, out=one)
            np.add(c, one, out=c)
            act(c, self.acts[t])
            np.multiply(o, self.acts[t], out=self.states[t + 1])

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        dh, dc, one, h = self.into, self.dc, self.one, self.h
        dc.fill(0)
        for t in range(self.steps - 1, -1, -1):
            error = dy[t]
            if t < self.steps - 1:
                _times(u, self.errors[t + 1], dh)
                if error is not None:
                    np.add(dh, error, out=dh)
            else:
                assert error is not None
                np.copyto(dh, error)
            i, f, g, o = self._gates(self.sums[t])
            di, df, dg, do = self._gates(self.errors[t])
            np.multiply(dh, self.acts[t], out=do)
            np.multiply(dh, o, out=one)
            self.act.slope(self.acts[t], one, None)
            np.add(dc, one, out=dc)
            np.multiply(dc, g, out=di)
            np.multiply(dc, self.cells[t], out=df)
            np.multiply(dc, i, out=dg)
            np.multiply(dc, f, out=dc)
            self.gate.slope(self.sums[t, : 2 * h], self.errors[t, : 2 * h], None)
            self.act.slope(g, dg, None)
            self.gate.slope(o, do, None)


class GRU(Recurrent):
    """z, r gates; g = act(Ag + r*(Ug.T h + bU)) with reset_after, act(Ag + Ug.T (r*h)) without; h' = z*h + (1-z)*g."""

    def make(self, empty: Callable[..., Array]) -> None:
        self.inner = empty(self.steps, self.h)  # Ug.T h + bU, or r*h
        self.parts_of_state = empty(self.steps, 3 * self.h)  # d cost / d (U.T h)
        self.one, self.dh = empty(self.h), empty(self.h)

    def run(self, u: Array) -> None:
        h, z = self.h, self.through
        gate, act = self.gate.apply, self.act.apply
        after, bias = self.cell.reset_after, self.state_bias()
        flat = u.reshape(3 * h, h)
        gates, last = (flat[: 2 * h], flat[2 * h :]) if not after else (flat, flat)
        for t in range(self.steps):
            s, before = self.sums[t], self.states[t]
            if after:
                _times(u, before, z)
                if bias is not None:
                    np.add(z, bias, out=z)
                np.add(s[: 2 * h], z[: 2 * h], out=s[: 2 * h])
                np.copyto(self.inner[t], z[2 * h :])
            else:
                np.matmul(gates, before, out=z[: 2 * h])
                np.add(s[: 2 * h], z[: 2 * h], out=s[: 2 * h])
            gate(s[: 2 * h], s[: 2 * h])
            update, reset, g = s[:h], s[h : 2 * h], s[2 * h :]
            if after:
                np.multiply(reset, self.inner[t], out=self.one)
            else:
                np.multiply(reset, before, out=self.inner[t])
                np.matmul(last, self.inner[t], out=self.one)
            np.add(g, self.one, out=g)
            act(g, g)
            new = self.states[t + 1]
            np.subtract(before, g, out=new)
            np.multiply(new, update, out=new)
            np.add(new, g, out=new)

    def state_bias(self) -> AnyArray | None:
        w = self.named.get("recurrent_bias")
        return None if w is None else w.value.reshape(-1, 1)

    def run_back(self, u: Array, dy: list[AnyArray | None]) -> None:
        h, dh, one = self.h, self.dh, self.one
        after, flat = self.cell.reset_after, u.reshape(h, 3 * h)
        gates, last = np.ascontiguousarray(flat[:, : 2 * h]), np.ascontiguousarray(flat[:, 2 * h :])
        for t in range(self.steps - 1, -1, -1):
            error, before = dy[t], self.states[t]
            if t == self.steps - 1:
                assert error is not None
                np.copyto(dh, error)
            elif error is not None:
                np.add(dh, error, out=dh)
            s, e, p = self.sums[t], self.errors[t], self.parts_of_state[t]
            update, reset, g = s[:h], s[h : 2 * h], s[2 * h :]
            dz, dr, dg = e[:h], e[h : 2 * h], e[2 * h :]
            np.subtract(before, g, out=dz)
            np.multiply(dz, dh, out=dz)
            np.multiply(dh, update, out=one)
            np.subtract(dh, one, out=dg)
            self.act.slope(g, dg, None)
            if after:
                np.multiply(dg, self.inner[t], out=dr)
                self.gate.slope(s[: 2 * h], e[: 2 * h], None)
                np.copyto(p[: 2 * h], e[: 2 * h])
                np.multiply(dg, reset, out=p[2 * h :])
                np.copyto(dh, one)
                if t:
                    _times(u, p, one)
                    np.add(dh, one, out=dh)
            else:
                inner = last @ dg  # d cost / d (r*h)
                np.multiply(inner, before, out=dr)
                self.gate.slope(s[: 2 * h], e[: 2 * h], None)
                np.copyto(p, e)
                np.add(one, inner * reset, out=dh)
                if t:
                    np.add(dh, gates @ e[: 2 * h], out=dh)

    def collect_parts(self) -> None:
        super().collect_parts()
        h = self.h
        if not self.cell.reset_after:
            inner = _in_columns(self.inner) @ _in_columns(self.errors[:, 2 * h :]).T
            self.found["recurrent_kernel"][:, 2 * h :] = inner
        elif "recurrent_bias" in self.named:
            self.found["recurrent_bias"] = _in_columns(self.parts_of_state).sum(axis=1)

    def state_errors(self, errors: Array) -> Array:
        return _in_columns(self.parts_of_state)


CELLS: dict[str, type[Recurrent]] = {"rnn": SimpleRNN, "lstm": LSTM, "gru": GRU}
