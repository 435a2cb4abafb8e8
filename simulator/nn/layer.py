"""What a layer is: options, weights, and how its output is made of a backend's operations.

# N samples in a batch; shapes of layers leave N out, as Keras's summaries do
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import ShapeError, did_you_mean, public
from simulator.nn.backend.operation import Carried, Operations, Shape, T
from simulator.nn.initializer import Array, Initializer, initializer_of
from simulator.nn.option import Configured, require
from simulator.nn.regularizer import L1L2, regularizer_of
from simulator.nn.weight import given, take

if TYPE_CHECKING:
    from simulator.nn.model import Model
    from simulator.nn.trace import Weight


class WeightSpec(NamedTuple):
    """A weight that a layer asks for. symbol is the lecture's letter; kind is how its cells are laid out."""

    name: str  # Keras's: kernel, bias
    symbol: str
    shape: Shape
    initializer: str | Initializer
    meaning: str
    kind: str = ""
    regularizer: L1L2 | None = None
    trainable: bool = True


@dataclass(eq=False)
class Tensor:
    """A layer applied to others, not computed yet: what a functional model is made of."""

    layer: Layer
    inputs: tuple[Tensor, ...] = field(repr=False)  # a network with branches has as many texts as paths
    sizes: Shape  # of one sample
    call: Call | None = field(default=None, repr=False)  # the outermost one that it is part of

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Keras's: sizes after a None for the samples of a batch."""
        return (None, *self.sizes)

    def __add__(self, other: Tensor) -> Tensor:
        """The layer Add of both."""
        from simulator.nn.basic import Add

        return Add()([self, other]) if isinstance(other, Tensor) else NotImplemented

    def __mul__(self, other: Tensor) -> Tensor:
        """The layer Multiply of both."""
        from simulator.nn.basic import Multiply

        return Multiply()([self, other]) if isinstance(other, Tensor) else NotImplemented


@dataclass(eq=False)
class Call:
    """A model that was called with a tensor: its layers, once more, lead from there to its result."""

    model: Model
    start: Tensor
    end: Tensor | None = None


counted: dict[str, int] = {}  # layers without a name of their user's, by kind: the number of the last one


