"""Training in NumPy: a traced step again and again, for one run or for many at once.

# R runs, if there are several; N samples
"""

from __future__ import annotations

import numpy as np

from simulator.nn.initializer import Array
from simulator.nn.trace import Step
from simulator.tape.evaluate import Evaluation, evaluate_all

Numbers = dict[str, Array]


def numbers_of(step: Step) -> Numbers:
    """First weights, masks and hyperparameters of a step, by the names of their arrays."""
    numbers = {leaf.name: value for leaf, value in step.first.values()}
    return numbers | {name: np.asarray(value) for name, (_, value, _) in step.settings.items()}


def start_of(step: Step, numbers: Numbers) -> dict[int, Array]:
    """What continues from step to step, as the first step finds it, by the array's serial."""
    return dict(zip(step.carries, evaluate_all([c.first for c in step.carries.values()], numbers, {}), strict=True))


def train(step: Step, numbers: Numbers, X: Array, Y: Array, size: int, epochs: int) -> tuple[Array, dict[int, Array]]:
    """The cost of every batch (epochs, batches) and, by serial, what continues after the last one.

    numbers are those of the step; arrays with one axis more, in front, train R runs and give costs
    (R, epochs, batches). size is that of a batch.
    """
    assert step.cost is not None
    evaluation = Evaluation([step.cost, *(carry.then for carry in step.carries.values())])
    state = start_of(step, numbers)
    costs = []
    for _ in range(epochs):
        for start in range(0, len(X), size):
            batch = {"X data": X[start : start + size], "Y data": Y[start : start + size]}
            cost, *after = evaluation.of(numbers | batch, state)
            state = dict(zip(step.carries, after, strict=True))
            costs.append(cost)
    return np.stack(costs, axis=-1).reshape(*costs[0].shape, epochs, -1), state
