"""First weights beside Keras's: the same bounds and moments, and what comes back from a file."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.nn import initializers
from simulator.nn.description import describe, read_description
from simulator.nn.initializer import initial

os.environ["KERAS_BACKEND"] = "torch"
if os.environ.get("CI"):
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    import keras
else:
    keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPES = [(300, 100), (3, 3, 40, 60), (2, 80, 90)]
IN, OUT = [300, 360, 160], [100, 540, 180]  # numbers that enter and leave a unit
CUT = 0.8796256610342398  # the standard deviation of a normal that is cut off at 2
UNIFORM = {
    "GlorotUniform": lambda i, o: 6 / (i + o),
    "HeUniform": lambda i, o: 6 / i,
    "LecunUniform": lambda i, o: 3 / i,
}
NORMAL = {"GlorotNormal": lambda i, o: 2 / (i + o), "HeNormal": lambda i, o: 2 / i, "LecunNormal": lambda i, o: 1 / i}
OPTIONS: list[tuple[str, dict[str, float]]] = [
    *((name, {}) for name in ("RandomNormal", "RandomUniform", "TruncatedNormal", "Zeros", "Ones", "Constant")),
    *((name, {}) for name in (*UNIFORM, *NORMAL)),
    ("RandomNormal", {"mean": 2.0, "stddev": 0.5}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 0.2}),
    ("RandomUniform", {"minval": 1.0, "maxval": 3.0}),
    ("Constant", {"value": -0.7}),
    ("Orthogonal", {"gain": 2.0}),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_moments_are_those_of_keras(name: str, options: dict[str, float], shape: tuple[int, ...]) -> None:
    seeded = options if name in ("Zeros", "Ones", "Constant") else options | {"seed": 3}
    mine = getattr(initializers, name)(**seeded)(shape)
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(**seeded)(shape)).astype(float)
    spread = theirs.std()
    assert mine.shape == shape
    np.testing.assert_allclose(mine.mean(), theirs.mean(), atol=6 * spread / math.sqrt(mine.size) + 1e-7)
    np.testing.assert_allclose(mine.std(), spread, rtol=0.03, atol=1e-7)
    if name not in ("RandomNormal", "Orthogonal"):  # those without bounds
        np.testing.assert_allclose([mine.min(), mine.max()], [theirs.min(), theirs.max()], atol=0.02 * spread + 1e-7)


@pytest.mark.parametrize(("shape", "inputs", "outputs"), list(zip(SHAPES, IN, OUT, strict=True)))
def test_bounds_and_deviations_follow_from_inputs_and_outputs(
    shape: tuple[int, ...], inputs: int, outputs: int
) -> None:
    for name, square in UNIFORM.items():
        limit, found = math.sqrt(square(inputs, outputs)), np.abs(getattr(initializers, name)(seed=1)(shape)).max()
        assert 0.999 * limit < found <= limit, name
    for name, variance in NORMAL.items():
        deviation, found = math.sqrt(variance(inputs, outputs)), getattr(initializers, name)(seed=1)(shape)
        assert found.std() == pytest.approx(deviation, rel=0.02), name
        assert 1.99 * deviation / CUT < np.abs(found).max() <= 2 * deviation / CUT, name


def test_orthogonal_columns_are_orthogonal() -> None:
    found = initializers.Orthogonal(gain=3.0)((6, 4))
    np.testing.assert_allclose(found.T @ found, 9 * np.eye(4), atol=1e-12)


@pytest.mark.parametrize("name", [n for n in initializers.NAMES if n not in ("zeros", "ones", "constant")])
def test_a_seed_gives_the_same_numbers(name: str) -> None:
    made = getattr(initializers, "".join(part.capitalize() for part in name.split("_")))

    def kernel(initializer: Any, seed: int) -> Any:
        return nn.Sequential([nn.Input((3,)), nn.Dense(4, kernel_initializer=initializer)], seed=seed).get_weights()[0]

    np.testing.assert_array_equal(kernel(made(seed=5), 0), kernel(made(seed=5), 1))
    assert (kernel(made(seed=5), 0) != kernel(made(seed=6), 0)).any()
    np.testing.assert_array_equal(kernel(made(), 2), kernel(name, 2))  # a name and its object are the same
    assert (kernel(made(), 0) != kernel(made(), 1)).any()


def test_small_first_weights_keep_two_digits() -> None:
    small = initial(initializers.RandomNormal(stddev=1e-5), np.random.default_rng(0), (4, 4))
    assert np.count_nonzero(small) > 12
    assert initial(initializers.Constant(0.12345), np.random.default_rng(0), (1,))[0] == 0.12345


def test_biases_of_an_lstm_are_those_of_keras() -> None:
    def biases(k: Any) -> Any:
        layer = k.layers.LSTM(2, bias_initializer=k.initializers.Constant(0.5))
        return k.Sequential([k.Input((3, 1)), layer]).get_weights()[2]

    np.testing.assert_array_equal(biases(nn), biases(keras))


def layers() -> list[nn.layers.Layer]:
    of = initializers
    return [
        nn.Embedding(9, 4, embeddings_initializer=of.TruncatedNormal(stddev=0.2), embeddings_regularizer="l2"),
        nn.Bidirectional(nn.GRU(2, recurrent_initializer=of.Orthogonal(gain=0.5, seed=1), return_sequences=True)),
        nn.Conv1D(3, 2, bias_initializer=of.Constant(0.1), bias_regularizer=nn.L1(0.5)),
        nn.LSTM(2, kernel_initializer=of.LecunNormal(), bias_initializer=of.RandomUniform(-1, 1)),
        nn.Dense(2, kernel_initializer=of.RandomNormal(0.5, 0.25, seed=7), bias_regularizer=nn.L1L2(0.1, 0.2)),
    ]


def test_initializers_come_back_from_a_description_and_a_file(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Input((5,)), *layers()], seed=4).compile(nn.SGD(0.1), "mse")
    text = describe(model, 1)
    assert 'kernel_initializer = {type = "RandomNormal", mean = 0.5, stddev = 0.25, seed = 7}' in text
    assert "bias_regularizer = {l1 = 0.1, l2 = 0.2}" in text
    for again in (
        read_description(text, Path(), with_data=False).model,
        nn.load_model(model.save(tmp_path / "a.keras")),
    ):
        assert [x.config() | {"name": ""} for x in again.numbered] == [
            x.config() | {"name": ""} for x in model.numbered
        ]
        assert describe(again, 1) == text
        for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Dense(2, kernel_initializer="he_norml"), "Received: 'he_norml'. Did you mean 'he_normal'?"),
        (lambda: nn.LSTM(2, recurrent_initializer="orthogonl"), "Did you mean 'orthogonal'?"),
        (lambda: nn.Dense(2, kernel_initializer=3), "Received: 3."),  # type: ignore[arg-type]
        (lambda: nn.Dense(2, kernel_initializer={"type": "HeNorml"}), "Did you mean 'HeNormal'?"),  # type: ignore[arg-type]
        (lambda: initializers.RandomNormal(stdev=1), "Received: stdev=1. Did you mean 'stddev'?"),  # type: ignore[call-arg]
        (lambda: initializers.RandomNormal(stddev=-1), "RandomNormal needs a stddev of 0 or more. Received: -1."),
        (lambda: initializers.RandomUniform(1, 0), "a minval that is not above maxval. Received: 1, 0."),
        (lambda: initializers.HeNormal(seed=-1), "HeNormal needs a seed that is a whole number from 0. Received: -1."),
        (lambda: initializers.Orthogonal()((3,)), "arrays of two axes or more. Received: (3,)."),
    ],
)
def test_what_is_wrong_is_said(make: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        make()
    assert message in str(error.value)
