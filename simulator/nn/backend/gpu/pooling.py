"""Pooling, window by window. x (N, H, W, C); a window of kh x kw places, of which padding doesn't count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.nn.backend.gpu.affine import WHERE
from simulator.nn.backend.gpu.device import cupy, entries
from simulator.nn.backend.gpu.plan import Node, Operation, Plan
from simulator.tape.convolution import places_after

WINDOW = """int c = i % C, q = i / C, low = q % OW * sw - left;
    q /= OW;
    int up = q % OH * sh - top, m = q / OH;
    int r0 = up < 0 ? 0 : up, r1 = up + kh > H ? H : up + kh, s0 = low < 0 ? 0 : low, s1 = low + kw > W ? W : low + kw;
    """
WINDOWS = """int c = i % C, q = i / C, s = q % W;
    q /= W;
    int r = q % H, m = q / H;
    int u0 = r + top - kh < 0 ? 0 : (r + top - kh) / sh + 1, v0 = s + left - kw < 0 ? 0 : (s + left - kw) / sw + 1;
    float total = 0.0f;
    for (int u = u0; u < OH && u * sh <= r + top; ++u) {
      for (int v = v0; v < OW && v * sw <= s + left; ++v) {
        int o = ((m * OH + u) * OW + v) * C + c;
        INSIDE
      }
    }
    dx[i] = total;"""

_largest = entries(
    "largest",
    f"{WHERE}, const float* x, float* y, int* at",
    WINDOW
    + """float best = 0.0f;
    int where = -1;
    for (int r = r0; r < r1; ++r) {
      for (int s = s0; s < s1; ++s) {
        float v = x[((m * H + r) * W + s) * C + c];
        if (where < 0 || v > best || v != v) {
          best = v;
          where = r * W + s;
        }
      }
    }
    y[i] = best;
    at[i] = where;""",
)
_largest_back = entries(
    "largest_back",
    f"{WHERE}, const int* at, const float* dy, float* dx",
    WINDOWS.replace("INSIDE", "if (at[o] == r * W + s) total += dy[o];"),
)
_mean = entries(
    "mean_of",
    f"{WHERE}, const float* x, float* y",
    WINDOW
    + """float total = 0.0f;
    for (int r = r0; r < r1; ++r) {
      for (int s = s0; s < s1; ++s) total += x[((m * H + r) * W + s) * C + c];
    }
    y[i] = total / ((r1 - r0) * (s1 - s0));""",
)
_mean_back = entries(
    "mean_back",
    f"{WHERE}, const float* dy, float* dx",
    WINDOWS.replace(
        "INSIDE",
        """int up = u * sh - top, low = v * sw - left;
        int rows = (up + kh > H ? H : up + kh) - (up < 0 ? 0 : up);
        int columns = (low + kw > W ? W : low + kw) - (low < 0 ? 0 : low);
        total += dy[o] / (rows * columns);""",
    ),
)


class Pooling(Operation):
    """The largest number, whose gradient goes to the first of them row by row, or the mean."""

    def __init__(
        self, plan: Plan, x: Node, size: Sequence[int], strides: Sequence[int], padding: str, largest: bool
    ) -> None:
        found = [places_after(n, w, s, padding) for n, w, s in zip(x.shape, size, strides, strict=False)]
        places = tuple(count for count, _ in found)
        super().__init__(plan, (*places, x.shape[-1]), x)
        self.where = (*x.shape, *places, *size, *strides, *(before for _, before in found))
        self.at = cupy().zeros(self.y.shape, np.int32) if largest else None

    def forward(self, plan: Plan) -> None:
        if self.at is not None:
            _largest(self.y.size, *self.where, self.x, self.y, self.at)
        else:
            _mean(self.y.size, *self.where, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        if self.at is not None:
            _largest_back(self.dx.size, *self.where, self.at, self.dy, self.dx)
        else:
            _mean_back(self.dx.size, *self.where, self.dy, self.dx)


_all_largest = entries(
    "all_largest",
    "int P, int C, const float* x, float* y",
    """const float* from = x + i / C * P * C + i % C;
    float best = from[0];
    for (int p = 1; p < P; ++p) {
      float v = from[p * C];
      if (v > best || v != v) best = v;
    }
    y[i] = best;""",
)
_all_largest_back = entries(
    "all_largest_back",
    "int P, int C, const float* x, const float* y, const float* dy, float* dx",
    """int from = i / C * P * C + i % C, hits = 0;
    for (int p = 0; p < P; ++p) hits += x[from + p * C] == y[i] ? 1 : 0;
    for (int p = 0; p < P; ++p) dx[from + p * C] = x[from + p * C] == y[i] ? dy[i] / hits : 0.0f;""",
)
_all_mean = entries(
    "all_mean",
    "int P, int C, const float* x, float* y",
    """float total = 0.0f;
    for (int p = 0; p < P; ++p) total += x[(i / C * P + p) * C + i % C];
    y[i] = total / P;""",
)
_all_mean_back = entries(
    "all_mean_back", "int P, int C, const float* dy, float* dx", "dx[i] = dy[i / C / P * C + i % C] / P;"
)


class GlobalPooling(Operation):
    """Of P places (N, P, C) -> (N, C); the gradient of the largest is shared among equals, as in Keras."""

    def __init__(self, plan: Plan, x: Node, largest: bool) -> None:
        super().__init__(plan, (x.shape[-1],), x)
        self.largest, self.size = largest, (x.rows // plan.n, x.shape[-1])

    def forward(self, plan: Plan) -> None:
        (_all_largest if self.largest else _all_mean)(self.y.size, *self.size, self.x, self.y)

    def backward(self, plan: Plan) -> None:
        if self.dx is None:
            return
        if self.largest:
            _all_largest_back(self.y.size, *self.size, self.x, self.y, self.dy, self.dx)
        else:
            _all_mean_back(self.dx.size, *self.size, self.dy, self.dx)
