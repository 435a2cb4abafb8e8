"""A step of the optimizer over all weights at once: penalties, clipping, and the update, in one pass each.

The update is the optimizer's own equation, read as C; what depends on the step alone is computed on the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from simulator.nn.backend.gpu.code import C, called
from simulator.nn.backend.gpu.device import THREADS, Array, cupy, entries, start, zeros
from simulator.nn.backend.gpu.plan import Weight
from simulator.nn.backend.network import Memory
from simulator.nn.optimizer import Optimizer

PARTS = 32  # sums of squares of a weight's gradient

_penalized = entries(
    "penalized",
    "float l1, float l2, const float* w, float* g",
    "g[i] += 2.0f * l2 * w[i] + (w[i] > 0.0f ? l1 : w[i] < 0.0f ? -l1 : 0.0f);",
)
PENALTY = """__global__ void penalty(int n, float l1, float l2, const float* w, float* total) {
  __shared__ float some[256];
  float a = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) a += l1 * fabsf(w[i]) + l2 * w[i] * w[i];
  some[threadIdx.x] = a;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int k = 1; k < blockDim.x; ++k) a += some[k];
    total[0] += a;
  }
}"""
SQUARES = """__global__ void squares(const int* starts, const int* sizes, const float* g, float* parts) {
  __shared__ float some[256];
  const float* mine = g + starts[blockIdx.y];
  float a = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < sizes[blockIdx.y]; i += blockDim.x * gridDim.x) {
    a += mine[i] * mine[i];
  }
  some[threadIdx.x] = a;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int k = 1; k < blockDim.x; ++k) a += some[k];
    parts[blockIdx.y * gridDim.x + blockIdx.x] = a;
  }
}"""
_factors = entries(
    "factors",
    "int all, int parts, float bound, const float* part, float* factor",
    """float total = 0.0f;
    for (int k = all ? 0 : i * parts; k < (all ? n : i + 1) * parts; ++k) total += part[k];
    factor[i] = sqrtf(total) > bound ? bound / sqrtf(total) : 1.0f;""",
)
SCALED = """__global__ void scaled(const int* starts, const int* sizes, const float* factor, float* g) {
  float* mine = g + starts[blockIdx.y];
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < sizes[blockIdx.y]; i += blockDim.x * gridDim.x) {
    mine[i] *= factor[blockIdx.y];
  }
}"""
_gathered = entries("gathered", "float* total, const float* g", "total[i] += g[i];")
_shared = entries("shared_out", "float steps, float* total, float* g", "g[i] = total[i] / steps;\n    total[i] = 0.0f;")
_bounded = entries("bounded", "float bound, float* g", "g[i] = g[i] > bound ? bound : g[i] < -bound ? -bound : g[i];")


class Traced:
    """An optimizer's memory that answers in C; see `simulator.nn.optimizer.Memory`. given is what a step brings."""

    def __init__(self) -> None:
        self.rate, self.t = C("given[0]"), C("given[1]")
        self.lines: list[str] = []
        self.firsts: dict[str, float] = {}
        self.names: list[str] = []

    def number(self, name: str, value: float, meaning: str) -> float:
        return value

    def shared(self, name: str, make: Callable[[], Any], meaning: str) -> C:
        self.names.append(name)
        return C(f"given[{1 + len(self.names)}]")

    def state(self, symbol: str, w: C, renew: Callable[[C], C], meaning: str, first: float = 0.0) -> C:
        self.firsts[symbol] = first
        self.lines.append(f"float new_{symbol} = {renew(C(f'{symbol}_[i]'))};")
        self.lines.append(f"{symbol}_[i] = new_{symbol};")
        return C(f"new_{symbol}")

    def sqrt(self, x: Any) -> C:
        return called("sqrtf", x)

    def power(self, base: Any, exponent: Any) -> C:
        raise NotImplementedError("what depends on the step alone is shared")

    cos = at_most_1 = whole = sqrt  # of schedules, which the processor computes


class Update:
    """Of the trainable weights, which stand first in values; gradients has theirs."""

    def __init__(
        self, optimizer: Optimizer, weights: Sequence[Weight], starts: Sequence[int], values: Array, gradients: Array
    ) -> None:
        self.optimizer, self.weights, self.values, self.gradients = optimizer, weights, values, gradients
        traced = Traced()
        after = optimizer.update(traced, C("w"), C("g"))
        self.states: dict[str, Array] = {
            symbol: cupy().full(gradients.size, first, np.float32) for symbol, first in traced.firsts.items()
        }
        states = "".join(f", float* {symbol}_" for symbol in self.states)
        self.renewed = list(self.states.values())
        lines = ["float w = w_[i], g = g_[i];", *traced.lines, f"w_[i] = {after};"]
        parameters = f"const float* given, const float* g_, float* w_{states}"
        self.together = optimizer.gradient_accumulation_steps or 1
        self.launch = entries("update", parameters, "\n    ".join(lines))
        if self.together > 1:
            self.states["gradients"] = zeros(gradients.size)
        self.names = traced.names
        self.given = zeros(2 + len(self.names))
        self.starts = cupy().array(np.array(starts, np.int32), np.int32)
        self.sizes = cupy().array(np.array([w.value.size for w in weights], np.int32), np.int32)
        self.parts, self.factors = zeros(len(weights), PARTS), zeros(len(weights))

    def numbers(self, rate: float, step: int) -> Any:
        """What a step brings: its rate, its number, and what follows from both."""
        memory = Memory(rate, (step - 1) // self.together + 1, {}, np.zeros(1, np.float32), slice(0, 1), {})
        self.optimizer.update(memory, 0.0, 0.0)
        return np.array([rate, memory.t, *(memory.numbers[name] for name in self.names)], np.float32)

    def waits(self, step: int) -> bool:
        """Whether a step only adds to the gradients."""
        return step % self.together > 0

    def __call__(self, loss: Array, waits: bool) -> None:
        """Update all weights; penalties are added to the loss."""
        optimizer = self.optimizer
        for w in self.weights:
            if w.l1 or w.l2:
                start(PENALTY, (1,), THREADS, w.value.size, w.l1, w.l2, w.value, loss)
                _penalized(w.value.size, w.l1, w.l2, w.value, w.grad)
        if self.together > 1:
            _gathered(self.gradients.size, self.states["gradients"], self.gradients)
            if waits:
                return
            _shared(self.gradients.size, float(self.together), self.states["gradients"], self.gradients)
        if optimizer.clipvalue is not None:
            _bounded(self.gradients.size, optimizer.clipvalue, self.gradients)
        bound = optimizer.clipnorm if optimizer.global_clipnorm is None else optimizer.global_clipnorm
        if bound is not None:
            grid = (PARTS, len(self.weights))
            start(SQUARES, grid, THREADS, self.starts, self.sizes, self.gradients, self.parts)
            all_ = int(optimizer.global_clipnorm is not None)
            _factors(len(self.weights), all_, PARTS, float(bound), self.parts, self.factors)
            start(SCALED, grid, THREADS, self.starts, self.sizes, self.factors, self.gradients)
        self.launch(self.gradients.size, self.given, self.gradients, self.values, *self.renewed)
