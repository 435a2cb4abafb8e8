"""The ledger: printed numbers, column order, gradients by hand, other networks, inputs that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.book.gradient_check import OK
from simulator.book.workbook import workbook_of
from simulator.errors import SettingError
from simulator.lessons import LESSONS
from simulator.lessons.ledger import KERNELS, ledger_lesson
from simulator.lessons.lesson import Lesson
from simulator.tape.equation import equation
from simulator.xlsx.recalculate import EMBEDDED
from simulator.xlsx.verify import verify
from simulator.xlsx.writer import write_workbook
from tests.conftest import Array, central_differences

# lesson, E_tot of the first rows as printed
PRINTED = [
    ("ledger", "0.242519857", "0.235495378"),
    ("ledger-bias", "0.298371109", "0.291027774"),
]
ORDER = (
    "epoch t1 t2 i1 i2 w1 w2 w3 w4 h1 a_h1 h2 a_h2 w5 w6 w7 w8 o1 a_o1 o2 a_o2 E1 E2 E_tot "
    "dE/dw1 dE/dw2 dE/dw3 dE/dw4 dE/dw5 dE/dw6 dE/dw7 dE/dw8"
)
FUNCTIONS = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "linear": lambda z: z}
SLOPES = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a**2, "linear": np.ones_like}


def by_hand(
    kernels: list[Array], biases: list[Array], x: Array, t: Array, activations: list[str]
) -> tuple[float, list[Array], list[Array]]:
    """E, dE/dK and dE/db of every layer, for kernels of shape (inputs, units)."""
    outs = [x]
    for K, b, activation in zip(kernels, biases, activations, strict=True):
        outs.append(FUNCTIONS[activation](outs[-1] @ K + b))
    delta = (outs[-1] - t) * SLOPES[activations[-1]](outs[-1])
    dK, db = [], []
    for k in reversed(range(len(kernels))):
        dK.insert(0, np.outer(outs[k], delta))
        db.insert(0, delta)
        if k:
            delta = kernels[k] @ delta * SLOPES[activations[k - 1]](outs[k])
    return float(((t - outs[-1]) ** 2).sum() / 2), dK, db


@pytest.mark.parametrize(("name", "first", "second"), PRINTED)
def test_the_total_error_comes_out_as_printed(name: str, first: str, second: str) -> None:
    errors = LESSONS[name].run(epochs=2).column("E_tot")
    assert [f"{e:.9f}" for e in errors] == [first, second]


def test_a_well_known_misprint_takes_the_hidden_gradient_from_updated_output_weights() -> None:
    kernels, biases = [np.array(k) for k in KERNELS], [np.full(2, 0.35), np.full(2, 0.60)]
    x, t, activations = np.array([0.05, 0.10]), np.array([0.01, 0.99]), ["sigmoid"] * 2
    _, [_, dV], [_, delta] = by_hand(kernels, biases, x, t, activations)
    hidden = 1 / (1 + np.exp(-(x @ kernels[0] + 0.35)))
    late = np.outer(x, (kernels[1] - 0.5 * dV) @ delta * hidden * (1 - hidden))
    error, _, _ = by_hand([kernels[0] - 0.5 * late, kernels[1] - 0.5 * dV], biases, x, t, activations)
    assert f"{error:.9f}" == "0.291027924"


def test_the_columns_stand_in_the_order_of_the_ledger() -> None:
    table = LESSONS["ledger"].run(epochs=2).table
    assert [q.node.name for q in table.quantities] == ORDER.split()
    assert table.height == 1
    biased = [q.node.name for q in LESSONS["ledger-bias"].run(epochs=2).table.quantities]
    assert [n for n in biased if n not in ("b1", "b2")] == ORDER.split()
    assert (biased[biased.index("b1") + 1], biased[biased.index("b2") + 1]) == ("h1", "o1")


def test_a_gradient_is_the_chain_in_full_and_the_next_row_takes_it() -> None:
    table = LESSONS["ledger"].run(epochs=3).table
    formulas = {c.quantity.node.name: table.formula_at(c, 1) for c in table.computed if c.quantity}
    assert formulas["dE/dw5"] == "(S11-B11)*S11*(1-S11)*K11"
    assert formulas["dE/dw1"] == "((S11-B11)*S11*(1-S11)*N11+(U11-C11)*U11*(1-U11)*P11)*K11*(1-K11)*D11"
    assert formulas["w5"] == "N10-Parameters!$B$5*AC10"
    equations = {q.node.name: equation(q.node) for q in table.quantities}
    assert equations["dE/dw5"] == "dE/dw5 = (a_o1 - t1) * a_o1 * (1 - a_o1) * a_h1"
    assert equations["E_tot"] == "E_tot = E1 + E2"


@pytest.mark.parametrize("name", ["ledger", "ledger-bias"])
def test_training_agrees_with_numpy_written_by_hand(name: str) -> None:
    run = LESSONS[name].run()
    kernels = [np.array(k) for k in KERNELS]
    biases = [np.full(2, 0.35), np.full(2, 0.60)] if name == "ledger-bias" else [np.zeros(2), np.zeros(2)]
    for epoch in range(run.count):
        error, dK, _ = by_hand(kernels, biases, np.array([0.05, 0.10]), np.array([0.01, 0.99]), ["sigmoid"] * 2)
        assert run.column("E_tot")[epoch] == pytest.approx(error, rel=1e-12)
        gradients = [run.column(f"dE/dw{k}")[epoch].item() for k in range(1, 9)]
        np.testing.assert_allclose(gradients, np.concatenate([d.T.ravel() for d in dK]), rtol=1e-10, atol=1e-15)
        kernels = [K - 0.5 * d for K, d in zip(kernels, dK, strict=True)]


ACTIVATIONS = ["tanh", "sigmoid", "linear"]


def deep(**more: Any) -> Lesson:
    """2-3-2-1, two hidden layers."""
    random = np.random.default_rng(3)
    kernels = [random.uniform(-1, 1, shape).round(3) for shape in ((2, 3), (3, 2), (2, 1))]
    biases = [random.uniform(-1, 1, n).round(3) for n in (3, 2, 1)]
    return ledger_lesson(
        "ledger",
        "Deep",
        "",
        [k.tolist() for k in kernels],
        [b.tolist() for b in biases],
        [0.5, -1.0],
        [0.3],
        activations=ACTIVATIONS,
        **more,
    )


def test_a_deep_network_with_trained_biases_follows_its_gradient() -> None:
    lesson = deep(train_biases=True, learning_rate=0.1)
    run = lesson.run(epochs=6)
    names = [q.node.name for q in run.table.quantities]
    assert names[4:15] == ["w1", "w2", "w3", "w4", "w5", "w6", "b1", "b2", "b3", "h1", "a_h1"]
    assert [n for n in names if n.startswith("a_")] == ["a_h1", "a_h2", "a_h3", "a_k1", "a_k2", "a_o1"]
    assert names[-20:] == [*(f"dE/dw{k}" for k in range(1, 15)), *(f"dE/db{k}" for k in range(1, 7))]
    for epoch in (0, 5):
        at = {name: run.column(name)[epoch] for name in [*lesson.given, *lesson.parameters]}
        w, b = ([at[f"{s}{k}"].item() for k in range(1, n + 1)] for s, n in (("w", 14), ("b", 6)))
        kernels = [np.reshape(w[i:j], (n, m)).T for i, j, n, m in ((0, 6, 3, 2), (6, 12, 2, 3), (12, 14, 1, 2))]
        biases = [np.array(b[i:j]) for i, j in ((0, 3), (3, 5), (5, 6))]
        error, dK, db = by_hand(kernels, biases, np.array([0.5, -1.0]), np.array([0.3]), ACTIVATIONS)
        assert run.column("E_tot")[epoch] == pytest.approx(error, rel=1e-12)
        expected = np.concatenate([*(d.T.ravel() for d in dK), *db])
        gradients = [run.column(f"dE/d{name}")[epoch].item() for name in lesson.parameters]
        np.testing.assert_allclose(gradients, expected, rtol=1e-10)
        for name, leaf in run.epoch.parameters.items():
            numeric = central_differences(run.epoch.cost, leaf, at)
            np.testing.assert_allclose(run.column(f"dE/d{name}")[epoch], numeric, rtol=1e-6, atol=1e-9)


def test_no_gradient_refers_to_the_column_of_another() -> None:
    table = deep(train_biases=True).run(epochs=2).table
    gradients = [q.node for q in table.quantities if q.node.name.startswith("dE/d")]
    assert not any("dE/d" in equation(g).partition(" = ")[2] for g in gradients)


def test_the_workbook_of_a_deep_network_agrees_in_the_engines_and_with_its_gradient(tmp_path: Path) -> None:
    workbook = workbook_of(deep(train_biases=True).run(epochs=5))
    check = next(s for s in workbook.sheets if s.name == "Gradient check")
    assert check.cells[5, 1].value == OK
    verification = verify(write_workbook(workbook, tmp_path / "deep.xlsx"), workbook, EMBEDDED)
    assert verification.agrees, [str(m) for f in verification.findings for m in f.mismatches]


def test_fixed_biases_are_given_one_for_a_layer_that_shares_it() -> None:
    lesson = ledger_lesson("l", "L", "", KERNELS, [[0.35, 0.35], [0.6, 0.7]], [0.05, 0.10], [0.01, 0.99])
    assert {n: v[0][0] for n, v in lesson.given.items() if n.startswith("b")} == {"b1": 0.35, "b2": 0.6, "b3": 0.7}
    assert list(lesson.parameters) == [f"w{k}" for k in range(1, 9)]
    o2 = next(e for e in lesson.run(epochs=1).epoch.forward if e.name == "o2")
    assert equation(o2) == "o2 = w7 * a_h1 + w8 * a_h2 + b3"


def test_given_numbers_are_set_by_name() -> None:
    run = LESSONS["ledger-bias"].run(epochs=2, settings={"w1_0": 0.2, "b1_0": 0.4, "i1_0": 1.0})
    assert run.column("h1")[0].item() == pytest.approx(0.2 + 0.2 * 0.1 + 0.4)
    with pytest.raises(SettingError) as caught:
        LESSONS["ledger-bias"].run(settings={"w9_0": 0.2})
    assert "b1_0" in str(caught.value)
    assert "entries of" not in str(caught.value)
    assert "boundary" not in str(caught.value)


ONES = [[1.0] * 8] * 8
# kernels, biases, inputs, targets, activations, message
BAD: list[tuple[Any, Any, Any, Any, Any, str]] = [
    ([], [], [1], [1], [], "A ledger has 1 to 9 layers. Received: 0 kernels."),
    (KERNELS, [None], [1, 1], [1, 1], [], "as many biases as kernels. Received: 1 for 2."),
    (KERNELS, [None, None], [1, 1], [1, 1], ["tanh"], "as many activations as kernels. Received: 1 for 2."),
    (
        [[[1, 2, 3], [4, 5, 6]], [[1, 2, 3]]],
        [None, None],
        [1, 1],
        [1],
        [],
        "The kernel of layer 2 needs the shape (inputs, units) with 3 inputs, as in Keras. Received: (1, 3).",
    ),
    ([[[1, 2], [3]]], [None], [1, 1], [1], [], "Received: rows of lengths [2, 1]."),
    ([[]], [None], [], [1], [], "The kernel of layer 1 needs the shape"),
    ([[[], []]], [None], [1, 1], [], [], "Received: (2, 0)."),
    (KERNELS, [[0.1], None], [1, 1], [1, 1], [], "Layer 1 needs one bias per unit. Received: 1 for 2 units."),
    (KERNELS, [None, None], [1, 1], [1], [], "one target per output unit. Received: 1 for 2 units."),
    (KERNELS, [None, None], [1, 1], [1, 1], ["tanh", "relu"], "Received: 'relu' for layer 2."),
    ([ONES], [None], [1] * 8, [1] * 8, [], "at most 60 weights, a row that can still be followed. Received: 64."),
    (
        [[[1, 1]] * 2] * 6,
        [None] * 6,
        [1, 1],
        [1, 1],
        [],
        "at most 24 ways from its unit to the outputs, each a term of its formula. Received: 32.",
    ),
    (KERNELS, [None, None], [1, float("nan")], [1, 1], [], "between -1e+06 and 1e+06. Received: nan."),
    (KERNELS, [None, None], [1, 1], [2e6, 1], [], "between -1e+06 and 1e+06. Received: 2e+06."),
]


@pytest.mark.parametrize(("kernels", "biases", "inputs", "targets", "activations", "message"), BAD)
def test_what_does_not_fit_is_refused(
    kernels: Any, biases: Any, inputs: Any, targets: Any, activations: Any, message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        ledger_lesson("l", "L", "", kernels, biases, inputs, targets, activations=activations)
    assert message in str(caught.value)


def test_the_longest_chain_fits_a_cell() -> None:
    kernels = [[[0.5] * 4], [[0.5] * 3] * 4, [[0.5] * 2] * 3, [[0.5] * 4] * 2]
    table = ledger_lesson("l", "L", "", kernels, [None] * 4, [0.3], [0.1] * 4).run(epochs=2).table
    assert max(len(table.formula_at(c, 1)) for c in table.computed) < 8192
