"""Models in files: what comes back, and what a damaged file leads to."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simulator import nn
from simulator.errors import ModelError


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


def replaced(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            parts = {n: archive.read(n) for n in archive.namelist()}
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new, 1)
        with zipfile.ZipFile(path, "w") as archive:
            for n, data in parts.items():
                archive.writestr(n, data)

    return damage


def without(name: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            parts = {n: archive.read(n) for n in archive.namelist() if n != name}
        with zipfile.ZipFile(path, "w") as archive:
            for n, data in parts.items():
                archive.writestr(n, data)

    return damage


# damage, what is said of it
DAMAGED: list[tuple[Callable[[Path], object], str]] = [
    (lambda p: p.write_bytes(p.read_bytes()[:-200]), "File is not a zip file"),
    (lambda p: p.write_bytes(b"\x80\x04K\x01."), "File is not a zip file"),
    (lambda p: p.unlink(), "No such file or directory"),
    (without("weights.safetensors"), "a zip without network.toml and weights.safetensors"),
    (replaced("network.toml", b"Conv2D", b"Conv7D"), "network.toml that can't be read (A layer's type must be one of"),
    (replaced("network.toml", b"units = 2", b"units = 4"), "'7/kernel' of shape (27, 2), not (27, 4)"),
    (replaced("weights.safetensors", b"1/kernel", b"9/kernel"), "other weights than the network's, such as '1/kernel'"),
    (replaced("weights.safetensors", b"F64", b"X64"), "weights.safetensors that can't be read ("),
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


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = network()
    weights = model.get_weights()
    weights[0][0] = np.nan
    next(iter(model.weights.values()))[0].value[...] = weights[0]
    path = model.save(tmp_path / "a.keras")
    with pytest.raises(ModelError, match="'1/kernel' with numbers that are not finite"):
        nn.load_model(path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can only be saved where that is allowed"):
        network().save(tmp_path / "absent" / "a.keras")
    assert list(tmp_path.iterdir()) == []
