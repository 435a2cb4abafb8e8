"""Features of two inputs, as the browser playground offers them: as formulas."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.datasets.playground import FEATURES
from simulator.errors import ShapeError
from simulator.nn.layer import E, Layer, Scope, Shape
from simulator.nn.option import chosen
from simulator.tape import namespace as tape
from simulator.tape.arrangement import join, positions_of, take


@dataclass(eq=False)
class Features(Layer):
    """The named features of two inputs side by side: (N, 2) -> (N, len(names)).

    >>> from simulator.nn import Input
    >>> Features(("x1^2", "x2^2"))(Input((2,))).shape
    (2,)
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

    def equations(self, at: Scope, *x: E) -> E:
        columns = positions_of(x[0])
        x1, x2 = (take(x[0], columns[:, k : k + 1], f"{{0}}[:,{k + 1}]") for k in (0, 1))
        found = join([FEATURES[name](x1, x2, tape.sin) for name in self.names], 1)
        return at.call(found, "P" if at.final else "F", ", ".join(self.names))
