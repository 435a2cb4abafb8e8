"""Gradients as a lecturer would write them."""

from __future__ import annotations

from simulator.lessons import LESSONS
from simulator.lessons.lesson import Lesson
from simulator.tape.equation import equation


def equations(lesson: Lesson) -> dict[str, str]:
    run = lesson.run(epochs=1)
    return {q.node.name: equation(q.node) for q in run.table.quantities if q.role in ("backward", "update")}


def test_the_perceptron_shows_the_chain_rule_in_full() -> None:
    assert list(equations(LESSONS["and"]).values()) == [
        "dC/dp = (-Y / p + (1 - Y) / (1 - p)) / m",
        "dp/dZ = p * (1 - p)",
        "dC/dZ = dC/dp * dp/dZ",
        "dZ/dW = X",
        "dZ/db = 1",
        "dC/dW = (dZ/dW).T @ (dC/dZ)",
        "dC/db = sum(dC/dZ * dZ/db)",
        "W' = W - rate * dC/dW",
        "b' = b - rate * dC/db",
    ]


def test_a_sigmoid_slope_prints_as_a_times_one_minus_a_and_crossentropy_as_p_minus_y() -> None:
    assert list(equations(LESSONS["xor"]).values())[:7] == [
        "dZ2 = (P - Y) / m",
        "dW = dZ2 @ A1.T",
        "db2 = sum(dZ2)",
        "dA1 = W.T @ dZ2",
        "dZ1 = dA1 * A1 * (1 - A1)",
        "dV = dZ1 @ X.T",
        "db1 = sum(dZ1)",
    ]
    assert equations(LESSONS["xor-tanh"])["dZ1"] == "dZ1 = dA1 * (1 - A1^2)"
    assert equations(LESSONS["decoder"])["dZ"] == "dZ = (P - Y) / m"


def test_the_printed_decoder_leaves_the_slope_out() -> None:
    assert equations(LESSONS["decoder-sigmoid"])["dZ"] == "dZ = dA * A * (1 - A)"
    assert equations(LESSONS["decoder-sigmoid-as-printed"])["dZ"] == "dZ = dA"
