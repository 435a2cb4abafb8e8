"""Marking a folder of workbooks: how many a minute, and in how much memory.

Run by hand: `python -m benchmarks.folder`; it takes some minutes and writes its section of reports/benchmarks.md.
The workbooks are the table of `and` over 70 epochs, each with one of many mistakes, saved by LibreOffice.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.marking import convert
from benchmarks.report import machine, write_section
from benchmarks.student import StudentBook
from simulator.check.misconception import candidates
from simulator.check.rewrite import Site
from simulator.errors import LayoutError
from simulator.lessons import find_lesson

LESSON, EPOCHS = "and", 70
SIZES = (50, 200)
KINDS = 20  # different workbooks, of which a folder has copies
AIM = 200  # workbooks a minute


def workbooks(folder: Path) -> list[Path]:
    """Different workbooks, each with a mistake down a column from some epoch on."""
    right, draw = StudentBook(find_lesson(LESSON).run(EPOCHS)), random.Random(1)
    elements = [k for k, e in enumerate(right.reference.elements) if e.quantity.role not in ("given", "parameter")]
    names: list[str] = []
    while len(names) < KINDS:
        k = draw.choice(elements)
        book = right.copy()
        _, term = draw.choice(list(candidates(Site(right.reference, k, True))))
        try:
            book.plant(k, term, range(draw.randrange(EPOCHS), right.run.count))
        except LayoutError:
            continue
        names.append(f"{len(names)}.xlsx")
        book.save(folder / names[-1])
    return [convert(folder, names) / name for name in names]


def seconds_of(files: list[Path], count: int) -> float:
    """How long `simulator check` takes for a folder of so many workbooks, imports included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for n in range(count):
            shutil.copy(files[n % len(files)], folder / "in" / f"student{n}.xlsx")
        command = [sys.executable, "-m", "simulator", "check", str(folder / "in"), "--out", str(folder / "out")]
        start = time.perf_counter()
        done = subprocess.run([*command, "--lesson", LESSON], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if f"{count} files marked." not in done.stdout:
            raise SystemExit(done.stdout[-500:] + done.stderr)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = workbooks(Path(folder))
        for count in SIZES:
            command = [sys.executable, "-c", MEASURE, str(count), *map(str, files)]
            found = [
                list(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
                for _ in range(options.runs)
            ]
            seconds = statistics.median(s for s, _ in found)
            rows.append((count, seconds, max(peak for _, peak in found)))
            print(rows[-1], flush=True)
    print(write_section("Marking a folder", report(rows, options.runs)))


MEASURE = """
import resource, sys
from pathlib import Path
from benchmarks.folder import seconds_of
print(seconds_of([Path(p) for p in sys.argv[2:]], int(sys.argv[1])),
      resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def report(rows: list[tuple[int, float, float]], runs: int) -> str:
    _, seconds, _ = rows[-1]
    lines = [
        f"`python -m benchmarks.folder` on {machine()}. Medians of {runs} runs of `simulator check`, imports, pages",
        f"and marked copies included. {LESSON} over {EPOCHS} epochs, {KINDS} different mistakes, saved by LibreOffice.",
        "",
        "| workbooks | seconds | workbooks a minute | largest process, MiB |",
        "|---:|---:|---:|---:|",
        *(f"| {count} | {s:.1f} | {60 * count / s:.0f} | {peak:.0f} |" for count, s, peak in rows),
        "",
        f"{rows[-1][0]} workbooks: **{60 * rows[-1][0] / seconds:.0f} a minute** (aim: {AIM}), two processes at work.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
