"""What the networks that sort pictures have in common: one grey channel, ten classes."""

from collections.abc import Callable, Sequence

from simulator import nn
from simulator.experiments.experiment import Settings, at_once
from simulator.nn.layer import Layer, Tensor
from simulator.nn.optimizer import SGD, Optimizer

PICTURE = (28, 28, 1)
CLASSES = 10


def sgd(settings: Settings) -> SGD:
    """Steps along the gradient of a batch, which may be gathered from its parts."""
    parts = int(settings["batch_size"]) // at_once(settings)
    return SGD(settings["learning_rate"], gradient_accumulation_steps=parts if parts > 1 else None)


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
