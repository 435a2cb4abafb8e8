"""A module in the place of CuPy where there is no GPU: it has what the backend uses, on NumPy arrays, and no more.

Kernels are compiled as they are, as C for the processor, and run with one thread per block, block after block. What
CuPy would refuse, or would do more slowly than it seems, is refused: NumPy's functions on its arrays, numbers of
another type than a kernel declares, arrays with gaps, products of other than matrices in float32.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

COMPILER = shutil.which("cc")
HOST = """#include <math.h>
typedef struct { int x, y, z; } Place;
static Place blockIdx, gridDim, threadIdx, blockDim = {1, 1, 1};
static float shared_room[1 << 18];
#define __global__ static
#define __device__ static
#define __shared__ static
#define __syncthreads()
#define __launch_bounds__(n)
"""
ROOM = 48 * 1024  # bytes of shared memory that a kernel has without asking for more


class RefusedError(TypeError):
    """What CuPy or its speed doesn't allow."""


class Array:
    """An array "on the GPU"."""

    def __init__(self, array: np.ndarray) -> None:
        self._a = array

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    size = property(lambda self: self._a.size)
    flags = property(lambda self: self._a.flags)
    ndim = property(lambda self: self._a.ndim)
    nbytes = property(lambda self: self._a.nbytes)
    data = property(lambda self: SimpleNamespace(ptr=self._a.ctypes.data))

    def __len__(self) -> int:
        return len(self._a)

    @property
    def T(self) -> Array:
        return Array(self._a.T)

    def __array__(self, *args: Any, **options: Any) -> None:
        raise RefusedError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __getitem__(self, key: Any) -> Array:
        for part in key if isinstance(key, tuple) else (key,):
            if not isinstance(part, int | slice):
                raise RefusedError(f"an index that copies: {part!r}")
        found = self._a[key]
        return Array(found if isinstance(found, np.ndarray) else self._a[key : key + 1].reshape(()))

    def reshape(self, *shape: Any) -> Array:
        found = self._a.reshape(*shape)
        if not np.shares_memory(found, self._a):
            raise RefusedError("another shape that copies")
        return Array(found)

    def set(self, array: np.ndarray) -> None:
        if not isinstance(array, np.ndarray) or array.dtype != self.dtype or array.shape != self.shape:
            raise RefusedError(f"set takes a NumPy array {self.shape} of {self.dtype}, not {array!r}")
        _now()
        self._a[...] = array

    def get(self) -> np.ndarray:
        _now()
        return self._a.copy()


def _now() -> None:
    if Stream.recording is not None:
        raise RefusedError("a transfer while a graph is captured")


def zeros(shape: Any, dtype: Any) -> Array:
    return full(shape, 0, dtype)


def full(shape: Any, value: float, dtype: Any) -> Array:
    return Array(np.full(shape, value, dtype))


def array(values: np.ndarray, dtype: Any, order: Any = "K") -> Array:
    return Array(np.array(values, dtype, order=order))


def matmul(a: Array, b: Array, out: Array) -> None:
    for each in (a, b, out):
        if each.dtype != np.float32 or each.ndim != 2:
            raise RefusedError(f"a product of arrays {each.shape} of {each.dtype}")
    for each in (a._a, b._a):
        if not (each.flags.c_contiguous or each.T.flags.c_contiguous):
            raise RefusedError("a product that copies a factor")
    if not out._a.flags.c_contiguous or out.shape != (a.shape[0], b.shape[1]):
        raise RefusedError(f"a product ({a.shape[0]}, {b.shape[1]}) into {out.shape}")
    _do(lambda: np.matmul(a._a, b._a, out=out._a))


def _do(work: Any) -> None:
    if Stream.recording is None:
        work()
    else:
        Stream.recording.append(work)


