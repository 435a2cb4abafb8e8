"""The NumPy backend beside Keras 3 itself: the same listing, the same first weights, the same numbers.

Every case is a function of the module that it imports: Keras, or simulator.nn in its place.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.nn.backend.cpu import recurrent

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"  # on a GPU its convolutions have the few digits of TF32
if os.environ.get("CI"):
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    import keras
else:
    keras = pytest.importorskip("keras", reason="Keras is not installed")

# Keras reads PyTorch's arrays in a way that NumPy will give up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Build = Callable[[Any], Any]
N = 24  # samples, enough for two threads
CLOSE = 2e-5  # of the largest number of an array: float32 sums in another order


def sequential(shape: tuple[int, ...], *layers: Callable[[Any], Any]) -> Build:
    return lambda k: k.Sequential([k.Input(shape), *(layer(k.layers) for layer in layers)])


def dense(*args: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda layers: layers.Dense(*args, **options)


def flat(units: int = 2) -> list[Callable[[Any], Any]]:
    return [lambda layers: layers.Flatten(), dense(units)]


def residual(k: Any) -> Any:
    inputs = k.Input((6, 6, 3))
    x = k.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = k.layers.Conv2D(4, 3, padding="same")(x)
    x = k.layers.ReLU()(k.layers.Add()([x, y]))
    return k.Model(inputs, k.layers.Dense(2)(k.layers.GlobalAveragePooling2D()(x)))


def branches(k: Any) -> Any:
    inputs = k.Input((6, 6, 3))
    a = k.layers.Conv2D(2, 1, activation="relu")(inputs)
    b = k.layers.Conv2D(3, 3, padding="same", activation="tanh")(a)
    c = k.layers.MaxPooling2D(3, strides=1, padding="same")(inputs)
    x = k.layers.Concatenate()([a, b, c])
    return k.Model(inputs, k.layers.Dense(2)(k.layers.Flatten()(x)))


def gated(k: Any) -> Any:
    inputs = k.Input((4,))
    x, y, z = (k.layers.Dense(3, activation=name)(inputs) for name in ("tanh", "sigmoid", None))
    x = k.layers.Multiply()([x, y, z])
    return k.Model(inputs, k.layers.Dense(2)(k.layers.Average()([k.layers.Multiply()([x, x]), y])))


def used_twice(k: Any) -> Any:
    inputs = k.Input((4,))
    shared = k.layers.Dense(4, activation="tanh")
    return k.Model(inputs, k.layers.Dense(2)(shared(shared(inputs))))


def two_uses(k: Any) -> Any:
    inputs = k.Input((4,))
    x = k.layers.Dense(4)(inputs)
    y = k.layers.Activation("relu")(x)
    return k.Model(inputs, k.layers.Dense(2)(k.layers.Concatenate()([x, y, y])))


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what they add up is tested too; the case of one thread is in test_fit.py."""
    monkeypatch.setenv("SIMULATOR_THREADS", "2")


