"""Pictures in another size, inside the network."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.nn.backend.interpolation import INTERPOLATIONS
from simulator.nn.backend.operation import Operations, Shape, T
from simulator.nn.layer import Layer
from simulator.nn.option import is_whole, one_of, require


@dataclass(eq=False)
class Resizing(Layer):
    """Every channel in another size. x (N, H, W, C) becomes (N, height, width, C).

    "bilinear" weighs the four nearest places by their distance, "nearest" takes one; Keras's options that crop or pad
    to keep proportions aren't here.

    >>> from simulator.nn import Input
    >>> Resizing(224, 224)(Input((28, 28, 1))).shape
    (None, 224, 224, 1)
    """

    height: int = 0
    width: int = 0
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        for size in (self.height, self.width):
            good = is_whole(size) and size > 0
            require(good, "Resizing needs height and width to be whole numbers above 0.", repr(size))
        one_of("interpolation", self.interpolation, INTERPOLATIONS)

    def shape_of(self, *inputs: Shape) -> Shape:
        self.needs(3, inputs[0], "an image (height, width, channels)")
        return self.height, self.width, inputs[0][-1]

    def call(self, at: Operations[T], *x: T) -> T:
        return at.resized(x[0], (self.height, self.width), self.interpolation)
