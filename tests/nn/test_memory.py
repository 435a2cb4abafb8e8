"""What training needs of memory, beside what it takes; and that too much is refused before."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from simulator import nn
from simulator.errors import MemoryNeededError
from simulator.nn import memory
from simulator.nn.memory import free_memory, need_of, require_room


def convnet(optimizer: str = "sgd") -> nn.Model:
    layers = [nn.Conv2D(16, 3, activation="relu"), nn.MaxPooling2D(3, strides=2, padding="same"), nn.Flatten()]
    model = nn.Sequential([nn.Input((20, 20, 2)), *layers, nn.Dense(10, activation="softmax")])
    return model.compile(optimizer, "sparse_categorical_crossentropy")


def perceptron(optimizer: str = "adam") -> nn.Model:
    model = nn.Sequential([nn.Input((300,)), nn.Dense(400, activation="tanh"), nn.Dense(3)])
    return model.compile(optimizer, "mse")


def recurrent(optimizer: str = "rmsprop") -> nn.Model:
    return nn.Sequential([nn.Input((30, 8)), nn.GRU(40), nn.Dense(3)]).compile(optimizer, "mse")


def peak_of(model: nn.Model, batch: int) -> int:
    """The most bytes that training takes beside the model and its data, and what is loaded at the first step."""
    x = np.ones((batch + 3, *model.inputs.sizes), np.float32)
    y = np.zeros(model.label_shape(batch + 3), int)
    nn.models.clone_model(model).compile(model.optimizer, model.loss_option).fit(x[:2], y[:2], verbose=0)
    tracemalloc.start()
    try:
        model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
        model.predict(x, batch)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("batch", [8, 200])
@pytest.mark.parametrize("make", [convnet, perceptron, recurrent])
def test_what_training_needs_is_what_it_takes(make: Callable[[], nn.Model], batch: int) -> None:
    need, taken = need_of(make(), batch), peak_of(make(), batch)
    assert 0.5 * need < taken < 1.2 * need


def test_to_ask_takes_no_memory_and_changes_nothing() -> None:
    model = convnet()
    before = model.get_weights()
    tracemalloc.start()
    try:
        need = need_of(model, 4096)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < need / 20
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_an_optimizer_that_keeps_more_needs_more() -> None:
    weights = 4 * perceptron().count_params()
    needs = [need_of(perceptron(name), 8) for name in ("sgd", "rmsprop", "adam")]
    assert np.diff(needs).tolist() == pytest.approx([3 * weights] * 2, rel=0.01)


def test_what_does_not_fit_is_refused_with_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    model = convnet()
    monkeypatch.setattr(memory, "free_memory", lambda: int(1.1 * need_of(model, 64)))
    assert require_room(model, 64) == pytest.approx(need_of(model, 64), rel=0.01)
    with pytest.raises(MemoryNeededError) as caught:
        require_room(model, 512, [256, 128, 64, 32], "micro_batch")
    sizes = r"Received: 0\.1 GiB for batches of 512, and \d+ MiB free\. --set micro_batch=64 needs \d+ MiB\."
    assert re.fullmatch(r"Training must fit into memory\. " + sizes, str(caught.value))
    with pytest.raises(MemoryNeededError, match=r"Training with batches of 512 must fit into memory\. Received: "):
        require_room(model, 512, [256])


def test_a_network_that_no_machine_holds_is_refused_at_once() -> None:
    with pytest.raises(MemoryNeededError) as caught:
        nn.Sequential([nn.Input((10_000_000,)), nn.Dense(10_000_000)])
    said = "A network of 100,000,010,000,000 weights must fit into memory. Received: 1117587.2 GiB, and "
    assert str(caught.value).startswith(said)


def test_free_memory_is_part_of_the_machines() -> None:
    assert 0 < free_memory() <= psutil.virtual_memory().total


def test_a_container_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CONTAINER", tmp_path)
    machine = free_memory()
    for name, text in (
        ("memory.max", "5000\n"),
        ("memory.current", "4000\n"),
        ("memory.stat", "file 9\ninactive_file 500\n"),
    ):
        assert free_memory() > 5000  # not all that is asked for is there
        (tmp_path / name).write_text(text)
    assert free_memory() == 1500
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == pytest.approx(machine, rel=0.5)
