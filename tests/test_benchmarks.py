"""The peers that training is timed beside compute what they should."""

import numpy as np
import pytest

from benchmarks import products
from benchmarks.models import MODELS, Contest
from benchmarks.naive import RNN, Array, Conv, Dense, Flatten, Part, Pool, ReLU, Sigmoid, cost_and_gradients
from simulator import nn


def images(rng: np.random.Generator) -> tuple[list[Part], nn.Model]:
    parts = [Conv(rng, 2, 4, 3, 1), ReLU(), Pool(), Conv(rng, 4, 3, 3), Sigmoid(), Pool(mean=True), Flatten()]
    layers = [
        nn.Conv2D(4, 3, padding="same", activation="relu"),
        nn.MaxPooling2D(2),
        nn.Conv2D(3, 3, activation="sigmoid"),
        nn.AveragePooling2D(2),
        nn.Flatten(),
        nn.Dense(5, activation="softmax"),
    ]
    return [*parts, Dense(rng, 12, 5)], nn.Sequential([nn.Input((13, 13, 2)), *layers])


def text(rng: np.random.Generator) -> tuple[list[Part], nn.Model]:
    layers = [nn.SimpleRNN(6, return_sequences=True), nn.Dense(5, activation="softmax")]
    return [RNN(rng, 4, 6), Dense(rng, 6, 5)], nn.Sequential([nn.Input((7, 4)), *layers])


def in_keras(part: Part, arrays: list[Array], outputs: int) -> list[Array]:
    """A part's weights, or their gradients, in the shapes of Keras's; a Dense after a Flatten has Keras's order."""
    if isinstance(part, Conv):
        k, b = arrays
        return [k.reshape(len(k), -1, part.size, part.size).transpose(2, 3, 1, 0), b.ravel()]
    if isinstance(part, Dense) and outputs:
        w, b = arrays
        side = int((len(w) // outputs) ** 0.5)
        return [w.reshape(outputs, side, side, -1).transpose(1, 2, 0, 3).reshape(w.shape), b]
    return list(arrays)


def weights_of(part: Part) -> list[Array]:
    return [getattr(part, name) for name in ("w", "u", "b") if hasattr(part, name)]


@pytest.mark.parametrize("network", [images, text])
def test_the_naive_peer_has_our_gradients(network) -> None:
    rng = np.random.default_rng(1)
    parts, model = network(rng)
    x = rng.standard_normal((16, *model.inputs.sizes), np.float32)
    y = rng.integers(0, 5, (16, *model.outputs.sizes[:-1]))
    channels = 3 if network is images else 0
    for part in parts:
        for w in weights_of(part):
            w += rng.standard_normal(w.shape).astype(np.float32) / 4
    before = [a for part in parts for a in in_keras(part, weights_of(part), channels)]
    model.set_weights(before)
    model.compile(nn.SGD(1.0), "sparse_categorical_crossentropy")
    logs = model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    cost = cost_and_gradients(parts, x.transpose(0, 3, 1, 2) if x.ndim == 4 else x, y)
    assert cost == pytest.approx(logs.history["loss"][0], rel=1e-5)
    found = [a for part in parts if part.weights for a in in_keras(part, [g for _, g in part.weights], channels)]
    for old, new, gradient in zip(before, model.get_weights(), found, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=1e-3, atol=2e-6)


def test_products_alone_are_those_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLP 784-512-10: three products for each layer's weights, but none for the gradient of the input."""
    monkeypatch.setenv("SIMULATOR_THREADS", "2")
    monkeypatch.setenv("SIMULATOR_NUMBA", "0")
    monkeypatch.setitem(MODELS, "MLP", Contest(batch=128, aim=1, compiled_aim=1, batches=1))
    found = products.products_of("MLP")
    assert len(found) == 1
    assert products.multiply_adds(found) == 128 * (2 * 784 * 512 + 3 * 512 * 10)


def test_products_of_two_threads_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "2")
    monkeypatch.setenv("SIMULATOR_NUMBA", "0")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setitem(MODELS, "LeNet", Contest(batch=16, aim=1, compiled_aim=1, batches=1))
    first, second = products.products_of("LeNet")
    assert products.multiply_adds([first]) != 0 != products.multiply_adds([second])
