"""Networks as TOML and as scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.nn.description import describe, read_description, read_network
from simulator.nn.layer import walk
from tests.nn.networks import CASES

XOR = """
[data]
file = "xor.csv"
labels = ["y"]

[[layers]]
type = "Dense"
units = 3
activation = "tanh"

[[layers]]
type = "Dense"
units = 1
activation = "sigmoid"

[training]
loss = "binary_crossentropy"
optimizer = "Adam"
learning_rate = 0.1
epochs = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "xor.csv").write_text("x1,x2,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    (tmp_path / "xor.toml").write_text(XOR)
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_a_description_builds_the_same_network(name: str) -> None:
    model = CASES[name]().model
    again = read_description(describe(model, 3, 2), Path(), with_data=False)
    assert (again.epochs, again.batch_size, again.model.loss_option) == (3, 2, model.loss_option)
    assert again.model.optimizer == model.optimizer

    def told(of: nn.Model) -> list[Any]:
        names = [t.layer.name if t.layer.named else "" for t in walk(of.outputs)]
        return [
            (type(t.layer), t.layer.config() | {"name": name}, t.sizes)
            for t, name in zip(walk(of.outputs), names, strict=True)
        ]

    assert told(again.model) == told(model)
    assert str(again.model) == str(model)


def test_data_come_from_a_csv_file(folder: Path) -> None:
    network = read_network(folder / "xor.toml")
    np.testing.assert_array_equal(network.X, [[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(network.Y, [[0], [1], [1], [0]])
    assert network.epochs == 5


def test_data_may_stand_in_the_description(folder: Path) -> None:
    text = XOR.replace('file = "xor.csv"\nlabels = ["y"]', "inputs = [[0, 1], [1, 1]]\nlabels = [[1], [0]]")
    network = read_description(text, folder)
    assert network.model.inputs.sizes == (2,)


def test_weights_trained_elsewhere_are_taken(folder: Path) -> None:
    weights = [np.full((2, 3), 0.5), np.zeros(3), np.ones((3, 1)), np.array([0.25])]
    np.savez(folder / "weights.npz", *weights)
    network = read_description('[network]\nweights = "weights.npz"\n' + XOR, folder)
    for mine, given in zip(network.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, given)


def test_a_script_defines_model_and_data(folder: Path) -> None:
    (folder / "net.py").write_text(
        "from simulator import nn\n"
        "X, Y, epochs = [[1.0]], [[2.0]], 4\n"
        "model = nn.Sequential([nn.Input((1,)), nn.Dense(1)]).compile('sgd', 'mse')\n"
    )
    network = read_network(folder / "net.py")
    assert (network.epochs, network.forward, network.Y) == (4, False, [[2.0]])


def replaced(old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: read_description(XOR.replace(old, new), folder)


def script(text: str) -> Callable[[Path], object]:
    def run(folder: Path) -> object:
        (folder / "net.py").write_text(text)
        return read_network(folder / "net.py")

    return run


def csv_of(text: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "xor.csv").write_text(text)
        return read_network(folder / "xor.toml")

    return read


# what is wrong, a part of the message
WRONG = [
    (replaced("[training]", "[trainin]"), "A description has the parts network, layers, training, data."),
    (replaced('"Dense"', '"Dens"'), "Did you mean 'Dense'?"),
    (replaced("units = 3", "unit = 3"), "Received: unit=3. Did you mean 'units'?"),
    (
        replaced('"Adam"', '"Adams"'),
        "An optimizer must be one of SGD, Adagrad, RMSprop, Adam, AdamW. Received: 'Adams'.",
    ),
    (
        replaced("learning_rate = 0.1", "rate = 0.1"),
        "[training] takes loss, optimizer, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, "
        "gradient_accumulation_steps, beta_1, beta_2, epsilon, metrics, epochs, batch_size, what.",
    ),
    (replaced('labels = ["y"]', 'labels = ["z"]'), "'xor.csv' has the columns x1, x2, y. Received: z."),
    (replaced("xor.csv", "nor.csv"), "The data's CSV file must be readable."),
    (replaced("[data]", "[data"), "A description must be TOML."),
    (
        csv_of("x1,x2,y\n0,a,0\n"),
        "'xor.csv' holds numbers below its line of names. Received: 'a' in line 2, column 'x2'.",
    ),
    (csv_of("x1,x2,y\n0,0\n"), "Every line of 'xor.csv' has 3 values. Received: 2 in line 2."),
    (csv_of("x1,x2,y\n"), "A CSV file has a line of names and a line per sample."),
    (replaced("units = 3", "units = true"), "Dense needs units to be a whole number above 0. Received: True."),
    (replaced("[[layers]]", "[layers]"), "TOML"),
    (replaced("[data]", "network = 3\n[data]"), "The part network is written [network], once. Received: 3."),
    (replaced("epochs = 5", 'what = "forwards"'), "Did you mean 'forward'?"),
    (replaced('activation = "tanh"', 'id = "input"'), "Every layer has an id of its own. Received: 'input'."),
    (csv_of("x,x,y\n0,1,0\n"), "The columns of 'xor.csv' have names of their own."),
    (script("import sys; sys.exit()"), "A network's script must run to its end. Received: sys.exit(None)"),
    (script("model = 1"), "'net.py' must define model, an nn.Model. Received: 1."),
    (script("model = "), "A network's script must run. Received: SyntaxError: invalid syntax (net.py, line 1)"),
    (script("x = 1\nx / 0"), "line 2). Mend it first."),
    (lambda folder: read_network(folder / "none.toml"), "A network is a .py or .toml file."),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[m[:40] for _, m in WRONG])
def test_a_wrong_description_is_refused(wrong: Callable[[Path], object], message: str, folder: Path) -> None:
    with pytest.raises(SettingError) as caught:
        wrong(folder)
    assert message in str(caught.value)
