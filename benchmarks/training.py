"""Training steps beside PyTorch's: the same network, batch and data, float32, two threads.

Run by hand: `python -m benchmarks.training`; it needs PyTorch, takes some minutes and writes its section of
reports/benchmarks.md. Each side is a process of its own; they take turns, and a ratio is of neighbouring turns. A turn
in which other processes were busy is taken again. Ours goes through the public `fit`.
"""

from __future__ import annotations

import argparse
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

from benchmarks.report import machine, write_section

BATCHES = 16  # different batches that are trained on in turn
SECONDS, TURNS, TRIES, NOISE = 0.5, 7, 20, 0.08
# name -> batch, aim of PyTorch's time over ours
MODELS = {
    "LeNet": (128, 1.3),
    "MNIST convnet": (64, 1.5),
    "AlexNet at 28": (64, 1.15),
    "MLP": (128, 1.0),
    "character RNN": (32, 1.4),
    "character GRU": (32, 1.5),
    "character LSTM": (32, 0.77),
    "LSTM 16": (256, 0.9),
}
STEPS, VOCABULARY, UNITS = 35, 28, 256


def data_of(name: str) -> tuple[Any, Any]:
    """Inputs (N, ...) channels last, and labels."""
    rng, n = np.random.default_rng(0), MODELS[name][0] * BATCHES
    if name.startswith("character"):
        x = np.eye(VOCABULARY, dtype=np.float32)[rng.integers(0, VOCABULARY, (n, STEPS))]
        return x, rng.integers(0, VOCABULARY, (n, STEPS))
    if name == "LSTM 16":
        return rng.standard_normal((n, 120, 14), np.float32), rng.standard_normal((n, 1), np.float32)
    shape = (784,) if name == "MLP" else (28, 28, 1)
    return rng.standard_normal((n, *shape), np.float32), rng.integers(0, 10, n)


def our_model(name: str, backend: str = "numpy") -> Any:
    from simulator import nn

    layers = nn.layers

    def sigmoids(*units: int) -> list[Any]:
        return [layers.Dense(u, activation="sigmoid") for u in units]

    def conv(filters: int, size: int, padding: str, activation: str = "relu") -> Any:
        return layers.Conv2D(filters, size, padding=padding, activation=activation)

    pool, flat, classes = layers.MaxPooling2D, layers.Flatten, layers.Dense(10, activation="softmax")
    parts: dict[str, Callable[[], Any]] = {
        "LeNet": lambda: [
            conv(6, 5, "same", "sigmoid"), layers.AveragePooling2D(2), conv(16, 5, "valid", "sigmoid"),
            layers.AveragePooling2D(2), flat(), *sigmoids(120, 84), classes,
        ],
        "MNIST convnet": lambda: [
            conv(32, 3, "valid"), pool(2), conv(64, 3, "valid"), pool(2), conv(128, 3, "valid"), flat(), classes,
        ],
        "AlexNet at 28": lambda: [
            conv(64, 3, "same"), pool(2), conv(128, 3, "same"), pool(2), conv(256, 3, "same"), pool(2), flat(),
            layers.Dense(1024, activation="relu"), layers.Dense(512, activation="relu"), classes,
        ],
        "MLP": lambda: [layers.Dense(512, activation="relu"), classes],
        "LSTM 16": lambda: [layers.LSTM(16), layers.Dense(1)],
    }  # fmt: skip
    if name.startswith("character"):
        kind = {"RNN": layers.SimpleRNN, "GRU": layers.GRU, "LSTM": layers.LSTM}[name.split()[1]]
        stack = [kind(UNITS, return_sequences=True), layers.Dense(VOCABULARY, activation="softmax")]
    else:
        stack = parts[name]()
    model = nn.Sequential([nn.Input(data_of(name)[0].shape[1:]), *stack])
    clip = 1.0 if name.startswith("character") else None
    loss = "mse" if name == "LSTM 16" else "sparse_categorical_crossentropy"
    return model.compile(nn.SGD(learning_rate=1e-3, global_clipnorm=clip), loss, backend=backend)


def ours(name: str, backend: str = "numpy") -> Callable[[], None]:
    """Trains on every batch once."""
    model, (x, y), batch = our_model(name, backend), data_of(name), MODELS[name][0]
    return lambda: model.fit(x, y, batch_size=batch, shuffle=False, verbose=0) and None


