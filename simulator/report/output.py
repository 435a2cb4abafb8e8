"""Pages and pictures as files: written beside their place, then renamed."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import WorkbookError
from simulator.files import write


def write_bytes(path: Path, content: bytes) -> Path:
    """Write beside path, then rename. Raises WorkbookError when that can't be done."""
    try:
        write(path, content)
    except OSError as error:
        raise WorkbookError(
            f"Results can only be written to a folder that allows it. Received: '{path}' ({error.strerror}). "
            "Choose another place with --out."
        ) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """The same for a text, in UTF-8; what isn't Unicode, as in a file's name, becomes a question mark."""
    return write_bytes(path, text.encode(errors="replace"))
