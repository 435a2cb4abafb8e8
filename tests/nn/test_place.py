"""Places of networks as formulas: what the backend computed stands beside them, and a fault is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.book.place import place_workbook
from simulator.errors import SettingError
from simulator.nn import layers
from simulator.nn.backend.cpu.reading import Reading, Share
from simulator.nn.place import place_of

CLASSES = "sparse_categorical_crossentropy"


def images() -> nn.Model:
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.BatchNormalization(),
        layers.Conv2D(3, 3, strides=2, activation="tanh"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    ]
    return nn.Sequential([nn.Input((10, 10, 2)), *stack], name="images").compile(loss=CLASSES)


def sequences(cell: Any) -> nn.Model:
    stack = [cell(5, return_sequences=True), layers.Dense(4, activation="softmax")]
    return nn.Sequential([nn.Input((6, 3)), *stack], name="sequences").compile(loss=CLASSES)


PLACES = [
    *((images, [1], layer, at) for layer, at in ((1, (0, 0, 1)), (1, (4, 5, 2)), (2, (1, 2, 3)), (3, (1, 1, 1)))),
    *((images, [1], layer, at) for layer, at in ((4, (0, 0, 2)), (5, (1,)), (7, (1,)))),
    *(
        (lambda cell=cell: sequences(cell), [[0, 1, 2, 3, 0, 1]], layer, at)
        for cell in (layers.SimpleRNN, layers.LSTM, layers.GRU)
        for layer, at in ((1, (2,)), (1, (0,)), (1, (5, 3)), (2, (3, 1)))
    ),
]


def verdicts(model: nn.Model, y: Any, layer: int, at: tuple[int, ...]) -> list[str]:
    x = np.random.default_rng(0).normal(size=model.inputs.shape)
    front = place_workbook(place_of(model, x, y, layer, at)).sheets[0]
    return [str(cell.value) for cell in front.cells.values() if cell.value in ("yes", "no")]


@pytest.mark.parametrize(("make", "y", "layer", "at"), PLACES)
def test_formulas_lead_to_what_the_backend_computed(make: Any, y: Any, layer: int, at: tuple[int, ...]) -> None:
    found = verdicts(make(), y, layer, at)
    assert len(found) >= 2
    assert set(found) == {"yes"}


def test_a_fault_of_the_backend_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    share = Reading.share

    def wrong(self: Reading, tensor: Any, grad: Any) -> Share:
        inputs, weights = share(self, tensor, grad)
        return Share(inputs, {name: g * np.float32(1.01) for name, g in weights.items()})

    monkeypatch.setattr(Reading, "share", wrong)
    assert "no" in verdicts(images(), [1], 4, (0, 0, 2))


@pytest.mark.parametrize(
    ("layer", "at", "said"),
    [
        (6, (1,), "6 Dropout hands on what it gets"),
        (7, (5,), r"A place of 7 Dense is 1 number, from 0 to below 3\. Received: 5\."),
        ("Dens", (0,), r"A layer goes by its number or its name\. 'images' has 1 Conv2D, .* Did you mean 'Dense'"),
    ],
)
def test_what_is_no_place_is_refused(layer: int | str, at: tuple[int, ...], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        place_of(images(), np.zeros((10, 10, 2)), [1], layer, at)


@pytest.mark.parametrize(
    ("model", "y", "layer", "at"),
    [(images(), [1], 4, (1, 0, 2)), (sequences(layers.LSTM), [[0, 1, 2, 3, 0, 1]], 1, (3, 2))],
)
def test_engines_agree_on_the_workbook(
    model: nn.Model, y: Any, layer: int, at: tuple[int, ...], tmp_path: Path
) -> None:
    x = np.random.default_rng(2).normal(size=model.inputs.shape)
    done = model.trace_place(tmp_path / "place.xlsx", x, y, layer, at, engine="embedded")
    assert done.agrees
    assert (tmp_path / "place.xlsx").is_file()
