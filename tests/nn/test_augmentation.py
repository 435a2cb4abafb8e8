"""Pictures moved at random: beside Keras with fixed factors, and what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from tests.nn.test_keras import N, assert_close, data, flat, keras, pair, pytestmark, sequential, weights_of

__all__ = ["pytestmark"]

SHAPE = (7, 10, 2)
X = np.random.default_rng(0).normal(size=(N, *SHAPE)).astype(np.float32)
RANDOM = {
    "flip": lambda: nn.RandomFlip(seed=3),
    "rotation": lambda: nn.RandomRotation(0.2, seed=3),
    "zoom": lambda: nn.RandomZoom(0.3, 0.2, seed=3),
}
FIXED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "a quarter": ("RandomRotation", ((0.25, 0.25),)),
    "a ninth": ("RandomRotation", ((0.11, 0.11),)),
    "backwards": ("RandomRotation", ((-0.07, -0.07),)),
    "out": ("RandomZoom", ((0.37, 0.37),)),
    "in": ("RandomZoom", ((-0.4, -0.4),)),
    "far out": ("RandomZoom", ((0.93, 0.93), (-0.23, -0.23))),
}
OPTIONS = [
    {"fill_mode": mode, "interpolation": interpolation, "fill_value": 0.7}
    for mode in ("reflect", "nearest", "wrap", "constant")
    for interpolation in ("bilinear", "nearest")
]


def moved(layer: nn.layers.Layer | Any, x: Any = X) -> Any:
    return nn.Sequential([nn.Input(x.shape[1:]), layer]).network().predict(x, training=True)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: f"{o['fill_mode']} {o['interpolation']}")
@pytest.mark.parametrize("name", FIXED)
def test_fixed_factors_move_as_in_keras(name: str, options: dict[str, Any]) -> None:
    kind, factors = FIXED[name]
    x = X[:, :, :7] if name == "a quarter" else X  # of a square: elsewhere places lie halfway between two
    theirs = getattr(keras.layers, kind)(*factors, **options)(x, training=True)
    ours = moved(getattr(nn, kind)(*factors, **options), x)
    assert np.abs(ours - x).max() > 0.1
    assert_close([ours], [theirs.numpy()])


@pytest.mark.parametrize("name", FIXED)
def test_gradients_behind_a_moved_picture_are_those_of_keras(name: str) -> None:
    kind, factors = FIXED[name]
    ours, theirs = pair(
        sequential(
            SHAPE,
            lambda layers: layers.Conv2D(2, 2, activation="tanh"),
            lambda layers: getattr(layers, kind)(*factors, fill_mode="constant"),
            *flat(),
        )
    )
    x, y = data(theirs)
    before = weights_of(theirs)
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=1.0), "mean_squared_error")
        model.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0)
    moves = [[a - b for a, b in zip(weights_of(m), before, strict=True)] for m in (ours, theirs)]
    assert np.abs(moves[1][0]).max() > 1e-3
    assert_close(*moves, 1e-4)


@pytest.mark.parametrize(
    ("mode", "mirror"),
    [("horizontal", np.s_[:, ::-1]), ("vertical", np.s_[::-1]), ("horizontal_and_vertical", np.s_[::-1, ::-1])],
)
def test_about_half_of_the_pictures_are_mirrored_exactly(mode: str, mirror: Any) -> None:
    x = np.random.default_rng(1).random((200, *SHAPE)).astype(np.float32)
    found = moved(nn.RandomFlip(mode, seed=5), x)
    mirrored = [bool((after == before[mirror]).all()) for before, after in zip(x, found, strict=True)]
    assert 70 < sum(mirrored) < 130
    for before, after, flipped in zip(x, found, mirrored, strict=True):
        np.testing.assert_array_equal(after, before[mirror] if flipped else before)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_and_a_step_give_the_same_pictures_and_predictions_leave_them(name: str) -> None:
    model = nn.Sequential([nn.Input(SHAPE), RANDOM[name]()])
    np.testing.assert_array_equal(model.predict(X), X)
    found = moved(RANDOM[name]())
    np.testing.assert_array_equal(found, moved(RANDOM[name]()))
    same = np.repeat(X[:1], N, axis=0)
    assert len(np.unique(moved(RANDOM[name](), same).reshape(N, -1), axis=0)) > 1
    other = RANDOM[name]()
    other.seed = 4
    assert (found != moved(other)).any()


@pytest.mark.parametrize("name", RANDOM)
def test_workbooks_and_files(name: str, tmp_path: Path) -> None:
    model = nn.Sequential([nn.Input((3, 3, 1)), RANDOM[name](), nn.Flatten(), nn.Dense(1)]).compile("sgd", "mse")
    x, y = X[:2, :3, :3, :1], np.ones((2, 1))
    with pytest.raises(SettingError, match=r"A workbook shows no pictures moved at random\. Received: RandomFlip"):
        model.to_workbook(tmp_path / "a.xlsx", x, y, epochs=1)
    model.to_workbook(tmp_path / "b.xlsx", x, what="forward")
    model.save(tmp_path / "a.keras")
    loaded = nn.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert loaded.layers[0].config() == model.layers[0].config()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: nn.RandomFlip("across"), "mode must be one of horizontal, vertical"),
        (lambda: nn.RandomRotation(), "RandomRotation needs factor to be a number from -1 to 1, or two of them."),
        (lambda: nn.RandomRotation(0.1, fill_mode="mirror"), "fill_mode must be one of reflect"),
        (lambda: nn.RandomZoom((0.1, 0.2, 0.3)), "RandomZoom needs height_factor"),
        (lambda: nn.RandomZoom(0.1, seed=-1), "RandomZoom needs a seed"),
    ],
)
def test_wrong_options_are_refused(wrong: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        wrong()
