"""What the networks that sort pictures have in common: one grey channel, ten classes."""

from collections.abc import Callable, Sequence

from simulator import nn
from simulator.nn.layer import Layer, Tensor
from simulator.nn.optimizer import Optimizer

PICTURE = (28, 28, 1)
CLASSES = 10


def classifier(
    body: Sequence[Layer] | Callable[[Tensor], Tensor],
    name: str,
    optimizer: Optimizer,
    seed: int,
    shape: tuple[int, ...] = PICTURE,
) -> nn.Model:
    """The compiled network: the body, layers one after the other or a function of the input, and a softmax."""
    inputs = x = nn.Input(shape)
    if callable(body):
        x = body(x)
    else:
        for layer in body:
            x = layer(x)
    outputs = nn.Dense(CLASSES, activation="softmax")(x)
    model = nn.Model(inputs, outputs, name, seed)
    return model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