IMAGE, SEQUENCE = (8, 9, 3), (7, 5)
CASES: dict[str, Build] = {
    "dense": sequential((5,), dense(4, activation="relu"), dense(2)),
    "dense without bias": sequential((5,), dense(4, use_bias=False), dense(2)),
    "dense on sequences": sequential(SEQUENCE, dense(4, activation="tanh"), *flat()),
    **{
        f"activation {name}": sequential((5,), dense(6, activation=name), dense(2))
        for name in ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softmax")
    },
    "activation layers": sequential(
        (5,),
        dense(6),
        lambda layers: layers.LeakyReLU(negative_slope=0.1),
        dense(5),
        lambda layers: layers.ELU(alpha=0.7),
        dense(4),
        lambda layers: layers.ReLU(),
        dense(3),
        lambda layers: layers.Softmax(),
    ),
    **{
        f"conv2d {size} {strides} {padding}": sequential(
            IMAGE,
            lambda layers: layers.Conv2D(2, 1),
            lambda layers, a=(size, strides, padding): layers.Conv2D(
                4, a[0], strides=a[1], padding=a[2], activation="tanh"
            ),
            *flat(),
        )
        for size in (1, 3, (2, 4))
        for strides in (1, 2)
        for padding in ("valid", "same")
    },
    "conv2d, no bias": sequential(IMAGE, lambda layers: layers.Conv2D(4, 3, use_bias=False), *flat()),
    **{
        f"conv2d transpose {size} {strides} {padding}": sequential(
            (4, 3, 3),
            lambda layers: layers.Conv2D(2, 1),
            lambda layers, a=(size, strides, padding): layers.Conv2DTranspose(
                3, a[0], strides=a[1], padding=a[2], activation="tanh"
            ),
            *flat(),
        )
        # With PyTorch below it Keras cuts off another side where a stride is 2 or more and the rest is odd.
        for size, strides, padding in (
            (3, 1, "valid"),
            (3, 2, "valid"),
            ((2, 4), (3, 2), "valid"),
            (3, 1, "same"),
            (4, 2, "same"),
            (2, 2, "same"),
            ((4, 1), (2, 1), "same"),
        )
    },
    "conv2d transpose, no bias": sequential(
        (4, 3, 3), lambda layers: layers.Conv2DTranspose(2, 2, use_bias=False), *flat()
    ),
    "conv1d": sequential(SEQUENCE, lambda layers: layers.Conv1D(4, 3, activation="relu"), *flat()),
    "conv1d, strided, same": sequential(
        SEQUENCE, lambda layers: layers.Conv1D(4, 3, strides=2, padding="same"), *flat()
    ),
    **{
        f"{kind} {size} {strides} {padding}": sequential(
            IMAGE,
            lambda layers: layers.Conv2D(3, 2, activation="relu"),
            lambda layers, a=(kind, size, strides, padding): getattr(layers, a[0])(a[1], strides=a[2], padding=a[3]),
            *flat(),
        )
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for size, strides in ((2, None), (3, 2), (2, 1), (3, None))
        for padding in ("valid", "same")
        # With PyTorch below it Keras counts repeated edges in a mean; with TensorFlow, and here, padding doesn't count.
        if kind == "MaxPooling2D" or padding == "valid"
    },
    "max pooling after sigmoid": sequential(
        IMAGE,
        lambda layers: layers.Conv2D(3, 3, activation="sigmoid"),
        lambda layers: layers.MaxPooling2D(2),
        *flat(),
    ),
    "conv, relu, pool as layers": sequential(
        IMAGE,
        lambda layers: layers.Conv2D(3, 3),
        lambda layers: layers.Activation("relu"),
        lambda layers: layers.MaxPooling2D(2),
        lambda layers: layers.Conv2D(4, 2, padding="same", activation="relu"),
        *flat(),
    ),
    "pooling1d": sequential(
        SEQUENCE,
        dense(4),
        lambda layers: layers.MaxPooling1D(2),
        lambda layers: layers.AveragePooling1D(2),
        *flat(),
    ),
    **{
        kind: sequential(SEQUENCE, dense(4), lambda layers, kind=kind: getattr(layers, kind)(), dense(2))
        for kind in ("GlobalAveragePooling1D", "GlobalMaxPooling1D")
    },
    **{
        kind: sequential(
            IMAGE,
            lambda layers: layers.Conv2D(4, 3),
            lambda layers, kind=kind: getattr(layers, kind)(),
            dense(2),
        )
        for kind in ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
    },
    "reshape": sequential(
        (12,),
        dense(24),
        lambda layers: layers.Reshape((4, 6)),
        lambda layers: layers.Conv1D(3, 2),
        lambda layers: layers.Reshape((3, 3, 1)),
        lambda layers: layers.Conv2D(2, 2),
        *flat(),
    ),
    **{
        f"resizing {height} {width} {interpolation}": sequential(
            IMAGE,
            lambda layers: layers.Conv2D(2, 2),
            lambda layers, a=(height, width, interpolation): layers.Resizing(*a),
            lambda layers: layers.Conv2D(2, 3, padding="same", activation="tanh"),
            *flat(),
        )
        for height, width in ((14, 16), (5, 11), (3, 3))
        for interpolation in ("bilinear", "nearest")
    },
    "batch norm": sequential((5,), dense(4), lambda layers: layers.BatchNormalization(), dense(2)),
    "batch norm of images": sequential(
        IMAGE,
        lambda layers: layers.Conv2D(4, 3),
        lambda layers: layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        lambda layers: layers.ReLU(),
        *flat(),
    ),
    "batch norm of sequences": sequential(
        SEQUENCE, dense(4), lambda layers: layers.BatchNormalization(center=False), *flat()
    ),
    "batch norm, no scale": sequential((5,), dense(4), lambda layers: layers.BatchNormalization(scale=False), dense(2)),
    "layer norm": sequential((5,), dense(4), lambda layers: layers.LayerNormalization(), dense(2)),
    "layer norm of sequences": sequential(SEQUENCE, dense(4), lambda layers: layers.LayerNormalization(), *flat()),
    "layer norm of images": sequential(
        IMAGE, lambda layers: layers.Conv2D(4, 3), lambda layers: layers.LayerNormalization(), *flat()
    ),
    "rescaling": sequential((5,), dense(3), lambda layers: layers.Rescaling(0.5, 1.0), dense(2)),
    **{
        f"{kind}{' sequences' if sequences else ''}": sequential(
            SEQUENCE,
            dense(4),
            lambda layers, a=(kind, sequences): getattr(layers, a[0])(6, return_sequences=a[1]),
            *(flat() if sequences else [dense(2)]),
        )
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for sequences in (False, True)
    },
    "stacked": sequential(
        SEQUENCE,
        lambda layers: layers.GRU(5, return_sequences=True),
        lambda layers: layers.LSTM(4, return_sequences=True),
        lambda layers: layers.SimpleRNN(3),
        dense(2),
    ),
    "gru, reset before": sequential(SEQUENCE, dense(4), lambda layers: layers.GRU(6, reset_after=False), dense(2)),
    "rnn, relu, no bias": sequential(
        SEQUENCE, dense(4), lambda layers: layers.SimpleRNN(6, activation="relu", use_bias=False), dense(2)
    ),
    "lstm, other activations": sequential(
        SEQUENCE,
        dense(4),
        lambda layers: layers.LSTM(6, activation="sigmoid", recurrent_activation="tanh", unit_forget_bias=False),
        dense(2),
    ),
    **{
        f"{kind}, {name}": sequential(
            SEQUENCE,
            dense(4),
            lambda layers, a=(kind, options): getattr(layers, a[0])(6, **a[1]),
            lambda layers: layers.Flatten(),
            dense(2),
        )
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for name, options in {
            "backwards": {"go_backwards": True},
            "backwards sequences": {"go_backwards": True, "return_sequences": True},
            "no activation": {"activation": None},
            "penalties": {"kernel_regularizer": "l2", "recurrent_regularizer": "l1", "bias_regularizer": "l1"},
            "unrolled": {"unroll": True, "use_bias": False},
        }.items()
    },
    **{
        f"bidirectional {kind} {mode}{' sequences' if sequences else ''}": sequential(
            SEQUENCE,
            dense(4),
            lambda layers, a=(kind, mode, sequences): layers.Bidirectional(
                getattr(layers, a[0])(6, return_sequences=a[2]), merge_mode=a[1]
            ),
            *flat(),
        )
        for kind, mode, sequences in (
            ("LSTM", "concat", False),
            ("GRU", "concat", True),
            ("SimpleRNN", "sum", True),
            ("LSTM", "mul", True),
            ("GRU", "ave", False),
        )
    },
    "gates": gated,
    "residual": residual,
    "branches": branches,
    "used twice": used_twice,
    "two uses of one result": two_uses,
}


