"""Normalisation over the batch, or over the features of every sample.

# M rows, F features; mu, var per feature or per row; xhat the normalised x (M, F)
"""

from __future__ import annotations

import numpy as np

from simulator.nn.backend.gpu.device import Columns, copy, cupy, entries, zeros
from simulator.nn.backend.gpu.plan import Node, Operation, Plan, Weight

_means = Columns("means", "const float* x", "a += x[i];", "int rows, float* mu", "mu[i] = a / rows;")
_variances = Columns(
    "variances",
    "const float* x, const float* mu",
    "float d = x[i] - mu[f];\n        a += d * d;",
    "int rows, float momentum, const float* mu, float* var, float* mm, float* mv",
    """var[i] = a / rows;
    mm[i] = momentum * mm[i] + (1.0f - momentum) * mu[i];
    mv[i] = momentum * mv[i] + (1.0f - momentum) * var[i];""",
)
_normalized = entries(
    "normalized",
    "int F, float epsilon, const float* x, const float* mu, const float* var, const float* gamma, const float* beta, "
    "float* xhat, float* y",
    """int f = i % F;
    xhat[i] = (x[i] - mu[f]) / sqrtf(var[f] + epsilon);
    y[i] = xhat[i] * gamma[f] + beta[f];""",
)
_sums = Columns(
    "normalized_back",
    "const float* dy, const float* xhat",
    "a += dy[i];\n        b += dy[i] * xhat[i];",
    "float* dbeta, float* dgamma",
    "dbeta[i] = a;\n    dgamma[i] = b;",
)
_batch_back = entries(
    "batch_back",
    "int F, int rows, float epsilon, const float* dy, const float* xhat, const float* var, const float* gamma, "
    "const float* dbeta, const float* dgamma, float* dx",
    """int f = i % F;
    dx[i] = (dy[i] - (dbeta[f] + xhat[i] * dgamma[f]) / rows) * gamma[f] / sqrtf(var[f] + epsilon);""",
)
_row = entries(
    "normalized_rows",
    "int F, float epsilon, const float* x, const float* gamma, const float* beta, float* scale, float* xhat, float* y",
    """const float* row = x + i * F;
    float mu = 0.0f, var = 0.0f;
    for (int f = 0; f < F; ++f) mu += row[f];
    mu /= F;
    for (int f = 0; f < F; ++f) var += (row[f] - mu) * (row[f] - mu);
    scale[i] = 1.0f / sqrtf(var / F + epsilon);
    for (int f = 0; f < F; ++f) {
      xhat[i * F + f] = (row[f] - mu) * scale[i];
      y[i * F + f] = xhat[i * F + f] * gamma[f] + beta[f];
    }""",
)
_row_back = entries(
    "rows_normalized_back",
    "int F, const float* dy, const float* xhat, const float* scale, const float* gamma, float* dx",
    """float a = 0.0f, b = 0.0f;
    for (int k = i * F; k < i * F + F; ++k) {
      a += dy[k] * gamma[k - i * F];
      b += dy[k] * gamma[k - i * F] * xhat[k];
    }
    for (int k = i * F; k < i * F + F; ++k) {
      dx[k] = (dy[k] * gamma[k - i * F] - (a + xhat[k] * b) / F) * scale[i];
    }""",
)


class Normalization(Operation):
    """What both have in common; without gamma and beta they are ones and zeros."""

    def __init__(self, plan: Plan, x: Node, gamma: Weight | None, beta: Weight | None, epsilon: float) -> None:
        super().__init__(plan, x.shape, x, weights=[gamma, beta])
        self.rows, self.features, self.epsilon = x.rows, x.shape[-1], float(epsilon)
        self.gamma = cupy().full(self.features, 1, np.float32) if gamma is None else gamma.value
        self.beta = zeros(self.features) if beta is None else beta.value
        self.xhat = zeros(*self.y.shape)
        self.parts = _sums.parts(self.rows, self.features)
        self.found = zeros(2, self.features)  # gradients of beta and gamma
        self.wanted = [(k, plan.gradient(w)) for k, w in enumerate((beta, gamma))]

    def sums(self) -> None:
        _sums(self.rows, self.parts, (self.dy, self.xhat), (self.found[0], self.found[1]))
        for k, grad in self.wanted:
            if grad is not None:
                copy(self.found[k], grad)


class BatchNormalization(Normalization):
    def __init__(
        self,
        plan: Plan,
        x: Node,
        gamma: Weight | None,
        beta: Weight | None,
        mean: Weight,
        variance: Weight,
        momentum: float,
        epsilon: float,
    ) -> None:
        super().__init__(plan, x, gamma, beta, epsilon)
        self.mean, self.variance, self.momentum = mean, variance, float(momentum)
        self.now = zeros(2, self.features)  # mean and variance of the batch

    def forward(self, plan: Plan) -> None:
        mu, var = self.mean.value, self.variance.value
        if plan.training:
            mu, var = self.now[0], self.now[1]
            _means(self.rows, self.parts, (self.x,), (self.rows, mu))
            moving = (self.mean.value, self.variance.value)
            _variances(self.rows, self.parts, (self.x, mu), (self.rows, self.momentum, mu, var, *moving))
        weights = (mu, var, self.gamma, self.beta)
        _normalized(self.y.size, self.features, self.epsilon, self.x, *weights, self.xhat, self.y)

    def backward(self, plan: Plan) -> None:
        self.sums()
        if self.dx is not None:
            given = (self.dy, self.xhat, self.now[1], self.gamma, self.found[0], self.found[1], self.dx)
            _batch_back(self.dx.size, self.features, self.rows, self.epsilon, *given)


class LayerNormalization(Normalization):
    def __init__(self, plan: Plan, x: Node, gamma: Weight | None, beta: Weight | None, epsilon: float) -> None:
        super().__init__(plan, x, gamma, beta, epsilon)
        self.scale = zeros(self.rows)

    def forward(self, plan: Plan) -> None:
        given = (self.x, self.gamma, self.beta, self.scale, self.xhat, self.y)
        _row(self.rows, self.features, self.epsilon, *given)

    def backward(self, plan: Plan) -> None:
        self.sums()
        if self.dx is not None:
            _row_back(self.rows, self.features, self.dy, self.xhat, self.scale, self.gamma, self.dx)
