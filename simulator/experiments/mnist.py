"""Digits: convolutions with and without pooling, dense ones with a good rate and a bad one, logistic, beside noise."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator import nn
from simulator.datasets.image import Images
from simulator.experiments.classifier import PICTURE, classifier
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer


def rmsprop(settings: Settings) -> nn.RMSprop:
    return nn.RMSprop(settings["learning_rate"])


def convnet(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = []
    for filters in (32, 64, 128):
        layers += [nn.Conv2D(filters, 3, activation="relu"), nn.MaxPooling2D(2)]
    return classifier([*layers[:-1], nn.Flatten()], "convnet", rmsprop(settings), seed)


def without_pooling(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = [nn.Conv2D(filters, 3, activation="relu") for filters in (32, 64, 128)]
    return classifier([*layers, nn.Flatten()], "no pooling", rmsprop(settings), seed)


def dense(*units: int, shape: tuple[int, ...] = PICTURE) -> Callable[[Settings, int], nn.Model]:
    def build(settings: Settings, seed: int) -> nn.Model:
        layers: list[Layer] = [nn.Flatten(), *(nn.Dense(n, activation="relu") for n in units)]
        return classifier(layers, "-".join(map(str, (*units, 10))), rmsprop(settings), seed, shape)

    return build


def beside(images: Images, settings: Settings, seed: int) -> Images:
    """Every digit with as many pixels to its right: noise from 0 to 1, or zeros."""
    rng = np.random.default_rng(seed)

    def widened(x: NDArray[np.float32]) -> NDArray[np.float32]:
        added = rng.random(x.shape, np.float32) if settings["noise"] else np.zeros_like(x)
        return np.concatenate([x, added], axis=2)

    return images._replace(x_train=widened(images.x_train), x_test=widened(images.x_test))


RATE, BATCH = {"learning_rate": 0.001}, {"batch_size": 128}
MNIST = [
    Experiment(
        "mnist-convnet",
        "Convolutions 32-64-128 with two max pools",
        "mnist",
        convnet,
        5,
        RATE | {"batch_size": 64},
        reported={"test accuracy": 0.993, "parameters": 104_202},
    ),
    Experiment(
        "mnist-convnet-no-pool",
        "Convolutions 32-64-128 without pooling",
        "mnist",
        without_pooling,
        5,
        RATE | {"batch_size": 64},
        reported={"test accuracy": 0.988, "parameters": 712_202},
    ),
    Experiment(
        "mnist-rate-1",
        "Dense 512-10 with rate 1",
        "mnist",
        dense(512),
        10,
        {"learning_rate": 1.0} | BATCH,
        validation=0.2,
        reported={"best validation accuracy": 0.25},
        remark="diverges, about 0.21",
    ),
    Experiment(
        "mnist-rate-0.01",
        "Dense 512-10 with rate 0.01",
        "mnist",
        dense(512),
        10,
        {"learning_rate": 0.01} | BATCH,
        validation=0.2,
        reported={"best validation accuracy": 0.976},
    ),
    Experiment(
        "mnist-logistic",
        "Logistic regression",
        "mnist",
        dense(),
        20,
        RATE | BATCH,
        validation=0.2,
        reported={"best validation accuracy": 0.922},
    ),
    Experiment(
        "mnist-96-96",
        "Dense 96-96-10",
        "mnist",
        dense(96, 96),
        20,
        RATE | BATCH,
        validation=0.2,
        reported={"best validation accuracy": 0.9716},
        remark="over-fits after 8 epochs",
    ),
    Experiment(
        "mnist-noise-channels",
        "Dense 512-10 on digits beside noise, or beside zeros",
        "mnist",
        dense(512, shape=(28, 56, 1)),
        10,
        {"noise": 1} | RATE | BATCH,
        prepare=beside,
        choices={"noise": (0, 1)},
        validation=0.2,
        remark="validation accuracy is better with zeros, --set noise=0, than with noise",
    ),
]
