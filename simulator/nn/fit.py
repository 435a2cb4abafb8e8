"""Training and reading a model on a backend at full size, batch by batch.

# N samples
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import ShapeError, TrainingError
from simulator.nn.callback import Callback, History, Logs
from simulator.nn.metric import Metric
from simulator.nn.option import is_whole, require

if TYPE_CHECKING:
    from simulator.nn.model import Model

Array = NDArray[Any]
BATCH = 32  # samples, Keras's default
LARGE = 1 << 20  # numbers that are looked through at a time


def fit(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int | None,
    epochs: int,
    verbose: int | str,
    callbacks: Sequence[Callback],
    validation_split: float,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    shuffle: bool,
    initial_epoch: int,
) -> History:
    """See `Model.fit`."""
    inputs, labels = data_of(model, x, y)
    require(0 <= validation_split < 1, "validation_split is a share from 0 to below 1.", validation_split)
    held = data_of(model, *validation_data) if validation_data is not None else None
    if held is None and validation_split:
        cut = int(len(inputs) * (1 - validation_split))
        require(0 < cut < len(inputs), "validation_split leaves samples on both sides.", f"{len(inputs)} samples")
        held = inputs[cut:], labels[cut:]
        inputs, labels = inputs[:cut], labels[:cut]
    size = batch_checked(batch_size)
    history = History()
    everyone: list[Callback] = [history, *callbacks]
    for callback in everyone:
        callback.set_model(model)
    network, metrics = model.network(), model.metrics
    model.stop_training = False
    for callback in [*callbacks, history]:
        callback.on_train_begin()
    try:
        for epoch in range(initial_epoch, epochs):
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            order = np.arange(len(inputs))
            if shuffle:
                np.random.default_rng((model.seed, epoch)).shuffle(order)
            begun, total, seen = time.perf_counter(), 0.0, 0
            for metric in metrics:
                metric.reset()
            for batch, start in enumerate(range(0, len(order), size)):
                chosen = order[start : start + size]
                labels_now = labels[chosen]
                loss, p = network.train(inputs[chosen], labels_now)
                if not math.isfinite(loss):
                    raise TrainingError(
                        f"A loss must be a finite number. Received: {loss} in epoch {epoch + 1}, step {batch + 1}. "
                        "Try a smaller learning rate, clipnorm, or inputs scaled to about 1."
                    )
                total, seen = total + loss * len(chosen), seen + len(chosen)
                for metric in metrics:
                    metric.update(labels_now, p)
                logs: Logs = {"loss": total / seen}
                for callback in callbacks:
                    callback.on_batch_end(batch, logs)
                if model.stop_training:
                    break
            logs = {"loss": total / seen} | _results(metrics)
            if held is not None:
                logs |= {f"val_{name}": value for name, value in evaluated(model, *held, size).items()}
            if callbacks:
                model.updated()  # they may look at the weights
            for callback in [*callbacks, history]:
                callback.on_epoch_end(epoch, logs)
            if verbose:
                shown = " ".join(f"{name} {value:.4g}" for name, value in logs.items())
                print(f"Epoch {epoch + 1}/{epochs}: {time.perf_counter() - begun:.1f} s, {shown}", flush=True)
            if model.stop_training:
                break
    finally:
        model.updated()
        for callback in callbacks:
            callback.on_train_end()
    return history


def evaluated(model: Model, inputs: Array, labels: Array, size: int) -> Logs:
    """The loss, with penalties, and all metrics over checked data."""
    network = model.network()
    total, entries = 0.0, 0
    for metric in model.metrics:
        metric.reset()
    for start in range(0, len(inputs), size):
        y = labels[start : start + size]
        p = network.predict(inputs[start : start + size])
        total += network.evaluate(p, y)
        entries += network.entries(y, p.shape[-1])
        for metric in model.metrics:
            metric.update(y, p)
    return {"loss": total / entries + network.penalty()} | _results(model.metrics)


def predicted(model: Model, x: ArrayLike, size: int) -> Array:
    """The answers (N, ...), batch by batch."""
    inputs = inputs_of(model, x)
    network = model.network()
    return np.concatenate([network.predict(inputs[a : a + size]) for a in range(0, len(inputs), size)])


def _results(metrics: Sequence[Metric]) -> Logs:
    return {metric.name: metric.result() for metric in metrics}


def batch_checked(batch_size: int | None) -> int:
    size = BATCH if batch_size is None else batch_size
    require(is_whole(size) and size > 0, "batch_size must be a whole number above 0.", repr(batch_size))
    return int(size)


# Data


def inputs_of(model: Model, x: ArrayLike) -> Array:
    """Inputs (N, ...) in float32, or as they are when they hold whole numbers. Raises ShapeError or SettingError."""
    array = np.asarray(x)
    require(array.dtype.kind in "fiub", "X must be numbers in rows of one length.", f"{array.dtype}")
    wanted = model.inputs.shape
    if array.shape[1:] != wanted or len(array) < 1:
        layer = next((t.layer for t in model.walk() if model.inputs in t.inputs), None)
        name = type(layer).__name__ if layer is not None else "the network"
        raise ShapeError(
            f"{name} needs samples of shape {wanted}. Received: an array {array.shape}. "
            f"Give X the shape (N, {', '.join(map(str, wanted))})."
        )
    array = array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
    if array.dtype.kind == "f":
        _finite(array)
    return array


def data_of(model: Model, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Inputs and labels as `fit` takes them. Raises ShapeError or SettingError when they don't fit the model."""
    inputs, labels = inputs_of(model, x), np.asarray(y)
    if len(labels) != len(inputs):
        raise ShapeError(f"X and Y have as many rows. Received: {len(inputs)} and {len(labels)}.")
    return inputs, model.labels_fitted(labels)


def _finite(array: Array) -> None:
    flat = array.reshape(-1)
    for start in range(0, flat.size, LARGE):
        bad = ~np.isfinite(flat[start : start + LARGE])
        if bad.any():
            at = np.unravel_index(start + int(np.argmax(bad)), array.shape)
            require(
                False,
                "X must be finite numbers.",
                f"{array[at]} at {tuple(int(i) for i in at)}",
                "Remove these samples or fill them in.",
            )
