"""What computes a network: the same operations on expressions, on NumPy arrays and on CuPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.nn.option import chosen

if TYPE_CHECKING:
    from simulator.nn.backend.network import Network
    from simulator.nn.layer import Layer, Tensor

BACKENDS = ("numpy", "cupy", "expressions")


def backend_named(name: object) -> str:
    """The name of a backend that is there. Raises SettingError for another one."""
    chosen("A backend", name, dict.fromkeys(BACKENDS))
    return str(name)


def clear_session() -> None:
    """Keras's way to forget all models. Here nothing outlives its model but the count of layers, which begins anew."""
    from simulator.nn.layer import counted

    counted.clear()


def precision_of(backend: str) -> Any:
    """The numbers that a backend takes: those of a workbook for "expressions", otherwise half as many digits."""
    return np.float64 if backend == "expressions" else np.float32


def network_on(
    backend: str, output: Tensor, numbers: Mapping[int, int], layers: Sequence[Layer], weights: Mapping[int, Any]
) -> Network:
    """A model's layers on a backend, with the weights of the model, by the layer's id.

    Raises SettingError where CuPy or its GPU is missing.
    """
    if backend == "cupy":
        from simulator.nn.backend.gpu.network import network_of as on_gpu

        return on_gpu(output, numbers, layers, weights)
    if backend == "expressions":
        from simulator.nn.backend.expression_network import network_of as by_equations

        return by_equations(output, numbers, layers, weights)
    from simulator.nn.backend.cpu.network import network_of as on_cpu

    return on_cpu(output, numbers, layers, weights)
