"""The networks whose training steps are timed, here and in PyTorch: the same layers, batch and data, float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Epoch = Callable[[], None]  # trains on every batch once


class Contest(NamedTuple):
    """aim: PyTorch's time over ours; compiled_aim: the same with Numba; batches: different ones, trained on in turn."""

    batch: int
    aim: float
    compiled_aim: float
    batches: int = 16


MODELS = {
    "LeNet": Contest(128, 1.3, 1.4),
    "MNIST convnet": Contest(64, 1.5, 1.7),
    "AlexNet at 28": Contest(64, 1.15, 1.3),
    "MLP": Contest(128, 1.0, 1.0),
    "character RNN": Contest(32, 1.4, 1.5),
    "character GRU": Contest(32, 1.5, 1.7),
    "character LSTM": Contest(32, 0.77, 1.0),
    "LSTM 16": Contest(256, 0.9, 2.3),
    "ResNet-18 at 96": Contest(32, 0.75, 0.8, batches=2),
}
STEPS, VOCABULARY, UNITS, RATE, CLIP = 35, 28, 256, 1e-3, 1.0


def is_text(name: str) -> bool:
    return name.startswith("character")


def data_of(name: str) -> tuple[Any, Any]:
    """Inputs (N, ...) channels last, and labels."""
    contest = MODELS[name]
    rng, n = np.random.default_rng(0), contest.batch * contest.batches
    if is_text(name):
        x = np.eye(VOCABULARY, dtype=np.float32)[rng.integers(0, VOCABULARY, (n, STEPS))]
        return x, rng.integers(0, VOCABULARY, (n, STEPS))
    if name == "LSTM 16":
        return rng.standard_normal((n, 120, 14), np.float32), rng.standard_normal((n, 1), np.float32)
    shape = {"MLP": (784,), "ResNet-18 at 96": (96, 96, 1)}.get(name, (28, 28, 1))
    return rng.standard_normal((n, *shape), np.float32), rng.integers(0, 10, n)


def our_model(name: str, backend: str = "numpy") -> Any:
    from simulator import nn
    from simulator.experiments.resnet import body

    layers = nn.layers

    def sigmoids(*units: int) -> list[Any]:
        return [layers.Dense(u, activation="sigmoid") for u in units]

    def conv(filters: int, size: int, padding: str, activation: str = "relu") -> Any:
        return layers.Conv2D(filters, size, padding=padding, activation=activation)

    pool, flat, classes = layers.MaxPooling2D, layers.Flatten, layers.Dense(10, activation="softmax")
    parts: dict[str, Callable[[], Any]] = {
        "LeNet": lambda: [
            conv(6, 5, "same", "sigmoid"), layers.AveragePooling2D(2), conv(16, 5, "valid", "sigmoid"),
            layers.AveragePooling2D(2), flat(), *sigmoids(120, 84), classes,
        ],
        "MNIST convnet": lambda: [
            conv(32, 3, "valid"), pool(2), conv(64, 3, "valid"), pool(2), conv(128, 3, "valid"), flat(), classes,
        ],
        "AlexNet at 28": lambda: [
            conv(64, 3, "same"), pool(2), conv(128, 3, "same"), pool(2), conv(256, 3, "same"), pool(2), flat(),
            layers.Dense(1024, activation="relu"), layers.Dense(512, activation="relu"), classes,
        ],
        "MLP": lambda: [layers.Dense(512, activation="relu"), classes],
        "LSTM 16": lambda: [layers.LSTM(16), layers.Dense(1)],
    }  # fmt: skip
    inputs = nn.Input(data_of(name)[0].shape[1:])
    if name == "ResNet-18 at 96":
        model = nn.Model(inputs, classes(body(inputs)))
    elif is_text(name):
        kind = {"RNN": layers.SimpleRNN, "GRU": layers.GRU, "LSTM": layers.LSTM}[name.split()[1]]
        cells = kind(UNITS, return_sequences=True)
        model = nn.Sequential([inputs, cells, layers.Dense(VOCABULARY, activation="softmax")])
    else:
        model = nn.Sequential([inputs, *parts[name]()])
    loss = "mse" if name == "LSTM 16" else "sparse_categorical_crossentropy"
    optimizer = nn.SGD(learning_rate=RATE, global_clipnorm=CLIP if is_text(name) else None)
    return model.compile(optimizer, loss, backend=backend)


