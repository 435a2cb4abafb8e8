"""VGG-11 on pictures enlarged to 224 x 224: small kernels, many of them. Source: Simonyan & Zisserman 2015."""

from simulator import nn
from simulator.experiments.alexnet import dense
from simulator.experiments.classifier import classifier, sgd
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer

BLOCKS = (1, 64), (1, 128), (2, 256), (2, 512), (2, 512)  # convolutions before a pool, filters of each


def build(settings: Settings, seed: int) -> nn.Model:
    layers: list[Layer] = [nn.Resizing(224, 224)]
    for convolutions, filters in BLOCKS:
        layers += [nn.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(convolutions)]
        layers.append(nn.MaxPooling2D(2))
    layers += dense(4096, 4096, dropout=0.5)
    return classifier(layers, "VGG-11", sgd(settings), seed)


VGG = Experiment(
    "vgg",
    "VGG-11 at 224",
    "fashion-mnist",
    build,
    epochs=10,
    settings={"learning_rate": 0.05, "batch_size": 20, "micro_batch": 0},
    remark="the graphics card ran out of memory",
)
