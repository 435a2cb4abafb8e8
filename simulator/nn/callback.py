"""Callbacks, with Keras's names: what happens between the epochs of a training."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import ModelError, SettingError, did_you_mean
from simulator.files import append, replacing, require_place
from simulator.nn.option import Configured, one_of, require

if TYPE_CHECKING:
    from simulator.nn.model import Model

Logs = dict[str, float]


class Callback:
    """Base of all callbacks; `model` is the one that is trained."""

    model: Model
    params: Mapping[str, Any]  # epochs, verbose, and steps of an epoch, None while nobody knows

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Model) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """In Keras the newer name; what stands under the older one is called as well."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before validation data, or those of `evaluate`, are gone through."""

    def on_test_end(self, logs: Logs | None = None) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_predict_begin(self, logs: Logs | None = None) -> None: ...

    def on_predict_end(self, logs: Logs | None = None) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """logs["outputs"] are the answers of the batch."""


class History(Callback):
    """What `fit` returns: history has a list per number, epoch has their epochs."""

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


def _improves(callback: Any) -> Callable[[float, float, float], bool]:
    """Whether a value is better than another one by more than so much."""
    monitor, mode = callback.monitor, callback.mode
    one_of("mode", mode, ("auto", "min", "max"))
    up: bool | None = mode == "max"
    name = monitor.removeprefix("val_")
    if mode == "auto" and name != "loss":
        metrics = getattr(getattr(callback, "model", None), "metrics", ())
        up = next((metric.rises for metric in metrics if metric.name == name), False)
        rule, advice = "Of a metric of your own you say what is better.", "Give mode='max' or mode='min'."
        require(up is not None, rule, f"monitor='{monitor}'", advice)
    return (lambda new, old, by: new > old + by) if up else (lambda new, old, by: new < old - by)


def _monitored(callback: Any, logs: Mapping[str, float] | None) -> float | None:
    """The number that is watched. As in Keras a training without it goes on, with a warning: then it is None."""
    logs, monitor = logs or {}, callback.monitor
    if monitor not in logs:
        said = f"{type(callback).__name__} does nothing: monitor is one of {', '.join(logs)}. Received: '{monitor}'."
        warnings.warn(f"{said} val_ needs validation data.{did_you_mean(monitor, logs)}", stacklevel=2)
    return logs.get(monitor)


def _say(callback: Any, text: str) -> None:
    """Print it where the callback is to."""
    if callback.verbose:
        print(text, flush=True)


