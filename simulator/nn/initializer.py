"""First weights, with Keras's names; those of small networks are rounded, so that a hand can type them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = tuple[int, ...]
DECIMALS, TYPED = 3, 10_000  # of first weights; weights of a network that is small


def _fans(shape: Shape) -> tuple[int, int]:
    if len(shape) < 2:
        return max(1, math.prod(shape)), max(1, math.prod(shape))
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _uniform(limit: float, rng: np.random.Generator, shape: Shape) -> Array:
    return rng.uniform(-limit, limit, shape)


def _orthogonal(rng: np.random.Generator, shape: Shape) -> Array:
    rows, cols = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, cols), min(rows, cols))))
    q *= np.sign(np.diag(r))
    return (q if rows >= cols else q.T).reshape(shape)


# fans: how many numbers enter and leave a unit
INITIALIZERS: dict[str, Callable[[np.random.Generator, Shape], Array]] = {
    "zeros": lambda rng, shape: np.zeros(shape),
    "ones": lambda rng, shape: np.ones(shape),
    "glorot_uniform": lambda rng, shape: _uniform(math.sqrt(6 / sum(_fans(shape))), rng, shape),
    "glorot_normal": lambda rng, shape: rng.normal(0, math.sqrt(2 / sum(_fans(shape))), shape),
    "he_uniform": lambda rng, shape: _uniform(math.sqrt(6 / _fans(shape)[0]), rng, shape),
    "he_normal": lambda rng, shape: rng.normal(0, math.sqrt(2 / _fans(shape)[0]), shape),
    "random_uniform": lambda rng, shape: _uniform(0.05, rng, shape),
    "random_normal": lambda rng, shape: rng.normal(0, 0.05, shape),
    "orthogonal": _orthogonal,
    "forget_gate": lambda rng, shape: np.repeat([0.0, 1.0, 0.0, 0.0], shape[0] // 4),  # an LSTM's bias
}


def initial(name: str, rng: np.random.Generator, shape: Shape, total: int = 0) -> Array:
    """An array of first weights, rounded where the network has no more than TYPED. name is a key of INITIALIZERS."""
    from simulator.nn.option import chosen

    found = chosen("An initializer", name, INITIALIZERS)(rng, shape)
    return np.round(found, DECIMALS) + 0.0 if total <= TYPED else found
