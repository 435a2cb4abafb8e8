"""The same training from many first weights: how much a result depends on where it started.

# R runs, E epochs, N samples
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simulator.nn.initializer import Array
from simulator.nn.model import Model, clone_model, epochs_checked
from simulator.nn.option import require
from simulator.nn.training import numbers_of, train
from simulator.tape.evaluate import evaluate_all
from simulator.tape.expression import given


class Runs(NamedTuple):
    """costs (R, E) of every epoch; tests (R,) losses of the test data at the end; weights with a first axis of runs."""

    costs: Array
    tests: Array
    weights: list[Array]

    def of(self, run: int) -> list[Array]:
        """The weights of one run, as `Model.set_weights` takes them."""
        return [w[run] for w in self.weights]


def train_runs(
    model: Model,
    X: ArrayLike,
    Y: ArrayLike,
    epochs: int,
    seeds: Sequence[int],
    batch_size: int | None,
    X_test: ArrayLike,
    Y_test: ArrayLike,
) -> Runs:
    """Train once per seed, all runs in one array; the same numbers as Model.fit of a model with that seed.

    The first weights are drawn anew for every seed, as are the masks of dropout. The model itself stays as it was.
    Raises SettingError without a seed or an epoch, ShapeError and SettingError for data that don't fit.

    >>> from simulator import nn
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(1)]).compile(nn.SGD(0.1), "mse")
    >>> x, y = [[0.0, 1.0], [1.0, 0.0]], [[1.0], [0.0]]
    >>> train_runs(model, x, y, 5, range(3), None, x, y).costs.shape
    (3, 5)
    """
    seeds = list(seeds)
    require(len(seeds) > 0, "train_runs needs seeds, such as range(100).", "none")
    epochs_checked(epochs)
    x, x_test = model.inputs_checked(X), model.inputs_checked(X_test)
    y, y_test = model.labels_checked(Y, len(x)), model.labels_checked(Y_test, len(x_test))
    size, _ = model.batches_of(len(x), batch_size)
    step = model.trace(x, y, batch_size)
    clones = [clone_model(model, seed).compile(model.optimizer, model.loss_option) for seed in seeds]
    firsts = [clone.trace(x, y, batch_size).first for clone in clones]
    drawn = {leaf.name: np.stack([first[key][1] for first in firsts]) for key, (leaf, _) in step.first.items()}
    costs, state = train(step, numbers_of(step) | drawn, x, y, size, epochs)
    trained = {symbol: state[node.serial] for symbol, node in step.parameters.items()}
    tests = _test_losses(model, x_test, y_test, trained, len(seeds))
    order = [w.symbol for w in model.weights]
    return Runs(costs.mean(axis=2), tests, [trained[symbol] for symbol in order])


def _test_losses(model: Model, X: Array, Y: Array, weights: dict[str, Array], runs: int) -> Array:
    """The mean loss of every run over the test data, without penalties."""
    step = model.trace_forward(X)
    labels = given("Y data", Y.shape)
    cost = model.loss_option.loss.cost(labels, step.output, lambda x, symbol, meaning: x)
    known = {step.parameters[symbol].serial: value for symbol, value in weights.items()}
    numbers = {name: np.asarray(value) for name, (_, value, _) in step.settings.items()}
    [found] = evaluate_all([cost], numbers | {"X data": X, "Y data": Y}, known)
    return np.broadcast_to(found, (runs,)).copy()
