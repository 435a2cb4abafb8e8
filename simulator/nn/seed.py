"""The seeds of models that are given none."""

from __future__ import annotations

import random

import numpy as np

from simulator.nn.option import is_whole, require

_state: dict[str, np.random.Generator] = {}


def set_random_seed(seed: int | None) -> None:
    """From here on every model that is given no seed has another one, and the same ones come in every run of a script.

    Without it such models have the seed 0, and two of one architecture begin alike. Python's and NumPy's own
    generators are seeded too, for data that a script draws. None goes back to the seed 0 for all. Raises SettingError
    unless seed is a whole number from 0.

    >>> from simulator import nn
    >>> def firsts():
    ...     set_random_seed(3)
    ...     return [nn.Sequential([nn.Input((2,)), nn.Dense(1)]).get_weights()[0][0, 0] for _ in range(2)]
    >>> first, second = firsts()
    >>> bool(first != second), [first, second] == firsts()
    (True, True)
    >>> set_random_seed(None)
    """
    _state.clear()
    if seed is None:
        return
    require(is_whole(seed) and 0 <= seed < 2**32, "A seed is a whole number from 0 to below 2^32.", repr(seed))
    random.seed(seed)
    np.random.seed(seed)
    _state["drawn"] = np.random.default_rng(seed)


def next_seed() -> int:
    return int(_state["drawn"].integers(2**31)) if _state else 0