def pair(build: Build, seed: int = 0) -> tuple[Any, Any]:
    """The model on both sides, with the same random weights, some of them larger than at first."""
    ours, theirs = build(nn), build(keras)
    rng = np.random.default_rng(seed)
    weights = [
        np.abs(rng.normal(1, 0.2, w.shape)) if w.name.endswith("variance") else rng.normal(0, 0.5, w.shape)
        for w in theirs.weights
    ]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return ours, theirs


def data(model: Any, seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, *model.input_shape[1:])).astype(np.float32)
    return x, rng.normal(size=(N, *model.output_shape[1:])).astype(np.float32)


def assert_close(ours: Any, theirs: Any, within: float = CLOSE) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        other = np.asarray(other)
        assert np.abs(mine.reshape(other.shape) - other).max() <= within * max(np.abs(other).max(), 1e-2)


def weights_of(model: Any) -> list[Any]:
    return [np.array(w) for w in model.get_weights()]


def as_theirs(ours: Any, theirs: Any) -> list[Any]:
    """Our weights in Keras's arrays: a GRU's two biases are one there."""
    found, mine = [], weights_of(ours)
    for w in theirs.get_weights():
        taken = mine.pop(0)
        if taken.shape != w.shape and taken.size * 2 == w.size:
            taken = np.stack([taken, mine.pop(0)])
        found.append(taken)
    return found


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_those_of_keras(name: str) -> None:
    ours, theirs = pair(CASES[name])
    x, _ = data(theirs)
    expected = theirs.predict(x, verbose=0)
    assert_close([ours.predict(x, batch_size=N)], [expected])
    assert_close([ours.predict(x, batch_size=5)], [expected])


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_keras(name: str) -> None:
    """A step of SGD with rate 1 takes the gradients off the weights."""
    ours, theirs = pair(CASES[name])
    x, y = data(theirs)
    before = weights_of(theirs)
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=1.0), "mean_squared_error")
        model.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0)
    moved = [a - b for a, b in zip(as_theirs(ours, theirs), before, strict=True)]
    expected = [a - b for a, b in zip(weights_of(theirs), before, strict=True)]
    assert max(np.abs(e).max() for e in expected) > 1e-3
    assert_close(moved, expected, 1e-4)


ON_EXPRESSIONS = {
    **CASES,
    **{
        f"AveragePooling2D {size} {strides} same": sequential(
            IMAGE,
            lambda layers, a=(size, strides): layers.AveragePooling2D(a[0], strides=a[1], padding="same"),
            *flat(),
        )
        for size, strides in ((2, None), (3, 2), (2, 1), (3, None))
    },
}


