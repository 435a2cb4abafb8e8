"""Training at full size: data in and out, callbacks, and what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import ModelError, SettingError, ShapeError, SimulatorError, TrainingError
from simulator.nn import callbacks
from simulator.nn.layer import apart


def blobs(samples: int = 60, seed: int = 0) -> tuple[Any, Any]:
    """Points around three corners, and the corner's number."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    corners = np.array([[0.0, 2.0], [2.0, 0.0], [-2.0, -2.0]])
    return (corners[y] + rng.normal(0, 0.3, (samples, 2))).astype(np.float32), y


def flat() -> nn.Model:
    layers = [nn.Input((28, 28)), nn.Dense(10, activation="softmax")]
    return nn.Sequential(layers).compile("sgd", "sparse_categorical_crossentropy")


def network(**options: Any) -> nn.Model:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(8, activation="tanh"), nn.Dense(3, activation="softmax")])
    return model.compile(nn.Adam(0.05), "sparse_categorical_crossentropy", **options)


def test_a_network_learns_and_says_so() -> None:
    model = network(metrics=["accuracy"])
    history = model.fit(*blobs(), epochs=20, batch_size=16, validation_data=blobs(seed=1))
    assert history.epoch == list(range(20))
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.history["loss"][-1] < 0.1 < history.history["loss"][0]
    assert history.history["val_accuracy"][-1] == 1.0
    x, y = blobs(seed=2)
    assert (model.predict(x).argmax(-1) == y).all()


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    found = []
    for seed in (0, 0, 1):
        model = nn.Sequential(
            [nn.Input((2,)), nn.Dense(8), nn.Dropout(0.3), nn.Dense(3, activation="softmax")], seed=seed
        ).compile("adam", "sparse_categorical_crossentropy")
        model.fit(*blobs(), epochs=2)
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_epochs_in_two_calls_are_the_epochs_of_one() -> None:
    once, twice = network(), network()
    once.fit(*blobs(), epochs=4)
    twice.fit(*blobs(), epochs=2)
    twice.fit(*blobs(), epochs=4, initial_epoch=2)
    for a, b in zip(once.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_that_are_set_are_those_that_are_used() -> None:
    model = network()
    x, _ = blobs()
    model.predict(x)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    np.testing.assert_allclose(model.predict(x), 1 / 3, rtol=1e-6)


def test_first_weights_of_small_networks_can_be_typed_and_those_of_large_ones_have_all_digits() -> None:
    for units, rounded in ((8, True), (5_000, False)):
        kernel = nn.Sequential([nn.Input((2,)), nn.Dense(units), nn.Dense(2)]).get_weights()[0]
        assert (np.round(kernel, 3) == kernel).all() == rounded


def test_dropout_and_noise_are_for_training_alone() -> None:
    model = nn.Sequential([nn.Input((50,)), nn.Dropout(0.5), nn.GaussianNoise(1.0), nn.Flatten()])
    x = np.ones((40, 50), np.float32)
    np.testing.assert_array_equal(model.predict(x), x)
    drawn = model.network().predict(x, training=True)
    assert abs(drawn.mean() - 1) < 0.1
    assert abs(drawn.std() - np.sqrt(2)) < 0.1


def test_validation_split_takes_the_last_samples() -> None:
    x, y = blobs()
    model, other = network(), network()
    a = model.fit(x, y, epochs=2, validation_split=0.25).history
    b = other.fit(x[:45], y[:45], epochs=2, validation_data=(x[45:], y[45:])).history
    assert a == b


@pytest.mark.parametrize("optimizer", [nn.SGD, nn.Adam])
def test_gradients_together_are_those_of_a_larger_batch(optimizer: Any) -> None:
    found = []
    for size, together in ((24, None), (8, 3)):
        model = network()
        model.compile(optimizer(0.05, gradient_accumulation_steps=together), "sparse_categorical_crossentropy")
        model.fit(*blobs(72), epochs=4, batch_size=size, shuffle=False)
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_a_state_taken_between_two_updates_leads_to_the_same_weights() -> None:
    x, y = blobs(40)
    once, twice = network(), network()
    for model in (once, twice):
        model.compile(nn.Adam(0.05, gradient_accumulation_steps=4), "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=1, batch_size=8)  # 5 steps: one gradient waits
    state = {name: a.copy() for name, a in twice.network().state().items()}
    once.fit(x, y, epochs=3, batch_size=8, initial_epoch=1)
    other = network()
    other.compile(nn.Adam(0.05, gradient_accumulation_steps=4), "sparse_categorical_crossentropy")
    other.network().restore(state)
    other.updated()
    other.fit(x, y, epochs=3, batch_size=8, initial_epoch=1)
    for a, b in zip(once.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Callbacks

OLDER = ("on_batch_begin", "on_batch_end")


def test_early_stopping_brings_back_the_best_weights() -> None:
    model = network()
    seen: list[Any] = []

    class Worse(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            logs["val_loss"] = [3.0, 1.0, 2.0, 2.0, 0.5][epoch]
            seen.append(self.model.get_weights())

    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = model.fit(*blobs(), epochs=10, validation_data=blobs(), callbacks=[Worse(), stop])
    assert (history.epoch, stop.best_epoch, stop.stopped_epoch) == ([0, 1, 2, 3], 1, 3)
    for a, b in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", ["numpy", "expressions"])
@pytest.mark.parametrize("bare", [nn.Dense(3, activation="softmax"), nn.Dense(3)])
def test_a_loss_is_the_same_in_training_and_in_validation(bare: nn.Dense, backend: str) -> None:
    """Also of labels that have no chance: a probability of e^-60 counts 60."""
    end = [] if bare.activation else [nn.Activation("softmax")]
    model = nn.Sequential([nn.Input((2,)), apart(bare), *end]).compile(nn.SGD(1e-12), "sparse_categorical_crossentropy")
    model.set_weights([[[60.0, 0.0, 1.0], [0.0, 60.0, 1.0]], [0.0, 0.0, 0.0]])
    x, y = np.eye(2), np.array([1, 1])
    logs = model.fit(x, y, batch_size=2, validation_data=(x, y), backend=backend, verbose=0).history
    assert logs["loss"][0] == pytest.approx(30.0, rel=1e-5)
    assert logs["val_loss"][0] == pytest.approx(30.0, rel=1e-5)
    binary = nn.Sequential([nn.Input((1,)), nn.Dense(1, activation="sigmoid")]).compile("sgd", "binary_crossentropy")
    binary.set_weights([[[1.0]], [0.0]])
    assert binary.evaluate([[-50.0]], [[1.0]]) == pytest.approx(50.0, rel=1e-5)
    np.testing.assert_allclose(model.predict(x), model.network().assess(x, y)[1], atol=1e-7)


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_epoch_begin", "on_train_batch_end"])
def test_weights_that_a_callback_sets_are_those_that_training_goes_on_from(hook: str) -> None:
    model, (x, y) = network(), blobs()
    nothing = [np.zeros_like(w) for w in model.get_weights()]
    model.compile(nn.SGD(1e-30), model.loss_option)
    model.fit(x, y, callbacks=[callbacks.LambdaCallback(**{hook: lambda *args: model.set_weights(nothing)})])
    for mine, zero in zip(model.get_weights(), nothing, strict=True):
        np.testing.assert_allclose(mine, zero, atol=1e-20)


def test_callbacks_get_logs_everywhere() -> None:
    got: list[Any] = []
    hooks = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_train_batch_begin", "on_test_begin")
    noted = callbacks.LambdaCallback(**{hook: lambda *args: got.append(args[-1]) for hook in hooks})
    x, y = blobs()
    logs = network().fit(x, y, batch_size=len(x), validation_data=(x, y), callbacks=[noted]).history
    assert got[:4] == [{}] * 4
    assert got[4] == {name: values[0] for name, values in logs.items()}


def test_callbacks_are_called_where_keras_calls_them() -> None:
    calls: list[str] = []
    names = [name for name in dir(callbacks.Callback) if name.startswith("on_")]

    def note(name: str) -> Any:
        return lambda *args: calls.append(name.removeprefix("on_") + "".join(str(a) for a in args if a in (0, 1)))

    noted = callbacks.LambdaCallback(**{name: note(name) for name in names if name not in OLDER})
    older = callbacks.LambdaCallback(**{name: note(name) for name in OLDER})
    x, y = blobs()
    network().fit(x, y, batch_size=len(x) // 2, validation_data=(x, y), callbacks=[noted])
    batches = ["train_batch_begin0", "train_batch_end0", "train_batch_begin1", "train_batch_end1"]
    tests = ["test_begin", "test_batch_begin0", "test_batch_end0", "test_batch_begin1", "test_batch_end1", "test_end"]
    assert calls == ["train_begin", "epoch_begin0", *batches, *tests, "epoch_end0", "train_end"]
    calls.clear()
    network().fit(x, y, batch_size=len(x) // 2, callbacks=[older, callbacks.TerminateOnNaN()])
    assert calls == ["batch_begin0", "batch_end0", "batch_begin1", "batch_end1"]
    with pytest.raises(SettingError, match=r"LambdaCallback's functions must be one of .*Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)


def test_a_checkpoint_keeps_the_best_epoch(tmp_path: Path) -> None:
    model = network()
    keep = callbacks.ModelCheckpoint(str(tmp_path / "best.keras"), monitor="loss", save_best_only=True)
    every = callbacks.ModelCheckpoint(str(tmp_path / "{epoch:02d}.keras"))
    model.fit(*blobs(), epochs=3, callbacks=[keep, every])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01.keras", "02.keras", "03.keras", "best.keras"]
    x, _ = blobs()
    np.testing.assert_array_equal(nn.load_model(tmp_path / "best.keras").predict(x), model.predict(x))


def test_rates_follow_schedules_and_plateaus() -> None:
    model = network()
    history = model.fit(*blobs(), epochs=3, callbacks=[callbacks.LearningRateScheduler(lambda e, r: 0.1 / (e + 1))])
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3])
    model.learning_rate = 0.08
    plateau = callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=1e9, min_lr=0.02)
    history = model.fit(*blobs(), epochs=5, callbacks=[plateau])
    np.testing.assert_allclose(history.history["learning_rate"], [0.08, 0.08, 0.04, 0.02, 0.02])


def test_a_log_has_a_row_per_epoch(tmp_path: Path) -> None:
    model = network(metrics=["accuracy"])
    for append in (False, True):
        log = callbacks.CSVLogger(str(tmp_path / "log.csv"), append=append)
        history = model.fit(*blobs(), epochs=2, callbacks=[log]).history
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["epoch", "loss", "accuracy"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "0", "1"]
    assert float(rows[-1][1]) == history["loss"][-1]


def test_a_checkpoint_with_a_number_that_is_not_there_is_refused(tmp_path: Path) -> None:
    keep = callbacks.ModelCheckpoint(str(tmp_path / "{val_loss:.2f}.keras"))
    with pytest.raises(SettingError) as caught:
        network().fit(*blobs(), callbacks=[keep])
    assert str(caught.value) == (
        f"ModelCheckpoint's filepath may have {{epoch}}, {{loss}} in it. Received: '{keep.filepath}' ('val_loss')."
    )


# What is refused

REFUSED: list[tuple[Callable[[nn.Model], Any], type[SimulatorError], str]] = [
    (
        lambda m: m.fit(np.zeros((4, 3)), [0, 1, 2, 0]),
        ShapeError,
        "Dense needs samples of shape (2,). Received: an array (4, 3). Give X the shape (N, 2).",
    ),
    (
        lambda m: m.fit(np.zeros((4, 2)), [0, 1, 2]),
        ShapeError,
        "X and Y have as many rows. Received: 4 and 3.",
    ),
    (
        lambda m: m.fit(np.zeros((4, 2)), [0, 1, 2, 3]),
        SettingError,
        "Labels of sparse_categorical_crossentropy are whole numbers from 0 to 2. Received: 3. The last layer, "
        "Dense, answers for 3; give it one per class.",
    ),
    (
        lambda m: m.fit([[0.0, np.nan]], [0]),
        SettingError,
        "X must be finite numbers. Received: nan at (0, 1). Remove these samples or fill them in.",
    ),
    (
        lambda m: m.fit([["a", "b"]], [0]),
        SettingError,
        "X must be numbers in rows of one length. Received: texts, such as a. Texts become numbers first, such as "
        "classes "
        "by their place in a list.",
    ),
    (
        lambda m: m.fit(*blobs(), batch_size=0),
        SettingError,
        "batch_size must be a whole number above 0. Received: 0.",
    ),
    (
        lambda m: m.fit(*blobs(), epochs=0),
        SettingError,
        "epochs must be a whole number above 0. Received: 0.",
    ),
    (
        lambda m: m.fit(*blobs(), validation_split=1.0),
        SettingError,
        "validation_split is a share from 0 to below 1. Received: 1.0.",
    ),
    (
        lambda m: m.fit(*blobs(), backend="cuda"),
        SettingError,
        "A backend must be one of numpy, cupy, expressions. Received: 'cuda'. Did you mean 'cupy'?",
    ),
    (
        lambda m: m.compile("adam", nn.losses.SparseCategoricalCrossentropy(from_logits=True)),
        SettingError,
        "sparse_categorical_crossentropy from logits follows a last layer with activation 'linear'. Received: Dense "
        "with activation 'softmax'. Write nn.Dense(..., activation='linear') or choose another loss.",
    ),
    (
        lambda m: m.compile("adam", "sparse_categorical_crossentropy", metrics=["acuracy"]),
        SettingError,
        "A metric must be one of binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, "
        "regression_accuracy, mean_squared_error, root_mean_squared_error, mean_absolute_error, perplexity, "
        "precision, recall, accuracy. Received: 'acuracy'. Did you mean 'accuracy'?",
    ),
    (
        lambda m: nn.losses.BinaryCrossentropy(label_smoothing=1.0),
        SettingError,
        "label_smoothing is a share from 0 to below 1. Received: 1.0.",
    ),
    (
        lambda m: m.compile("sgd", {"type": "mse", "label_smoothing": 0.1}),
        SettingError,
        "label_smoothing goes with binary_crossentropy and categorical_crossentropy. Received: mean_squared_error.",
    ),
    (
        lambda m: nn.Sequential([nn.Input((2,)), nn.Dense(3)]).compile("sgd", nn.losses.Huber(0.5)).trace(*blobs()),
        SettingError,
        "A workbook shows a loss of probabilities, and a Huber loss with delta 1. Received: delta=0.5. Train it with "
        "fit, or compile it without.",
    ),
    (
        lambda m: m.compile(nn.SGD(clipnorm=1.0), "sparse_categorical_crossentropy").trace(*blobs()),
        SettingError,
        "A workbook shows gradients that are not clipped. Received: clipnorm=1.0. Train it with fit, or compile it "
        "without.",
    ),
    (
        lambda m: nn.SGD(clipnorm=1.0, clipvalue=1.0),
        SettingError,
        "An optimizer clips in one way. Received: clipnorm, clipvalue. Leave the others out.",
    ),
    (
        lambda m: nn.SGD(gradient_accumulation_steps=1),
        SettingError,
        "gradient_accumulation_steps is a whole number from 2, or None. Received: 1.",
    ),
    (
        lambda m: m.compile(nn.SGD(gradient_accumulation_steps=2), "sparse_categorical_crossentropy").trace(*blobs()),
        SettingError,
        "A workbook updates the weights in every step. Received: gradient_accumulation_steps=2. Leave it out and "
        "multiply batch_size by it: the gradient is the same.",
    ),
    (
        lambda m: m.fit(*blobs(), callbacks=[callbacks.EarlyStopping]),
        SettingError,
        "callbacks is a list of callbacks. Received: the class EarlyStopping. Write EarlyStopping(...), with its "
        "brackets.",
    ),
    (
        lambda m: m.fit(*blobs(), callbacks="EarlyStopping"),
        SettingError,
        "callbacks is a list of callbacks. Received: 'EarlyStopping'. Derive it from callbacks.Callback.",
    ),
    (
        lambda m: m.compile("sgd", "categorical_crossentropy").fit(*blobs()),
        ShapeError,
        "categorical_crossentropy needs labels of shape (60, 3). Received: an array (60,). Class numbers go with "
        "sparse_categorical_crossentropy, or through utils.to_categorical.",
    ),
    (
        lambda m: m.fit(blobs()[0], np.eye(3)[blobs()[1]]),
        ShapeError,
        "sparse_categorical_crossentropy needs labels of shape (60,). Received: an array (60, 3). Rows of zeros with a "
        "1 go with categorical_crossentropy.",
    ),
    (
        lambda m: m.compile("sgd", "sparse_categorical_crossentropy", ["mae"]).fit(*blobs()),
        ShapeError,
        "'mae': This metric needs labels of shape (32, 3). Received: (32,). Class numbers go with accuracy, "
        "sparse_categorical_accuracy and perplexity, rows of zeros with a single 1 with categorical_accuracy; "
        "Precision and Recall take class numbers with a class_id.",
    ),
    (
        lambda m: nn.Sequential([nn.Input((3,)), nn.Embedding(5, 2), nn.Flatten()]).predict([[0, 1, 5]]),
        SettingError,
        "Inputs of an Embedding, X, are whole numbers from 0 to 4. Received: 5.",
    ),
    (
        lambda m: m.compile("sgd", "mse", run_eagerly=True, steps_per_execution=4),
        SettingError,
        "compile has steps_per_execution=1 alone. Received: steps_per_execution=4.",
    ),
    (
        lambda m: nn.Sequential([nn.Input((None, 3)), nn.Flatten(), nn.Dense(2)]),
        SettingError,
        "Where an axis of the input has any length, no weights depend on it. Received: those of Dense. Give Input the "
        "length, or pool over the axis before it.",
    ),
    (
        lambda m: nn.Input((3, None)),
        SettingError,
        "Input takes the shape of one sample, such as (2,), with up to 3 axes; None is any length of the first ones. "
        "Received: (3, None).",
    ),
    (
        lambda m: m.predict([[1.0, 2.0], [1.0]]),
        SettingError,
        "X must be numbers in rows of one length. Received: setting an array element with a sequence. The requested "
        "array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) + inhomogeneous part.",
    ),
    (
        lambda m: m.fit({"a": blobs()[0]}, blobs()[1]),
        SettingError,
        "A model has one input, an array. Received: a dictionary of 1. Several are joined first, such as "
        "np.concatenate([a, b], axis=-1).",
    ),
    (
        lambda m: m.predict([blobs()[0], blobs()[0]]),
        ShapeError,
        "Dense needs samples of shape (2,). Received: an array (2, 60, 2). Give X the shape (N, 2). A list of arrays "
        "is "
        "samples. Several are joined first, such as np.concatenate([a, b], axis=-1).",
    ),
    (
        lambda m: flat().fit(np.ones((8, 28, 28)), np.zeros(8)),
        ShapeError,
        "sparse_categorical_crossentropy needs labels of shape (8, 28). Received: an array (8,). The network answers "
        "28 "
        "times for a sample. Put Flatten() before the last layer.",
    ),
    (
        lambda m: nn.Sequential(nn.Dense(3), nn.Dense(2)),  # type: ignore[arg-type]
        SettingError,
        "Sequential takes a list of layers. Received: layers one by one. Write Sequential([...]), with the list's "
        "brackets.",
    ),
    (
        lambda m: nn.Sequential([nn.Flatten, nn.Dense(2)]),  # type: ignore[list-item]
        SettingError,
        "Sequential takes layers, such as nn.Dense(3), after nn.Input((features,)). Received: the class Flatten. Write "
        "Flatten(...), with its brackets.",
    ),
    (
        lambda m: nn.Bidirectional(nn.LSTM),
        SettingError,
        "Bidirectional takes a recurrent layer, such as nn.LSTM(8). Received: the class LSTM. Write LSTM(...), with "
        "its "
        "brackets.",
    ),
    (
        lambda m: nn.Conv2D(3, 3, dilation_rate=2),  # type: ignore[call-arg]
        SettingError,
        "Conv2D has dilation_rate=1 or dilation_rate=(1, 1) alone. Received: dilation_rate=2.",
    ),
    (
        lambda m: nn.Model(nn.Input((2,)), nn.Dense(1)(nn.Input((2,)))),
        SettingError,
        "A model has one input, and its output depends on it. Received: an output that follows from another Input.",
    ),
    (
        lambda m: nn.load_model("absent.keras"),
        ModelError,
        "A model's file must be there. Received: 'absent.keras', where none is. Check the path.",
    ),
    (
        lambda m: nn.utils.to_categorical(["a", "b"]),
        SettingError,
        "Class numbers are whole numbers. Received: 'a'. np.unique(x, return_inverse=True) gives names numbers.",
    ),
    (
        lambda m: m.fit(*blobs(), callbacks=[callbacks.LearningRateScheduler(lambda epoch: None)]),
        SettingError,
        "The function of LearningRateScheduler returns a rate above 0. Received: None.",
    ),
    (
        lambda m: m.compile("sgd", "sparse_categorical_crossentropy", [lambda y, p: 1.0]).fit(
            *blobs(), callbacks=[callbacks.ModelCheckpoint("a.keras", monitor="lambda", save_best_only=True)]
        ),
        SettingError,
        "Of a metric of your own you say what is better. Received: monitor='lambda'. Give mode='max' or mode='min'.",
    ),
    (
        lambda m: nn.Sequential([nn.Input((3,)), nn.Dropout(0.5)])(nn.Input((3,)), training=False),
        SettingError,
        "A model that is part of another one trains when that one does. Received: training=False, and Dropout in "
        "'network'. Leave training out; BatchNormalization that isn't trainable keeps its moving statistics.",
    ),
    (
        lambda m: nn.PiecewiseConstantDecay([3, 2], [0.1, 0.2]),
        SettingError,
        "PiecewiseConstantDecay needs rising boundaries, and one value above 0 more than these. Received: [3, 2] and "
        "[0.1, 0.2].",
    ),
    (
        lambda m: nn.Dense(3)(nn.Input((2,)), training=True),
        SettingError,
        "A layer trains when its model does. Received: training=True for one layer of a network. model(x, "
        "training=True) draws masks for samples.",
    ),
]


@pytest.mark.parametrize(("act", "error", "said"), REFUSED, ids=[r[2][:40] for r in REFUSED])
def test_what_does_not_fit_is_refused(act: Callable[[nn.Model], Any], error: type[SimulatorError], said: str) -> None:
    with pytest.raises(error) as caught:
        act(network())
    assert str(caught.value) == said


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(4, activation="relu"), nn.Dense(1)])
    model.compile(nn.SGD(1e6), "mse")
    x, y = blobs()
    with pytest.raises(TrainingError) as caught:
        model.fit(x, y.astype(float), epochs=50, shuffle=False)
    assert str(caught.value) == (
        "A loss must be a finite number. Received: inf in epoch 2, step 1. Likely causes: a learning rate of 1e+06 is "
        "too large; gradients are not clipped (clipnorm=1.0)."
    )
