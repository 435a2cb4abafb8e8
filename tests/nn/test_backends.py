"""Every operation, loss and optimizer on every backend, against the same numbers of Keras.

CuPy's part runs on the GPU where there is one, otherwise on the stand-in; a test's name says which.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.nn.backend.gpu import device
from tests.nn import cupy_stand_in
from tests.nn.test_keras import (
    CASES,
    LOSSES,
    OPTIMIZERS,
    Build,
    as_theirs,
    assert_close,
    dense,
    keras,
    sequential,
    weights_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

N = 6  # samples


def gpu() -> str:
    """The GPU's name, or none."""
    try:
        import cupy

        return str(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())
    except Exception:
        return ""


GPU = gpu()
ON = {"numpy": "numpy", "expressions": "expressions", "cupy": f"cupy on {GPU}" if GPU else "cupy's stand-in"}


@pytest.fixture(autouse=True, scope="module")
def something_in_the_place_of_cupy() -> Iterator[None]:
    if GPU:
        yield
        return
    if cupy_stand_in.COMPILER is None:
        pytest.skip("neither a GPU nor a C compiler for the stand-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cupy_stand_in.module())
        device.cupy.cache_clear()
        device.kernel.cache_clear()
        yield
    device.cupy.cache_clear()
    device.kernel.cache_clear()


def everywhere(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.parametrize("backend", ON, ids=ON.values())(test)


def prepared(build: Build) -> tuple[Any, Any, Any, Any]:
    """The model on both sides with the same weights, inputs and random numbers of the output's shape."""
    rng = np.random.default_rng(0)
    ours, theirs = build(nn), build(keras)
    weights = [
        np.abs(rng.normal(1, 0.2, w.shape)) if w.name.endswith("variance") else rng.normal(0, 0.5, w.shape)
        for w in theirs.weights
    ]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    x, y = (rng.normal(size=(N, *shape[1:])).astype(np.float32) for shape in (theirs.input_shape, theirs.output_shape))
    return ours, theirs, x, y


@cache
def of_keras(name: str) -> tuple[Any, list[Any], list[Any]]:
    """Predictions, weights, and how a step of SGD with rate 1 moves them: the gradients."""
    _, theirs, x, y = prepared(CASES[name])
    answers, before = theirs.predict(x, verbose=0), weights_of(theirs)
    theirs.compile(keras.optimizers.SGD(learning_rate=1.0), "mean_squared_error")
    theirs.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0)
    return answers, before, [a - b for a, b in zip(weights_of(theirs), before, strict=True)]


@everywhere
@pytest.mark.parametrize("name", CASES)
def test_answers_and_gradients_are_those_of_keras(name: str, backend: str) -> None:
    answers, before, expected = of_keras(name)
    ours, theirs, x, y = prepared(CASES[name])
    ours.compile(nn.SGD(1.0), "mse", backend=backend)
    assert_close([ours.predict(x, batch_size=4)], [answers], 5e-5)
    ours.fit(x, y, batch_size=N, epochs=1, shuffle=False, verbose=0)
    moved = [a - b for a, b in zip(as_theirs(ours, theirs), before, strict=True)]
    assert max(np.abs(e).max() for e in expected) > 1e-3
    assert_close(moved, expected, 1e-4)


@cache
def steps_of_keras(name: str) -> list[Any]:
    _, theirs, x, y = prepared(CASES["dense"])
    theirs.compile(OPTIMIZERS[name](keras.optimizers), "mean_squared_error")
    theirs.fit(x, y, batch_size=3, epochs=4, shuffle=False, verbose=0)
    return weights_of(theirs)


@everywhere
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_optimizers_are_those_of_keras(name: str, backend: str) -> None:
    expected = steps_of_keras(name)
    ours, _, x, y = prepared(CASES["dense"])
    ours.compile(OPTIMIZERS[name](nn.optimizers), "mse", backend=backend)
    ours.fit(x, y, batch_size=3, epochs=4, shuffle=False, verbose=0)
    assert_close(weights_of(ours), expected, 1e-4)


@cache
def losses_of_keras(name: str) -> tuple[Any, list[Any]]:
    loss, build, labels = LOSSES[name]
    _, theirs, x, y = prepared(build)
    theirs.compile(keras.optimizers.SGD(learning_rate=0.5), loss(keras))
    history = theirs.fit(x, labels(y), batch_size=3, epochs=2, shuffle=False, verbose=0).history
    return history["loss"], weights_of(theirs)


@everywhere
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_are_those_of_keras(name: str, backend: str) -> None:
    if backend == "expressions" and ("logits" in name or name == "Huber"):
        pytest.skip("equations don't have it")
    expected, weights = losses_of_keras(name)
    loss, build, labels = LOSSES[name]
    ours, theirs, x, y = prepared(build)
    ours.compile(nn.SGD(0.5), loss(nn), backend=backend)
    history = ours.fit(x, labels(y), batch_size=3, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=5e-5)
    assert_close(as_theirs(ours, theirs), weights, 1e-4)


def fitted(model: nn.Model, x: Any, y: Any, backend: str, **options: Any) -> list[Any]:
    model.fit(x, y, verbose=0, backend=backend, **options)
    return weights_of(model)


def same_on_both(build: Build, optimizer: Callable[[], Any], batch_size: int = 4, epochs: int = 3) -> None:
    """NumPy's backend, which test_keras.py holds against Keras, and CuPy's."""
    found = []
    for backend in ("numpy", "cupy"):
        model, _, x, y = prepared(build)
        model.compile(optimizer(), "mse")
        found.append([*fitted(model, x, y, backend, batch_size=batch_size, epochs=epochs), model.predict(x)])
    assert_close(found[1], found[0], 1e-4)


def test_gradients_of_several_steps_are_put_together_on_cupy() -> None:
    same_on_both(CASES["dense"], lambda: nn.Adam(0.05, gradient_accumulation_steps=3, clipnorm=0.1))


def test_moving_statistics_move_on_cupy() -> None:
    same_on_both(CASES["batch norm of images"], lambda: nn.SGD(0.01))


def test_penalties_are_the_same_on_cupy() -> None:
    def build(k: Any) -> Any:
        kernels = (k.regularizers.L2(0.1), k.regularizers.L1L2(l1=0.01, l2=0.02))
        return sequential((5,), *(dense(4, kernel_regularizer=r) for r in kernels), dense(2))(k)

    losses = []
    for backend in ("numpy", "cupy"):
        model, _, x, y = prepared(build)
        model.compile(nn.SGD(0.1), "mse", backend=backend)
        losses.append([*model.fit(x, y, epochs=3, verbose=0).history["loss"], model.evaluate(x, y)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["sparse", "binary, several"])
def test_weights_of_samples_are_the_same_on_cupy(name: str) -> None:
    loss, build, labels = LOSSES[name]
    weights, found = np.linspace(0.2, 2, N), []
    for backend in ("numpy", "cupy"):
        model, _, x, y = prepared(build)
        model.compile(nn.SGD(0.5), loss(nn))
        options = {"batch_size": 4, "epochs": 2, "backend": backend, "verbose": 0}
        losses = model.fit(x, labels(y), sample_weight=weights, **options).history["loss"]
        losses += model.fit(x, labels(y), **options).history["loss"]
        found.append([np.array(losses), *weights_of(model)])
    assert_close(found[1], found[0], 1e-4)


def test_an_embedding_is_the_same_on_cupy() -> None:
    x, y = np.random.default_rng(3).integers(0, 11, (N, 7)), np.ones((N, 2))
    found = []
    for backend in ("numpy", "cupy"):
        model = nn.Sequential([nn.Input((7,)), nn.Embedding(11, 5), nn.LSTM(4), nn.Dense(2)])
        found.append(fitted(model.compile(nn.Adam(0.05), "mse"), x, y, backend, batch_size=4, epochs=3))
    assert_close(found[1], found[0], 1e-4)


def test_features_are_the_same_on_cupy() -> None:
    names = ("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")
    x = np.random.default_rng(3).normal(size=(N, 2))
    model = nn.Sequential([nn.Input((2,)), nn.Features(names)])
    np.testing.assert_allclose(model.predict(x, backend="cupy"), model.predict(x), rtol=1e-5)


def random_network() -> nn.Model:
    layers = [nn.Dropout(0.4), nn.GRU(5, dropout=0.3), nn.GaussianNoise(0.5), nn.Dense(2)]
    return nn.Sequential([nn.Input((6, 8)), *layers], seed=4).compile(nn.Adam(0.01), "mse", backend="cupy")


def test_what_is_random_on_cupy_has_its_share_and_goes_on_after_a_pause() -> None:
    model = nn.Sequential([nn.Input((50, 40)), nn.Dropout(0.3)])
    x = np.ones((20, 50, 40))
    drawn = model.network("cupy").predict(x, training=True)
    assert set(np.unique(drawn)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((drawn == 0).mean() - 0.3) < 0.01
    noise = nn.Sequential([nn.Input((50, 40)), nn.GaussianNoise(2.0)]).network("cupy").predict(0 * x, training=True)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 2) < 0.05
    assert abs((np.abs(noise) < 2).mean() - 0.683) < 0.01

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 6, 8)), rng.normal(size=(12, 2))
    whole, first, second = random_network(), random_network(), random_network()
    whole.fit(x, y, batch_size=5, epochs=4, verbose=0)
    first.fit(x, y, batch_size=5, epochs=2, verbose=0)
    second.network().restore(first.network().state())
    second.updated()
    second.fit(x, y, batch_size=5, epochs=4, initial_epoch=2, verbose=0)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@everywhere
