"""Trial runs of a lesson from random parameters, in which a formula that is right by chance shows itself.

Inputs, labels and the learning rate stay as given, so a formula is right when it is right for these data whatever the
parameters are: `-LN(p)` in the row of a sample with y = 1 is as right as the whole cross-entropy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from simulator.check.reference import Array, Reference
from simulator.tape.scalar import Ref
from simulator.tape.vector import Vector, vector_value

RUNS, BLOCKS, JUDGED = 3, 5, 2  # a later block is judged as number 2: two before it, two behind it
WIDTH = 1.2  # parameters lie within plus and minus this


class Moved(Enum):
    """What is random besides the parameters."""

    NOTHING = 0
    RATE = 1
    ALL = 2  # the learning rate, inputs and labels


@dataclass(frozen=True)
class World:
    """values (elements, blocks, runs) of every cell, and the parameters that each run starts from, by setting."""

    values: Array
    given: dict[tuple[int, tuple[int, ...]], Vector]


@lru_cache(maxsize=64)
def make_world(reference: Reference, moved: Moved = Moved.NOTHING) -> World:
    """A few consecutive epochs from random parameters.

    Where the data are moved too, formulas that agree on 0 and 1 can be told apart; where the rate is moved, a formula
    that has it as a number shows itself.
    """
    run = reference.run
    seed = int.from_bytes(hashlib.sha256(reference.lesson.name.encode()).digest()[:4], "big")
    draw = np.random.default_rng(seed)
    given: dict[tuple[int, tuple[int, ...]], Vector] = {}
    parameters = {run.settings.leaves[name].serial for name in reference.lesson.parameters}
    data = {run.settings.leaves[name].serial for name in reference.lesson.given}
    for s in run.settings.items.values():
        key = s.leaf.serial, s.index
        if key[0] in parameters:
            given[key] = draw.uniform(-WIDTH, WIDTH, RUNS)
        elif (moved is Moved.ALL and key[0] in data) or (moved is not Moved.NOTHING and s.name == "learning_rate"):
            given[key] = draw.uniform(0.1, 0.9, RUNS)
        else:
            given[key] = np.full(RUNS, s.value)
    values = np.full((len(reference.elements), BLOCKS, RUNS), np.nan)
    with np.errstate(all="ignore"):
        for b in range(BLOCKS):

            def at(ref: Ref, b: int = b) -> Vector:
                m = reference.slot.get((ref.node.serial, ref.index))
                return given[ref.node.serial, ref.index] if m is None else values[m, b - ref.back]

            for k, e in enumerate(reference.elements):
                values[k, b] = vector_value(e.first if b == 0 else e.later, at)
    return World(values, given)
