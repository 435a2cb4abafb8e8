"""The NumPy reading: arrays in, every array of the tape out."""

from __future__ import annotations

from collections.abc import Mapping

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
    done: dict[int, Array] = {}
    for node in upstream(root):
        if node.value is not None:
            done[node.serial] = np.float64(node.value)  # type: ignore[assignment]
        elif node.primitive is None:
            if node.name not in values:
                raise SettingError(f"Every given array needs a value. Received: none for '{node.name}'.")
            done[node.serial] = np.asarray(values[node.name], dtype=np.float64).reshape(node.shape)
        else:
            done[node.serial] = node.primitive.value(*(done[a.serial] for a in node.args), **node.params)
    return done[root.serial]
