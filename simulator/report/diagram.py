"""The picture of a network: a box per layer, an arrow per tensor."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import ModelError
from simulator.files import replacing
from simulator.nn.basic import InputLayer
from simulator.nn.model import Model
from simulator.report.figure import Box, boxes_of


def draw_network(model: Model, path: Path, *, shapes: bool, names: bool, activations: bool) -> Path:
    """A PNG with the layers from top to bottom, what runs side by side drawn side by side. Raises ModelError."""
    tensors = list(model.walk())
    rows: dict[int, int] = {}
    columns: dict[int, int] = {}
    taken: dict[int, int] = {}
    boxes = []
    for t in tensors:
        row = rows[id(t)] = max((rows[id(s)] + 1 for s in t.inputs), default=0)
        wished = min((columns[id(s)] for s in t.inputs), default=0)
        column = columns[id(t)] = max(wished, taken.get(row, 0))
        taken[row] = column + 1
        layer = t.layer
        lines = [type(layer).__name__.removesuffix("Layer") if isinstance(layer, InputLayer) else type(layer).__name__]
        lines += [layer.name] if names and layer.named else []
        activation = getattr(layer, "activation", None)
        lines += [str(activation)] if activations and activation else []
        lines += [" x ".join(map(str, t.sizes))] if shapes else []
        boxes.append(Box("\n".join(lines), row, column))
    places = {id(t): k for k, t in enumerate(tensors)}
    arrows = [(places[id(s)], places[id(t)]) for t in tensors for s in t.inputs]
    try:
        with replacing(path) as part:
            part.write_bytes(boxes_of(boxes, arrows))
    except OSError as error:
        raise ModelError(
            f"A picture is written where that is allowed. Received: '{path}' ({error.strerror}). Choose another path."
        ) from None
    return path
