"""Predictions, costs, gradients and training against PyTorch in float64.

The twin knows a model's layers, options and weights, and nothing of its equations: every layer is PyTorch's own
operation, and its gradient is autograd's. Where PyTorch's rule differs from Keras's, Keras's holds, and the twin says
how it differs.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.nn.basic import InputLayer
from simulator.nn.layer import Layer, walk
from simulator.tape.evaluate import evaluate_all
from simulator.tape.primitive import PRIMITIVES, slope
from tests.nn.networks import ACTIVATIONS, LAYERS, LOSSES, OPTIMIZERS, Array, Case, case, numbers, optimized
from tests.nn.test_gradient import values_of

if os.environ.get("CI"):
    import torch
else:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

F, optim = torch.nn.functional, torch.optim
Tensor, Optimizer = torch.Tensor, torch.optim.Optimizer
Make = Callable[[list[Tensor]], Optimizer]
CLOSE = {"rtol": 1e-10, "atol": 1e-13}
STEPS = 6


@dataclass
class At:
    """What a layer's twin may use: weights by Keras's names, the mask of a dropout layer."""

    weights: dict[str, Tensor]
    training: bool
    mask: Tensor | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self.weights[name]


ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
    "elu": F.elu,
    "softmax": lambda z: F.softmax(z, dim=-1),
}


def activated(layer: Any, z: Tensor) -> Tensor:
    return ACTIVATION[layer.activation or "linear"](z)


def channels_first(x: Tensor) -> Tensor:
    return x.movedim(-1, 1)


def channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


def padded(layer: Any, x: Tensor, window: tuple[int, ...], value: float) -> Tensor:
    """TensorFlow's "same": as many places as n/stride rounded up, the odd row or column at the end."""
    if layer.padding == "valid":
        return x
    sides: list[int] = []
    for n, w, s in reversed([*zip(x.shape[2:], window, layer.strides, strict=True)]):
        missing = max((-(-n // s) - 1) * s + w - n, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)


def dense(layer: nn.Dense, at: At, x: Tensor) -> Tensor:
    return activated(layer, F.linear(x, at["kernel"].T, at.weights.get("bias")))


def convolution(layer: Any, at: At, x: Tensor) -> Tensor:
    operation = {1: F.conv1d, 2: F.conv2d}[layer.axes]
    kernel = at["kernel"].movedim((-1, -2), (0, 1)).contiguous()
    x = padded(layer, channels_first(x), layer.kernel_size, 0)
    return activated(layer, channels_last(operation(x, kernel, at.weights.get("bias"), stride=layer.strides)))


def transposed(layer: nn.Conv2DTranspose, at: At, x: Tensor) -> Tensor:
    """PyTorch's without padding; of TensorFlow's "same" the odd row or column is cut off at the end."""
    kernel = at["kernel"].movedim((-1, -2), (0, 1)).contiguous()
    z = F.conv_transpose2d(channels_first(x), kernel, stride=layer.strides)
    if layer.padding == "same":
        sides: list[int] = []
        for n, w, s in reversed([*zip(x.shape[1:], layer.kernel_size, layer.strides, strict=False)]):
            before = max(w - s, 0) // 2
            sides += [-before, n * s - ((n - 1) * s + w) + before]
        z = F.pad(z, sides)
    return activated(layer, channels_last(z) + at["bias"])


def largest(layer: Any, at: At, x: Tensor) -> Tensor:
    operation = {1: F.max_pool1d, 2: F.max_pool2d}[layer.axes]
    x = padded(layer, channels_first(x), layer.pool_size, -torch.inf)
    return channels_last(operation(x, layer.pool_size, layer.strides))


def average(layer: Any, at: At, x: Tensor) -> Tensor:
    operation = {1: F.avg_pool1d, 2: F.avg_pool2d}[layer.axes]
    x = channels_first(x)
    sums, shares = (
        operation(padded(layer, part, layer.pool_size, 0), layer.pool_size, layer.strides)
        for part in (x, torch.ones_like(x))
    )
    return channels_last(sums / shares)


def global_average(layer: Any, at: At, x: Tensor) -> Tensor:
    operation = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d}[layer.axes]
    return operation(channels_first(x), 1).flatten(1)


def resizing(layer: nn.Resizing, at: At, x: Tensor) -> Tensor:
    mode = {"nearest": "nearest-exact", "bilinear": "bilinear"}[layer.interpolation]
    return channels_last(F.interpolate(channels_first(x), (layer.height, layer.width), mode=mode))


def batch_normalization(layer: nn.BatchNormalization, at: At, x: Tensor) -> Tensor:
    """PyTorch moves the variance towards the unbiased one, Keras towards the biased one, (m - 1)/m of it."""
    mean, variance, m = at["moving_mean"].clone(), at["moving_variance"].clone(), x[..., 0].numel()
    h = F.batch_norm(
        channels_first(x),
        mean,
        variance,
        at.weights.get("gamma"),
        at.weights.get("beta"),
        training=at.training,
        momentum=1 - layer.momentum,
        eps=layer.epsilon,
    )
    if at.training:
        kept = layer.momentum * at["moving_variance"]
        at["moving_mean"].copy_(mean)
        at["moving_variance"].copy_(kept + (variance - kept) * (m - 1) / m)
    return channels_last(h)


def dropout(layer: nn.Dropout, at: At, x: Tensor) -> Tensor:
    return x * at.mask / (1 - layer.rate) if at.training else x


def fused(module: type[torch.nn.RNNBase], order: tuple[int, ...]) -> Callable[..., Tensor]:
    """One of PyTorch's recurrent modules; order says which of Keras's gates is its first, second, and so on."""

    def apply(layer: Any, at: At, x: Tensor) -> Tensor:
        assert layer.activation == "tanh"
        assert getattr(layer, "recurrent_activation", "sigmoid") == "sigmoid"

        def ordered(w: Tensor) -> Tensor:
            parts = w.split(layer.units, dim=-1)
            return torch.cat([parts[k] for k in order], dim=-1).movedim(-1, 0)

        weights = {"weight_ih_l0": ordered(at["kernel"]), "weight_hh_l0": ordered(at["recurrent_kernel"])}
        if layer.use_bias:
            bias = ordered(at["bias"])
            second = at.weights.get("recurrent_bias")
            weights |= {
                "bias_ih_l0": bias,
                "bias_hh_l0": torch.zeros_like(bias) if second is None else ordered(second),
            }
        rnn = module(x.shape[-1], layer.units, bias=layer.use_bias, batch_first=True, dtype=torch.float64)
        x = x.flip(1) if layer.go_backwards else x
        x = x * at.mask / (1 - layer.dropout) if at.training and layer.dropout else x
        h, _ = torch.func.functional_call(rnn, weights, (x,))
        return h if layer.return_sequences else h[:, -1]

    return apply


def gru_reset_before(layer: nn.GRU, at: At, x: Tensor) -> Tensor:
    """Cho et al. 2014, which PyTorch has no module for: the reset gate multiplies the state before its weights."""
    w, u = (at[name].split(layer.units, dim=-1) for name in ("kernel", "recurrent_kernel"))
    b = at["bias"].split(layer.units) if layer.use_bias else (torch.zeros(layer.units, dtype=torch.float64),) * 3
    h = torch.zeros(len(x), layer.units, dtype=torch.float64)
    states = []
    for t in range(x.shape[1]):
        z = torch.sigmoid(x[:, t] @ w[0] + h @ u[0] + b[0])
        r = torch.sigmoid(x[:, t] @ w[1] + h @ u[1] + b[1])
        candidate = torch.tanh(x[:, t] @ w[2] + (r * h) @ u[2] + b[2])
        h = torch.lerp(candidate, h, z)
        states.append(h)
    return torch.stack(states, 1) if layer.return_sequences else h


gru_reset_after = fused(torch.nn.GRU, (1, 0, 2))


def gru(layer: nn.GRU, at: At, x: Tensor) -> Tensor:
    return (gru_reset_after if layer.reset_after else gru_reset_before)(layer, at, x)


def bidirectional(layer: nn.Bidirectional, at: At, x: Tensor) -> Tensor:
    found, sequences = [], layer.layer.return_sequences
    for name, turned in (("forward_", False), ("backward_", True)):
        weights = {key.removeprefix(name): w for key, w in at.weights.items() if key.startswith(name)}
        y = TWINS[type(layer.layer)](layer.layer, At(weights, at.training, None), x.flip(1) if turned else x)
        found.append(y.flip(1) if turned and sequences else y)
    if layer.merge_mode == "concat":
        return torch.cat(found, -1)
    return {"sum": torch.sum, "mul": torch.prod, "ave": torch.mean}[layer.merge_mode](torch.stack(found), 0)


def attention(layer: nn.MultiHeadAttention, at: At, query: Tensor, value: Tensor | None = None) -> Tensor:
    value = query if value is None else value

    def projected(x: Tensor, what: str) -> Tensor:
        return F.linear(x, at[f"{what}_kernel"].T, at.weights.get(f"{what}_bias"))

    q, k, v = projected(query, "query"), projected(value, "key"), projected(value, "value")
    return projected(F.scaled_dot_product_attention(q, k, v), "output")


def features(x):  # type: ignore[no-untyped-def]
    """All seven, in the order of the case."""
    x1, x2 = x[:, 0], x[:, 1]
    return torch.stack([x1, x2, x1.square(), x2.square(), x1 * x2, x1.sin(), x2.sin()], dim=1)


TWINS: dict[type[Layer], Callable[..., Tensor]] = {
    nn.Dense: dense,
    nn.Activation: lambda layer, at, x: activated(layer, x),
    nn.Softmax: lambda layer, at, x: F.softmax(x, dim=-1),
    nn.ReLU: lambda layer, at, x: F.leaky_relu(x, layer.negative_slope),
    nn.LeakyReLU: lambda layer, at, x: F.leaky_relu(x, layer.negative_slope),
    nn.ELU: lambda layer, at, x: F.elu(x, layer.alpha),
    nn.Features: lambda layer, at, x: features(x),
    nn.Flatten: lambda layer, at, x: x.flatten(1),
    nn.Reshape: lambda layer, at, x: x.reshape(-1, *layer.target_shape),
    nn.Add: lambda layer, at, *x: torch.stack(x).sum(0),
    nn.Multiply: lambda layer, at, *x: torch.stack(x).prod(0),
    nn.Average: lambda layer, at, *x: torch.stack(x).mean(0),
    nn.Embedding: lambda layer, at, x: F.embedding(x.long(), at["embeddings"]),
    nn.Dropout: dropout,
    nn.BatchNormalization: batch_normalization,
    nn.Conv1D: convolution,
    nn.Conv2D: convolution,
    nn.Conv2DTranspose: transposed,
    nn.MaxPooling1D: largest,
    nn.MaxPooling2D: largest,
    nn.AveragePooling1D: average,
    nn.AveragePooling2D: average,
    nn.GlobalAveragePooling1D: global_average,
    nn.GlobalAveragePooling2D: global_average,
    nn.Resizing: resizing,
    nn.SimpleRNN: fused(torch.nn.RNN, (0,)),
    nn.LSTM: fused(torch.nn.LSTM, (0, 1, 2, 3)),
    nn.GRU: gru,
    nn.Bidirectional: bidirectional,
    nn.MultiHeadAttention: attention,
}


def negative_log_likelihood(p: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(p.log().flatten(0, -2), y.long().flatten())


# predictions, labels, label smoothing
LOSS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "mean_squared_error": lambda p, y, s: F.mse_loss(p, y),
    "mean_absolute_error": lambda p, y, s: F.l1_loss(p, y),
    "binary_crossentropy": lambda p, y, s: F.binary_cross_entropy(p, torch.lerp(y, torch.full_like(y, 0.5), s)),
    "categorical_crossentropy": lambda p, y, s: F.cross_entropy(
        p.log().flatten(0, -2), y.flatten(0, -2), label_smoothing=s
    ),
    "sparse_categorical_crossentropy": lambda p, y, s: negative_log_likelihood(p, y),
}


@dataclass
class Twin:
    """A model in PyTorch, with tensors of its own that start at the model's weights."""

    model: nn.Model
    masks: dict[str, Array] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.tensors = {
            w.symbol: torch.tensor(w.value, dtype=torch.float64, requires_grad=w.spec.trainable)
            for ws in self.model.by_layer.values()
            for w in ws
        }

    @property
    def trained(self) -> dict[str, Tensor]:
        return {symbol: w for symbol, w in self.tensors.items() if w.requires_grad}

    def weights_of(self, layer: Layer) -> dict[str, Tensor]:
        return {w.spec.name: self.tensors[w.symbol] for w in self.model.by_layer[id(layer)]}

    def predict(self, X: Array, *, training: bool) -> Tensor:
        values: dict[int, Tensor] = {}
        for tensor in walk(self.model.outputs):
            layer = tensor.layer
            if isinstance(layer, InputLayer):
                values[id(tensor)] = torch.from_numpy(X)
                continue
            mask = self.masks.get(f"M{self.model.numbers[id(layer)]}")
            at = At(self.weights_of(layer), training, None if mask is None else torch.from_numpy(mask))
            values[id(tensor)] = TWINS[type(layer)](layer, at, *(values[id(t)] for t in tensor.inputs))
        return values[id(self.model.outputs)]

    def cost(self, prediction: Tensor, Y: Array) -> Tensor:
        cost = LOSS[self.model.loss](prediction, torch.from_numpy(Y), self.model.loss_option.label_smoothing)
        for layer in self.model.numbered:
            for name in ("kernel", "recurrent_kernel", "bias", "embeddings"):
                penalty = getattr(layer, f"{name.removesuffix('_kernel')}_regularizer", None)
                if penalty is not None:
                    w = self.weights_of(layer)[name]
                    squares = F.mse_loss(w, torch.zeros_like(w), reduction="sum")
                    cost = cost + penalty.l1 * w.norm(1) + penalty.l2 * squares
        return cost

    def epochs(self, case: Case, optimizer: Optimizer) -> Iterator[tuple[float, list[Array]]]:
        """The mean cost and the weights of every epoch, batches in a fixed order."""
        size = case.batch_size or len(case.X)
        while True:
            costs = []
            for start in range(0, len(case.X), size):
                rows = slice(start, start + size)
                optimizer.zero_grad()
                cost = self.cost(self.predict(case.X[rows], training=True), case.Y[rows])
                cost.backward()
                optimizer.step()
                costs.append(cost.item())
            yield float(np.mean(costs)), [w.detach().numpy().copy() for w in self.tensors.values()]


def checked(case: Case) -> Case:
    X = case.model.inputs_checked(case.X)
    return case._replace(X=X, Y=case.model.labels_checked(case.Y, len(X)))


def masks_of(case: Case) -> dict[str, Array]:
    """Dropout's masks, the only arrays that both sides share: they are drawn at random."""
    first = case.model.trace(case.X, case.Y, case.batch_size).first
    return {name: value for name, (_, value) in first.items() if name.startswith("M")}


def compare(case: Case) -> None:
    case = checked(case)
    step = case.model.trace(case.X, case.Y)
    prediction, cost, *gradients = evaluate_all(
        [step.output, step.cost, *step.gradients.values()], values_of(case, step), {}
    )
    twin = Twin(case.model, masks_of(case))
    expected = twin.predict(case.X, training=True)
    expected_cost = twin.cost(expected, case.Y)
    expected_cost.backward()
    np.testing.assert_allclose(prediction, expected.detach(), **CLOSE, err_msg="prediction")
    np.testing.assert_allclose(cost, expected_cost.detach(), **CLOSE, err_msg="cost")
    found = dict(zip(step.gradients, gradients, strict=True))
    assert found.keys() == twin.trained.keys()
    for name, w in twin.trained.items():
        np.testing.assert_allclose(found[name], w.grad, **CLOSE, err_msg=f"d{name}")


def two_inputs() -> Case:
    x = nn.Input((4, 3))
    memory = nn.Dense(3, activation="tanh")(x)
    y = nn.Dense(1)(nn.MultiHeadAttention(key_dim=4, use_bias=False)([x, memory]))
    return Case(nn.Model(x, y, seed=3).compile("sgd", "mse"), numbers(2, 4, 3), numbers(2, 4, 1, seed=7))


def applied_twice() -> Case:
    x, shared = nn.Input((3,)), nn.Dense(3, activation="tanh")
    model = nn.Model(x, nn.Dense(1)(shared(shared(x))), seed=3).compile("sgd", "mse")
    return Case(model, numbers(4, 3), numbers(4, 1, seed=7))


def categorical_on_sequence() -> Case:
    x = nn.Input((2, 3))
    model = nn.Model(x, nn.Dense(3, activation="softmax")(x), seed=3).compile("sgd", "sparse_categorical_crossentropy")
    return Case(model, numbers(2, 2, 3), np.array([[0.0, 2], [1, 1]]))


MORE: dict[str, Callable[[], Case]] = {
    "simplernn-no-bias": lambda: case((3, 2), nn.SimpleRNN(2, use_bias=False), nn.Dense(1)),
    "lstm-no-bias": lambda: case((3, 2), nn.LSTM(3, use_bias=False), nn.Dense(1)),
    "gru-no-bias": lambda: case((3, 2), nn.GRU(3, use_bias=False), nn.Dense(1)),
    "gru-reset-before-sequences": lambda: case(
        (3, 2), nn.GRU(2, reset_after=False, use_bias=False, return_sequences=True), nn.Dense(1)
    ),
    "conv2d-no-bias-uneven": lambda: case(
        (5, 4, 2), nn.Conv2D(3, (2, 4), strides=(3, 2), padding="same", use_bias=False), nn.Flatten(), nn.Dense(1)
    ),
    "maxpooling1d-same": lambda: case(
        (5, 2), nn.Conv1D(2, 1), nn.MaxPooling1D(3, strides=2, padding="same"), nn.Flatten(), nn.Dense(1)
    ),
    "averagepooling1d-same": lambda: case(
        (6, 2), nn.Conv1D(2, 1), nn.AveragePooling1D(4, strides=1, padding="same"), nn.Flatten(), nn.Dense(1)
    ),
    "batchnorm-last": lambda: case((2,), nn.Dense(3), nn.BatchNormalization(momentum=0.9, epsilon=0.1), n=4),
    "categorical-on-sequence": categorical_on_sequence,
    "attention-of-two": two_inputs,
    "layer-applied-twice": applied_twice,
}  # fmt: skip
ROWS = LAYERS | ACTIVATIONS | LOSSES | MORE
each_network = pytest.mark.parametrize("make", [*ROWS.values()], ids=[*ROWS])


def decaying(optimizer: Optimizer, share: Callable[[int], float]) -> Optimizer:
    schedule = optim.lr_scheduler.LambdaLR(optimizer, share)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    return optimizer


def inverse_time(step: int) -> float:
    return 1 / (1 + 0.7 * step / 2)


def adam(weights: list[Tensor], rate: float, epsilon: float = 1e-7) -> Optimizer:
    """Keras adds epsilon to sqrt(v), PyTorch to sqrt(v/(1 - beta_2^t)): there it must be epsilon/sqrt(1 - beta_2^t)."""
    optimizer, counted = optim.Adam(weights, rate), itertools.count(1)

    def before(*_: object) -> None:
        optimizer.param_groups[0]["eps"] = epsilon / math.sqrt(1 - 0.999 ** next(counted))

    optimizer.register_step_pre_hook(before)
    return optimizer


def adagrad(weights: list[Tensor], rate: float, epsilon: float = 1e-7) -> Optimizer:
    """Keras adds epsilon inside the root, where it is as if the sum of squares had started higher; PyTorch outside."""
    return optim.Adagrad(weights, rate, initial_accumulator_value=0.1 + epsilon, eps=0)


class RMSprop(Optimizer):
    """Keras's rule, with epsilon inside the root; PyTorch adds it outside."""

    def __init__(self, weights: list[Tensor], rate: float, epsilon: float = 1e-7) -> None:
        super().__init__(weights, {"lr": rate, "eps": epsilon})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                state["n"] = torch.lerp(w.grad**2, state.get("n", torch.zeros_like(w)), 0.9)
                w.sub_(group["lr"] * w.grad / torch.sqrt(state["n"] + group["eps"]))


def folded(optimizer: Optimizer, rate: float, share: Callable[[int], float]) -> Optimizer:
    """Keras keeps the rate inside the velocity: PyTorch's rule at rate 1 for gradients times the rate of their step."""
    counted = itertools.count()

    def before(*_: object) -> None:
        now = rate * share(next(counted))
        for w in optimizer.param_groups[0]["params"]:
            w.grad.mul_(now)

    optimizer.register_step_pre_hook(before)
    return optimizer


SAME_RULE: dict[str, Make] = {
    "sgd": lambda ws: optim.SGD(ws, 0.3),
    "momentum": lambda ws: optim.SGD(ws, 0.1, momentum=0.9),
    "nesterov": lambda ws: optim.SGD(ws, 0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda ws: adagrad(ws, 0.2),
    "rmsprop": lambda ws: RMSprop(ws, 0.05),
    "rmsprop-momentum": lambda ws: optim.RMSprop(ws, 0.05, alpha=0.9, eps=1e-30, momentum=0.5),
    "adam": lambda ws: adam(ws, 0.05),
    "weight-decay": lambda ws: optim.SGD(ws, 0.3, weight_decay=0.1),
    "inverse-time": lambda ws: decaying(optim.SGD(ws, 0.5), inverse_time),
    "exponential": lambda ws: decaying(adam(ws, 0.1), lambda step: 0.5 ** (step / 3)),
}
SCHEDULE = nn.InverseTimeDecay(0.5, 2, 0.7)
TINY, LARGE = 1e-30, 0.1
# With a tiny epsilon it doesn't matter where it is added; with a large one nothing else is as visible.
MORE_RULES: dict[str, tuple[Callable[[], Any], Make]] = {
    "momentum-inverse-time": (
        lambda: nn.SGD(SCHEDULE, momentum=0.9),
        lambda ws: folded(optim.SGD(ws, 1, momentum=0.9), 0.5, inverse_time),
    ),
    "nesterov-inverse-time": (
        lambda: nn.SGD(SCHEDULE, momentum=0.9, nesterov=True),
        lambda ws: folded(optim.SGD(ws, 1, momentum=0.9, nesterov=True), 0.5, inverse_time),
    ),
    "adagrad-tiny-epsilon": (
        lambda: nn.Adagrad(0.2, epsilon=TINY),
        lambda ws: optim.Adagrad(ws, 0.2, initial_accumulator_value=0.1, eps=TINY),
    ),
    "rmsprop-tiny-epsilon": (
        lambda: nn.RMSprop(0.05, rho=0.8, epsilon=TINY),
        lambda ws: optim.RMSprop(ws, 0.05, alpha=0.8, eps=TINY),
    ),
    "adam-tiny-epsilon": (
        lambda: nn.Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=TINY),
        lambda ws: optim.Adam(ws, 0.05, (0.8, 0.95), eps=TINY),
    ),
    "adagrad-large-epsilon": (lambda: nn.Adagrad(0.2, epsilon=LARGE), lambda ws: adagrad(ws, 0.2, LARGE)),
    "rmsprop-large-epsilon": (lambda: nn.RMSprop(0.05, epsilon=LARGE), lambda ws: RMSprop(ws, 0.05, LARGE)),
    "adam-large-epsilon": (lambda: nn.Adam(0.05, epsilon=LARGE), lambda ws: adam(ws, 0.05, LARGE)),
}
PYTORCHS_EPSILON: dict[str, Make] = {
    "adagrad-large-epsilon": lambda ws: optim.Adagrad(ws, 0.2, initial_accumulator_value=0.1, eps=LARGE),
    "rmsprop-large-epsilon": lambda ws: optim.RMSprop(ws, 0.05, alpha=0.9, eps=LARGE),
    "adam-large-epsilon": lambda ws: optim.Adam(ws, 0.05, eps=LARGE),
}


def compare_training(make: Callable[[], Case], optimizer: Make, epochs: int = STEPS) -> tuple[Case, Twin]:
    """Cost and weights after every epoch; returns the trained model and its trained twin."""
    case = checked(make())
    twin = Twin(case.model, masks_of(case))
    expected = twin.epochs(case, optimizer([*twin.trained.values()]))
    for epoch in range(1, epochs + 1):
        cost, weights = next(expected)
        case = checked(make())
        history = case.model.fit(
            case.X, case.Y, epochs=epoch, batch_size=case.batch_size, backend="expressions"
        ).history
        np.testing.assert_allclose(history["loss"][-1], cost, **CLOSE, err_msg=f"cost of epoch {epoch}")
        for name, found, wanted in zip(twin.tensors, case.model.weights, weights, strict=True):
            np.testing.assert_allclose(found.value, wanted, **CLOSE, err_msg=f"{name} after epoch {epoch}")
    return case, twin


def recompiled(name: str, batch_size: int | None) -> Case:
    ours, _ = MORE_RULES[name]
    made = optimized("sgd", batch_size)
    made.model.compile(ours(), made.model.loss)
    return made


each_network = pytest.mark.parametrize("make", [*ROWS.values()], ids=[*ROWS])
batched = pytest.mark.parametrize("batch_size", [None, 2, 1], ids=["all", "batches", "one-by-one"])


@each_network
def test_prediction_cost_and_gradients_equal_pytorch(make: Callable[[], Case]) -> None:
    compare(make())


@each_network
def test_three_steps_and_the_prediction_after_them_equal_pytorch(make: Callable[[], Case]) -> None:
    def plain() -> Case:
        made = make()
        made.model.compile(nn.SGD(0.05), made.model.loss)
        return made

    case, twin = compare_training(plain, lambda ws: optim.SGD(ws, 0.05), 3)
    with torch.no_grad():
        expected = twin.predict(case.X, training=False)
    np.testing.assert_allclose(case.model.predict(case.X, backend="expressions"), expected, **CLOSE)


@batched
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_equals_pytorch_step_by_step(name: str, batch_size: int | None) -> None:
    compare_training(lambda: optimized(name, batch_size), SAME_RULE[name])


@batched
@pytest.mark.parametrize("name", MORE_RULES)
def test_optimizer_with_other_options_equals_pytorch_step_by_step(name: str, batch_size: int | None) -> None:
    compare_training(lambda: recompiled(name, batch_size), MORE_RULES[name][1])


@pytest.mark.parametrize("name", PYTORCHS_EPSILON)
def test_epsilon_in_pytorchs_place_is_told_from_kerass(name: str) -> None:
    with pytest.raises(AssertionError, match="W1 after epoch 1"):
        compare_training(lambda: recompiled(name, None), PYTORCHS_EPSILON[name])


@pytest.mark.parametrize(
    ("primitive", "fault", "network", "told"),
    [
        ("tanh", {"rules": (slope(lambda out: 1 - out),)}, "tanh", "dW1"),
        ("sigmoid", {"rules": (slope(lambda out: out),)}, "sigmoid", "dW1"),
        ("sigmoid", {"rules": (slope(lambda out: out),)}, "lstm", "dW1"),
        ("relu", {"rules": (slope(lambda out: out),)}, "conv2d", "dK1"),
        ("tanh", {"value": lambda x: np.tanh(x) * (1 + 1e-9)}, "gru", "prediction"),
    ],
    ids=["tanh-slope", "sigmoid-slope", "sigmoid-slope-in-gates", "relu-slope", "tanh-value"],
)
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, primitive: str, fault: dict[str, Any], network: str, told: str
) -> None:
    compare(ROWS[network]())
    monkeypatch.setitem(PRIMITIVES, primitive, replace(PRIMITIVES[primitive], **fault))
    with pytest.raises(AssertionError, match=told):
        compare(ROWS[network]())