@pytest.mark.parametrize("name", ON_EXPRESSIONS)
def test_both_backends_compute_the_same_step(name: str) -> None:
    """The numbers of a workbook, in float64 from expressions, and those of the arrays that train at full size."""
    found = []
    for backend in ("numpy", "expressions"):
        model = ON_EXPRESSIONS[name](nn)
        rng = np.random.default_rng(0)
        weights = model.get_weights()
        model.set_weights([w + rng.normal(0, 0.2, w.shape) for w in weights])
        x = rng.normal(size=(4, *model.inputs.sizes)).astype(np.float32)
        y = rng.normal(size=(4, *model.outputs.sizes)).astype(np.float32)
        model.compile(nn.SGD(0.01), "mse", backend=backend)
        history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False).history["loss"]
        found.append([np.array(history), *model.get_weights(), model.predict(x)])
    assert_close(found[0], found[1], 1e-4)


def test_a_cosine_decays_in_a_workbook_as_at_full_size() -> None:
    found = []
    for backend in ("numpy", "expressions"):
        model = CASES["dense"](nn).compile(nn.SGD(nn.CosineDecay(0.1, 3, 0.2)), "mse", backend=backend)
        x, y = np.ones((4, 5)), np.zeros((4, 2))
        found.append(model.fit(x, y, batch_size=4, epochs=6, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda o: o.SGD(learning_rate=0.1),
    "SGD momentum": lambda o: o.SGD(learning_rate=0.1, momentum=0.9),
    "SGD Nesterov": lambda o: o.SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
    "SGD clipnorm": lambda o: o.SGD(learning_rate=0.5, clipnorm=0.1),
    "SGD clipvalue": lambda o: o.SGD(learning_rate=0.5, clipvalue=0.05),
    "SGD global_clipnorm": lambda o: o.SGD(learning_rate=0.5, global_clipnorm=0.1),
    "SGD, two gradients together": lambda o: o.SGD(
        learning_rate=0.1, momentum=0.9, global_clipnorm=0.2, gradient_accumulation_steps=2
    ),
    "Adam, two gradients together": lambda o: o.Adam(learning_rate=0.01, gradient_accumulation_steps=2),
    "decay, two gradients together": lambda o: o.SGD(
        o.schedules.ExponentialDecay(0.3, decay_steps=2, decay_rate=0.5), gradient_accumulation_steps=2
    ),
    "Adagrad": lambda o: o.Adagrad(learning_rate=0.1),
    "RMSprop": lambda o: o.RMSprop(learning_rate=0.01),
    "RMSprop momentum": lambda o: o.RMSprop(learning_rate=0.01, momentum=0.8),
    "SGD weight decay": lambda o: o.SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.2),
    "Adam weight decay": lambda o: o.Adam(learning_rate=0.01, weight_decay=0.1),
    "AdamW without names": lambda o: o.AdamW(0.01, 0.2, 0.8),
    "Adam": lambda o: o.Adam(learning_rate=0.01),
    "AdamW": lambda o: o.AdamW(learning_rate=0.01, weight_decay=0.1),
    "exponential decay": lambda o: o.SGD(o.schedules.ExponentialDecay(0.3, decay_steps=2, decay_rate=0.5)),
    "cosine decay": lambda o: o.SGD(o.schedules.CosineDecay(0.3, decay_steps=6, alpha=0.1)),
    "step decay": lambda o: o.SGD(
        o.schedules.StepDecay(0.3, 2, 0.5)
        if hasattr(o.schedules, "StepDecay")
        else o.schedules.ExponentialDecay(0.3, 2, 0.5, staircase=True)
    ),
    "inverse time decay": lambda o: o.SGD(o.schedules.InverseTimeDecay(0.3, decay_steps=2, decay_rate=0.5)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_optimizers_are_those_of_keras(name: str) -> None:
    """Nine steps on batches of 8, the last one smaller."""
    ours, theirs = pair(CASES["dense"])
    x, y = data(theirs)
    x, y = x[:-2], y[:-2]
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(OPTIMIZERS[name](k.optimizers), "mean_squared_error")
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert_close(weights_of(ours), weights_of(theirs), 1e-4)


def classifier(last: str | None, units: int = 4) -> Build:
    return sequential((5,), dense(6, activation="tanh"), dense(units, activation=last))


def tagger(k: Any) -> Any:
    return sequential((7, 5), lambda layers: layers.GRU(6, return_sequences=True), dense(4, activation="softmax"))(k)


# loss, network, labels from random numbers of the output's shape
LOSSES: dict[str, tuple[Callable[[Any], Any], Build, Callable[[Any], Any]]] = {
    "mse": (lambda k: "mse", classifier(None), lambda y: y),
    "mae": (lambda k: "mae", classifier(None), lambda y: y),
    "Huber": (lambda k: k.losses.Huber(delta=0.7), classifier(None), lambda y: y),
    "binary": (lambda k: "binary_crossentropy", classifier("sigmoid", 1), lambda y: (y > 0).astype(np.float32)),
    "binary, several": (lambda k: "binary_crossentropy", classifier("sigmoid"), lambda y: (y > 0).astype(np.float32)),
    "binary from logits": (
        lambda k: k.losses.BinaryCrossentropy(from_logits=True),
        classifier(None),
        lambda y: (y > 0).astype(np.float32),
    ),
    "categorical": (
        lambda k: "categorical_crossentropy",
        classifier("softmax"),
        lambda y: np.eye(4, dtype=np.float32)[y.argmax(-1)],
    ),
    "categorical from logits": (
        lambda k: k.losses.CategoricalCrossentropy(from_logits=True),
        classifier(None),
        lambda y: np.eye(4, dtype=np.float32)[y.argmax(-1)],
    ),
    "sparse": (lambda k: "sparse_categorical_crossentropy", classifier("softmax"), lambda y: y.argmax(-1)),
    "sparse from logits": (
        lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True),
        classifier(None),
        lambda y: y.argmax(-1),
    ),
    "binary, smoothed": (
        lambda k: k.losses.BinaryCrossentropy(label_smoothing=0.3),
        classifier("sigmoid"),
        lambda y: (y > 0).astype(np.float32),
    ),
    "binary from logits, smoothed": (
        lambda k: k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.3),
        classifier(None),
        lambda y: (y > 0).astype(np.float32),
    ),
    "categorical, smoothed": (
        lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.2),
        classifier("softmax"),
        lambda y: np.eye(4, dtype=np.float32)[y.argmax(-1)],
    ),
    "categorical from logits, smoothed": (
        lambda k: k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        classifier(None),
        lambda y: np.eye(4, dtype=np.float32)[y.argmax(-1)],
    ),
    "categorical, every step of a sequence, smoothed": (
        lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.2),
        tagger,
        lambda y: np.eye(4, dtype=np.float32)[y.argmax(-1)],
    ),
    "sparse, every step of a sequence": (
        lambda k: "sparse_categorical_crossentropy",
        tagger,
        lambda y: y.argmax(-1),
    ),
    "categorical, every place of an image": (
        lambda k: "categorical_crossentropy",
        sequential((5, 4, 2), lambda layers: layers.Conv2D(3, 3, padding="same", activation="softmax")),
        lambda y: np.eye(3, dtype=np.float32)[y.argmax(-1)],
    ),
    "binary, every place of an image": (
        lambda k: "binary_crossentropy",
        sequential((5, 4, 2), lambda layers: layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")),
        lambda y: (y > 0).astype(np.float32),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_are_those_of_keras(name: str) -> None:
    loss, build, labels = LOSSES[name]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y = labels(y)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.5), loss(k), metrics=["mae"] if name == "mse" else [])
        history = model.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0, validation_data=(x, y)).history
        found.append((history["loss"], history["val_loss"], model.evaluate(x, y, verbose=0)))
    np.testing.assert_allclose(np.ravel(found[0][0]), np.ravel(found[1][0]), rtol=2e-5)
    np.testing.assert_allclose(np.ravel(found[0][1]), np.ravel(found[1][1]), rtol=2e-5)
    np.testing.assert_allclose(np.ravel(found[0][2]), np.ravel(found[1][2]), rtol=2e-5)
    assert_close(as_theirs(ours, theirs), weights_of(theirs), 1e-4)


