"""Recurrent cells over a whole sequence, one block of threads per sample, in one kernel forward and one backward.

# T steps, D inputs, H units, N samples, G gates side by side; x (N, T, D), W (D, G*H), U (H, G*H), b (G*H,)
# Z (N, T, G*H): x @ W, then the gates, then the gradients of the sums

States stay on the multiprocessor from step to step; what all samples share of a step, x @ W and the weights' gradients,
are products over all steps at once.
"""

from __future__ import annotations

from functools import cache

from simulator.nn.backend.gpu.activation import curve_of
from simulator.nn.backend.gpu.affine import column_sums
from simulator.nn.backend.gpu.device import entries, product, start, zeros
from simulator.nn.backend.gpu.plan import Node, Operation, Plan, Weight
from simulator.nn.backend.operation import Cell
from simulator.nn.option import require

# out (J) = v (K) @ M (K, J), whose rows begin ld numbers apart; v and out lie in shared memory
PRODUCT = """__device__ void product(const float* v, const float* M, int K, int J, int ld, float* out, float* room) {
  int groups = blockDim.x / J;
  if (groups < 2) {
    for (int j = threadIdx.x; j < J; j += blockDim.x) {
      float total = 0.0f;
      #pragma unroll 8
      for (int k = 0; k < K; ++k) total += v[k] * M[k * ld + j];
      out[j] = total;
    }
    __syncthreads();
    return;
  }
  int g = threadIdx.x / J, j = threadIdx.x % J;
  if (g < groups) {
    float total = 0.0f;
    #pragma unroll 8
    for (int k = g; k < K; k += groups) total += v[k] * M[k * ld + j];
    room[g * J + j] = total;
  }
  __syncthreads();
  for (int k = threadIdx.x; k < J; k += blockDim.x) {
    float total = 0.0f;
    for (int a = 0; a < groups; ++a) total += room[a * J + k];
    out[k] = total;
  }
  __syncthreads();
}
"""

SHARED = 12_288  # numbers in the shared memory that every kernel has

# A cell in C, for unit k of a step: h is the state before it, s the sums from U, z its place in Z, o that in (N, T, H);
# extra is what it keeps. On the way back e is the state's gradient, d the gradients of the sums, direct the part that
# goes to the state before without U.
FORWARD = """__global__ __launch_bounds__(1024) void cell(int T, int H, const float* U, const float* b,
    const float* bU, float* Z, float* before, float* extra, float* states) {{
  extern __shared__ float shared[];
  float *h = shared, *c = h + H, *r = c + H, *s = r + H, *room = s + {G} * H;
  for (int k = threadIdx.x; k < H; k += blockDim.x) h[k] = c[k] = 0.0f;
  __syncthreads();
  for (int t = 0; t < T; ++t) {{
    int step = blockIdx.x * T + t;
    product(h, U, H, {first} * H, {G} * H, s, room);
    for (int k = threadIdx.x; k < H; k += blockDim.x) {{
      int o = step * H + k, z = step * {G} * H + k;
      before[o] = h[k];
      {forward}
    }}
    __syncthreads();
    {last}
  }}
}}"""
BACKWARD = """__global__ __launch_bounds__(1024) void cell_back(int T, int H, int sequences, const float* U,
    const float* dy, const float* before, const float* extra, const float* states, float* Z, float* ZU) {{
  extern __shared__ float shared[];
  float *dh = shared, *dc = dh + H, *d = dc + H, *direct = d + {G} * H, *room = direct + H;
  for (int k = threadIdx.x; k < H; k += blockDim.x) dh[k] = dc[k] = direct[k] = 0.0f;
  __syncthreads();
  for (int t = T - 1; t >= 0; --t) {{
    int step = blockIdx.x * T + t;
    for (int k = threadIdx.x; k < H; k += blockDim.x) {{
      int o = step * H + k, z = step * {G} * H + k;
      float e = dh[k] + direct[k];
      if (sequences) e += dy[o];
      else if (t == T - 1) e += dy[blockIdx.x * H + k];
      {backward}
    }}
    __syncthreads();
    {back_last}
  }}
}}"""
THEN = "product(d, U, {G} * H, H, H, dh, room);"  # U turned round


