"""Ctrl-C at a step of a training."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from simulator.nn.backend.cpu.network import CpuNetwork


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Press Ctrl-C while the network takes that step, counted from 1."""
    before, train = signal.getsignal(signal.SIGINT), CpuNetwork.train
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def press(at: int) -> None:
        steps = count(1)

        def pressed(network: CpuNetwork, *args: Any, **options: Any) -> Any:
            if next(steps) == at:
                signal.raise_signal(signal.SIGINT)
            return train(network, *args, **options)

        monkeypatch.setattr(CpuNetwork, "train", pressed)

    yield press
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)
