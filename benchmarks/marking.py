"""How well marking finds planted mistakes, and whether it leaves correct work alone: writes reports/marking.md.

    python -m benchmarks.marking [--lessons and,xor] [--ways cells,typed]

Every mistake of the table is planted wherever it can occur. As formulas it is planted down a column from the second
epoch on, in workbooks that LibreOffice recalculates and saves, and cell by cell in memory; as numbers it is typed into
a single cell, with the digits that students write; and in company: with another mistake in the same formula, with
another one in another column, and in the last epoch of a sheet that is filled in no further. A case counts when the
planted formula differs from the right one.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
import subprocess
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.student import StudentBook
from benchmarks.variation import false_alarms
from simulator.check.diagnosis import MOST_PAIRS
from simulator.check.judge import alike
from simulator.check.mark import mark, mark_file
from simulator.check.marking import Marking
from simulator.check.misconception import Misconception, candidates, pairs
from simulator.check.rewrite import Site
from simulator.check.world import JUDGED, make_world
from simulator.errors import LayoutError
from simulator.lessons import LESSONS
from simulator.lessons.variant import variant_settings
from simulator.tape.scalar import Scalar
from simulator.tape.vector import Vector
from simulator.xlsx.recalculate import find_libreoffice

REPORT = Path(__file__).parent.parent / "reports" / "marking.md"
EPOCHS, FROM = 4, 1  # blocks in a planted workbook, and the block from which on the mistake is made
BATCH = 100  # files that one LibreOffice converts
DIGITS = 4  # of typed numbers
SEED = 1  # of samples
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

    def note(self, marking: Marking, planted: Mapping[tuple[int, int], str], what: str) -> None:
        """Hold a marking against the cells (row, col) that were planted, each with its mistake."""
        self.cases += 1
        cells = [(m.row, m.col) for e in marking.errors for m in e.cells]
        mine = [e for e in marking.errors if (e.first.row, e.first.col) in planted]
        found = {planted[at] for at in cells if at in planted} == set(planted.values())
        self.found += found
        self.located += bool(marking.errors) and (marking.errors[0].first.row, marking.errors[0].first.col) in planted
        names = [({n.key for n in e.names}, planted[e.first.row, e.first.col]) for e in mine]
        alone = bool(names) and all(said == {key} for said, key in names)
        among = bool(names) and not alone and all(key in said for said, key in names)
        self.alone += alone
        self.among += among
        self.alarms += len(set(cells) - set(planted))
        if not (found and (alone or among)) or set(cells) - set(planted):
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
                if not alike(self.value(k, term), self.world.values[k, JUDGED]) and self.fits(term):
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

    def planted(self, *cases: Case, start: int = FROM) -> tuple[StudentBook, dict[tuple[int, int], str]]:
        book, cells = self.book.copy(), dict[tuple[int, int], str]()
        for case in cases:
            for k, term in case.terms.items():
                book.plant(k, term, range(start, EPOCHS))
                cells |= {book.at(k, b)[1:]: case.mistake.key for b in range(start, EPOCHS)}
        return book, cells

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
                rate.note(marking, planted[i], f"{self.name} {case.quantity}: {case.mistake.key}")
        return rate

    def cell_by_cell(self, most: int) -> Rate:
        """Every form of every mistake in every cell, as a formula; evenly spread ones where there are too many."""
        rate = Rate()
        cases = [(k, m, term) for k, found in self.wrong.items() for m, term in found]
        for k, m, term in cases[:: -(-len(cases) // most)]:
            e = self.reference.elements[k]
            book, cells = self.planted(Case(m, e.name, {k: term}))
            marking, _ = mark(book.submission(), self.name, self.numbers)
            what = f"{self.name} {e.name} {e.entry}: {m.key} {book.cells[book.at(k, FROM)]}"
            rate.note(marking, cells, what)
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
                rate.note(marking, {at[1:]: m.key}, what)
        return rate

    # In company

    def in_one_formula(self, most: int) -> Rate:
        """Two mistakes in one formula; a single one that leads to the same formula is a name as good."""
        rate, draw = Rate(), random.Random(SEED)
        each = max(1, most // len(self.wrong))
        for k in self.wrong:
            site = Site(self.reference, k, True)
            found = list(islice(pairs(site), MOST_PAIRS))
            single = [self.value(k, term) for _, term in self.wrong[k]]
            for (one, other), term in draw.sample(found, min(each, len(found))):
                value = self.value(k, term)
                if alike(value, self.world.values[k, JUDGED]) or any(alike(value, x) for x in single):
                    continue
                if not self.fits(term):
                    continue
                e, key = self.reference.elements[k], (one.name & other.name).key
                book, _ = self.planted(Case(one, e.name, {k: term}))
                marking, _ = mark(book.submission(), self.name, self.numbers)
                cells = {book.at(k, b)[1:]: key for b in range(FROM, EPOCHS)}
                rate.note(marking, cells, f"{self.name} {e.name} {e.entry}: {key} {book.cells[book.at(k, FROM)]}")
        return rate

    def in_two_columns(self, most: int) -> Rate:
        """Two different mistakes, each down a column of its own."""
        rate, draw = Rate(), random.Random(SEED)
        cases = list(self.columns())
        both = [(x, y) for x in cases for y in cases if x.quantity < y.quantity and x.mistake is not y.mistake]
        for one, other in draw.sample(both, min(most, len(both))):
            book, cells = self.planted(one, other)
            marking, _ = mark(book.submission(), self.name, self.numbers)
            what = f"{self.name} {one.quantity}, {other.quantity}: {one.mistake.key} and {other.mistake.key}"
            rate.note(marking, cells, what)
        return rate

    def half_filled(self, most: int) -> Rate:
        """A mistake in the last epoch alone, behind which nothing is filled in."""
        rate, draw = Rate(), random.Random(SEED)
        cases, last = list(self.columns()), EPOCHS - 1
        for case in draw.sample(cases, min(most, len(cases))):
            book, cells = self.planted(case, start=last)
            for k in range(max(case.terms) + 1, len(self.reference.elements)):
                if self.reference.elements[k].quantity.role not in ("given", "parameter"):
                    del book.cells[book.at(k, last)]
            marking, _ = mark(book.submission(), self.name, self.numbers)
            rate.note(marking, cells, f"{self.name} {case.quantity} half-filled: {case.mistake.key}")
        return rate

    def value(self, k: int, term: Scalar) -> Vector:
        """A term of element k in the trial runs."""
        block = slice(JUDGED, JUDGED + 1)
        return np.asarray(self.reference.value(k, term, self.world.values, block, None, self.world.given)[0])


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


def measured(name: str, ways: Sequence[str], most: int, cells: int) -> dict[str, Rate]:
    """Some ways of planting in one lesson."""
    lab = Lab(name)

    def office() -> Rate:
        with tempfile.TemporaryDirectory() as folder:
            return lab.through_office(Path(folder))

    measures: dict[str, Callable[[], Rate]] = {
        "office": office,
        "cells": lambda: lab.cell_by_cell(cells),
        "typed": lab.typed,
        "formula": lambda: lab.in_one_formula(most),
        "columns": lambda: lab.in_two_columns(most),
        "half": lambda: lab.half_filled(most),
    }
    return {way: measures[way]() for way in ways}


SECTIONS = {
    "office": (
        "Formulas down a column, in workbooks that LibreOffice saved",
        "Every mistake in every column where it can occur, from the second epoch on.",
    ),
    "cells": (
        "Formulas in single cells",
        "Every form that a mistake can take in every cell, from the second epoch on; evenly spread ones "
        "where a lesson has more than 150 of them (there are 13,372 in all).",
    ),
    "typed": (
        f"Numbers typed with {DIGITS} digits",
        "One cell of a sheet that is typed throughout. Not counted are {untold:,} cases in which the mistake leads to "
        "the right number at these digits, or to one within what rounding on the way can do.",
    ),
    "formula": (
        "Two mistakes in one formula",
        "A sample. *Named* is both; what a single mistake explains as well is not counted.",
    ),
    "two columns": ("Two mistakes in two columns", "A sample. *Found* and *named* are both."),
    "half": (
        "A mistake in the last epoch of a half-filled sheet",
        "A sample; the cells that would be computed after it are empty.",
    ),
}


INTRODUCTION = """\
# Marking: planted mistakes and correct variants

