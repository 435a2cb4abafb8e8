"""Files are written beside their place and then renamed, so that an earlier one survives whatever fails."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path to write to, in the same folder. Raises OSError as writing does; nothing half stays."""
    part = _part(path)
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write(path: Path, content: bytes) -> None:
    """The whole of a file, in a folder that is made where it isn't there. Raises OSError, and the file is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content)


def append(path: Path, data: bytes) -> None:
    """Add data to a file's end. Raises OSError as writing does, and the file is as it was."""
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(before)
            raise


def require_place(path: Path) -> None:
    """Raises OSError where no file can be written in place of path, which stays as it is."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    part = _part(path)
    part.touch()
    part.unlink()


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