@pytest.mark.parametrize("name", [name for name in LOSSES if "image" not in name])
def test_weighted_samples_are_those_of_keras(name: str) -> None:
    loss, build, labels = LOSSES[name]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y = labels(y)
    weights = np.random.default_rng(5).uniform(0, 2, N if y.ndim < 3 else y.shape[:2]).astype(np.float32)
    weights = weights if name != "sparse, every step of a sequence" else np.outer(weights, [1] * 7).astype(np.float32)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.5), loss(k), metrics=["mae"] if name == "mse" else [])
        fitted = model.fit(
            x, y, 10, 2, verbose=0, shuffle=False, sample_weight=weights, validation_data=(x, y, weights)
        ).history
        evaluated = model.evaluate(x, y, verbose=0, sample_weight=weights)
        found.append(np.concatenate([fitted["loss"], fitted["val_loss"], np.ravel(evaluated)]))
    np.testing.assert_allclose(found[0], found[1], rtol=2e-5)
    assert_close(as_theirs(ours, theirs), weights_of(theirs), 1e-4)


@pytest.mark.parametrize("name", ["sparse", "categorical", "binary"])
def test_weighted_classes_are_those_of_keras(name: str) -> None:
    loss, build, labels = LOSSES[name]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y = labels(y)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.5), loss(k))
        found.append(model.fit(x, y, 10, 2, shuffle=False, verbose=0, class_weight={0: 3.0, 2: 0.5}).history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=2e-5)
    assert_close(weights_of(ours), weights_of(theirs), 1e-4)


