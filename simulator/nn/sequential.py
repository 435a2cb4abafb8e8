"""Models of layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.errors import SettingError
from simulator.nn.basic import Input, InputLayer
from simulator.nn.feed import DataSet
from simulator.nn.layer import Layer, Tensor
from simulator.nn.model import Model
from simulator.nn.option import require, shown
from simulator.nn.weight import numbers_in


class Sequential(Model):
    """Layers, or models, one after the other. Without an Input at the start it takes its shape from the first data.

    >>> from simulator.nn.basic import Dense, Input
    >>> Sequential([Input((2,)), Dense(3, "tanh"), Dense(1, "sigmoid")], name="small").summary()
    small: 13 parameters
    1 Dense                      3                       9
    2 Dense                      1                       4
    """

    def __init__(
        self,
        layers: Sequence[Tensor | Layer | Model] | None = None,
        name: str | None = "network",
        seed: int | None = None,
    ) -> None:
        several = isinstance(name, Layer | Model) or isinstance(layers, Layer | Model | Tensor)
        rule, advice = "Sequential takes a list of layers.", "Write Sequential([...]), with the list's brackets."
        require(not several, rule, "layers one by one", advice)
        self._start(name, seed)
        self._chain: list[Layer | Model] = []
        self._source: Tensor | None = None
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Tensor | Layer | Model) -> None:
        """One more layer at the end; an Input can only be the first."""
        self._append(layer)
        self._rebuild()

    def pop(self) -> Layer | Model:
        """Take the last layer away, and return it. Raises SettingError where there is none."""
        require(bool(self._chain), "pop takes the last layer of some.", "none")
        last = self._chain.pop()
        self._rebuild()
        return last

    def build(self, shape: Sequence[int | None]) -> None:
        """Take this shape of one sample, where no Input has given it. As in Keras, (None, ...) is that of a batch."""
        if self._source is None:
            sizes: tuple[Any, ...] = tuple(shape)
            self._source = Input(sizes[1:] if sizes[:1] == (None,) else sizes)
            self._rebuild()

    def _append(self, layer: Tensor | Layer | Model) -> None:
        if isinstance(layer, InputLayer):
            layer = Input(tuple(layer.shape or layer.input_shape or ()), name=layer.name)
        if isinstance(layer, Tensor):
            first = not self._chain and self._source is None and not layer.inputs
            require(first, "Sequential has one Input, at its start.", "another one")
            self._source = layer
            return
        rule = "Sequential takes layers, such as nn.Dense(3), after nn.Input((features,))."
        require(isinstance(layer, Layer | Model), rule, *shown(layer))
        if self._source is None and not self._chain:
            self._source = _start_of(layer)
        self._chain.append(layer)

    def _rebuild(self) -> None:
        if self._source is not None and self._chain:
            x = self._source
            for layer in self._chain:
                x = layer(x)
            self._join(self._source, x)
            self._forget()
            if self.loss:
                self._check_loss(self.loss)

    @property
    def layers(self) -> list[Layer | Model]:
        return list(self._chain)

    def _every(self) -> list[Layer]:
        return [layer for part in self._chain for layer in (part._every() if isinstance(part, Model) else [part])]

    def __str__(self) -> str:
        if self._is_built:
            return super().__str__()
        kinds = ", ".join(type(layer).__name__ for layer in self._every()) or "no layers"
        return f"{self.name}: {kinds}; sizes follow from an Input, model.build(shape) or the first data"

    def _prepare(self, x: Any) -> None:
        require(bool(self._chain), "Sequential needs a layer after the input.", "none")
        if self._source is None:
            some = x.samples() if isinstance(x, DataSet) else x[:1]
            self.build(numbers_in(some, "X").shape[1:])
        super()._prepare(x)

    def _begin_at(self, start: Tensor) -> None:
        self._source = start
        self._rebuild()

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        if isinstance(x, Tensor):
            self.build(x.sizes)
        return super().__call__(x, training)

    def __getattr__(self, name: str) -> Any:
        if name in ("inputs", "outputs", "numbers", "by_layer", "in_order") and "_chain" in self.__dict__:
            raise SettingError(
                "A Sequential knows its shapes from an Input or from data. Received: neither yet. Start it with "
                "nn.Input((features,)), or call model.build((features,))."
            )
        return super().__getattr__(name)


def _start_of(layer: Layer | Model) -> Tensor | None:
    """An input for the first part of a Sequential, where that knows what it takes."""
    shape: Sequence[int | None] | None = None
    if isinstance(layer, Model):
        if layer._is_built:
            shape = [None if k in layer._free else n for k, n in enumerate(layer.inputs.sizes)]
    elif layer.weights and layer.joined is not None:
        shape = layer.joined.inputs[0].sizes
    else:
        shape = layer.input_shape
    return None if shape is None else Input(shape)
