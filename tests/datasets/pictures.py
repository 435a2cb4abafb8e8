"""Small data sets in the place of the real ones: patterns that a network tells apart at once."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from simulator.datasets import image


def idx(array: np.ndarray) -> bytes:
    """The bytes of an IDX file, zipped."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)


def pictures(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright bar in the row of the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, samples)
    x = rng.integers(0, 60, (samples, 28, 28))
    for k, label in enumerate(y):
        x[k, 2 + 2 * label : 4 + 2 * label] = 250
    return x, y


def put_small_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch, train: int = 300, test: int = 100
) -> dict[str, bytes]:
    """Write all files below folder, with their checksums in the table; returns those of mnist."""
    found: dict[str, bytes] = {}
    for name, (address, classes, files) in image.SOURCES.items():
        parts = [idx(a) for n, seed in ((train, 0), (test, 1)) for a in pictures(n, seed)]
        checks = {}
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, content in zip(files, parts, strict=True):
            (folder / name / file).write_bytes(content)
            checks[file] = hashlib.sha256(content).hexdigest()
            found[file] = content
        monkeypatch.setitem(image.SOURCES, name, (address, classes, checks))
    monkeypatch.setenv("SIMULATOR_DATA", str(folder))
    return found
