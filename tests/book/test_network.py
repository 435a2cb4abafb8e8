"""What a lecturer sees in the workbook of a network."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from simulator import nn
from simulator.book.network import network_workbook
from simulator.errors import SettingError
from simulator.lessons.gallery import EXHIBITS
from simulator.sheet.panel import Panel
from simulator.xlsx.build import verify_file
from simulator.xlsx.formulas import sheet_parts
from simulator.xlsx.writer import write_workbook
from tests.nn.networks import CASES, case
from tests.nn.test_formula import spread_of, workbook_of


def test_a_small_network_stands_on_one_sheet_and_a_larger_one_on_a_sheet_per_layer() -> None:
    names = [s.name for s in workbook_of(CASES["dense"]()).sheets]
    assert names == ["Index", "Parameters", "Data", "Training", "Charts", "Boundary", "Boundary points", "Network"]
    names = [s.name for s in workbook_of(CASES["maxpooling2d"]()).sheets]
    layers = ["Input", "1 Conv2D", "2 MaxPooling2D", "3 Flatten", "4 Dense", "Loss"]
    assert names == ["Index", "Parameters", "Data", *layers, "Charts", "Network"]


@pytest.mark.parametrize("name", ["dense", "lstm", "conv2d", "adam-batches"])
def test_the_index_lists_every_array_with_its_shape_equation_and_a_link_to_its_block(name: str) -> None:
    workbook = workbook_of(CASES[name]())
    index = workbook.sheets[0]
    panels = {s.name: t for s in workbook.sheets for t in s.tables if isinstance(t, Panel)}
    links = {(c.value, c.link) for c in index.cells.values() if c.link}
    texts = {c.value for c in index.cells.values()}
    for sheet, panel in panels.items():
        for text in panel.texts:
            if text.style.bold and text.text:
                symbol = text.text.split(" · ")[0]
                cell = f"{openpyxl.utils.get_column_letter(text.col + 1)}{panel.first_row + text.row + 1}"
                assert (symbol, f"internal:'{sheet}'!{cell}") in links
    assert any(str(t).startswith("P = ") for t in texts)


@pytest.mark.parametrize("name", ["dense", "lstm", "conv2d"])
def test_a_gradient_stands_below_what_it_belongs_to(name: str) -> None:
    spread = spread_of(workbook_of(CASES[name]()))
    blocks = {b.name: (panel.sheet, b) for panel in spread.panels for b in panel.blocks_}
    pairs = [(base, f"d{base}") for base in blocks if f"d{base}" in blocks]
    assert len(pairs) >= 4
    for base, gradient in pairs:
        (here, upper), (there, lower) = blocks[base], blocks[gradient]
        assert (here, upper.col) == (there, lower.col)
        assert upper.row < lower.row


def test_images_and_kernels_are_coloured_grids() -> None:
    sheets = {s.name: s for s in workbook_of(CASES["conv2d"]()).sheets}
    assert {h.kind for h in sheets["1 Conv2D"].highlights} == {"signed", "shade", "tiny"}
    assert sheets["Data"].highlights[0].kind == "shade"
    assert sheets["Parameters"].highlights[0].kind == "signed"


def test_gradients_that_decimals_would_round_to_zero_are_written_with_powers(tmp_path: Path) -> None:
    path = tmp_path / "tiny.xlsx"
    write_workbook(workbook_of(case((1,), nn.Dense(1), n=2)), path)
    sheet = openpyxl.load_workbook(path)["Training"]
    rules = [(str(on.sqref), rule) for on in sheet.conditional_formatting for rule in on.rules]
    powers = [(where, rule) for where, rule in rules if rule.dxf and rule.dxf.numFmt]
    assert {rule.dxf.numFmt.formatCode for _, rule in powers} == {"0.0E+00"}
    gradients = {where for where, rule in powers if rule.formula == ["1e-300", "0.0001"]}
    assert gradients == {where for where, rule in powers if rule.formula == ["-0.0001", "-1e-300"]}
    assert all(sheet[where.split()[0].split(":")[0]].number_format == "0.00000" for where in gradients)
    assert len(gradients) > 2


def test_batches_follow_each_other_in_a_fixed_order() -> None:
    four = case((1,), nn.Dense(1), n=4, batch_size=2)
    spread = spread_of(workbook_of(four, epochs=2))
    x = next(node for node, _ in spread.program.entries if node.name == "X")
    seen = [[v[spread.slot[x.serial, (i, 0)]] for i in range(2)] for v in spread.values]
    np.testing.assert_array_equal(np.ravel(seen), np.tile(four.X.ravel(), 2))


def test_epochs_and_batches_are_counted() -> None:
    spread = spread_of(workbook_of(case((1,), nn.Dense(1), n=6, batch_size=2), epochs=3))
    counted = {n.name: n for n, _ in spread.program.entries if n.name in ("epoch", "batch")}
    shown = {name: [v[spread.slot[node.serial, ()]] for v in spread.values] for name, node in counted.items()}
    assert shown == {"epoch": [1, 1, 1, 2, 2, 2, 3, 3, 3], "batch": [1, 2, 3] * 3}


@pytest.mark.parametrize("name", ["dense", "conv2d", "adam-batches", "lstm"])
def test_rows_ascend_in_every_sheet(name: str, tmp_path: Path) -> None:
    made = CASES[name]()
    path = tmp_path / "rows.xlsx"
    made.model.to_workbook(path, made.X, made.Y, epochs=2, batch_size=made.batch_size, engine="none")
    with zipfile.ZipFile(path) as archive:
        for part in sheet_parts(archive).values():
            rows = [int(r) for r in re.findall(r'<row r="(\d+)"', archive.read(part).decode())]
            assert rows == sorted(set(rows)), part


ALL_COMMITTED = sorted((Path(__file__).parents[2] / "workbooks").rglob("*.xlsx"))


@pytest.mark.parametrize("path", ALL_COMMITTED, ids=[p.stem for p in ALL_COMMITTED])
def test_no_committed_workbook_needs_repair_of_its_rows(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for part in sheet_parts(archive).values():
            rows = [int(r) for r in re.findall(r'<row r="(\d+)"', archive.read(part).decode())]
            assert rows == sorted(set(rows)), part


def test_rows_out_of_order_are_reported(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "disordered.xlsx"
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(copy, "w") as new:
        part = sheet_parts(old)["Training"]
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b'<row r="6"', b'<row r="5"', 1) if name == part else data)
    assert any(m.what == "out of order" for m in verify_file(copy, []).findings[0].mismatches)


def test_classes_and_sequences_have_no_boundary(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Embedding(3, 2), nn.LSTM(2), nn.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    assert model.to_workbook(tmp_path / "x.xlsx", [[0, 1], [2, 0]], [[0], [1]], epochs=1).agrees
    assert "Boundary" not in openpyxl.load_workbook(tmp_path / "x.xlsx").sheetnames


def test_a_long_sequence_is_traced(tmp_path: Path) -> None:
    long = case((60, 1), nn.LSTM(1), nn.Dense(1), n=1)
    assert long.model.to_workbook(tmp_path / "long.xlsx", long.X, long.Y, epochs=1).agrees


def test_a_large_penalty_is_one_sum_over_the_weights() -> None:
    large = case((20,), nn.Dense(20, kernel_regularizer=nn.L1L2(0.01, 0.02)), n=1)
    spread = spread_of(workbook_of(large))
    texts = {n.name: t[0] for (n, _), t in zip(spread.program.entries, spread.program.texts, strict=True)}
    assert "SUM(" in texts["penalty"]
    assert len(texts["penalty"]) < 200


@pytest.mark.parametrize("name", ["twice", "rnn-twice", "attention", "batchnorm", "dropout", "residual"])
def test_a_built_network_is_verified_from_its_file(name: str, tmp_path: Path) -> None:
    made = CASES[name]()
    path = tmp_path / "built.xlsx"
    assert made.model.to_workbook(path, made.X, made.Y, epochs=2).agrees
    assert verify_file(path, ["formualizer"]).agrees


def test_the_learning_rate_decays_with_the_steps_of_all_epochs() -> None:
    decayed = CASES["inverse-time-batches"]()
    spread = spread_of(workbook_of(decayed, epochs=2))
    rate = next(node for node, _ in spread.program.entries if node.name == "rate")
    rates = [v[spread.slot[rate.serial, ()]] for v in spread.values]
    np.testing.assert_allclose(rates, [0.5 / (1 + 0.7 * k / 2) for k in range(4)], rtol=1e-15)


def test_a_forward_workbook_holds_the_trained_weights_and_the_answers(tmp_path: Path) -> None:
    trained = CASES["batchnorm"]()
    trained.model.fit(trained.X, trained.Y, epochs=5, backend="expressions")
    path = tmp_path / "forward.xlsx"
    assert trained.model.to_workbook(path, trained.X, what="forward", engine="embedded").agrees
    assert verify_file(path, ["formualizer"]).agrees
    book = openpyxl.load_workbook(path, data_only=True)
    assert "Charts" not in book.sheetnames
    numbers = [c for row in book["Parameters"].iter_rows(values_only=True) for c in row if isinstance(c, float)]
    assert all(any(abs(x - n) < 1e-15 for n in numbers) for w in trained.model.get_weights() for x in w.ravel())
    shown = [c for row in book["Forward"].iter_rows(values_only=True) for c in row if isinstance(c, float)]
    assert all(
        any(abs(x - n) < 1e-12 for n in shown) for x in trained.model.predict(trained.X, backend="expressions").ravel()
    )


def test_a_ledger_of_a_model_is_one_row_per_epoch(tmp_path: Path) -> None:
    exhibit = EXHIBITS["two-two-two"]
    path = tmp_path / "ledger.xlsx"
    assert exhibit.make().to_workbook(path, exhibit.X, exhibit.Y, epochs=3, layout="ledger", engine="embedded").agrees
    assert verify_file(path, ["formualizer"]).agrees
    rows = list(openpyxl.load_workbook(path, data_only=True)["Training"].iter_rows(min_row=7, values_only=True))
    names = list(rows[0])
    assert abs(rows[3][names.index("E_tot")] - 0.242519857) < 5e-10  # type: ignore[operator]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    dense = CASES["dense"]()
    dense.model.to_workbook(folder / "dense.xlsx", dense.X, dense.Y, epochs=3)
    return folder / "dense.xlsx"


def with_cell(path: Path, copy: Path, sheet: str, cell: str, change: Callable[[str], str]) -> None:
    """A copy of a workbook with one cell's XML changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        part = sheet_parts(old)[sheet]
        for name in old.namelist():
            data = old.read(name)
            if name == part:
                text = data.decode()
                mine = re.search(rf'<c r="{cell}"[^>]*>.*?</c>', text)
                assert mine and change(mine[0]) != mine[0]
                data = text.replace(mine[0], change(mine[0])).encode()
            new.writestr(name, data)


