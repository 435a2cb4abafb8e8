"""Products with a matrix, plus a bias, and the activation of the sum: dense layers and convolutions.

# M rows, D inputs, U units; x (M, D), W (D, U), b (U,)
# C channels, F filters; an image x (N, H, W, C), K (kh, kw, C, F), patches (N*OH*OW, kh*kw*C)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from simulator.nn.backend.gpu.activation import CURVES, Curve
from simulator.nn.backend.gpu.device import Array, Columns, Launch, entries, product
from simulator.nn.backend.gpu.plan import Node, Operation, Plan, Weight
from simulator.nn.backend.operation import Shape
from simulator.tape.convolution import places_after, places_transposed

column_sums = Columns("column", "const float* x", "a += x[i];", "float* total", "total[i] = a;")


@cache
def _biased(curve: Curve) -> Launch:
    body = f"float s = z[i] + b[i % F];\n    z[i] = {curve.at('s')};"
    return entries("biased", "int F, const float* b, float* z", body)


@cache
def _curved(curve: Curve) -> Launch:
    return entries("curved", "float* z", f"float s = z[i];\n    z[i] = {curve.at('s')};")


@cache
def _back(curve: Curve) -> Launch:
    return entries("curved_back", "const float* a, float* d", f"float s = a[i];\n    d[i] *= {curve.slope_at('s')};")


class Biased(Operation):
    """activation(sums + b): bias and activation in one pass over the sums, in place."""

    def __init__(self, plan: Plan, shape: Shape, x: Node, w: Weight, b: Weight | None) -> None:
        super().__init__(plan, shape, x, weights=[w, b])
        self.w, self.b, self.curve, self.activation = w, b, CURVES["linear"], "linear"
        self.sums = self.y.reshape(-1, shape[-1])
        self.dw, self.db = plan.gradient(w), plan.gradient(b)
        self.parts = column_sums.parts(*self.sums.shape) if self.db is not None else None

    def add_up(self, plan: Plan) -> None:
        """The sums from the input."""
        raise NotImplementedError

    def add_up_back(self, plan: Plan, errors: Array) -> None:
        """The gradients of W and of the input from that of the sums."""
        raise NotImplementedError

    def forward(self, plan: Plan) -> None:
        self.add_up(plan)
        if self.b is not None:
            _biased(self.curve)(self.y.size, self.output.shape[-1], self.b.value, self.y)
        elif self.activation != "linear":
            _curved(self.curve)(self.y.size, self.y)

    def backward(self, plan: Plan) -> None:
        if self.activation != "linear":
            _back(self.curve)(self.y.size, self.y, self.dy)
        errors = self.dy.reshape(self.sums.shape)
        if self.db is not None:
            column_sums(len(errors), self.parts, (errors,), (self.db,))
        self.add_up_back(plan, errors)


class Affine(Biased):
    """activation(rows @ W + b)."""

    def __init__(self, plan: Plan, shape: Shape, x: Node, w: Weight, b: Weight | None) -> None:
        super().__init__(plan, shape, x, w, b)
        self.kernel = w.value.reshape(-1, shape[-1])

    def rows(self, plan: Plan) -> Array:
        """The rows of the product, from the input."""
        raise NotImplementedError

    def drows(self, plan: Plan, errors: Array) -> None:
        """The input's gradient from that of the sums."""
        raise NotImplementedError

    def add_up(self, plan: Plan) -> None:
        product(self.rows(plan), self.kernel, self.sums)

    def add_up_back(self, plan: Plan, errors: Array) -> None:
        if self.dw is not None:
            product(self.rows(plan).T, errors, self.dw.reshape(self.kernel.shape))
        if self.dx is not None:
            self.drows(plan, errors)


class Dense(Affine):
    def __init__(self, plan: Plan, x: Node, w: Weight, b: Weight | None) -> None:
        super().__init__(plan, (*x.shape[:-1], w.value.shape[1]), x, w, b)

    def rows(self, plan: Plan) -> Array:
        return self.x.reshape(-1, self.inputs[0].shape[-1])

    def drows(self, plan: Plan, errors: Array) -> None:
        assert self.dx is not None
        product(errors, self.kernel.T, self.dx.reshape(-1, self.inputs[0].shape[-1]))


