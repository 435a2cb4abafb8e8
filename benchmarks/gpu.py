"""Training steps on a GPU beside PyTorch's with cuDNN: the same network, batch and data, float32.

Run by hand: `python -m benchmarks.gpu`; it needs CuPy, PyTorch and a GPU, takes a minute and writes its section of
reports/benchmarks.md. Ours goes through the public `fit`, which takes every batch from the processor's memory;
PyTorch's data lie on the GPU. Both take turns in one process; a ratio is of neighbouring turns.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.models import MODELS, Epoch, ours, theirs
from benchmarks.report import write_section

SECONDS, TURNS, AIM = 0.3, 5, 1.5


def turn(epoch: Epoch, batches: int) -> float:
    """Milliseconds per step, the median over some epochs."""
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3 / batches


def measure(name: str) -> tuple[float, float, float]:
    """Medians of PyTorch's and our milliseconds, and of our time over PyTorch's."""
    sides = theirs(name, "cuda"), ours(name, "cupy")
    for epoch in sides:
        epoch()
        epoch()
    turns = [[turn(epoch, MODELS[name].batches) for epoch in sides] for _ in range(TURNS)]
    medians = [statistics.median(column) for column in zip(*turns, strict=True)]
    return medians[0], medians[1], statistics.median(mine / theirs for theirs, mine in turns)


def main() -> None:
    import cupy
    import torch

    versions = f"CuPy {cupy.__version__}, PyTorch {torch.__version__}"
    tf32 = f"TF32 in PyTorch's convolutions {torch.backends.cudnn.allow_tf32}, in its matrix products "
    tf32 += f"{torch.backends.cuda.matmul.allow_tf32}"
    lines = [
        f"`python -m benchmarks.gpu` on {torch.cuda.get_device_name(0)}, {versions}. Milliseconds per training step,",
        f"float32, {TURNS} turns of each side; {tf32}.",
        "Ours through `fit`, which takes batches from the processor's memory; PyTorch's data lie on the GPU.",
        "Ratio: our time over PyTorch's, above 1 where ours is slower.",
        "",
        f"| model | batch | PyTorch, ms | ours, ms | ratio (aim: at most {AIM}) |",
        "|---|---:|---:|---:|---:|",
    ]
    missed = []
    for name, contest in MODELS.items():
        torch_ms, our_ms, ratio = measure(name)
        lines.append(f"| {name} | {contest.batch} | {torch_ms:.2f} | {our_ms:.2f} | **{ratio:.2f}** |")
        print(lines[-1], flush=True)
        missed += [name] if ratio > AIM else []
    if missed:
        lines += ["", f"The aim is missed by {', '.join(missed)}."]
    print(write_section("Training on a GPU", "\n".join(lines)))


if __name__ == "__main__":
    main()
