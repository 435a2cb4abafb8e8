"""Training steps beside PyTorch's: the same network, batch and data, float32, two threads.

Run by hand: `python -m benchmarks.training`; it needs PyTorch and Linux, takes a quarter of an hour and writes its
section of reports/benchmarks.md. Each side is a process of its own; they take turns, and a ratio is of neighbouring
turns. A turn in which other processes were busy is taken again. Ours goes through the public `fit`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import MODELS, Epoch, ours, theirs
from benchmarks.naive import naive, parts_of
from benchmarks.products import products_alone
from benchmarks.report import machine, processor, write_section

SECONDS, TURNS, TRIES, NOISE = 0.5, 7, 20, 0.08
FEW = 3  # turns of the sides that nothing is compared with turn by turn
# What a side runs, and what its process gets in its environment
SIDES: dict[str, tuple[Callable[[str], Epoch], dict[str, str]]] = {
    "theirs": (theirs, {}),
    "ours": (ours, {"SIMULATOR_NUMBA": "0"}),
    "compiled": (ours, {"SIMULATOR_NUMBA": "1"}),
    "products": (products_alone, {"SIMULATOR_NUMBA": "0"}),
    "naive": (naive, {}),
}
Turns = dict[str, list[float]]


def resident(field: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most since `forget_peak`."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(field))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def work(side: str, name: str) -> None:
    """A process: first the MiB that training took, then for every line on standard input a turn: its milliseconds per
    step, and seconds of processor time."""
    if side == "theirs":
        import torch  # noqa: F401, so that its own size isn't counted
    else:
        import simulator.nn  # noqa: F401
    forget_peak()
    before, epoch = resident("VmRSS"), SIDES[side][0](name)
    for _ in range(3):
        epoch()
    print(json.dumps(resident("VmHWM") - before), flush=True)
    for _ in sys.stdin:
        times, began, spent = [], time.perf_counter(), time.process_time()
        while time.perf_counter() - began < SECONDS:
            start = time.perf_counter()
            epoch()
            times.append(time.perf_counter() - start)
        milliseconds = statistics.median(times) * 1e3 / MODELS[name].batches
        print(json.dumps([milliseconds, time.process_time() - spent]), flush=True)


def busy() -> float:
    """Seconds that all processors together have worked."""
    fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    used = sum(int(fields[k]) for k in (0, 1, 2, 5, 6))
    return used / os.sysconf("SC_CLK_TCK")


class Worker:
    def __init__(self, side: str, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks.training", "--work", side, "--only", name]
        environment = os.environ | SIDES[side][1]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.memory = float(self.answer())

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker has stopped")
        return json.loads(line)

    def turn(self) -> float:
        """Milliseconds per step, taken again while other processes use more than a share of a core."""
        assert self.process.stdin
        for _ in range(TRIES):
            before, start = busy(), time.perf_counter()
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            found, mine = self.answer()
            others = (busy() - before - mine) / (time.perf_counter() - start)
            if others < NOISE:
                break
            time.sleep(0.5)
        return float(found)

    def end(self) -> None:
        self.process.communicate()


def measure(name: str, turns: int) -> tuple[Turns, dict[str, float]]:
    """Milliseconds per step of every turn, and MiB that training took, by the side."""
    sides = ["theirs", "ours", "products"]
    sides += ["compiled"] if importlib.util.find_spec("numba") else []
    sides += ["naive"] if parts_of(name) else []
    workers = {side: Worker(side, name) for side in sides}
    found: Turns = {side: [] for side in sides}
    for k in range(turns):
        mine = [s for s in sides if k < FEW or s not in ("products", "naive")]
        for side in mine if k % 2 == 0 else reversed(mine):
            found[side].append(workers[side].turn())
    for worker in workers.values():
        worker.end()
    return found, {side: worker.memory for side, worker in workers.items()}


def ratios(found: Turns, side: str) -> list[float]:
    return [a / b for a, b in zip(found["theirs"], found[side], strict=True)] if side in found else []


def spread(found: Turns, side: str) -> str:
    some = ratios(found, side)
    return f"**{statistics.median(some):.2f}** ({min(some):.2f} to {max(some):.2f})" if some else "–"


def milliseconds(found: Turns, side: str) -> str:
    return f"{statistics.median(found[side]):.2f}" if side in found else "–"


def report(rows: dict[str, tuple[Turns, dict[str, float]]], turns: int, versions: str) -> str:
    lines = [
        f"`python -m benchmarks.training` on {machine()}, NumPy {np.__version__}, {versions}. Milliseconds per",
        f"training step, float32, two threads, medians of {turns} turns of each side; ours through `fit`. Ratio:",
        "PyTorch's time over ours, above 1 where ours is faster, with its least and largest. With the extra `fast`",
        "Numba compiles part of the work.",
        "",
        "| model | batch | PyTorch, ms | ours, ms | ratio | aim | with Numba, ms | ratio | aim |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    missed: list[str] = []
    for name, (found, _) in rows.items():
        c = MODELS[name]
        lines.append(
            f"| {name} | {c.batch} | {milliseconds(found, 'theirs')} | {milliseconds(found, 'ours')} | "
            f"{spread(found, 'ours')} | {c.aim} | {milliseconds(found, 'compiled')} | {spread(found, 'compiled')} | "
            f"{c.compiled_aim} |"
        )
        for side, aim, how in (("ours", c.aim, ""), ("compiled", c.compiled_aim, " with Numba")):
            some = ratios(found, side)
            missed += [name + how] if some and statistics.median(some) < aim else []
    lines += ["", f"Below the aim: {', '.join(missed)}." if missed else "No model is below its aim."]
    lines += [
        "",
        "What bounds it, and what it is worth: the step's matrix products alone, in NumPy and the same threads; the",
        "same network as it is written in class, with patches by fancy indices and `np.add.at`, where this peer has",
        "the layers; and the resident memory that training adds to a process in which the library is loaded, data",
        "included.",
        "",
        "| model | products alone, ms | share of our step | in class, ms | in class over ours | PyTorch, MiB "
        "| ours, MiB | over PyTorch's (aim: at most 2) |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, (found, memory) in rows.items():
        mine = statistics.median(found["ours"])
        share = statistics.median(found["products"]) / mine
        times = f"{statistics.median(found['naive']) / mine:.1f}" if "naive" in found else "–"
        lines.append(
            f"| {name} | {milliseconds(found, 'products')} | {share:.0%} | {milliseconds(found, 'naive')} | {times} | "
            f"{memory['theirs']:.0f} | {memory['ours']:.0f} | {memory['ours'] / memory['theirs']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", default="", choices=["", *MODELS], help="one model; nothing is written")
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.only)
        return
    rows = {}
    for name in [options.only] if options.only else MODELS:
        rows[name] = found, memory = measure(name, options.turns)
        print(name, {s: f"{statistics.median(t):.2f} ms, {memory[s]:.0f} MiB" for s, t in found.items()}, flush=True)
        print("ratio", spread(found, "ours"), "with Numba", spread(found, "compiled"), flush=True)
    if not options.only:
        import torch

        versions = f"PyTorch {torch.__version__}"
        if importlib.util.find_spec("numba"):
            import numba

            versions += f", Numba {numba.__version__}"
        print(write_section(f"Training on {processor()}", report(rows, options.turns, versions)))


if __name__ == "__main__":
    main()
