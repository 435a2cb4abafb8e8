"""Run an experiment: train, keep a checkpoint after every epoch and at Ctrl-C, test, and hand over a record.

A run that was interrupted goes on to the very same weights: data are shuffled by seed and epoch, and random numbers of
a step follow from its number.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from simulator import __version__
from simulator.errors import ModelError, SettingError
from simulator.experiments.experiment import Experiment, Settings, at_once, listed, whole
from simulator.experiments.pictures import Pictures
from simulator.experiments.series import Series
from simulator.experiments.task import Task
from simulator.experiments.text import Text
from simulator.files import require_place, write
from simulator.nn.backend import backend_named
from simulator.nn.backend.cpu.compiled import is_compiled
from simulator.nn.callback import Callback, Logs
from simulator.nn.fit import Passed
from simulator.nn.layer import draws
from simulator.nn.memory import free_memory, in_gib, require_room
from simulator.nn.model import Model
from simulator.nn.option import require
from simulator.nn.progress import ProgbarLogger
from simulator.nn.store import load_model

CHECKPOINT, EARLIER = "checkpoint.safetensors", "earlier.safetensors"
TASKS: dict[str, type[Task]] = {
    "mnist": Pictures,
    "fashion-mnist": Pictures,
    "timemachine": Text,
    "jena": Series,
}  # by the name of the data
COMPUTED = {
    "numpy": "by fused operations on NumPy arrays",
    "cupy": "by fused operations on CuPy arrays",
    "expressions": "step by step as equations",
}  # how, by the backend
Said = Callable[[str], None]


class Outcome(NamedTuple):
    """What a run leaves: record as JSON takes it; task has the data."""

    experiment: Experiment
    record: dict[str, Any]
    model: Model
    task: Task


class _Keeper(Callback):
    """Keeps a checkpoint after every epoch, and says how far the run is; in a terminal, while an epoch runs too.

    Once it is to stop, it keeps one after the step that is being taken, and raises KeyboardInterrupt.
    """

    def __init__(
        self,
        path: Path,
        settled: Mapping[str, Any],
        before: dict[str, Any],
        state: Mapping[str, NDArray[Any]],
        epochs: int,
        say: Said,
        task: Task,
    ) -> None:
        self.path, self.settled, self.epochs, self.say, self.task = path, settled, epochs, say, task
        self.stopping = False
        self.within, self.state = before["within"], state  # of the epoch in which a run was interrupted
        self.history: dict[str, list[float]] = before["history"]
        self.notes: dict[str, Any] = before["notes"]  # by epoch
        self.seconds: float = before["seconds"]
        self.line = ProgbarLogger()

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.line.set_params({**params, "epochs": self.epochs})

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch, self.begun = epoch, time.perf_counter()
        if self.within:
            self.model.network().restore(self.state)  # states too, which an epoch would begin from zeros
            self.begun -= self.within.pop("seconds")
            self.model.passed = Passed(**self.within)
            self.within = None
        self.line.on_epoch_begin(epoch)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.line.on_batch_end(batch, logs)
        if self.stopping:
            self._keep(self.epoch, asdict(self.model.passed) | {"seconds": time.perf_counter() - self.begun})
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.line.stop()
        took = time.perf_counter() - self.begun
        self.seconds += took
        numbers = self.task.measured(logs or {})
        for name, value in numbers.items():
            self.history.setdefault(name, []).append(value)
        note = self.task.noted(self.model, epoch + 1)
        if note is not None:
            self.notes[str(epoch + 1)] = note
        self._keep(epoch + 1)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        rate, left = self.task.an_epoch / took, took * (self.epochs - epoch - 1)
        speed = f"{took:.0f} s, {rate:,.0f} {self.task.counted} a second"
        self.say(f"epoch {epoch + 1} of {self.epochs}: {shown}; {speed}, about {spoken(left)} left")
        if self.stopping:
            raise KeyboardInterrupt

    def _keep(self, epoch: int, within: dict[str, Any] | None = None) -> None:
        """Write what is trained after so many whole epochs, and what has passed of the next one."""
        said = {"epoch": epoch, "history": self.history, "notes": self.notes, "within": within}
        said |= {"seconds": self.seconds, "settled": dict(self.settled)}
        _write(self.path, save(self.model.network().state(), {"run": json.dumps(said)}))


@contextmanager
def _to_the_end_of_a_step(keeper: _Keeper) -> Iterator[None]:
    """Ctrl-C lets a step be finished and kept; a second one doesn't wait."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        keeper.stopping = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        keeper.line.stop()


