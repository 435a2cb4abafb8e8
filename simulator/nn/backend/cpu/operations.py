"""The words of layers, as operations of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.errors import SettingError
from simulator.nn.backend.cpu import activation, dense, elementwise, normalization, pooling
from simulator.nn.backend.cpu.compiled import kernels
from simulator.nn.backend.cpu.compiled_pooling import CompiledAveragePooling, CompiledMaxPooling, CompiledPooling
from simulator.nn.backend.cpu.compiled_recurrent import cell_of
from simulator.nn.backend.cpu.convolution import Convolution
from simulator.nn.backend.cpu.moving import Move
from simulator.nn.backend.cpu.plan import Node, Plan, Weight
from simulator.nn.backend.cpu.resizing import Resize
from simulator.nn.backend.cpu.transposed import TransposedConvolution
from simulator.nn.backend.cpu.winograd import convolution
from simulator.nn.backend.operation import Carried, Cell, Movement, Operations, Shape, below


@dataclass
class CpuOperations(Operations[Node]):
    """One layer's access to a plan; alone says that nothing else uses its input."""

    plan: Plan
    weights: dict[str, Weight]
    alone: bool
    training: bool = True

    @property
    def number(self) -> int:
        """The number of the next operation, which it draws its random numbers by."""
        return len(self.plan.operations)

    def part(self, name: str, short: str) -> CpuOperations:
        return replace(self, weights=below(name, self.weights))

    def shape(self, x: Node) -> Shape:
        return x.shape

    def dense(self, x: Node, bias: bool) -> Node:
        if len(x.shape) > 2:
            raise SettingError(f"Dense takes a vector or a sequence of vectors. Received: samples of shape {x.shape}.")
        return self._biased(self.plan.append(dense.Dense(x, self.weights["kernel"])), bias)

    def _biased(self, z: Node, bias: bool) -> Node:
        return self.plan.append(elementwise.Bias(z, self.weights["bias"])) if bias else z

    def convolution(self, x: Node, strides: Sequence[int], padding: str, bias: bool) -> Node:
        kernel = self.weights["kernel"]
        if len(x.shape) == 3:
            return self._biased(self.plan.append(convolution(x, kernel, strides, padding)), bias)
        image = self._reshaped(x, (x.shape[0], 1, x.shape[1]))
        z = self.plan.append(Convolution(image, kernel, (*strides, 1), padding))
        return self._biased(self._reshaped(z, (z.shape[0], z.shape[2])), bias)

    def transposed_convolution(self, x: Node, strides: Sequence[int], padding: str, bias: bool) -> Node:
        z = TransposedConvolution(x, self.weights["kernel"], strides, padding)
        return self._biased(self.plan.append(z), bias)

    def _reshaped(self, x: Node, shape: Shape) -> Node:
        return self.plan.append(elementwise.Reshape(x, shape))

    def activated(self, z: Node, activation: str | None, meaning: str = "weighted sum") -> Node:
        return self.activation(z, activation or "linear")

    def activation(self, x: Node, name: str, slope: float | None = None) -> Node:
        if name == "linear":
            return x
        return self.plan.append(activation.Activation(x, name, slope))

    def pooling(self, x: Node, size: Sequence[int], strides: Sequence[int], padding: str, largest: bool) -> Node:
        if len(x.shape) == 2:
            image = self._reshaped(x, (x.shape[0], 1, x.shape[1]))
            pooled = self.pooling(image, (*size, 1), (*strides, 1), padding, largest)
            return self._reshaped(pooled, (pooled.shape[0], x.shape[1]))
        found = kernels()
        if not largest:
            if found is not None:
                return self.plan.append(CompiledAveragePooling(found, x, size, strides, padding))
            return self.plan.append(pooling.AveragePooling(x, size, strides, padding))
        # A maximum commutes with a bias and with an activation that rises: these then have a quarter of the work.
        later = []
        while self.alone and self._can_wait(x):
            operation = self.plan.operations.pop()
            x = operation.inputs[0]
            x.used -= 1
            later.append(operation)
        if tuple(size) == tuple(strides) == (2, 2) and (padding == "valid" or not (x.shape[0] % 2 or x.shape[1] % 2)):
            match later:
                case [activation.Activation(name="relu", slope=None), elementwise.Bias(b=bias)] if found is not None:
                    return self.plan.append(CompiledPooling(found, x, bias))
            x = self.plan.append(pooling.PairMaxPooling(x))
        elif found is not None:
            x = self.plan.append(CompiledMaxPooling(found, x, size, strides, padding))
        else:
            x = self.plan.append(pooling.MaxPooling(x, size, strides, padding))
        for operation in reversed(later):
            if isinstance(operation, elementwise.Bias):
                x = self.plan.append(elementwise.Bias(x, operation.b))
            elif isinstance(operation, activation.Activation):
                x = self.plan.append(activation.Activation(x, operation.name, operation.slope))
        return x

    def _can_wait(self, x: Node) -> bool:
        last = self.plan.operations[-1] if self.plan.operations else None
        rises = isinstance(last, activation.Activation) and last.name in activation.RISING
        return last is not None and last.output is x and (rises or isinstance(last, elementwise.Bias))

    def global_pooling(self, x: Node, largest: bool) -> Node:
        return self.plan.append(pooling.GlobalPooling(x, largest))

    def reshaped(self, x: Node, shape: Shape) -> Node:
        return x if shape == x.shape else self._reshaped(x, shape)

    def dropout(self, x: Node, rate: float, seed: int | None) -> Node:
        return self.plan.append(elementwise.Dropout(x, rate, self.number, seed)) if rate else x

    def batch_normalization(
        self, x: Node, momentum: float, epsilon: float, center: bool, scale: bool, frozen: bool
    ) -> Node:
        w = self.weights
        weights = (w.get("gamma"), w.get("beta"), w["moving_mean"], w["moving_variance"])
        return self.plan.append(normalization.BatchNormalization(x, *weights, momentum, epsilon, frozen))

    def embedding(self, x: Node, rows: int) -> Node:
        return self.plan.append(dense.Embedding(x, self.weights["embeddings"]))

    def add(self, *x: Node) -> Node:
        return self.plan.append(elementwise.Add(*x))

    def multiplied(self, *x: Node) -> Node:
        return self.plan.append(elementwise.Multiply(*x))

    def averaged(self, *x: Node) -> Node:
        return self.rescaled(self.add(*x), 1 / len(x), 0.0)

    def concatenated(self, axis: int, *x: Node) -> Node:
        return self.plan.append(elementwise.Concatenate(axis, *x))

    def layer_normalization(self, x: Node, epsilon: float, center: bool, scale: bool) -> Node:
        gamma, beta = self.weights.get("gamma"), self.weights.get("beta")
        return self.plan.append(normalization.LayerNormalization(x, gamma, beta, epsilon))

    def noise(self, x: Node, stddev: float, seed: int | None) -> Node:
        return self.plan.append(elementwise.GaussianNoise(x, stddev, self.number, seed)) if stddev else x

    def rescaled(self, x: Node, scale: float, offset: float) -> Node:
        return self.plan.append(elementwise.Scale(x, scale, offset))

    def resized(self, x: Node, size: Sequence[int], interpolation: str) -> Node:
        return self.plan.append(Resize(x, size, interpolation))

    def moved(self, x: Node, movement: Movement, seed: int | None) -> Node:
        return self.plan.append(Move(x, movement, self.number, seed))

    def turned_round(self, x: Node) -> Node:
        return self.plan.append(elementwise.TurnRound(x))

    def recurrent(self, x: Node, cell: Cell, sequences: bool, carried: Carried | None = None) -> Node:
        return self.plan.append(cell_of(x, cell, sequences, self.weights, self.number, carried))

    def attention(self, query: Node, value: Node, key_dim: int, bias: bool) -> Node:
        raise SettingError(
            'Attention trains by equations. Received: attention on the backend "numpy". Choose "expressions".'
        )

    def features(self, x: Node, names: Sequence[str]) -> Node:
        return self.plan.append(elementwise.Features(x, names))
