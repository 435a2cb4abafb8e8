"""The NumPy reading: arrays in, every array of the tape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from simulator.errors import SettingError
from simulator.tape.expression import Expression, upstream
from simulator.tape.primitive import Array


def evaluate(root: Expression, values: Mapping[str, ArrayLike]) -> Array:
    """The value of one expression in float64.

    values maps the names of the given arrays to arrays of their shapes. Raises SettingError when one is missing.

    >>> from simulator.tape.expression import given
    >>> evaluate(given("x", (2,)) * 2.0 + 1.0, {"x": [1.0, 2.0]})
    array([3., 5.])
    """
    return evaluate_all([root], values, {})[0]


def evaluate_all(
    roots: Sequence[Expression], values: Mapping[str, ArrayLike], known: Mapping[int, ArrayLike]
) -> list[Array]:
    """The values of several expressions; known maps serials of nodes that need not be computed to their values.

    A given array may have one axis more than its shape, in front: that many runs are computed at once.
    """
    done: dict[int, Array] = {serial: np.asarray(value, dtype=np.float64) for serial, value in known.items()}
    for node in upstream(*roots):
        if node.serial in done:
            continue
        if node.value is not None:
            done[node.serial] = np.float64(node.value)  # type: ignore[assignment]
        elif node.primitive is None:
            if node.name not in values:
                raise SettingError(f"Every given array needs a value. Received: none for '{node.name}'.")
            done[node.serial] = _fitting(values[node.name], node)
        else:
            args = [_aligned(done[a.serial], a, len(node.shape)) for a in node.args]
            done[node.serial] = node.primitive.value(*args, **node.params)
    return [done[root.serial] for root in roots]


def _aligned(value: Array, arg: Expression, axes: int) -> Array:
    """The value with axes of length one where an axis of runs stands before fewer axes than the result has."""
    runs = value.ndim - len(arg.shape)
    if runs <= 0 or len(arg.shape) >= axes or len(arg.shape) > 1:
        return value
    return value.reshape(*value.shape[:runs], *(1,) * (axes - len(arg.shape)), *arg.shape)


def _fitting(value: ArrayLike, node: Expression) -> Array:
    array = np.asarray(value, dtype=np.float64)
    return array if array.shape[array.ndim - len(node.shape) :] == node.shape else array.reshape(node.shape)
