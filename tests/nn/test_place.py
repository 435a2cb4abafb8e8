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
from simulator.nn.place import _meeting, place_of

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


def with_one(layer: Any, shape: tuple[int, ...], *after: Any) -> nn.Model:
    """A network whose second layer is this one."""
    first = layers.Dense(3, "tanh") if len(shape) < 3 else layers.Conv2D(2, 1, activation="tanh")
    return nn.Sequential([nn.Input(shape), first, layer, *after, layers.Dense(2)], name="one").compile(loss="mse")


def of_image(layer: Any) -> Any:
    return lambda: with_one(layer, (6, 7, 2), layers.Flatten())


def of_sequence(layer: Any) -> Any:
    return lambda: with_one(layer, (7, 2), *([layers.Flatten()] if len(layer.shape_of((7, 3))) > 1 else []))


def of_two(layer: Any) -> Any:
    def build() -> nn.Model:
        x = nn.Input((5,))
        joined = layer([layers.Dense(3, "tanh")(x), layers.Dense(3)(x)])
        return nn.Model(x, layers.Dense(2)(joined), name="joined").compile(loss="mse")

    return build


def plane() -> nn.Model:
    features = layers.Features(("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)"))
    return nn.Sequential([nn.Input((2,)), features, layers.Dense(2)]).compile(loss="mse")


def turned() -> nn.Model:
    stack = [layers.RandomFlip(), layers.RandomRotation(0.1), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
    return nn.Sequential([nn.Input((5, 5, 1)), *stack]).compile(loss="mse")


EVERY = [True, False]
OTHERS = [
    *((of_image(layers.Conv2DTranspose(3, 5, strides=2, padding="same", activation="relu")), at)
      for at in ((0, 0, 0), (5, 6, 1), (11, 13, 2))),
    *((of_image(layers.Conv2DTranspose(3, (3, 4), strides=(2, 1), use_bias=False)), at)
      for at in ((0, 0, 0), (5, 4, 1), (12, 9, 2))),
    (of_image(layers.Conv2DTranspose(3, 2, strides=2, activation="softmax")), (5, 5, 1)),
    (of_image(layers.AveragePooling2D(3, strides=2, padding="same")), (2, 3, 1)),
    (of_image(layers.LayerNormalization()), (2, 3, 1)),
    (of_image(layers.Rescaling(0.5, 1.0)), (2, 3, 1)),
    *((of_image(layers.Resizing(9, 14)), at) for at in ((0, 0, 0), (4, 5, 1), (8, 13, 1))),
    *((of_image(layers.Resizing(4, 5, interpolation="nearest")), at) for at in ((0, 0, 0), (2, 3, 1))),
    *((of_image(layer), (2, 3, 1)) for layer in (layers.ReLU(), layers.LeakyReLU(0.1), layers.ELU(0.5))),
    *((of_image(layers.Activation(name)), (2, 3, 1)) for name in ("sigmoid", "softmax")),
    (of_sequence(layers.Conv1D(3, 3, strides=2, padding="same", activation="tanh")), (3, 1)),
    (of_sequence(layers.MaxPooling1D(2)), (1, 1)),
    (of_sequence(layers.AveragePooling1D(3, padding="same")), (0, 1)),
    (of_sequence(layers.GlobalMaxPooling1D()), (1,)),
    (of_sequence(layers.GRU(4, reset_after=False)), (3,)),
    (of_sequence(layers.LSTM(4, go_backwards=True)), (2, 3)),
    *((of_sequence(layers.Bidirectional(cell(4, return_sequences=every), merge)), at)
      for cell, merge in ((layers.SimpleRNN, "sum"), (layers.LSTM, "concat"), (layers.GRU, "mul"))
      for every in EVERY for at in ((0, 3), (0, 4), (6, 7))),
    *((of_two(joins), (1,)) for joins in (layers.Add(), layers.Multiply(), layers.Average())),
]  # of second or, where two are joined, third layers  # fmt: skip


PLACES = [
    *((images, [1], layer, at) for layer, at in ((1, (0, 0, 1)), (1, (4, 5, 2)), (2, (1, 2, 3)), (3, (1, 1, 1)))),
    *((images, [1], layer, at) for layer, at in ((4, (0, 0, 2)), (5, (1,)), (7, (1,)))),
    *(
        (lambda cell=cell: sequences(cell), [[0, 1, 2, 3, 0, 1]], layer, at)
        for cell in (layers.SimpleRNN, layers.LSTM, layers.GRU)
        for layer, at in ((1, (2,)), (1, (0,)), (1, (5, 3)), (2, (3, 1)))
    ),
    *((plane, [0.5, -1.0], 1, (k,)) for k in range(7)),
    (turned, [0.5, -1.0], 3, (1, 1, 1)),
]


def verdicts(model: nn.Model, y: Any, layer: int, at: tuple[int, ...]) -> list[str]:
    x = np.random.default_rng(0).normal(size=model.inputs.sizes)
    front = place_workbook(place_of(model, x, y, layer, at)).sheets[0]
    return [str(cell.value) for cell in front.cells.values() if cell.value in ("yes", "no")]


@pytest.mark.parametrize(("make", "y", "layer", "at"), PLACES)
def test_formulas_lead_to_what_the_backend_computed(make: Any, y: Any, layer: int, at: tuple[int, ...]) -> None:
    found = verdicts(make(), y, layer, at)
    assert len(found) >= 2
    assert set(found) == {"yes"}


@pytest.mark.parametrize(("make", "at"), OTHERS)
def test_every_layer_that_computes_has_places(make: Any, at: tuple[int, ...], tmp_path: Path) -> None:
    """Values and gradients beside the backend's, and a spreadsheet engine's beside the formulas' own."""
    model = make()
    layer = 3 if len(model.numbered) == 4 and len(model.inputs.sizes) == 1 else 2
    assert set(verdicts(model, [0.5, -1.0], layer, at)) == {"yes"}
    x = np.random.default_rng(1).normal(size=model.inputs.sizes)
    assert model.trace_place(tmp_path / "place.xlsx", x, [0.5, -1.0], layer, at, engine="ironcalc").agrees


def test_an_embedding_has_places() -> None:
    model = nn.Sequential([nn.Input((4,)), layers.Embedding(9, 3), layers.Flatten(), layers.Dense(1)])
    place = place_of(model.compile(loss="mse"), [1, 2, 3, 8], [1.0], 1, (3, 1))
    found = place_workbook(place).sheets[0].cells.values()
    assert {str(c.value) for c in found if c.value in ("yes", "no")} == {"yes"}


def test_the_wrong_direction_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = Reading.moment
    monkeypatch.setattr(Reading, "moment", lambda self, tensor, step, which: moment(self, tensor, step, 0))
    build = of_sequence(layers.Bidirectional(layers.LSTM(4, return_sequences=True)))
    assert "no" not in verdicts(build(), [0.5, -1.0], 2, (3, 1))
    assert "no" in verdicts(build(), [0.5, -1.0], 2, (3, 5))


def test_a_kernel_that_meets_the_wrong_places_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(n: int, size: int, stride: int, place: int, padding: str) -> Any:
        part, kernel = _meeting(n, size, stride, place, padding) or (slice(0, 1), slice(0, 1))
        return slice(part.start - 1, part.stop - 1), kernel

    monkeypatch.setattr("simulator.nn.place._meeting", shifted)
    build = of_image(layers.Conv2DTranspose(3, 3, strides=2, padding="same"))
    assert "no" in verdicts(build(), [0.5, -1.0], 2, (6, 6, 1))


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
    ("make", "at", "said"),
    [
        (
            of_image(layers.Conv2DTranspose(3, 2, strides=3)),
            (2, 0, 1),
            "A place has its number from the input. Received: 2,0,1, which no kernel covers. "
            "Choose a place that the kernels cover.",
        ),
        (
            of_sequence(layers.Bidirectional(layers.LSTM(4))),
            (2,),
            "A place of 2 Bidirectional is 2 numbers, from 0 to below 7 x 8. Received: 2. Its last place is --at 6,7.",
        ),
        (
            of_sequence(layers.Bidirectional(layers.GRU(4, reset_after=False))),
            (2, 1),
            "A GRU that resets the state before the product needs the reset gates of all units. Received: unit 1. "
            "Choose another layer.",
        ),
        (
            of_image(layers.RandomZoom(0.1)),
            (2, 3, 1),
            "2 RandomZoom hands on what it gets, so there is nothing to compute at 2,3,1. Received from: 1 Conv2D at "
            "2,3,1. Trace that: --layer 1 --at 2,3,1.",
        ),
    ],
)
def test_where_there_is_no_place_it_is_said(make: Any, at: tuple[int, ...], said: str) -> None:
    model = make()
    with pytest.raises(SettingError) as caught:
        place_of(model, np.ones(model.inputs.sizes), [0.5, -1.0], 2, at)
    assert str(caught.value) == said


