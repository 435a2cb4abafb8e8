"""AlexNet on enlarged pictures, simpler, and made small for pictures of 28 x 28."""

from collections.abc import Sequence

from simulator import nn
from simulator.experiments.classifier import classifier, sgd
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer


def dense(*units: int, dropout: float = 0.0) -> list[Layer]:
    layers: list[Layer] = [nn.Flatten()]
    for n in units:
        layers.append(nn.Dense(n, activation="relu"))
        layers += [nn.Dropout(dropout)] if dropout else []
    return layers


def at_224(filters: Sequence[int]) -> list[Layer]:
    """Kernels of 11, 5, 3, ..., a pool after the first two and the last convolution."""
    first, second, *others = filters
    return [
        nn.Resizing(224, 224),
        nn.Conv2D(first, 11, strides=4, activation="relu"),
        nn.MaxPooling2D(3, strides=2),
        nn.Conv2D(second, 5, padding="same", activation="relu"),
        nn.MaxPooling2D(3, strides=2),
        *(nn.Conv2D(n, 3, padding="same", activation="relu") for n in others),
        nn.MaxPooling2D(3, strides=2),
    ]


def alexnet(settings: Settings, seed: int) -> nn.Model:
    """Krizhevsky, Sutskever & Hinton 2012, for one channel and ten classes."""
    layers = [*at_224((96, 256, 384, 384, 256)), *dense(4096, 4096, dropout=0.5)]
    return classifier(layers, "AlexNet", sgd(settings), seed)


def simplified(settings: Settings, seed: int) -> nn.Model:
    layers = [*at_224((64, 128, 256)), *dense(1024, 512)]
    return classifier(layers, "AlexNet simplified", sgd(settings), seed)


def at_28(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = []
    for filters in (64, 128, 256):
        layers += [nn.Conv2D(filters, 3, padding="same", activation="relu"), nn.MaxPooling2D(2)]
    return classifier([*layers, *dense(1024, 512)], "AlexNet at 28", sgd(settings), seed)


ALEXNET = [
    Experiment(
        "alexnet",
        "AlexNet at 224",
        "fashion-mnist",
        alexnet,
        epochs=10,
        settings={"learning_rate": 0.01, "batch_size": 128, "micro_batch": 0},
        reported={"test accuracy": 0.885, "training accuracy": 0.881, "training loss": 0.327},
        remark="test accuracy 0.852 with batches of 256 and 0.897 with batches of 64; 737 examples a second on a "
        "laptop's GPU",
    ),
    Experiment(
        "alexnet-simplified",
        "AlexNet at 224, simplified: 64-128-256 filters, 1024 and 512 units",
        "fashion-mnist",
        simplified,
        epochs=10,
        settings={"learning_rate": 0.01, "batch_size": 128},
        reported={"test accuracy": 0.875},
        remark="2,678 examples a second on a laptop's GPU; kernels are not noted, here they are AlexNet's",
    ),
    Experiment(
        "alexnet-28",
        "AlexNet at 28: 3 x 3 kernels, 64-128-256 filters",
        "fashion-mnist",
        at_28,
        epochs=10,
        settings={"learning_rate": 0.01, "batch_size": 64},
        reported={"test accuracy": 0.862, "test loss": 0.392},
        remark="9,058 examples a second on a laptop's GPU",
    ),
]
