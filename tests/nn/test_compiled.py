"""What Numba compiles beside NumPy's way: the same answers and gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError
from simulator.nn.backend.cpu import compiled, compiled_recurrent
from simulator.nn.layer import Layer

if os.environ.get("CI"):
    import numba
else:
    numba = pytest.importorskip("numba", reason="Numba is not installed")

SAMPLES, STEPS, FEATURES = 37, 6, 5
CLOSE = 3e-6  # of the largest number of an array
LAYERS: dict[str, Any] = {
    "small": lambda: nn.LSTM(8),
    "small, sequences": lambda: nn.LSTM(8, return_sequences=True),
    "units that aren't in fours": lambda: nn.LSTM(7, return_sequences=True),
    "wide": lambda: nn.LSTM(68, return_sequences=True),
    "without biases": lambda: nn.LSTM(8, use_bias=False),
    "backwards": lambda: nn.LSTM(8, go_backwards=True),
    "both directions": lambda: nn.Bidirectional(nn.LSTM(4, return_sequences=True)),
    "dropout": lambda: nn.LSTM(8, dropout=0.3, seed=1),
    "recurrent dropout": lambda: nn.LSTM(8, recurrent_dropout=0.3, seed=1),
    "stateful": lambda: nn.LSTM(8, stateful=True),
    "GRU": lambda: nn.GRU(8),
    "GRU, sequences": lambda: nn.GRU(7, return_sequences=True),
    "GRU, wide": lambda: nn.GRU(68, return_sequences=True),
    "GRU, without biases": lambda: nn.GRU(8, use_bias=False),
    "RNN": lambda: nn.SimpleRNN(8),
    "RNN, sequences": lambda: nn.SimpleRNN(12, return_sequences=True, go_backwards=True),
    "RNN, wide": lambda: nn.SimpleRNN(68, return_sequences=True),
    "RNN, units that aren't in fours": lambda: nn.SimpleRNN(7),
    "RNN, another activation": lambda: nn.SimpleRNN(8, activation="relu"),
    "RNN, stateful": lambda: nn.SimpleRNN(8, stateful=True, return_sequences=True),
    "RNN, recurrent dropout": lambda: nn.SimpleRNN(8, recurrent_dropout=0.3, seed=1),
    "GRU, reset first": lambda: nn.GRU(8, reset_after=False),
    "GRU, recurrent dropout": lambda: nn.GRU(8, recurrent_dropout=0.3, seed=1),
    "GRU, stateful, both directions": lambda: nn.Bidirectional(nn.GRU(4, return_sequences=True, stateful=True)),
}


def pooled(*pools: Layer, shape: tuple[int, ...] = (11, 10, 3), **options: Any) -> list[Layer]:
    first = nn.Conv2D(8, 3, padding="same", input_shape=shape, **options)
    return [first, *pools, nn.Conv2D(4, 3, padding="same"), nn.Flatten()]


NETWORKS: dict[str, Any] = {
    "pool": lambda: pooled(nn.MaxPooling2D(2), activation="relu"),
    "pool before nothing that learns": lambda: [
        nn.Conv2D(4, 3, activation="relu", input_shape=(9, 8, 2), trainable=False),
        nn.MaxPooling2D(2),
        nn.Flatten(),
    ],
    "pool after sigmoids": lambda: pooled(nn.MaxPooling2D(2), activation="sigmoid"),
    "pool without a bias": lambda: pooled(nn.MaxPooling2D(2), activation="relu", use_bias=False),
    "two pools": lambda: pooled(nn.MaxPooling2D(2), nn.MaxPooling2D(2), activation="relu"),
    "windows that overlap": lambda: pooled(nn.MaxPooling2D(3, strides=2, padding="same"), activation="relu"),
    "averages": lambda: pooled(nn.AveragePooling2D(2), nn.AveragePooling2D((3, 2), padding="same"), activation="tanh"),
    "averages that overlap": lambda: pooled(nn.AveragePooling2D(3, strides=2, padding="same"), activation="relu"),
    "patches": lambda: [
        nn.Conv2D(4, 5, padding="same", input_shape=(11, 10, 3)),
        nn.Conv2D(3, (4, 3), strides=(2, 3), padding="same"),
        nn.Flatten(),
    ],
    "patches of sequences": lambda: [
        nn.Conv1D(4, 3, input_shape=(9, 2)),
        nn.Conv1D(3, 4, strides=2),
        nn.AveragePooling1D(2),
        nn.Flatten(),
    ],
    "windows apart from each other": lambda: pooled(nn.MaxPooling2D((2, 3), strides=(3, 4)), activation="tanh"),
}


def trained(monkeypatch: pytest.MonkeyPatch, numba: str, layers: list[Layer], threads: int = 1) -> list[Any]:
    """The answers, the losses of two epochs, and the weights after them."""
    monkeypatch.setenv("SIMULATOR_NUMBA", numba)
    monkeypatch.setenv("SIMULATOR_THREADS", str(threads))
    rng = np.random.default_rng(0)
    start = [] if layers[0].input_shape else [nn.Input((STEPS, FEATURES))]
    model = nn.Sequential([*start, *layers], seed=2)
    x, y = (rng.normal(size=(SAMPLES, *shape)) for shape in (model.inputs.sizes, model.outputs.sizes))
    model.compile(nn.SGD(0.5), "mse")
    history = model.fit(x, y, epochs=2, batch_size=SAMPLES, shuffle=False, verbose=0)
    model.reset_states()
    return [model.predict(x, SAMPLES), history.history["loss"], *model.get_weights()]


def difference(ours: list[Any], theirs: list[Any]) -> float:
    pairs = zip(map(np.asarray, ours), map(np.asarray, theirs), strict=True)
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-2)) for a, b in pairs)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_compiled_pool_is_that_of_numpy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [trained(monkeypatch, numba, [*NETWORKS[name](), nn.Dense(2)], 2) for numba in "01"]
    assert difference(found[1], found[0]) < CLOSE


@pytest.mark.parametrize("size", [2, 3])
def test_equal_numbers_share_a_pool_s_gradient_as_with_numpy(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of a few values, so that most windows have several that are largest."""
    x = np.random.default_rng(5).integers(0, 3, (8, 12, 12, 1))
    found = []
    for numba in "01":
        monkeypatch.setenv("SIMULATOR_NUMBA", numba)
        first = nn.Conv2D(2, 1, activation="relu", kernel_initializer="ones", input_shape=(12, 12, 1))
        model = nn.Sequential([first, nn.MaxPooling2D(size), nn.Flatten(), nn.Dense(1)]).compile(nn.SGD(0.1), "mse")
        model.fit(x, np.ones((8, 1)), epochs=2, verbose=0)
        found.append(model.get_weights())
    assert difference(found[1], found[0]) < CLOSE


