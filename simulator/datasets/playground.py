"""The four planar data sets of TensorFlow Playground, with its noise and its features.

# n points (n, 2) in the square from -6 to 6, labels (n,) of +1 and -1, numbers of three decimals

Source: dataset.ts of TensorFlow Playground (Smilkov & Carter 2016). The draws are NumPy's, so a seed gives other points
of the same distribution than the page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SettingError, did_you_mean

Array = NDArray[np.float64]
RADIUS = 5.0
PADDING = 0.3  # between the quadrants of the exclusive-or
TURNS = 1.75  # of a spiral's arm
MOST_NOISE = 0.5
DECIMALS = 3
SQUARE = -6.0, 6.0  # what the playground draws


class Data(NamedTuple):
    """points (n, 2), labels (n,) of +1 and -1."""

    points: Array
    labels: Array


class Halves(NamedTuple):
    """Data to train with, and as many to test with."""

    train: Data
    test: Data


def circle(n: int, noise: float, seed: int) -> Data:
    """+1 within half the radius, -1 from 0.7 of it on; noise moves the point that is labelled, not the one shown."""
    rng = _rng(n, noise, seed)
    r = np.concatenate([rng.uniform(0, 0.5 * RADIUS, n // 2), rng.uniform(0.7 * RADIUS, RADIUS, n // 2)])
    angle = rng.uniform(0, 2 * np.pi, n)
    points = np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)
    seen = points + rng.uniform(-RADIUS, RADIUS, (n, 2)) * noise
    return _data(points, np.hypot(*seen.T) < 0.5 * RADIUS)


def xor(n: int, noise: float, seed: int) -> Data:
    """+1 where x1 and x2 have the same sign; noise moves the point that is labelled, not the one shown."""
    rng = _rng(n, noise, seed)
    points = rng.uniform(-RADIUS, RADIUS, (n, 2))
    points += np.where(points > 0, PADDING, -PADDING)
    seen = points + rng.uniform(-RADIUS, RADIUS, (n, 2)) * noise
    return _data(points, seen[:, 0] * seen[:, 1] >= 0)


def gauss(n: int, noise: float, seed: int) -> Data:
    """Two normal clouds, +1 around (2, 2) and -1 around (-2, -2), of a variance from 0.5 to 4 with the noise."""
    rng = _rng(n, noise, seed)
    deviation = np.sqrt(0.5 + (4 - 0.5) * noise / MOST_NOISE)
    positive = np.arange(n) < n // 2
    points = np.where(positive, 2.0, -2.0)[:, None] + deviation * rng.normal(size=(n, 2))
    return _data(points, positive)


def spiral(n: int, noise: float, seed: int) -> Data:
    """Two arms around each other: r = 5i/m, angle 1.75 turns of i/m, half a turn apart; noise moves the points.

    m = n/2 points an arm, counted by i from 0.
    """
    rng = _rng(n, noise, seed)
    share = np.arange(n // 2) / (n // 2)
    r = np.tile(share * RADIUS, 2)
    angle = np.concatenate([TURNS * share * 2 * np.pi, TURNS * share * 2 * np.pi + np.pi])
    points = np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1) + rng.uniform(-1, 1, (n, 2)) * noise
    return _data(points, np.arange(n) < n // 2)


SETS: dict[str, Callable[[int, float, int], Data]] = {"circle": circle, "xor": xor, "gauss": gauss, "spiral": spiral}


# of arrays, or of anything else that has powers and products, with its own sine
FEATURES: dict[str, Callable[[Any, Any, Callable[[Any], Any]], Any]] = {
    "x1": lambda x1, x2, sin: x1,
    "x2": lambda x1, x2, sin: x2,
    "x1^2": lambda x1, x2, sin: x1**2,
    "x2^2": lambda x1, x2, sin: x2**2,
    "x1*x2": lambda x1, x2, sin: x1 * x2,
    "sin(x1)": lambda x1, x2, sin: sin(x1),
    "sin(x2)": lambda x1, x2, sin: sin(x2),
}


def planar(name: str, n: int = 500, noise: float = 0.0, seed: int = 0) -> Data:
    """The set of that name: circle, xor, gauss or spiral.

    Raises SettingError for another name, an odd or too small n, or a noise outside 0 to 0.5.

    >>> points, labels = planar("xor", 4, seed=1)
    >>> points
    array([[ 0.418,  4.805],
           [-3.858,  4.786],
           [-2.182, -1.067],
           [ 3.577, -1.208]])
    >>> labels
    array([ 1., -1.,  1., -1.])
    """
    if name not in SETS:
        hint = did_you_mean(name.lower(), SETS, 0.4)
        raise SettingError(f"A data set is one of {', '.join(SETS)}. Received: '{name}'.{hint}")
    return SETS[name](n, noise, seed)


def split(data: Data, seed: int = 0) -> Halves:
    """The data shuffled, one half to train with and the other to test with.

    >>> [half.points.shape for half in split(planar("circle", 100))]
    [(50, 2), (50, 2)]
    """
    order = np.random.default_rng(seed).permutation(len(data.labels))
    half = len(order) // 2
    train, test = (Data(data.points[rows], data.labels[rows]) for rows in (order[:half], order[half:]))
    return Halves(train, test)


def _rng(n: int, noise: float, seed: int) -> np.random.Generator:
    if n < 2 or n % 2:
        raise SettingError(
            f"n must be even, half of the points for each label. Received: {n}. Take {max(n + n % 2, 2)}."
        )
    if not 0 <= noise <= MOST_NOISE:
        raise SettingError(f"noise lies between 0 and {MOST_NOISE}. Received: {noise}. The playground's 35 is 0.35.")
    return np.random.default_rng(seed)


def _data(points: Array, positive: NDArray[np.bool_]) -> Data:
    return Data(np.round(points, DECIMALS) + 0.0, np.where(positive, 1.0, -1.0))
