"""Dense networks for clothes: sigmoids or ReLU on all pictures at once, and Adam on small batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator import nn
from simulator.datasets.image import Images
from simulator.experiments.alexnet import dense
from simulator.experiments.classifier import classifier, sgd
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer

PICTURES = 60_000
SHRINKING, WIDENING = (128, 64), (256, 512)
# The log book's rate of 1e-5 goes with a cost that is summed over all pictures; here it is their mean.
WHOLE = {"learning_rate": 1e-5 * PICTURES, "batch_size": PICTURES}
UNITS = "widths are not noted; its rate of 1e-5 is read as that of a summed cost, 0.6 of a mean"


def full_batch(activation: str, units: tuple[int, ...]) -> Callable[[Settings, int], nn.Model]:
    def build(settings: Settings, seed: int) -> nn.Model:
        layers: list[Layer] = [nn.Flatten(), *(nn.Dense(n, activation=activation) for n in units)]
        name = f"{'-'.join(map(str, units))} {activation}"
        return classifier(layers, name, sgd(settings), seed)

    return build


def adam(settings: Settings, seed: int) -> nn.Model:
    rate = nn.InverseTimeDecay(settings["learning_rate"], 1, settings["decay"])
    return classifier([nn.Rescaling(2.0, -1.0), *dense(128, 128)], "128-128 relu", nn.Adam(rate), seed)


def in_order(images: Images, settings: Settings, seed: int) -> Images:
    """Without shuffling, class after class, as pictures come from a folder for each."""
    if settings["shuffle"]:
        return images
    order = np.argsort(images.y_train, kind="stable")
    return images._replace(x_train=images.x_train[order], y_train=images.y_train[order])


FASHION = [
    Experiment(
        "fashion-mlp-sigmoid",
        "Two shrinking sigmoid layers on all pictures at once",
        "fashion-mnist",
        full_batch("sigmoid", SHRINKING),
        epochs=300,
        settings=WHOLE,
        reported={"first training accuracy": 0.10},
        remark=f"it levels off after 50 iterations; trousers are best and shirts worst; {UNITS}",
    ),
    Experiment(
        "fashion-mlp-relu",
        "Two shrinking ReLU layers on all pictures at once",
        "fashion-mnist",
        full_batch("relu", SHRINKING),
        epochs=300,
        settings=WHOLE,
        reported={"training accuracy": 0.78},
        remark=f"sooner than with sigmoids, and activations are sparser; {UNITS}",
    ),
    Experiment(
        "fashion-mlp-wide",
        "Two widening ReLU layers on all pictures at once",
        "fashion-mnist",
        full_batch("relu", WIDENING),
        epochs=300,
        settings=WHOLE,
        reported={"training accuracy": 0.70},
        remark=f"the slowest of the three; {UNITS}",
    ),
    Experiment(
        "fashion-mlp-adam",
        "Dense 128-128-10 with Adam, data shuffled or class after class",
        "fashion-mnist",
        adam,
        epochs=10,
        settings={"learning_rate": 0.001, "decay": 1e-3, "shuffle": 1, "batch_size": 128},
        prepare=in_order,
        choices={"shuffle": (0, 1)},
        reported={"test accuracy": 0.874},
        remark="0.325 when the data are not shuffled, 0.881 with a decay of 1e-4; its validation data are the test "
        "pictures",
    ),
]