METRICS = {
    "sparse": ["accuracy"],
    "categorical": ["accuracy", "mse"],
    "binary": ["accuracy", "mae"],
    "mse": ["mse", "mae"],
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_those_of_keras(name: str) -> None:
    loss, build, labels = LOSSES[name]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y = labels(y)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.1), loss(k), metrics=METRICS[name])
        fitted = model.fit(x, y, batch_size=7, epochs=2, shuffle=False, verbose=0, validation_split=0.25)
        evaluated = model.evaluate(x, y, batch_size=9, verbose=0, return_dict=True)
        found.append((fitted.history, evaluated))
    for mine, other in zip(found[0], found[1], strict=True):
        assert sorted(mine) == sorted(other)
        for key in mine:
            np.testing.assert_allclose(mine[key], other[key], rtol=5e-5, err_msg=key)


def test_precision_and_recall_are_those_of_keras() -> None:
    loss, build, labels = LOSSES["binary"]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y = labels(y)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        metrics = [k.metrics.Precision(name="precision"), k.metrics.Recall(name="recall")]
        model.compile("sgd", loss(k), metrics=metrics)
        found.append(model.evaluate(x, y, batch_size=9, verbose=0, return_dict=True))
    assert sorted(found[0]) == sorted(found[1])
    np.testing.assert_allclose([found[0][key] for key in found[1]], list(found[1].values()), rtol=1e-6)
    assert 0 < found[0]["precision"] < 1


def test_penalties_are_those_of_keras() -> None:
    def build(k: Any) -> Any:
        r = k.regularizers
        return k.Sequential(
            [
                k.Input((5,)),
                k.layers.Dense(6, kernel_regularizer=r.L2(0.1)),
                k.layers.Dense(4, kernel_regularizer=r.L1(0.05)),
                k.layers.Dense(
                    2, kernel_regularizer=r.L1L2(l1=0.01, l2=0.02), bias_regularizer=r.L1L2(l1=0.03, l2=0.2)
                ),
            ]
        )

    ours, theirs = pair(build)
    x, y = data(theirs)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.1), "mse")
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        found.append([*history["loss"], model.evaluate(x, y, verbose=0)])
    np.testing.assert_allclose(found[0], found[1], rtol=2e-5)
    assert_close(weights_of(ours), weights_of(theirs), 1e-4)


def test_a_penalty_on_a_convolution_s_biases_is_that_of_keras() -> None:
    def build(k: Any) -> Any:
        conv = k.layers.Conv2D(3, 3, bias_regularizer=k.regularizers.L1L2(l1=0.5, l2=2.0))
        return k.Sequential([k.Input((4, 4, 1)), conv, k.layers.Flatten(), k.layers.Dense(2)])

    ours, theirs = pair(build)
    x, y = data(theirs)
    found = []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.1), "mse")
        found.append([model.evaluate(x, y, verbose=0), *model.fit(x, y, shuffle=False, verbose=0).history["loss"]])
    np.testing.assert_allclose(found[0], found[1], rtol=2e-5)
    assert_close(weights_of(ours), weights_of(theirs), 1e-4)


@pytest.mark.parametrize("penalty", [None, "l1", "l2"])
def test_an_embedding_is_that_of_keras(penalty: str | None) -> None:
    def build(k: Any) -> Any:
        embedding = k.layers.Embedding(11, 5, embeddings_regularizer=penalty)
        return k.Sequential([k.Input((7,)), embedding, k.layers.LSTM(4), k.layers.Dense(2)])

    ours, theirs = pair(build)
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 11, (N, 7)), rng.normal(size=(N, 2)).astype(np.float32)
    assert_close([ours.predict(x)], [theirs.predict(x, verbose=0)])
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.Adam(learning_rate=0.05), "mse")
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert_close(weights_of(ours), weights_of(theirs), 1e-4)


DROPPING = {
    **{
        f"{kind} {dropout} {recurrent}": (kind, {"dropout": dropout, "recurrent_dropout": recurrent})
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for dropout, recurrent in ((0.4, 0.0), (0.0, 0.4), (0.4, 0.3))
    },
    "GRU, reset before": ("GRU", {"dropout": 0.4, "recurrent_dropout": 0.3, "reset_after": False}),
    "backwards": ("LSTM", {"dropout": 0.4, "recurrent_dropout": 0.3, "go_backwards": True, "return_sequences": True}),
}


