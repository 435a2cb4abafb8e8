"""What every cell of a lesson's table must be, from the cells that it depends on.

# k counts the elements of the table's quantities, in the order of computation; b counts the blocks, epoch by epoch
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.sheet.table import Quantity
from simulator.tape.expression import Expression, Index, upstream
from simulator.tape.scalar import Ref, Scalar
from simulator.tape.vector import Vector, references, vector_value

Array = NDArray[np.float64]


class Element(NamedTuple):
    """One cell of a block: an array's element, its name on the sheet, its term in the first block and in later ones."""

    quantity: Quantity
    node: Expression
    index: Index  # type: ignore[assignment]  # the element's, over tuple.index
    entry: str
    first: Scalar
    later: Scalar

    @property
    def name(self) -> str:
        return self.node.name


@dataclass(frozen=True)
class Kinds:
    """What the arrays of a lesson are to somebody who mixes them up."""

    inputs: frozenset[int]
    labels: frozenset[int]
    weights: frozenset[int]
    biases: frozenset[int]
    gradients: frozenset[int]  # of parameters
    slopes: Mapping[int, int]  # columns such as dp/dZ -> the activation
    factors: frozenset[int]  # columns such as dZ/dW, which repeat the inputs
    activations: Mapping[int, str]  # serial -> primitive
    output: frozenset[int]  # the activation that predicts, and its siblings
    crossentropy: bool  # whether the cost has logarithms
    samples: int


@dataclass(eq=False)
class Reference:
    """A lesson's run as the thing to compare with."""

    run: Run
    elements: list[Element] = field(init=False)
    slot: dict[tuple[int, Index], int] = field(init=False)

    def __post_init__(self) -> None:
        run = self.run
        program = run.table.program
        quantities = {q.node.serial: q for q in run.table.quantities}
        order = sorted(
            (-1 if node.serial in program.carries else node.serial, i) for i, (node, _) in enumerate(program.entries)
        )
        names = {(c.quantity.node.serial, c.index): c.name() for c in run.table.plan if c.quantity}
        self.elements = []
        for _, i in order:
            node, index = program.entries[i]
            if node is run.number:
                continue
            first, later = program.raw_term(node, index)
            entry = names[node.serial, index]
            self.elements.append(Element(quantities[node.serial], node, index, entry, first, later))
        self.slot = {(e.node.serial, e.index): k for k, e in enumerate(self.elements)}

    @property
    def lesson(self) -> Lesson:
        return self.run.lesson

    @cached_property
    def needs(self) -> list[tuple[list[Ref], list[Ref]]]:
        """The references of every element's term, in the first block and in later ones."""
        return [(references(e.first), references(e.later)) for e in self.elements]

    @cached_property
    def key(self) -> Array:
        """The right values from the given numbers, shape (elements, blocks)."""
        table = self.run.table
        blocks = np.array(list(table.blocks()))
        columns = [table.slot[e.node.serial, e.index] for e in self.elements]
        return np.ascontiguousarray(blocks[:, columns].T)

    def value(
        self,
        k: int,
        term: Scalar,
        values: Array,
        b: slice,
        scale: Array | None = None,
        given: Mapping[tuple[int, Index], Any] | None = None,
    ) -> Vector:
        """A term of element k in the blocks b, from the values (elements, blocks, ...) of all cells.

        scale (elements,) says by which factor a student's convention multiplies every element; see convention.py.
        given has other values than the lesson's for the given numbers.
        """
        given = self.run.settings.numbers if given is None else given

        def at(ref: Ref) -> Vector:
            m = self.slot.get((ref.node.serial, ref.index))
            if m is None:
                return np.asarray(given[ref.node.serial, ref.index])
            found = _moved(values[m], b, ref.back)
            return found if scale is None or scale[m] == 1 else found / scale[m]

        with np.errstate(all="ignore"):
            found = vector_value(term, at)
        shape = values[0][b].shape
        found = np.broadcast_to(found, shape) if np.shape(found) != shape else found
        return found if scale is None or scale[k] == 1 else found * scale[k]

    def own(self, k: int, values: Array, scale: Array | None = None) -> Array:
        """What element k must be in every block, by the values (elements, blocks, ...) of the cells it depends on."""
        e = self.elements[k]
        if e.later is e.first:
            return self.value(k, e.first, values, slice(0, None), scale)
        head = self.value(k, e.first, values, slice(0, 1), scale)
        return np.concatenate([head, self.value(k, e.later, values, slice(1, None), scale)])

    @cached_property
    def kinds(self) -> Kinds:
        run = self.run
        lesson, epoch = run.lesson, run.epoch
        leaves = {**run.settings.leaves, **epoch.inputs, **epoch.parameters}
        named = {name: frozenset({run.settings.leaves[name].serial, e.serial}) for name, e in leaves.items()}
        is_label = re.compile(r"Y|t\d+")
        is_bias = re.compile(r"b\d*")

        def of(test: Callable[[str], object], names: object) -> frozenset[int]:
            assert isinstance(names, Mapping)
            return frozenset().union(*(named[n] for n in names if test(n)))

        forward = epoch.forward
        activations = {
            e.serial: "softmax" if e.softmax_of else e.primitive.name
            for e in forward
            if e.primitive and (e.softmax_of or e.primitive.name in ("sigmoid", "tanh"))
        }
        output = family(epoch.output.name)
        local = [e for e in epoch.backward if e.meaning.startswith("slope of")]
        owner = {f"d{e.name}/d": e.serial for e in forward if e.serial in activations}
        slopes = {e.serial: a for e in local for start, a in owner.items() if e.name.startswith(start)}
        return Kinds(
            inputs=of(lambda n: not is_label.fullmatch(n) and not is_bias.fullmatch(n), lesson.given),
            labels=of(is_label.fullmatch, lesson.given),
            weights=of(lambda n: not is_bias.fullmatch(n), lesson.parameters),
            biases=of(is_bias.fullmatch, lesson.parameters) | of(is_bias.fullmatch, lesson.given),
            gradients=frozenset(g.serial for g in epoch.gradients.values()),
            slopes=slopes,
            factors=frozenset(e.serial for e in local if e.serial not in slopes),
            activations=activations,
            output=frozenset(e.serial for e in forward if family(e.name) == output),
            crossentropy=any(e.primitive and "log" in e.primitive.name for e in upstream(epoch.cost)),
            samples=max(len(m) if lesson.samples == 0 else len(m[0]) for m in lesson.given.values()),
        )


def family(name: str) -> str:
    """The name without its numbers: what w1 and w2, a_h1 and a_h2 share.

    >>> family("dE/dw12"), family("W'")
    ('dE/dw', "W'")
    """
    return re.sub(r"\d+", "", name)


def _moved(values: Array, b: slice, back: int) -> Array:
    """The values of the blocks b, each taken `back` blocks earlier; NaN before the first and behind the last one."""
    if not back:
        return values[b]
    out = np.full(values.shape, np.nan)
    if back > 0:
        out[back:] = values[:-back]
    else:
        out[:back] = values[-back:]
    return out[b]
