"""Run an experiment: train, keep a checkpoint after every epoch, test, and hand over a record.

A run that was interrupted goes on to the very same weights: data are shuffled by seed and epoch, and random numbers of
a step follow from its number.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from simulator import __version__
from simulator.datasets.image import Images, load_images
from simulator.errors import ModelError, SettingError
from simulator.experiments.experiment import Experiment, whole
from simulator.files import replacing
from simulator.nn.callback import Callback, Logs
from simulator.nn.memory import free_memory, in_gib, require_room
from simulator.nn.metric import confusion_matrix
from simulator.nn.model import Model

CHECKPOINT = "checkpoint.safetensors"
TESTED = 500  # samples at most of a batch in which the test data are answered
Said = Callable[[str], None]


class Outcome(NamedTuple):
    """What a run leaves: record as JSON takes it; answers (N, classes) for the test data, which images has."""

    experiment: Experiment
    record: dict[str, Any]
    model: Model
    images: Images
    answers: NDArray[Any]


class _Keeper(Callback):
    """Keeps a checkpoint after every epoch, and says how far the run is."""

    def __init__(self, path: Path, settled: Mapping[str, Any], before: dict[str, Any], epochs: int, say: Said) -> None:
        self.path, self.settled, self.epochs, self.say = path, settled, epochs, say
        self.history: dict[str, list[float]] = before["history"]
        self.seconds: float = before["seconds"]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        took = time.perf_counter() - self.begun
        self.seconds += took
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        said = {"epoch": epoch + 1, "history": self.history, "seconds": self.seconds, "settled": dict(self.settled)}
        _write(self.path, save(self.model.network().state(), {"run": json.dumps(said)}))
        shown = ", ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        left = took * (self.epochs - epoch - 1)
        self.say(f"epoch {epoch + 1} of {self.epochs}: {shown}; {took:.0f} s, about {left:.0f} s left")


def run_experiment(
    experiment: Experiment,
    out: Path,
    epochs: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    changes: Mapping[str, float] | None = None,
    resume: bool = False,
    say: Said = lambda line: None,
) -> Outcome:
    """Run it in the folder out, where checkpoints go. samples takes so many of the training data, the first ones.

    resume goes on from the checkpoint of a run with the same settings. Raises SettingError for settings that aren't
    there or differ from the checkpoint's, DataError when the data can't be had, TrainingError when a loss is no number.
    """
    settings = experiment.settings_with(changes or {})
    epochs = experiment.epochs if epochs is None else whole(epochs, "--epochs")
    images = experiment.prepare(load_images(experiment.data), settings, seed)
    count = len(images.x_train) if samples is None else min(whole(samples, "--samples"), len(images.x_train))
    x, y = images.x_train[:count], images.y_train[:count]
    model = experiment.build(settings, seed)
    settled = {"experiment": experiment.name, "settings": settings, "samples": count, "seed": seed}
    path = out / CHECKPOINT
    before: dict[str, Any] = {"epoch": 0, "history": {}, "seconds": 0.0}
    if resume:
        before, state = _checkpoint(path, settled)
        model.network().restore(state)
        model.updated()
        say(f"goes on after epoch {before['epoch']}")
    batch = int(settings["batch_size"])
    if before["epoch"] < epochs:
        need = require_room(model, batch, halves_of(batch))
        say(f"training takes {in_gib(need)} of memory; {in_gib(free_memory())} are free")
    keeper = _Keeper(path, settled, before, epochs, say)
    cut = int(count * (1 - experiment.validation))
    if before["epoch"] < epochs:
        held = (x[cut:], y[cut:]) if cut < count else None
        model.fit(
            x[:cut],
            y[:cut],
            batch_size=batch,
            epochs=epochs,
            verbose=0,
            initial_epoch=before["epoch"],
            validation_data=held,
            shuffle=bool(settings.get("shuffle", 1)),
            callbacks=[keeper],
        )
    tested = min(TESTED, batch)
    answers = model.predict(images.x_test, tested)
    test = model.evaluate(images.x_test, images.y_test, tested, return_dict=True)
    history = keeper.history
    found = {"test accuracy": test["accuracy"], "test loss": test["loss"], "parameters": model.count_params()}
    found |= {"training accuracy": history["accuracy"][-1], "training loss": history["loss"][-1]}
    found["first training accuracy"] = history["accuracy"][0]
    if "val_accuracy" in history:
        found["best validation accuracy"] = max(history["val_accuracy"])
    trained = cut * len(history["loss"])
    record = {
        "experiment": experiment.name,
        "title": experiment.title,
        "data": experiment.data,
        **settled,
        "epochs": len(history["loss"]),
        "results": found,
        "log book": dict(experiment.reported),
        "remark": experiment.remark,
        "history": history,
        "seconds": round(keeper.seconds, 2),
        "examples a second": round(trained / keeper.seconds) if keeper.seconds else 0,
        "confusion": confusion_matrix(images.y_test, answers, len(images.classes)).tolist(),
        "classes": list(images.classes),
        "backend": "numpy",
        "versions": {"simulator": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    }
    return Outcome(experiment, record, model, images, answers)


def halves_of(batch: int) -> list[int]:
    """
    >>> halves_of(20)
    [10, 5, 2, 1]
    """
    return [batch >> k for k in range(1, batch.bit_length())]


def _checkpoint(path: Path, settled: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a checkpoint says of its run, and its arrays."""
    try:
        with safe_open(str(path), "numpy") as file:
            said = json.loads(file.metadata()["run"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        before = {"epoch": int(said["epoch"]), "history": said["history"], "seconds": float(said["seconds"])}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"--resume goes on from a checkpoint that a run has kept. Received: '{path}' ({error}). Run it without."
        ) from None
    for name, value in settled.items():
        if said["settled"].get(name) != value:
            raise SettingError(
                f"--resume goes on with what the run began with. Received: {name} {value}, and the checkpoint has "
                f"{said['settled'].get(name)}. Run it without --resume, or in another folder with --out."
            )
    return before, state


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise ModelError(
            f"A checkpoint needs a folder with room for it. Received: '{path}' ({error.strerror}). "
            "Choose another place with --out."
        ) from None
