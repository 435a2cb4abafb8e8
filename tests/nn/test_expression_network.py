"""Training step by step as equations: the same weights as by fused operations, however training is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError, ShapeError, TrainingError
from simulator.experiments import EXPERIMENTS
from simulator.nn.backend import expression_cell
from simulator.nn.backend.expression_network import ExpressionNetwork
from simulator.nn.layer import Layer
from simulator.nn.memory import need_of
from tests.nn.test_memory import peak_of

B, T, V, H = 4, 5, 6, 7
CELLS: dict[str, Callable[..., Layer]] = {"rnn": nn.SimpleRNN, "gru": nn.GRU, "lstm": nn.LSTM}


def text() -> tuple[Any, Any]:
    """Sequences of one-hot characters, and the character after each."""
    numbers = np.random.default_rng(0).integers(0, V, (3 * B, T + 1))
    return np.eye(V)[numbers[:, :-1]], numbers[:, 1:]


def writer(cell: str, **options: Any) -> nn.Model:
    layers = [CELLS[cell](H, return_sequences=True, **options), nn.Dense(V, activation="softmax")]
    model = nn.Sequential([nn.Input((T, V)), *layers], seed=3)
    return model.compile(nn.SGD(1.0, global_clipnorm=0.3), "sparse_categorical_crossentropy", metrics=["accuracy"])


def convnet() -> nn.Model:
    pictures = [nn.Conv2D(3, 3, activation="relu"), nn.BatchNormalization(), nn.MaxPooling2D(2), nn.Flatten()]
    dense = [nn.Dense(5, activation="tanh", kernel_regularizer="l2"), nn.Dense(3, activation="softmax")]
    model = nn.Sequential([nn.Input((8, 8, 2)), *pictures, *dense], seed=3)
    return model.compile(nn.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])


def pictures() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(3 * B, 8, 8, 2)), rng.integers(0, 3, 3 * B)


def same_on_both(make: Callable[[], nn.Model], data: tuple[Any, Any], epochs: int = 3) -> None:
    """History and weights after several epochs of three batches, and answers, by equations and by fused operations."""
    found = []
    for backend in ("numpy", "expressions"):
        model, (x, y) = make(), data
        options: dict[str, Any] = {"batch_size": B, "epochs": epochs, "shuffle": True, "verbose": 0}
        history = model.fit(x, y, backend=backend, validation_data=(x[:B], y[:B]), **options).history
        model.reset_states()
        found.append([*model.get_weights(), *map(np.array, history.values()), model.predict(x, B, backend=backend)])
    assert max(np.abs(a - b).max() for a, b in zip(found[0], make().get_weights(), strict=False)) > 1e-3
    for fused, equations in zip(*found, strict=True):
        np.testing.assert_allclose(fused, equations, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stateful", [True, False])
def test_texts_are_learnt_as_by_fused_operations(cell: str, stateful: bool) -> None:
    same_on_both(lambda: writer(cell, stateful=stateful), text())


def test_pictures_are_learnt_as_by_fused_operations() -> None:
    same_on_both(convnet, pictures())


def test_both_directions_carry_states_of_their_own() -> None:
    def build() -> nn.Model:
        two = nn.Bidirectional(nn.LSTM(H, return_sequences=True, stateful=True))
        model = nn.Sequential([nn.Input((T, V)), two, nn.Dense(V, activation="softmax")], seed=3)
        return model.compile(nn.SGD(0.5), "sparse_categorical_crossentropy")

    same_on_both(build, text())


def test_a_fault_in_an_equation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate that is a ReLU's, not a tanh's."""

    def other(at: Any, cell: Any, t: int, x: Any, *states: Any) -> Any:
        return expression_cell._gru(at, cell._replace(activation="relu"), t, x, *states)

    monkeypatch.setitem(expression_cell.STEPS, "gru", other)
    with pytest.raises(AssertionError):
        same_on_both(lambda: writer("gru"), text())


def test_states_that_are_not_carried_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.nn.backend.expression.Expressions.goes_on", lambda *args: None)
    with pytest.raises(AssertionError):
        same_on_both(lambda: writer("rnn", stateful=True), text())


@pytest.mark.parametrize("make", [lambda: writer("lstm", stateful=True), convnet], ids=["lstm", "convnet"])
def test_a_resumed_run_reaches_the_same_weights(make: Callable[[], nn.Model]) -> None:
    x, y = text() if make().inputs.sizes == (T, V) else pictures()
    options: dict[str, Any] = {"batch_size": B, "backend": "expressions", "shuffle": True, "verbose": 0}
    whole, first, second = make(), make(), make()
    whole.fit(x, y, epochs=4, **options)
    first.fit(x, y, epochs=2, **options)
    second.network("expressions").restore(first.network("expressions").state())
    second.updated("expressions")
    second.fit(x, y, epochs=4, initial_epoch=2, **options)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_shuffle_and_batch_size_it_is_the_workbook() -> None:
    """The cost of every step is that of the workbook's own step, which updates the weights by expressions too."""
    from simulator.nn.training import numbers_of, train

    x, y = pictures()
    model = convnet()
    step = model.trace(x, y.astype(float))
    costs, _ = train(step, numbers_of(step), x, y.astype(float), len(x), 4)
    history = model.fit(x, y, epochs=4, backend="expressions", verbose=0).history["loss"]
    np.testing.assert_allclose(history, costs[:, 0], rtol=1e-12)