Every mistake of the table is planted in workbooks with numbers that show mistakes, and these are marked. *found*: the
planted cells are marked wrong. *first*: the first error is at a planted cell. *named*: the mistake is named, alone or
among several that lead to the same cells. *alarms*: other cells marked as own errors. `python -m benchmarks.marking`
writes this page.
"""
CORRECT = "Correct work in other clothes"


def section(way: str, rates: Mapping[str, Rate]) -> str:
    """What was measured in one way, with what was not found or named."""
    title, about = SECTIONS[way]
    text = [f"## {title}", "", *textwrap.wrap(about.format(untold=sum(r.untold for r in rates.values())), 120), ""]
    text += table_of(rates)
    failures = [f for rate in rates.values() for f in rate.failures]
    kinds = Counter((f.split(":")[0].split()[0], f.split(": ")[1].split()[0]) for f in failures)
    if kinds:
        text += ["", "Not found, not named, or with other cells:", ""]
        text += [f"- {lesson}, {kind}: {count}" for (lesson, kind), count in kinds.most_common()]
    return "\n".join(text)


def correct_section(alarms: Sequence[tuple[str, int, int]]) -> str:
    text = [
        f"## {CORRECT}",
        "",
        "Workbooks without a mistake, written in other ways, several at once. An alarm is one with an own error.",
        "",
        "| variation | workbooks | alarms |",
        "|---|---:|---:|",
        *(f"| {kind} | {count:,} | {found} |" for kind, count, found in alarms),
    ]
    return "\n".join(text)


def put_sections(path: Path, new: Sequence[str]) -> None:
    """Replace these sections of the page, or add them; the others stay as they are."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    old = re.sub(r"^Python \d.*\n", "", old, flags=re.MULTILINE)
    found = {s.partition("\n")[0]: s.strip() for s in re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]}
    found |= {s.partition("\n")[0]: s for s in new}
    order = [f"## {title}" for title, _ in SECTIONS.values()] + [f"## {CORRECT}"]
    kept = [found[title] for title in order if title in found]
    last = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.\n"
    path.write_text("\n\n".join([INTRODUCTION.strip(), *kept, last]), encoding="utf-8")


