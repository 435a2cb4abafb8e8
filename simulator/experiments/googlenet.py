"""GoogLeNet on pictures enlarged to 96 x 96: four paths side by side. Source: Szegedy et al. 2015."""

from simulator import nn
from simulator.experiments.classifier import classifier, sgd
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Tensor

# of an inception: its 1x1 path, what the 3x3 path reduces to and makes, the same of 5x5, what follows its pool
FIRST = ("3a", 64, (96, 128), (16, 32), 32), ("3b", 128, (128, 192), (32, 96), 64)
SECOND = (
    ("4a", 192, (96, 208), (16, 48), 64),
    ("4b", 160, (112, 224), (24, 64), 64),
    ("4c", 128, (128, 256), (24, 64), 64),
    ("4d", 112, (144, 288), (32, 64), 64),
    ("4e", 256, (160, 320), (32, 128), 128),
)
THIRD = ("5a", 256, (160, 320), (32, 128), 128), ("5b", 384, (192, 384), (48, 128), 128)


def convolved(x: Tensor, filters: int, size: int, name: str, strides: int = 1) -> Tensor:
    return nn.Conv2D(filters, size, strides=strides, padding="same", activation="relu", name=name)(x)


def halved(x: Tensor) -> Tensor:
    return nn.MaxPooling2D(3, strides=2, padding="same")(x)


def inception(x: Tensor, name: str, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Tensor:
    paths = [convolved(x, one, 1, f"{name} 1x1")]
    for size, (reduced, filters) in ((3, three), (5, five)):
        narrow = convolved(x, reduced, 1, f"{name} 1x1 before {size}x{size}")
        paths.append(convolved(narrow, filters, size, f"{name} {size}x{size}"))
    paths.append(convolved(nn.MaxPooling2D(3, strides=1, padding="same")(x), pooled, 1, f"{name} 1x1 after pool"))
    return nn.Concatenate(name=f"{name} joined")(paths)


def body(x: Tensor) -> Tensor:
    x = nn.Resizing(96, 96)(x)
    x = halved(convolved(x, 64, 7, "1", strides=2))
    x = halved(convolved(convolved(x, 64, 1, "2 1x1"), 192, 3, "2 3x3"))
    for group in (FIRST, SECOND, THIRD):
        x = halved(x) if group is not FIRST else x
        for sizes in group:
            x = inception(x, *sizes)
    return nn.GlobalAveragePooling2D()(x)


def build(settings: Settings, seed: int) -> nn.Model:
    return classifier(body, "GoogLeNet", sgd(settings), seed)


GOOGLENET = Experiment(
    "googlenet",
    "GoogLeNet at 96",
    "fashion-mnist",
    build,
    epochs=10,
    settings={"learning_rate": 0.01, "batch_size": 128},
    reported={"test accuracy": 0.829, "test loss": 0.409},
    remark="1,049 examples a second on a laptop's GPU",
)
