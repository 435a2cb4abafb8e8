"""Pictures in folders and windows of a series, beside Keras's own functions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import DataError, ModelError, SettingError, SimulatorError
from simulator.nn import utils

os.environ["KERAS_BACKEND"] = "torch"
if os.environ.get("CI"):
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    import grain
    import keras
else:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    grain = pytest.importorskip("grain", reason="Grain, which Keras needs here, is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:grain"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, pictures of several sizes and kinds."""
    rng = np.random.default_rng(0)
    for k, (name, channels, ending) in enumerate(
        [("cats", 3, "png"), ("dogs", 1, "png"), ("cats", 4, "png"), ("dogs", 3, "jpg"), ("cats", 3, "bmp")] * 2
    ):
        (tmp_path / name).mkdir(exist_ok=True)
        picture = utils.array_to_img(rng.integers(0, 256, (9 + k, 14 - k, channels)), scale=False)
        picture.save(tmp_path / name / f"{k}.{ending}")
    (tmp_path / "cats" / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def arrays(batches: Any) -> list[Any]:
    return [tuple(np.asarray(a) for a in b) if isinstance(b, tuple | list) else np.asarray(b) for b in batches]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"label_mode": "binary", "color_mode": "grayscale"},
    {"label_mode": "categorical", "color_mode": "rgba", "class_names": ["dogs", "cats"]},
    {"labels": None},
    {"labels": [3, 1, 4, 1, 5, 0, 2, 0, 5, 3]},
    {"validation_split": 0.25, "subset": "training"},
    {"validation_split": 0.25, "subset": "validation"},
    {"interpolation": "nearest"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pictures_are_those_of_keras(options: dict[str, Any], folder: Path) -> None:
    common = {"image_size": (12, 7), "batch_size": 4, "shuffle": False, "verbose": False} | options
    ours = utils.image_dataset_from_directory(folder, **common)
    theirs = keras.utils.image_dataset_from_directory(str(folder), format="grain", **common)
    assert ours.class_names == theirs.class_names
    assert ours.file_paths == theirs.file_paths
    found, wanted = arrays(ours), arrays(theirs)
    assert len(found) == len(wanted) == len(ours)
    for a, b in zip(found, wanted, strict=True):
        for mine, other in zip(a, b, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-3)
            assert mine.dtype == other.dtype


def test_shuffled_files_are_split_as_keras_splits_them(folder: Path) -> None:
    common = {"image_size": 8, "validation_split": 0.3, "seed": 5, "subset": "both", "verbose": False}
    ours = utils.image_dataset_from_directory(folder, **common)
    theirs = keras.utils.image_dataset_from_directory(str(folder), format="grain", **common)
    assert [d.file_paths for d in ours] == [d.file_paths for d in theirs]
    assert [len(d.file_paths) for d in ours] == [7, 3]


def test_every_pass_has_another_order_which_follows_from_the_seed(folder: Path) -> None:
    def passes() -> list[list[int]]:
        data = utils.timeseries_dataset_from_array(np.arange(20), None, 1, shuffle=True, seed=2)
        return [np.concatenate(list(data)).ravel().tolist() for _ in range(2)]

    first, second = passes()
    assert first != second
    assert sorted(first) == sorted(second) == list(range(20))
    assert passes() == [first, second]


@pytest.mark.parametrize("mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_a_picture_is_read_as_keras_reads_it(mode: str, interpolation: str, folder: Path) -> None:
    for path in sorted(folder.rglob("*.[pjb]*")):
        a, b = (
            k.utils.img_to_array(k.utils.load_img(path, mode, target_size=(10, 6), interpolation=interpolation))
            for k in (nn, keras)
        )
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "x", [np.arange(24.0).reshape(4, 2, 3), np.full((2, 2, 1), 7.0), np.linspace(-1, 1, 16).reshape(2, 2, 4)]
)
def test_an_array_becomes_the_picture_that_keras_makes_of_it(x: Any) -> None:
    np.testing.assert_array_equal(np.asarray(utils.array_to_img(x)), np.asarray(keras.utils.array_to_img(x)))


WINDOWS: list[dict[str, Any]] = [
    {"sequence_length": 4},
    {"sequence_length": 10, "sampling_rate": 2, "sequence_stride": 3},
    {"sequence_length": 3, "sequence_stride": 2, "start_index": 5, "end_index": 30},
    {"sequence_length": 5, "sampling_rate": 3, "batch_size": 4, "end_index": 40},
    {"sequence_length": 4, "batch_size": None},
    {"sequence_length": 1, "sequence_stride": 7, "start_index": 40},
]


@pytest.mark.parametrize("with_targets", [True, False])
@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_windows_are_those_of_keras(options: dict[str, Any], with_targets: bool) -> None:
    series = np.random.default_rng(1).normal(size=(50, 2))
    targets = np.arange(50.0) if with_targets else None
    ours = arrays(utils.timeseries_dataset_from_array(series, targets, **options))
    theirs = arrays(keras.utils.timeseries_dataset_from_array(series, targets, format="grain", **options))
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        for mine, other in zip(a, b, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6)


def test_a_convnet_learns_from_a_folder(folder: Path) -> None:
    training, held = utils.image_dataset_from_directory(
        folder, image_size=(8, 8), batch_size=4, validation_split=0.3, subset="both", seed=1, verbose=False
    )
    found = []
    for epochs in ([3], [1, 3]):
        layers = [nn.Rescaling(1 / 255), nn.Conv2D(4, 3, activation="relu"), nn.Flatten(), nn.Dense(1, "sigmoid")]
        model = nn.Sequential([nn.Input((8, 8, 3)), *layers]).compile("adam", "binary_crossentropy", ["accuracy"])
        begun = 0
        for until in epochs:
            history = model.fit(training, epochs=until, initial_epoch=begun, validation_data=held, verbose=0).history
            begun = until
        assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
        found.append(model.get_weights())
        assert model.predict(held).shape == (3, 1)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


REFUSED: list[tuple[Callable[[Path], Any], type[SimulatorError], str]] = [
    (
        lambda f: list(utils.image_dataset_from_directory(f / "cats", labels=None, verbose=False)),
        DataError,
        "A picture must be a whole JPEG, PNG, GIF or BMP file. Received: '{0}/cats/broken.png' (cannot identify image "
        "file '{0}/cats/broken.png'). Mend or remove it.",
    ),
    (
        lambda f: utils.load_img(f / "dogs" / "cut.png"),
        DataError,
        "A picture must be a whole JPEG, PNG, GIF or BMP file. Received: '{0}/dogs/cut.png' (image file is truncated). "
        "Mend or remove it.",
    ),
    (
        lambda f: utils.load_img(f / "none.png"),
        DataError,
        "A picture must be a whole JPEG, PNG, GIF or BMP file. Received: '{0}/none.png' (No such file or directory). "
        "Check the path.",
    ),
    (
        lambda f: utils.image_dataset_from_directory(f / "none"),
        DataError,
        "Pictures lie in a folder. Received: '{0}/none', which is none. Check the path.",
    ),
    (
        lambda f: utils.image_dataset_from_directory(f, validation_split=0.2, subset="training"),
        SettingError,
        "Shuffled files are split the same way in both calls only with a seed. Received: none. Give seed, or "
        "shuffle=False.",
    ),
    (
        lambda f: utils.image_dataset_from_directory(f, color_mode="gray"),
        SettingError,
        "color_mode must be one of grayscale, rgb, rgba. Received: 'gray'. Did you mean 'grayscale'?",
    ),
    (
        lambda f: utils.timeseries_dataset_from_array(np.arange(9), None, 4, sampling_rate=3),
        SettingError,
        "A window of 4 steps spans 10, which must fit. Received: steps 0 to 9.",
    ),
]


@pytest.mark.parametrize(("act", "error", "said"), REFUSED, ids=[r[2][-40:] for r in REFUSED])
def test_what_does_not_fit_is_refused(
    act: Callable[[Path], Any], error: type[SimulatorError], said: str, folder: Path
) -> None:
    (folder / "cats" / "broken.png").write_bytes(b"no picture at all")
    whole = utils.array_to_img(np.random.default_rng(0).integers(0, 256, (50, 50, 3)), scale=False)
    whole.save(folder / "dogs" / "cut.png")
    (folder / "dogs" / "cut.png").write_bytes((folder / "dogs" / "cut.png").read_bytes()[:4000])
    with pytest.raises(error) as caught:
        act(folder)
    assert str(caught.value) == said.format(folder)


def test_a_network_is_drawn(tmp_path: Path) -> None:
    inputs = nn.Input((6, 6, 3))
    x = nn.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = nn.Conv2D(4, 3, padding="same", name="second")(x)
    model = nn.Model(inputs, nn.Dense(2)(nn.Flatten()(nn.Add()([x, y]))))
    sizes = []
    for shapes in (False, True):
        path = utils.plot_model(model, tmp_path / f"{shapes}.png", show_shapes=shapes, show_layer_names=True)
        picture = utils.img_to_array(utils.load_img(path))
        assert picture.std() > 10
        sizes.append(picture.shape[0])
    assert sizes[1] > sizes[0]
    with pytest.raises(ModelError, match="Choose another path"):
        utils.plot_model(model, tmp_path / "none" / "a.png")
    with pytest.raises(SettingError, match="drawn as a PNG"):
        utils.plot_model(model, tmp_path / "a.pdf")