def test_equations_are_traced_once_for_a_size_of_batch() -> None:
    x, y = text()
    model = writer("rnn")
    network = model.network("expressions")
    assert isinstance(network, ExpressionNetwork)
    model.fit(x, y, batch_size=B, backend="expressions", verbose=0)
    traced = network.traced(B, True)
    model.fit(x, y, batch_size=B, backend="expressions", verbose=0)
    assert network.traced(B, True) is traced


def test_what_a_step_needs_of_memory_is_what_it_takes() -> None:
    def build() -> nn.Model:
        model = nn.Sequential([nn.Input((20, 8)), nn.GRU(60, return_sequences=True), nn.Dense(3)])
        return model.compile("sgd", "mse", backend="expressions")

    need, taken = need_of(build(), 300), peak_of(build(), 300)
    assert 0.4 * need < taken < 1.2 * need


REFUSED = [
    (
        lambda: writer("lstm", recurrent_dropout=0.5),
        "The equations keep a state as it is. Received: recurrent_dropout=0.5. Train it with fit on the backend "
        '"numpy"; dropout, of the input, can be shown.',
    ),
    (
        lambda: writer("rnn").compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=True)),
        "sparse_categorical_crossentropy from logits follows a last layer with activation 'linear'. Received: Dense "
        "with activation 'softmax'. Write nn.Dense(..., activation='linear') or choose another loss.",
    ),
    (
        lambda: nn.Sequential([nn.Input((T, V)), nn.Dense(1)]).compile("sgd", nn.losses.Huber(0.5)),
        "Equations have a loss of probabilities, and a Huber loss with delta 1. Received: delta=0.5.",
    ),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_equations_lack_is_refused(make: Callable[[], nn.Model], said: str) -> None:
    x, y = text()
    with pytest.raises(SettingError) as caught:
        model = make()
        model.fit(x, y if model.outputs.sizes[-1] > 1 else y[..., None], B, backend="expressions", verbose=0)
    assert str(caught.value) == said


def test_lenet_is_learnt_at_its_own_size() -> None:
    """Products of convolutions are listed for formulas alone."""
    experiment = EXPERIMENTS["lenet"]
    settings = experiment.settings_with({"batch_size": 16})
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(32, 28, 28, 1)), rng.integers(0, 10, 32)
    found = []
    for backend in ("numpy", "expressions"):
        model = experiment.build(settings, 0)
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0, backend=backend)
        found.append(model.get_weights())
    for fused, equations in zip(*found, strict=True):
        np.testing.assert_allclose(fused, equations, atol=2e-5)


def test_a_batch_of_another_size_cannot_take_over_states() -> None:
    x, y = text()
    with pytest.raises(SettingError, match=r"all batches have one size\. Received: 2 samples after 5"):
        writer("gru", stateful=True).fit(x, y, batch_size=5, backend="expressions", verbose=0)


def test_a_loss_that_is_no_number_stops() -> None:
    x, y = pictures()
    model = nn.Sequential([nn.Input((8, 8, 2)), nn.Flatten(), nn.Dense(1)]).compile(nn.SGD(1e6), "mse")
    with pytest.raises(TrainingError, match="a learning rate of 1e\\+06 is too large"):
        model.fit(x, y, epochs=60, backend="expressions", verbose=0)


def test_a_workbook_cannot_carry_states() -> None:
    x, y = text()
    said = "A workbook starts every sequence from zeros. Received: stateful=True. "
    said += "Train it with fit, or leave stateful out."
    for trace in (lambda m: m.trace(x, y.astype(float)), lambda m: m.trace_forward(x)):
        with pytest.raises(SettingError) as caught:
            trace(writer("rnn", stateful=True).compile("sgd", "sparse_categorical_crossentropy"))
        assert str(caught.value) == said


def test_class_numbers_outside_an_embedding_are_refused() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Embedding(5, 2), nn.Flatten(), nn.Dense(1)])
    with pytest.raises(SettingError, match="Inputs of an Embedding are whole numbers from 0 to 4"):
        model.predict([[1, 2, 5]], backend="expressions")
    with pytest.raises(ShapeError, match=r"X must be samples of shape \(3,\)"):
        model.predict([[1, 2]], backend="expressions")