@pytest.mark.parametrize("name", DROPPING)
def test_masks_of_recurrent_layers_act_as_in_keras(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are given the same masks: one of the input, or with recurrent_dropout one for every gate."""
    kind, options = DROPPING[name]
    units, depth = 6, 4
    layers: list[Callable[[Any], Any]] = [
        dense(depth),
        lambda layers: getattr(layers, kind)(units, **options),
        lambda layers: layers.Flatten(),
        dense(2),
    ]
    ours, theirs = pair(sequential(SEQUENCE, *layers))
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind] if options["recurrent_dropout"] else 1
    rng = np.random.default_rng(4)
    of_x, of_h = (
        [np.where(rng.random((N, size)) < rate, 0, 1 / (1 - rate)).astype(np.float32) for _ in range(gates)]
        for size, rate in ((depth, options["dropout"]), (units, options["recurrent_dropout"]))
    )
    cell, several = theirs.layers[1].cell, kind != "SimpleRNN" and gates > 1
    mask_x, mask_h = ([keras.ops.array(m) for m in masks] for masks in (of_x, of_h))
    monkeypatch.setattr(cell, "get_dropout_mask", lambda x: mask_x if several else mask_x[0])
    monkeypatch.setattr(cell, "get_recurrent_dropout_mask", lambda h: mask_h if several else mask_h[0])

    def drawn(self: Any, plan: Any) -> Any:
        assert plan.training
        order = self.order if gates > 1 else (0,)
        one = np.ones((1, plan.n), np.float32)
        return np.stack([np.concatenate([of_h[k][plan.where].T, of_x[k][plan.where].T, one]) for k in order])

    monkeypatch.setattr(recurrent.Recurrent, "drawn", drawn)
    x, y = data(theirs)
    before, found = weights_of(theirs), []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=1.0), "mean_squared_error")
        found.append(model.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=2e-5)
    moved = [a - b for a, b in zip(as_theirs(ours, theirs), before, strict=True)]
    assert_close(moved, [a - b for a, b in zip(weights_of(theirs), before, strict=True)], 1e-4)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_stateful_layers_go_on_where_the_batch_before_has_ended(kind: str) -> None:
    """Beside Keras's layer that is handed its states; its own stateful training fails with PyTorch below it."""
    ours = nn.Sequential([nn.Input((7, 5)), getattr(nn, kind)(6, stateful=True), nn.Dense(2)])
    inputs = keras.Input((7, 5))
    layer, dense_layer = getattr(keras.layers, kind)(6, return_state=True), keras.layers.Dense(2)
    theirs = keras.Model(inputs, dense_layer(layer(inputs)[0]))
    x, y = data(theirs)
    theirs.set_weights([np.random.default_rng(0).normal(0, 0.5, w.shape) for w in theirs.weights])
    ours.set_weights(theirs.get_weights())
    optimizer, states = keras.optimizers.SGD(learning_rate=0.1), None
    for start in (0, 8, 16):
        answer, *states = layer(keras.ops.array(x[start : start + 8]), initial_state=states)
        loss = keras.ops.mean((dense_layer(answer) - keras.ops.array(y[start : start + 8])) ** 2)
        theirs.zero_grad()
        loss.backward()
        optimizer.apply([w.value.grad for w in theirs.trainable_weights], theirs.trainable_weights)
        states = [state.detach() for state in states]
    ours.compile(nn.SGD(learning_rate=0.1), "mse")
    ours.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    assert_close(as_theirs(ours, theirs), weights_of(theirs), 1e-4)
    for start in (0, 8):
        answer, *states = layer(keras.ops.array(x[start : start + 8]), initial_state=states)
        going_on = ours.predict(x[start : start + 8])
        assert_close([going_on], [dense_layer(answer).detach()], 1e-4)
    ours.layers[0].reset_states()
    anew = ours.predict(x[8:16])
    assert_close([anew], [theirs.predict(x[8:16], verbose=0)], 1e-4)
    assert np.abs(anew - going_on).max() > 1e-2


def test_moving_statistics_are_those_of_keras() -> None:
    ours, theirs = pair(CASES["batch norm of images"])
    x, y = data(theirs)
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(k.optimizers.SGD(learning_rate=0.01), "mse")
        model.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0)
    assert_close(as_theirs(ours, theirs), weights_of(theirs), 1e-4)
    assert_close([ours.predict(x)], [theirs.predict(x, verbose=0)], 1e-4)