WHERE = "int H, int W, int C, int OH, int OW, int kh, int kw, int sh, int sw, int top, int left"
_patches = entries(
    "patches",
    f"{WHERE}, const float* x, float* patch",
    """int c = i % C, q = i / C, b = q % kw;
    q /= kw;
    int a = q % kh;
    q /= kh;
    int ow = q % OW;
    q /= OW;
    int r = q % OH * sh - top + a, s = ow * sw - left + b;
    patch[i] = r < 0 || r >= H || s < 0 || s >= W ? 0.0f : x[((q / OH * H + r) * W + s) * C + c];""",
)
_from_patches = entries(
    "from_patches",
    f"{WHERE}, const float* patch, float* dx",
    """int c = i % C, q = i / C, s = q % W;
    q /= W;
    int r = q % H, m = q / H;
    float total = 0.0f;
    for (int a = 0; a < kh; ++a) {
      int u = r + top - a;
      if (u < 0 || u % sh != 0 || u / sh >= OH) continue;
      for (int b = 0; b < kw; ++b) {
        int v = s + left - b;
        if (v < 0 || v % sw != 0 || v / sw >= OW) continue;
        total += patch[((((m * OH + u / sh) * OW + v / sw) * kh + a) * kw + b) * C + c];
      }
    }
    dx[i] = total;""",
)


class Convolution(Affine):
    """Patches are copied, in a buffer that all convolutions share, and multiplied with the kernels in one product.

    A kernel of one place that goes from place to place needs none.
    """

    def __init__(self, plan: Plan, x: Node, k: Weight, b: Weight | None, strides: Sequence[int], padding: str) -> None:
        size = tuple(k.value.shape[:2])
        found = [places_after(n, w, s, padding) for n, w, s in zip(x.shape, size, strides, strict=False)]
        places = tuple(count for count, _ in found)
        super().__init__(plan, (*places, k.value.shape[-1]), x, k, b)
        self.where = (*x.shape, *places, *size, *strides, *(before for _, before in found))
        self.depth = math.prod(k.value.shape[:-1])
        self.alone = size == (1, 1) and tuple(strides) == (1, 1)

    def rows(self, plan: Plan) -> Array:
        if self.alone:
            return self.x.reshape(-1, self.depth)
        patches = plan.scratch("patches", len(self.sums), self.depth)
        _patches(patches.size, *self.where, self.x, patches)
        return patches

    def drows(self, plan: Plan, errors: Array) -> None:
        assert self.dx is not None
        if self.alone:
            product(errors, self.kernel.T, self.dx.reshape(-1, self.depth))
            return
        patches = plan.scratch("patches", len(self.sums), self.depth)
        product(errors, self.kernel.T, patches)
        _from_patches(self.dx.size, *self.where, patches, self.dx)


class TransposedConvolution(Biased):
    """A convolution the other way round: products of x (N, H, W, C) with K (kh, kw, F, C) are patches of the sums."""

    def __init__(self, plan: Plan, x: Node, k: Weight, b: Weight | None, strides: Sequence[int], padding: str) -> None:
        height, width, filters, channels = k.value.shape
        each = zip(x.shape, (height, width), strides, strict=False)
        found = [places_transposed(n, w, s, padding) for n, w, s in each]
        shape = (*(count for count, _ in found), filters)
        super().__init__(plan, shape, x, k, b)
        self.where = (*shape, *x.shape[:2], height, width, *strides, *(cut for _, cut in found))
        self.kernel = k.value.reshape(-1, channels)
        self.rows = self.x.reshape(-1, channels)

    def _patches(self, plan: Plan) -> Array:
        return plan.scratch("patches", len(self.rows), len(self.kernel))

    def add_up(self, plan: Plan) -> None:
        patches = self._patches(plan)
        product(self.rows, self.kernel.T, patches)
        _from_patches(self.y.size, *self.where, patches, self.y)

    def add_up_back(self, plan: Plan, errors: Array) -> None:
        patches = self._patches(plan)
        _patches(patches.size, *self.where, self.dy, patches)
        if self.dw is not None:
            product(patches.T, self.rows, self.dw.reshape(self.kernel.shape))
        if self.dx is not None:
            product(patches, self.kernel, self.dx.reshape(self.rows.shape))
