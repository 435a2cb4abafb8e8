"""Correct workbooks in other clothes: a marker that finds an error in one of them raises a false alarm.

Every variant is drawn from a seed: how formulas are spelled, which numbers are typed and with how many digits, where
columns stand, and what the program that saved the file stored. All of it is right.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.student import StudentBook
from simulator.check.convention import USUAL, conventions
from simulator.check.mark import mark
from simulator.check.marking import Marking
from simulator.check.placement import At
from simulator.check.reference import Array, Reference
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.run import Run
from simulator.lessons.training import SHEET
from simulator.lessons.variant import variant_settings
from simulator.sheet.address import a1, sheet_prefix
from simulator.sheet.relative import relative_text
from simulator.tape.scalar import Call, Choice, Negative, Number, Power, Product, Ref, Scalar, Sum, Total
from simulator.tape.vector import children, references, vector_value
from simulator.xlsx.submission import Submission, SubmittedCell, SubmittedSheet

LONGEST = 3_000  # characters of a formula
MANY = 30  # terms that nobody writes out
SUM, PRODUCT, POWER, ATOM = range(4)  # how tight a text binds
SPELLINGS = ("other spelling", "inlined", "helper cells", "named cells", "ranges", "array formulas", "no guards")
PLACES = ("columns moved", "gaps", "rows above", "other sheets", "no labels", "no epoch column")
TYPED = ("all typed", "columns typed", "first epochs typed")
KINDS = (
    *SPELLINGS, "convention", *TYPED, "few digits", "rounded on the way", "numbers as text", *PLACES, "no caches",
    "short caches", "own numbers", "changed numbers",
)  # fmt: skip


@dataclass
class Variant:
    """A correct workbook; kinds says in which ways it differs from the lecturer's."""

    lesson: str
    seed: int
    kinds: frozenset[str]
    submission: Submission
    key: Mapping[str, float] | None

    def marked(self) -> Marking:
        return mark(self.submission, self.lesson, self.key)[0]


def correct_variants(lesson_name: str, count: int, seed: int = 0) -> Iterator[Variant]:
    """So many variants of a lesson, each with several kinds at once, always the same ones for the same seed."""
    for number in range(count):
        yield correct_variant(lesson_name, 1000 * seed + number)


def correct_variant(lesson_name: str, seed: int, *wanted: str) -> Variant:
    """One variant, drawn from its seed; the wanted kinds are among its own where the lesson allows them."""
    rng = random.Random(f"{lesson_name} {seed}")
    kinds = {kind for kind in KINDS if kind not in TYPED and rng.random() < (0.4 if kind in SPELLINGS else 0.25)}
    kinds |= {rng.choice(TYPED)} if rng.random() < 0.35 else set()
    if set(wanted) & set(TYPED):
        kinds -= set(TYPED)
    kinds |= set(wanted)
    lesson = find_lesson(lesson_name)
    epochs = 20 if rng.random() < 0.05 else rng.randint(3, 6)
    settings = variant_settings(lesson, seed) if kinds & {"own numbers", "changed numbers"} else {}
    book = StudentBook(Run.of(lesson, epochs, settings))
    sheet = _Author(rng, book, kinds).written()
    key = settings if "own numbers" in kinds or "changed numbers" not in kinds else None
    return Variant(lesson_name, seed, frozenset(kinds), sheet, key)


