"""Activations and their slopes, in C: z is the sum, a the activation."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from simulator.nn.backend.gpu.device import Launch, entries, number
from simulator.nn.backend.gpu.plan import Node, Operation, Plan


class Curve(NamedTuple):
    """of(z), and slope(a), which the activation tells."""

    of: str
    slope: str

    def at(self, z: str) -> str:
        return self.of.replace("@", z)

    def slope_at(self, a: str) -> str:
        return self.slope.replace("@", a)


CURVES = {
    "linear": Curve("(@)", "1.0f"),
    "sigmoid": Curve("(1.0f / (1.0f + expf(-(@))))", "((@) * (1.0f - (@)))"),
    "tanh": Curve("tanhf(@)", "(1.0f - (@) * (@))"),
    "relu": Curve("((@) < 0.0f ? 0.0f : (@))", "((@) > 0.0f ? 1.0f : 0.0f)"),
}


def curve_of(name: str, slope: float | None = None) -> Curve:
    """An activation by its name; slope is that of leaky_relu, or alpha of elu."""
    if name == "leaky_relu" or (name == "relu" and slope):
        s = number(0.2 if slope is None else slope)
        return Curve(f"((@) > 0.0f ? (@) : {s} * (@))", f"((@) > 0.0f ? 1.0f : {s})")
    if name == "elu":
        s = number(1.0 if slope is None else slope)
        return Curve(f"((@) > 0.0f ? (@) : {s} * expm1f(@))", f"((@) > 0.0f ? 1.0f : (@) + {s})")
    return CURVES[name]


@cache
def applied(curve: Curve) -> Launch:
    return entries("activate", "const float* z, float* a", f"float s = z[i];\n    a[i] = {curve.at('s')};")


@cache
def sloped(curve: Curve) -> Launch:
    body = f"float s = a[i];\n    dz[i] = da[i] * {curve.slope_at('s')};"
    return entries("activate_back", "const float* a, const float* da, float* dz", body)


softmax = entries(
    "softmax",
    "int K, const float* z, float* p",
    """const float* row = z + i * K;
    float top = row[0], total = 0.0f;
    for (int k = 1; k < K; ++k) top = fmaxf(top, row[k]);
    for (int k = 0; k < K; ++k) {
      p[i * K + k] = expf(row[k] - top);
      total += p[i * K + k];
    }
    for (int k = 0; k < K; ++k) p[i * K + k] /= total;""",
)
softmax_back = entries(
    "softmax_back",
    "int K, const float* p, const float* dp, float* dz",
    """float dot = 0.0f;
    for (int k = 0; k < K; ++k) dot += p[i * K + k] * dp[i * K + k];
    for (int k = 0; k < K; ++k) dz[i * K + k] = p[i * K + k] * (dp[i * K + k] - dot);""",
)


class Activation(Operation):
    def __init__(self, plan: Plan, x: Node, name: str, slope: float | None = None) -> None:
        super().__init__(plan, x.shape, x)
        self.name, self.slope = name, slope
        self.curve = CURVES["linear"] if name == "softmax" else curve_of(name, slope)

    def forward(self, plan: Plan) -> None:
        if self.name == "softmax":
            softmax(self.output.rows, self.output.shape[-1], self.x, self.y)
        else:
            applied(self.curve)(self.y.size, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        if self.name == "softmax":
            softmax_back(self.output.rows, self.output.shape[-1], self.y, self.dy, self.dx)
        else:
            sloped(self.curve)(self.y.size, self.y, self.dy, self.dx)