def run_experiment(
    experiment: Experiment,
    out: Path,
    epochs: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    changes: Settings | None = None,
    resume: bool = False,
    say: Said = lambda line: None,
    backend: str = "",
) -> Outcome:
    """Run it in the folder out, where checkpoints go. samples takes so many of the data at most, the first ones.

    resume goes on from the checkpoint of a run with the same settings; backend is one that `Model.fit` takes:
    "expressions" trains step by step as equations, which draw no masks anew. Raises SettingError for settings that
    aren't there or differ from the checkpoint's and for what the backend can't do, DataError when data can't be had,
    MemoryNeededError when training doesn't fit, TrainingError when a loss is no number.
    """
    settings = experiment.settings_with(changes or {})
    epochs = experiment.epochs if epochs is None else whole(epochs, "--epochs")
    backend = backend_named(backend or os.environ.get("SIMULATOR_BACKEND", "numpy"))
    model = experiment.build(settings, seed)
    model.backend = backend
    drawing = [type(layer).__name__ for layer in model.numbered if backend == "expressions" and draws(layer)]
    rule = "Equations draw masks and noise once, and an experiment draws them anew at every step."
    require(not drawing, rule, f"{', '.join(drawing)} on the backend 'expressions'", "Choose numpy.")
    task = TASKS[experiment.data](experiment, settings, seed, samples)
    compiled = backend == "numpy" and is_compiled()
    settled = {
        "experiment": experiment.name,
        "settings": settings,
        "samples": task.samples,
        "seed": seed,
        "backend": f"{backend} with Numba" if compiled else backend,  # whose last digits differ
    }
    path = out / CHECKPOINT
    before: dict[str, Any] = {"epoch": 0, "history": {}, "notes": {}, "seconds": 0.0, "within": None}
    state: dict[str, NDArray[Any]] = {}
    if resume:
        before, state = _checkpoint(path, settled)
        model.network().restore(state)
        model.updated()
        done = before["epoch"]
        within = f", step {before['within']['steps']}" if before["within"] else ""
        rule = "A run that was interrupted within an epoch goes on to its end."
        require(not within or done < epochs, rule, f"--epochs {epochs}", f"It is in epoch {done + 1}.")
        goes = f"goes on after epoch {done}{within}"
        say(goes if done < epochs else f"has {done} epochs already, so nothing is trained")
    keeper = _Keeper(path, settled, before, state, epochs, say, task)
    need = 0
    if before["epoch"] < epochs:
        need = require_room(model, at_once(settings), *_smaller(settings))
        _require_place(path)
        say(f"training takes {in_gib(need)} of memory; {in_gib(free_memory())} are free")
        if not resume and path.exists():
            path.replace(out / EARLIER)
            say(f"the checkpoint of an earlier run is kept as {EARLIER}")
        with _to_the_end_of_a_step(keeper):
            task.fit(model, before["epoch"], epochs, keeper)
    say("what follows is the test")
    history = keeper.history
    tested = task.test(model, history)
    trained, speed = task.an_epoch * len(history["loss"]), f"{task.counted} a second"
    record = {
        "experiment": experiment.name,
        "title": experiment.title,
        "data": experiment.data,
        "kind": task.kind,
        **settled,
        "epochs": len(history["loss"]),
        "epochs of the log book": experiment.epochs,
        "apart": _apart(experiment, settings, task),
        "results": tested.results | {"parameters": model.count_params()},
        "log book": dict(experiment.reported_for({**settings, "fused": backend != "expressions"})),
        "remark": experiment.remark,
        "history": history,
        "measure": task.measure._asdict(),
        "notes": keeper.notes,
        "seconds": round(keeper.seconds, 2),
        "memory": need,
        "speed": speed,
        speed: round(trained / keeper.seconds) if keeper.seconds else 0,
        **tested.more,
        "computed": COMPUTED[backend] + (", in part compiled by Numba" if compiled else ""),
        "versions": {"simulator": __version__, "python": platform.python_version(), "numpy": np.__version__}
        | ({"numba": version("numba")} if compiled else {}),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    }
    return Outcome(experiment, record, model, task)


