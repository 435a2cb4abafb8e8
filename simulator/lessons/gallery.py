"""Small networks worth opening: every kind of layer once, with data that fit on a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator import nn
from simulator.nn.layer import Layer, apart
from simulator.nn.optimizer import Optimizer

if TYPE_CHECKING:
    from simulator.nn.model import Progress
    from simulator.xlsx.verify import Verification

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Exhibit:
    """A compiled model with its data; make builds it anew, so that training one doesn't change the other."""

    name: str
    title: str
    make: Callable[[], nn.Model]
    X: Array
    Y: Array
    epochs: int
    against: Callable[[], nn.Model] | None = None  # another training that is shown beside it

    def build(
        self, path: Path, engine: str = "ironcalc", progress: Progress = lambda done, total: None
    ) -> Verification:
        """Write its workbook, verified; see `simulator.nn.Model.to_workbook`."""
        rival = self.against() if self.against else None
        return self.make().to_workbook(
            path, self.X, self.Y, self.epochs, against=rival, engine=engine, progress=progress
        )


def _model(
    title: str, X: Array, layers: list[Layer], optimizer: Optimizer, loss: str, seed: int = 0
) -> Callable[[], nn.Model]:
    return lambda: nn.Sequential([nn.Input(X.shape[1:]), *map(apart, layers)], name=title, seed=seed).compile(
        optimizer, loss
    )


def _two_two_two() -> nn.Model:
    first, second = (nn.Dense(2, activation="sigmoid", use_bias=False) for _ in range(2))
    model = nn.Sequential([nn.Input((2,)), first, second], name="2-2-2 network of the class ledger")
    model.set_weights([[[0.15, 0.25], [0.20, 0.30]], [[0.40, 0.50], [0.45, 0.55]]])
    return model.compile(nn.SGD(0.5), "mean_squared_error")


def circle(n: int, seed: int) -> tuple[Array, Array]:
    """Points inside a circle (label 1) and around it (label 0), by turns; the plane is scaled to [-1, 1]."""
    rng = np.random.default_rng(seed)
    inside = np.arange(n) % 2 == 0
    radius = np.where(inside, rng.uniform(0, 0.5, n), rng.uniform(0.7, 1, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.round(points, 3), inside[:, None].astype(float)


DIGIT = """
..####..
.#....#.
......#.
...###..
......#.
......#.
.#....#.
..####..
"""  # a three, drawn by hand

WAVE = np.round(np.sin(np.arange(6) * 0.9), 3)
CIRCLE_X, CIRCLE_Y = circle(12, seed=1)
DIGIT_X = np.array([[float(c == "#") for c in line] for line in DIGIT.split()]).reshape(1, 8, 8, 1)
TOKENS = np.array([[[1.0, 0, 0.5], [0, 1, -0.5], [0.5, 0.5, 0], [-1, 0.5, 1]]])
AND_X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
XOR_Y = np.array([[0.0], [1], [1], [0]])


def xor(title: str, optimizer: Optimizer) -> Callable[[], nn.Model]:
    layers: list[Layer] = [nn.Dense(3, activation="tanh"), nn.Dense(1, activation="sigmoid")]
    return _model(title, AND_X, layers, optimizer, "binary_crossentropy")


def _over_five_steps(name: str, word: str, title: str, layer: Layer) -> Exhibit:
    X, Y = WAVE[:5].reshape(1, 5, 1), WAVE[5:].reshape(1, 1)
    make = _model(f"{word} over five steps", X, [layer, nn.Dense(1)], nn.SGD(0.5), "mean_squared_error")
    return Exhibit(name, title, make, X, Y, 30)


EXHIBITS = {
    exhibit.name: exhibit
    for exhibit in (
        Exhibit(
            "two-two-two",
            "the 2-2-2 network of the class ledger",
            _two_two_two,
            np.array([[0.05, 0.10]]),
            np.array([[0.01, 0.99]]),
            50,
        ),
        Exhibit(
            "relu-circle",
            "a 2-3-3-2-1 ReLU network on points in and around a circle",
            _model(
                "2-3-3-2-1 ReLU network on a circle",
                CIRCLE_X,
                [
                    nn.Dense(3, activation="relu", kernel_initializer="he_uniform"),
                    nn.Dense(3, activation="relu", kernel_initializer="he_uniform"),
                    nn.Dense(2, activation="relu", kernel_initializer="he_uniform"),
                    nn.Dense(1, activation="sigmoid"),
                ],
                nn.SGD(0.5),
                "binary_crossentropy",
                seed=34,
            ),
            CIRCLE_X,
            CIRCLE_Y,
            40,
        ),
        Exhibit(
            "lenet-digit",
            "a small LeNet on a digit of 8 x 8",
            _model(
                "LeNet on one digit",
                DIGIT_X,
                [
                    nn.Conv2D(3, 3, activation="sigmoid"),
                    nn.AveragePooling2D(2),
                    nn.Conv2D(4, 2, activation="sigmoid"),
                    nn.Flatten(),
                    nn.Dense(8, activation="sigmoid"),
                    nn.Dense(10, activation="softmax"),
                ],
                nn.SGD(0.5),
                "sparse_categorical_crossentropy",
            ),
            DIGIT_X,
            np.array([3.0]),
            10,
        ),
        _over_five_steps("lstm", "LSTM", "an LSTM of two units over five steps of a wave", nn.LSTM(2)),
        _over_five_steps("gru", "GRU", "a GRU of two units over the same five steps", nn.GRU(2)),
        Exhibit(
            "attention",
            "self-attention over four tokens",
            _model(
                "Self-attention over four tokens",
                TOKENS,
                [
                    nn.MultiHeadAttention(num_heads=1, key_dim=4),
                    nn.GlobalAveragePooling1D(),
                    nn.Dense(2, activation="softmax"),
                ],
                nn.SGD(0.5),
                "categorical_crossentropy",
            ),
            TOKENS,
            np.array([[1.0, 0]]),
            20,
        ),
        Exhibit(
            "batchnorm",
            "batch normalisation between two dense layers",
            _model(
                "Batch normalisation",
                CIRCLE_X[:6],
                [
                    nn.Dense(3),
                    nn.BatchNormalization(),
                    nn.Activation("tanh"),
                    nn.Dense(1, activation="sigmoid"),
                ],
                nn.SGD(0.5),
                "binary_crossentropy",
            ),
            CIRCLE_X[:6],
            CIRCLE_Y[:6],
            30,
        ),
        Exhibit(
            "adam-against-sgd",
            "XOR with Adam, and with SGD from the same first weights",
            xor("Adam", nn.Adam(0.1)),
            AND_X,
            XOR_Y,
            60,
            against=xor("SGD", nn.SGD(0.1)),
        ),
    )
}
