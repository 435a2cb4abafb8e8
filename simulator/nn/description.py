"""A network as a text: TOML that `simulator build` takes, and that every workbook of a network carries.

Both are one table of plain values, which a saved model has as JSON:


[network]   name, seed, input, weights trained elsewhere (an .npz file)
[[layers]]  type, options, and inputs by id where a layer doesn't follow the one before it
[training]  loss, optimizer and its options, metrics, epochs, batch_size
[data]      a CSV file and its columns, or the numbers themselves
"""

from __future__ import annotations

import contextlib
import csv
import runpy
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import SettingError, SimulatorError, did_you_mean
from simulator.nn import layers
from simulator.nn.basic import Input, InputLayer
from simulator.nn.layer import Layer, walk
from simulator.nn.metric import MeanOf
from simulator.nn.model import Model
from simulator.nn.optimizer import (
    OPTIMIZERS,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    StepDecay,
)
from simulator.nn.option import Configured, chosen, made, one_of, require
from simulator.nn.regularizer import L1L2
from simulator.nn.sequential import Sequential

TYPES: dict[str, type[Layer]] = {
    name: kind for name in layers.__all__ if isinstance(kind := getattr(layers, name), type) and kind.__name__ == name
}
SCHEDULES = {
    cls.__name__: cls for cls in (InverseTimeDecay, ExponentialDecay, StepDecay, CosineDecay, PiecewiseConstantDecay)
}
NAMES = {cls.__name__: cls for cls in OPTIMIZERS.values()}


@dataclass(frozen=True)
class Described:
    """A compiled model with the data and the length of its training."""

    model: Model
    X: Any
    Y: Any
    epochs: int | None
    batch_size: int | None
    forward: bool