def test_a_saved_network_goes_on_training_as_if_never_saved(backend: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 5)), rng.normal(size=(12, 2))

    def network() -> nn.Model:
        model = nn.Sequential([nn.Input((5,)), nn.Dense(4, "tanh"), nn.Dense(2)], seed=4)
        return model.compile(nn.Adam(0.01), "mse", backend=backend)

    whole, half = network(), network()
    whole.fit(x, y, batch_size=5, epochs=4, verbose=0)
    half.fit(x, y, batch_size=5, epochs=2, verbose=0)
    once = nn.load_model(half.save(tmp_path / "a.keras"))
    once.predict(x, backend=backend)  # the network is there, and has not trained
    twice = nn.load_model(once.save(tmp_path / "b.keras"))
    for model in (once, twice):
        model.fit(x, y, batch_size=5, epochs=4, initial_epoch=2, verbose=0, backend=backend)
        for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_network_goes_from_backend_to_backend() -> None:
    model, _, x, y = prepared(CASES["conv2d 3 1 same"])
    model.compile(nn.SGD(0.01, momentum=0.9), "mse")
    model.fit(x, y, epochs=2, verbose=0, backend="cupy")
    on_gpu, here = model.predict(x, backend="cupy"), model.predict(x)
    assert_close([on_gpu], [here])
    model.set_weights([0 * w for w in model.get_weights()])
    assert not model.predict(x, backend="cupy").any()


