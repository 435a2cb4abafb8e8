"""Expressions evaluated again and again: what is held meanwhile, and what isn't there."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import SettingError
from simulator.tape.arrangement import positions_of, take
from simulator.tape.evaluate import Evaluation, evaluate, evaluate_all
from simulator.tape.expression import given
from simulator.tape.namespace import exp

X = given("x", (10,))


def test_an_array_is_held_until_its_last_use() -> None:
    a = exp(X)
    b = exp(a)  # beside it a, and x no longer
    assert Evaluation([exp(b)]).numbers == 20
    assert Evaluation([exp(b) + X]).numbers == 30  # x waits for the sum
    assert Evaluation([exp(b), a]).numbers == 30  # a root stays


def test_positions_are_held_throughout() -> None:
    some = take(X, positions_of(X)[2:5], "{0}[3:5]")
    assert Evaluation([exp(some)]).numbers == 3 + 10 + 3


def test_roots_that_are_given_or_known_come_back() -> None:
    a = exp(X)
    x, found, known = evaluate_all([X, a * 2.0, a], {"x": np.zeros(10)}, {a.serial: np.ones(10)})
    assert (x == 0).all() and (found == 2).all() and (known == 1).all()


def test_an_evaluation_keeps_nothing_of_the_one_before() -> None:
    squared = Evaluation([X * X])
    for value in (2.0, 3.0):
        assert (squared.of({"x": np.full(10, value)}, {})[0] == value**2).all()
    with pytest.raises(SettingError, match=r"Every given array needs a value\. Received: none for 'x'"):
        squared.of({}, {})
    assert evaluate(X, {"x": np.arange(10)}).tolist() == list(range(10))
