"""Normalisation over the batch, or over the features of every sample.

# mu, var per feature; xhat the normalised x; x (D, n), (T, D, n) or (C, H, W, n)
"""

from __future__ import annotations

import numpy as np

from simulator.nn.backend.cpu.elementwise import along
from simulator.nn.backend.cpu.plan import AnyArray, Array, Node, Operation, Plan, Weight, rest_of


class BatchNormalization(Operation):
    """All plans of a batch meet to add up their sums, twice forward and once backward."""

    def __init__(
        self,
        x: Node,
        gamma: Weight | None,
        beta: Weight | None,
        mean: Weight,
        variance: Weight,
        momentum: float,
        epsilon: float,
        frozen: bool,
    ) -> None:
        super().__init__(x.shape, x, weights=[w for w in (gamma, beta, mean, variance) if w])
        self.frozen = frozen
        self.gamma, self.beta, self.mean, self.variance = gamma, beta, mean, variance
        self.momentum, self.epsilon = np.float32(momentum), np.float32(epsilon)
        self.rest = rest_of(x.shape)

    def allocate(self, plan: Plan) -> None:
        own = self.inputs[0].is_free
        super().allocate(plan)
        self.xhat: AnyArray = self.x if own else np.empty(self.x.shape, np.float32)
        self.scale: AnyArray = np.ones(1, np.float32)
        features = self.inputs[0].shape[-1]
        self.count = np.float32(self.x.size // features // plan.n * plan.batch)

    def forward(self, plan: Plan) -> None:
        x, axes = self.x, self.x.ndim
        mean: AnyArray = self.mean.value
        variance: AnyArray = self.variance.value
        if plan.training and not self.frozen:
            mean = plan.meeting.total(plan.number, x.sum(axis=self.rest)) / self.count
            np.subtract(x, along(mean, axes), out=self.xhat)
            squares = (self.xhat * self.xhat).sum(axis=self.rest)
            variance = plan.meeting.total(plan.number, squares) / self.count
            if plan.number == 0:
                for moving, now in ((self.mean, mean), (self.variance, variance)):
                    moving.value[...] = self.momentum * moving.value + (1 - self.momentum) * now
        else:
            np.subtract(x, along(mean, axes), out=self.xhat)
        self.scale = 1 / np.sqrt(variance + self.epsilon)
        np.multiply(self.xhat, along(self.scale, axes), out=self.xhat)
        if self.gamma:
            np.multiply(self.xhat, along(self.gamma.value, axes), out=self.y)
        else:
            np.copyto(self.y, self.xhat)
        if self.beta:
            np.add(self.y, along(self.beta.value, axes), out=self.y)

    def backward(self, plan: Plan) -> None:
        axes = self.dy.ndim
        self.dbeta: Array = self.dy.sum(axis=self.rest)
        self.dgamma: Array = (self.dy * self.xhat).sum(axis=self.rest)
        factor = self.scale * self.gamma.value if self.gamma else self.scale
        if self.frozen or not plan.training:  # the moving statistics don't follow the batch
            if self.dx is not None:
                np.multiply(self.dy, along(factor, axes), out=self.dx)
            return
        both = plan.meeting.total(plan.number, np.stack([self.dbeta, self.dgamma])) / self.count
        if self.dx is None:
            return
        np.multiply(self.xhat, along(both[1], axes), out=self.dx)
        np.subtract(self.dy, self.dx, out=self.dx)
        np.subtract(self.dx, along(both[0], axes), out=self.dx)
        np.multiply(self.dx, along(factor, axes), out=self.dx)

    def parts(self) -> list[tuple[Weight, Array]]:
        pairs = ((self.gamma, self.dgamma), (self.beta, self.dbeta))
        return [(w, d) for w, d in pairs if w]


class LayerNormalization(Operation):
    """Over the last axis of every sample: axis -2 as vectors and sequences are kept, 0 of images."""

    def __init__(self, x: Node, gamma: Weight | None, beta: Weight | None, epsilon: float) -> None:
        super().__init__(x.shape, x, weights=[w for w in (gamma, beta) if w])
        self.gamma, self.beta, self.epsilon = gamma, beta, np.float32(epsilon)
        self.axis = 0 if len(x.shape) == 3 else -2
        self.rest = rest_of(x.shape)

    def forward(self, plan: Plan) -> None:
        x, axes = self.x, self.x.ndim
        d = x - x.mean(axis=self.axis, keepdims=True)
        self.scale = 1 / np.sqrt((d * d).mean(axis=self.axis, keepdims=True) + self.epsilon)
        self.xhat: Array = d * self.scale
        y = self.xhat * along(self.gamma.value, axes) if self.gamma else self.xhat
        np.copyto(self.y, y + along(self.beta.value, axes) if self.beta else y)

    def backward(self, plan: Plan) -> None:
        axes = self.dy.ndim
        self.dbeta: Array = self.dy.sum(axis=self.rest)
        self.dgamma: Array = (self.dy * self.xhat).sum(axis=self.rest)
        if self.dx is None:
            return
        g = self.dy * along(self.gamma.value, axes) if self.gamma else self.dy
        inner = g - g.mean(axis=self.axis, keepdims=True)
        inner -= self.xhat * (g * self.xhat).mean(axis=self.axis, keepdims=True)
        np.multiply(inner, self.scale, out=self.dx)

    def parts(self) -> list[tuple[Weight, Array]]:
        return [(w, d) for w, d in ((self.gamma, self.dgamma), (self.beta, self.dbeta)) if w]
