"""Models in files: what comes back, and what a damaged file leads to."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from simulator import nn
from simulator.errors import ModelError, SettingError
from simulator.nn import initializers, losses, metrics
from simulator.nn.description import describe
from simulator.nn.layer import Layer
from tests.nn.networks import CASES


def network() -> nn.Model:
    inputs = nn.Input((6, 6, 1))
    x = nn.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    y = nn.BatchNormalization()(nn.Conv2D(3, 3, padding="same", kernel_regularizer="l2")(x))
    x = nn.Flatten()(nn.MaxPooling2D(2)(nn.Add()([x, y])))
    model = nn.Model(inputs, nn.Dense(2, activation="softmax")(x), name="small", seed=3)
    return model.compile(nn.Adam(nn.ExponentialDecay(0.01, 10, 0.5)), "sparse_categorical_crossentropy")


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6, 6, 1)), rng.integers(0, 2, 20)
    model = network()
    model.fit(x, y, epochs=2)
    back = nn.load_model(model.save(tmp_path / "a.keras"))
    assert (back.name, back.seed, str(back)) == ("small", 3, str(model))
    assert back.optimizer == model.optimizer
    np.testing.assert_array_equal(back.predict(x), model.predict(x))
    assert back.evaluate(x, y) == model.evaluate(x, y)
    other = network()
    other.load_weights(model.save_weights(tmp_path / "a.weights"))
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def case(*layers: Layer, shape: tuple[int, ...] = (3,)) -> nn.Model:
    return nn.Sequential([nn.Input(shape), *layers], seed=4)


RNN = {"activation": None, "dropout": 0.2, "seed": 3, "name": "a", "kernel_regularizer": nn.L1(0.1)}
PICTURE = (7, 7, 2)

# layers with all kinds of options
LAYERS = [
    case(nn.Dense(2, "elu", False, initializers.RandomNormal(stddev=0.3, seed=2), trainable=False)),
    case(nn.Dense(2, bias_initializer=initializers.Constant(0.1), bias_regularizer=nn.L1L2(0.1, 0.2))),
    case(nn.SimpleRNN(2, **RNN, go_backwards=True, recurrent_dropout=0.1), shape=(3, 2)),
    case(nn.LSTM(2, **RNN, stateful=True, unit_forget_bias=False), shape=(3, 2)),
    case(nn.Bidirectional(nn.GRU(2, **RNN, reset_after=False, trainable=False), "ave"), shape=(3, 2)),
    case(nn.Conv2D(2, (3, 2), strides=(2, 1), padding="same", use_bias=False), shape=PICTURE),
    case(nn.MaxPooling2D((2, 3), strides=1, padding="same"), nn.GlobalMaxPooling2D(), shape=PICTURE),
    case(nn.RandomFlip("horizontal", seed=3), nn.RandomRotation(0.1, seed=2), nn.RandomZoom(0.2), shape=PICTURE),
    case(nn.Resizing(3, 4, interpolation="nearest"), nn.Rescaling(0.5, offset=-1), shape=PICTURE),
    case(nn.Embedding(4, 2, embeddings_regularizer="l2"), nn.GlobalMaxPooling1D()),
    case(nn.BatchNormalization(momentum=0.9, epsilon=0.1, center=False), nn.LayerNormalization(scale=False)),
    case(nn.Reshape((3, 1)), nn.GaussianNoise(0.1, seed=1), nn.Dropout(0.3, seed=5)),
    case(nn.LeakyReLU(0.3), nn.ELU(0.3), nn.ReLU(negative_slope=0.1), nn.Softmax()),
    case(nn.Features(("x1", "x1*x2")), shape=(2,)),
]


def options_of(layer: Layer) -> dict[str, object]:
    """Every option as it is now, also those at their defaults."""
    found = {f.name: getattr(layer, f.name) for f in fields(layer) if f.init and f.name != "input_shape"}
    return {name: options_of(value) if isinstance(value, Layer) else value for name, value in found.items()}


@pytest.mark.parametrize("model", [*LAYERS, *(make().model for make in CASES.values())])
def test_every_layer_comes_back_with_all_its_options(model: nn.Model, tmp_path: Path) -> None:
    back = nn.load_model(model.save(tmp_path / "a.keras"))
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]
    assert [options_of(layer) for layer in back.layers] == [options_of(layer) for layer in model.layers]
    for mine, theirs in zip(model.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# last layer's activation, optimizer, loss, metrics
COMPILED = [
    ("softmax", nn.Adam(0.02, 0.8, clipnorm=1.5), "categorical_crossentropy", ["accuracy"]),
    (None, nn.SGD(0.1, 0.9, True), losses.CategoricalCrossentropy(from_logits=True), ["acc", "mae"]),
    (None, nn.AdamW(weight_decay=0.1), losses.Huber(delta=0.3), [metrics.RegressionAccuracy(0.2, True, name="near")]),
    ("softmax", nn.Adam(), losses.CategoricalCrossentropy(label_smoothing=0.2), [metrics.RootMeanSquaredError()]),
    (None, nn.RMSprop(nn.StepDecay(0.1, 3, 0.5), clipvalue=0.5), "mse", []),
    ("sigmoid", nn.Adagrad(gradient_accumulation_steps=2), "binary_crossentropy", [metrics.Precision(0.4, 1)]),
    (None, nn.SGD(nn.CosineDecay(0.1, 7, 0.2), global_clipnorm=2.0), losses.BinaryCrossentropy(True), ["recall"]),
]


def compiled(activation: str | None, optimizer: nn.SGD, loss: object, watched: list[object]) -> nn.Model:
    model = case(nn.Dense(4, "tanh"), nn.Dropout(0.2), nn.Dense(2, activation))
    return model.compile(optimizer, loss, watched)  # type: ignore[arg-type]


def learnt(model: nn.Model, epochs: int, initial_epoch: int = 0) -> nn.Model:
    x = np.random.default_rng(1).normal(size=(24, 3))
    model.fit(x, np.eye(2)[(x[:, 0] > x[:, 1]).astype(int)], 8, epochs, 0, initial_epoch=initial_epoch)
    return model


@pytest.mark.parametrize("compiling", COMPILED, ids=[str(loss) for _, _, loss, _ in COMPILED])
def test_a_model_comes_back_compiled_and_goes_on_training_as_if_never_saved(
    compiling: tuple[str | None, nn.SGD, object, list[object]], tmp_path: Path
) -> None:
    half = learnt(compiled(*compiling), 2)
    back = nn.load_model(half.save(tmp_path / "a.keras"))
    assert (back.optimizer, back.loss_option) == (half.optimizer, half.loss_option)
    assert [(type(m), m.config()) for m in back.metrics] == [(type(m), m.config()) for m in half.metrics]
    again = nn.load_model(back.save(tmp_path / "b.keras"))  # not trained in between
    whole = learnt(compiled(*compiling), 4)
    for model in (back, again):
        for mine, theirs in zip(learnt(model, 4, 2).get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_weights_that_are_set_after_loading_stay(tmp_path: Path) -> None:
    back = nn.load_model(learnt(compiled(*COMPILED[0]), 2).save(tmp_path / "a.keras"))
    zeros = [np.zeros_like(w) for w in back.get_weights()]
    back.set_weights(zeros)
    np.testing.assert_array_equal(back.predict(np.ones((1, 3))), [[0.5, 0.5]])


def test_a_model_compiled_anew_trains_anew(tmp_path: Path) -> None:
    half = learnt(compiled(*COMPILED[0]), 2)
    back = nn.load_model(half.save(tmp_path / "a.keras"))
    for model in (half, back):
        learnt(model.compile(nn.Adam(0.02), half.loss), 1)
    for mine, theirs in zip(half.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_model_that_is_not_compiled_comes_back_so(tmp_path: Path) -> None:
    back = nn.load_model(case(nn.Dense(2)).save(tmp_path / "a.keras"))
    with pytest.raises(SettingError, match="A model is compiled with a loss"):
        back.evaluate(np.ones((1, 3)), np.ones((1, 2)))


def test_a_file_of_version_0_4_is_read(tmp_path: Path) -> None:
    model = network()
    path = model.save(tmp_path / "a.keras")
    parts = parts_of(path)
    del parts["network.json"]
    write(path, {"network.toml": describe(model, 1).encode(), **parts})
    back = nn.load_model(path)
    assert (back.optimizer, back.loss, str(back)) == (model.optimizer, model.loss, str(model))
    np.testing.assert_array_equal(back.get_weights()[0], model.get_weights()[0])


def test_parts_of_your_own_are_refused_before_a_file_is_touched(tmp_path: Path) -> None:
    class Mine(metrics.MeanSquaredError):
        pass

    with pytest.raises(SettingError) as caught:
        network().compile("sgd", "sparse_categorical_crossentropy", [Mine()]).save(tmp_path / "a.keras")
    assert str(caught.value) == (
        "A file can bring back the layers, metrics and optimizers of simulator.nn. Received: Mine. "
        "Keep the weights alone with save_weights."
    )
    assert list(tmp_path.iterdir()) == []


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def replaced(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        parts = parts_of(path)
        assert old in parts[name]
        write(path, parts | {name: parts[name].replace(old, new, 1)})

    return damage


def without(name: str) -> Callable[[Path], None]:
    return lambda path: write(path, {n: data for n, data in parts_of(path).items() if n != name})


def holding(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda path: write(path, parts_of(path) | {name: data})


def remembering(**arrays: object) -> Callable[[Path], None]:
    named = {name.replace("__", "/"): np.asarray(a) for name, a in arrays.items()}
    return holding("optimizer.safetensors", save(named))


# damage, what is said of it
DAMAGED: list[tuple[Callable[[Path], object], str]] = [
    (lambda p: p.write_bytes(p.read_bytes()[:-200]), "File is not a zip file"),
    (lambda p: p.write_bytes(b"\x80\x04K\x01."), "File is not a zip file"),
    (without("weights.safetensors"), "a zip without network.json and weights.safetensors"),
    (replaced("network.json", b"Conv2D", b"Conv7D"), "network.json that can't be read (A layer's type must be one of"),
    (replaced("network.json", b'"units": 2', b'"units": 4'), "'7/kernel' of shape (27, 2), not (27, 4)"),
    (replaced("weights.safetensors", b"1/kernel", b"9/kernel"), "other weights than the network's, such as '1/kernel'"),
    (replaced("weights.safetensors", b"F64", b"X64"), "weights.safetensors that can't be read ("),
    (lambda p: write(p, parts_of(p), zipfile.ZIP_DEFLATED), "a zip with compressed parts"),
    (holding("network.json", b"\xff"), "network.json that can't be read ('utf-8' codec can't decode"),
    (holding("network.json", b"[" * 100_000), "network.json that can't be read (maximum recursion depth exceeded"),
    (holding("network.json", b"[1]"), "network.json that can't be read (A description is a table. Received: list."),
    (holding("network.json", b'{"layers": 3}'), "The part layers is written [[layers]], once for every layer. Rec"),
    (holding("network.json", b'{"network": {"input": [2]}, "layers": [3]}'), "Every value of a description has a kind"),
    (replaced("network.json", b'"seed": 3', b'"seed": "3"'), "A seed is a whole number from 0. Received: '3'."),
    (replaced("network.json", b'"seed": 3', b'"seed": NaN'), "JSON has finite numbers. Received: NaN."),
    (replaced("network.json", b'"units": 2', b'"units": 1' + b"0" * 400), "network.json that can't be read ("),
    (replaced("network.json", b'"units": 2', b'"units": ' + b"[" * 500 + b"]" * 500), "a whole number above 0"),
    (remembering(step=[1.0], **{"9__kernel__m": np.ones(3)}), "'9/kernel/m', which belongs to no weight of the net"),
    (remembering(step=[1.0], **{"1__kernel__m": np.ones(3)}), "'1/kernel/m' of shape (3,), not (3, 3, 1, 3)"),
    (remembering(step=[0.5]), "optimizer.safetensors without a number of steps"),
    (remembering(step=[np.inf]), "'step' with numbers that are not finite"),
    (remembering(step=[[1.0]]), "'step' of shape (1, 1), not (1,)"),
    (holding("optimizer.safetensors", b"{}"), "optimizer.safetensors that can't be read ("),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGED, ids=[said[:30] for _, said in DAMAGED])
def test_a_damaged_file_is_refused(damage: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    path = network().save(tmp_path / "a.keras")
    damage(path)
    with pytest.raises(ModelError) as caught:
        nn.load_model(path)
    assert str(caught.value).startswith(f"A model's file must be one that model.save wrote. Received: '{path}', ")
    assert said in str(caught.value)
    assert str(caught.value).endswith("Save it again.")


@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_any_byte_turned_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    path = learnt(compiled(*COMPILED[0]), 1).save(tmp_path / "a.keras")
    whole, rng = path.read_bytes(), np.random.default_rng(seed)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged[: rng.integers(len(whole))] if rng.random() < 0.2 else damaged)
        try:
            nn.load_model(path)
        except ModelError:
            refused += 1
    assert refused > 40


WRONG = [None, True, -1, 0, 1.5, 10**30, "", "Dense", "a" * 1000, [], [[]], [1, "x"], {}, {"type": "Adam"}]


@pytest.mark.parametrize("wrong", WRONG, ids=[repr(w)[:20] for w in WRONG])
def test_json_with_any_value_of_another_kind_is_read_or_refused(wrong: object, tmp_path: Path) -> None:
    path = compiled(*COMPILED[4]).save(tmp_path / "a.keras")
    parts = parts_of(path)
    table = json.loads(parts["network.json"])
    for part in (table, table["network"], table["training"], *table["layers"]):
        for key, right in list(part.items()):
            part[key] = wrong
            write(path, parts | {"network.json": json.dumps(table).encode()})
            with contextlib.suppress(ModelError):
                nn.load_model(path)
            part[key] = right


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = network()
    weights = model.get_weights()
    weights[0][0] = np.nan
    next(iter(model.by_layer.values()))[0].value[...] = weights[0]
    path = model.save(tmp_path / "a.keras")
    with pytest.raises(ModelError, match="'1/kernel' with numbers that are not finite"):
        nn.load_model(path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can only be saved where that is allowed"):
        network().save(tmp_path / "absent" / "a.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_comes_twice_in_a_sequential_does_so_after_reading(tmp_path: Path) -> None:
    again = nn.Dense(3, activation="tanh")
    model = nn.Sequential([nn.Input((3,)), again, again, nn.Dense(1)])
    x = np.random.default_rng(0).normal(size=(5, 3))
    loaded = nn.load_model(model.save(tmp_path / "a.keras"))
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
