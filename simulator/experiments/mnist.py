"""Digits: a convolutional network with and without pooling, dense ones with a good rate and a bad one, logistic."""

from collections.abc import Callable

from simulator import nn
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer


def compiled(layers: list[Layer], name: str, settings: Settings, seed: int) -> nn.Model:
    model = nn.Sequential([nn.Input((28, 28, 1)), *layers], name=name, seed=seed)
    return model.compile(nn.RMSprop(settings["learning_rate"]), "sparse_categorical_crossentropy", ["accuracy"])


def convnet(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = []
    for filters in (32, 64, 128):
        layers += [nn.Conv2D(filters, 3, activation="relu"), nn.MaxPooling2D(2)]
    return compiled([*layers[:-1], nn.Flatten(), nn.Dense(10, activation="softmax")], "convnet", settings, seed)


def without_pooling(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = [nn.Conv2D(filters, 3, activation="relu") for filters in (32, 64, 128)]
    return compiled([*layers, nn.Flatten(), nn.Dense(10, activation="softmax")], "no pooling", settings, seed)


def dense(*units: int) -> Callable[[Settings, int], nn.Model]:
    def build(settings: Settings, seed: int) -> nn.Model:
        hidden: list[Layer] = [nn.Dense(u, activation="relu") for u in units]
        layers = [nn.Flatten(), *hidden, nn.Dense(10, activation="softmax")]
        return compiled(layers, "-".join(map(str, (*units, 10))), settings, seed)

    return build


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
]
