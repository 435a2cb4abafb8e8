"""AND perceptron: 2 inputs, one sigmoid unit, the chain rule in full view.

# a sample is a row: X (4, 2), Y, Z, p (4, 1); W (2, 1) is laid along the row, b (1, 1)
"""

from __future__ import annotations

from dataclasses import replace

from simulator.lessons.lesson import Lesson
from simulator.sheet.style import COST
from simulator.tape.expression import Expression
from simulator.tape.namespace import complement, log, mean, sigmoid
from simulator.tape.primitive import slope

INPUTS = [[0, 0], [0, 1], [1, 0], [1, 1]]


def equations(X: Expression, Y: Expression, W: Expression, b: Expression) -> Expression:
    Z = (X @ W + b).named("Z", "weighted sum")
    p = sigmoid(Z).named("p", "prediction")
    L1 = (-Y * log(p)).named("-ylog(p)", "loss where y = 1", gradient=False)
    L0 = (-(1 - Y) * log(complement(p))).named("-(1-y)log(1-p)", "loss where y = 0", gradient=False)
    return mean(L1 + L0, over=4).named("cost", "mean cross-entropy")


# dp/dZ = p (1-p), with the guarded 1-p: dC/dp has it in the denominator, so both must lose the same digits.
GUARDED = {"sigmoid": [slope(lambda p: p * complement(p))]}

AND = Lesson(
    name="and",
    title="AND perceptron",
    story="One neuron learns the logical AND of two inputs. It starts far off (W = 10, b = 10 says yes to everything) "
    "and needs 52 epochs at learning rate 1 to bring the cost below 0.09.",
    given={"X": INPUTS, "Y": [[0], [0], [0], [1]]},
    parameters={"W": [[10], [10]], "b": [[10]]},
    equations=equations,
    meanings={"X": "inputs", "Y": "label", "W": "weights", "b": "bias"},
    output="p",
    samples=0,
    first_epoch=0,
    threshold=0.09,
    gradient="dC/d{}",
    chain=True,
    rules=GUARDED,
    formats={"Z": "0.00000", "cost": COST, "dC/dp": "#,##0.000", "X": "0", "Y": "0", "dZ/dW": "0", "dZ/db": "0"},
    across=frozenset({"W", "dC/dW", "W'"}),
    axes={"X": ("sample", "x"), "W": ("", "w"), "dZ/dW": ("sample", "w"), "dC/dW": ("", "w"), "W'": ("", "w")},
)

AND_ZEROS = replace(
    AND,
    name="and-zeros",
    title="AND perceptron from zero weights",
    story="The same neuron from W = 0, b = 0: every prediction is 0.5 and the cost is log 2 = 0.693 at the start.",
    parameters={"W": [[0], [0]], "b": [[0]]},
    first_epoch=1,
)
