"""Pictures of digits and of clothes: MNIST and Fashion-MNIST, with their sources and checksums."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.source import file_of

DIGITS = tuple(str(d) for d in range(10))
CLOTHES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
# name -> address, classes, file -> SHA-256. MNIST: LeCun, Cortes, Burges; Fashion-MNIST: Xiao, Rasul, Vollgraf 2017.
SOURCES: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        DIGITS,
        {
            "train-images-idx3-ubyte.gz": "ae46c4f260ac4905871204038b01a6c0a113631ad2d5a23f68961fc8b88747cb",
            "train-labels-idx1-ubyte.gz": "4cef464b5d0fd20305c139d7358afe20954e5a0be436d0a975a9762a533e2f75",
            "t10k-images-idx3-ubyte.gz": "8d1c48f2b24c34ae56333c3e87c95e99bc60a089031230ce093bf56699bec6b2",
            "t10k-labels-idx1-ubyte.gz": "f03153ec6749a9b837aa118d273c38dded2e2c0817d5d584074d96c48cef8166",
        },
    ),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        CLOTHES,
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}


class Images(NamedTuple):
    """x (N, 28, 28, 1) in float32 from 0 to 1, y (N,) class numbers; classes has their names."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]


def load_images(name: str) -> Images:
    """A data set by its name. Raises DataError when it can't be had, or isn't what its checksums say."""
    x_train, y_train, x_test, y_test = load_bytes(name)
    classes = SOURCES[name][1]
    return Images(_scaled(x_train), y_train.astype(np.int64), _scaled(x_test), y_test.astype(np.int64), classes)


def load_bytes(name: str) -> list[NDArray[np.uint8]]:
    """Training pictures (N, 28, 28) from 0 to 255, their classes (N,), and both of the test data."""
    address, _, files = SOURCES[name]
    return [_array(file_of(name, file, checksum, address + file)) for file, checksum in files.items()]


def _scaled(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (pictures.astype(np.float32) / np.float32(255))[..., None]


def _array(path: Path) -> NDArray[np.uint8]:
    """The numbers of an IDX file: two zeros, 8 for bytes, the number of axes, their sizes, the bytes."""
    content = gzip.decompress(path.read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape.tolist())
