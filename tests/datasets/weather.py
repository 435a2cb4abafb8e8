"""A small series in the place of Jena's weather, and a small text in that of The Time Machine."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from simulator.datasets import series, text

PROSE = (
    "The Time Machine, by H. G. Wells [1898]\n\nThe Time Traveller (for so it will be convenient to speak of him) was\n"
)


def put_weather(folder: Path, monkeypatch: pytest.MonkeyPatch, numbers: np.ndarray) -> Path:
    """Write numbers (N, 14) as the station's file, with another column before them, and its checksum."""
    lines = [",".join(["Date Time", "CO2 (ppm)", *series.FEATURES])]
    lines += [",".join([f"{k} o'clock", "-9999", *map(repr, row.tolist())]) for k, row in enumerate(numbers)]
    path = folder / series.NAME / series.ZIPPED
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode("latin-1"), mtime=0))
    checksums = series.CHECKSUMS | {series.ZIPPED: hashlib.sha256(path.read_bytes()).hexdigest()}
    monkeypatch.setattr(series, "CHECKSUMS", checksums)
    monkeypatch.setenv("SIMULATOR_DATA", str(folder))
    return path


def put_text(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> Path:
    path = folder / text.NAME / text.FILE
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    monkeypatch.setattr(text, "CHECKSUM", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setenv("SIMULATOR_DATA", str(folder))
    return path