@cache
def kernels(kind: str, activation: str, gate: str, reset_after: bool) -> tuple[str, str, int]:
    """The texts of both kernels, and how many gates there are."""
    act, at = curve_of(activation).at, curve_of(gate).at
    slope, gslope = curve_of(activation).slope_at, curve_of(gate).slope_at
    last, then = "", THEN
    if kind == "rnn":
        gates = first = 1
        forward = f"states[o] = {act('Z[z] + s[k] + b[k]')};\n      h[k] = states[o];"
        backward = f"d[k] = Z[z] = e * {slope('states[o]')};"
    elif kind == "lstm":
        gates = first = 4
        parts = [f"Z[z + {q} * H] + s[k + {q} * H] + b[k + {q} * H]" for q in range(4)]
        forward = f"""float si = {parts[0]}, sf = {parts[1]}, sg = {parts[2]}, so = {parts[3]};
      float i = {at("si")}, f = {at("sf")}, g = {act("sg")}, q = {at("so")};
      c[k] = f * c[k] + i * g;
      float a = {act("c[k]")};
      Z[z] = i;
      Z[z + H] = f;
      Z[z + 2 * H] = g;
      Z[z + 3 * H] = q;
      extra[o] = c[k];
      states[o] = q * a;
      h[k] = states[o];"""
        backward = f"""float i = Z[z], f = Z[z + H], g = Z[z + 2 * H], q = Z[z + 3 * H], a = {act("extra[o]")};
      float cell = dc[k] + e * q * {slope("a")};
      d[k] = Z[z] = cell * g * {gslope("i")};
      d[k + H] = Z[z + H] = (t ? cell * extra[o - H] : 0.0f) * {gslope("f")};
      d[k + 2 * H] = Z[z + 2 * H] = cell * i * {slope("g")};
      d[k + 3 * H] = Z[z + 3 * H] = e * a * {gslope("q")};
      dc[k] = cell * f;"""
    elif reset_after:
        gates = first = 3
        forward = f"""float sz = Z[z] + s[k] + b[k] + bU[k], sr = Z[z + H] + s[k + H] + b[k + H] + bU[k + H];
      float u = {at("sz")}, r0 = {at("sr")}, inner = s[k + 2 * H] + bU[k + 2 * H];
      float sg = Z[z + 2 * H] + b[k + 2 * H] + r0 * inner, g = {act("sg")};
      Z[z] = u;
      Z[z + H] = r0;
      Z[z + 2 * H] = g;
      extra[o] = inner;
      states[o] = g + u * (h[k] - g);
      h[k] = states[o];"""
        backward = f"""float u = Z[z], r = Z[z + H], g = Z[z + 2 * H], dg = e * (1.0f - u) * {slope("g")};
      d[k] = Z[z] = ZU[z] = e * (before[o] - g) * {gslope("u")};
      d[k + H] = Z[z + H] = ZU[z + H] = dg * extra[o] * {gslope("r")};
      d[k + 2 * H] = ZU[z + 2 * H] = dg * r;
      Z[z + 2 * H] = dg;
      direct[k] = e * u;"""
    else:
        gates, first = 3, 2
        forward = f"""float sz = Z[z] + s[k] + b[k], sr = Z[z + H] + s[k + H] + b[k + H];
      Z[z] = {at("sz")};
      Z[z + H] = {at("sr")};
      r[k] = Z[z + H] * h[k];
      extra[o] = r[k];"""
        last = f"""product(r, U + 2 * H, H, H, 3 * H, s, room);
    for (int k = threadIdx.x; k < H; k += blockDim.x) {{
      int o = step * H + k, z = step * 3 * H + k;
      float sg = Z[z + 2 * H] + b[k + 2 * H] + s[k], g = {act("sg")};
      Z[z + 2 * H] = g;
      states[o] = g + Z[z] * (h[k] - g);
      h[k] = states[o];
    }}
    __syncthreads();"""
        backward = f"""float u = Z[z], g = Z[z + 2 * H];
      d[k] = Z[z] = e * (before[o] - g) * {gslope("u")};
      d[k + 2 * H] = Z[z + 2 * H] = e * (1.0f - u) * {slope("g")};
      direct[k] = e * u;"""
        then = f"""product(d + 2 * H, U + 2 * H * H, H, H, H, dh, room);
    for (int k = threadIdx.x; k < H; k += blockDim.x) {{
      int o = step * H + k, z = step * 3 * H + k;
      float r = Z[z + H];
      direct[k] += dh[k] * r;
      d[k + H] = Z[z + H] = dh[k] * before[o] * {gslope("r")};
    }}
    __syncthreads();
    product(d, U, 2 * H, H, H, dh, room);"""
    names = {"G": gates, "first": first}
    there = FORWARD.format(**names, forward=forward, last=last)
    back = BACKWARD.format(**names, backward=backward, back_last=then.format(**names) if then is THEN else then)
    return PRODUCT + there, PRODUCT + back, gates


