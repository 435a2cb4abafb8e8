"""What training needs of a machine's memory, and what the machine has."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import MemoryNeededError
from simulator.nn.backend.cpu.network import CpuNetwork
from simulator.nn.backend.expression_network import ExpressionNetwork
from simulator.nn.backend.network import Memory
from simulator.nn.optimizer import Optimizer

if TYPE_CHECKING:
    from simulator.nn.model import Model

MODEL, NUMBER = 8, 4  # bytes of a weight in the model, and of a number at full size
PLANNED = 32  # samples of the largest batch whose buffers are planned to be measured
GIB = 2**30
CONTAINER = Path("/sys/fs/cgroup")


def states_of(optimizer: Optimizer) -> int:
    """How many numbers an optimizer keeps for every weight, beside the weight and its gradient.

    >>> from simulator.nn.optimizer import SGD, Adam
    >>> states_of(SGD()), states_of(SGD(momentum=0.9)), states_of(Adam())
    (0, 1, 2)
    """
    one = np.ones(1, np.float32)
    memory = Memory(0.01, 1, {}, one, slice(None), {})
    optimizer.update(memory, one, one)
    return len(memory.states)


def need_of(model: Model, batch: int, gathers: bool = False) -> int:
    """Bytes that training a compiled model with batches of that size takes, beside the model itself.

    gathers says that gradients of several batches are added up, as the model's optimizer may ask too.

    The network's buffers are planned, not touched; those of a large batch follow from smaller ones, since they grow
    evenly with it. To them come weights in float32, what the optimizer keeps, and the room that a checkpoint takes
    while it is put together and the model while it takes weights over. On the backend "expressions" numbers are twice
    as long, and the equations are traced.
    """
    gathers = gathers or model.optimizer.gradient_accumulation_steps is not None
    weights, kept = model.count_params(), 1 + states_of(model.optimizer) + gathers
    around = NUMBER * weights * 3 * kept + MODEL * weights
    network = model.network()
    if isinstance(network, ExpressionNetwork):
        return 2 * around + network.room(batch)
    if batch <= PLANNED:
        return around + _buffers(model, batch)
    half, whole = (_buffers(model, n) for n in (PLANNED // 2, PLANNED))
    return around + whole + (batch - PLANNED) * (whole - half) * 2 // PLANNED


def _buffers(model: Model, batch: int) -> int:
    """Bytes of the buffers in which a batch is trained and in which one is answered, measured while they are made."""
    network = model.network("numpy")
    assert isinstance(network, CpuNetwork)
    network = replace(network, _plans={})
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        before = _in_arrays()
        network.plans(batch, True)
        network.plans(batch, False)
        return _in_arrays() - before
    finally:
        if not tracing:
            tracemalloc.stop()


def _in_arrays() -> int:
    """Bytes of the arrays that NumPy has made since tracing began: those of other objects come and go by chance."""
    arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces)


def free_memory() -> float:
    """Bytes that the machine can give away without swapping; on Linux, macOS and Windows."""
    import psutil  # here: most commands train nothing

    return min(int(psutil.virtual_memory().available), _left_of_limit())


def _left_of_limit() -> float:
    """What a container still may take, where Linux sets it a limit; files that are only kept at hand don't count."""
    try:
        most, used = (int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
        kept = dict(line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):  # none, or "max"
        return math.inf
    return max(most - used + int(kept), 0)


def in_gib(size: float) -> str:
    """
    >>> in_gib(3 * 2**30 // 2)
    '1.5 GiB'
    """
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.0f} MiB"


def require_free(need: int, what: str) -> None:
    """Raises MemoryNeededError unless so many bytes are free."""
    free = free_memory()
    if need > free:
        raise MemoryNeededError(
            f"{what} must fit into memory. Received: {in_gib(need)}, and {in_gib(free)} free. "
            "End other programs, or take a machine with more."
        )


def require_room(model: Model, batch: int, smaller: Iterable[int] = (), option: str = "batch_size") -> int:
    """The bytes of `need_of`. Raises MemoryNeededError unless they are free.

    smaller are other sizes that the option could have, the largest first: the first that fits is named. With the
    option "micro_batch" gradients of several are added up to make the same steps.
    """
    need, free = need_of(model, batch), free_memory()
    if need <= free:
        return need
    for size in smaller:
        other = need_of(model, size, gathers=option == "micro_batch")
        if other <= free:
            raise MemoryNeededError(
                f"Training must fit into memory. Received: {in_gib(need)} for batches of {batch}, and {in_gib(free)} "
                f"free. --set {option}={size} needs {in_gib(other)}."
            )
    require_free(need, f"Training with batches of {batch}")
    return need
