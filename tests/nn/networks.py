"""Small networks, one row per layer, activation, loss, optimizer: what the tests of readings go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator import nn
from simulator.nn.layer import Layer
from simulator.nn.loss import LossOption

Array = NDArray[np.float64]


class Case(NamedTuple):
    model: nn.Model
    X: Array
    Y: Array
    batch_size: int | None = None


def numbers(*shape: int, seed: int = 1) -> Array:
    return np.round(np.random.default_rng(seed).normal(size=shape), 3)


def bits(*shape: int, seed: int = 2) -> Array:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(float)


def classes(n: int, k: int) -> Array:
    return np.arange(n) % k


def case(
    shape: tuple[int, ...],
    *layers: Layer,
    loss: str | LossOption = "mse",
    optimizer: object = None,
    n: int = 3,
    batch_size: int | None = None,
    X: Array | None = None,
    **labels: int,
) -> Case:
    model = nn.Sequential([nn.Input(shape), *layers], seed=3)
    rng = np.random.default_rng(5)
    for w in model.weights:  # biases and scales that are not 0 and 1
        if w.value.ndim == 1 and w.spec.trainable:
            w.value = np.round(w.value + rng.uniform(-0.3, 0.3, w.value.shape), 3)
    model.compile(optimizer or nn.SGD(0.1), loss)
    X = numbers(n, *shape) if X is None else X
    out = model.outputs.sizes
    if model.loss == "binary_crossentropy":
        Y = bits(n, *out)
    elif model.loss == "categorical_crossentropy":
        Y = np.eye(out[-1])[classes(n, out[-1])]
    elif model.loss == "sparse_categorical_crossentropy":
        Y = classes(n, out[-1]).astype(float)
    else:
        Y = numbers(n, *out, seed=7)
    return Case(model, X, Y, batch_size)


def residual() -> Case:
    x = nn.Input((3,))
    h = nn.Dense(3, activation="tanh")(x)
    y = nn.Dense(1)(nn.Add()([h, x]))
    model = nn.Model(x, y, seed=3).compile(nn.SGD(0.1), "mse")
    return Case(model, numbers(4, 3), numbers(4, 1, seed=7))


def gates() -> Case:
    x = nn.Input((3,))
    gate = nn.Multiply()([nn.Dense(2, "tanh")(x), nn.Dense(2, "sigmoid")(x)])
    model = nn.Model(x, nn.Average()([gate, nn.Dense(2)(x)]), seed=3)
    return Case(model.compile(nn.SGD(0.1), "mse"), numbers(4, 3), numbers(4, 2, seed=7))


def twice() -> Case:
    x = nn.Input((3,))
    shared = nn.Dense(3, activation="tanh")
    model = nn.Model(x, nn.Dense(1)(shared(shared(x))), seed=3)
    return Case(model.compile(nn.SGD(0.1), "mse"), numbers(4, 3), numbers(4, 1, seed=7))


def rnn_twice() -> Case:
    x = nn.Input((3, 2))
    shared = nn.LSTM(2, return_sequences=True)
    model = nn.Model(x, nn.Dense(1)(nn.GlobalAveragePooling1D()(shared(shared(x)))), seed=3)
    return Case(model.compile(nn.SGD(0.1), "mse"), numbers(2, 3, 2), numbers(2, 1, seed=7))


def attention() -> Case:
    return case((4, 3), nn.MultiHeadAttention(key_dim=2), nn.GlobalAveragePooling1D(), nn.Dense(1), n=2)


D = nn.Dense
LAYERS: dict[str, Callable[[], Case]] = {
    "dense": lambda: case((2,), D(3, activation="tanh"), D(1, activation="sigmoid"), loss="binary_crossentropy", n=4),
    "dense-no-bias": lambda: case((3,), D(4, use_bias=False), D(2)),
    "dense-on-sequence": lambda: case((3, 2), D(4, activation="tanh"), D(1)),
    "conv1d": lambda: case((6, 2), nn.Conv1D(3, 3, activation="tanh"), nn.Conv1D(2, 2), nn.Flatten(), D(1), n=2),
    "conv1d-same-strides": lambda: case(
        (7, 2), nn.Conv1D(2, 3, padding="same", activation="tanh"), nn.Conv1D(2, 3, strides=2, padding="same"),
        nn.Flatten(), D(1), n=2,
    ),
    "conv2d": lambda: case(
        (5, 5, 2), nn.Conv2D(2, 3, activation="relu"), nn.Conv2D(2, 2), nn.Flatten(), D(2), n=2
    ),
    "conv2d-same": lambda: case(
        (4, 4, 1), nn.Conv2D(2, 3, padding="same", activation="tanh"), nn.Conv2D(2, 3, padding="same"), nn.Flatten(),
        D(1), n=2,
    ),
    "conv2d-strides": lambda: case(
        (5, 6, 2), nn.Conv2D(2, 1), nn.Conv2D(3, (3, 2), strides=(2, 1), activation="tanh"),
        nn.Conv2D(1, 2, strides=2, padding="same"), nn.Flatten(), D(1), n=2,
    ),
    "conv2dtranspose": lambda: case(
        (2, 3, 2), nn.Conv2D(2, 1), nn.Conv2DTranspose(2, 3, activation="tanh"), nn.Flatten(), D(1), n=2
    ),
    "conv2dtranspose-same": lambda: case(
        (2, 2, 1), nn.Conv2DTranspose(2, (3, 1), strides=(2, 3), padding="same"), nn.Flatten(), D(1), n=2
    ),
    "maxpooling2d": lambda: case((4, 4, 2), nn.Conv2D(2, 1), nn.MaxPooling2D(2), nn.Flatten(), D(1), n=2),
    "maxpooling2d-overlap": lambda: case(
        (5, 5, 1), nn.Conv2D(2, 1), nn.MaxPooling2D(3, strides=2, padding="same"), nn.Flatten(), D(1), n=2
    ),
    "averagepooling2d": lambda: case((4, 4, 1), nn.Conv2D(2, 1), nn.AveragePooling2D(2), nn.Flatten(), D(1), n=2),
    "averagepooling2d-same": lambda: case(
        (5, 4, 1), nn.Conv2D(2, 1), nn.AveragePooling2D(2, padding="same"), nn.Flatten(), D(1), n=2
    ),
    "maxpooling1d": lambda: case((6, 2), nn.Conv1D(3, 1), nn.MaxPooling1D(2), nn.Flatten(), D(1), n=2),
    "averagepooling1d": lambda: case((6, 2), nn.Conv1D(3, 1), nn.AveragePooling1D(3), nn.Flatten(), D(1), n=2),
    "globalaverage1d": lambda: case((4, 3), nn.Conv1D(3, 1), nn.GlobalAveragePooling1D(), D(1)),
    "globalaverage2d": lambda: case((3, 3, 1), nn.Conv2D(2, 2), nn.GlobalAveragePooling2D(), D(1)),
    "resizing": lambda: case((2, 3, 2), nn.Conv2D(2, 1), nn.Resizing(4, 4), nn.Flatten(), D(1), n=2),
    "resizing-nearest": lambda: case(
        (3, 3, 1), nn.Conv2D(2, 1), nn.Resizing(2, 5, "nearest"), nn.Flatten(), D(1), n=2
    ),
    "reshape": lambda: case((6,), D(6), nn.Reshape((3, 2)), nn.Conv1D(2, 2), nn.Flatten(), D(1)),
    "dropout": lambda: case((3,), D(6, activation="tanh"), nn.Dropout(0.5, seed=4), D(1), n=4),
    "batchnorm": lambda: case((2,), D(3), nn.BatchNormalization(), nn.Activation("tanh"), D(1), n=5),
    "batchnorm-2d": lambda: case((3, 3, 1), nn.Conv2D(2, 2), nn.BatchNormalization(), nn.Flatten(), D(1), n=2),
    "batchnorm-bare": lambda: case((2,), D(3), nn.BatchNormalization(center=False, scale=False), D(1), n=5),
    "simplernn": lambda: case((4, 2), nn.SimpleRNN(3), D(1)),
    "simplernn-sequences": lambda: case((4, 2), nn.SimpleRNN(2, return_sequences=True), D(1), n=2),
    "lstm": lambda: case((5, 2), nn.LSTM(2), D(1), n=1),
    "lstm-stacked": lambda: case((3, 2), nn.LSTM(2, return_sequences=True), nn.LSTM(2), D(1), n=2),
    "gru": lambda: case((4, 2), nn.GRU(2), D(1), n=2),
    "gru-sequences": lambda: case((3, 2), nn.GRU(2, return_sequences=True), nn.GRU(2), D(1), n=2),
    "gru-reset-before": lambda: case((4, 2), nn.GRU(2, reset_after=False), D(1), n=2),
    "gru-backwards": lambda: case((3, 2), nn.GRU(2, go_backwards=True, return_sequences=True), D(1), n=2),
    "lstm-dropout": lambda: case((3, 3), nn.LSTM(2, dropout=0.4, seed=1, bias_regularizer="l2"), D(1), n=2),
    "bidirectional": lambda: case((3, 2), nn.Bidirectional(nn.LSTM(2)), D(1), n=2),
    "bidirectional-sequences": lambda: case(
        (3, 2), nn.Bidirectional(nn.SimpleRNN(2, return_sequences=True), "mul"), D(1), n=2
    ),
    "bidirectional-last": lambda: case((3, 2), nn.Bidirectional(nn.GRU(2), "ave"), n=2),
    "features": lambda: case((2,), nn.Features(("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")), D(1)),
    "embedding-l2": lambda: case(
        (3,), nn.Embedding(5, 2, embeddings_regularizer="l2"), nn.Flatten(), D(2, activation="softmax"),
        loss="sparse_categorical_crossentropy", X=np.array([[0.0, 3, 1], [4, 3, 3]]), n=2,
    ),
    "embedding": lambda: case(
        (3,), nn.Embedding(5, 2), nn.Flatten(), D(2, activation="softmax"), loss="sparse_categorical_crossentropy",
        X=np.array([[0.0, 3, 1], [4, 3, 3]]), n=2,
    ),
    "residual": residual,
    "gates": gates,
    "attention": attention,
    "twice": twice,
    "rnn-twice": rnn_twice,
    "rnn-last": lambda: case((3, 2), nn.SimpleRNN(2), n=2),
}  # fmt: skip
ACTIVATIONS = {
    name: (lambda name=name: case((3,), D(4, activation=name), D(2)))  # type: ignore[misc]
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softmax")
} | {
    "relu-layer": lambda: case((3,), D(4), nn.ReLU(negative_slope=0.1), D(4), nn.LeakyReLU(), D(4), nn.ELU(0.5), D(2)),
    "softmax-layer": lambda: case((3,), D(4), nn.Softmax(), loss="categorical_crossentropy"),
}
LOSSES = {
    "mean_squared_error": lambda: case((3,), D(2), loss="mean_squared_error"),
    "mean_absolute_error": lambda: case((3,), D(2), loss="mean_absolute_error"),
    "binary_crossentropy": lambda: case((3,), D(2, activation="sigmoid"), loss="binary_crossentropy"),
    "categorical_crossentropy": lambda: case((3,), D(4, activation="softmax"), loss="categorical_crossentropy"),
    "sparse_categorical_crossentropy": lambda: case(
        (3,), D(4, activation="softmax"), loss="sparse_categorical_crossentropy"
    ),
    "binary-smoothed": lambda: case((3,), D(2, "sigmoid"), loss=nn.losses.BinaryCrossentropy(label_smoothing=0.3)),
    "categorical-smoothed": lambda: case(
        (3,), D(4, "softmax"), loss=nn.losses.CategoricalCrossentropy(label_smoothing=0.2)
    ),
    "l1": lambda: case((3,), D(2, kernel_regularizer=nn.L1(0.02))),
    "l2": lambda: case((3,), D(3, activation="tanh", kernel_regularizer=nn.L2(0.05)), D(1)),
    "l1-l2-bias": lambda: case(
        (3,), D(3, "tanh", bias_initializer=nn.initializers.Constant(0.5), bias_regularizer=nn.L1L2(0.1, 0.3)), D(1)
    ),
    "l1-l2": lambda: case((3,), D(3, kernel_regularizer=nn.L1L2(0.01, 0.03)), D(1, kernel_regularizer="l2")),
}
OPTIMIZERS = {
    "sgd": lambda: nn.SGD(0.3),
    "momentum": lambda: nn.SGD(0.1, momentum=0.9),
    "nesterov": lambda: nn.SGD(0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda: nn.Adagrad(0.2),
    "rmsprop": lambda: nn.RMSprop(0.05),
    "rmsprop-momentum": lambda: nn.RMSprop(0.05, momentum=0.5, epsilon=1e-30),
    "adam": lambda: nn.Adam(0.05),
    "weight-decay": lambda: nn.SGD(0.3, weight_decay=0.1),
    "inverse-time": lambda: nn.SGD(nn.InverseTimeDecay(0.5, 2, 0.7)),
    "exponential": lambda: nn.Adam(nn.ExponentialDecay(0.1, 3, 0.5)),
}


def optimized(name: str, batch_size: int | None = None) -> Case:
    return case(
        (2,), D(2, activation="tanh"), D(1, activation="sigmoid"), loss="binary_crossentropy",
        optimizer=OPTIMIZERS[name](), n=4, batch_size=batch_size,
    )  # fmt: skip


CASES: dict[str, Callable[[], Case]] = LAYERS | ACTIVATIONS | LOSSES
for _name in OPTIMIZERS:
    CASES[f"{_name}-all"] = lambda name=_name: optimized(name)  # type: ignore[misc]
    CASES[f"{_name}-batches"] = lambda name=_name: optimized(name, 2)  # type: ignore[misc]