def test_a_planted_fault_in_a_gradient_is_found_at_its_cell(built: Path, tmp_path: Path) -> None:
    dense = CASES["dense"]()
    spread = spread_of(workbook_of(dense, 3))
    node = next(n for n, _ in spread.program.entries if n.name == "dZ1")
    cell = spread.address(node, (1, 2), 1).split("!")[1]
    right = next(t for (n, i), t in zip(spread.program.entries, spread.program.texts, strict=True) if n is node)
    assert "^2" in right[1]
    copy = tmp_path / "wrong.xlsx"
    with_cell(built, copy, "Training", cell, lambda xml: xml.replace("^2", "^3"))
    found = verify_file(copy, ["ironcalc", "formualizer"])
    assert not found.agrees
    engine = next(f for f in found.findings if f.source == "formualizer")
    assert engine.mismatches[0].cell == cell


def test_a_changed_learning_rate_is_verified_with_it(built: Path, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(built)
    book["Parameters"]["B5"] = 0.75
    book.save(tmp_path / "changed.xlsx")
    found = verify_file(tmp_path / "changed.xlsx", ["formualizer"])
    assert next(f for f in found.findings if f.source == "formualizer").wrong == 0


@pytest.mark.parametrize("name", EXHIBITS)
def test_every_exhibit_is_built_and_small(name: str, tmp_path: Path) -> None:
    e = EXHIBITS[name]
    path = tmp_path / f"{name}.xlsx"
    assert e.build(path, "ironcalc").agrees
    assert path.stat().st_size < 5_000_000


FOLDER = Path(__file__).parents[2] / "workbooks" / "gallery"


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_committed_gallery_holds_what_the_code_builds(name: str) -> None:
    assert verify_file(FOLDER / f"{name}.xlsx", []).agrees


def test_the_committed_gallery_has_every_exhibit_and_no_other() -> None:
    assert {p.stem for p in FOLDER.glob("*.xlsx")} == set(EXHIBITS)


def test_two_trainings_stand_side_by_side_and_start_from_the_same_weights() -> None:
    e = EXHIBITS["adam-against-sgd"]
    assert e.against
    workbook = network_workbook(e.make(), e.X, e.Y, 3, against=e.against())
    sheets = {s.name: s for s in workbook.sheets}
    assert {"Training", "Training (SGD)", "Parameters (SGD)", "Network (SGD)"} <= set(sheets)
    assert [s.name for s in sheets["Charts"].charts[0].series] == ["Adam", "SGD"]
    adam, sgd = (s.y_numbers for s in sheets["Charts"].charts[0].series)
    assert adam[0] == sgd[0]
    assert adam[1] != sgd[1]


def test_only_comparable_networks_are_compared(tmp_path: Path) -> None:
    def model(loss: str = "mse", units: int = 1, name: str = "other") -> nn.Model:
        return nn.Sequential([nn.Input((1,)), nn.Dense(units)], name=name).compile("sgd", loss)

    wrong = [
        (model("mae"), "Two networks are compared by one loss. Received: mean_squared_error, mean_absolute_error."),
        (model(units=2), "Two networks are compared on the same data. Received: (1,) to (1,), (1,) to (2,)."),
        (
            model(name="a name beyond all measure"),
            "A network to compare with needs a name of its own of at most 14 letters. Received: "
            "'a name beyond all measure'. Give it with name=...",
        ),
    ]
    for against, message in wrong:
        with pytest.raises(SettingError) as caught:
            model(name="one").to_workbook(tmp_path / "x.xlsx", [[1.0]], [[1.0]], against=against)
        assert str(caught.value) == message
    assert not list(tmp_path.iterdir())
