"""Run an engine on a workbook in a child process, which can crash or hang without harm."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.errors import EngineError, SettingError

STORED = "stored"
EMBEDDED = ("ironcalc", "formualizer")
LIBREOFFICE = "libreoffice"
ENGINES = (*EMBEDDED, LIBREOFFICE)
TIMEOUT = 1800  # seconds; a million cells take about ten


@dataclass(frozen=True)
class Grid:
    """The cells of a sheet: numbers (rows, columns) with NaN where there is none, and texts by (row, column)."""

    numbers: NDArray[np.float64]
    texts: dict[tuple[int, int], str]


def choose_engines(name: str) -> tuple[str, ...]:
    """The engines that one name, "all", "embedded" or "none" stand for; "all" is every one that is installed.

    Raises SettingError for an unknown name.
    """
    if name == "none":
        return ()
    if name == "embedded":
        return EMBEDDED
    if name == "all":
        return (*EMBEDDED, LIBREOFFICE) if find_libreoffice() else EMBEDDED
    if name in ENGINES:
        return (name,)
    raise SettingError(
        f"--engine takes {', '.join(ENGINES)}, embedded, all or none. Received: '{name}'. Leave it out for ironcalc."
    )


@cache
def find_libreoffice() -> tuple[str, str] | None:
    """The soffice program and a Python that can import uno; None when one is missing."""
    soffice = next((p for p in _soffice_places() if p and Path(p).exists()), None)
    if soffice is None:
        return None
    beside = Path(soffice).resolve().parent
    pythons = [
        beside / "python.exe",
        beside / "python",
        beside.parent / "Resources" / "python",
        Path("/usr/bin/python3"),
    ]
    for python in pythons:
        if python.exists() and subprocess.run([python, "-c", "import uno"], capture_output=True).returncode == 0:
            return soffice, str(python)
    return None


def _soffice_places() -> list[str | None]:
    return [
        os.environ.get("SOFFICE"),
        "/usr/lib/libreoffice/program/soffice.bin",
        "/Applications/LibreOffice.app/Contents/MacOS/soffice",
        r"C:\Program Files\LibreOffice\program\soffice.exe",
        shutil.which("soffice"),
    ]


def recalculated(path: Path, engine: str, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, Grid]:
    """Every requested sheet as the engine computes it; sizes maps a sheet to its rows and columns.

    Raises EngineError when the engine is missing, crashes or takes too long.
    """
    folder = tempfile.mkdtemp(prefix="simulator-")
    try:
        (Path(folder) / "request.json").write_text(json.dumps(sizes))
        command, extra = _command(engine)
        process = subprocess.Popen(
            [*command, str(path), folder, *extra],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that LibreOffice, a child of the child, can be ended with it
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} if engine == LIBREOFFICE else None,
        )
        _running.add(process)
        try:
            _, errors = process.communicate(timeout=TIMEOUT)
        finally:
            _running.discard(process)
            if process.poll() is None or engine == LIBREOFFICE:  # whose own child may outlive it
                _stop(process)
        if process.returncode != 0 or not (Path(folder) / "texts.json").exists():
            last = (errors.strip().splitlines() or ["no message"])[-1]
            advice = "Check that the file opens" + ("." if engine == STORED else ", or choose another --engine.")
            reader = "A reader of values" if engine == STORED else engine
            raise EngineError(
                f"{reader} must be able to read the workbook. Received: exit status {process.returncode} on '{path}' "
                f"({last}). {advice}"
            )
        texts = json.loads((Path(folder) / "texts.json").read_text())
        grids = {}
        for n, (sheet, (rows, columns)) in enumerate(sizes.items()):
            numbers = np.fromfile(Path(folder) / f"{n}.f64").reshape(rows, columns)
            grids[sheet] = Grid(numbers, {(r, c): text for r, c, text in texts[sheet]})
        return grids
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"{engine} gets {TIMEOUT} seconds for a workbook. Received: no answer for '{path}'."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_running: set[subprocess.Popen[str]] = set()


def stop_engines() -> None:
    """End every engine that is still at work, for whoever cannot wait for it."""
    for process in list(_running):
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _command(engine: str) -> tuple[list[str], list[str]]:
    if engine != LIBREOFFICE:
        return [sys.executable, "-m", f"simulator.xlsx.engines.{engine}"], []
    found = find_libreoffice()
    if found is None:
        raise EngineError(
            "The engine libreoffice needs LibreOffice Calc with its Python bridge (Debian: libreoffice-calc-nogui "
            "python3-uno). Received: no soffice with uno. Install it, or use --engine ironcalc."
        )
    soffice, python = found
    return [python, str(Path(__file__).parent / "engines" / "libreoffice.py")], [soffice]