def test_a_pool_shows_what_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_NUMBA", "1")
    for size in (2, 3):
        model = nn.Sequential([nn.Conv2D(1, 1, activation="relu", input_shape=(6, 6, 1)), nn.MaxPooling2D(size)])
        for place in range(size * size):
            x = np.full((1, 6, 6, 1), -1, np.float32)
            x[0, place // size, place % size] = np.nan
            answers = model.network("numpy").predict(x)[0, ..., 0]
            assert np.isnan(answers[0, 0])
            assert np.isfinite(answers).sum() == answers.size - 1


@pytest.mark.parametrize("name", LAYERS)
def test_a_compiled_cell_is_that_of_numpy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "wide" in name:
        monkeypatch.setattr("simulator.nn.backend.cpu.compiled_recurrent.SMALL", 64)
    found = [trained(monkeypatch, numba, [LAYERS[name](), nn.Dense(2)]) for numba in "01"]
    assert difference(found[1], found[0]) < CLOSE
    both = trained(monkeypatch, "1", [LAYERS[name](), nn.Dense(2)], threads=2)
    if "dropout" not in name:  # every thread draws masks of its own
        assert difference(both, found[0]) < CLOSE


def test_a_fault_in_a_kernel_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = trained(monkeypatch, "0", [nn.LSTM(8), nn.Dense(2)])
    kernels = compiled.kernels()
    assert kernels is None
    monkeypatch.setenv("SIMULATOR_NUMBA", "1")
    kernels = compiled.kernels()
    assert kernels is not None
    back = kernels.lstm_steps_back

    def forgetful(u: Any, dy: Any, dh: Any, dc: Any, s: Any, d: Any, slopes: Any) -> None:
        back(u, dy, dh, dc, s, d, slopes * np.float32(1.001))

    monkeypatch.setattr(kernels, "lstm_steps_back", forgetful)
    assert difference(trained(monkeypatch, "1", [nn.LSTM(8), nn.Dense(2)]), right) > 10 * CLOSE


def test_what_is_no_number_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_NUMBA", "1")
    model = nn.Sequential([nn.Input((3, 2)), nn.LSTM(4)])
    x = np.ones((2, 3, 2), np.float32)
    x[1, 1, 0] = np.nan
    answers = model.network("numpy").predict(x)
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1]).all()


