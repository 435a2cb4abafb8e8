"""Which mistakes the given numbers of a lesson show, and which ones they can't tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from simulator.check.misconception import MISCONCEPTIONS, candidates
from simulator.check.reference import Array, Reference
from simulator.check.rewrite import Site
from simulator.lessons.lesson import Lesson
from simulator.lessons.variant import variants

EPOCHS = 3  # that are looked at
DIGITS = 4  # significant ones, or decimals, that students write
SAID = 3  # of what numbers don't show
DRAWS = 5  # of other numbers, from which the best is taken


@dataclass
class Shown:
    """How one mistake shows itself: the cells (quantity, entry) in which it does, and those in which it is hidden.

    example is the first cell with its epoch, the right number and the wrong one; twins maps other mistakes to the cells
    in which they lead to the same numbers.
    """

    key: str
    title: str
    cells: set[tuple[str, str]] = field(default_factory=set)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    example: tuple[str, str, int, float, float] | None = None
    twins: dict[str, set[tuple[str, str]]] = field(default_factory=dict)


def written(value: float) -> str:
    """A number as a student writes it: four significant digits, at most four decimals.

    >>> written(0.061634), written(-12.3456), written(0.00004)
    ('0.0616', '-12.35', '0')
    """
    text = f"{round(float(f'{value:.{DIGITS}g}'), DIGITS):g}"
    return "0" if text == "-0" else text


def diagnose(lesson: Lesson, settings: Mapping[str, float] | None = None) -> list[Shown]:
    """Every mistake that can be made in a lesson, with where it shows in the first epochs of these given numbers."""
    reference = Reference(lesson.run(lesson.first_epoch + EPOCHS - 1, settings))
    key = reference.key
    found = {m.key: Shown(m.key, m.title) for m in MISCONCEPTIONS if m.key != "rounded"}
    for k, e in enumerate(reference.elements):
        cell = e.name, e.entry
        right = tuple(map(written, key[k]))
        led_to: dict[tuple[str, ...], set[str]] = {}
        for mistake, wrong in _wrong_values(reference, k, key):
            shown = found[mistake]
            text = tuple(map(written, wrong))
            if text == right:
                if cell not in shown.cells:
                    shown.hidden.add(cell)
                continue
            shown.hidden.discard(cell)
            shown.cells.add(cell)
            led_to.setdefault(text, set()).add(mistake)
            if shown.example is None:
                b = next(i for i, (x, y) in enumerate(zip(text, right, strict=True)) if x != y)
                shown.example = (*cell, reference.run.first_epoch + b, float(key[k, b]), float(wrong[b]))
        for keys in led_to.values():
            for one in keys:
                for other in keys - {one}:
                    found[one].twins.setdefault(other, set()).add(cell)
    return [shown for shown in found.values() if shown.cells or shown.hidden]


def _wrong_values(reference: Reference, k: int, key: Array) -> list[tuple[str, Array]]:
    """What each known mistake leads to in element k, in every block, all other cells being right."""
    e = reference.elements[k]
    values = []
    for m, term in candidates(Site(reference, k, True)):
        if m.key != "rounded":
            wrong = np.array(reference.value(k, term, key, slice(0, None)))
            if e.first is not e.later:
                wrong[0] = key[k, 0]
            values.append((m.key, wrong))
    return values


def blindness(shown: list[Shown]) -> tuple[int, int]:
    """How badly given numbers show mistakes: cells in which one is hidden, and cells in which two look the same."""
    return sum(len(s.hidden) for s in shown), sum(len(cells) for s in shown for cells in s.twins.values()) // 2


def best_draw(lesson: Lesson, seed: int, student: str = "") -> tuple[int, dict[str, float]]:
    """The number of the draw, of the first few, whose numbers show mistakes best, and its given numbers."""
    draws = list(islice(variants(lesson, seed, student), DRAWS))
    number = min(range(len(draws)), key=lambda i: blindness(diagnose(lesson, draws[i])))
    return number, draws[number]


def diagnosis_lines(lesson: Lesson, settings: Mapping[str, float] | None = None) -> list[str]:
    """The table that `simulator template --diagnose` prints."""
    shown = diagnose(lesson, settings)
    epochs = f"epochs {lesson.first_epoch} to {lesson.first_epoch + EPOCHS - 1}"
    lines = [f"{lesson.name}: what each mistake leads to in {epochs}, at {DIGITS} digits"]
    width = 2 + max(len(s.title) for s in shown)
    lines.append(f"{'mistake':<{width}}{'first seen in':<22}{'right':>10}{'wrong':>10}  can't be seen in")
    for s in shown:
        hidden = f"{len(s.hidden)} of {len(s.hidden) + len(s.cells)} cells" if s.hidden else ""
        if s.example:
            name, entry, epoch, right, wrong = s.example
            cell = f"{name}{f' {entry}' if entry else ''}, epoch {epoch}"
            a, b = written(right), written(wrong)
            b = b if np.isfinite(wrong) else "no number"
            lines.append(f"{s.title:<{width}}{cell:<22}{a:>10}{b:>10}  {hidden}".rstrip())
        else:
            lines.append(f"{s.title:<{width}}{'nowhere':<22}{'':>20}  {hidden}".rstrip())
    pairs = _twins(shown)
    told = "Numbers alone can't tell these apart; the formulas behind them can:" if pairs else "All can be told apart."
    lines += ["", told]
    for pair, cells in pairs.items():
        columns = ", ".join(sorted({name for name, _ in cells}))
        lines.append(f"  {pair}: {len(cells)} {'cells' if len(cells) > 1 else 'cell'} of {columns}")
    return lines


def _twins(shown: list[Shown]) -> dict[str, set[tuple[str, str]]]:
    """The pairs of mistakes that lead to the same number in some cells, those of most cells first."""
    titles = {s.key: s.title for s in shown}
    pairs = {f"{s.title} / {titles[k]}": cells for s in shown for k, cells in s.twins.items() if s.key < k}
    return dict(sorted(pairs.items(), key=lambda pair: -len(pair[1])))


def blind_spots(diagnoses: Sequence[list[Shown]]) -> list[str]:
    """What to know of the numbers that are handed out, one diagnosis per student: what they hide and what coincides."""
    hidden = Counter(s.title for shown in diagnoses for s in shown if not s.cells)
    twins = Counter(pair for shown in diagnoses for pair in _twins(shown))
    lines = []
    for counts, said in (
        (hidden, "These numbers never show"),
        (twins, "Typed numbers can't tell these apart in some cells"),
    ):
        if counts:
            most = [
                title if len(diagnoses) == 1 else f"{title} ({n:,} of {len(diagnoses):,})"
                for title, n in counts.most_common(SAID)
            ]
            more = f"; and {len(counts) - SAID} more" if len(counts) > SAID else ""
            lines.append(f"{said}: {'; '.join(most)}{more}.")
    return lines
