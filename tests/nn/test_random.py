"""Random small networks: values, formulas, NumPy and finite differences must tell the same story."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import nn
from simulator.nn.layer import Layer
from simulator.xlsx.report import lines_of
from tests.conftest import central_differences
from tests.nn.networks import OPTIMIZERS, Case, case
from tests.nn.test_formula import repeats, spread_of, workbook_of
from tests.nn.test_gradient import values_of

activation = st.sampled_from(["linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu"])
few = st.integers(1, 3)


@st.composite
def networks(draw: st.DrawFn) -> Case:
    """A network on vectors, sequences or images, with any optimizer, loss and batches."""
    kind = draw(st.sampled_from(["vector", "sequence", "image"]))
    shape: tuple[int, ...]
    layers: list[Layer] = []
    if kind == "vector":
        shape = (draw(few),)
        for _ in range(draw(st.integers(0, 2))):
            penalty = draw(st.sampled_from([None, nn.L1(0.01), nn.L2(0.02)]))
            layers.append(nn.Dense(draw(few), draw(activation), draw(st.booleans()), kernel_regularizer=penalty))
            layers += draw(st.sampled_from([[], [nn.BatchNormalization()], [nn.Dropout(0.3, seed=1)]]))
    elif kind == "sequence":
        shape = (draw(st.integers(2, 4)), draw(few))
        recurrent = draw(st.sampled_from([nn.SimpleRNN, nn.LSTM, nn.GRU, nn.Conv1D, nn.MultiHeadAttention]))
        if recurrent is nn.Conv1D:
            size = draw(st.integers(1, 2))
            padding = draw(st.sampled_from(["valid", "same"]))
            layers += [nn.Conv1D(draw(few), size, draw(st.integers(1, 2)), padding, draw(activation)), nn.Flatten()]
        elif recurrent is nn.MultiHeadAttention:
            layers += [nn.MultiHeadAttention(key_dim=draw(few)), nn.GlobalAveragePooling1D()]
        else:
            layers.append(recurrent(draw(few), return_sequences=draw(st.booleans())))
            if layers[0].return_sequences:  # type: ignore[attr-defined]
                layers.append(draw(st.sampled_from([nn.Flatten(), nn.GlobalAveragePooling1D()])))
    else:
        shape = (draw(st.integers(3, 5)), draw(st.integers(3, 5)), draw(st.integers(1, 2)))
        padding = draw(st.sampled_from(["valid", "same"]))
        layers.append(nn.Conv2D(draw(few), draw(few), draw(st.integers(1, 2)), padding, draw(activation)))
        pooling = draw(st.sampled_from([nn.MaxPooling2D, nn.AveragePooling2D, None]))
        layers += [pooling(2, padding="same")] if pooling else []
        layers.append(draw(st.sampled_from([nn.Flatten(), nn.GlobalAveragePooling2D()])))
    loss, last, units = draw(
        st.sampled_from(
            [
                ("mse", "linear", 2),
                ("mae", "tanh", 1),
                ("mse", "softmax", 2),
                ("binary_crossentropy", "sigmoid", 1),
                ("categorical_crossentropy", "softmax", 3),
                ("sparse_categorical_crossentropy", "softmax", 2),
            ]
        )
    )
    layers.append(nn.Dense(units, last))
    optimizer = OPTIMIZERS[draw(st.sampled_from(sorted(OPTIMIZERS)))]()
    n = draw(st.sampled_from([2, 4]))
    return case(shape, *layers, loss=loss, optimizer=optimizer, n=n, batch_size=draw(st.sampled_from([None, 1, 2])))


@settings(max_examples=60)
@given(networks())
def test_formulas_and_numpy_train_alike(random: Case) -> None:
    epochs = 3
    workbook = workbook_of(random, epochs)
    spread = spread_of(workbook)
    last = dict(zip(spread.program.slot, spread.values[-1], strict=True))
    names = {node.name: node for node, _ in spread.program.entries}
    history = random.model.fit(random.X, random.Y, random.batch_size, epochs, backend="expressions").history["loss"]
    _, batches = random.model.batches_of(len(random.X), random.batch_size)
    costs = [v[spread.program.slot[names["cost"].serial, ()]] for v in spread.values]
    np.testing.assert_allclose(np.reshape(costs, (epochs, batches)).mean(axis=1), history, rtol=1e-8, atol=1e-12)
    for w in random.model.weights:
        node = names[f"{w.symbol}'"]
        found = [last[node.serial, index] for index in np.ndindex(*node.shape)]
        np.testing.assert_allclose(found, w.value.ravel(), rtol=1e-6, atol=1e-9, err_msg=w.symbol)


@settings(max_examples=60)
@given(networks())
def test_nothing_is_computed_twice_in_random_networks(random: Case) -> None:
    assert repeats([later for _, later in spread_of(workbook_of(random)).program.terms]) == []


@settings(max_examples=30)
@given(networks())
def test_gradients_of_random_networks_equal_central_differences(random: Case) -> None:
    x = random.model.inputs_checked(random.X)
    checked = random._replace(X=x, Y=random.model.labels_checked(random.Y, len(x)))
    step = checked.model.trace(checked.X, checked.Y)
    values = values_of(checked, step)
    from simulator.tape.evaluate import evaluate_all

    for name, gradient in step.gradients.items():
        (found,) = evaluate_all([gradient], values, {})
        expected = central_differences(step.cost, step.parameters[name], values)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(("engines", "examples"), [("embedded", 25), ("libreoffice", 5)])
def test_engines_recalculate_random_networks(engines: str, examples: int) -> None:
    @settings(max_examples=examples)
    @given(networks())
    def holds(random: Case) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "random.xlsx"
            done = random.model.to_workbook(
                path, random.X, random.Y, epochs=2, batch_size=random.batch_size, engine=engines
            )
        assert done.agrees, "\n".join(lines_of(done))

    holds()
