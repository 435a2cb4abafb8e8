"""Linear regression on 200 points: one row per epoch, its sums taken over the data sheet.

# X, Y (200, 1); W, b (1, 1)
"""

from __future__ import annotations

import random

from simulator.lessons.lesson import Lesson, Matrix
from simulator.sheet.style import COST
from simulator.tape.expression import Expression
from simulator.tape.namespace import mean

POINTS = 200


def points(seed: int = 1, slope: float = 1.5, intercept: float = 0.5, noise: float = 0.4) -> tuple[Matrix, Matrix]:
    """200 points (x, slope x + intercept + noise), x uniform in (-2, 2), both to 4 decimals."""
    draw = random.Random(seed)
    xs = [round(draw.uniform(-2, 2), 4) for _ in range(POINTS)]
    ys = [round(slope * x + intercept + draw.gauss(0, noise), 4) for x in xs]
    return [[x] for x in xs], [[y] for y in ys]


def equations(X: Expression, Y: Expression, W: Expression, b: Expression) -> Expression:
    P = (X @ W + b).named("P", "prediction", gradient=False)
    return mean((P - Y) ** 2, over=POINTS).named("cost", "mean squared error")


INPUTS, LABELS = points()

LINEAR_REGRESSION = Lesson(
    name="linear-regression",
    title="Linear regression",
    story="A line is fitted to 200 points, y = 1.5 x + 0.5 plus noise, by gradient descent on the mean squared error. "
    "The points are on the sheet Data; every row of the table sums over all of them.",
    given={"X": INPUTS, "Y": LABELS},
    parameters={"W": [[0]], "b": [[0]]},
    equations=equations,
    meanings={"X": "inputs", "Y": "targets", "W": "slope", "b": "intercept"},
    samples=0,
    learning_rate=0.05,
    epochs=200,
    threshold=0.2,
    formats=dict.fromkeys(("W", "b", "dW", "db", "W'", "b'"), "0.00000") | {"cost": COST},
    data_sheet=True,
    view="Fit",
)
