"""Recurrent layers: what is dropped, what goes on from batch to batch, what a workbook refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.errors import SettingError

N, STEPS, DEPTH, UNITS = 24, 5, 3, 6


def network(layer: Any, seed: int = 0) -> nn.Model:
    return nn.Sequential([nn.Input((STEPS, DEPTH)), layer, nn.Dense(1)], seed=seed).compile(nn.SGD(0.1), "mse")


def data(n: int = N) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, STEPS, DEPTH)).astype(np.float32), rng.normal(size=(n, 1)).astype(np.float32)


def test_dropped_inputs_stay_dropped_for_the_whole_sequence_and_states_have_masks_of_their_own() -> None:
    layer = nn.LSTM(200, dropout=0.25, recurrent_dropout=0.5)
    model = network(layer)
    model.network().threads = 1
    model.network().predict(data(400)[0], training=True)
    (operation,) = [o for o in model.network().plans(400, False)[0].operations if hasattr(o, "masks")]
    masks = operation.masks
    assert masks.shape == (4, 200 + DEPTH + 1, 400)
    for part, rate in ((masks[:, :200], 0.5), (masks[:, 200:-1], 0.25)):
        assert set(np.unique(part)) == {np.float32(0), np.float32(1 / (1 - rate))}
        assert abs((part == 0).mean() - rate) < 0.02
    assert (masks[:, -1] == 1).all()
    assert (masks[0] != masks[1]).any()


def test_nothing_is_dropped_but_in_training() -> None:
    x, _ = data()
    plain, dropping = network(nn.GRU(UNITS)), network(nn.GRU(UNITS, dropout=0.5, recurrent_dropout=0.5))
    np.testing.assert_array_equal(plain.predict(x), dropping.predict(x))
    assert (plain.predict(x) != dropping.network().predict(x, training=True)).any()


@pytest.mark.parametrize("options", [{"dropout": 0.3, "recurrent_dropout": 0.3}, {"stateful": True}], ids=str)
def test_a_resumed_training_draws_the_same_masks_and_goes_on_from_the_same_states(options: dict[str, Any]) -> None:
    x, y = data()
    fit: dict[str, Any] = {"batch_size": 8, "verbose": 0, "shuffle": False}
    whole = network(nn.LSTM(UNITS, **options))
    whole.fit(x, y, epochs=3, **fit)
    first, second = network(nn.LSTM(UNITS, **options)), network(nn.LSTM(UNITS, **options))
    first.fit(x, y, epochs=1, **fit)
    second.network().restore(first.network().state())
    second.updated()
    second.fit(x, y, epochs=3, initial_epoch=1, **fit)
    for mine, other in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    other_seed = network(nn.LSTM(UNITS, **options), seed=0)
    other_seed.seed = 1
    other_seed.fit(x, y, epochs=3, **fit)
    differs = any((a != b).any() for a, b in zip(other_seed.get_weights(), whole.get_weights(), strict=True))
    assert differs == ("dropout" in options)


def test_two_layers_draw_masks_of_their_own() -> None:
    model = nn.Sequential([nn.Input((50,)), nn.Dropout(0.5, seed=1), nn.Dropout(0.5, seed=1)])
    drawn = model.network().predict(np.ones((40, 50), np.float32), training=True)
    assert abs((drawn == 4).mean() - 0.25) < 0.05


def test_both_directions_drop_and_go_on_by_themselves() -> None:
    layer = nn.Bidirectional(nn.GRU(UNITS, dropout=0.5, stateful=True), merge_mode="sum")
    model = network(layer)
    x, _ = data()
    first = model.network().predict(x, training=True)
    one, other = [o.masks for o in model.network().plans(N, False)[0].operations if hasattr(o, "masks")]
    assert (one != other).any()
    forward, backward = layer.carried.values()
    assert (forward != backward).any()
    assert (model.network().predict(x, training=True) != first).any()
    layer.reset_states()
    np.testing.assert_array_equal(model.network().predict(x, training=True), first)


def trained(layer: Any, **options: Any) -> Callable[[Path], object]:
    return lambda folder: network(layer).fit(*data(), **options)


def shown(layer: Any) -> Callable[[Path], object]:
    return lambda folder: network(layer).to_workbook(folder / "a.xlsx", *data(2), epochs=1)


# what is done, what is said
REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (
        trained(nn.LSTM(UNITS, stateful=True), batch_size=10, verbose=0),
        "A stateful layer goes on where the batch before has ended, so all batches have one size. Received: 4 samples "
        "after 10. Choose a batch_size that divides the samples, or call model.reset_states().",
    ),
    (
        shown(nn.GRU(2, recurrent_dropout=0.2)),
        "The equations keep a state as it is. Received: recurrent_dropout=0.2. "
        'Train it with fit on the backend "numpy"; dropout, of the input, can be shown.',
    ),
    (
        shown(nn.GRU(2, stateful=True)),
        "A workbook starts every sequence from zeros. Received: stateful=True. "
        "Train it with fit, or leave stateful out.",
    ),
    (
        lambda folder: nn.Bidirectional(nn.LSTM(2), merge_mode=None),  # type: ignore[arg-type]
        "Bidirectional needs merge_mode to be a text. Received: None.",
    ),
    (
        lambda folder: nn.Bidirectional(nn.LSTM(2), merge_mode="avg"),
        "merge_mode must be one of concat, sum, mul, ave. Received: 'avg'. Did you mean 'ave'?",
    ),
    (
        lambda folder: nn.Bidirectional(nn.Dense(2)),
        "Bidirectional takes a recurrent layer, such as nn.LSTM(8). Received: Dense.",
    ),
    (
        lambda folder: nn.LSTM(2, recurrent_dropout=1),
        "LSTM needs a recurrent_dropout from 0 to below 1. Received: 1.",
    ),
    (
        lambda folder: nn.LSTM(2, recurent_dropout=0.1),  # type: ignore[call-arg]
        "Received: recurent_dropout=0.1. Did you mean 'recurrent_dropout'?",
    ),
]


@pytest.mark.parametrize(("act", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_cannot_be_is_refused(act: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        act(tmp_path)
    assert str(caught.value).endswith(said)
    assert list(tmp_path.iterdir()) == []
