"""Random expressions and random small networks: all readings agree with each other."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.book.charts import curves_table
from simulator.book.parameters import parameters_sheet
from simulator.book.sweep import sweep_sheet
from simulator.book.training import training_sheet
from simulator.book.trajectory import follow
from simulator.book.workbook import Workbook
from simulator.lessons.lesson import Lesson
from simulator.lessons.run import Run
from simulator.lessons.training import stable
from simulator.sheet.sheet import Sheet
from simulator.tape.evaluate import evaluate
from simulator.tape.expression import Expression
from simulator.tape.expression import given as given_array
from simulator.tape.namespace import (
    binary_crossentropy,
    categorical_crossentropy,
    exp,
    log,
    mean,
    sigmoid,
    softmax,
    tanh,
    where,
)
from simulator.tape.primitive import apply
from simulator.xlsx.recalculate import EMBEDDED
from simulator.xlsx.verify import verify
from simulator.xlsx.writer import write_workbook
from tests.conftest import central_differences, sheet_of

A, B = given_array("A", (2, 3)), given_array("B", (2, 3))
numbers = st.floats(-3, 3).map(lambda x: round(x, 3))


def combine(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pairs = st.tuples(children, children)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (p[1] ** 2 + 1)),
        pairs.map(lambda p: where(p[0], "<", p[1], p[0], -p[1])),
        children.map(lambda e: -e),
        children.map(tanh),
        children.map(sigmoid),
        children.map(lambda e: exp(-(e**2))),
        children.map(lambda e: log(e**2 + 1)),
        children.map(lambda e: e.sum(0) + e),
        children.map(lambda e: (e @ e.T) @ e / 10),
    )


expressions = st.recursive(st.sampled_from([A, B]) | numbers.map(lambda x: A * x + B), combine, max_leaves=7)


@settings(max_examples=6)
@given(st.lists(expressions, min_size=15, max_size=25), st.lists(numbers, min_size=12, max_size=12))
@pytest.mark.parametrize("engine", EMBEDDED)
def test_random_expressions_agree_between_numpy_and_the_engines(
    engine: str, roots: list[Expression], entries: list[float]
) -> None:
    values = {"A": np.reshape(entries[:6], (2, 3)), "B": np.reshape(entries[6:], (2, 3))}
    named = [apply("copy", e).named(f"e{k}") for k, e in enumerate(roots)]
    workbook, table = sheet_of(named, values)
    with tempfile.TemporaryDirectory() as folder:
        verification = verify(write_workbook(workbook, Path(folder) / "e.xlsx"), workbook, [engine])
    assert verification.agrees, [str(m) for f in verification.findings for m in f.mismatches]
    block = next(table.blocks())
    for e in named:
        np.testing.assert_allclose(
            [block[s] for s in table.slots(e)], np.ravel(evaluate(e, values)), rtol=1e-9, atol=1e-11
        )


ACTIVATIONS = {"sigmoid": sigmoid, "tanh": tanh}


@st.composite
def networks(draw: st.DrawFn) -> Lesson:
    """A dense network: 1 or 2 hidden layers of 1 to 3 units, a loss that fits its output, 2 to 4 samples."""
    inputs, samples = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    hidden = draw(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(sorted(ACTIVATIONS))), min_size=1, max_size=2))
    head = draw(st.sampled_from(["sigmoid", "softmax", "linear"]))
    outputs = draw(st.integers(2, 3)) if head == "softmax" else 1
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    sizes = [inputs, *(n for n, _ in hidden), outputs]
    parameters = {}
    for k, (m, n) in enumerate(pairwise(sizes), 1):
        parameters[f"W{k}"] = random.uniform(-1, 1, (n, m)).round(4).tolist()
        parameters[f"b{k}"] = random.uniform(-1, 1, (n, 1)).round(4).tolist()
    X = random.uniform(-1, 1, (inputs, samples)).round(4).tolist()
    classes = random.integers(0, max(outputs, 2), samples)
    Y = np.eye(outputs)[classes].T.tolist() if outputs > 1 else [classes.astype(float).tolist()]

    def equations(X: Expression, Y: Expression, **w: Expression) -> Expression:
        layer = X
        for k, (_, activation) in enumerate(hidden, 1):
            layer = ACTIVATIONS[activation]((w[f"W{k}"] @ layer + w[f"b{k}"]).named(f"Z{k}")).named(f"A{k}")
        k = len(hidden) + 1
        Z = (w[f"W{k}"] @ layer + w[f"b{k}"]).named("Z")
        if head == "sigmoid":
            loss = binary_crossentropy(Y, sigmoid(Z).named("P"))
        elif head == "softmax":
            loss = categorical_crossentropy(Y, softmax(Z, 0, ("e^Z", "sum")).named("P"))
        else:
            loss = (Z.named("P", gradient=False) - Y) ** 2
        return mean(loss.named("loss", gradient=False), over=samples).named("cost")

    return Lesson(
        "and",
        "Random network",
        "",
        {"X": X, "Y": Y},
        parameters,
        equations,
        dict.fromkeys([*parameters, "X", "Y"], "x"),
    )


@settings(max_examples=12)
@given(networks(), st.sampled_from([0.1, 1.0, 3.0]))
def test_random_networks_agree_in_every_reading(lesson: Lesson, rate: float) -> None:
    run = lesson.run(epochs=4, settings={"learning_rate": rate})
    sheet = workbook_of_training(run)
    with tempfile.TemporaryDirectory() as folder:
        verification = verify(write_workbook(sheet, Path(folder) / "n.xlsx"), sheet, EMBEDDED)
    assert verification.agrees, [str(m) for f in verification.findings for m in f.mismatches]
    for epoch in range(run.count):
        values = {k: np.array(v, float) for k, v in lesson.given.items()}
        values |= {k: run.column(k)[epoch] for k in lesson.parameters}
        np.testing.assert_allclose(evaluate(run.epoch.cost, values), run.column("cost")[epoch], rtol=1e-10)
        for k, leaf in run.epoch.parameters.items():
            np.testing.assert_allclose(
                run.column(f"d{k}")[epoch],
                central_differences(stable(run.epoch.cost), leaf, values),
                rtol=1e-5,
                atol=1e-7 + 1e-9 * abs(run.column("cost")[epoch]),  # the last bit of the cost over 2h
            )


def workbook_of_training(run: Run) -> Workbook:
    """Given numbers, training and sweep; the boundary needs two inputs."""
    curves = curves_table(run)
    path = follow(run.table, run.table.slot[run.epoch.cost.serial, ()])
    charts = Sheet("Charts", tables=[curves])
    sheets = (parameters_sheet(run), training_sheet(run, path, curves), charts, sweep_sheet(run))
    return Workbook("random", "and", 4, sheets)
