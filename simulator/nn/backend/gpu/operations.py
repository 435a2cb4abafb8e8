"""The words of layers, as operations of a plan on the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.errors import SettingError
from simulator.nn.backend.gpu import elementwise, normalization, pooling
from simulator.nn.backend.gpu.activation import Activation, curve_of
from simulator.nn.backend.gpu.affine import Biased, Convolution, Dense, TransposedConvolution
from simulator.nn.backend.gpu.plan import Node, Plan, Weight
from simulator.nn.backend.gpu.recurrent import Recurrent
from simulator.nn.backend.operation import Carried, Cell, Movement, Operations, Shape, below
from simulator.nn.option import require


@dataclass
class GpuOperations(Operations[Node]):
    """One layer's access to a plan."""

    plan: Plan
    weights: dict[str, Weight]
    training: bool = True

    @property
    def number(self) -> int:
        """The number of the next operation, which it draws its random numbers by."""
        return len(self.plan.operations)

    def part(self, name: str, short: str) -> GpuOperations:
        return replace(self, weights=below(name, self.weights))

    def shape(self, x: Node) -> Shape:
        return x.shape

    def dense(self, x: Node, bias: bool) -> Node:
        if len(x.shape) > 2:
            raise SettingError(f"Dense takes a vector or a sequence of vectors. Received: samples of shape {x.shape}.")
        return self.plan.append(Dense(self.plan, x, self.weights["kernel"], self._bias(bias)))

    def _bias(self, bias: bool) -> Weight | None:
        return self.weights["bias"] if bias else None

    def convolution(self, x: Node, strides: Sequence[int], padding: str, bias: bool) -> Node:
        kernel = self.weights["kernel"]
        if len(x.shape) == 3:
            return self.plan.append(Convolution(self.plan, x, kernel, self._bias(bias), strides, padding))
        k, image = kernel.value, self.reshaped(x, (x.shape[0], 1, x.shape[1]))
        size = (k.shape[0], 1, *k.shape[1:])
        wide = Weight("kernel", k.reshape(size), kernel.grad.reshape(size), kernel.trainable)
        z = self.plan.append(Convolution(self.plan, image, wide, self._bias(bias), (*strides, 1), padding))
        return self.reshaped(z, (z.shape[0], z.shape[2]))

    def transposed_convolution(self, x: Node, strides: Sequence[int], padding: str, bias: bool) -> Node:
        kernel = self.weights["kernel"]
        z = TransposedConvolution(self.plan, x, kernel, self._bias(bias), strides, padding)
        return self.plan.append(z)

    def activated(self, z: Node, activation: str | None, meaning: str = "weighted sum") -> Node:
        name, last = activation or "linear", self.plan.operations[-1]
        if isinstance(last, Biased) and last.output is z and name != "softmax":
            last.activation, last.curve = name, curve_of(name)
            return z
        return self.activation(z, name)

    def activation(self, x: Node, name: str, slope: float | None = None) -> Node:
        return x if name == "linear" else self.plan.append(Activation(self.plan, x, name, slope))

    def pooling(self, x: Node, size: Sequence[int], strides: Sequence[int], padding: str, largest: bool) -> Node:
        if len(x.shape) == 2:
            image = self.reshaped(x, (x.shape[0], 1, x.shape[1]))
            pooled = self.pooling(image, (*size, 1), (*strides, 1), padding, largest)
            return self.reshaped(pooled, (pooled.shape[0], x.shape[1]))
        return self.plan.append(pooling.Pooling(self.plan, x, size, strides, padding, largest))

    def global_pooling(self, x: Node, largest: bool) -> Node:
        return self.plan.append(pooling.GlobalPooling(self.plan, x, largest))

    def reshaped(self, x: Node, shape: Shape) -> Node:
        return x if shape == x.shape else self.plan.append(elementwise.Reshape(self.plan, x, shape))

    def dropout(self, x: Node, rate: float, seed: int | None) -> Node:
        return self.plan.append(elementwise.Dropout(self.plan, x, rate, self.number, seed)) if rate else x

    def batch_normalization(
        self, x: Node, momentum: float, epsilon: float, center: bool, scale: bool, frozen: bool
    ) -> Node:
        rule = "BatchNormalization that isn't trained runs on the backend 'numpy'."
        require(not frozen, rule, "trainable=False on 'cupy'")
        w = self.weights
        moving = (w["moving_mean"], w["moving_variance"])
        normal = normalization.BatchNormalization(
            self.plan, x, w.get("gamma"), w.get("beta"), *moving, momentum, epsilon
        )
        return self.plan.append(normal)

    def embedding(self, x: Node, rows: int) -> Node:
        return self.plan.append(elementwise.Embedding(self.plan, x, self.weights["embeddings"]))

    def add(self, *x: Node) -> Node:
        return self.plan.append(elementwise.Add(self.plan, *x))

    def multiplied(self, *x: Node) -> Node:
        return self.plan.append(elementwise.Multiply(self.plan, *x))

    def averaged(self, *x: Node) -> Node:
        return self.rescaled(self.add(*x), 1 / len(x), 0.0)

    def concatenated(self, axis: int, *x: Node) -> Node:
        return self.plan.append(elementwise.Concatenate(self.plan, axis % len(x[0].shape), *x))

    def layer_normalization(self, x: Node, epsilon: float, center: bool, scale: bool) -> Node:
        gamma, beta = self.weights.get("gamma"), self.weights.get("beta")
        return self.plan.append(normalization.LayerNormalization(self.plan, x, gamma, beta, epsilon))

    def noise(self, x: Node, stddev: float, seed: int | None) -> Node:
        return self.plan.append(elementwise.GaussianNoise(self.plan, x, stddev, self.number, seed)) if stddev else x

    def rescaled(self, x: Node, scale: float, offset: float) -> Node:
        return self.plan.append(elementwise.Scale(self.plan, x, scale, offset))

    def resized(self, x: Node, size: Sequence[int], interpolation: str) -> Node:
        return self.plan.append(elementwise.Resize(self.plan, x, size, interpolation))

    def moved(self, x: Node, movement: Movement, seed: int | None) -> Node:
        rule = 'The backend "cupy" has no pictures moved at random.'
        raise SettingError(f'{rule} Received: RandomFlip, RandomRotation or RandomZoom. Choose the backend "numpy".')

    def turned_round(self, x: Node) -> Node:
        return self.plan.append(elementwise.TurnRound(self.plan, x))

    def recurrent(self, x: Node, cell: Cell, sequences: bool, carried: Carried | None = None) -> Node:
        for what, asked in (("recurrent_dropout", cell.recurrent_dropout), ("stateful", carried is not None)):
            rule = f'The backend "cupy" has no {what}.'
            require(not asked, rule, f"a layer with {what}", 'Choose the backend "numpy".')
        if "softmax" in (cell.activation, cell.recurrent_activation):
            raise SettingError('A cell on the backend "cupy" has activations unit by unit. Received: softmax.')
        if cell.dropout:
            x = self.plan.append(elementwise.StepsDropout(self.plan, x, cell.dropout, self.number, cell.seed))
        return self.plan.append(Recurrent(self.plan, x, cell, sequences, self.weights))

    def attention(self, query: Node, value: Node, key_dim: int, bias: bool) -> Node:
        raise SettingError(
            'Attention trains by equations. Received: attention on the backend "cupy". Choose "expressions".'
        )

    def features(self, x: Node, names: Sequence[str]) -> Node:
        return self.plan.append(elementwise.Features(self.plan, x, names))
