"""Gradients of every layer, activation and loss: the formulas' expressions against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.tape.evaluate import evaluate_all
from tests.conftest import central_differences
from tests.nn.networks import ACTIVATIONS, LAYERS, LOSSES, Case


def values_of(case: Case, step) -> dict:  # type: ignore[no-untyped-def,type-arg]
    values = {"X data": case.X, "Y data": case.Y, **{n: v for n, (_, v, _) in step.settings.items()}}
    values |= {leaf.name: value for leaf, value in step.first.values()}
    return values | {symbol: step.first[symbol][1] for symbol in step.parameters}


@pytest.mark.parametrize("make", [*(LAYERS | ACTIVATIONS | LOSSES).values()], ids=[*(LAYERS | ACTIVATIONS | LOSSES)])
def test_gradients_equal_central_differences(make) -> None:  # type: ignore[no-untyped-def]
    case = make()
    x = case.model.inputs_checked(case.X)
    case = case._replace(X=x, Y=case.model.labels_checked(case.Y, len(x)))
    step = case.model.trace(case.X, case.Y)
    values = values_of(case, step)
    largest = 0.0
    for name, gradient in step.gradients.items():
        (found,) = evaluate_all([gradient], values, {})
        expected = central_differences(step.cost, step.parameters[name], values)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-8, err_msg=name)
        largest = max(largest, float(np.abs(found).max()))
    assert largest > 1e-3, "gradients of zeros prove nothing"


def test_features_are_columns_in_the_order_of_their_names() -> None:
    names = ("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")
    model = nn.Sequential([nn.Input((2,)), nn.Features(names)])
    expected = [[2, -3, 4, 9, -6, 0.9092974268, -0.1411200081]]
    np.testing.assert_allclose(model.predict([[2.0, -3.0]], backend="expressions"), expected, atol=1e-10)
    with pytest.raises(SettingError, match="Did you mean 'x1\\^2'"):
        nn.Features(("x1^3",))
