"""Lessons against NumPy written by hand, central differences, and their own contract."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import SettingError
from simulator.lessons import LESSONS, find_lesson
from simulator.lessons.training import stable
from tests.conftest import central_differences


def and_by_hand(epochs: int) -> tuple[list[float], np.ndarray]:
    """The AND perceptron as a student would write it with arrays."""
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float), np.array([0, 0, 0, 1.0])
    w, b, costs = np.array([10.0, 10.0]), 10.0, []
    for _ in range(epochs):
        z = x @ w + b
        costs.append(float(np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))))
        dz = (1 / (1 + np.exp(-z)) - y) / 4
        w, b = w - dz @ x, b - dz.sum()
    return costs, w


def test_and_agrees_with_numpy_written_by_hand() -> None:
    run = LESSONS["and"].run()
    costs, w = and_by_hand(run.count)
    np.testing.assert_allclose(run.column("cost"), costs, rtol=1e-8)  # 1-p has lost 8 digits at epoch 0
    np.testing.assert_allclose(run.column("W'")[-1].ravel(), w, rtol=1e-12)


def test_linear_regression_approaches_the_least_squares_line() -> None:
    lesson = LESSONS["linear-regression"]
    x, y = (np.ravel(lesson.given[name]) for name in ("X", "Y"))
    slope, intercept = np.polyfit(x, y, 1)
    run = lesson.run()
    assert abs(run.column("W'")[-1].item() - slope) < 1e-4
    assert abs(run.column("b'")[-1].item() - intercept) < 1e-4


@pytest.mark.parametrize("name", [n for n in LESSONS if n != "decoder-sigmoid-as-printed"])
@pytest.mark.parametrize("epoch", [0, 5])
def test_gradients_equal_central_differences(name: str, epoch: int) -> None:
    run = LESSONS[name].run(epochs=8)
    values = {k: np.array(v, float) for k, v in run.lesson.given.items()}
    values |= {k: run.column(k)[epoch] for k in run.lesson.parameters}
    cost = stable(run.epoch.cost)
    for k, leaf in run.epoch.parameters.items():
        gradient = run.column(run.epoch.gradients[k].name)[epoch]
        np.testing.assert_allclose(gradient, central_differences(cost, leaf, values, 1e-5), rtol=1e-6, atol=1e-8)


def test_the_printed_decoder_does_not_follow_its_gradient() -> None:
    run = LESSONS["decoder-sigmoid-as-printed"].run(epochs=2)
    values = {k: np.array(v, float) for k, v in run.lesson.given.items()}
    values |= {k: run.column(k)[0] for k in run.lesson.parameters}
    exact = central_differences(run.epoch.cost, run.epoch.parameters["W"], values)
    assert np.abs(run.column("dW")[0] - exact).max() > 0.01


@pytest.mark.parametrize("name", LESSONS)
def test_rows_and_frame_hold_the_same_cells(name: str) -> None:
    run = LESSONS[name].run(epochs=3)
    frame = run.to_frame()
    assert list(frame.columns) == ["epoch", "quantity", "index", "value", "cell"]
    assert len(frame) == (len(run.table.computed) - 1) * run.count
    assert frame["cell"].is_unique
    name_of_cost = run.epoch.cost.name
    cost = frame[frame["quantity"] == name_of_cost]
    np.testing.assert_array_equal(cost["value"], run.column(name_of_cost))


def test_settings_change_the_run() -> None:
    lesson = LESSONS["and"]
    slow = lesson.run(epochs=5, settings={"learning_rate": 0.5, "W_1": 3.0})
    assert slow.column("W")[0].ravel().tolist() == [10.0, 3.0]
    assert slow.column("b")[1].item() == pytest.approx(10 - 0.5 * 0.75, abs=1e-3)


# settings                        message
BAD = [
    ({"learning_rat": 1.0}, "Did you mean 'learning_rate'?"),
    ({"learning_rate": float("nan")}, "learning_rate must be a number from 0 to 1000. Received: nan."),
    ({"learning_rate": float("inf")}, "learning_rate must be a number from 0 to 1000. Received: inf."),
    ({"W_0": 1e7}, "W_0 must be a number from -1e+06 to 1e+06. Received: 1e+07."),
    ({"check_epoch": 2.5}, "check_epoch must be a whole number from 0 to 70. Received: 2.5."),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_bad_settings_are_refused(changed: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        LESSONS["and"].run(settings=changed)
    assert message in str(caught.value)


@pytest.mark.parametrize("epochs", [0, -3, 262_141])
def test_impossible_epochs_are_refused_with_how_many_fit(epochs: int) -> None:
    with pytest.raises(SettingError) as caught:
        LESSONS["and"].run(epochs=epochs)
    assert str(caught.value) == (
        f"'and' can show 1 to 262,140 epochs, 4 rows each on a sheet of 1,048,576 rows. Received: {epochs:,}. "
        "Choose --epochs within that."
    )


def test_an_unknown_lesson_suggests_the_nearest() -> None:
    with pytest.raises(SettingError) as caught:
        find_lesson("decodr")
    assert str(caught.value).endswith("Received: 'decodr'. Did you mean 'decoder'?")
