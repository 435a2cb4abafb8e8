"""Models in files: the network as TOML and the weights as safetensors, in one zip. Reading runs nothing.

network.toml         layers, options, and how the model was compiled, as every workbook of a network carries it
weights.safetensors  every weight, by the layer's number and its name
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from simulator.errors import ModelError, SimulatorError
from simulator.files import replacing

if TYPE_CHECKING:
    from simulator.nn.model import Model

NETWORK, WEIGHTS = "network.toml", "weights.safetensors"
LARGEST = 4 << 30  # bytes


def save_model(model: Model, path: str | Path) -> Path:
    """Write a model beside path, then rename it. Raises ModelError when that can't be done."""
    from simulator.nn.description import describe

    return _written(Path(path), {NETWORK: describe(model, 1).encode(), WEIGHTS: save(_arrays(model))})


def save_weights(model: Model, path: str | Path) -> Path:
    """Write the weights alone."""
    return _written(Path(path), {WEIGHTS: save(_arrays(model))})


def load_model(path: str | Path) -> Model:
    """A model as `Model.save` wrote it. Raises ModelError for a file that is damaged or something else.

    >>> from simulator import nn
    >>> import tempfile
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = model.save(f"{folder}/a.keras")
    ...     load_model(f"{folder}/a.keras").count_params()
    3
    """
    from simulator.nn.description import read_description

    parts = _read(Path(path), (NETWORK, WEIGHTS))
    try:
        model = read_description(parts[NETWORK].decode(), Path(), with_data=False).model
    except (SimulatorError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(_refused(path, f"{NETWORK} that can't be read ({error})")) from None
    _take(model, parts[WEIGHTS], path)
    return model


def load_weights(model: Model, path: str | Path) -> None:
    """Take the weights of a file, of a whole model or alone. Raises ModelError when they don't fit."""
    _take(model, _read(Path(path), (WEIGHTS,))[WEIGHTS], path)


def _arrays(model: Model) -> dict[str, Any]:
    return {f"{w.layer}/{w.spec.name}": np.ascontiguousarray(w.value) for ws in model.weights.values() for w in ws}


def _take(model: Model, data: bytes, path: str | Path) -> None:
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(_refused(path, f"{WEIGHTS} that can't be read ({error})")) from None
    mine = {f"{w.layer}/{w.spec.name}": w for ws in model.weights.values() for w in ws}
    if set(arrays) != set(mine):
        odd = sorted(set(arrays) ^ set(mine))
        raise ModelError(_refused(path, f"other weights than the network's, such as '{odd[0]}'"))
    for name, w in mine.items():
        if arrays[name].shape != w.spec.shape or arrays[name].dtype.kind != "f":
            raise ModelError(_refused(path, f"'{name}' of shape {arrays[name].shape}, not {w.spec.shape}"))
        if not np.isfinite(arrays[name]).all():
            raise ModelError(_refused(path, f"'{name}' with numbers that are not finite"))
    for name, w in mine.items():
        w.value = arrays[name].astype(float)


def _read(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(archive.getinfo(name).file_size for name in names) > LARGEST:
                raise ModelError(_refused(path, f"more than {LARGEST >> 30} GiB"))
            return {name: archive.read(name) for name in names}
    except KeyError:
        raise ModelError(_refused(path, f"a zip without {' and '.join(names)}")) from None
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(_refused(path, getattr(error, "strerror", None) or str(error))) from None


def _refused(path: str | Path, why: str) -> str:
    return f"A model's file must be one that model.save wrote. Received: '{path}', {why}. Save it again."


def _written(path: Path, parts: dict[str, bytes]) -> Path:
    try:
        with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
            for name, data in parts.items():
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    except OSError as error:
        raise ModelError(
            f"A model can only be saved where that is allowed. Received: '{path}' ({error.strerror}). "
            "Choose another path."
        ) from error
    return path