# loss, last activation, label, place of the last layer
OPTIONS: list[tuple[Any, str | None, list[float], tuple[int, ...]]] = [
    (nn.losses.Huber(delta=0.5), None, [3.0, -3.0], (0,)),
    (nn.losses.BinaryCrossentropy(from_logits=True), None, [0, 1], (1,)),
    (nn.losses.BinaryCrossentropy(label_smoothing=0.3), "sigmoid", [0, 1], (1,)),
    (nn.losses.CategoricalCrossentropy(label_smoothing=0.2), "softmax", [0, 1], (1,)),
]


@pytest.mark.parametrize(("loss", "last", "y", "at"), OPTIONS)
def test_the_last_layer_learns_by_the_losss_options(loss: Any, last: str | None, y: Any, at: tuple[int, ...]) -> None:
    stack = [nn.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2, last)]
    assert set(verdicts(nn.Sequential(stack).compile("sgd", loss), y, 2, at)) == {"yes"}


@pytest.mark.parametrize(
    ("model", "y", "layer", "at"),
    [(images(), [1], 4, (1, 0, 2)), (sequences(layers.LSTM), [[0, 1, 2, 3, 0, 1]], 1, (3, 2))],
)
def test_engines_agree_on_the_workbook(
    model: nn.Model, y: Any, layer: int, at: tuple[int, ...], tmp_path: Path
) -> None:
    x = np.random.default_rng(2).normal(size=model.inputs.sizes)
    done = model.trace_place(tmp_path / "place.xlsx", x, y, layer, at, engine="embedded")
    assert done.agrees
    assert (tmp_path / "place.xlsx").is_file()
