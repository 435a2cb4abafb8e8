"""Models in files: JSON and safetensors in one zip. Reading runs nothing.

network.json           layers, options, and how the model was compiled; see `simulator.nn.description`
weights.safetensors    every weight, by the layer's number and its name
optimizer.safetensors  after training: the number of steps, and what the optimizer remembers of every weight
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from simulator.errors import ModelError, SettingError, SimulatorError
from simulator.files import replacing
from simulator.nn.option import require

if TYPE_CHECKING:
    from simulator.nn.model import Model
    from simulator.nn.trace import Weight

Arrays = dict[str, NDArray[Any]]
NETWORK, WEIGHTS, OPTIMIZER = "network.json", "weights.safetensors", "optimizer.safetensors"
BEFORE = "network.toml"  # up to version 0.4
STEP, EPOCHS = "step", "epochs"


def save_model(model: Model, path: str | Path, overwrite: bool = True) -> Path:
    """Write a model beside path, then rename it.

    Raises ModelError when that can't be done or a file that is to stay is there, SettingError for parts that no file
    could bring back. Functions that are metrics are left out.
    """
    from simulator.nn.description import NAMES, TYPES, table_of
    from simulator.nn.metric import TYPES as METRICS
    from simulator.nn.metric import MeanOf

    for part in (*model.numbered, *(m for m in model.metrics if not isinstance(m, MeanOf)), model.optimizer):
        name = type(part).__name__
        rule = "A file can bring back the layers, metrics and optimizers of simulator.nn."
        known = {**TYPES, **METRICS, **NAMES}.get(name) is type(part)
        require(known, rule, name, "Keep the weights alone with save_weights.")
    parts = {NETWORK: json.dumps(table_of(model), indent=1).encode(), WEIGHTS: save(_values(model))}
    memory = model.memory()
    return _written(Path(path), parts | ({OPTIMIZER: save(memory)} if memory else {}), overwrite)


def save_weights(model: Model, path: str | Path, overwrite: bool = True) -> Path:
    """Write the weights alone."""
    return _written(Path(path), {WEIGHTS: save(_values(model))}, overwrite)


def load_model(path: str | Path, custom_objects: object = None, compile: bool = True, safe_mode: bool = True) -> Model:  # noqa: A002
    """A model as `Model.save` wrote it: it goes on training where it stopped, stateful layers from zeros.

    With compile=False it is not compiled. A file holds no objects of your own and runs nothing, so that nothing depends
    on custom_objects and safe_mode, which Keras has.

    Raises ModelError for a file that is damaged or something else.

    >>> from simulator import nn
    >>> import tempfile
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = model.save(f"{folder}/a.keras")
    ...     load_model(f"{folder}/a.keras").count_params()
    3
    """
    parts = _read(Path(path))
    name = BEFORE if BEFORE in parts else NETWORK
    _require_parts(parts, path, name, WEIGHTS)
    try:
        model = _network(parts[name], name, compile)
    except (SimulatorError, ValueError, RecursionError) as error:
        raise ModelError(_refused(path, f"{name} that can't be read ({error})")) from None
    _take(model, _arrays(parts[WEIGHTS], WEIGHTS, path), path)
    if OPTIMIZER in parts and model.loss:
        model.remember(_memory(model, parts[OPTIMIZER], path))
    return model


def load_weights(model: Model, path: str | Path) -> None:
    """Take the weights of a file, of a whole model or alone. Raises ModelError when they don't fit."""
    parts = _read(Path(path))
    _require_parts(parts, path, WEIGHTS)
    arrays = _arrays(parts[WEIGHTS], WEIGHTS, path)
    theirs = {name: a.shape for name, a in arrays.items()}
    mine = {name: w.spec.shape for name, w in _weights(model).items()}
    odd = sorted(name for name in set(mine) | set(theirs) if mine.get(name) != theirs.get(name))
    if odd:
        raise ModelError(
            f"load_weights takes those of a network with the same layers. Received: '{path}', with "
            f"{theirs.get(odd[0], 'nothing')} for '{odd[0]}', where this one has {mine.get(odd[0], 'nothing')}. Build "
            "the network that they are of, or read the whole one with nn.load_model."
        )
    _take(model, arrays, path)