def test_tanh_is_close_for_all_numbers() -> None:
    from simulator.nn.backend.cpu import kernels

    x = np.concatenate([np.linspace(-12, 12, 100_001), [-1e30, 1e30, 1e-30, 0, np.inf, -np.inf]]).astype(np.float32)

    @numba.njit
    def all_of(x: Any, y: Any) -> None:
        for k in range(x.size):
            y[k] = kernels.tanh(x[k])

    y = np.empty_like(x)
    all_of(x, y)
    assert np.abs(y - np.tanh(x.astype(float))).max() < 4e-7


def test_a_product_is_that_of_numpy_and_writes_nowhere_else() -> None:
    from simulator.nn.backend.cpu import kernels

    rng = np.random.default_rng(3)
    for rows, depth in ((8, 3), (4, 31), (12, 8), (4, 1), (28, 5)):
        for n in (*range(1, 75), 128):  # tiles of both widths, what is left beside them, and less than a tile
            m, x = rng.standard_normal((rows, depth), np.float32), rng.standard_normal((depth, n), np.float32)
            around = np.full((rows + 2, n), np.nan, np.float32)
            kernels.product(m, x, around[1:-1])
            np.testing.assert_allclose(around[1:-1], m.astype(float) @ x, atol=1e-5)
            assert np.isnan(around[[0, -1]]).all()


def test_small_cells_have_threads_where_all_their_steps_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "2")
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    counts = []
    for numba_is in "01":
        monkeypatch.setenv("SIMULATOR_NUMBA", numba_is)
        model = nn.Sequential([nn.Input((3, 2)), nn.LSTM(4)]).compile("sgd", "mse")
        counts.append(len(model.network("numpy").plans(64, True)))
    assert counts == [1, 2]


def test_what_is_compiled_does_not_depend_on_the_cache(tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "from simulator import nn\n"
        "rng = np.random.default_rng(0)\n"
        "x, y = rng.normal(size=(24, 5, 6)), rng.normal(size=(24, 2))\n"
        "layers = [nn.Input((5, 6)), nn.GRU(12, return_sequences=True), nn.LSTM(12), nn.Dense(2)]\n"
        "model = nn.Sequential(layers).compile(nn.SGD(0.5), 'mse')\n"
        "model.fit(x, y, batch_size=12, epochs=3, verbose=0)\n"
        "print([w.tolist() for w in model.get_weights()])\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "SIMULATOR_NUMBA": "1"}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)  # compiled, and from the cache
    ]
    assert len(runs[0]) > 1000
    assert runs[0] == runs[1]


def test_other_words_and_a_missing_numba_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_NUMBA", "yes")
    with pytest.raises(SettingError, match=r"SIMULATOR_NUMBA is 0 or 1\. Received: 'yes'"):
        compiled.is_compiled()
    for there, said in (("", "an installation without it"), ("0.61.2", r"0\.61\.2")):
        monkeypatch.setattr(compiled, "_version", lambda there=there: there)
        monkeypatch.setenv("SIMULATOR_NUMBA", "1")
        advice = rf'Received: {said}\. pip install "backpropagation-simulator\[fast\]"'
        with pytest.raises(SettingError, match=rf"SIMULATOR_NUMBA=1 needs Numba 0\.68\.x\. {advice}"):
            compiled.is_compiled()
        monkeypatch.delenv("SIMULATOR_NUMBA")
        assert not compiled.is_compiled()
    assert not compiled_recurrent.runs_in_one_call(nn.LSTM(8).cell())


def test_nothing_imports_numba_before_a_network_is_planned() -> None:
    model = "nn.Sequential([nn.Input((3, 2)), nn.LSTM(4)])"
    command = f"import sys; from simulator import nn; {model}; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
