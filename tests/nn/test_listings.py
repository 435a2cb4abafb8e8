"""Listings as a course prints them, with nothing but the import lines changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook

from simulator import nn
from simulator.errors import ModelError, SettingError, ShapeError
from simulator.nn import layers
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


def test_models_have_the_weights_of_their_common_layers_together() -> None:
    data = np.random.default_rng(1).normal(size=(16, 6)).astype(np.float32)
    x = nn.Input((6,))
    code = nn.Dense(3, activation="tanh", name="code")(x)
    encoder, whole = nn.Model(x, code), nn.Model(x, nn.Dense(6)(code))
    untrained = encoder.predict(data)
    whole.compile("adam", "mse").fit(data, data, epochs=3, verbose=0)
    kernel, bias = whole.get_weights()[:2]
    np.testing.assert_allclose(encoder.predict(data), np.tanh(data @ kernel + bias), atol=1e-6)
    assert np.abs(encoder.predict(data) - untrained).max() > 1e-3
    seen = nn.Model(whole.input, whole.get_layer("code").output)
    np.testing.assert_array_equal(seen.predict(data), encoder.predict(data))
    encoder.set_weights([np.zeros((6, 3)), np.zeros(3)])
    np.testing.assert_array_equal(whole.predict(data), np.tile(whole.get_weights()[3].astype(np.float32), (16, 1)))
    assert whole.layers[2].input is code
    with pytest.raises(SettingError, match=r"Dense keeps its weights in every model\. Received: inputs for kernel"):
        nn.Sequential([nn.Input((5,)), whole.layers[1]])
    with pytest.raises(SettingError, match=r"to a layer's result\. Received: 2 of them\. Make a model for each"):
        nn.Model(x, [code, whole.output])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"A layer has an output once it is in a model\. Received: Dense"):
        _ = nn.Dense(2).output


def test_two_models_are_trained_in_turns_one_of_them_frozen_in_the_other() -> None:
    """As a generator and its judge are: the judge learns by itself, and stays as it is while the generator learns."""
    rng = np.random.default_rng(1)
    generator = nn.Sequential([nn.Input((2,)), nn.Dense(3)])
    judge = nn.Sequential([nn.Input((3,)), nn.Dense(1, activation="sigmoid")])
    judge.compile("sgd", "binary_crossentropy")
    judge.trainable = False
    both = nn.Sequential([nn.Input((2,)), generator, judge]).compile("sgd", "binary_crossentropy")
    assert len(judge.trainable_weights) == 0
    assert (len(both.trainable_weights), len(both.non_trainable_weights)) == (2, 2)
    for _ in range(2):
        before = judge.get_weights(), generator.get_weights()
        judge.train_on_batch(rng.normal(size=(8, 3)), rng.integers(0, 2, (8, 1)))
        middle = judge.get_weights(), generator.get_weights()
        both.train_on_batch(rng.normal(size=(8, 2)), np.ones((8, 1)))
        after = judge.get_weights(), generator.get_weights()
        changed = [
            [not np.array_equal(a[0], b[0]) for a, b in zip(old, new, strict=True)]
            for old, new in ((before, middle), (middle, after))
        ]
        assert changed == [[True, False], [False, True]]
        np.testing.assert_array_equal(both.get_weights()[2], judge.get_weights()[0])


def test_an_autoencoder_s_labels_lie_between_0_and_1() -> None:
    x = np.random.default_rng(1).uniform(size=(8, 4))
    model = nn.Sequential([nn.Input((4,)), nn.Dense(4, activation="sigmoid")]).compile("sgd", "binary_crossentropy")
    p = model.predict(x).astype(float)
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).mean()
    assert model.evaluate(x, x) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(SettingError, match=r"binary_crossentropy needs labels from 0 to 1\. Received: -0\.3"):
        model.fit(x, x - 0.5)


def test_joining_has_a_short_form_and_a_shape_may_be_a_batch_s() -> None:
    x = nn.Input((3,))
    y = layers.Dense(3)(x)
    joined = [layers.add([x, y]), layers.average([x, y]), layers.multiply([x, y]), layers.concatenate([x, y], axis=-1)]
    assert [type(t.layer).__name__ for t in joined] == ["Add", "Average", "Multiply", "Concatenate"]
    assert [t.shape for t in joined] == [(None, 3), (None, 3), (None, 3), (None, 6)]
    model = nn.Sequential([nn.Dense(2)])
    model.build((None, 3))
    assert model.count_params() == 8


def test_rows_may_be_tuples() -> None:
    model = nn.Sequential([nn.Dense(1, activation="sigmoid")]).compile("sgd", "binary_crossentropy")
    model.fit(((0, 1), (1, 0)), ((1,), (0,)), verbose=0)
    assert model.count_params() == 3


def test_the_loss_is_held_against_the_last_layer_once_there_is_one() -> None:
    model = nn.Sequential([nn.Dense(2)]).compile("sgd", "binary_crossentropy")
    with pytest.raises(SettingError, match=r"binary_crossentropy follows a last layer with activation 'sigmoid'"):
        model.fit(np.zeros((4, 3)), np.zeros((4, 2)))


def test_a_first_layer_may_bring_the_input_s_shape(capsys: pytest.CaptureFixture[str]) -> None:
    for first in ([nn.Flatten(input_shape=(3, 2))], [layers.InputLayer((3, 2)), nn.Flatten()]):
        assert nn.Sequential([*first, nn.Dense(4)]).count_params() == 28
    print(nn.Sequential([nn.Dense(2)], name="small"))
    assert capsys.readouterr().out == (
        "small: Dense; sizes follow from an Input, model.build(shape) or the first data\n"
    )


def test_layers_are_found_and_show_their_weights() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, name="hidden", trainable=False), nn.Dense(1)])
    hidden = model.get_layer("hidden")
    assert hidden is model.layers[0] is model.get_layer(index=0)
    hidden.set_weights([np.full((3, 2), 0.5), np.array([1.0, 2.0])])
    np.testing.assert_array_equal(model.get_weights()[1], [1.0, 2.0])
    assert [a.shape for a in hidden.get_weights()] == [(3, 2), (2,)]
    assert hidden.count_params() == 8
    assert [(w.name, w.shape) for w in hidden.weights] == [("kernel", (3, 2)), ("bias", (2,))]
    np.testing.assert_array_equal(hidden.bias.numpy(), [1.0, 2.0])
    with pytest.raises(AttributeError, match="Dense has no kernel, or no weights before it is in a model"):
        _ = nn.Dense(2).kernel
    assert str(model).startswith("network: 11 parameters, 3 of them trained\n")
    with pytest.raises(SettingError, match=r"A layer's name must be one of hidden, dense(_\d+)?\. Received: 'hiden'\."):
        model.get_layer("hiden")
    with pytest.raises(SettingError, match=r"index is a place among the 2 layers, from 0\. Received: 2"):
        model.get_layer(index=2)
    with pytest.raises(ShapeError, match=r"set_weights takes arrays of the shapes \(3, 2\), \(2,\)"):
        hidden.set_weights([np.zeros((2, 2)), np.zeros(2)])


def test_one_batch_at_a_time_is_what_fit_and_evaluate_do() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
    one, other = (
        nn.Sequential([nn.Input((3,)), nn.Dense(4), nn.Dropout(0.5), nn.Dense(1)]).compile("adam", "mse", ["mae"])
        for _ in range(2)
    )
    losses = [one.train_on_batch(x, y)[0] for _ in range(3)]
    other_losses = other.fit(x, y, batch_size=6, epochs=3, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, other_losses, rtol=1e-6)
    assert one.test_on_batch(x, y, return_dict=True) == one.evaluate(x, y, return_dict=True)
    np.testing.assert_array_equal(one(x), one.predict_on_batch(x))
    assert not np.allclose(one(x), one(x, training=True))


def test_a_network_that_is_not_trained_is_refused_and_one_that_is_in_part_becomes_a_workbook(tmp_path: Path) -> None:
    x, y = np.array([[0.0, 1.0], [1.0, 0.5]]), np.array([[1.0], [0.0]])
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2, "tanh", trainable=False), nn.Dense(1)])
    found = model.compile("sgd", "mse").to_workbook(tmp_path / "part.xlsx", x, y, epochs=3)
    assert found.agrees
    index = load_workbook(tmp_path / "part.xlsx")["Index"]
    said = {row[0].value: row[5].value for row in index.iter_rows()}
    assert (said["W1"], said["W2"]) == ("from the sheet Parameters", "W2' of the step before")
    first = model.get_weights()
    model.fit(x, y, epochs=3, backend="expressions")
    assert [np.array_equal(a, b) for a, b in zip(first, model.get_weights(), strict=True)] == [True, True, False, False]
    model.trainable = False
    for backend in ("numpy", "expressions"):
        with pytest.raises(SettingError, match=r"Training needs a layer with weights that are trained"):
            model.compile("sgd", "mse", backend=backend).fit(x, y)


def test_a_clone_has_layers_of_its_own() -> None:
    x = nn.Input((3,))
    model = nn.Model(x, layers.add([x, layers.Dense(3, name="hidden")(x)]), seed=4)
    first = model.get_weights()
    model.set_weights([np.ones((3, 3)), np.ones(3)])
    clone = nn.models.clone_model(model)
    for mine, other in zip(clone.get_weights(), first, strict=True):
        np.testing.assert_array_equal(mine, other)
    clone.set_weights([np.zeros((3, 3)), np.zeros(3)])
    np.testing.assert_array_equal(model.get_layer("hidden").get_weights()[1], np.ones(3))
    assert not np.array_equal(nn.models.clone_model(model, seed=5).get_weights()[0], first[0])


def test_a_called_model_draws_anew_and_moves_pictures() -> None:
    x = np.ones((50, 40), np.float32)
    model = nn.Sequential([nn.Input((40,)), nn.Dropout(0.5), nn.Dense(1, kernel_initializer="ones")])
    drawn = np.stack([model(x, training=True) for _ in range(20)])
    assert drawn.std(axis=0).min() > 3  # of a sum of 40 numbers, each 0 or 2: sqrt(40)
    np.testing.assert_array_equal(model(x), model.predict(x))
    pictures = np.arange(60.0, dtype=np.float32).reshape(5, 3, 4, 1)
    augmentation = nn.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    first, second = augmentation(pictures), augmentation(pictures)
    assert (first != pictures).any() and (first != second).any()
    np.testing.assert_array_equal(augmentation(pictures, training=False), pictures)
    np.testing.assert_array_equal(augmentation.predict(pictures), pictures)
    assert (layers.RandomFlip()(pictures) != pictures).any()


def test_a_seed_for_all_gives_every_model_another_one_and_the_same_every_time() -> None:
    def made() -> list[Any]:
        return [nn.Sequential([nn.Input((3,)), nn.Dense(2)]) for _ in range(2)]

    alike = made()
    np.testing.assert_array_equal(*(model.get_weights()[0] for model in alike))
    try:
        runs = []
        for _ in range(2):
            nn.utils.set_random_seed(7)
            runs.append([model.get_weights()[0] for model in made()])
        np.testing.assert_array_equal(*runs)
        assert (runs[0][0] != runs[0][1]).any()
        with pytest.raises(SettingError, match=r"from 0 to below 2\^32. Received: -1"):
            nn.utils.set_random_seed(-1)
    finally:
        nn.utils.set_random_seed(None)


def test_what_follows_a_training_does_not_follow_an_error() -> None:
    ended = []
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    noted = nn.callbacks.LambdaCallback(
        on_train_end=lambda logs: ended.append(logs), on_epoch_end=lambda e, logs: 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        model.fit(np.ones((4, 2)), np.ones(4), callbacks=[noted], verbose=0)
    assert ended == []


def test_callbacks_say_what_they_do_where_they_are_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    c = nn.callbacks
    chatty = [
        c.EarlyStopping("loss", min_delta=9, patience=2, verbose=1, restore_best_weights=True),
        c.ModelCheckpoint(tmp_path / "{epoch}.keras", verbose=1),
        c.LearningRateScheduler(lambda epoch: 0.5, verbose=1),
        c.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9, verbose=1),
    ]
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)]).compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones(4), epochs=5, callbacks=chatty, verbose=0)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["Epoch 1: learning rate 0.5", f"Epoch 1: saving model to {tmp_path / '1.keras'}"]
    assert "Epoch 2: reducing learning rate to 0.25" in said
    assert said[-2:] == ["Epoch 3: early stopping", "Restoring model weights from the end of the best epoch: 1."]


def test_a_file_stays_where_it_is_not_to_be_overwritten(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    path = model.save(tmp_path / "a.keras")
    before = path.read_bytes()
    for save in (model.save, model.save_weights):
        with pytest.raises(ModelError, match="With overwrite=False a model is saved where no file is"):
            save(path, overwrite=False)
    assert path.read_bytes() == before
    assert nn.load_model(path, custom_objects={}, compile=False).loss == ""


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = nn.Sequential([nn.Input((2,)), nn.Dense(3), nn.Dense(1)]).save_weights(tmp_path / "a.weights.h5")
    for layers_here, found in (
        ([nn.Dense(3)], r"\(1,\) for '2/bias', where this one has nothing"),
        ([nn.Dense(4), nn.Dense(1)], r"\(3,\) for '1/bias', where this one has \(4,\)"),
    ):
        with pytest.raises(ModelError, match=f"load_weights takes those of a network with the same layers.*{found}"):
            nn.Sequential([nn.Input((2,)), *layers_here]).load_weights(path)


def test_every_epoch_has_an_order_of_its_own() -> None:
    x, y = np.arange(40.0).reshape(20, 2) / 40, np.arange(20.0)
    once, in_parts, again = (nn.Sequential([nn.Input((2,)), nn.Dense(1)]).compile("sgd", "mse") for _ in range(3))
    once.fit(x, y, epochs=3, batch_size=4, verbose=0)
    for _ in range(3):
        in_parts.fit(x, y, epochs=1, batch_size=4, verbose=0)
    again.fit(x, y, epochs=1, batch_size=4, verbose=0)
    again.fit(x, y, epochs=3, batch_size=4, verbose=0, initial_epoch=1)
    for other in (in_parts, again):
        for mine, theirs in zip(once.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_saved_model_goes_on_in_the_order_of_the_next_epoch(tmp_path: Path) -> None:
    x, y = np.arange(40.0).reshape(20, 2) / 40, np.arange(20.0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)]).compile("adam", "mse")
    model.fit(x, y, epochs=2, batch_size=4, verbose=0)
    loaded = nn.load_model(model.save(tmp_path / "a.keras"))
    for each in (model, loaded):
        each.fit(x, y, epochs=1, batch_size=4, verbose=0)
    np.testing.assert_allclose(loaded.get_weights()[0], model.get_weights()[0], rtol=1e-6)


def test_names_that_are_missing_have_hints_of_public_ones() -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    with pytest.raises(AttributeError, match=r"^Sequential has no sumary\. Did you mean 'summary'\?$"):
        model.sumary()
    with pytest.raises(AttributeError, match=r"^Model has no to_json\.$"):
        nn.Model(model.input, model.output).to_json()
    with pytest.raises(AttributeError, match=r"Dense has no get_weight, .* Did you mean 'get_weights'\?$"):
        model.layers[0].get_weight()
    model.layers[0].kernel.assign([[1.0], [2.0]])
    assert model.predict([[1.0, 1.0]]).tolist() == [[3.0]]
    with pytest.raises(ShapeError, match=r"takes arrays of the shapes \(2, 1\)"):
        model.layers[0].kernel.assign([1.0, 2.0, 3.0])
