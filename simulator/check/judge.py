"""Judge every cell of a table by the student's own cells that it depends on.

A formula is right when it gives the right values in trial runs from random parameters, whatever it looks like; a
number is right when it lies within its digits, and those of the numbers it comes from, of what the student's own
cells lead to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.check.convention import USUAL, Convention, conventions
from simulator.check.evidence import BLANK, ERROR, OTHER, Evidence, Spelled
from simulator.check.formula import NotUnderstood
from simulator.check.marking import Status
from simulator.check.reference import Array, Reference
from simulator.check.tolerance import ABSOLUTE, RELATIVE, carried_margin
from simulator.check.world import JUDGED, RUNS, World
from simulator.tape.scalar import Scalar
from simulator.tape.vector import Vector

CLOSE = 1e-8  # of trial runs, relative
ROUNDS = 8  # of filling in blank cells that depend on blank cells


@dataclass
class Verdicts:
    """What every cell is by the student's own numbers: own and margin (elements, blocks), and a status each."""

    evidence: Evidence
    convention: Convention
    scale: Array
    filled: Array
    own: Array
    margin: Array
    formula_right: Mapping[tuple[int, Spelled], bool | None]  # None: not understood
    status: Mapping[tuple[int, int], Status]

    @property
    def reference(self) -> Reference:
        return self.evidence.reference

    def in_world(self, k: int, term: Scalar, first: bool, world: World) -> Vector:
        """A term of element k in the trial runs."""
        b = 0 if first else JUDGED
        values = self.reference.value(k, term, world.values, slice(b, b + 1), self.scale, world.given)
        return np.asarray(values[0])

    def spelled_in_world(self, k: int, b: int, world: World) -> Vector | None:
        """What the student's formula gives in the trial runs, or None when it isn't understood."""
        return _spelled_in_world(self.evidence, k, b, world, self.scale)


def judged(
    evidence: Evidence, world: World, key: Array, to_fill: frozenset[str], tolerance: float = RELATIVE
) -> Verdicts:
    """The verdict on every cell, in the convention that the student keeps.

    key (elements, blocks) has the right values from the given numbers; to_fill names the quantities that are the
    student's work; tolerance is relative, for computed numbers.
    """
    usual = _Judge(evidence, world, key, USUAL, tolerance)
    best = usual
    if usual.wrong_quantities:
        for convention in conventions(evidence.reference.kinds.samples)[1:]:
            other = _Judge(evidence, world, key, convention, tolerance)
            if len(other.wrong_quantities) < len(best.wrong_quantities) and other.is_kept:
                best = other
    return best.verdicts(to_fill)


