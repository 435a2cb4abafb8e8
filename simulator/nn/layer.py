"""What a layer is: options, weights, and equations that are read as values, formulas and gradients.

# N samples in a batch; shapes of layers leave N out, as Keras's summaries do
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from simulator.errors import ShapeError
from simulator.nn.activation import ACTIVATIONS
from simulator.nn.initializer import Array
from simulator.nn.option import Configured, chosen
from simulator.nn.regularizer import L1L2
from simulator.tape import namespace as tape
from simulator.tape.expression import Expression, given

E = Expression
Shape = tuple[int, ...]


class WeightSpec(NamedTuple):
    """A weight that a layer asks for. symbol is the lecture's letter; kind is how its cells are laid out."""

    name: str  # Keras's: kernel, bias
    symbol: str
    shape: Shape
    initializer: str
    meaning: str
    kind: str = ""
    regularizer: L1L2 | None = None
    trainable: bool = True


@dataclass(eq=False)
class Tensor:
    """A layer applied to others, not computed yet: what a functional model is made of."""

    layer: Layer
    inputs: tuple[Tensor, ...]
    shape: Shape


@dataclass(eq=False)
class Layer(Configured):
    """Base of all layers. A subclass is a dataclass with Keras's options and the three methods below."""

    name: str = field(default="", kw_only=True)

    joins: ClassVar[bool] = False  # whether it takes several inputs

    def shape_of(self, *inputs: Shape) -> Shape:
        """The output's shape from the inputs' shapes. Raises ShapeError when they don't fit."""
        return inputs[0]

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        return []

    def equations(self, at: Scope, *x: E) -> E:
        """The output of one batch, intermediate results named through the scope."""
        raise NotImplementedError

    def __call__(self, *inputs: Tensor | Sequence[Tensor]) -> Tensor:
        given = [
            t for x in inputs for t in ([x] if isinstance(x, Tensor) else x if isinstance(x, list | tuple) else [x])
        ]
        tensors = tuple(t for t in given if isinstance(t, Tensor))
        for t in given:
            if not isinstance(t, Tensor):
                raise ShapeError(
                    f"{type(self).__name__} is called with the results of other layers. Received: {t!r}. "
                    "Start from nn.Input((features,))."
                )
        if len(tensors) != 1 and not self.joins:
            raise ShapeError(f"{type(self).__name__} takes one input. Received: {len(tensors)}. Join them with nn.Add.")
        return Tensor(self, tensors, self.shape_of(*(t.shape for t in tensors)))

    def needs(self, axes: int, shape: Shape, what: str) -> None:
        if len(shape) != axes:
            raise ShapeError(
                f"{type(self).__name__} needs {what}, a sample of {axes} {'axis' if axes == 1 else 'axes'}. "
                f"Received: samples of shape {shape}. Check the layer before it."
            )


class Seen(NamedTuple):
    """Where a named array belongs: its layer, the block it is part of, how its cells are laid out, its time step."""

    layer: int
    block: str
    kind: str
    time: int | None = None


@dataclass
class Scope:
    """What a layer's equations may use: its weights, names for its results, given arrays."""

    number: int  # the layer's
    tag: str  # what ends the names of this use of the layer: 2, or 2b when layer 2 is used a second time
    weights: dict[str, E]
    training: bool
    final: bool  # the layer whose result is the prediction
    seen: dict[int, Seen]
    given: dict[str, tuple[E, Array]]  # arrays that the layer needs beside its weights: masks, first states
    renewed: dict[str, E]  # weights that the layer itself renews at every step
    setting: Callable[[str, float, str], E]
    rng: np.random.Generator

    def call(
        self, x: E, symbol: str, meaning: str, *, step: int | None = None, kind: str = "", gradient: bool = True
    ) -> E:
        """Give an array its name, and so its cells: Z becomes Z2 in layer 2, Z2[3] at step 3 of a sequence."""
        block = f"{symbol}{self.tag}" if symbol != "P" else symbol
        x = x.named(block if step is None else f"{block}[{step}]", meaning, gradient=gradient)
        self.place(x, block, kind, step)
        return x

    def place(self, x: E, block: str, kind: str = "", step: int | None = None) -> None:
        """Give an array that has a name already its place on the layer's sheet."""
        self.seen[x.serial] = Seen(self.number, block, kind, step)

    def fixed(self, symbol: str, value: Array, meaning: str) -> E:
        """An array of given numbers with cells of its own, such as a mask."""
        name = f"{symbol}{self.tag}"
        leaf = given(name, value.shape, meaning)
        self.given[name] = leaf, value
        return leaf

    def activated(self, z: E, activation: str | None, meaning: str = "weighted sum") -> E:
        """The activation of a sum, both with cells; the last layer's result is P, the prediction."""
        name = activation or "linear"
        function = chosen("An activation", name, ACTIVATIONS)
        if name == "linear":
            return self.call(z, "P", "prediction") if self.final else self.call(z, "Z", meaning)
        z = self.call(z, "Z", meaning)
        if name == "softmax":
            a = tape.softmax(z, -1, (f"e{self.tag}", f"s{self.tag}"))
            for part in a.args:
                self.place(part, part.name)
        else:
            a = function(z)
        return self.call(a, "P", "prediction") if self.final else self.call(a, "A", f"{name} of {z.name}")


def walk(output: Tensor) -> Iterator[Tensor]:
    """Every tensor that the output depends on, inputs first."""
    done: set[int] = set()

    def visit(t: Tensor) -> Iterator[Tensor]:
        if id(t) not in done:
            done.add(id(t))
            for source in t.inputs:
                yield from visit(source)
            yield t

    return visit(output)
