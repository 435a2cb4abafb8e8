"""Weights taken from arrays that a user gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simulator.errors import SettingError, ShapeError
from simulator.nn.initializer import Array
from simulator.nn.option import require

if TYPE_CHECKING:
    from simulator.nn.trace import Weight


def numbers_in(data: ArrayLike, what: str) -> Array:
    """data as finite numbers in float64, with at least one axis. Raises SettingError or ShapeError."""
    try:
        array = np.asarray(data, dtype=float)
    except (TypeError, ValueError) as error:
        received = str(error).rstrip(".")
        raise SettingError(f"{what} must be numbers in rows of one length. Received: {received}.") from None
    if array.ndim == 0:
        raise ShapeError(f"{what} must be an array, a row per sample. Received: {data!r}.")
    bad = ~np.isfinite(array)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise SettingError(
            f"{what} must be finite numbers. Received: {array[at]} at {at}, {int(bad.sum())} in all. "
            "Remove these samples or fill them in."
        )
    return array


def given(weights: Sequence[Weight]) -> list[Array]:
    """Copies of the values, as Keras gives them: the two biases of a GRU in one array (2, 3H)."""
    found: list[Array] = []
    for w in weights:
        if w.name == "recurrent_bias":
            found[-1] = np.stack([found[-1], w.value])
        else:
            found.append(w.value.copy())
    return found


def take(weights: Sequence[Weight], arrays: Sequence[ArrayLike]) -> None:
    """Give the weights these values. Raises ShapeError when number or shapes differ."""
    good = isinstance(arrays, list | tuple)
    require(good, "set_weights takes a list of arrays, as get_weights returns it.", type(arrays).__name__)
    mine = [numbers_in(a, "A weight") for a in arrays]
    shapes = [w.spec.shape for w in weights]
    fitted = _as_here(mine, shapes)
    if [a.shape for a in fitted] != shapes:
        raise ShapeError(
            f"set_weights takes arrays of the shapes {', '.join(str(a.shape) for a in given(weights))}. "
            f"Received: {', '.join(str(a.shape) for a in mine) or 'none'}. get_weights() shows the order."
        )
    for w, a in zip(weights, fitted, strict=True):
        w.value = a.copy()


def _as_here(arrays: list[Array], shapes: list[tuple[int, ...]]) -> list[Array]:
    """Keras keeps both biases of a GRU in one array (2, 3H), and a head's axis of length one in attention."""
    found: list[Array] = []
    for a in arrays:
        here = shapes[len(found) : len(found) + 2]
        if a.ndim == 2 and len(a) == 2 and here == [a.shape[1:]] * 2:
            found += [a[0], a[1]]
        else:
            squeezed = tuple(n for n in a.shape if n > 1)
            same = here and squeezed == tuple(n for n in here[0] if n > 1)
            found.append(a.reshape(here[0]) if same else a)
    return found