class _Judge:
    def __init__(self, evidence: Evidence, world: World, key: Array, convention: Convention, tolerance: float) -> None:
        self.evidence, self.world, self.convention, self.tolerance = evidence, world, convention, tolerance
        self.reference = evidence.reference
        self.scale = convention.scale(self.reference)
        self.key = key
        self.right: dict[tuple[int, Spelled], bool | None] = {}
        self.filled = self._filled()
        self.own = np.array([self.reference.own(k, self.filled, self.scale) for k in range(len(self.filled))])

    def _filled(self) -> Array:
        """The student's values, blank ones replaced by what their own other cells lead to."""
        values = self.evidence.values.copy()
        blank = ~np.isfinite(values) & (self.evidence.state != ERROR)
        if not blank.any():
            return values
        holes = [k for k in range(len(values)) if blank[k].any()]
        for _ in range(ROUNDS):
            before = int(np.isnan(values).sum())
            for k in holes:
                own = self.reference.own(k, values, self.scale)
                values[k] = np.where(blank[k] & ~np.isfinite(values[k]), own, values[k])
            if int(np.isnan(values).sum()) == before:
                break
        return values

    @cached_property
    def margin(self) -> Array:
        """How far a value may be from what its own cells lead to."""
        margins = self.evidence.margins
        base = self.tolerance * np.abs(self.own) + ABSOLUTE + margins
        far = np.abs(self.evidence.values - self.own) > base
        for k in np.flatnonzero(far.any(axis=1)):
            base[k] = base[k] + carried_margin(self.reference, int(k), self.filled, margins, self.scale)
        return np.where(np.isfinite(base), base, np.inf)

    @cached_property
    def agrees(self) -> NDArray[np.bool_]:
        """Whether a value is what its own cells lead to."""
        with np.errstate(invalid="ignore"):
            far = np.abs(self.evidence.values - self.own) > self.margin
        # Nothing can be expected where their own cells lead to an error: 0/0 when 1 - p was rounded to 0.
        found: NDArray[np.bool_] = np.isfinite(self.evidence.values) & ~far
        return found

    @cached_property
    def as_key(self) -> NDArray[np.bool_]:
        """Whether a value is what the handed-out numbers lead to."""
        return self._near(self.key)

    @cached_property
    def as_given(self) -> NDArray[np.bool_]:
        """Whether a value is what the given numbers on the student's own sheet lead to."""
        return self._near(self.reference.key)

    def _near(self, key: Array) -> NDArray[np.bool_]:
        expected = key * self.scale[:, None]
        with np.errstate(invalid="ignore"):
            margin = 1e-6 * np.abs(expected) + 1e-9 + self.evidence.margins
            found: NDArray[np.bool_] = np.abs(self.evidence.values - expected) <= margin
        return found

    @cached_property
    def wrong(self) -> set[tuple[int, int]]:
        """The cells that hold something wrong: a wrong formula, or a number where there is none that is understood."""
        state = self.evidence.state
        judged_by_number = state != BLANK
        wrong = np.zeros(state.shape, dtype=bool)
        for (k, spelled), blocks in self.evidence.groups.items():
            right = self.right[k, spelled] = self._formula_is_right(k, blocks[0])
            if right is not None:
                wrong[k, blocks] = not right
                judged_by_number[k, blocks] = False
        right_number = np.where(
            state == ERROR, ~np.isfinite(self.own), (state != OTHER) & (self.agrees | self.as_given)
        )
        wrong |= judged_by_number & ~right_number
        wrong &= state != BLANK
        return {(int(k), int(b)) for k, b in np.argwhere(wrong)}

    def _formula_is_right(self, k: int, b: int) -> bool | None:
        """Whether the formula of a cell leads to the right values in the trial runs; None when it isn't understood."""
        found = _spelled_in_world(self.evidence, k, b, self.world, self.scale)
        if found is None:
            return None
        return alike(found, self.world.values[k, 0 if b == 0 else JUDGED] * self.scale[k])

    @cached_property
    def wrong_quantities(self) -> set[str]:
        return {self.reference.elements[k].name for k, _ in self.wrong}

    @property
    def is_kept(self) -> bool:
        """Whether the convention's factors are really there: gradients start with them, and the updates undo them."""
        elements, kinds = self.reference.elements, self.reference.kinds
        scaled = {e.name for k, e in enumerate(elements) if self.scale[k] != 1}
        needs = self.reference.needs

        def names(k: int) -> set[str]:
            return {r.node.name for r in needs[k][1]}

        starts = {e.name for k, e in enumerate(elements) if e.name in scaled and not names(k) & scaled}
        if self.convention.at_the_weights == 1:
            ends = {e.name for e in elements if e.node.serial in kinds.gradients and e.name not in starts}
        else:
            gradients = {e.name for e in elements if e.node.serial in kinds.gradients}
            ends = {e.name for k, e in enumerate(elements) if names(k) & gradients}
        filled = {elements[k].name for k in np.flatnonzero((self.evidence.state != BLANK).any(axis=1))}
        wrong_ends = ends & self.wrong_quantities
        return not starts & self.wrong_quantities and bool(ends & filled) and len(wrong_ends) * 2 < len(ends & filled)

    # Statuses

    def verdicts(self, to_fill: frozenset[str]) -> Verdicts:
        state = self.evidence.state
        status: dict[tuple[int, int], Status] = {}
        typed_over = self._typed_over()
        reached = self._reached(to_fill)
        for k, places in enumerate(self.evidence.placement.where):
            for b in places:
                if state[k, b] == BLANK:
                    status[k, b] = Status.MISSING if reached[k, b] else Status.NOT_REACHED
                elif typed_over[k, b]:
                    status[k, b] = Status.TYPED_OVER
                elif (k, b) in self.wrong:
                    status[k, b] = Status.WRONG
                else:
                    status[k, b] = Status.CORRECT if self.as_key[k, b] else Status.CARRIED
        return Verdicts(
            self.evidence,
            self.convention,
            self.scale,
            self.filled,
            self.own,
            self.margin,
            self.right,
            status,
        )

    def _typed_over(self) -> NDArray[np.bool_]:
        """A number among formulas: where most cells of a quantity in these epochs are formulas.

        Who works the first epochs by hand and goes on with formulas has typed over none.
        """
        state = self.evidence.state
        formula = self.evidence.has_formula
        holds = state != BLANK
        found: NDArray[np.bool_] = np.zeros(formula.shape, dtype=bool)
        by_quantity: dict[str, list[int]] = {}
        for k, e in enumerate(self.reference.elements):
            by_quantity.setdefault(e.name, []).append(k)
        worked_out = [k for k, e in enumerate(self.reference.elements) if e.quantity.role not in ("given", "parameter")]
        for ks in by_quantity.values():
            role = self.reference.elements[ks[0]].quantity.role
            if role == "given":
                continue
            by_formula = [bool(formula[ks, b].any()) for b in range(formula.shape[1])]
            if role == "parameter":
                by_formula[0] = bool(formula[worked_out, 0].any())
            begun = np.logical_or.accumulate(by_formula)
            for blocks in (slice(0, 1), slice(1, None)):
                if role == "parameter" and blocks == slice(0, 1):
                    continue  # the first weights are given
                mine, filled = formula[ks, blocks], holds[ks, blocks]
                if 2 * mine.sum() > filled.sum():
                    found[ks, blocks] = filled & ~mine & begun[blocks]
        return found

    def _reached(self, to_fill: frozenset[str]) -> NDArray[np.bool_]:
        """Whether the student has come past a cell: something that is computed later is filled in."""
        holds: NDArray[np.bool_] = self.evidence.state != BLANK
        for k, e in enumerate(self.reference.elements):
            if e.name not in to_fill:
                holds[k] = False
            elif e.quantity.role == "parameter":
                holds[k, 0] = False  # the first weights are given
        in_order = holds.T.ravel()  # epoch by epoch, in the order of computation
        last = int(np.flatnonzero(in_order)[-1]) if in_order.any() else -1
        reached: NDArray[np.bool_] = (np.arange(in_order.size) < last).reshape(holds.T.shape).T
        return reached


def alike(found: Vector, right: Vector) -> bool:
    """Whether two vectors of trial runs are the same but for rounding."""
    scale = np.maximum(np.abs(right), 1e-6)
    return bool(np.all(np.abs(found - right) <= CLOSE * scale))


def _spelled_in_world(evidence: Evidence, k: int, b: int, world: World, scale: Array) -> Vector | None:
    try:
        found = evidence.in_world(evidence.placement.where[k][b], b, world, scale)
    except (NotUnderstood, RecursionError):
        return None
    return np.asarray(np.broadcast_to(found, (RUNS,)))
