"""The architecture sheet: sizes, costs and receptive fields as live formulas, beside PyTorch's count of the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from simulator import nn
from simulator.book.architecture import ARCHITECTURE, architecture_sheet
from simulator.book.workbook import Workbook
from simulator.xlsx.recalculate import choose_engines, recalculated
from simulator.xlsx.writer import write_workbook

ENGINES = choose_engines("all")


def alexnet() -> nn.Model:
    """AlexNet for one channel and ten classes: Krizhevsky, Sutskever, Hinton 2012, as the course has it."""
    return nn.Sequential(
        [
            nn.Input((224, 224, 1)),
            nn.Conv2D(96, 11, strides=4, activation="relu"),
            nn.MaxPooling2D(3, strides=2),
            nn.Conv2D(256, 5, padding="same", activation="relu"),
            nn.MaxPooling2D(3, strides=2),
            nn.Conv2D(384, 3, padding="same", activation="relu"),
            nn.Conv2D(384, 3, padding="same", activation="relu"),
            nn.Conv2D(256, 3, padding="same", activation="relu"),
            nn.MaxPooling2D(3, strides=2),
            nn.Flatten(),
            nn.Dense(4096, activation="relu"),
            nn.Dense(4096, activation="relu"),
            nn.Dense(10, activation="softmax"),
        ],
        name="AlexNet",
    )


def branched() -> nn.Model:
    x = nn.Input((12, 12, 3))
    a = nn.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = nn.Conv2D(4, 5, padding="same", use_bias=False)(a)
    b = nn.BatchNormalization()(b)
    c = nn.Add()([a, b])
    d = nn.MaxPooling2D(3, strides=1, padding="same")(c)
    e = nn.Concatenate()([nn.Conv2D(2, 1)(c), nn.Conv2D(3, 7, padding="same")(c), d])
    return nn.Model(x, nn.Dense(2)(nn.GlobalAveragePooling2D()(nn.ReLU()(e))))


def sequential(*layers: Any) -> nn.Model:
    return nn.Sequential(list(layers))


def enlarging(rate: int = 2) -> nn.Model:
    """Down and up again, with kernels above zero, so that every place says what it sees."""
    above = {"padding": "same", "kernel_initializer": "ones"}
    return nn.Sequential(
        [
            nn.Input((32, 32, 1)),
            nn.Conv2D(2, 3, strides=2, **above),
            nn.Conv2DTranspose(3, 5, strides=rate, **above),
            nn.Conv2DTranspose(2, 4, strides=2, **above),
            nn.Conv2D(1, 3, **above),
        ]
    )


NETWORKS = {
    "branches": branched,
    "windows that are no squares": lambda: sequential(
        nn.Input((9, 8, 2)), nn.Conv2D(3, (2, 4), strides=(1, 2)), nn.AveragePooling2D((3, 1)), nn.Flatten(),
        nn.Dense(4),
    ),
    "resized": lambda: sequential(
        nn.Input((28, 28, 1)), nn.Resizing(56, 63), nn.Conv2D(2, 7, strides=2), nn.Flatten(), nn.Dense(2)
    ),
    "enlarged": lambda: enlarging(),
    "enlarged, valid": lambda: sequential(
        nn.Input((5, 6, 2)), nn.Conv2DTranspose(3, 2, strides=3), nn.Conv2DTranspose(2, (4, 3), use_bias=False),
        nn.Flatten(), nn.Dense(1),
    ),
    "sequences": lambda: sequential(
        nn.Input((20, 3)), nn.Conv1D(4, 5, strides=2), nn.MaxPooling1D(2), nn.GRU(6, return_sequences=True),
        nn.Dense(5), nn.LayerNormalization(), nn.LSTM(4), nn.Dense(1),
    ),
    "recurrent without biases": lambda: sequential(nn.Input((5, 3)), nn.SimpleRNN(4, use_bias=False), nn.Dense(1)),
    "words": lambda: sequential(nn.Input((7,)), nn.Embedding(50, 4), nn.Flatten(), nn.Dense(1, activation="sigmoid")),
    "vectors": lambda: sequential(nn.Input((784,)), nn.Dense(512), nn.ReLU(), nn.Dropout(0.5), nn.Dense(10)),
    "other layers": lambda: sequential(
        nn.Input((6, 4)), nn.MultiHeadAttention(1, 2), nn.Reshape((3, 8)), nn.Flatten(), nn.Dense(2)
    ),
}  # fmt: skip


def written(model: nn.Model, path: Path, batch_size: int = 128) -> Path:
    sheet = architecture_sheet(model, batch_size)
    return write_workbook(Workbook("architecture", "architecture", 1, (sheet,)), path)


def table(path: Path) -> dict[str, list[Any]]:
    """The stored columns below the headings, the input first."""
    sheet = openpyxl.load_workbook(path, data_only=True)[ARCHITECTURE]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=16)]
    return {name: [row[k] for row in rows[1:]] for k, name in enumerate(rows[0]) if name}


def answers(path: Path) -> dict[str, Any]:
    sheet = openpyxl.load_workbook(path, data_only=True)[ARCHITECTURE]
    return {sheet.cell(row, 1).value: sheet.cell(row, 6).value for row in range(4, 14)}


def test_sizes_and_receptive_fields_of_alexnet_are_the_log_books(tmp_path: Path) -> None:
    columns = table(written(alexnet(), tmp_path / "a.xlsx"))
    found = [f"{size}/{field}" for size, field in zip(columns["height"], columns["receptive field"], strict=True)]
    assert found[1:9] == ["54/11", "26/19", "26/51", "12/67", "12/99", "12/131", "12/163", "5/195"]
    assert columns["width"][:9] == columns["height"][:9]
    assert columns["jump"][:9] == [1, 4, 8, 8, 16, 16, 16, 16, 32]


def test_the_answers_about_alexnet(tmp_path: Path) -> None:
    found = answers(written(alexnet(), tmp_path / "a.xlsx", 128))
    assert found["what has most parameters"] == "dense"
    assert found["what computes most"] == "convolution"
    assert found["what takes most memory in training"] == "activations"
    few = answers(written(alexnet(), tmp_path / "b.xlsx", 16))
    assert few["what takes most memory in training"] == "dense"
    smallest = "smallest batch whose activations take more than all weights"
    assert few[smallest] == found[smallest]
    at = table(written(alexnet(), tmp_path / "c.xlsx", found[smallest]))
    weights, activations = sum(n or 0 for n in at["parameters"]) * 2, sum(n or 0 for n in at["activations"]) * 2
    assert activations * found[smallest] > weights >= activations * (found[smallest] - 1)


def test_multiply_adds_of_alexnet_are_those_that_pytorch_counts(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.flop_counter import FlopCounterMode

    t = torch.nn
    network = t.Sequential(
        t.Conv2d(1, 96, 11, 4), t.MaxPool2d(3, 2), t.Conv2d(96, 256, 5, padding=2), t.MaxPool2d(3, 2),
        t.Conv2d(256, 384, 3, padding=1), t.Conv2d(384, 384, 3, padding=1), t.Conv2d(384, 256, 3, padding=1),
        t.MaxPool2d(3, 2), t.Flatten(), t.Linear(6400, 4096), t.Linear(4096, 4096), t.Linear(4096, 10),
    ).to("meta")  # fmt: skip
    with FlopCounterMode(display=False) as counter:
        network(torch.empty((1, 1, 224, 224), device="meta"))
    columns = table(written(alexnet(), tmp_path / "a.xlsx"))
    assert 2 * sum(n or 0 for n in columns["multiply-adds"]) == counter.get_total_flops()
    assert sum(n or 0 for n in columns["parameters"]) == sum(p.numel() for p in network.parameters())


def test_multiply_adds_of_an_enlarging_network_are_those_that_pytorch_counts(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.flop_counter import FlopCounterMode

    t = torch.nn
    network = t.Sequential(
        t.Conv2d(1, 2, 3, 2, padding=1), t.ConvTranspose2d(2, 3, 5, 2, padding=2, output_padding=1),
        t.ConvTranspose2d(3, 2, 4, 2, padding=1), t.Conv2d(2, 1, 3, padding=1),
    ).to("meta")  # fmt: skip
    with FlopCounterMode(display=False) as counter:
        shape = network(torch.empty((1, 1, 32, 32), device="meta")).shape
    columns = table(written(enlarging(), tmp_path / "a.xlsx"))
    assert tuple(shape[2:]) == (columns["height"][-1], columns["width"][-1])
    assert 2 * sum(n or 0 for n in columns["multiply-adds"]) == counter.get_total_flops()
    assert sum(n or 0 for n in columns["parameters"]) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_places_of_an_enlarged_image_see_so_many_of_the_input_in_the_mean(rate: int, tmp_path: Path) -> None:
    """Counted: an input of a single 1 in every row in turn, and which rows of the result are above zero."""
    model = enlarging(rate)
    columns = table(written(model, tmp_path / "a.xlsx"))
    lines = np.zeros((32, 32, 32, 1))
    lines[np.arange(32), np.arange(32)] = 1
    for row, tensor in enumerate((t for t in model.walk() if t.inputs), 1):
        sees = nn.Model(model.inputs, tensor).predict(lines)[:, :, 8, 0] > 0  # (rows of the input, of the result)
        middle = len(sees[0]) // 2  # six rows there are whole periods, away from the edges
        mean = sees[:, middle - 3 : middle + 3].sum(axis=0).mean()
        assert columns["receptive field"][row] == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_and_parameters_are_the_models_own(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    columns = table(written(model, tmp_path / "a.xlsx"))
    assert sum(n or 0 for n in columns["parameters"]) == model.count_params()
    places = [columns[n] for n in ("height", "steps", "width", "channels", "features") if n in columns]
    shapes = [tuple(n for n in row if n is not None) for row in zip(*places, strict=True)]
    assert shapes == [model.inputs.sizes, *(t.sizes for t in model.walk() if t.inputs)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [*NETWORKS, "alexnet"])
def test_engines_compute_what_is_stored(name: str, engine: str, tmp_path: Path) -> None:
    path = written(alexnet() if name == "alexnet" else NETWORKS[name](), tmp_path / "a.xlsx")
    assert differing(path, engine) == []


def differing(path: Path, engine: str) -> list[str]:
    """The cells in which an engine, which sees formulas alone, finds something else than is stored."""
    formulas = openpyxl.load_workbook(path)[ARCHITECTURE]
    stored = openpyxl.load_workbook(path, data_only=True)[ARCHITECTURE]
    grid = recalculated(path, engine, {ARCHITECTURE: (formulas.max_row, formulas.max_column)})[ARCHITECTURE]
    found = []
    for row in formulas.iter_rows():
        for cell in row:
            if isinstance(cell.value, str) and cell.value.startswith("="):
                at, expected = (cell.row - 1, cell.column - 1), stored[cell.coordinate].value
                value = grid.texts.get(at) if isinstance(expected, str) else grid.numbers[at]
                if value != (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-12)):
                    found.append(cell.coordinate)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_follows_a_changed_option(engine: str, tmp_path: Path) -> None:
    """The stored values stay those of the old options; an engine's are those of the new ones."""
    sheet = architecture_sheet(branched(), 4)
    assert [sheet.cells[at].value for at in ((17, 3), (17, 5), (3, 5))] == [3, "same", 4]
    for at, value in (((17, 3), 2), ((17, 5), "valid"), ((3, 5), 8)):
        sheet.cells[at] = sheet.cells[at]._replace(value=value)
    path = write_workbook(Workbook("architecture", "architecture", 1, (sheet,)), tmp_path / "a.xlsx")
    assert {"H18", "K18", "L18", "M18", "N18", "O19", "F13"} <= set(differing(path, engine))
    grid = recalculated(path, engine, {ARCHITECTURE: (30, 17)})[ARCHITECTURE]
    assert [grid.numbers[17, k] for k in (7, 8, 9, 10, 14)] == [11, 11, 4, 2 * 2 * 3 * 4 + 4, 2]


def test_a_branch_says_what_it_reads_and_sees_what_its_widest_path_sees(tmp_path: Path) -> None:
    columns = table(written(branched(), tmp_path / "a.xlsx"))
    read = dict(zip(columns["layer"], columns["reads"], strict=True))
    assert read["4 Add"] == "1, 3"
    assert read["6 Conv2D"] == "4"
    assert read["2 Conv2D"] is None
    seen = dict(zip(columns["layer"], columns["receptive field"], strict=True))
    assert seen["4 Add"] == 1 + 2 + 4
    assert next(v for k, v in seen.items() if k and k.endswith("Concatenate")) == 7 + 6