def read_network(path: Path) -> Described:
    """The network of a file: TOML, or a Python script that defines model, X and Y (and epochs, batch_size).

    A script is run as it is. Raises SettingError when the file can't be read or doesn't define them.
    """
    require(path.is_file(), "A network is a .py or .toml file.", f"'{path}' (no such file)")
    if path.suffix.lower() == ".toml":
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"A description must be UTF-8 text. Received: '{path}' ({error}).") from None
        return read_description(text, path.parent)
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    try:
        found = runpy.run_path(str(path))
    except SimulatorError:
        raise
    except SystemExit as error:
        raise SettingError(
            f"A network's script must run to its end. Received: sys.exit({error.code}) in '{path}'. Leave it out."
        ) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((t.lineno for t in reversed(frames) if t.filename == str(path)), getattr(error, "lineno", 0))
        raise SettingError(
            f"A network's script must run. Received: {type(error).__name__}: {' '.join(str(error).split())} "
            f"(in '{path}', line {line}). Mend it first."
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    model = found.get("model")
    require(isinstance(model, Model), f"'{path.name}' must define model, an nn.Model.", repr(model))
    require("X" in found, f"'{path.name}' must define X, the inputs.", "none")
    assert isinstance(model, Model)
    forward = "Y" not in found
    return Described(model, found["X"], found.get("Y"), found.get("epochs"), found.get("batch_size"), forward)


def describe(model: Model, epochs: int, batch_size: int | None = None, *, forward: bool = False) -> str:
    """The TOML of a model, without its data, and without metrics, which no workbook shows."""
    table = table_of(model)
    for key in ("sequential", "input_name"):
        table["network"].pop(key, None)
    for entry, layer in zip((e for e in table["layers"] if "type" in e), model.numbered, strict=True):
        if not layer.named:
            del entry["name"]
    training = {key: value for key, value in table.get("training", {}).items() if key != "metrics"}
    table["training"] = {"what": "forward"} | training if forward else training | {"epochs": epochs}
    if batch_size is not None:
        table["training"]["batch_size"] = batch_size
    return _toml_of(table)


def table_of(model: Model) -> dict[str, Any]:
    """A model as plain values: network, layers and, where it is compiled, training. `model_of` reads it."""
    network = {"name": model.name, "seed": model.seed, "input": model.inputs.sizes}
    network["input_name"] = model.inputs.layer.name
    if isinstance(model, Sequential):
        network["sequential"] = True
    if isinstance(model.inputs.layer, InputLayer) and model.inputs.layer.free:
        network["free"] = model.inputs.layer.free
    layers = []
    tensors = [t for t in walk(model.outputs) if not isinstance(t.layer, InputLayer)]
    names = {id(model.inputs): "input"} | {id(t): f"layer{k}" for k, t in enumerate(tensors, 1)}
    before, used = model.inputs, dict[int, str]()
    for tensor in tensors:
        name = names[id(tensor)]
        again = used.setdefault(id(tensor.layer), name)
        entry: dict[str, Any] = {"id": name}
        entry |= {"type": type(tensor.layer).__name__} if again == name else {"again": again}
        if tensor.inputs != (before,):
            entry["inputs"] = [names[id(t)] for t in tensor.inputs]
        if again == name:
            entry |= {key: value for key, value in tensor.layer.config().items() if value not in (None, "")}
        layers.append(entry)
        before = tensor
    table: dict[str, Any] = {"network": network, "layers": layers}
    if model.loss:
        table["training"] = {"loss": model.loss_option.described(), "optimizer": type(model.optimizer).__name__}
        table["training"] |= model.optimizer.config()
        if model.metrics:
            table["training"]["metrics"] = [m for m in model.metrics if not isinstance(m, MeanOf)]
    found: dict[str, Any] = _plain(table)
    return found


def _plain(value: object) -> Any:
    """A value as TOML and JSON have it; an object is a table of its type and options."""
    match value:
        case np.generic():
            return value.item()
        case list() | tuple():
            return [_plain(v) for v in value]
        case dict():
            return {key: _plain(v) for key, v in value.items()}
        case L1L2():
            return _plain(value.config())
        case Configured():
            return _plain({"type": type(value).__name__, **value.config()})
    return value


def _toml_of(table: dict[str, Any]) -> str:
    lines = []
    for part, content in table.items():
        heading = f"[[{part}]]" if isinstance(content, list) else f"[{part}]"
        for entry in content if isinstance(content, list) else [content]:
            lines += ["", heading, *(f"{key} = {_toml(value)}" for key, value in entry.items())]
    return "\n".join(lines[1:]) + "\n"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    return repr(value)


def read_description(text: str, folder: Path, *, with_data: bool = True) -> Described:
    """The model of a TOML text; files are looked for in folder.

    Raises SettingError for TOML that doesn't parse, unknown parts, options or types, and data that can't be read.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"A description must be TOML. Received: {error}. See the example in README.md.") from None
    with _values_checked():
        return _described(table, folder, with_data)


def model_of(table: Any) -> Model:
    """The model of `table_of`. Raises SettingError for anything else."""
    with _values_checked():
        require(isinstance(table, dict), "A description is a table.", type(table).__name__)
        return _model(*_parts(table), None)


@contextlib.contextmanager
def _values_checked() -> Iterator[None]:
    try:
        yield
    except SimulatorError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise SettingError(
            f"Every value of a description has a kind of its own: a number, a text, a list. Received: {error}. "
            "See the example in README.md."
        ) from None


def _described(table: dict[str, Any], folder: Path, with_data: bool) -> Described:
    network, layers, training = _parts(table)
    X, Y = _data(dict(table.get("data", {})), folder) if with_data else (None, None)
    weights = network.pop("weights", "")
    epochs, batch_size = training.pop("epochs", None), training.pop("batch_size", None)
    what = training.pop("what", "training")
    one_of("what", what, ("training", "forward"))
    forward = what == "forward"
    if not forward:
        training.setdefault("loss", "mean_squared_error")
    model = _model(network, layers, training, np.shape(X)[1:] if X is not None else None)
    if weights and with_data:
        model.set_weights(_weights(folder / str(weights)))
    return Described(model, X, Y, epochs, batch_size, forward)


def _parts(table: dict[str, Any]) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """Network, layers and training."""
    known = ["network", "layers", "training", "data"]
    for part in table:
        require(
            part in known, f"A description has the parts {', '.join(known)}.", part, did_you_mean(part, known).strip()
        )
        kind = list if part == "layers" else dict
        rule = "[[layers]], once for every layer" if part == "layers" else f"[{part}], once"
        require(isinstance(table[part], kind), f"The part {part} is written {rule}.", repr(table[part])[:40])
    return dict(table.get("network", {})), table.get("layers", []), dict(table.get("training", {}))


def _model(
    network: dict[str, Any], layers: list[Any], training: dict[str, Any], samples: tuple[int, ...] | None
) -> Model:
    """The model, compiled where training has a loss; samples is the shape of the data's."""
    shape = network.pop("input", None) or samples
    require(shape is not None, "A description needs [data], or input = [features] under [network].", "neither")
    free = network.pop("free", ())
    sizes = [None if k in free else n for k, n in enumerate(shape or ())]
    tensor = source = Input(sizes, name=network.pop("input_name", ""))
    require(bool(layers), "A description needs [[layers]].", "none")
    by_name = {"input": source}
    for entry in layers:
        options = dict(entry)
        key, again = options.pop("id", f"layer{len(by_name)}"), options.pop("again", "")
        inputs = options.pop("inputs", None)
        require(key not in by_name, "Every layer has an id of its own.", repr(key))
        if again:
            require(again in by_name and not options, f"again is an id of: {', '.join(by_name)}.", repr(again))
            layer = by_name[again].layer
        else:
            options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
            layer = made("A layer's type", options, TYPES)
        if inputs is None:
            tensor = layer(tensor)
        else:
            require(isinstance(inputs, list) and bool(inputs), "inputs is a list of ids.", repr(inputs))
            for name in inputs:
                require(name in by_name, f"inputs are ids of earlier layers: {', '.join(by_name)}.", name)
            tensor = layer([by_name[name] for name in inputs])
        by_name[key] = tensor
    name, seed = network.pop("name", "network"), network.pop("seed", 0)
    sequential = network.pop("sequential", False)
    require(not network, "[network] takes name, seed, input and weights.", ", ".join(network))
    chain = [t.layer for t in by_name.values() if t is not source]
    model = Sequential([source, *chain], name, seed) if sequential else Model(source, tensor, name, seed)
    if "loss" in training:
        _compile(model, training)
    return model


def _compile(model: Model, options: dict[str, Any]) -> None:
    loss, metrics = options.pop("loss"), options.pop("metrics", [])
    name = options.pop("optimizer", "SGD")
    by_any_case = {n.lower(): n for n in NAMES}
    optimizer = chosen("An optimizer", by_any_case.get(str(name).lower(), name), NAMES)
    rate = options.get("learning_rate")
    if isinstance(rate, Mapping):
        options["learning_rate"] = made("A schedule", rate, SCHEDULES)
    its_own = [f.name for f in fields(optimizer)]
    allowed = ["loss", "optimizer", *its_own, "metrics", "epochs", "batch_size", "what"]
    for key in options:
        require(key in its_own, f"[training] takes {', '.join(allowed)}.", key, did_you_mean(key, allowed).strip())
    require(isinstance(metrics, list), "metrics is a list of metrics.", repr(metrics))
    model.compile(optimizer(**options), loss, metrics)


def _data(data: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """X and Y of the part [data]."""
    if "file" in data:
        path = folder / str(data.pop("file"))
        columns = _columns(path)
        inputs, labels = data.pop("inputs", None), data.pop("labels", [])
        for chosen_columns in (inputs or [], labels):
            rule = "inputs and labels are lists of the file's columns."
            require(isinstance(chosen_columns, list), rule, repr(chosen_columns))
        for name in [*(inputs or []), *labels]:
            require(name in columns, f"'{path.name}' has the columns {', '.join(columns)}.", name)
        inputs = inputs or [name for name in columns if name not in labels]
        X = np.array([columns[name] for name in inputs]).T
        Y = np.array([columns[name] for name in labels]).T if labels else None
    else:
        X, Y = data.pop("inputs", None), data.pop("labels", None)
        require(
            X is not None, "[data] takes a CSV file, or inputs and labels as numbers.", ", ".join(data) or "nothing"
        )
    require(not data, "[data] takes file, inputs and labels.", ", ".join(data))
    return X, Y


def _weights(path: Path) -> list[Any]:
    """The arrays of an .npz file that numpy.savez(path, *model.get_weights()) wrote, in Keras too."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [np.asarray(file[name], dtype=float) for name in file.files]
    except (OSError, ValueError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not such a file"
        raise SettingError(
            f"weights is an .npz file of arrays, as numpy.savez(path, *model.get_weights()) writes it. "
            f"Received: '{path}' ({reason})."
        ) from None


def _columns(path: Path) -> dict[str, list[float]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingError(
            f"The data's CSV file must be readable. Received: '{path}' ({reason}). Check file."
        ) from None
    require(len(rows) > 1, "A CSV file has a line of names and a line per sample.", f"'{path}', {len(rows)} lines")
    names, *body = rows
    require(len(set(names)) == len(names), f"The columns of '{path.name}' have names of their own.", ", ".join(names))
    for k, row in enumerate(body, 2):
        require(
            len(row) == len(names), f"Every line of '{path.name}' has {len(names)} values.", f"{len(row)} in line {k}"
        )
    found: dict[str, list[float]] = {}
    for c, name in enumerate(names):
        column = []
        for k, row in enumerate(body, 2):
            try:
                column.append(float(row[c]))
            except ValueError:
                raise SettingError(
                    f"'{path.name}' holds numbers below its line of names. Received: '{row[c]}' in line {k}, column "
                    f"'{name}'. Use a decimal point, and class numbers from 0."
                ) from None
        found[name.strip()] = column
    return found