def _network(data: bytes, name: str, compiled: bool) -> Model:
    from simulator.nn.description import model_of, read_description

    if name == BEFORE:
        return read_description(data.decode(), Path(), with_data=False).model
    table = json.loads(data.decode(), parse_constant=_no_number)
    if not compiled and isinstance(table, dict):
        table.pop("training", None)
    return model_of(table)


def _no_number(name: str) -> None:
    raise SettingError(f"JSON has finite numbers. Received: {name}.")


def _weights(model: Model) -> dict[str, Weight]:
    return {f"{w.layer}/{w.spec.name}": w for w in model.weights}


def _values(model: Model) -> Arrays:
    return {name: np.ascontiguousarray(w.value) for name, w in _weights(model).items()}


def _take(model: Model, arrays: Arrays, path: str | Path) -> None:
    mine = _weights(model)
    if set(arrays) != set(mine):
        odd = sorted(set(arrays) ^ set(mine))
        raise ModelError(_refused(path, f"other weights than the network's, such as '{odd[0]}'"))
    for name, w in mine.items():
        _require_shape(name, arrays[name], w.spec.shape, path)
    for name, w in mine.items():
        w.value = arrays[name].astype(float)


def _memory(model: Model, data: bytes, path: str | Path) -> Arrays:
    """What the optimizer remembers: the number of steps, and arrays like the weights."""
    arrays, mine = _arrays(data, OPTIMIZER, path), _weights(model)
    for name, array in arrays.items():
        weight = name.rpartition("/")[0]
        if name not in (STEP, EPOCHS) and weight not in mine:
            raise ModelError(_refused(path, f"'{name}', which belongs to no weight of the network"))
        _require_shape(name, array, (1,) if name in (STEP, EPOCHS) else mine[weight].spec.shape, path)
    step = arrays.get(STEP, np.full(1, -1.0))[0]
    if step < 0 or step != math.floor(step):
        raise ModelError(_refused(path, f"{OPTIMIZER} without a number of steps"))
    return arrays


def _arrays(data: bytes, name: str, path: str | Path) -> Arrays:
    """The arrays of a part of the file, all of finite numbers."""
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(_refused(path, f"{name} that can't be read ({error})")) from None
    for key, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ModelError(_refused(path, f"'{key}' with numbers that are not finite"))
    return arrays


def _require_shape(name: str, array: NDArray[Any], shape: tuple[int, ...], path: str | Path) -> None:
    if array.shape != shape:
        raise ModelError(_refused(path, f"'{name}' of shape {array.shape}, not {shape}"))


def _require_parts(parts: Mapping[str, bytes], path: str | Path, *names: str) -> None:
    if any(name not in parts for name in names):
        raise ModelError(_refused(path, f"a zip without {' and '.join(names)}"))


def _read(path: Path) -> dict[str, bytes]:
    """The parts of a file that are known here. They aren't compressed, so that none is larger than the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "model.weights.h5" in archive.namelist():
                raise ModelError(
                    f"A model's file must be one that model.save wrote here. Received: '{path}', one of Keras. Build "
                    "the network here and carry its weights over: get_weights() there, set_weights(...) here."
                )
            found = [info for info in archive.infolist() if info.filename in (NETWORK, BEFORE, WEIGHTS, OPTIMIZER)]
            if any(info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size for info in found):
                raise ModelError(_refused(path, "a zip with compressed parts"))
            return {info.filename: archive.read(info) for info in found}
    except ModelError:
        raise
    except FileNotFoundError:
        raise ModelError(f"A model's file must be there. Received: '{path}', where none is. Check the path.") from None
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(_refused(path, getattr(error, "strerror", None) or str(error))) from None


def _refused(path: str | Path, why: str) -> str:
    return f"A model's file must be one that model.save wrote. Received: '{path}', {why}. Save it again."


def _written(path: Path, parts: dict[str, bytes], overwrite: bool) -> Path:
    if not overwrite and path.exists():
        raise ModelError(
            f"With overwrite=False a model is saved where no file is. Received: '{path}'. Choose another path."
        )
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
