"""Many seeds at once give what each seed gives alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.nn.runs import train_runs
from tests.nn.networks import numbers

X, Y, X_TEST, Y_TEST = numbers(12, 2), np.sign(numbers(12, 1, seed=4)), numbers(6, 2, seed=5), numbers(6, 1, seed=6)


def _relu(seed: int) -> nn.Model:
    layers = [nn.Input((2,)), nn.Dense(3, "relu"), nn.Dense(2, "sigmoid"), nn.Dense(1, "tanh")]
    return nn.Sequential(layers, seed=seed).compile(nn.SGD(0.1), "mse")


def _penalised(seed: int) -> nn.Model:
    layers = [nn.Input((2,)), nn.Dense(4, "tanh", kernel_regularizer=nn.L1L2(0.01, 0.02)), nn.Dense(1, "tanh")]
    return nn.Sequential(layers, seed=seed).compile(nn.Adam(0.05), "mse")


def _masked(seed: int) -> nn.Model:
    layers = [nn.Input((2,)), nn.Dense(4, "elu"), nn.Dropout(0.5), nn.Dense(1)]
    return nn.Sequential(layers, seed=seed).compile(nn.SGD(nn.InverseTimeDecay(0.1), momentum=0.9), "mse")


def _classifier(seed: int) -> nn.Model:
    layers = [nn.Input((2,)), nn.Dense(3, "leaky_relu"), nn.BatchNormalization(), nn.Dense(1, "sigmoid")]
    return nn.Sequential(layers, seed=seed).compile(nn.RMSprop(0.05), "binary_crossentropy")


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("make", [_relu, _penalised, _masked, _classifier])
def test_every_run_is_what_fit_makes_of_its_seed(make: Callable[[int], nn.Model], batch_size: int | None) -> None:
    seeds = [3, 0, 11]
    y, y_test = (np.abs(np.sign(a)) * (a > 0) if make is _classifier else a for a in (Y, Y_TEST))
    runs = train_runs(make(99), X, y, 6, seeds, batch_size, X_TEST, y_test)
    for k, seed in enumerate(seeds):
        alone = make(seed)
        history = alone.fit(X, y, batch_size, 6, backend="expressions").history
        assert runs.costs[k] == pytest.approx(history["loss"], rel=1e-12, abs=1e-12)
        for together, single in zip(runs.of(k), alone.get_weights(), strict=True):
            assert together == pytest.approx(single, rel=1e-12, abs=1e-12)
        p = alone.predict(X_TEST, backend="expressions")
        loss = (p - y_test) ** 2 if make is not _classifier else -np.log(np.where(y_test == 1, p, 1 - p))
        assert runs.tests[k] == pytest.approx(loss.mean(), rel=1e-12)


def test_the_model_itself_stays_as_it_was() -> None:
    model = _relu(1)
    before = model.get_weights()
    train_runs(model, X, Y, 2, [5], None, X_TEST, Y_TEST)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_no_seed_is_refused() -> None:
    with pytest.raises(SettingError) as error:
        train_runs(_relu(1), X, Y, 2, [], None, X_TEST, Y_TEST)
    assert str(error.value) == "train_runs needs seeds, such as range(100). Received: none."
