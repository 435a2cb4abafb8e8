"""From a model to its verified workbook: seconds, cells per second, growth with parameters, steps and samples.

Run by hand: `python -m benchmarks.networks`; it takes some minutes and writes its section of reports/benchmarks.md.
Every measurement is a process of its own; kinds of networks alternate, and medians are reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from benchmarks.report import machine, write_section

Numbers = dict[str, float]


def network(kind: str, size: int) -> tuple[object, object, object, int]:
    """A model with data and epochs: of 200,000 cells, or one that grows in one direction."""
    import numpy as np

    from simulator import nn
    from simulator.lessons.gallery import EXHIBITS

    if kind in EXHIBITS:
        e = EXHIBITS[kind]
        return e.make(), e.X, e.Y, size
    samples = size if kind == "samples" else 4
    units = size if kind == "units" else 3
    epochs = size if kind == "steps" else 1
    X = np.round(np.random.default_rng(1).normal(size=(samples, 4)), 3)
    Y = (X[:, :1] > 0).astype(float)
    first, second = (nn.Dense(units, activation="tanh") for _ in range(2))
    model = nn.Sequential([nn.Input((4,)), first, second, nn.Dense(1, activation="sigmoid")])
    return model.compile(nn.SGD(0.5), "binary_crossentropy"), X, Y, epochs


def measured(kind: str, size: int) -> Numbers:
    """Seconds of each stage of one workbook, in this process."""
    import numpy as np

    from simulator.book.network import network_workbook
    from simulator.nn.model import Model
    from simulator.sheet.panel import Panel
    from simulator.xlsx.verify import formula_cells, verify
    from simulator.xlsx.writer import write_workbook

    model, X, Y, epochs = network(kind, size)
    assert isinstance(model, Model)
    x = model.inputs_checked(np.asarray(X))
    y = model.labels_checked(np.asarray(Y), len(x))
    clock = [time.perf_counter()]
    workbook = network_workbook(model, x, y, epochs)
    panels = [t for s in workbook.sheets for t in s.tables if isinstance(t, Panel)]
    planned = sum(len(p.plan) for p in panels)
    clock.append(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        path = write_workbook(workbook, Path(folder) / "network.xlsx")
        clock.append(time.perf_counter())
        agrees = verify(path, workbook, ["ironcalc"]).agrees
        clock.append(time.perf_counter())
        size_MiB = path.stat().st_size / 2**20
    if not agrees or not planned:
        raise SystemExit("the workbook does not verify")
    trace, write, check = (b - a for a, b in pairwise(clock))
    cells = sum(map(formula_cells, workbook.sheets))
    parameters = float(model.count_params())
    return {"cells": cells, "parameters": parameters, "trace": trace, "write": write, "verify": check, "MiB": size_MiB}


def in_a_process(kind: str, size: int) -> Numbers:
    command = [sys.executable, "-m", "benchmarks.networks", "--one", kind, "--size", str(size)]
    found: Numbers = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


LARGE = (("two-two-two", 3700), ("lenet-digit", 100), ("lstm", 550))
GROWTH: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("steps", "steps of a 4-3-3-1 network on 4 samples", (10, 100, 1000, 2000)),
    ("units", "units in two hidden layers, 1 step, 4 samples", (4, 16, 32, 48)),
    ("samples", "samples, 1 step of a 4-3-3-1 network", (4, 40, 160, 320)),
)


def report(runs: int) -> str:
    large: dict[str, list[Numbers]] = {kind: [] for kind, _ in LARGE}
    for _ in range(runs):
        for kind, size in LARGE:
            large[kind].append(in_a_process(kind, size))
            print(kind, large[kind][-1], file=sys.stderr)

    def middle(kind: str, value: Callable[[Numbers], float]) -> float:
        return statistics.median(map(value, large[kind]))

    def whole(n: Numbers) -> float:
        return n["trace"] + n["write"] + n["verify"]

    lines = [
        f"`python -m benchmarks.networks` on {machine()}. Medians of {runs} alternating runs, each in its own process.",
        "Trace: equations to formula texts and values. Write: the finished file. Verify: recalculate in IronCalc and",
        "compare every cell.",
        "",
        "## About 200,000 formula cells",
        "",
        "| network | formulas | trace, s | write, s | verify, s | all, s | cells/s | trace / write |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, size in LARGE:
        cells = middle(kind, lambda n: n["cells"])
        lines.append(
            f"| `{kind}`, {size} steps | {cells:,.0f} | {middle(kind, lambda n: n['trace']):.2f} | "
            f"{middle(kind, lambda n: n['write']):.2f} | {middle(kind, lambda n: n['verify']):.2f} | "
            f"**{middle(kind, whole):.1f}** | {cells / middle(kind, whole):,.0f} | "
            f"{middle(kind, lambda n: n['trace'] / n['write']):.2f} |"
        )
    lines += [
        "",
        "Aims: all under 20 s; trace / write at most 1. A step is traced once, however often it is written: the tables",
        "below show what a single large step costs, where tracing takes longer than writing.",
        "",
    ]
    for kind, title, sizes in GROWTH:
        lines += [
            f"## Growth with {title}",
            "",
            f"| {kind} | parameters | formulas | trace, s | write, s | verify, s | cells/s |",
            "|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for size in sizes:
            n = in_a_process(kind, size)
            lines.append(
                f"| {size:,} | {n['parameters']:,.0f} | {n['cells']:,.0f} | {n['trace']:.2f} | {n['write']:.2f} | "
                f"{n['verify']:.2f} | {n['cells'] / whole(n):,.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one")
    parser.add_argument("--size", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.size)))
        return
    print(write_section("Networks", report(options.runs)))


if __name__ == "__main__":
    main()