@dataclass(eq=False)
class Layer(Configured):
    """Base of all layers. A subclass is a dataclass with Keras's options and the three methods below.

    Where trainable is False, training leaves the weights alone; as in Keras, a change counts from the next `compile`.
    input_shape, of one sample, stands for an `Input` before the first layer of a Sequential.
    """

    name: str = field(default="", kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    input_shape: Sequence[int] | None = field(default=None, kw_only=True)
    carried: Carried = field(init=False, repr=False, default_factory=dict)  # states of a stateful layer
    weights: list[Weight] = field(init=False, repr=False, default_factory=list)  # of the model that has it since last
    joined: Tensor | None = field(init=False, repr=False, default=None)  # where it is in that model
    named: bool = field(init=False, repr=False, default=False)  # by its user; otherwise by its kind and a number

    joins: ClassVar[bool] = False  # whether it takes several inputs

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            if name.endswith("_initializer"):
                setattr(self, name, initializer_of(getattr(self, name)))
            elif name.endswith("_regularizer"):
                setattr(self, name, regularizer_of(getattr(self, name)))

    def begin(self) -> None:
        """Have a name in any case, as in Keras: dense, dense_1."""
        kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(self).__name__)
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()
        self.named = bool(self.name) and not re.fullmatch(rf"{kind}(_\d+)?", self.name)
        if not self.name:
            count = counted[kind] = counted.get(kind, -1) + 1
            self.name = f"{kind}_{count}" if count else kind

    def config(self) -> dict[str, Any]:
        return {key: value for key, value in super().config().items() if key != "input_shape"}

    def specs_of(self, *inputs: Shape) -> list[WeightSpec]:
        """`weights_of`, as they are to be trained now."""
        return [spec._replace(trainable=spec.trainable and self.trainable) for spec in self.weights_of(*inputs)]

    def __getattr__(self, name: str) -> Any:
        """A weight by Keras's name of it: layer.kernel, layer.bias."""
        for weight in self.__dict__.get("weights", ()):
            if weight.name == name:
                return weight
        hint = did_you_mean(name, public(type(self)))
        raise AttributeError(f"{type(self).__name__} has no {name}, or no weights before it is in a model.{hint}")

    @property
    def output(self) -> Tensor:
        """Its result in the model that has it since last, where another model may end: `Model(m.inputs, layer.output)`.

        Raises SettingError before it is in a model.
        """
        require(self.joined is not None, "A layer has an output once it is in a model.", type(self).__name__)
        assert self.joined is not None
        return self.joined

    @property
    def input(self) -> Tensor | list[Tensor]:
        """What it takes there; a list where it joins several."""
        given = list(self.output.inputs)
        return given if self.joins else given[0]

    def get_weights(self) -> list[Array]:
        """The weights in Keras's order; none before the layer is in a model."""
        return given(self.weights)

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Take these arrays. Raises ShapeError when number or shapes differ from `get_weights`."""
        take(self.weights, weights)

    def count_params(self) -> int:
        return sum(w.value.size for w in self.weights)

    def shape_of(self, *inputs: Shape) -> Shape:
        """The output's shape from the inputs' shapes. Raises ShapeError when they don't fit."""
        return inputs[0]

    def weights_of(self, *inputs: Shape) -> list[WeightSpec]:
        return []

    def call(self, at: Operations[T], *x: T) -> T:
        """The output of one batch, in the operations of whichever backend computes it."""
        raise NotImplementedError

    @overload
    def __call__(self, inputs: NDArray[Any], /, *, training: bool | None = None) -> NDArray[Any]: ...

    @overload
    def __call__(self, *inputs: Tensor | Sequence[Tensor], training: None = None) -> Tensor: ...

    def __call__(self, *inputs: Any, training: bool | None = None) -> Any:
        """This layer after a tensor, or after several where it joins them; or, for samples (N, ...), its answers."""
        if len(inputs) == 1 and isinstance(inputs[0], np.ndarray):
            return self._answers(inputs[0], training)
        rule, advice = "A layer trains when its model does.", "model(x, training=True) draws masks for samples."
        require(training is None, rule, f"training={training} for one layer of a network", advice)
        several = [
            t for x in inputs for t in ([x] if isinstance(x, Tensor) else x if isinstance(x, list | tuple) else [x])
        ]
        tensors = tuple(t for t in several if isinstance(t, Tensor))
        for t in several:
            if not isinstance(t, Tensor):
                raise ShapeError(
                    f"{type(self).__name__} is called with the results of other layers, or with an array. Received: "
                    f"{type(t).__name__}. Start from nn.Input((features,))."
                )
        if len(tensors) != 1 and not self.joins:
            raise ShapeError(f"{type(self).__name__} takes one input. Received: {len(tensors)}. Join them with nn.Add.")
        return Tensor(self, tensors, self.shape_of(*(t.sizes for t in tensors)))

    def _answers(self, x: NDArray[Any], training: bool | None) -> NDArray[Any]:
        from simulator.nn.basic import Input
        from simulator.nn.model import Model

        start = Input(x.shape[1:])
        found: NDArray[Any] = Model(start, self(start))(x, training)
        return found

    def reset_state(self) -> None:
        """Let the next batch start from zeros, where the layer is stateful."""
        self.carried.clear()

    def needs(self, axes: int, shape: Shape, what: str, advice: str = "Check the layer before it.") -> None:
        if len(shape) != axes:
            raise ShapeError(
                f"{type(self).__name__} needs {what}: samples of {axes} {'axis' if axes == 1 else 'axes'}. "
                f"Received: samples of shape {shape}. {advice}"
            )


def draws(layer: Layer) -> bool:
    """Whether training draws something at every step."""
    inner = getattr(layer, "layer", layer)
    return any(getattr(inner, name, 0) for name in ("rate", "stddev", "dropout", "recurrent_dropout"))


def apart(layer: Layer) -> Layer:
    """A layer with the same options, without weights, and with states of its own, which begin with zeros."""
    other = copy(layer)
    other.carried, other.weights, other.joined = {}, [], None
    return other


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


def units(output: Tensor) -> list[Layer | Model]:
    """Layers and called models that lead to an output, in Keras's order: the farthest from it first.

    Of those that are as far, the one comes first that is met first on the way back. A model that was called is one.
    """
    there = {id(t) for t in walk(output)}

    def whole(t: Tensor) -> tuple[Any, Layer | Model, tuple[Tensor, ...]]:
        """The call or tensor, what made it, and what goes in."""
        if t.call is not None and id(t.call.end) in there:
            return t.call, t.call.model, (t.call.start,)
        return t, t.layer, t.inputs

    nodes: dict[int, tuple[Layer | Model, list[int]]] = {}  # inputs first
    met: dict[int, int] = {}

    def visit(t: Tensor) -> int:
        node, unit, sources = whole(t)
        if id(node) not in nodes:
            met.setdefault(id(unit), len(met))
            before = [visit(source) for source in sources]
            nodes[id(node)] = unit, before
        return id(node)

    visit(output)
    of_nodes: dict[int, int] = {}
    depths: dict[int, tuple[int, Layer | Model]] = {}
    for node, (unit, before) in reversed(nodes.items()):
        depth = max(of_nodes.get(node, 0), depths.get(id(unit), (0, unit))[0])
        depths[id(unit)] = depth, unit
        for source in before:
            of_nodes[source] = max(of_nodes.get(source, 0), depth + 1)
    ordered = sorted(depths.values(), key=lambda each: (-each[0], met[id(each[1])]))
    return [unit for _, unit in ordered]
