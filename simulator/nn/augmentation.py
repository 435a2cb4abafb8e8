"""Pictures moved at random, in training alone. Every sample draws its own numbers.

# x (N, H, W, C); a movement (n, 2, 3) gives for each sample the row and column that a new place (row, column, 1) shows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.nn.backend.interpolation import FILL_MODES, INTERPOLATIONS
from simulator.nn.backend.operation import Movement, Operations, Shape, T
from simulator.nn.basic import seed_checked
from simulator.nn.layer import Layer
from simulator.nn.option import one_of, require

FLIPS = {"horizontal": (False, True), "vertical": (True, False), "horizontal_and_vertical": (True, True)}


def _range_of(layer: Layer, name: str, lowest: float) -> tuple[float, float]:
    """The bounds that a factor stands for: one number is that much to either side."""
    given: Any = getattr(layer, name)
    bounds = given if isinstance(given, tuple | list) else (given, given)
    numbers = all(isinstance(b, int | float) and not isinstance(b, bool) and lowest <= b <= 1 for b in bounds)
    rule = f"{type(layer).__name__} needs {name} to be a number from {lowest:g} to 1, or two of them."
    require(len(bounds) == 2 and numbers, rule, repr(given))
    if bounds is given:
        return min(bounds), max(bounds)
    return -abs(given), abs(given)


def _about_middle(turn: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """Movements (n, 2, 3) that apply turn (n, 2, 2) about the middle of pictures."""
    middle = (np.array(shape[:2]) - 1) / 2
    return np.concatenate([turn, (middle - turn @ middle)[..., None]], axis=2)


@dataclass(eq=False)
class _Moved(Layer):
    def shape_of(self, *inputs: Shape) -> Shape:
        self.needs(3, inputs[0], "an image (height, width, channels)")
        return inputs[0]


def _filling_checked(layer: RandomRotation | RandomZoom) -> None:
    """The options that rotation and zoom share."""
    one_of("fill_mode", layer.fill_mode, FILL_MODES)
    one_of("interpolation", layer.interpolation, INTERPOLATIONS)
    seed_checked(layer)


@dataclass(eq=False)
class RandomFlip(_Moved):
    """Half of the pictures mirrored, left to right or top to bottom, or, with both, in both directions at once.

    mode is "horizontal", "vertical" or "horizontal_and_vertical". Works in training alone; workbooks of a training
    don't show it.

    >>> from simulator.nn import Input
    >>> RandomFlip("horizontal")(Input((28, 28, 1))).shape
    (None, 28, 28, 1)
    """

    mode: str = "horizontal_and_vertical"
    seed: int | None = None

    def __post_init__(self) -> None:
        one_of("mode", self.mode, FLIPS)
        seed_checked(self)

    def call(self, at: Operations[T], *x: T) -> T:
        shape = at.shape(x[0])

        def drawn(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
            flipped = (rng.random(n) <= 0.5)[:, None] & np.array(FLIPS[self.mode])
            return _about_middle(np.where(flipped, -1.0, 1.0)[..., None] * np.eye(2), shape)

        return at.moved(x[0], Movement(drawn, "nearest", "nearest"), self.seed)


@dataclass(eq=False)
class RandomRotation(_Moved):
    """Pictures turned about their middle. factor is a share of a full turn, positive anticlockwise.

    0.1 draws from -0.1 to 0.1, (0.1, 0.2) from 0.1 to 0.2. What comes from outside the picture is filled by fill_mode:
    "reflect" (d c b a | a b c d | d c b a), "nearest" (a a | a b c d | d d), "wrap" (c d | a b c d | a b) or
    "constant", with fill_value. interpolation is "bilinear" or "nearest". Works in training alone; workbooks of a
    training don't show it.

    >>> from simulator.nn import Input
    >>> RandomRotation(0.05)(Input((28, 28, 1))).shape
    (None, 28, 28, 1)
    """

    factor: Any = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        self._range = _range_of(self, "factor", -1)
        _filling_checked(self)

    def call(self, at: Operations[T], *x: T) -> T:
        shape = at.shape(x[0])

        def drawn(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
            angle = 2 * np.pi * rng.uniform(*self._range, n)
            c, s = np.cos(angle), np.sin(angle)
            return _about_middle(np.stack([np.stack([c, s], 1), np.stack([-s, c], 1)], 1), shape)

        return at.moved(x[0], Movement(drawn, self.interpolation, self.fill_mode, self.fill_value), self.seed)


@dataclass(eq=False)
class RandomZoom(_Moved):
    """Pictures drawn together or apart about their middle: a factor of 0.2 shows 1.2 times as much, -0.2 0.8 times.

    One number draws from either side, two from between them. Without width_factor both sides share one draw. The other
    options are those of `RandomRotation`. Works in training alone; workbooks of a training don't show it.

    >>> from simulator.nn import Input
    >>> RandomZoom(0.1)(Input((28, 28, 1))).shape
    (None, 28, 28, 1)
    """

    height_factor: Any = None
    width_factor: Any = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        self._height = _range_of(self, "height_factor", -1)
        self._width = None if self.width_factor is None else _range_of(self, "width_factor", -1)
        _filling_checked(self)

    def call(self, at: Operations[T], *x: T) -> T:
        shape = at.shape(x[0])

        def drawn(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
            height = 1 + rng.uniform(*self._height, n)
            width = height if self._width is None else 1 + rng.uniform(*self._width, n)
            return _about_middle(np.stack([height, width], 1)[..., None] * np.eye(2), shape)

        return at.moved(x[0], Movement(drawn, self.interpolation, self.fill_mode, self.fill_value), self.seed)
