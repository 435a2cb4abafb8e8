"""How sparse activations are, beside what NumPy counts in a forward pass written by hand."""

from __future__ import annotations

import numpy as np

from simulator import nn
from simulator.experiments.activity import SAMPLES, activity_of


def test_zeros_and_dead_units_are_those_of_a_forward_pass() -> None:
    model = nn.Sequential(
        [
            nn.Input((5,)),
            nn.Dense(6, activation="relu"),
            nn.Dense(4, activation="sigmoid"),
            nn.Dense(7),
            nn.ReLU(),
            nn.Dense(2, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in model.get_weights()]
    weights[1][2] = -1000.0  # a unit that nothing wakes
    model.set_weights(weights)
    x = rng.normal(size=(300, 5))
    (w1, b1, w2, b2, w3, b3, *_), inputs = weights, x[:SAMPLES]
    first = np.maximum(inputs @ w1 + b1, 0)
    second = np.maximum(1 / (1 + np.exp(-(first @ w2 + b2))) @ w3 + b3, 0)
    expected = [(a.size, (a == 0).sum(), a.shape[1], (a == 0).all(axis=0).sum()) for a in (first, second)]
    found = activity_of(model, x)
    assert [tuple(a)[1:] for a in found] == expected
    assert [a.layer for a in found] == ["1 Dense", "4 ReLU"]
    assert found[0].dead >= 1


def test_pools_after_relu_change_nothing() -> None:
    """A maximum may be computed before the ReLU; what is counted is the layer's own result."""
    model = nn.Sequential([nn.Input((6, 6, 1)), nn.Conv2D(3, 3, activation="relu"), nn.MaxPooling2D(2), nn.Flatten()])
    x = np.random.default_rng(0).normal(size=(20, 6, 6, 1))
    (found,) = activity_of(model, x)
    assert found.numbers == 20 * 4 * 4 * 3
    kernel, bias = model.get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (3, 3), axis=(1, 2))
    z = np.einsum("nhwij,ijf->nhwf", windows, kernel[:, :, 0]) + bias
    assert found.zeros == (z <= 0).sum()
