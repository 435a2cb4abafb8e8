"""Files of data sets, by their checksums.

Looked for in the folder that SIMULATOR_DATA names, then in the cache, then downloaded into it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from simulator.errors import DataError
from simulator.files import write

TIMEOUT = 60  # seconds without an answer


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "backpropagation-simulator"


def file_of(name: str, file: str, checksum: str, address: str) -> Path:
    """A file of a data set, whose content is what its checksum (SHA-256) says.

    Raises DataError when it can't be had, or is another one.
    """
    path = existing(name, file)
    if path is None:
        return _downloaded(address, cache_folder() / name / file, checksum)
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise DataError(
            f"A data set's file must be the one that its checksum says. Received: '{path}', which is another "
            "one or damaged. Remove it, and it is downloaded again."
        )
    return path


def existing(name: str, file: str) -> Path | None:
    """Where a file of a data set lies on this machine, if anywhere."""
    given = os.environ.get("SIMULATOR_DATA")
    places = [*([Path(given) / name / file] if given else []), cache_folder() / name / file]
    return next((path for path in places if path.is_file()), None)


def _downloaded(address: str, path: Path, checksum: str) -> Path:
    import urllib.error  # here: they take longer to load than the rest of a command's start
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
            content = answer.read()
    except (OSError, urllib.error.URLError, ValueError) as error:
        reason, given = getattr(error, "reason", None) or error, os.environ.get("SIMULATOR_DATA")
        but = f", and '{given}', which SIMULATOR_DATA names, doesn't have it" if given else ""
        raise DataError(
            f"A data set is downloaded once. Received: no answer from {address} ({reason}){but}. Try again later, or "
            f"set SIMULATOR_DATA to a folder that has {path.parent.name}/{path.name}."
        ) from None
    if hashlib.sha256(content).hexdigest() != checksum:
        raise DataError(f"A download must be what its checksum says. Received: something else from {address}.")
    try:
        write(path, content)
    except OSError as error:
        raise DataError(
            f"A data set is kept in a folder that allows it. Received: '{path}' ({error.strerror}). "
            "Set XDG_CACHE_HOME to another one."
        ) from None
    return path
