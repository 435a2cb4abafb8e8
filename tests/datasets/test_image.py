"""Data sets: found, downloaded once, and refused when they aren't what their checksums say."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from simulator.datasets import image
from simulator.datasets.image import load_images
from simulator.errors import DataError
from tests.datasets.pictures import pictures, put_small_data


def test_pictures_come_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_small_data(tmp_path, monkeypatch)
    found = load_images("mnist")
    x, y = pictures(300, 0)
    assert (found.x_train.shape, found.x_train.dtype, found.y_test.shape) == ((300, 28, 28, 1), np.float32, (100,))
    np.testing.assert_allclose(found.x_train[..., 0], x / 255, rtol=1e-6)
    np.testing.assert_array_equal(found.y_train, y)
    assert found.classes[3] == "3"
    assert load_images("fashion-mnist").classes[9] == "ankle boot"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files by HTTP, and what was asked for; without SIMULATOR_DATA and with a cache of its own."""
    files = put_small_data(tmp_path / "source", monkeypatch, 20, 10)
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            asked.append(name)
            self.send_response(200 if name in files else 404)
            self.end_headers()
            self.wfile.write(files.get(name, b""))

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        _, classes, checks = image.SOURCES["mnist"]
        monkeypatch.setitem(image.SOURCES, "mnist", (f"http://127.0.0.1:{served.server_port}/", classes, checks))
        monkeypatch.delenv("SIMULATOR_DATA")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield asked
        served.shutdown()


def test_a_download_is_kept(server: list[str], tmp_path: Path) -> None:
    first = load_images("mnist")
    assert len(server) == 4
    assert (load_images("mnist").x_train == first.x_train).all()
    assert len(server) == 4
    kept = sorted(p.name for p in (tmp_path / "cache" / "backpropagation-simulator" / "mnist").iterdir())
    assert kept == sorted(image.SOURCES["mnist"][2])


def test_what_is_not_what_its_checksum_says_is_refused(
    server: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, classes, checks = image.SOURCES["mnist"]
    wrong = {**checks, "t10k-labels-idx1-ubyte.gz": "0" * 64}
    monkeypatch.setitem(image.SOURCES, "mnist", (address, classes, wrong))
    with pytest.raises(
        DataError, match=re.escape("A download must be what its checksum says. Received: something else from")
    ):
        load_images("mnist")
    folder = tmp_path / "cache" / "backpropagation-simulator" / "mnist"
    assert not (folder / "t10k-labels-idx1-ubyte.gz").exists()
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"cut")
    with pytest.raises(DataError, match=re.escape("another one or damaged. Remove it, and it is downloaded again.")):
        load_images("mnist")


def test_a_data_set_that_cannot_be_had_says_how(server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, classes, checks = image.SOURCES["mnist"]
    monkeypatch.setitem(image.SOURCES, "mnist", ("http://127.0.0.1:1/", classes, checks))
    with pytest.raises(DataError) as caught:
        load_images("mnist")
    assert str(caught.value).startswith(
        "A data set is downloaded once. Received: no answer from http://127.0.0.1:1/train"
    )
    assert str(caught.value).endswith("set SIMULATOR_DATA to a folder that has mnist/train-images-idx3-ubyte.gz.")
