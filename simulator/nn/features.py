"""Features of two inputs, as the browser playground offers them: as formulas."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.datasets.playground import FEATURES
from simulator.errors import ShapeError
from simulator.nn.backend.operation import Operations, Shape, T
from simulator.nn.layer import Layer
from simulator.nn.option import chosen


@dataclass(eq=False)
class Features(Layer):
    """The named features of two inputs side by side: (N, 2) -> (N, len(names)).

    >>> from simulator.nn import Input
    >>> Features(("x1^2", "x2^2"))(Input((2,))).shape
    (None, 2)
    """

    names: tuple[str, ...] = ("x1", "x2")

    def __post_init__(self) -> None:
        self.names = tuple(self.names)
        for name in self.names:
            chosen("A feature", name, FEATURES)

    def shape_of(self, *inputs: Shape) -> Shape:
        if inputs != ((2,),):
            raise ShapeError(f"Features are made of two inputs. Received: {', '.join(map(str, inputs))}.")
        return (len(self.names),)

    def call(self, at: Operations[T], *x: T) -> T:
        return at.features(x[0], self.names)
