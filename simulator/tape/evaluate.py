"""The NumPy reading: arrays in, every array of the tape out."""

from __future__ import annotations

import math
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
    return Evaluation(roots).of(values, known)


class Evaluation:
    """Expressions put in order once, to be evaluated again and again. Every array is let go after its last use.

    >>> from simulator.tape.expression import given
    >>> x = given("x", (2,))
    >>> squared = Evaluation([x * x])
    >>> squared.of({"x": [1.0, 2.0]}, {}), squared.of({"x": [3.0, 4.0]}, {})
    ([array([1., 4.])], [array([ 9., 16.])])
    """

    def __init__(self, roots: Sequence[Expression]) -> None:
        self.roots = roots
        self.nodes = upstream(*roots)
        last = {a.serial: node.serial for node in self.nodes for a in node.args}
        kept = {root.serial for root in roots}
        self.let_go: dict[int, list[int]] = {}  # what isn't used after a node, by the node's serial
        for serial, user in last.items():
            if serial not in kept:
                self.let_go.setdefault(user, []).append(serial)

    def of(self, values: Mapping[str, ArrayLike], known: Mapping[int, ArrayLike]) -> list[Array]:
        """The values of the roots; see `evaluate_all`."""
        done: dict[int, Array] = {serial: np.asarray(value, dtype=np.float64) for serial, value in known.items()}
        for node in self.nodes:
            if node.serial not in done:
                done[node.serial] = _computed(node, values, done)
            for serial in self.let_go.get(node.serial, ()):
                del done[serial]
        return [done[root.serial] for root in self.roots]

    @property
    def numbers(self) -> int:
        """How many numbers are held at once, at most, when nothing is known; views count as arrays of their own.

        Those that say which entries are taken or pooled are held throughout.
        """
        lists = (node.params.get(name) for node in self.nodes for name in ("positions", "windows"))
        held: int = sum({id(found): found.size for found in lists if found is not None}.values())
        most = held
        size = {node.serial: math.prod(node.shape) for node in self.nodes}
        for node in self.nodes:
            held += size[node.serial]
            most = max(most, held)
            held -= sum(size[serial] for serial in self.let_go.get(node.serial, ()))
        return most


def _computed(node: Expression, values: Mapping[str, ArrayLike], done: Mapping[int, Array]) -> Array:
    if node.value is not None:
        return np.float64(node.value)  # type: ignore[return-value]
    if node.primitive is None:
        if node.name not in values:
            raise SettingError(f"Every given array needs a value. Received: none for '{node.name}'.")
        return _fitting(values[node.name], node)
    args = [_aligned(done[a.serial], a, len(node.shape)) for a in node.args]
    return node.primitive.value(*args, **node.params)


def _aligned(value: Array, arg: Expression, axes: int) -> Array:
    """The value with axes of length one where an axis of runs stands before fewer axes than the result has."""
    runs = value.ndim - len(arg.shape)
    if runs <= 0 or len(arg.shape) >= axes or len(arg.shape) > 1:
        return value
    return value.reshape(*value.shape[:runs], *(1,) * (axes - len(arg.shape)), *arg.shape)


def _fitting(value: ArrayLike, node: Expression) -> Array:
    array = np.asarray(value, dtype=np.float64)
    return array if array.shape[array.ndim - len(node.shape) :] == node.shape else array.reshape(node.shape)
