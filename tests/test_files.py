"""Files on a full disk and in refused places: one clear error, nothing half-written, what was there stays."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn
from simulator.check.gradebook import write_gradebook
from simulator.errors import ModelError, SimulatorError
from simulator.experiments.run import _write as write_checkpoint
from simulator.report.figure import Bars, draw_figure
from simulator.report.output import write_text
from simulator.xlsx.report import write_report
from simulator.xlsx.verify import Verification

resource = pytest.importorskip("resource", reason="only Unix bounds the size of a file")
EARLIER = b"an earlier file"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: a write stops in its middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def model() -> nn.Model:
    return nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Dense(1)]).compile("sgd", "mse")


def fit_with(*callbacks: nn.callbacks.Callback, epochs: int = 1) -> None:
    model().fit(np.ones((4, 4)), np.ones((4, 1)), epochs=epochs, verbose=0, callbacks=callbacks)


# what writes a file
WRITERS: dict[str, Callable[[Path], Any]] = {
    "save": lambda path: model().save(path),
    "save_weights": lambda path: model().save_weights(path),
    "ModelCheckpoint": lambda path: fit_with(nn.callbacks.ModelCheckpoint(str(path))),
    "CSVLogger": lambda path: fit_with(nn.callbacks.CSVLogger(str(path))),
    "CSVLogger, append": lambda path: fit_with(nn.callbacks.CSVLogger(str(path), append=True)),
    "checkpoint of a run": lambda path: write_checkpoint(path, bytes(1000)),
    "page": lambda path: write_text(path, "a page" * 100),
    "picture": lambda path: draw_figure(path, "title", [Bars("bars", [("a", 1)], "")]),
    "plot_model": lambda path: nn.utils.plot_model(model(), path),
    "gradebook": lambda path: write_gradebook([], path),
    "report": lambda path: write_report([Verification(path, "xor", 1, [])], path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_earlier_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(EARLIER)
    with room_for(len(EARLIER) + 5), pytest.raises(SimulatorError) as caught:
        WRITERS[name](path)
    assert f"Received: '{path}' (" in str(caught.value) and "None" not in str(caught.value)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.png", EARLIER)]
    WRITERS[name](path)
    assert path.read_bytes() != EARLIER


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_in_the_files_place_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.mkdir()
    with pytest.raises(SimulatorError, match="Is a directory"):
        WRITERS[name](path)
    assert list(tmp_path.rglob("*")) == [path]


def test_a_disk_that_is_full_in_the_middle_of_a_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: zipfile.ZipFile, *given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = model().save(tmp_path / "a.keras")
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(ModelError) as caught:
        model().save(path)
    assert str(caught.value) == (
        f"A model can only be saved where that is allowed. Received: '{path}' (No space left on device). "
        "Choose another path."
    )
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.keras", before)]


class FullAfter(nn.callbacks.Callback):
    """Leaves room for a few bytes more than the log has after so many epochs."""

    def __init__(self, epochs: int, log: Path) -> None:
        self.epochs, self.log = epochs, log

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.epochs:
            self.rows = self.log.read_bytes()
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (len(self.rows) + 5, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
            )


@pytest.mark.parametrize("append", [False, True])
def test_a_log_keeps_its_rows_where_the_disk_is_full_in_the_middle_of_one(append: bool, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    full = FullAfter(3, log)
    with room_for(10_000), pytest.raises(ModelError) as caught:
        fit_with(full, nn.callbacks.CSVLogger(str(log), append=append), epochs=5)
    assert str(caught.value).startswith(f"CSVLogger needs a file that can be written. Received: '{log}' (")
    assert log.read_bytes() == full.rows
    assert [row.split(b",")[0] for row in full.rows.splitlines()] == [b"epoch", b"0", b"1", b"2"]


def test_a_log_in_a_refused_place_stops_before_the_first_epoch(tmp_path: Path) -> None:
    seen: list[int] = []
    watching = nn.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: seen.append(epoch))
    with pytest.raises(ModelError) as caught:
        fit_with(watching, nn.callbacks.CSVLogger(str(tmp_path / "absent" / "log.csv")))
    assert str(caught.value) == (
        f"CSVLogger needs a file that can be written. Received: '{tmp_path}/absent/log.csv' "
        "(No such file or directory). Make room, or choose another filename; the rows that are in it stay."
    )
    assert seen == []