def _apart(experiment: Experiment, settings: Settings, task: Task) -> list[str]:
    """Where a run's settings and data are not the experiment's own."""
    usual = experiment.settings
    found = [f"{listed({n: v})} instead of {listed({n: usual[n]})}" for n, v in settings.items() if v != usual[n]]
    few = f"{task.samples:,} of {task.all:,} samples"
    return found + ([few] if task.samples != task.all else [])


def spoken(seconds: float) -> str:
    """
    >>> spoken(89.6), spoken(600), spoken(9000)
    ('90 s', '10 min', '2.5 h')
    """
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _smaller(settings: Settings) -> tuple[list[int], str]:
    """Sizes of batches to fall back to, the largest first, and the setting that they are for."""
    size = at_once(settings)
    if "micro_batch" in settings:
        return [n for n in range(size - 1, 0, -1) if size % n == 0], "micro_batch"
    return [size >> k for k in range(1, size.bit_length())], "batch_size"


def trained(experiment: Experiment, where: Path) -> tuple[Model, Task]:
    """The network that a run has left in a folder, or that `Model.save` has written to a file, and the run's data.

    Raises ModelError where there is none.
    """
    if where.is_file():
        settings = experiment.settings_with({})
        return load_model(where), TASKS[experiment.data](experiment, settings, 0, None)
    path = where / CHECKPOINT
    said, state = _kept(
        path,
        f"A network that is looked into has been trained. Received: '{path}' ({{}}). "
        f"Train it first: simulator run {experiment.name}. --model takes another run's folder, or a saved model.",
    )
    settled = said["settled"]
    rule = f"A network of '{experiment.name}' is looked into."
    theirs = settled["experiment"]
    require(theirs == experiment.name, rule, f"'{path}', a run of '{theirs}'", f"simulator trace {theirs} looks there.")
    model = experiment.build(settled["settings"], settled["seed"])
    model.network().restore(state)
    model.updated()
    model.reset_states()
    return model, TASKS[experiment.data](experiment, settled["settings"], settled["seed"], settled["samples"])


def _kept(path: Path, rule: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a checkpoint says, and its arrays. Raises ModelError with the rule, which has a place for the reason."""
    try:
        with safe_open(str(path), "numpy") as file:
            said = json.loads(file.metadata()["run"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        said = (
            {"epoch": int(said["epoch"]), "seconds": float(said["seconds"])}
            | {name: said[name] for name in ("history", "notes", "settled")}
            | {"within": said.get("within")}
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(rule.format(error)) from None
    return said, state


def _checkpoint(path: Path, settled: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a checkpoint says of its run, and its arrays."""
    before, state = _kept(
        path, f"--resume goes on from a checkpoint that a run has kept. Received: '{path}' ({{}}). Run it without."
    )
    begun = before["settled"]
    for name, value in settled.items():
        if begun.get(name) != value:
            raise SettingError(
                f"--resume goes on with what the run began with. Received: {name} {value}, and the checkpoint has "
                f"{begun.get(name)}. Run it without --resume, or in another folder with --out."
            )
    return before, state


def _require_place(path: Path) -> None:
    """Raises ModelError where no checkpoint can be kept."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        require_place(path)


def _write(path: Path, content: bytes) -> None:
    with _told(path):
        write(path, content)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"A checkpoint needs a folder with room for it. Received: '{path}' ({error.strerror}). "
            "Choose another place with --out."
        ) from None