@pytest.mark.parametrize("numba", ["0", ""])
@pytest.mark.parametrize("size", [2, 3])
def test_of_equal_numbers_in_a_pool_the_same_one_counts_as_in_keras(
    size: int, numba: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums of small whole numbers: most windows have several that are largest, from different patches."""
    monkeypatch.setenv("SIMULATOR_NUMBA", numba)
    x = np.random.default_rng(5).integers(0, 3, (N, 12, 12, 1)).astype(np.float32)
    y, found = np.ones((N, 1), np.float32), []
    for k in (nn, keras):
        layers = [
            k.layers.Conv2D(1, 3, padding="same", activation="relu", kernel_initializer="ones"),
            k.layers.MaxPooling2D(size),
            k.layers.GlobalAveragePooling2D(),
        ]
        model = k.Sequential([k.Input((12, 12, 1)), *layers])
        model.compile(k.optimizers.SGD(learning_rate=0.01), "mse")
        model.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0)
        found.append(weights_of(model))
    assert_close(*found)


def partly_frozen(k: Any) -> Any:
    layers = [
        k.layers.Dense(4, activation="tanh"),
        k.layers.BatchNormalization(),
        k.layers.Dense(5, trainable=False),
        k.layers.BatchNormalization(trainable=False),
        k.layers.Dense(2),
    ]
    return k.Sequential([k.Input((6,)), *layers])


def test_what_is_not_trained_is_that_of_keras() -> None:
    """A frozen layer keeps its weights and hands gradients on; frozen statistics are used and don't move."""
    ours, theirs = pair(partly_frozen)
    x, y = data(theirs)
    frozen = ours.layers[2].get_weights() + ours.layers[3].get_weights()
    kernels = [ours.get_weights()[0]]
    for again in range(2):
        for model, k in ((ours, nn), (theirs, keras)):
            model.layers[0].trainable = not again  # from the next compile on
            model.compile(k.optimizers.SGD(learning_rate=0.05), "mse")
            model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        assert_close(as_theirs(ours, theirs), weights_of(theirs), 1e-4)
        kernels.append(ours.get_weights()[0])
    assert [np.array_equal(a, b) for a, b in pairwise(kernels)] == [False, True]
    for mine, old in zip(ours.layers[2].get_weights() + ours.layers[3].get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(mine, old)


def in_turns(k: Any) -> list[float]:
    """A generator and its judge, who has learnt when the generator's turn comes, and stays as it is then."""
    rng, first = np.random.default_rng(0), np.random.default_rng(5)
    generator = k.Sequential([k.Input((2,)), k.layers.Dense(8, activation="tanh"), k.layers.Dense(3)])
    judge = k.Sequential([k.Input((3,)), k.layers.Dense(8, activation="tanh"), k.layers.Dense(1, activation="sigmoid")])
    for model in (generator, judge):
        model.set_weights([0.5 * first.normal(size=w.shape) for w in model.get_weights()])
    judge.compile(k.optimizers.SGD(0.1), "binary_crossentropy")
    judge.trainable = False
    noise = k.Input((2,))
    both = k.Model(noise, judge(generator(noise)))
    both.compile(k.optimizers.Adam(0.01), "binary_crossentropy")
    losses = []
    for _ in range(5):
        z, real = rng.normal(size=(8, 2)), rng.normal(size=(8, 3)) + 1
        x = np.concatenate([real, generator.predict(z, verbose=0)])
        judge.trainable = True
        losses.append(float(judge.train_on_batch(x, np.repeat([[1], [0]], 8, axis=0))))
        judge.trainable = False
        losses.append(float(both.train_on_batch(z, np.ones((8, 1)))))
    return losses


def test_models_that_have_layers_together_learn_in_turns_as_in_keras() -> None:
    np.testing.assert_allclose(in_turns(nn), in_turns(keras), rtol=1e-5)


LEARNERS: dict[str, tuple[Build, Callable[[Any], Any]]] = {
    "dense": (classifier("softmax"), lambda o: o.SGD(learning_rate=0.3)),
    "convolution": (
        sequential(
            (8, 8, 1),
            lambda layers: layers.Conv2D(4, 3, activation="relu"),
            lambda layers: layers.MaxPooling2D(2),
            lambda layers: layers.Flatten(),
            dense(4, activation="softmax"),
        ),
        lambda o: o.Adam(learning_rate=0.01),
    ),
    "recurrent": (
        sequential(SEQUENCE, lambda layers: layers.LSTM(8), dense(4, activation="softmax")),
        lambda o: o.RMSprop(learning_rate=0.005),
    ),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_fifty_steps_follow_pytorchs_losses(name: str) -> None:
    """Keras computes with PyTorch here: the same first weights and order of data."""
    build, optimizer = LEARNERS[name]
    ours, theirs = pair(build)
    x, y = data(theirs)
    y, found = y.argmax(-1), []
    for model, k in ((ours, nn), (theirs, keras)):
        model.compile(optimizer(k.optimizers), "sparse_categorical_crossentropy")
        found.append(model.fit(x, y, batch_size=N, epochs=50, shuffle=False, verbose=0).history["loss"])
    assert found[1][-1] < 0.8 * found[1][0]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)


def test_the_number_of_threads_changes_nothing_but_rounding() -> None:
    ours, _ = pair(CASES["batch norm of images"])
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(N, *IMAGE)).astype(np.float32), rng.normal(size=(N, 2)).astype(np.float32)
    first, found = ours.get_weights(), []
    for threads in (1, 2):
        ours.set_weights(first)
        ours.compile("sgd", "mse")
        ours.network().threads = threads
        ours.fit(x, y, batch_size=N, epochs=3)
        found.append(ours.get_weights())
    assert_close(found[0], found[1], 1e-5)
