"""Training and reading a model on a backend at full size, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import ShapeError, TrainingError
from simulator.nn.callback import Callback, History, Logs, TerminateOnNaN
from simulator.nn.feed import Batch, DataSet, Feed, inputs_of, samples_of
from simulator.nn.metric import Metric
from simulator.nn.optimizer import Schedule
from simulator.nn.progress import progress_of

if TYPE_CHECKING:
    from simulator.nn.model import Model

Array = NDArray[Any]


@dataclass
class Passed:
    """What an epoch has added up so far: steps, losses of so many samples, and what each metric counts."""

    steps: int = 0
    total: float = 0.0
    seen: int = 0
    metrics: Sequence[tuple[float, float]] = ()

    def add(self, loss: float, samples: int, metrics: Sequence[Metric]) -> None:
        self.steps, self.seen = self.steps + 1, self.seen + samples
        self.total += loss * samples
        self.metrics = [(metric.total, metric.count) for metric in metrics]

    @property
    def loss(self) -> float:
        return self.total / self.seen


def fit(
    model: Model,
    training: Feed,
    held: Feed | None,
    epochs: int,
    verbose: int | str,
    callbacks: Sequence[Callback],
    initial_epoch: int,
    backend: str = "",
    validation_freq: int = 1,
) -> History:
    """See `Model.fit`."""
    history = History()
    watching = progress_of(verbose)
    heard: list[Callback] = [*callbacks, history]
    everyone = [*heard, *watching]
    for callback in everyone:
        callback.set_params({"epochs": epochs, "steps": training.steps, "verbose": verbose})
        callback.set_model(model)
    network, metrics = model.network(backend), model.metrics
    model.stop_training = False
    for callback in everyone:
        callback.on_train_begin({})
    quiet = any(isinstance(callback, TerminateOnNaN) for callback in callbacks)
    logs: Logs = {}
    try:
        ahead = max(model.epochs_done - initial_epoch, 0)  # so that every epoch has an order of its own
        for epoch in range(initial_epoch, epochs):
            model.passed = Passed()
            for callback in everyone:
                callback.on_epoch_begin(epoch, {})
            model.hand_over(network)  # what callbacks have set, here and below
            passed = model.passed  # theirs too, of an epoch that goes on
            for k, metric in enumerate(metrics):
                metric.reset_state()
                if passed.metrics:
                    metric.total, metric.count = passed.metrics[k]
            for step, batch in enumerate(training.batches(epoch + ahead)):
                if step < passed.steps:
                    continue
                for callback in callbacks:
                    callback.on_train_batch_begin(step, {})
                model.hand_over(network)
                loss, p = network.train(batch.x, batch.y, batch.weights, answers=bool(metrics))
                if not (math.isfinite(loss) or quiet):
                    raise TrainingError(
                        f"A loss must be a finite number. Received: {loss} in epoch {epoch + 1}, step {step + 1}. "
                        f"{_causes(model, batch)}"
                    )
                _count(metrics, batch.y, p)
                passed.add(loss, len(batch.x), metrics)
                if callbacks or watching:
                    model.behind(backend)
                    logs = {"loss": passed.loss} | _results(metrics)
                    for callback in [*callbacks, *watching]:
                        callback.on_train_batch_end(step, logs)
                    model.hand_over(network)
                if model.stop_training:
                    break
            logs = {"loss": passed.loss} | _results(metrics)
            if held is not None and (epoch + 1) % validation_freq == 0:
                found = evaluated(model, held, backend, callbacks)
                logs |= {f"val_{name}": value for name, value in found.items()}
            model.epochs_done = epoch + ahead + 1
            for callback in everyone:
                callback.on_epoch_end(epoch, logs)
            model.hand_over(network)
            if model.stop_training:
                break
    finally:
        model.updated(backend)
        for callback in watching:
            callback.on_train_end(logs)
    for callback in heard:
        callback.on_train_end(logs)
    return history


def evaluated(model: Model, feed: Feed, backend: str = "", callbacks: Sequence[Callback] = ()) -> Logs:
    """The loss, with penalties, and all metrics."""
    network = model.network(backend)
    for callback in callbacks:
        callback.on_test_begin({})
    total, entries, penalty = 0.0, 0, network.penalty()
    for metric in model.metrics:
        metric.reset_state()
    for step, (x, y, weights) in enumerate(feed.batches(0)):
        for callback in callbacks:
            callback.on_test_batch_begin(step, {})
        loss, p = network.assess(x, y, weights)
        total += loss
        entries += network.entries(y, p.shape[-1])
        _count(model.metrics, y, p)
        for callback in callbacks:
            callback.on_test_batch_end(step, {"loss": total / entries + penalty} | _results(model.metrics))
    logs = {"loss": total / entries + penalty} | _results(model.metrics)
    for callback in callbacks:
        callback.on_test_end(logs)
    return logs


def predicted(model: Model, x: Any, size: int, backend: str, dtype: Any, callbacks: Sequence[Callback] = ()) -> Array:
    """The answers (N, ...), batch by batch. A data set gives samples, or tuples that begin with them."""
    network = model.network(backend)
    if isinstance(x, DataSet):
        batches = (inputs_of(model, samples_of(batch), dtype=dtype) for batch in x.raw())
    else:
        inputs = inputs_of(model, x, dtype=dtype)
        batches = (inputs[a : a + size] for a in range(0, len(inputs), size))
    for callback in callbacks:
        callback.on_predict_begin({})
    found = []
    for step, batch in enumerate(batches):
        for callback in callbacks:
            callback.on_predict_batch_begin(step, {})
        found.append(network.predict(batch))
        for callback in callbacks:
            callback.on_predict_batch_end(step, {"outputs": found[-1]})
    for callback in callbacks:
        callback.on_predict_end({})
    return np.concatenate(found)


def _count(metrics: Sequence[Metric], y: Array, p: Array) -> None:
    for metric in metrics:
        try:
            metric.update_state(y, p)
        except ShapeError as error:
            raise ShapeError(f"'{metric.name}': {error}") from None


def _results(metrics: Sequence[Metric]) -> Logs:
    return {metric.name: metric.result() for metric in metrics}


def _causes(model: Model, batch: Batch) -> str:
    """What most often makes a loss leave the numbers, with what this training has of it."""
    optimizer = model.optimizer
    rate = optimizer.learning_rate
    first = rate(0) if isinstance(rate, Schedule) else rate
    largest = float(np.abs(batch.x.astype(np.float32)).max(initial=0))
    causes = [f"a learning rate of {first:g} is too large"]
    if largest > 10:
        causes.append(f"inputs reach {largest:g} and should be scaled to about 1")
    if not optimizer.clips:
        causes.append("gradients are not clipped (clipnorm=1.0)")
    return f"Likely causes: {'; '.join(causes)}."