def table_of(rates: Mapping[str, Rate]) -> list[str]:
    lines = [
        "| lesson | cases | found | first | named alone | among several | not named | alarms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    total = Rate()
    for rate in rates.values():
        total.add(rate)
    for name, r in [*rates.items(), *([("**all**", total)] if len(rates) > 1 else [])]:
        n = max(r.cases, 1)
        shares = (r.found, r.located, r.alone, r.among, r.cases - r.alone - r.among)
        cells = " | ".join(f"{100 * x / n:.1f} %" for x in shares)
        lines.append(f"| {name} | {r.cases:,} | {cells} | {r.alarms} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lessons", default=",".join(LESSONS))
    parser.add_argument("--ways", default=",".join([*SECTIONS, "correct"]), help="sections to measure")
    parser.add_argument("--most", type=int, default=60, help="cases a lesson, where they are a sample")
    parser.add_argument("--cells", type=int, default=150, help="formulas in single cells a lesson, at most")
    parser.add_argument("--variants", type=int, default=60, help="correct workbooks a lesson")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    names, ways = options.lessons.split(","), options.ways.split(",")
    begun = time.time()
    lessons: dict[str, dict[str, Rate]] = {}
    with ProcessPoolExecutor(2) as pool:
        planted = [way for way in ways if way in SECTIONS]
        waiting = (
            {pool.submit(measured, name, planted, options.most, options.cells): name for name in names}
            if planted
            else {}
        )
        counts = pool.submit(false_alarms, options.variants, names) if "correct" in ways else None
        for done in as_completed(waiting):
            name = waiting[done]
            lessons[name] = done.result()
            print(f"{name}: {time.time() - begun:.0f} s", flush=True)
            for rate in lessons[name].values():
                for failure in rate.failures:
                    print("  ", failure[:300], flush=True)
            those = {n: lessons[n] for n in names if n in lessons}
            put_sections(options.out, [section(way, {n: r[way] for n, r in those.items()}) for way in planted])
        if counts:
            put_sections(options.out, [correct_section(counts.result())])


if __name__ == "__main__":
    main()
