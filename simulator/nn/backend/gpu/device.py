"""The GPU: CuPy, kernels written in C, and their launch. The one place where CuPy enters.

A kernel reads n, its number of entries or rows, then pointers and numbers; any number of threads does the same work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from simulator.errors import SettingError
from simulator.nn.option import require

Array = Any  # of CuPy
Launch = Callable[..., None]
THREADS = 256
BLOCKS = 4096  # at most: threads go on to further entries

PRELUDE = """
__device__ unsigned int drawn(unsigned int seed, unsigned int number, unsigned int step, unsigned int i) {
  unsigned long long z = ((unsigned long long)seed << 32 ^ number) * 0x9E3779B97F4A7C15ull + step;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z = (z ^ (z >> 31)) + (i + 1ull) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return (unsigned int)((z ^ (z >> 31)) >> 32);
}
__device__ float share(unsigned int drawn) { return (drawn >> 8) * (1.0f / 16777216.0f); }
"""  # SplitMix64 (Steele, Lea & Flood 2014) over seed, operation, step and entry, so that a resumed run draws the same


@cache
def cupy() -> Any:
    """CuPy. Raises SettingError where it or a GPU is missing."""
    try:
        import cupy as found
    except ImportError:
        raise SettingError(
            'The backend "cupy" needs CuPy. Received: an installation without it. '
            'pip install "backpropagation-simulator[gpu]", or choose the backend "numpy".'
        ) from None
    try:
        devices = found.cuda.runtime.getDeviceCount()
    except found.cuda.runtime.CUDARuntimeError as error:
        raise SettingError(
            f'The backend "cupy" needs an NVIDIA GPU. Received: {error}. Check nvidia-smi, or choose "numpy".'
        ) from None
    require(devices > 0, 'The backend "cupy" needs an NVIDIA GPU.', "none", 'Choose the backend "numpy".')
    return found


@cache
def kernel(source: str) -> Any:
    """A kernel by its text, compiled when it is launched first."""
    name = re.search(r"__global__ .*?void (\w+)", source)
    assert name
    return cupy().RawKernel(PRELUDE + source.replace("__global__", 'extern "C" __global__'), name[1])


def entries(name: str, parameters: str, body: str) -> Launch:
    """A launch(n, *arguments) of a kernel that does body for every entry i below n."""
    source = f"""__global__ void {name}(int n, {parameters}) {{
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {{
    {body}
  }}
}}"""

    def launch(n: int, *arguments: Any) -> None:
        start(source, (min(-(-n // THREADS), BLOCKS),), THREADS, n, *arguments)

    return launch


def start(source: str, grid: tuple[int, ...], threads: int, *arguments: Any, shared: int = 0) -> None:
    """Start a kernel on a grid of blocks; shared is its memory per block in numbers."""
    given = [_given(a) for a in arguments]
    kernel(source)(grid, (threads,), tuple(given), shared_mem=4 * shared)


def _given(argument: Any) -> Any:
    if isinstance(argument, float):
        return np.float32(argument)
    if isinstance(argument, int):
        rule = "An array on the GPU has less than 2^31 numbers."
        require(argument < 2**31 - THREADS * BLOCKS, rule, argument, "Train with smaller batches.")
        return np.int32(argument)
    assert argument.flags.c_contiguous, "a kernel reads an array in the order of its rows"
    return argument


def zeros(*shape: int) -> Array:
    return cupy().zeros(shape, np.float32)


def product(a: Array, b: Array, out: Array) -> None:
    """out = a @ b of matrices: batched products and others than float32 take slower ways in CuPy."""
    cupy().matmul(a, b, out=out)


def number(value: float) -> str:
    """A number as C writes it.

    >>> number(1e-7), number(3)
    ('1e-07f', '3.0f')
    """
    return f"{float(value)!r}f"


_copy = entries("copy", "const float* x, float* y", "y[i] = x[i];")
_add = entries("add", "const float* x, float* y", "y[i] += x[i];")


def copy(x: Array, y: Array) -> None:
    _copy(y.size, x, y)


def add_to(x: Array, y: Array) -> None:
    """y += x."""
    _add(y.size, x, y)


# Sums over rows. Two numbers of every column at a time, first over parts of the rows, then over the parts.

COLUMNS = """__global__ void {name}(int rows, int F, float* parts, {parameters}) {{
  __shared__ float first[256], second[256];
  int W = blockDim.x < 32 ? 1 : 32, R = blockDim.x / W, tx = threadIdx.x % W, ty = threadIdx.x / W;
  for (int start = blockIdx.x * W; start < F; start += gridDim.x * W) {{
    int f = start + tx;
    float a = 0.0f, b = 0.0f;
    if (f < F) {{
      for (int r = blockIdx.y * R + ty; r < rows; r += gridDim.y * R) {{
        int i = r * F + f;
        {body}
      }}
    }}
    first[threadIdx.x] = a;
    second[threadIdx.x] = b;
    __syncthreads();
    if (ty == 0 && f < F) {{
      for (int k = 1; k < R; ++k) {{
        a += first[k * W + tx];
        b += second[k * W + tx];
      }}
      parts[(2 * blockIdx.y) * F + f] = a;
      parts[(2 * blockIdx.y + 1) * F + f] = b;
    }}
    __syncthreads();
  }}
}}"""


class Columns:
    """Sums over all rows of a matrix: body adds to a and b at entry i of column f; finish says what becomes of them.

    The order of the sums doesn't depend on the run, so that the same run gives the same bits.
    """

    def __init__(self, name: str, parameters: str, body: str, finish_parameters: str, finish: str) -> None:
        self.source = COLUMNS.format(name=f"{name}_parts", parameters=parameters, body=body)
        total = "float a = 0.0f, b = 0.0f;\n    for (int k = 0; k < parts; ++k) {\n"
        total += "      a += part[2 * k * n + i];\n      b += part[(2 * k + 1) * n + i];\n    }\n    "
        self.finish = entries(f"{name}_sums", f"int parts, const float* part, {finish_parameters}", total + finish)

    def parts(self, rows: int, columns: int) -> Array:
        """Room for the sums of parts of the rows."""
        return zeros(max(1, min(64, -(-rows // 64))), 2, columns)

    def __call__(self, rows: int, parts: Array, arguments: tuple[Any, ...], finish: tuple[Any, ...]) -> None:
        count, _, columns = parts.shape
        start(self.source, (-(-columns // 32), count), THREADS, rows, columns, parts, *arguments)
        self.finish(columns, count, parts, *finish)


SUM = """__global__ void sum_of(int n, const float* x, float factor, float* total) {
  __shared__ float some[256];
  float a = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) a += x[i];
  some[threadIdx.x] = a;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int k = 1; k < blockDim.x; ++k) a += some[k];
    total[0] = a * factor;
  }
}"""


def sum_to(x: Array, factor: float, total: Array) -> None:
    """total = factor * the sum of x, in one block."""
    start(SUM, (1,), THREADS, x.size, x, factor, total)