def theirs(name: str, device: str = "cpu") -> Callable[[], None]:
    import torch
    from torch import nn

    torch.set_num_threads(2)

    def images(*parts: Any) -> Any:
        return nn.Sequential(*parts)

    relu, pool, sigmoid = nn.ReLU, nn.MaxPool2d, nn.Sigmoid

    class Recurrent(nn.Module):  # type: ignore[misc]
        def __init__(self, kind: Any, inputs: int, units: int, outputs: int, sequences: bool) -> None:
            super().__init__()
            self.cell, self.head = kind(inputs, units, batch_first=True), nn.Linear(units, outputs)
            self.sequences = sequences

        def forward(self, x: Any) -> Any:
            h, _ = self.cell(x)
            return self.head(h if self.sequences else h[:, -1])

    makers: dict[str, Callable[[], Any]] = {
        "LeNet": lambda: images(
            nn.Conv2d(1, 6, 5, padding=2), sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), sigmoid(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), sigmoid(), nn.Linear(120, 84), sigmoid(), nn.Linear(84, 10),
        ),
        "MNIST convnet": lambda: images(
            nn.Conv2d(1, 32, 3), relu(), pool(2), nn.Conv2d(32, 64, 3), relu(), pool(2), nn.Conv2d(64, 128, 3), relu(),
            nn.Flatten(), nn.Linear(1152, 10),
        ),
        "AlexNet at 28": lambda: images(
            nn.Conv2d(1, 64, 3, padding=1), relu(), pool(2), nn.Conv2d(64, 128, 3, padding=1), relu(), pool(2),
            nn.Conv2d(128, 256, 3, padding=1), relu(), pool(2), nn.Flatten(),
            nn.Linear(2304, 1024), relu(), nn.Linear(1024, 512), relu(), nn.Linear(512, 10),
        ),
        "MLP": lambda: images(nn.Linear(784, 512), relu(), nn.Linear(512, 10)),
        "character RNN": lambda: Recurrent(nn.RNN, VOCABULARY, UNITS, VOCABULARY, True),
        "character GRU": lambda: Recurrent(nn.GRU, VOCABULARY, UNITS, VOCABULARY, True),
        "character LSTM": lambda: Recurrent(nn.LSTM, VOCABULARY, UNITS, VOCABULARY, True),
        "LSTM 16": lambda: Recurrent(nn.LSTM, 14, 16, 1, False),
    }  # fmt: skip
    net: Any = makers[name]().to(device)
    x, y = data_of(name)
    if x.ndim == 4:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    loss: Any = nn.MSELoss() if name == "LSTM 16" else nn.CrossEntropyLoss()
    batches = list(zip(*(torch.from_numpy(a).to(device).chunk(BATCHES) for a in (x, y)), strict=True))
    clips = name.startswith("character")

    def epoch() -> None:
        for inputs, labels in batches:
            optimizer.zero_grad()
            out = net(inputs)
            cost = loss(out.reshape(-1, VOCABULARY), labels.reshape(-1)) if clips else loss(out, labels)
            cost.backward()
            if clips:
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return epoch


def work(side: str, name: str) -> None:
    """A process: for every line on standard input a turn, whose milliseconds per step go to standard output."""
    epoch = (ours if side == "ours" else theirs)(name)
    for _ in range(3):
        epoch()
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        times, began, spent = [], time.perf_counter(), time.process_time()
        while time.perf_counter() - began < SECONDS:
            start = time.perf_counter()
            epoch()
            times.append(time.perf_counter() - start)
        print(json.dumps([statistics.median(times) * 1e3 / BATCHES, time.process_time() - spent]), flush=True)


def busy() -> float:
    """Seconds that all processors together have worked."""
    fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    used = sum(int(fields[k]) for k in (0, 1, 2, 5, 6))
    return used / os.sysconf("SC_CLK_TCK")


class Worker:
    def __init__(self, side: str, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks.training", "--work", side, "--only", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

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


def measure(name: str, turns: int) -> tuple[float, float, float, float, float]:
    """Medians of PyTorch's and our milliseconds, and the median, least and largest ratio of neighbouring turns."""
    sides = {"theirs": Worker("theirs", name), "ours": Worker("ours", name)}
    found: dict[str, list[float]] = {"theirs": [], "ours": []}
    for k in range(turns):
        for side in ("theirs", "ours") if k % 2 == 0 else ("ours", "theirs"):
            found[side].append(sides[side].turn())
    for worker in sides.values():
        worker.end()
    ratios = [a / b for a, b in zip(found["theirs"], found["ours"], strict=True)]
    medians = statistics.median(found["theirs"]), statistics.median(found["ours"])
    return *medians, statistics.median(ratios), min(ratios), max(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", default="", help="one model; nothing is written")
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.only)
        return
    names = [options.only] if options.only else list(MODELS)
    rows = {}
    for name in names:
        rows[name] = measure(name, options.turns)
        print(name, " ".join(f"{x:.2f}" for x in rows[name]), flush=True)
    if not options.only:
        import torch

        print(write_section("Training", report(rows, options.turns, torch.__version__)))


def report(rows: dict[str, tuple[float, float, float, float, float]], turns: int, version: str) -> str:
    lines = [
        f"`python -m benchmarks.training` on {machine()}, NumPy {np.__version__}, PyTorch {version}. Milliseconds per",
        f"training step, float32, two threads, {turns} turns of each side; ours through `fit`. Ratio: PyTorch's time",
        "over ours, above 1 where ours is faster.",
        "",
        "| model | batch | PyTorch, ms | ours, ms | ratio (least to largest) | aim |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, (torch_ms, our_ms, ratio, least, most) in rows.items():
        batch, aim = MODELS[name]
        spread = f"**{ratio:.2f}** ({least:.2f} to {most:.2f})"
        lines.append(f"| {name} | {batch} | {torch_ms:.2f} | {our_ms:.2f} | {spread} | {aim} |")
    missed = [name for name, row in rows.items() if row[2] < MODELS[name][1]]
    if missed:
        lines += ["", f"Below the aim: {', '.join(missed)}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
