"""How well marking finds planted mistakes, and how quickly: writes reports/marking.md.

    python -m benchmarks.marking [--lessons and,xor] [--no-office]

Every mistake of the table is planted wherever it can occur. As formulas it is planted down a column from the second
epoch on, in workbooks that LibreOffice recalculates and saves, and cell by cell in memory; as numbers it is typed into
a single cell, with the digits that students write. A case counts when the planted formula differs from the right one.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.student import StudentBook
from simulator.check.judge import alike
from simulator.check.mark import mark, mark_file
from simulator.check.marking import Marking
from simulator.check.misconception import Misconception, candidates
from simulator.check.rewrite import Site
from simulator.check.world import JUDGED, make_world
from simulator.errors import LayoutError
from simulator.lessons import LESSONS
from simulator.lessons.variant import variant_settings
from simulator.tape.scalar import Scalar
from simulator.xlsx.recalculate import find_libreoffice

REPORT = Path(__file__).parent.parent / "reports" / "marking.md"
EPOCHS, FROM = 4, 1  # blocks in a planted workbook, and the block from which on the mistake is made
BATCH = 100  # files that one LibreOffice converts
DIGITS = 4  # of typed numbers
RESTART = 81  # what LibreOffice exits with when it has set up a fresh profile


@dataclass
class Rate:
    """Cases, and how many were found, located at the right first cell, named; alarms counts errors elsewhere."""

    cases: int = 0
    found: int = 0
    located: int = 0
    alone: int = 0
    among: int = 0
    alarms: int = 0
    untold: int = 0  # numbers that equal the right ones at these digits: not counted as cases
    failures: list[str] = field(default_factory=list)

    def add(self, other: Rate) -> None:
        for name in ("cases", "found", "located", "alone", "among", "alarms", "untold"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures += other.failures

    def note(self, marking: Marking, planted: set[tuple[int, int]], key: str, what: str) -> None:
        """Hold a marking against the cells (row, col) that were planted with a mistake."""
        self.cases += 1
        cells = [(m.row, m.col) for e in marking.errors for m in e.cells]
        mine = [e for e in marking.errors if (e.first.row, e.first.col) in planted]
        found = planted & set(cells)
        self.found += bool(found)
        self.located += bool(marking.errors) and (marking.errors[0].first.row, marking.errors[0].first.col) in planted
        names = [{n.key for n in e.names} for e in mine]
        alone = bool(names) and all(n == {key} for n in names)
        among = bool(names) and not alone and all(key in n for n in names)
        self.alone += alone
        self.among += among
        self.alarms += len(set(cells) - planted)
        if not (found and (alone or among)) or set(cells) - planted:
            said = "; ".join(f"{e.first.address} {sorted(n.key for n in e.names)}" for e in marking.errors[:3])
            self.failures.append(f"{what}: {said or 'nothing found'}")


@dataclass
class Case:
    """A mistake in some elements, each with its wrong term."""

    mistake: Misconception
    quantity: str
    terms: dict[int, Scalar]


class Lab:
    """A lesson with numbers that show mistakes, and its workbook without any."""

    def __init__(self, name: str) -> None:
        self.name, self.lesson = name, LESSONS[name]
        self.numbers = variant_settings(self.lesson, 1, "proof")
        self.run = self.lesson.run(self.lesson.first_epoch + EPOCHS - 1, self.numbers)
        self.book = StudentBook(self.run)
        self.reference = self.book.reference
        self.world = make_world(self.reference)
        self.wrong: dict[int, list[tuple[Misconception, Scalar]]] = {}
        for k, e in enumerate(self.reference.elements):
            if e.quantity.role == "given":
                continue
            self.wrong[k] = []
            for m, term in candidates(Site(self.reference, k, True)):
                block = slice(JUDGED, JUDGED + 1)
                value = self.reference.value(k, term, self.world.values, block, None, self.world.given)[0]
                if not alike(value, self.world.values[k, JUDGED]) and self.fits(term):
                    self.wrong[k].append((m, term))

    def fits(self, term: Scalar) -> bool:
        try:
            self.book.formula(term, FROM)
        except LayoutError:
            return False  # longer than a cell holds
        return True

    def columns(self) -> Iterator[Case]:
        """Every mistake in every quantity, each element with the first form that the mistake takes there."""
        cases: dict[tuple[str, str], Case] = {}
        for k, found in self.wrong.items():
            name = self.reference.elements[k].name
            for m, term in found:
                case = cases.setdefault((m.key, name), Case(m, name, {}))
                case.terms.setdefault(k, term)
        yield from cases.values()

    def planted(self, case: Case) -> tuple[StudentBook, set[tuple[int, int]]]:
        book = self.book.copy()
        for k, term in case.terms.items():
            book.plant(k, term, range(FROM, EPOCHS))
        return book, {book.at(k, b)[1:] for k in case.terms for b in range(FROM, EPOCHS)}

    # The three ways of planting

    def through_office(self, folder: Path) -> Rate:
        """Columns of formulas, saved by LibreOffice."""
        rate = Rate()
        cases = list(self.columns())
        for start in range(0, len(cases), BATCH):
            batch = cases[start : start + BATCH]
            planted = {}
            for i, case in enumerate(batch):
                book, cells = self.planted(case)
                book.save(folder / f"{i}.xlsx")
                planted[i] = cells
            saved = convert(folder, [f"{i}.xlsx" for i in range(len(batch))])
            for i, case in enumerate(batch):
                marking, _ = mark_file(saved / f"{i}.xlsx", self.name, self.numbers)
                rate.note(marking, planted[i], case.mistake.key, f"{self.name} {case.quantity}: {case.mistake.key}")
        return rate

    def cell_by_cell(self, most: int) -> Rate:
        """Every form of every mistake in every cell, as a formula; a sample of them where there are more than most."""
        rate = Rate()
        cases = [(k, m, term) for k, found in self.wrong.items() for m, term in found]
        step = max(1, len(cases) // most)
        for k, m, term in cases[::step]:
            book = self.book.copy()
            book.plant(k, term, range(FROM, EPOCHS))
            marking, _ = mark(book.submission(), self.name, self.numbers)
            e = self.reference.elements[k]
            what = f"{self.name} {e.name} {e.entry}: {m.key} {book.cells[book.at(k, FROM)]}"
            rate.note(marking, {book.at(k, b)[1:] for b in range(FROM, EPOCHS)}, m.key, what)
        return rate

    def typed(self) -> Rate:
        """The first form of every mistake as a number typed into one cell of a sheet that is typed throughout."""
        rate = Rate()
        key = self.reference.key
        book = self.book.copy()
        for k in self.wrong:
            for b in range(EPOCHS):
                if np.isfinite(key[k, b]):
                    book.cells[book.at(k, b)] = digits_of(float(key[k, b]))
        for k, found in self.wrong.items():
            e = self.reference.elements[k]
            seen = set()
            for m, term in found:
                if m.key in seen:
                    continue
                seen.add(m.key)
                wrong = float(np.array(self.reference.value(k, term, key, slice(0, None)))[FROM])
                if not np.isfinite(wrong) or abs(wrong) > 1e12:
                    continue
                if digits_of(wrong) == digits_of(float(key[k, FROM])):
                    rate.untold += 1
                    continue
                mine = book.copy()
                at = mine.at(k, FROM)
                mine.cells[at] = digits_of(wrong)
                marking, verdicts = mark(mine.submission(), self.name, self.numbers)
                if abs(digits_of(wrong) - verdicts.own[k, FROM]) <= verdicts.margin[k, FROM]:
                    rate.untold += 1  # within what rounding on the way may have done
                    continue
                what = f"{self.name} {e.name} {e.entry} typed {digits_of(wrong)}: {m.key}"
                rate.note(marking, {at[1:]}, m.key, what)
        return rate


def digits_of(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def convert(folder: Path, names: list[str]) -> Path:
    """The files as LibreOffice computes and saves them."""
    office = find_libreoffice()
    assert office is not None
    out = folder / "saved"
    command = [office[0], f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "xlsx"]
    for _ in range(2):  # with a fresh profile it exits once, to be started again
        done = subprocess.run([*command, "--outdir", str(out), *names], cwd=folder, capture_output=True, timeout=1800)
        if done.returncode != RESTART:
            break
    done.check_returncode()
    return out


def table_of(rates: dict[str, Rate]) -> list[str]:
    lines = [
        "| lesson | cases | found | at the right first cell | named alone | named among several | unnamed | alarms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    total = Rate()
    for rate in rates.values():
        total.add(rate)
    for name, r in [*rates.items(), ("all", total)]:
        n = max(r.cases, 1)
        shares = (r.found, r.located, r.alone, r.among, r.found - r.alone - r.among)
        cells = " | ".join(f"{100 * x / n:.1f} %" for x in shares)
        lines.append(f"| {name} | {r.cases:,} | {cells} | {r.alarms} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lessons", default=",".join(LESSONS))
    parser.add_argument("--most", type=int, default=400, help="cases a lesson in memory")
    parser.add_argument("--no-office", action="store_true")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    ways: dict[str, dict[str, Rate]] = defaultdict(dict)
    begun = time.time()
    for name in options.lessons.split(","):
        lab = Lab(name)
        ways["typed"][name] = lab.typed()
        ways["cells"][name] = lab.cell_by_cell(options.most)
        if not options.no_office:
            with tempfile.TemporaryDirectory() as folder:
                ways["office"][name] = lab.through_office(Path(folder))
        counts = {way: (r[name].cases, r[name].found, r[name].alone, r[name].among) for way, r in ways.items()}
        print(f"{name}: {counts}, {time.time() - begun:.0f} s", flush=True)
    failures = [f for rates in ways.values() for r in rates.values() for f in r.failures]
    for failure in failures:
        print("  ", failure[:300])
    options.out.write_text("\n".join(report(ways, failures)), encoding="utf-8")


def report(ways: dict[str, dict[str, Rate]], failures: list[str]) -> list[str]:
    text = ["# Marking: planted mistakes", ""]
    text += [
        "Every mistake of the table is planted in every lesson, in every column and cell where it can occur, and the",
        "workbook is marked. *found*: the planted cells are marked wrong. *at the right first cell*: the first error",
        "is the planted one. *named*: the mistake is named, alone or among several that lead to the same cells.",
        "*alarms*: cells marked as own errors that are none. `python -m benchmarks.marking` writes this page.",
        "",
    ]
    if "office" in ways:
        text += ["## Formulas down a column, in workbooks that LibreOffice saved", "", *table_of(ways["office"]), ""]
    text += ["## Formulas in single cells", ""]
    text += [
        "Every form that a mistake can take in a cell, or an even sample of them.",
        "",
        *table_of(ways["cells"]),
        "",
    ]
    untold = sum(r.untold for r in ways["typed"].values())
    text += [f"## Numbers typed with {DIGITS} digits", ""]
    text += [
        f"One cell in a sheet that is typed throughout. {untold:,} more cases are not counted: there the mistake leads",
        "to the right number at these digits, or to one within what rounding on the way can do.",
        "",
        *table_of(ways["typed"]),
        "",
    ]
    if failures:
        kinds = Counter(f.split(":")[1].split()[0] for f in failures)
        text += ["## Not found, not named, or with other cells", ""]
        text += [f"- {kind}: {count}" for kind, count in kinds.most_common()] + [""]
    text += [f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.", ""]
    return text


if __name__ == "__main__":
    main()