@dataclass
class _Layout:
    """Where a cell of the lecturer's table stands in the student's workbook."""

    sheet: str
    rows: int  # inserted above
    gap: int  # blank rows between epochs
    first: int
    height: int
    columns: dict[int, int]

    def __call__(self, at: At) -> At:
        sheet, row, col = at
        if sheet != SHEET:
            return at
        block = max(0, (row - self.first) // self.height)
        return self.sheet, row + self.rows + self.gap * block, self.columns.get(col, col)


@dataclass
class _Author:
    """Writes one workbook: values first, then every cell as a number or a formula that gives it."""

    rng: random.Random
    book: StudentBook
    kinds: set[str]
    cells: dict[At, SubmittedCell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng, self.reference = self.rng, self.book.reference
        self.count = self.book.run.table.count
        samples = self.reference.kinds.samples
        self.convention = rng.choice(conventions(samples)[1:]) if "convention" in self.kinds else USUAL
        self.scale = self.convention.scale(self.reference)
        self.layout = self._layout()
        self.typed = self._typed()
        self.values = self._values()
        self.digits = (
            None if "no caches" in self.kinds else rng.choice((10, 15)) if "short caches" in self.kinds else 17
        )

    def _layout(self) -> _Layout:
        rng, table = self.rng, self.book.run.table
        groups: dict[str, list[int]] = {}
        for k, e in enumerate(self.reference.elements):
            col = self.book.at(k, 0)[2]
            groups.setdefault(e.name, []).append(col)
        spans = [list(range(min(cols), max(cols) + 1)) for cols in groups.values()]
        taken = {c for span in spans for c in span}
        last = max(taken)
        spans += [[c] for c in range(last + 1) if c not in taken]
        spans.sort()
        if "columns moved" in self.kinds:
            rng.shuffle(spans)
        columns: dict[int, int] = {}
        col = 0
        for span in spans:
            inside = "gaps" in self.kinds and "no labels" not in self.kinds and rng.random() < 0.2
            for c in span:
                columns[c] = col
                col += 1 + (inside and rng.random() < 0.5)
            col += rng.randint(0, 2) if "gaps" in self.kinds else 0
        self.last = col
        rows = rng.randint(1, 9) if "rows above" in self.kinds else 0
        gap = rng.randint(0, 2) if "gaps" in self.kinds and "no epoch column" not in self.kinds else 0
        name = rng.choice(("My work", "Übung", "Sheet1", "O'Brien")) if "other sheets" in self.kinds else SHEET
        return _Layout(name, rows, gap, table.first_row, table.height, columns)

    def _typed(self) -> np.ndarray:
        rng, elements = self.rng, self.reference.elements
        typed = np.zeros((len(elements), self.count), dtype=bool)
        if "all typed" in self.kinds:
            typed[:] = True
        elif "columns typed" in self.kinds:
            chosen = {name: rng.random() < 0.4 for name in dict.fromkeys(e.name for e in elements)}
            typed[:] = np.array([chosen[e.name] for e in elements])[:, None]
        elif "first epochs typed" in self.kinds:
            typed[:, : rng.randint(1, self.count)] = True
        return typed

    # Values

    def _values(self) -> Array:
        """Epoch by epoch, typed numbers rounded as they are written down."""
        rng, reference = self.rng, self.reference
        exact = reference.key * self.scale[:, None]
        few = "few digits" in self.kinds
        digits, decimals = (rng.randint(3, 5), rng.randint(3, 4)) if few else (rng.randint(6, 10), rng.randint(5, 6))
        by_decimals, on_the_way = rng.random() < 0.5, "rounded on the way" in self.kinds
        values = np.full(exact.shape, np.nan)
        with np.errstate(all="ignore"):
            for b in range(self.count):
                for k, e in enumerate(reference.elements):
                    own = self._value(e.first if b == 0 else e.later, values, b) * self.scale[k]
                    is_given = e.quantity.role == "given" or (e.quantity.role == "parameter" and b == 0)
                    if self.typed[k, b] and not is_given:
                        x = own if on_the_way and np.isfinite(own) else exact[k, b]
                        own = round(x, decimals) if by_decimals else float(f"{x:.{digits - 1}e}")
                    values[k, b] = own
        return values

    def _value(self, term: Scalar, values: Array, b: int) -> float:
        given = self.book.run.settings.numbers

        def at(ref: Ref) -> np.ndarray:
            m = self.reference.slot.get((ref.node.serial, ref.index))
            found = given[ref.node.serial, ref.index] if m is None else values[m, b - ref.back] / self.scale[m]
            return np.asarray(found)

        return float(vector_value(term, at))

    # Cells

    def written(self) -> Submission:
        rng, book = self.rng, self.book
        first, pen = book.run.table.first_row, _Pen(self)
        for at, content in book.cells.items():
            is_label = at[0] == SHEET and at[1] == first - 1
            if at[0] == SHEET and (isinstance(content, str) and content.startswith("=")):
                continue
            if "no labels" in self.kinds and is_label and content != "epoch":
                continue
            self.cells[self.layout(at)] = SubmittedCell(content)
        self._count_epochs()
        arrays = self._array_formulas(pen) if "array formulas" in self.kinds else {}
        for k, e in enumerate(self.reference.elements):
            for b in range(self.count):
                at, value = self.layout(book.at(k, b)), float(self.values[k, b])
                if self.typed[k, b] or (e.quantity.role == "given" and rng.random() < 0.1):
                    self.cells[at] = SubmittedCell(self._typed_text(value))
                elif (k, b) in arrays:
                    formula, offset = arrays[k, b]
                    self.cells[at] = self._computed(formula, value)._replace(offset=offset)
                else:
                    term = e.first if b == 0 else e.later
                    text = pen.formula(self._in_convention(k, term, b), b, at)
                    self.cells[at] = self._computed(relative_text(text, *at[1:]), value)
        return self._submission()

    def _count_epochs(self) -> None:
        table, first = self.book.run.table, self.book.run.first_epoch
        position = table.position(self.book.run.number, ())
        drop = "no epoch column" in self.kinds and table.height == 1
        for b in range(self.count):
            at = self.layout((SHEET, table.first_row + table.height * b + position.row, position.col))
            if not drop:
                self.cells[at] = SubmittedCell(float(first + b))
        if drop:
            col = self.layout((SHEET, 0, position.col))[2]
            self.cells = {at: c for at, c in self.cells.items() if at[0] != self.layout.sheet or at[2] != col}

    def _typed_text(self, value: float) -> float | str:
        if "numbers as text" not in self.kinds or not np.isfinite(value):
            return value if np.isfinite(value) else "#NUM!"
        text = f"{value:.12f}".rstrip("0").rstrip(".") if abs(value) > 1e-6 else repr(value)
        return text.replace(".", ",") if self.rng.random() < 0.5 else text

    def _computed(self, formula: str, value: float) -> SubmittedCell:
        if self.digits is None:
            return SubmittedCell(None, formula)
        if not np.isfinite(value):
            return SubmittedCell("#NUM!", formula, None, True)
        return SubmittedCell(float(f"{value:.{self.digits - 1}e}"), formula)

    def _submission(self) -> Submission:
        sheets: dict[str, dict[tuple[int, int], SubmittedCell]] = {}
        if "other sheets" in self.kinds:
            sheets["Notes"] = {(0, 0): SubmittedCell("Z = X*W + b"), (1, 0): SubmittedCell(True)}
        for (sheet, row, col), cell in self.cells.items():
            sheets.setdefault(sheet, {})[row, col] = cell
        read = {name: SubmittedSheet(name, cells) for name, cells in sheets.items()}
        return Submission(Path("student.xlsx"), read, dict(self.book.names), {}, ())

    # Conventions

    def _in_convention(self, k: int, term: Scalar, b: int) -> Scalar:
        """The term as somebody writes it who keeps the convention from the start; found by trial."""
        refs = references(term)
        slots = [self.reference.slot.get((r.node.serial, r.index)) for r in refs]
        if all(self.scale[m] == 1 for m in (k, *(m for m in slots if m is not None))):
            return term
        factors = [1.0 if m is None else float(self.scale[m]) for m in slots]
        rng = random.Random(0)
        drawn = {(r.node.serial, r.index, r.back): rng.uniform(0.2, 0.9) for r in refs}
        by = {(r.node.serial, r.index, r.back): f for r, f in zip(refs, factors, strict=True)}

        def value(t: Scalar, carried: bool) -> float:
            def at(r: Ref) -> np.ndarray:
                key = r.node.serial, r.index, r.back
                return np.asarray(drawn[key] / (1 if carried else by[key]))

            return float(vector_value(t, at))

        wanted = value(term, False) * self.scale[k]
        for candidate in _other_conventions(term, float(self.reference.kinds.samples)):
            if abs(value(candidate, True) - wanted) < 1e-12:
                return candidate
        raise AssertionError(f"no spelling of {self.reference.elements[k].name} in this convention")

    # Array formulas

    def _array_formulas(self, pen: _Pen) -> dict[tuple[int, int], tuple[str, tuple[int, int]]]:
        """Quantities whose cells do the same to neighbouring cells, written as one array formula per epoch."""
        found: dict[tuple[int, int], tuple[str, tuple[int, int]]] = {}
        by_name: dict[str, list[int]] = {}
        for k, e in enumerate(self.reference.elements):
            if e.quantity.role not in ("given", "parameter"):
                by_name.setdefault(e.name, []).append(k)
        for ks in by_name.values():
            if len(ks) < 2 or self.rng.random() < 0.3:
                continue
            for b in range(self.count):
                terms = [
                    self._in_convention(
                        k, self.reference.elements[k].first if b == 0 else self.reference.elements[k].later, b
                    )
                    for k in ks
                ]
                text = pen.array(ks, terms, b)
                if text is None:
                    break
                home = self.layout(self.book.at(ks[0], b))
                for k in ks:
                    at = self.layout(self.book.at(k, b))
                    if not self.typed[k, b]:
                        found[k, b] = relative_text(text, *home[1:]), (at[1] - home[1], at[2] - home[2])
        return found


def _other_conventions(term: Scalar, m: float) -> Iterator[Scalar]:
    undivided = _undivided(term, m)
    for t in (
        term,
        undivided,
        Product(((False, undivided), (True, Number(m)))),
        Product(((False, term), (True, Number(m)))),
    ):
        yield t
        yield Negative(t)
    if isinstance(term, Sum):  # an update
        *head, (sign, step) = term.terms
        for changed in (step, Product(((False, step), (True, Number(m))))):
            yield Sum((*head, (sign, changed)))
            yield Sum((*head, (-sign, changed)))


def _undivided(term: Scalar, m: float) -> Scalar:
    """The term without its division by the number of samples."""
    if isinstance(term, Product):
        kept = tuple(f for f in term.factors if f != (True, Number(m)))
        return kept[0][1] if len(kept) == 1 else Product(kept)
    return term


class _Pen:
    """Prints a term as one of the many formulas that mean it."""

    def __init__(self, author: _Author) -> None:
        self.author, self.rng, self.kinds = author, author.rng, author.kinds
        self.reference: Reference = author.reference
        self.plain = "other spelling" not in self.kinds
        self.dollar = self.rng.choice(("", "", "$", "mixed"))
        self.elsewhere = self.rng.random() < 0.5  # helper cells
        self.helpers = 0
        self.areas: dict[Ref, str] = {}  # what to write for a reference while a formula over ranges is printed
        settings = author.book.run.settings.items.values()
        self.given = {(s.leaf.serial, s.index): (s.sheet, s.row, s.col) for s in settings}
        self.names = {at: name for name, at in author.book.names.items()}
        self.inlines = "inlined" in self.kinds and author.convention is USUAL

    def formula(self, term: Scalar, b: int, home: At) -> str:
        for depth in (2, 0):
            self.b, self.home = b, home
            text = self.text(term, b, depth if self.inlines else 0)[0]
            if len(text) <= LONGEST:
                break
        return text

    def chance(self, p: float) -> bool:
        return not self.plain and self.rng.random() < p

    # References

    def place(self, ref: Ref, b: int) -> At:
        m = self.reference.slot.get((ref.node.serial, ref.index))
        if m is not None:
            return self.author.layout(self.author.book.at(m, b - ref.back))
        return self.given[ref.node.serial, ref.index]

    def address(self, at: At, fixed: bool = False) -> str:
        prefix = "" if at[0] == self.home[0] else sheet_prefix(at[0])
        text = a1(at[1], at[2], absolute=fixed)
        if not fixed and self.dollar == "$":
            text = "$" + text
        elif not fixed and self.dollar == "mixed" and self.rng.random() < 0.2:
            text = a1(at[1], at[2], absolute=True)
        return prefix + text

    def area(self, cells: list[At]) -> str | None:
        """The rectangle that the cells fill, in any order."""
        rows, cols = [c[1] for c in cells], [c[2] for c in cells]
        size = (max(rows) - min(rows) + 1) * (max(cols) - min(cols) + 1)
        if size != len(set(cells)) or len(set(cells)) < len(cells) or len({c[0] for c in cells}) > 1 or size < 2:
            return None
        sheet = cells[0][0]
        return f"{self.address((sheet, min(rows), min(cols)), True)}:{a1(max(rows), max(cols), absolute=True)}"

    def reference_text(self, ref: Ref, b: int, depth: int) -> tuple[str, int]:
        if ref in self.areas:
            return self.areas[ref], ATOM
        m = self.reference.slot.get((ref.node.serial, ref.index))
        at = self.place(ref, b)
        if m is None:
            name = self.names.get(at, "")
            if "named cells" in self.kinds and name:
                return name, ATOM
            return self.address(at, True), ATOM
        e, block = self.reference.elements[m], b - ref.back
        is_given = e.quantity.role == "given"
        may_inline = (is_given and self.inlines) or (depth and e.quantity.role != "parameter")
        if may_inline and self.rng.random() < 0.6:
            return self.text(e.first if block == 0 else e.later, block, 0 if is_given else depth - 1)
        if "ranges" in self.kinds and e.quantity.shape[0] * e.quantity.shape[1] > 1 and self.rng.random() < 0.15:
            family = [k for k, x in enumerate(self.reference.elements) if x.name == e.name]
            cells = [self.author.layout(self.author.book.at(k, block)) for k in family]
            area = self.area(cells)
            if area:
                r, c = at[1] - min(x[1] for x in cells), at[2] - min(x[2] for x in cells)
                return f"INDEX({area},{r + 1},{c + 1})", ATOM
        return self.address(at), ATOM

    # Terms

    def at_least(self, term: Scalar, level: int, b: int, depth: int) -> str:
        text, got = self.text(term, b, depth)
        return f"({text})" if got < level or self.chance(0.05) else text

    def text(self, term: Scalar, b: int, depth: int) -> tuple[str, int]:
        if "helper cells" in self.kinds and isinstance(term, Sum | Call | Power) and self.rng.random() < 0.1:
            return self.helper(term, b, depth), ATOM
        match term:
            case Ref():
                return self.reference_text(term, b, depth)
            case Number(value):
                return f"{value:.15G}", ATOM if value >= 0 else SUM
            case Sum(terms):
                return self.sum_text([(s, t) for s, t in terms], b, depth), SUM
            case Total(terms):
                return self.total_text(list(terms), b, depth)
            case Product(factors):
                return self.product_text(term, list(factors), b, depth)
            case Negative(x):
                if self.chance(0.3):
                    return f"(-1)*{self.at_least(x, POWER, b, depth)}", PRODUCT
                return f"-{self.at_least(x, ATOM, b, depth)}", SUM
            case Power(x, Number(2)) if self.chance(0.6):
                if self.rng.random() < 0.5:
                    return f"POWER({self.at_least(x, SUM, b, depth)},2)", ATOM
                return f"{self.at_least(x, ATOM, b, depth)}*{self.at_least(x, ATOM, b, depth)}", PRODUCT
            case Power(x, n):
                return f"{self.at_least(x, ATOM, b, depth)}^{self.at_least(n, ATOM, b, depth)}", POWER
            case Call("tanh", (x,)) if self.chance(0.5):
                up, down = self.at_least(x, SUM, b, depth), self.at_least(x, ATOM, b, depth)
                return f"(EXP({up})-EXP(-{down}))/(EXP({up})+EXP(-{down}))", PRODUCT
            case Call("log", (x,)) if self.chance(0.3):
                return f"LOG({self.at_least(x, SUM, b, depth)},EXP(1))", ATOM
            case Call(f, args):
                name = {"log": "LN"}.get(f, f.upper())
                return f"{name}({','.join(self.at_least(x, SUM, b, depth) for x in args)})", ATOM
            case Choice(_, _, Number(limit), then, otherwise) if "no guards" in self.kinds:
                return self.text(otherwise if limit == 32 else then, b, depth)
            case Choice(x, relation, y, then, otherwise):
                parts = [self.at_least(s, SUM, b, depth) for s in (x, y, then, otherwise)]
                return f"IF({parts[0]}{relation}{parts[1]},{parts[2]},{parts[3]})", ATOM
        raise TypeError(type(term).__name__)

    def sum_text(self, terms: list[tuple[int, Scalar]], b: int, depth: int) -> str:
        if not self.plain:
            self.rng.shuffle(terms)
        out = ""
        for sign, t in terms:
            if sign < 0 and out and self.chance(0.2):
                out += f"+(-{self.at_least(t, ATOM, b, depth)})"
            elif sign < 0:
                out += f"-{self.at_least(t, PRODUCT if out else ATOM, b, depth)}"
            else:
                out += ("+" if out else "") + self.at_least(t, PRODUCT, b, depth)
        return out

    def total_text(self, terms: list[Scalar], b: int, depth: int) -> tuple[str, int]:
        flat = [x for t in terms for x in (t.terms if isinstance(t, Total) else [t])]
        opened = [x for t in flat for x in (t.terms if isinstance(t, Sum) else [(1, t)])]
        simple = [t for s, t in opened if s > 0 and isinstance(t, Ref)]
        if len(simple) == len(opened) and len({r.node.serial for r in simple}) <= 2:
            area = self.area([self.place(r, b) for r in simple])
            if area and (self.plain or self.rng.random() < 0.7):
                return f"SUM({area})", ATOM
        if len(flat) > MANY:
            for steps in ([(i, 0) for i in range(len(flat))], [(0, i) for i in range(len(flat))]):
                text = self.over_ranges(flat, steps, b)
                if text:
                    return f"SUMPRODUCT({text})", ATOM
        pairs = [self.pair(t) for t in flat]
        if all(pairs):
            for one in (0, 1):
                sides = [[self.place(p[k], b) for p in pairs if p] for k in (one, 1 - one)]
                areas = [self.area(side) for side in sides]
                same = len({(x[1] - y[1], x[2] - y[2]) for x, y in zip(*sides, strict=True)}) == 1
                if areas[0] and areas[1] and same and (self.plain or self.rng.random() < 0.7):
                    flat_row = len({x[1] for x in sides[0]}) == 1
                    if (
                        "ranges" in self.kinds
                        and self.rng.random() < 0.4
                        and (flat_row or len({x[2] for x in sides[0]}) == 1)
                    ):
                        row, column = ("{}", "TRANSPOSE({})") if flat_row else ("TRANSPOSE({})", "{}")
                        return f"SUM(MMULT({row.format(areas[0])},{column.format(areas[1])}))", ATOM
                    return f"SUMPRODUCT({areas[0]},{areas[1]})", ATOM
        if len(flat) <= MANY and self.chance(0.4):
            return f"SUM({','.join(self.at_least(t, SUM, b, 0) for t in flat)})", ATOM
        return self.sum_text([(1, t) for t in flat], b, 0 if len(flat) > 4 else depth), SUM

    @staticmethod
    def pair(term: Scalar) -> tuple[Ref, Ref] | None:
        match term:
            case Product(((False, Ref() as x), (False, Ref() as y))):
                return x, y
        return None

    def product_text(self, term: Product, factors: list[tuple[bool, Scalar]], b: int, depth: int) -> tuple[str, int]:
        z = _sigmoid_of(term)
        if z is not None and self.chance(0.7):
            inside, atom = self.at_least(z, SUM, b, depth), self.at_least(z, ATOM, b, depth)
            return self.rng.choice((
                (f"EXP({inside})/(1+EXP({inside}))", PRODUCT),
                (f"EXP({inside})/(EXP({inside})+1)", PRODUCT),
                (f"0.5*(1+TANH({atom}/2))", PRODUCT),
                (f"(1+EXP(-{atom}))^-1", POWER),
                (f"1/(EXP(-{atom})+1)", PRODUCT),
            ))  # fmt: skip
        match factors:
            case [(False, Total(terms)), (True, Number(m))] if m == len(terms) and all(
                isinstance(t, Ref) for t in terms
            ):
                area = self.area([self.place(t, b) for t in terms if isinstance(t, Ref)])
                if area and self.chance(0.7):
                    return f"AVERAGE({area})", ATOM
        tops = [f for divides, f in factors if not divides]
        bottoms = [f for divides, f in factors if divides]
        if not self.plain:
            self.rng.shuffle(tops)
            self.rng.shuffle(bottoms)
        parts = [self.at_least(f, POWER, b, depth) for f in tops]
        below = [self.below(f, b, depth) for f in bottoms]
        if below and self.chance(0.3):
            position = self.rng.randint(0, len(parts))
            parts[position:position] = [f"(1/{x})" for x in below]
            return "*".join(parts), PRODUCT
        if len(below) > 1 and self.chance(0.5):
            return f"{'*'.join(parts) or '1'}/({'*'.join(below)})", PRODUCT
        return "/".join(["*".join(parts) or "1", *below]), PRODUCT

    def below(self, factor: Scalar, b: int, depth: int) -> str:
        if (
            isinstance(factor, Number)
            and factor.value == self.reference.kinds.samples
            and factor.value > 1
            and self.chance(0.4)
        ):
            labels = [
                self.author.layout(self.author.book.at(k, b))
                for k, e in enumerate(self.reference.elements)
                if e.node.serial in self.reference.kinds.labels
                and e.index[0 if self.reference.lesson.samples else -1] == 0
            ]
            area = self.area(labels) if len(labels) == factor.value else None
            if area:
                return f"COUNT({area})"
        return self.at_least(factor, ATOM, b, depth)

    def helper(self, term: Scalar, b: int, depth: int) -> str:
        """A part of the formula in a cell of its own, beside the table or on another sheet."""
        self.helpers += 1
        author = self.author
        sheet = "Scratch" if self.elsewhere else author.layout.sheet
        at = sheet, self.home[1], author.last + 3 + self.helpers
        home, self.home = self.home, at
        text = self.text(term, b, depth)[0]
        value = self.rounded(term, b)
        author.cells[at] = author._computed(relative_text(text, *at[1:]), value)
        self.home = home
        return self.address(at)

    def rounded(self, term: Scalar, b: int) -> float:
        with np.errstate(all="ignore"):
            return self.author._value(term, self.author.values * self.author.scale[:, None], b)

    # Array formulas

    def array(self, ks: list[int], terms: list[Scalar], b: int) -> str | None:
        """One formula over ranges for all of these cells, or None where they don't do the same."""
        homes = [self.author.layout(self.author.book.at(k, b)) for k in ks]
        self.home = homes[0]
        if self.area(homes) is None or homes[0] != min(homes):
            return None
        if any(isinstance(t, Total | Choice) for t in _parts(terms[0])):
            return None
        return self.over_ranges(terms, [(h[1] - homes[0][1], h[2] - homes[0][2]) for h in homes], b)

    def over_ranges(self, terms: list[Scalar], steps: list[tuple[int, int]], b: int) -> str | None:
        """One text for terms that are alike, their references moving by these steps or by a part of them."""
        texts = []
        mine = references(terms[0])
        others = [references(t) for t in terms]
        if any(len(o) != len(mine) or _shape(t) != _shape(terms[0]) for o, t in zip(others, terms, strict=True)):
            return None
        for j in range(len(mine)):
            cells = [self.place(o[j], b) for o in others]
            moves = [(c[1] - cells[0][1], c[2] - cells[0][2]) for c in cells]
            for rows, cols in ((1, 1), (1, 0), (0, 1), (0, 0)):
                if moves == [(r * rows, c * cols) for r, c in steps]:
                    break
            else:
                return None
            area = self.area(sorted(set(cells)))
            texts.append(area or self.address(cells[0], True))
        kept = self.kinds, self.plain
        self.kinds, self.plain = set(), True
        self.areas = dict(zip(mine, texts, strict=True))
        text = self.text(terms[0], b, 0)[0]
        self.areas = {}
        self.kinds, self.plain = kept
        return text


def _sigmoid_of(term: Scalar) -> Scalar | None:
    """z where the term is 1/(1+EXP(-z))."""
    match term:
        case Product(((False, Number(1)), (True, Sum(((1, Number(1)), (1, Call("exp", (Negative(z),)))))))):
            return z
    return None


def _parts(term: Scalar) -> Iterator[Scalar]:
    yield term
    for child in children(term):
        yield from _parts(child)


def _shape(term: Scalar) -> list[object]:
    return [x.value if isinstance(x, Number) else x.function if isinstance(x, Call) else type(x) for x in _parts(term)]


def false_alarms(per_lesson: int, lessons: Iterable[str] = LESSONS, seed: int = 0) -> list[tuple[str, int, int]]:
    """Every kind of variation, how many variants of all lessons have it, and how many of those were marked down.

    The first line counts all variants.
    """
    counts = {kind: [0, 0] for kind in ("all variants", *KINDS)}
    for name in lessons:
        for variant in correct_variants(name, per_lesson, seed):
            alarm = bool(variant.marked().errors)
            for kind in ("all variants", *variant.kinds):
                counts[kind][0] += 1
                counts[kind][1] += alarm
    return [(kind, number, alarms) for kind, (number, alarms) in counts.items()]