def test_a_fault_in_a_kernel_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.nn.backend.gpu import activation

    fault = activation.Curve("tanhf(@)", "(1.0f - (@))")
    monkeypatch.setitem(activation.CURVES, "tanh", fault)
    with pytest.raises(AssertionError):
        test_answers_and_gradients_are_those_of_keras("conv2d 3 1 same", "cupy")


@pytest.mark.parametrize("layer", [nn.LSTM(3, stateful=True), nn.GRU(3, recurrent_dropout=0.2)])
def test_what_cupy_lacks_is_refused(layer: Any) -> None:
    model = nn.Sequential([nn.Input((4, 3)), layer, nn.Dense(1)]).compile("sgd", "mse", backend="cupy")
    with pytest.raises(SettingError, match='The backend "cupy" has no'):
        model.fit(np.ones((4, 4, 3)), np.ones((4, 1)), verbose=0)


def test_statistics_that_are_not_trained_are_refused_on_cupy() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.BatchNormalization(trainable=False), nn.Dense(1)])
    with pytest.raises(SettingError, match=r"runs on the backend 'numpy'\. Received: trainable=False on 'cupy'"):
        model.compile("sgd", "mse", backend="cupy").fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)


def test_a_cell_that_is_too_large_for_cupy_is_refused() -> None:
    model = nn.Sequential([nn.Input((2, 1)), nn.LSTM(1200)])
    with pytest.raises(SettingError, match=r"shared memory, 12,288 numbers\. Received: 1200 units, 13,200 numbers"):
        model.network("cupy").predict(np.ones((1, 2, 1), np.float32))


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    device.cupy.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SettingError) as error:
        nn.Sequential([nn.Input((2,)), nn.Dense(1)]).network("cupy")
    assert str(error.value) == (
        'The backend "cupy" needs CuPy. Received: an installation without it. '
        'pip install "backpropagation-simulator[gpu]", or choose the backend "numpy".'
    )
    device.cupy.cache_clear()


def test_without_a_gpu_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    device.cupy.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", cupy_stand_in.module(devices=0))
    with pytest.raises(SettingError, match="needs an NVIDIA GPU"):
        nn.Sequential([nn.Input((2,)), nn.Dense(1)]).network("cupy")
    device.cupy.cache_clear()


def test_nothing_imports_cupy_unasked() -> None:
    code = "import sys; from simulator import nn; nn.Sequential([nn.Input((2,)), nn.Dense(1)]).predict([[1, 2]]); "
    code += "assert not any(name.startswith(('cupy', 'simulator.nn.backend.gpu')) for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_stand_in_refuses_what_cupy_lacks() -> None:
    cp: Any = cupy_stand_in.module()
    a = cp.zeros((4, 4), np.float32)
    for wrong in (
        lambda: np.asarray(a),
        lambda: cp.matmul(a, cp.zeros((4, 4), np.float64), out=a),
        lambda: cp.matmul(a[:, :2], a[:2], out=a),
        lambda: a.T.reshape(16),
        lambda: a[np.array([1])],
        lambda: cp.RawKernel("void f(float* x) { }", "f")((1,), (1,), (a[:, 0],)),
        lambda: cp.RawKernel("void f(int n, float* x) { }", "f")((1,), (1,), (4, a)),
        lambda: a.set(np.zeros((4, 4))),
    ):
        with pytest.raises(cupy_stand_in.RefusedError):
            wrong()
    with pytest.raises(AttributeError):
        cp.einsum("ij->ji", a)