@cache
def _compiled(code: str, name: str) -> tuple[Any, list[tuple[type, bool]]]:
    """The compiled kernel and what it takes: types, and whether it is a pointer to them."""
    head = re.search(rf"void {name}\((.*?)\)\s*{{", code, re.DOTALL)
    assert head, code
    types = {"float": np.float32, "int": np.int32}
    parameters = [p.replace("const ", "").split() for p in head[1].replace("*", "* ").split(",")]
    takes = [(types[kind.rstrip("*")], kind.endswith("*")) for kind, _ in parameters]
    names = ", ".join(called for _, called in parameters)
    body = code.replace('extern "C"', "").replace("extern __shared__ float shared[];", "float* shared = shared_room;")
    run = f"""
void run_all(int run_x, int run_y, {head[1]}) {{
  gridDim.x = run_x; gridDim.y = run_y; gridDim.z = 1;
  for (blockIdx.y = 0; blockIdx.y < run_y; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < run_x; ++blockIdx.x) {name}({names});
}}"""
    whole = HOST + body + run
    folder = Path(tempfile.gettempdir()) / "cupy-stand-in"
    folder.mkdir(exist_ok=True)
    library = folder / f"{hashlib.sha256(whole.encode()).hexdigest()[:24]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as there:
            source, made = Path(there) / "kernel.c", Path(there) / "kernel.so"
            source.write_text(whole)
            assert COMPILER
            flags = ["-O1", "-shared", "-fPIC", "-w", "-Werror=implicit-function-declaration"]
            subprocess.run([COMPILER, *flags, "-o", str(made), str(source), "-lm"], check=True)
            made.replace(library)
    return ctypes.CDLL(str(library)).run_all, takes


class RawKernel:
    def __init__(self, code: str, name: str) -> None:
        self.code, self.name = code, name

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], shared_mem: int = 0
    ) -> None:
        run, takes = _compiled(self.code, self.name)
        if len(args) != len(takes) or not 0 < block[0] <= 1024 or min(grid) < 1 or max(grid[1:], default=1) > 65535:
            raise RefusedError(f"{self.name} takes {len(takes)} arguments, not {len(args)}, grid {grid}, block {block}")
        if shared_mem > ROOM:
            raise RefusedError(f"{self.name} asks for {shared_mem} bytes of shared memory")
        given: list[Any] = []
        for k, (argument, (kind, points)) in enumerate(zip(args, takes, strict=True)):
            if points:
                if not isinstance(argument, Array) or argument.dtype != kind or not argument._a.flags.c_contiguous:
                    raise RefusedError(f"argument {k} of {self.name} is a whole array of {kind.__name__}: {argument!r}")
                given.append(ctypes.c_void_p(argument._a.ctypes.data))
            else:
                if type(argument) is not kind:
                    raise RefusedError(f"argument {k} of {self.name} is a {kind.__name__}: {argument!r}")
                given.append((ctypes.c_float if kind is np.float32 else ctypes.c_int)(argument.item()))
        columns, rows = (*grid, 1)[:2]
        _do(lambda: run(columns, rows, *given) and None)


class Graph:
    def __init__(self, work: list[Any]) -> None:
        self.work = work

    def launch(self, stream: Stream) -> None:
        for each in self.work:
            each()


class Stream:
    recording: list[Any] | None = None

    def __init__(self, non_blocking: bool = False) -> None:
        self.non_blocking = non_blocking

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin_capture(self) -> None:
        if not self.non_blocking:
            raise RefusedError("the default stream can't be captured")
        Stream.recording = []

    def end_capture(self) -> Graph:
        work, Stream.recording = Stream.recording, None
        assert work is not None
        return Graph(work)


class CUDARuntimeError(RuntimeError):
    pass


def module(devices: int = 1) -> ModuleType:
    """The stand-in as a module with so many GPUs."""
    found: Any = ModuleType("cupy")
    for item in (zeros, full, array, matmul, RawKernel):
        setattr(found, item.__name__, item)
    runtime = SimpleNamespace(getDeviceCount=lambda: devices, CUDARuntimeError=CUDARuntimeError)
    found.cuda = SimpleNamespace(runtime=runtime, Stream=Stream)
    found.is_stand_in = True
    return found  # type: ignore[no-any-return]