_turned = entries("turned_matrix", "int K, int J, const float* U, float* UT", "UT[i % J * K + i / J] = U[i];")
_last = entries("last_of", "int T, int H, const float* x, float* y", "y[i] = x[(i / H * T + T - 1) * H + i % H];")
_chosen = entries(
    "chosen", "int J, int from, const float* x, float* y", "y[i] = i % J < from ? y[i] : x[i];"
)  # the columns of x from one on


class Recurrent(Operation):
    def __init__(self, plan: Plan, x: Node, cell: Cell, sequences: bool, named: dict[str, Weight]) -> None:
        steps, depth = x.shape
        units, n = cell.units, plan.n
        states = zeros(n, steps, units)
        shape = (steps, units) if sequences else (units,)
        super().__init__(plan, shape, x, weights=list(named.values()), value=states if sequences else None)
        self.size, self.sequences, self.states = (steps, units), sequences, states
        gate = cell.recurrent_activation
        self.there, self.back, self.gates = kernels(cell.kind, cell.activation, gate, cell.reset_after)
        self.resets_first = cell.kind == "gru" and not cell.reset_after
        columns = self.gates * units
        self.w, self.u = named["kernel"].value, named["recurrent_kernel"].value
        none = zeros(columns)
        self.b = named["bias"].value if "bias" in named else none
        self.bU = named["recurrent_bias"].value if "recurrent_bias" in named else none
        self.grads = {name: plan.gradient(weight) for name, weight in named.items()}
        self.z, self.before, self.extra = (zeros(n, steps, size) for size in (columns, units, units))
        self.zu = zeros(n, steps, columns) if cell.kind == "gru" and cell.reset_after else self.z
        self.ut = zeros(columns, units)
        self.parts = column_sums.parts(n * steps, columns)
        self.threads = min(1024, max(64, -(-columns // 32) * 32))
        room = max(self.threads, columns)
        self.shared = (3 + self.gates) * units + room
        rule = f"A cell's states fit into a GPU's shared memory, {SHARED:,} numbers."
        require(self.shared <= SHARED, rule, f"{units} units, {self.shared:,} numbers", 'Choose the backend "numpy".')
        self.flat = (n * steps, depth)

    def forward(self, plan: Plan) -> None:
        steps, units = self.size
        product(self.x.reshape(self.flat), self.w, self.z.reshape(self.flat[0], -1))
        given = (self.u, self.b, self.bU, self.z, self.before, self.extra, self.states)
        start(self.there, (plan.n,), self.threads, steps, units, *given, shared=self.shared)
        if not self.sequences:
            _last(self.y.size, steps, units, self.states, self.y)

    def backward(self, plan: Plan) -> None:
        steps, units = self.size
        columns = self.gates * units
        _turned(self.u.size, units, columns, self.u, self.ut)
        given = (self.ut, self.dy, self.before, self.extra, self.states, self.z, self.zu)
        start(self.back, (plan.n,), self.threads, steps, units, int(self.sequences), *given, shared=self.shared)
        errors, of_state = (a.reshape(self.flat[0], columns) for a in (self.z, self.zu))
        x, before = self.x.reshape(self.flat), self.before.reshape(self.flat[0], units)
        grads = self.grads
        if grads["kernel"] is not None:
            product(x.T, errors, grads["kernel"])
        recurrent = grads["recurrent_kernel"]
        if recurrent is not None:
            product(before.T, of_state, recurrent)
            if self.resets_first:
                other = plan.scratch("recurrent", units, columns)
                product(self.extra.reshape(self.flat[0], units).T, errors, other)
                _chosen(other.size, columns, 2 * units, other, recurrent)
        for name, of in (("bias", errors), ("recurrent_bias", of_state)):
            if grads.get(name) is not None:
                column_sums(self.flat[0], self.parts, (of,), (grads[name],))
        if self.dx is not None:
            product(errors, self.w.T, self.dx.reshape(self.flat))
