"""Data sets in place of arrays, weights of samples, and the line that shows how far a training is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from simulator import nn
from simulator.errors import SettingError, ShapeError, SimulatorError
from simulator.nn.progress import ProgbarLogger
from tests.nn.test_fit import blobs, network


class Batches:
    """As keras.utils.Sequence; the last batch is smaller."""

    def __init__(self, *arrays: Any, size: int = 16) -> None:
        self.arrays, self.size, self.ended = arrays, size, 0

    def __len__(self) -> int:
        return int(np.ceil(len(self.arrays[0]) / self.size))

    def __getitem__(self, k: int) -> tuple[Any, ...]:
        if k >= len(self):
            raise AssertionError("no such batch")
        return tuple(a[k * self.size : (k + 1) * self.size] for a in self.arrays)

    def on_epoch_end(self) -> None:
        self.ended += 1


class Again:
    """Only __iter__, as data sets of other libraries."""

    def __init__(self, source: Batches) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        return (self.source[k] for k in range(len(self.source)))


def endless(source: Batches) -> Iterator[Any]:
    while True:
        yield from Again(source)


W = np.random.default_rng(4).uniform(0, 2, 60)
SETS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "sequence": (lambda *a: Batches(*a), {}),
    "iterable": (lambda *a: Again(Batches(*a)), {}),
    "list": (lambda *a: list(Again(Batches(*a))), {}),
    "generator without end": (lambda *a: endless(Batches(*a)), {"steps_per_epoch": 4}),
    "iterable, in steps": (lambda *a: Again(Batches(*a)), {"steps_per_epoch": 4}),
}


@pytest.mark.parametrize("weights", [(), (W,)], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", SETS)
def test_a_data_set_trains_as_its_arrays_do(name: str, weights: tuple[Any, ...]) -> None:
    make, options = SETS[name]
    x, y = blobs()
    one, other = network(metrics=["accuracy"]), network(metrics=["accuracy"])
    a = one.fit(
        x, y, 16, 3, 0, shuffle=False, sample_weight=weights[0] if weights else None, validation_data=(x, y)
    ).history
    held = Again(Batches(x, y))
    b = other.fit(make(x, y, *weights), epochs=3, verbose=0, validation_data=held, **options).history
    assert a == b
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(one.predict(x, 16), other.predict(Again(Batches(x, y))))
    assert one.evaluate(x, y, 16) == other.evaluate(Again(Batches(x, y)))
    assert one.evaluate(x[:32], y[:32], 16) == other.evaluate(Again(Batches(x, y)), steps=2)


def test_a_sequence_hears_that_an_epoch_has_ended() -> None:
    source = Batches(*blobs())
    network().fit(source, epochs=2, verbose=0)
    assert source.ended == 2


@pytest.mark.parametrize("make", [Batches, lambda x, y: Again(Batches(x, y)), lambda x, y: endless(Batches(x, y))])
def test_a_sequential_takes_its_shape_from_the_first_batch_which_is_still_trained_on(make: Callable[..., Any]) -> None:
    x, y = blobs(48)
    found = []
    for data, first in ((make(x, y), []), (Batches(x, y), [nn.Input((2,))])):
        model = nn.Sequential([*first, nn.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(data, epochs=2, steps_per_epoch=3, verbose=0)
        found.append(model.get_weights()[0])
    np.testing.assert_array_equal(*found)


X, Y = blobs()
REFUSED: list[tuple[Callable[[nn.Model], Any], type[SimulatorError], str]] = [
    (
        lambda m: m.fit(iter(Again(Batches(X, Y))), epochs=2, verbose=0),
        SettingError,
        "A data set gives batches in every epoch, and as many as steps_per_epoch asks for. Received: a generator that "
        "has run dry after 4 batches. Give one that can be gone through again, such as a list of batches or a class "
        "with __len__ and __getitem__, or a generator that never ends and steps_per_epoch.",
    ),
    (
        lambda m: m.fit(iter(Again(Batches(X, Y))), steps_per_epoch=9, verbose=0),
        SettingError,
        "A data set gives batches in every epoch, and as many as steps_per_epoch asks for. Received: a generator that "
        "has run dry after 4 batches. Give one that can be gone through again, such as a list of batches or a class "
        "with __len__ and __getitem__, or a generator that never ends and steps_per_epoch.",
    ),
    (
        lambda m: m.fit(Again(Batches(X)), verbose=0),
        SettingError,
        "A data set to learn or evaluate from gives (x, y) or (x, y, sample_weight). Received: 1 parts as batch 1.",
    ),
    (
        lambda m: m.fit(Again(Batches(X, Y)), batch_size=4),
        SettingError,
        "A data set gives labels, weights and batches of its own. Received: batch_size beside it.",
    ),
    (
        lambda m: m.fit(Again(Batches(X, Y)), validation_split=0.5),
        SettingError,
        "validation_split takes the last samples of arrays; a data set has validation_data. Received: 0.5 and a data "
        "set.",
    ),
    (
        lambda m: m.fit(X),
        SettingError,
        "fit and evaluate need labels: y, or a data set of batches (x, y). Received: none.",
    ),
    (
        lambda m: m.fit(X, Y, steps_per_epoch=3),
        SettingError,
        "steps_per_epoch goes with a data set; arrays have a batch_size. Received: 3 and an array.",
    ),
    (
        lambda m: m.fit(Again(Batches(np.where(X > 2, np.inf, X), Y)), verbose=0),
        SettingError,
        "X of batch 1 must be finite numbers. Received: inf at (2, 0). Remove these samples or fill them in.",
    ),
    (
        lambda m: m.fit(X, Y, validation_data=(X * np.nan, Y)),
        SettingError,
        "X of validation_data must be finite numbers. Received: nan at (0, 0). Remove these samples or fill them in.",
    ),
    (
        lambda m: m.fit(X, Y, sample_weight=W[:9]),
        ShapeError,
        "sample_weight has the shape (60,). Received: (9,).",
    ),
    (
        lambda m: m.fit(X, Y, sample_weight=W * np.nan),
        SettingError,
        "sample_weight must be finite numbers. Received: nan at (0,). Remove these samples or fill them in.",
    ),
    (
        lambda m: m.fit(X, Y, sample_weight=W, class_weight={0: 2.0}),
        SettingError,
        "A sample counts by sample_weight or by class_weight. Received: both. Multiply them and give sample_weight.",
    ),
    (
        lambda m: m.fit(X, Y, class_weight=[1.0, 2.0]),  # type: ignore[arg-type]
        SettingError,
        "class_weight is a dictionary of class numbers and finite weights. Received: [1.0, 2.0].",
    ),
    (
        lambda m: m.fit(X, Y, backend="expressions", sample_weight=W),
        SettingError,
        "The backend 'expressions' counts every sample alike. Received: weights of samples.",
    ),
    (lambda m: m.fit(X, Y, verbose=3), SettingError, "verbose is 0, 1, 2 or 'auto'. Received: 3."),
]


@pytest.mark.parametrize(("act", "error", "said"), REFUSED, ids=[r[2][-50:] for r in REFUSED])
def test_what_does_not_fit_is_refused(act: Callable[[nn.Model], Any], error: type[SimulatorError], said: str) -> None:
    with pytest.raises(error) as caught:
        act(network())
    assert str(caught.value) == said


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_away_from_a_terminal_an_epoch_is_a_line(verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    network(metrics=["accuracy"]).fit(X, Y, epochs=2, verbose=verbose)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert " s, loss " in lines[0]
    assert " accuracy " in lines[0]


def test_without_verbose_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    network().fit(X, Y, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_steps_rate_and_running_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.nn.progress.OFTEN", 0.0)
    screen = io.StringIO()
    line = ProgbarLogger(console=Console(file=screen, force_terminal=True, width=120))
    network(metrics=["accuracy"]).fit(X, Y, epochs=2, batch_size=10, verbose=0, callbacks=[line])
    for part in ("Epoch 1/2", "6/6", "/s", "loss", "accuracy"):
        assert part in screen.getvalue()
