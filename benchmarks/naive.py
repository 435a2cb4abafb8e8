"""The peer that students write in class: patches by fancy indices, np.add.at on the way back, a loop over time.

Arrays (N, C, H, W) in float32, NumPy's own threads. Sources of the manner: the assignments of Stanford's cs231n and of
d2l's "from scratch" chapters; the code is this project's. A part has `forward`, `backward` and `weights`, pairs of a
weight and its gradient.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from benchmarks.models import CLIP, MODELS, RATE, UNITS, VOCABULARY, Epoch, data_of, is_text

Array = Any


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return (rng.standard_normal(shape) * 0.05).astype(np.float32)


class Part:
    weights: tuple[tuple[Array, Array], ...] = ()

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        raise NotImplementedError


class Conv(Part):
    def __init__(self, rng: np.random.Generator, inputs: int, filters: int, size: int, padding: int = 0) -> None:
        self.w, self.b = drawn(rng, filters, inputs * size * size), np.zeros((filters, 1), np.float32)
        self.size, self.padding = size, padding

    def indices(self, c: int, h: int, w: int) -> tuple[Array, Array, Array]:
        k = self.size
        rows = np.tile(np.repeat(np.arange(k), k), c)[:, None] + np.repeat(np.arange(h), w)
        columns = np.tile(np.arange(k), k * c)[:, None] + np.tile(np.arange(w), h)
        return np.repeat(np.arange(c), k * k)[:, None], rows, columns

    def forward(self, x: Array) -> Array:
        p = self.padding
        self.padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        n, c, height, width = self.padded.shape
        h, w = height - self.size + 1, width - self.size + 1
        self.at = self.indices(c, h, w)
        self.patches = self.padded[:, *self.at].transpose(1, 2, 0).reshape(len(self.w[0]), -1)
        return (self.w @ self.patches + self.b).reshape(-1, h, w, n).transpose(3, 0, 1, 2)

    def backward(self, dy: Array) -> Array:
        d = dy.transpose(1, 2, 3, 0).reshape(len(self.w), -1)
        self.weights = (self.w, d @ self.patches.T), (self.b, d.sum(axis=1, keepdims=True))
        patches = (self.w.T @ d).reshape(len(self.w[0]), -1, len(dy)).transpose(2, 0, 1)
        dx, at = np.zeros_like(self.padded), (slice(None), *self.at)
        np.add.at(dx, cast(Any, at), patches)
        p = self.padding
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]


class Pool(Part):
    """The largest, or the mean, of every 2 x 2; a row or column too many is left out."""

    def __init__(self, mean: bool = False) -> None:
        self.mean = mean

    def forward(self, x: Array) -> Array:
        self.shape, (n, c, h, w) = x.shape, x.shape
        self.x = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        self.y = self.x.mean(axis=(3, 5)) if self.mean else self.x.max(axis=(3, 5))
        return self.y

    def backward(self, dy: Array) -> Array:
        d = np.broadcast_to(dy[:, :, :, None, :, None] / np.float32(4 if self.mean else 1), self.x.shape)
        if not self.mean:
            largest = self.x == self.y[:, :, :, None, :, None]
            d = d * largest / largest.sum(axis=(3, 5), keepdims=True, dtype=np.float32)
        n, c, h, _, w, _ = self.x.shape
        dx = np.zeros(self.shape, np.float32)
        dx[:, :, : 2 * h, : 2 * w] = d.reshape(n, c, 2 * h, 2 * w)
        return dx


class Dense(Part):
    def __init__(self, rng: np.random.Generator, inputs: int, units: int) -> None:
        self.w, self.b = drawn(rng, inputs, units), np.zeros(units, np.float32)

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.w + self.b

    def backward(self, dy: Array) -> Array:
        x, d = (a.reshape(-1, a.shape[-1]) for a in (self.x, dy))
        self.weights = (self.w, x.T @ d), (self.b, d.sum(axis=0))
        return dy @ self.w.T


class Flatten(Part):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


class ReLU(Part):
    def forward(self, x: Array) -> Array:
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy: Array) -> Array:
        return dy * (self.x > 0)


class Sigmoid(Part):
    def forward(self, x: Array) -> Array:
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy: Array) -> Array:
        return dy * self.y * (1 - self.y)


class RNN(Part):
    """h[t] = tanh(x[t] W + h[t-1] U + b), for a batch (N, T, D)."""

    def __init__(self, rng: np.random.Generator, inputs: int, units: int) -> None:
        self.w, self.u, self.b = drawn(rng, inputs, units), drawn(rng, units, units), np.zeros(units, np.float32)

    def forward(self, x: Array) -> Array:
        self.x, self.h = x, [np.zeros((len(x), len(self.b)), np.float32)]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.w + self.h[-1] @ self.u + self.b))
        return np.stack(self.h[1:], axis=1)

    def backward(self, dy: Array) -> Array:
        dw, du, db = (np.zeros_like(a) for a in (self.w, self.u, self.b))
        dx, dh = np.zeros_like(self.x), np.zeros_like(self.h[0])
        for t in reversed(range(self.x.shape[1])):
            dz = (dh + dy[:, t]) * (1 - self.h[t + 1] ** 2)
            dw += self.x[:, t].T @ dz
            du += self.h[t].T @ dz
            db += dz.sum(axis=0)
            dx[:, t], dh = dz @ self.w.T, dz @ self.u.T
        self.weights = (self.w, dw), (self.u, du), (self.b, db)
        return dx


def parts_of(name: str) -> list[Part] | None:
    """The network from these parts; None where this peer has none."""
    rng = np.random.default_rng(0)
    networks: dict[str, list[Part]] = {
        "LeNet": [
            Conv(rng, 1, 6, 5, 2), Sigmoid(), Pool(mean=True), Conv(rng, 6, 16, 5), Sigmoid(), Pool(mean=True),
            Flatten(), Dense(rng, 400, 120), Sigmoid(), Dense(rng, 120, 84), Sigmoid(), Dense(rng, 84, 10),
        ],
        "MNIST convnet": [
            Conv(rng, 1, 32, 3), ReLU(), Pool(), Conv(rng, 32, 64, 3), ReLU(), Pool(), Conv(rng, 64, 128, 3), ReLU(),
            Flatten(), Dense(rng, 1152, 10),
        ],
        "AlexNet at 28": [
            Conv(rng, 1, 64, 3, 1), ReLU(), Pool(), Conv(rng, 64, 128, 3, 1), ReLU(), Pool(),
            Conv(rng, 128, 256, 3, 1), ReLU(), Pool(), Flatten(),
            Dense(rng, 2304, 1024), ReLU(), Dense(rng, 1024, 512), ReLU(), Dense(rng, 512, 10),
        ],
        "MLP": [Dense(rng, 784, 512), ReLU(), Dense(rng, 512, 10)],
        "character RNN": [RNN(rng, VOCABULARY, UNITS), Dense(rng, UNITS, VOCABULARY)],
    }  # fmt: skip
    return networks.get(name)


def cost_and_gradients(parts: list[Part], x: Array, labels: Array) -> float:
    """Mean cross-entropy of a softmax; afterwards every part has its gradients."""
    for part in parts:
        x = part.forward(x)
    p = np.exp(x - x.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    d, flat = p.reshape(-1, p.shape[-1]), labels.ravel()
    cost = -float(np.log(d[np.arange(len(d)), flat]).mean())
    d[np.arange(len(d)), flat] -= 1
    d = (d / np.float32(len(d))).reshape(p.shape)
    for part in reversed(parts):
        d = part.backward(d)
    return cost


def naive(name: str) -> Epoch:
    parts, (x, y) = parts_of(name), data_of(name)
    assert parts is not None
    if x.ndim == 4:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    batches = list(zip(*(np.split(a, MODELS[name].batches) for a in (x, y)), strict=True))

    def epoch() -> None:
        for inputs, labels in batches:
            cost_and_gradients(parts, inputs, labels)
            found = [pair for part in parts for pair in part.weights]
            share = 1.0
            if is_text(name):
                share = min(1.0, CLIP / float(np.sqrt(sum((g**2).sum() for _, g in found))))
            for w, g in found:
                w -= np.float32(RATE * share) * g

    return epoch
