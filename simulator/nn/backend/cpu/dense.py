"""Products with a matrix, and rows of one.

# D inputs, U units, T steps, n samples of the plan, N of the batch; x (D, n) or (T, D, n), W (D, U)
"""

from __future__ import annotations

import numpy as np

from simulator.nn.backend.cpu.plan import Array, Node, Operation, Plan, Rows, Weight


class Dense(Operation):
    """W.T @ x. Inputs and gradients of all plans lie side by side, so that dW is one product over the whole batch."""

    def __init__(self, x: Node, w: Weight) -> None:
        super().__init__((*x.shape[:-1], w.value.shape[1]), x, weights=[w])
        self.w = w

    def allocate(self, plan: Plan) -> None:
        key = len(plan.operations), id(self.w), plan.operations.index(self)
        d, u = self.w.value.shape
        self.is_sequence = len(self.inputs[0].shape) == 2
        if self.is_sequence:
            super().allocate(plan)
            return
        mine = plan.share((key, "x"), d)
        self.gradients = [plan.place(self.inputs[0], mine)]
        self.own = self.x is not mine  # the input is somewhere else and must be copied
        self.columns = mine
        if plan.learning:
            self.all_x = plan.shared[key, "x"]
            # Turned: the product of rows of x with it takes a sixth less time than with (U, N).
            self.all_dz = plan.shared.setdefault((key, "dz"), np.zeros((plan.batch, u), np.float32))

    def forward(self, plan: Plan) -> None:
        if not self.is_sequence and self.own:
            np.copyto(self.columns, self.x)
        np.matmul(self.w.value.T, self.x, out=self.y)

    def backward(self, plan: Plan) -> None:
        if self.is_sequence:
            t, d, n = self.x.shape
            columns = self.x.transpose(1, 0, 2).reshape(d, t * n)
            errors = self.dy.transpose(0, 2, 1).reshape(t * n, -1)
            self.dw: Array = columns @ errors
        else:
            np.copyto(self.all_dz[plan.where], self.dy.T)
        if self.dx is not None:
            np.matmul(self.w.value, self.dy, out=self.dx)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.w, self.dw)] if self.is_sequence else []

    def rows(self) -> list[tuple[Weight, Rows]]:
        if self.is_sequence:
            return []
        return [(self.w, lambda a, b: np.matmul(self.all_x[a:b], self.all_dz))]


class Embedding(Operation):
    """A row of E for every class number. x (T, n), E (V, D)."""

    def __init__(self, x: Node, e: Weight) -> None:
        super().__init__((*x.shape, e.value.shape[1]), x, weights=[e])
        self.e = e

    def forward(self, plan: Plan) -> None:
        self.which = self.x.astype(np.intp)  # (T, n)
        np.copyto(self.y, self.e.value[self.which].transpose(0, 2, 1))

    def backward(self, plan: Plan) -> None:
        which = self.which.ravel()
        errors = self.dy.transpose(0, 2, 1).reshape(len(which), -1)
        order = np.argsort(which, kind="stable")
        starts = np.flatnonzero(np.diff(which[order], prepend=-1))
        self.de: Array = np.zeros_like(self.e.value)
        # sums over sorted runs, which np.add.at would add up one by one
        self.de[which[order][starts]] = np.add.reduceat(errors[order], starts, axis=0)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(self.e, self.de)]
