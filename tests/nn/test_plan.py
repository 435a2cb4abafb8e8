"""Buffers that operations share: every gradient is what it is with buffers of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.nn.backend.cpu.dense import Dense
from simulator.nn.backend.cpu.plan import Plan
from simulator.nn.layer import Tensor

Array = Any

SAMPLES = 9


def inception(x: Tensor) -> Tensor:
    """Branches that are joined, one of them a pool with padding; an odd image is pooled to half of it."""
    x = nn.MaxPooling2D(2)(nn.Conv2D(8, 3, padding="same", activation="relu")(x))
    branches = [nn.Conv2D(4, 1, activation="relu")(x), nn.Conv2D(4, 3, padding="same", activation="sigmoid")(x)]
    x = nn.Concatenate()([*branches, nn.MaxPooling2D(3, strides=1, padding="same")(x)])
    return nn.GlobalAveragePooling2D()(nn.AveragePooling2D(3, strides=2, padding="same")(x))


def residual(x: Tensor) -> Tensor:
    """Two blocks after another, whose sums and normalised numbers lie in the buffers of what they come from."""
    x = nn.Conv2D(32, 3, padding="same")(x)
    for strides in (1, 2):
        y = nn.ReLU()(nn.BatchNormalization()(nn.Conv2D(32, 3, strides=strides, padding="same")(x)))
        y = nn.BatchNormalization()(nn.Conv2D(32, 3, padding="same")(y))
        shortcut = x if strides == 1 else nn.Conv2D(32, 1, strides=2)(x)
        x = nn.ReLU()(nn.Add()([y, shortcut]))
    return nn.Flatten()(nn.MaxPooling2D(2)(x))


def made(body: Callable[[Tensor], Tensor]) -> tuple[nn.Model, Array, Array]:
    rng, source = np.random.default_rng(4), nn.Input((11, 11, 2))
    model = nn.Model(source, nn.Dense(3)(body(source)), seed=1)
    x, y = (rng.normal(size=(SAMPLES, *shape)).astype(np.float32) for shape in ((11, 11, 2), (3,)))
    return model.compile(nn.SGD(0.1), "mse"), x, y


NETWORKS = {"inception": inception, "residual": residual}


def gradients(name: str) -> list[Array]:
    """Those of all weights, in a new plan; a batch goes twice, so that the second finds what the first has left."""
    model, x, y = made(NETWORKS[name])
    network = model.network("numpy")
    for _ in range(2):
        _, _, work = network.gradients(x, y)
    return [np.array(piece.compute()) for piece in work]


def filled(plan: Plan, shape: tuple[int, ...]) -> Array:
    return np.full(shape, np.nan, np.float32)


def crowded(plan: Plan, shape: tuple[int, ...]) -> Array:
    """The fault: one buffer for all gradients."""
    return plan.scratch("gradients", 2**20)[: int(np.prod(shape))].reshape(shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_that_share_buffers_are_those_of_their_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "1")
    shared = gradients(name)
    monkeypatch.setattr(Plan, "room", filled)
    for mine, own in zip(shared, gradients(name), strict=True):
        np.testing.assert_array_equal(mine, own)
    monkeypatch.setattr(Plan, "room", crowded)
    assert not all(np.array_equal(a, b) for a, b in zip(shared, gradients(name), strict=True))


def test_a_row_of_layers_takes_turns_with_two_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "1")
    buffers: list[Array] = []
    room = Plan.room

    def noted(plan: Plan, shape: tuple[int, ...]) -> Array:
        buffers.append(room(plan, shape))
        return buffers[-1]

    monkeypatch.setattr(Plan, "room", noted)
    model = nn.Sequential([nn.Input((4,)), *(nn.Dense(50, activation="tanh") for _ in range(6)), nn.Dense(50)])
    model.compile(nn.SGD(0.1), "mse").network("numpy").gradients(np.ones((9, 4)), np.ones((9, 50)))
    assert len(buffers) == 7
    assert len({id(b.base) for b in buffers}) == 2


@pytest.mark.parametrize("where", [0, 1])
def test_a_step_that_breaks_in_one_thread_says_why_and_the_next_one_goes_on(
    where: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "2")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    x, y = (np.random.default_rng(5).normal(size=(40, 2, size)).astype(np.float32) for size in (4, 3))
    broken, whole = (nn.Sequential([nn.Input((2, 4)), nn.Dense(3)], seed=1).compile(nn.SGD(0.1), "mse") for _ in "12")
    back = Dense.backward

    def breaks(operation: Dense, plan: Plan) -> None:
        if plan.number == where:
            raise MemoryError("no room")
        back(operation, plan)

    with monkeypatch.context() as patch:
        patch.setattr(Dense, "backward", breaks)
        with pytest.raises(MemoryError, match="no room"):
            broken.fit(x, y, batch_size=40, verbose=0)
    for model in (broken, whole):
        model.fit(x, y, batch_size=40, shuffle=False, verbose=0)
    for mine, other in zip(broken.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_networks_of_vectors_have_one_plan_and_others_one_for_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_THREADS", "2")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    counts = []
    for shape in ((4,), (2, 4)):
        model = nn.Sequential([nn.Input(shape), nn.Dense(3)]).compile("sgd", "mse")
        counts.append(len(model.network("numpy").plans(64, True)))
    assert counts == [1, 2]
