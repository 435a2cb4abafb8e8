"""Whether Numba computes with this backend: where the extra `fast` is installed, unless SIMULATOR_NUMBA is 0."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from simulator.nn.option import require

TESTED = "0.68."  # an older Numba may not know this NumPy


def is_compiled() -> bool:
    """Raises SettingError for another word than 0 and 1 in SIMULATOR_NUMBA, and for 1 without Numba."""
    given, found = os.environ.get("SIMULATOR_NUMBA", ""), _version()
    require(given in ("", "0", "1"), "SIMULATOR_NUMBA is 0 or 1.", f"'{given}'")
    there = found.startswith(TESTED)
    require(
        given != "1" or there,
        f"SIMULATOR_NUMBA=1 needs Numba {TESTED}x.",
        found or "an installation without it",
        'pip install "backpropagation-simulator[fast]", or leave SIMULATOR_NUMBA out.',
    )
    return there and given != "0"


def _version() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return ""


def kernels() -> ModuleType | None:
    """The compiled functions, or None. Numba is loaded here: it takes half a second."""
    if not is_compiled():
        return None
    from simulator.nn.backend.cpu import kernels as found

    return found