def ours(name: str, backend: str = "numpy") -> Epoch:
    model, (x, y), batch = our_model(name, backend), data_of(name), MODELS[name].batch
    return lambda: model.fit(x, y, batch_size=batch, shuffle=False, verbose=0) and None


def theirs(name: str, device: str = "cpu") -> Epoch:
    import torch
    from torch import nn

    torch.set_num_threads(2)
    conv, relu, pool, sigmoid, linear = nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Sigmoid, nn.Linear

    class Recurrent(nn.Module):  # type: ignore[misc]
        def __init__(self, kind: Any, inputs: int, units: int, outputs: int, sequences: bool) -> None:
            super().__init__()
            self.cell, self.head = kind(inputs, units, batch_first=True), linear(units, outputs)
            self.sequences = sequences

        def forward(self, x: Any) -> Any:
            h, _ = self.cell(x)
            return self.head(h if self.sequences else h[:, -1])

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, inputs: int, filters: int, stride: int) -> None:
            super().__init__()
            self.main = nn.Sequential(
                conv(inputs, filters, 3, stride, 1), nn.BatchNorm2d(filters), relu(),
                conv(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters),
            )  # fmt: skip
            self.shortcut = nn.Identity() if inputs == filters else conv(inputs, filters, 1, stride)
            self.relu = relu()

        def forward(self, x: Any) -> Any:
            return self.relu(self.main(x) + self.shortcut(x))

    def resnet() -> Any:
        blocks = [Block(64, 64, 1), Block(64, 64, 1)]
        for filters in (128, 256, 512):
            blocks += [Block(filters // 2, filters, 2), Block(filters, filters, 1)]
        start = conv(1, 64, 7, 2, 3), nn.BatchNorm2d(64), relu(), pool(3, 2, 1)
        return nn.Sequential(*start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(512, 10))

    makers: dict[str, Callable[[], Any]] = {
        "LeNet": lambda: nn.Sequential(
            conv(1, 6, 5, padding=2), sigmoid(), nn.AvgPool2d(2), conv(6, 16, 5), sigmoid(), nn.AvgPool2d(2),
            nn.Flatten(), linear(400, 120), sigmoid(), linear(120, 84), sigmoid(), linear(84, 10),
        ),
        "MNIST convnet": lambda: nn.Sequential(
            conv(1, 32, 3), relu(), pool(2), conv(32, 64, 3), relu(), pool(2), conv(64, 128, 3), relu(),
            nn.Flatten(), linear(1152, 10),
        ),
        "AlexNet at 28": lambda: nn.Sequential(
            conv(1, 64, 3, padding=1), relu(), pool(2), conv(64, 128, 3, padding=1), relu(), pool(2),
            conv(128, 256, 3, padding=1), relu(), pool(2), nn.Flatten(),
            linear(2304, 1024), relu(), linear(1024, 512), relu(), linear(512, 10),
        ),
        "MLP": lambda: nn.Sequential(linear(784, 512), relu(), linear(512, 10)),
        "character RNN": lambda: Recurrent(nn.RNN, VOCABULARY, UNITS, VOCABULARY, True),
        "character GRU": lambda: Recurrent(nn.GRU, VOCABULARY, UNITS, VOCABULARY, True),
        "character LSTM": lambda: Recurrent(nn.LSTM, VOCABULARY, UNITS, VOCABULARY, True),
        "LSTM 16": lambda: Recurrent(nn.LSTM, 14, 16, 1, False),
        "ResNet-18 at 96": resnet,
    }  # fmt: skip
    net: Any = makers[name]().to(device)
    x, y = data_of(name)
    if x.ndim == 4:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    loss: Any = nn.MSELoss() if name == "LSTM 16" else nn.CrossEntropyLoss()
    chunks = (torch.from_numpy(a).to(device).chunk(MODELS[name].batches) for a in (x, y))
    batches = list(zip(*chunks, strict=True))

    def epoch() -> None:
        for inputs, labels in batches:
            optimizer.zero_grad()
            out = net(inputs)
            cost = loss(out.reshape(-1, VOCABULARY), labels.reshape(-1)) if is_text(name) else loss(out, labels)
            cost.backward()
            if is_text(name):
                nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return epoch
