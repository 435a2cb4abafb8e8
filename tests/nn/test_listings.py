"""Listings as a course prints them, with nothing but the import lines changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from tests.datasets.pictures import put_small_data

DIGITS = """
(train_images, train_labels), (test_images, test_labels) = mnist.load_data()
train_images = train_images.reshape((len(train_images), 28 * 28)).astype("float32") / 255
test_images = test_images.reshape((len(test_images), 28 * 28)).astype("float32") / 255
model = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax")])
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train_images, train_labels, epochs=2, batch_size=32, validation_split=0.25)
predictions = model.predict(test_images[:4])
test_loss, test_acc = model.evaluate(test_images, test_labels)
"""
ADDED = """
model = keras.Sequential(name="regression")
model.add(layers.Dense(8, activation="elu"))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.RMSprop(1e-3), loss="mse", metrics=["mae"])
history = model.fit(x, y, epochs=3, batch_size=16, verbose=0, callbacks=[
    callbacks.EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)])
model.summary()
"""
CONVNET = """
inputs = keras.Input(shape=(28, 28, 1))
x = layers.Conv2D(filters=4, kernel_size=3, activation="relu")(inputs)
x = layers.MaxPooling2D(pool_size=2)(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.5)(x)
outputs = layers.Dense(10, activation="softmax")(x)
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
(images, labels), _ = mnist.load_data()
history = model.fit(images[..., None].astype("float32") / 255, utils.to_categorical(labels).argmax(-1), verbose=0)
model.summary()
"""
NESTED = """
augmentation = keras.Sequential([layers.Rescaling(1 / 255), layers.GaussianNoise(0.1)])
inputs = keras.Input(shape=(28, 28, 1))
x = augmentation(inputs)
x = layers.Flatten()(x)
model = keras.Model(inputs, layers.Dense(10, activation="softmax", kernel_regularizer=regularizers.l2(0.002))(x))
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy")
(images, labels), _ = mnist.load_data()
history = model.fit(images[..., None], labels, epochs=1, verbose=0)
"""


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    put_small_data(tmp_path, monkeypatch, 64, 16)
    from simulator.nn import callbacks, layers, optimizers, regularizers, utils
    from simulator.nn.datasets import mnist

    words = (nn, layers, optimizers, regularizers, callbacks, utils, mnist)
    found: dict[str, Any] = dict(
        zip(("keras", "layers", "optimizers", "regularizers", "callbacks", "utils", "mnist"), words, strict=True)
    )
    return found | {"x": rng.normal(size=(32, 5)), "y": rng.normal(size=(32, 1))}


@pytest.mark.parametrize(
    ("listing", "epochs", "parameters"), [(DIGITS, 2, 25_450), (ADDED, 3, 57), (CONVNET, 1, 6_810), (NESTED, 1, 7_850)]
)
def test_a_listing_runs(listing: str, epochs: int, parameters: int, names: dict[str, Any]) -> None:
    exec(listing, names)
    assert len(names["history"].history["loss"]) == epochs
    assert names["model"].count_params() == parameters


def test_summary_prints(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2)], name="small")
    model.summary()
    assert capsys.readouterr().out == "small: 8 parameters\n1 Dense                      2                       8\n"


def test_an_added_layer_leaves_trained_weights_as_they_are() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
    model.set_weights([np.full((3, 2), 0.5), np.array([1.0, 2.0])])
    model.add(nn.Dense(1))
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 2), 0.5))
    assert [a.shape for a in model.get_weights()] == [(3, 2), (2,), (2, 1), (1,)]


def test_a_model_in_a_model_brings_its_weights() -> None:
    rng = np.random.default_rng(1)
    inner = nn.Sequential([nn.Dense(4, activation="tanh"), nn.Dense(3)])
    inner.build((5,))
    inner.set_weights([rng.normal(size=a.shape) for a in inner.get_weights()])
    x = nn.Input((5,))
    outer = nn.Model(x, nn.Dense(2)(inner(x)))
    data = rng.normal(size=(7, 5)).astype(np.float32)
    kernel, bias = outer.get_weights()[4:]
    np.testing.assert_allclose(outer.predict(data), inner.predict(data) @ kernel + bias, atol=1e-6)
    chained = nn.Sequential([nn.Input((5,)), inner])
    np.testing.assert_array_equal(chained.predict(data), inner.predict(data))


def test_rows_may_be_tuples() -> None:
    model = nn.Sequential([nn.Dense(1, activation="sigmoid")]).compile("sgd", "binary_crossentropy")
    model.fit(((0, 1), (1, 0)), ((1,), (0,)), verbose=0)
    assert model.count_params() == 3


def test_the_loss_is_held_against_the_last_layer_once_there_is_one() -> None:
    model = nn.Sequential([nn.Dense(2)]).compile("sgd", "binary_crossentropy")
    with pytest.raises(SettingError, match=r"binary_crossentropy follows a last layer with activation 'sigmoid'"):
        model.fit(np.zeros((4, 3)), np.zeros((4, 2)))
