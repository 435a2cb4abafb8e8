"""What a model refuses, with the whole message: the rule, what was received, what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simulator import nn
from simulator.errors import LayoutError, SettingError, ShapeError, SimulatorError

X = [[0.0, 0], [0, 1], [1, 0], [1, 1]]
Y = [[0.0], [1], [1], [0]]


def xor(activation: str | None = "sigmoid", loss: str = "binary_crossentropy", units: int = 1) -> nn.Model:
    layers = [nn.Input((2,)), nn.Dense(3, activation="tanh"), nn.Dense(units, activation=activation)]
    return nn.Sequential(layers).compile(nn.SGD(3.0), loss)


def built(model: nn.Model, X: object = X, Y: object = Y, **options: object) -> Callable[[Path], object]:
    return lambda folder: model.to_workbook(folder / "x.xlsx", X, Y, **options)  # type: ignore[arg-type]


# what goes wrong, the error, the whole message
REFUSED: list[tuple[Callable[[Path], object], type[SimulatorError], str]] = [
    (
        built(xor(), X=[[0, 1, 2]]),
        ShapeError,
        "X must be samples of shape (2,). Received: an array (1, 3). Give it the shape (N, 2).",
    ),
    (
        built(xor(), X=[[0, 1], [2]]),
        SettingError,
        "X must be numbers in rows of one length. Received: setting an array element with a sequence. The requested "
        "array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) + inhomogeneous part.",
    ),
    (
        built(xor(), X=[[0, 1], [np.nan, 1], [1, 0], [1, 1]]),
        SettingError,
        "X must be finite numbers. Received: nan at (1, 0), 1 in all. Remove these samples or fill them in.",
    ),
    (
        built(xor(), Y=[[0], [1]]),
        ShapeError,
        "binary_crossentropy needs labels of shape (4, 1). Received: an array (2, 1). Check the last layer's units.",
    ),
    (
        built(xor(), Y=[[0], [2], [1], [0]]),
        SettingError,
        "binary_crossentropy needs labels from 0 to 1. Received: 2.0.",
    ),
    (
        built(xor("softmax", "categorical_crossentropy", 2), Y=[[1, 0], [1, 1], [0, 1], [0, 1]]),
        SettingError,
        "categorical_crossentropy needs rows of zeros with a single 1, or of shares that are 1 together. "
        "Received: [1. 1.]. Class numbers go with sparse_categorical_crossentropy.",
    ),
    (
        built(xor("softmax", "sparse_categorical_crossentropy", 2), Y=[0, 1, 2, 0]),
        SettingError,
        "Labels of sparse_categorical_crossentropy are whole numbers from 0 to 1. Received: 2. The last layer, "
        "Dense, answers for 2; give it one per class.",
    ),
    (
        lambda folder: xor("tanh"),
        SettingError,
        "binary_crossentropy follows a last layer with activation 'sigmoid'. Received: Dense with activation 'tanh'. "
        "Write nn.Dense(..., activation='sigmoid') or choose another loss.",
    ),
    (
        lambda folder: xor(loss="hinge"),
        SettingError,
        "A loss must be one of mean_squared_error, mean_absolute_error, huber, binary_crossentropy, "
        "categorical_crossentropy, sparse_categorical_crossentropy. Received: 'hinge'.",
    ),
    (
        lambda folder: nn.Dense(3, activation="sigmod"),
        SettingError,
        "An activation must be one of linear, sigmoid, tanh, relu, leaky_relu, elu, softmax. Received: 'sigmod'. "
        "Did you mean 'sigmoid'?",
    ),
    (
        lambda folder: nn.Dense(units=3, activaton="tanh"),  # type: ignore[call-arg]
        SettingError,
        "Dense takes units, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, "
        "bias_regularizer. Received: activaton='tanh'. Did you mean 'activation'?",
    ),
    (
        lambda folder: nn.Dense(0),
        SettingError,
        "Dense needs units to be a whole number above 0. Received: 0.",
    ),
    (
        lambda folder: nn.Conv2D(2, 5)(nn.Input((4, 4, 1))),
        SettingError,
        'Conv2D must fit into its input. Received: window (5, 5), input (4, 4, 1). padding="same" pads.',
    ),
    (
        lambda folder: nn.Dense(2)(nn.Input((4, 4, 1))),
        ShapeError,
        "Dense needs a vector or a sequence of vectors: samples of 1 axis. Received: samples of shape (4, 4, 1). Put "
        "Flatten() before it.",
    ),
    (
        lambda folder: nn.LSTM(2)(nn.Input((4,))),
        ShapeError,
        "LSTM needs a sequence (steps, features): samples of 2 axes. "
        "Received: samples of shape (4,). Check the layer before it.",
    ),
    (
        lambda folder: nn.MultiHeadAttention(num_heads=2, key_dim=2)(nn.Input((3, 2))),
        SettingError,
        "A workbook shows attention with one head. Received: num_heads=2.",
    ),
    (
        lambda folder: nn.Sequential([nn.Dense(2)]).count_params(),
        SettingError,
        "A Sequential knows its shapes from an Input or from data. Received: neither yet. Start it with "
        "nn.Input((features,)), or call model.build((features,)).",
    ),
    (
        lambda folder: nn.Sequential([nn.Input((2,))]).predict(X),
        SettingError,
        "Sequential needs a layer after the input. Received: none.",
    ),
    (
        lambda folder: nn.Sequential([nn.Dense(2), nn.Input((2,))]),
        SettingError,
        "Sequential has one Input, at its start. Received: another one.",
    ),
    (
        lambda folder: nn.SGD(learning_rate=-1),
        SettingError,
        "SGD needs learning_rate to be a number above 0. Received: -1.",
    ),
    (
        built(xor(), batch_size=3),
        SettingError,
        "A workbook repeats one block of rows for every batch, so batch_size must divide the number of samples. "
        "Received: batch_size=3, 4 samples. Choose one of 1, 2, 4.",
    ),
    (
        built(xor(), epochs=5000),
        LayoutError,
        "A workbook shows at most 20,000 cells a step and 500,000 in all, to be read. Received: 118 cells a step, "
        '5,000 steps. Use fewer epochs, fewer samples or smaller layers, or what="forward".',
    ),
    (
        lambda folder: nn.LeakyReLU("x"),  # type: ignore[arg-type]
        SettingError,
        "LeakyReLU needs negative_slope to be a finite number. Received: 'x'.",
    ),
    (
        lambda folder: nn.Dense(2, use_bias="no"),  # type: ignore[arg-type]
        SettingError,
        "Dense needs use_bias to be True or False. Received: 'no'.",
    ),
    (
        lambda folder: nn.Dense(2, name="a{b"),
        SettingError,
        "Dense needs name to be a text of at most 60 letters, digits, spaces and -_.,()+. Received: 'a{b'.",
    ),
    (
        lambda folder: nn.LSTM(2, recurrent_activation="hard_sigmoid"),
        SettingError,
        "An activation must be one of linear, sigmoid, tanh, relu, leaky_relu, elu, softmax. "
        "Received: 'hard_sigmoid'. Did you mean 'sigmoid'?",
    ),
    (
        lambda folder: nn.Dense(1)([nn.Input((2,)), nn.Input((2,))]),
        ShapeError,
        "Dense takes one input. Received: 2. Join them with nn.Add.",
    ),
    (
        lambda folder: nn.Sequential([nn.Input((3,)), nn.Dense(3), nn.Embedding(4, 2)]),
        SettingError,
        "An Embedding reads the input's class numbers, so it comes first. Received: Dense before it.",
    ),
    (built(xor(), batch_size=2.0), SettingError, "batch_size must be a whole number. Received: 2.0."),
    (
        built(xor("softmax", "categorical_crossentropy", 2), Y=[[1, 0], [0.5, 0.4], [0, 1], [0, 1]]),
        SettingError,
        "categorical_crossentropy needs rows of zeros with a single 1, or of shares that are 1 together. "
        "Received: [0.5 0.4]. Class numbers go with sparse_categorical_crossentropy.",
    ),
    (
        lambda folder: nn.Dropout(0.5, seed=-1),
        SettingError,
        "Dropout needs a seed that is a whole number from 0. Received: -1.",
    ),
    (built(xor(), X=None), ShapeError, "X must be an array, a row per sample. Received: None."),
    (built(xor(), epochs=0), SettingError, "epochs must be a whole number above 0. Received: 0."),
    (
        built(xor(), what="backward"),
        SettingError,
        "what must be one of training, forward. Received: 'backward'. Did you mean 'forward'?",
    ),
    (
        built(xor(), Y=None),
        SettingError,
        'A training needs labels. Received: Y=None. Give Y, or what="forward".',
    ),
    (
        lambda folder: nn.Sequential([nn.Input((2,)), nn.Dense(1)]).to_workbook(folder / "x.xlsx", X, Y),
        SettingError,
        "A model is compiled with a loss before it is trained or evaluated. Received: no loss. "
        "Call model.compile(optimizer, loss) first.",
    ),
    (
        lambda folder: xor().set_weights([np.zeros((2, 2))]),
        ShapeError,
        "set_weights takes arrays of the shapes (2, 3), (3,), (3, 1), (1,). Received: (2, 2). "
        "get_weights() shows the order.",
    ),
    (
        built(xor(), layout="ledger"),
        SettingError,
        "A ledger follows one sample and its targets. Received: 4 samples.",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "message"), REFUSED, ids=[m[:40] for _, _, m in REFUSED])
def test_what_does_not_fit_is_refused_before_a_file_is_touched(
    wrong: Callable[[Path], object], error: type[SimulatorError], message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.xlsx").write_text("earlier")
    with pytest.raises(error) as caught:
        wrong(tmp_path)
    assert str(caught.value) == message
    assert [p.name for p in tmp_path.iterdir()] == ["x.xlsx"]
    assert (tmp_path / "x.xlsx").read_text() == "earlier"


def test_a_wide_layer_is_refused_with_the_size_that_a_person_can_follow(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Input((100,)), nn.Dense(100), nn.Dense(1)]).compile("sgd", "mse")
    with pytest.raises(LayoutError, match="at most 20,000 cells a step"):
        model.to_workbook(tmp_path / "wide.xlsx", np.zeros((1, 100)), [[1.0]], epochs=1)
    assert not list(tmp_path.iterdir())


def test_training_lowers_the_cost_and_predict_follows() -> None:
    model = xor()
    history = model.fit(X, Y, epochs=80, backend="expressions").history["loss"]
    assert history[-1] < 0.05 < history[0]
    assert np.abs(model.predict(X, backend="expressions") - Y).max() < 0.1


def test_the_same_seed_draws_the_same_weights_with_three_decimals() -> None:
    one, two = xor().get_weights(), xor().get_weights()
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, np.round(a, 3))


def test_keras_shapes_of_weights_are_understood() -> None:
    gru = nn.Sequential([nn.Input((4, 2)), nn.GRU(3)])
    gru.set_weights([np.ones((2, 9)), np.ones((3, 9)), np.array([np.full(9, 2.0), np.full(9, 3.0)])])
    assert [w.ravel()[0] for w in gru.get_weights()] == [1, 1, 2]
    assert [w.value.ravel()[0] for w in gru.weights] == [1, 1, 2, 3]
    gru.set_weights([2 * w.value for w in gru.weights])
    assert gru.layers[0].get_weights()[2].tolist() == [[4.0] * 9, [6.0] * 9]
    attention = nn.Sequential([nn.Input((4, 2)), nn.MultiHeadAttention(key_dim=3)])
    shapes = [(2, 1, 3), (1, 3)] * 3 + [(1, 3, 2), (2,)]
    attention.set_weights([np.full(shape, k) for k, shape in enumerate(shapes)])
    assert [w.ravel()[0] for w in attention.get_weights()] == list(range(8))