@dataclass
class EarlyStopping(Configured, Callback):
    """Stops when a number has not improved by more than min_delta for `patience` epochs.

    With a baseline, only what is better than that is an improvement. verbose=1 says when it stops.
    """

    monitor: str = "val_loss"
    min_delta: float = 0.0
    patience: int = 0
    verbose: int = 0
    mode: str = "auto"
    baseline: float | None = None
    restore_best_weights: bool = False
    start_from_epoch: int = 0
    stopped_epoch: int = field(init=False, default=0)
    best_epoch: int = field(init=False, default=0)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.better = _improves(self)
        self.best: float | None = None
        self.waited = 0
        self.weights: list[Any] | None = None
        self.stopped_epoch = self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = _monitored(self, logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.waited += 1
        if self.best is None or self.better(value, self.best, abs(self.min_delta)):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.weights = [*self.model.get_weights()]
            if self.baseline is None or self.better(value, self.baseline, abs(self.min_delta)):
                self.waited = 0
            return
        if self.waited >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch:
            _say(self, f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.weights is not None:
            _say(self, f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.weights)


@dataclass
class ModelCheckpoint(Configured, Callback):
    """Saves the model after every epoch, or after those that are the best so far. {epoch} and logs go into the path.

    With initial_value_threshold, only what is better than that is saved. verbose=1 says when it saves. A folder that
    isn't there is made.
    """

    filepath: str | Path = ""
    monitor: str = "val_loss"
    verbose: int = 0
    save_best_only: bool = False
    save_weights_only: bool = False
    mode: str = "auto"
    initial_value_threshold: float | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require(bool(str(self.filepath)), "ModelCheckpoint needs a filepath.", repr(self.filepath))
        self.better = _improves(self)
        self.best = self.initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only:
            value = _monitored(self, logs)
            if value is None:
                return
            if self.best is not None and not self.better(value, self.best, 0.0):
                return
            self.best = value
        path = self._path({"epoch": epoch + 1, **(logs or {})})
        with contextlib.suppress(OSError):  # what saves says why
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        _say(self, f"Epoch {epoch + 1}: saving model to {path}")
        self.model.save_weights(path) if self.save_weights_only else self.model.save(path)

    def _path(self, numbers: Mapping[str, float]) -> str:
        try:
            return str(self.filepath).format(**numbers)
        except (LookupError, ValueError, AttributeError) as error:
            raise SettingError(
                f"ModelCheckpoint's filepath may have {', '.join(f'{{{name}}}' for name in numbers)} in it. "
                f"Received: '{self.filepath}' ({error})."
            ) from None


@dataclass
class LearningRateScheduler(Configured, Callback):
    """Sets the learning rate of an epoch: schedule(epoch, rate), or schedule(epoch)."""

    schedule: Any = None
    verbose: int = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        require(callable(self.schedule), "LearningRateScheduler takes a function.", repr(self.schedule))
        try:
            rate = self.schedule(epoch, self.model.learning_rate)
        except TypeError:
            rate = self.schedule(epoch)
        good = isinstance(rate, int | float | np.number) and bool(rate > 0)
        require(good, "The function of LearningRateScheduler returns a rate above 0.", repr(rate))
        self.model.learning_rate = float(rate)
        _say(self, f"Epoch {epoch + 1}: learning rate {float(rate):g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.learning_rate


@dataclass
class ReduceLROnPlateau(Configured, Callback):
    """Multiplies the learning rate by `factor` when a number has not improved for `patience` epochs."""

    monitor: str = "val_loss"
    factor: float = 0.1
    patience: int = 10
    verbose: int = 0
    mode: str = "auto"
    min_delta: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require(self.factor < 1, "ReduceLROnPlateau needs a factor below 1.", self.factor)
        self.better = _improves(self)
        self.best: float | None = None
        self.waited = self.cooling = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value, rate = _monitored(self, logs), self.model.learning_rate
        if logs is not None:
            logs["learning_rate"] = rate
        if value is None:
            return
        if self.cooling > 0:
            self.cooling -= 1
            self.waited = 0
        if self.best is None or self.better(value, self.best, self.min_delta):
            self.best, self.waited = value, 0
        elif self.cooling <= 0:
            self.waited += 1
            if self.waited >= self.patience and rate > self.min_lr:
                self.model.learning_rate = max(rate * self.factor, self.min_lr)
                _say(self, f"Epoch {epoch + 1}: reducing learning rate to {self.model.learning_rate:g}")
                self.cooling, self.waited = self.cooldown, 0


@dataclass
class CSVLogger(Configured, Callback):
    """Writes a row per epoch, after those of an earlier training or, without append, in their place.

    Raises ModelError where the file can't be written; what is in it stays.
    """

    filename: str | Path = ""
    separator: str = ","
    append: bool = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require(bool(str(self.filename)), "CSVLogger needs a filename.", repr(self.filename))
        path = Path(self.filename)
        self.has_heading = self.append and path.exists() and path.stat().st_size > 0
        self.goes_on = self.append
        self._do(lambda: append(path, b"") if self.append else require_place(path))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        text = io.StringIO()
        rows = csv.writer(text, delimiter=self.separator)
        if not self.has_heading:
            rows.writerow(["epoch", *logs])
        rows.writerow([epoch, *logs.values()])
        self._do(lambda: self._write(Path(self.filename), text.getvalue().encode()))
        self.has_heading = self.goes_on = True

    def _write(self, path: Path, rows: bytes) -> None:
        """Add the rows to the file, or begin it with them, in place of an earlier one."""
        if self.goes_on:
            append(path, rows)
            return
        with replacing(path) as part:
            part.write_bytes(rows)

    def _do(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise ModelError(
                f"CSVLogger needs a file that can be written. Received: '{self.filename}' ({error.strerror}). "
                "Make room, or choose another filename; the rows that are in it stay."
            ) from None


class LambdaCallback(Callback):
    """Functions in place of methods: LambdaCallback(on_epoch_end=lambda epoch, logs: ...)."""

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        for name, function in functions.items():
            one_of("LambdaCallback's functions", name, [n for n in dir(Callback) if n.startswith("on_")])
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends the training quietly at a loss that is no number. Without it `fit` raises, and names likely causes."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training", flush=True)
            self.model.stop_training = True
