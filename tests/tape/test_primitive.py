"""Every primitive is one row: its NumPy value, its formula as engines recalculate it, its derivative."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from simulator.errors import ShapeError
from simulator.tape.arrangement import join, positions_of, reshaped, take
from simulator.tape.backward import backward
from simulator.tape.convolution import contract, convolve, window_max, window_mean, windows_of
from simulator.tape.evaluate import evaluate
from simulator.tape.expression import Expression, given, literal
from simulator.tape.namespace import (
    absolute,
    argmax,
    categorical_crossentropy,
    complement,
    element,
    elu,
    exp,
    leaky_relu,
    log,
    maximum,
    one_hot,
    relu,
    sigmoid,
    sin,
    softmax,
    sqrt,
    tanh,
    where,
)
from simulator.tape.primitive import PRIMITIVES, apply, fold
from simulator.xlsx.verify import verify
from tests.conftest import central_differences, sheet_of, write

A = given("A", (2, 3))
B = given("B", (2, 3))
V = given("V", (3, 2))
R = given("R", (1, 3))
VALUES = {
    "A": np.array([[0.3, 1.7, 0.9], [2.2, 0.45, 1.1]]),
    "B": np.array([[1.25, -0.6, 0.35], [0.8, -1.9, 2.4]]),
    "V": np.array([[0.2, -0.7], [1.3, 0.6], [-0.4, 0.9]]),
    "R": np.array([[0.5, -1.5, 2.5]]),
}
a, b, v, r = (VALUES[name] for name in "ABVR")
z = b

IMAGE = reshaped(A, (1, 2, 3, 1))  # one picture of 2 x 3 with one channel
KERNEL = reshaped(take(V, positions_of(V)[:2], "{0}"), (2, 2, 1, 1))
WINDOWS = windows_of(IMAGE.shape, (2, 2), (1, 1), "valid")
LARGEST = window_max(IMAGE, *WINDOWS)
FIRST = apply("window_first", IMAGE, LARGEST, windows=WINDOWS[0], out=LARGEST.shape)


def window(name: str, *args: Expression, out: tuple[int, ...] = IMAGE.shape) -> Expression:
    made = apply(name, *args, windows=WINDOWS[0], out=out)
    return reshaped(made, (made.shape[1], made.shape[2]))


CONVOLVED = np.array([[(a[:, :2] * v[:2]).sum(), (a[:, 1:] * v[:2]).sum()]])
CONTRACTED = np.array([[a[0, 0] * b[0, 1] + a[0, 2] * b[1, 0], a[1, 2] * b[1, 2]]])
PAIRS = [[[(0, 1), (2, 3)]], [[(5, 5)]]]


def sums_of_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[sum(a.ravel()[i] * b.ravel()[j] for part in parts for i, j in part) for parts in PAIRS]])


PUT = np.array([[b[0, 0] + b[1, 1], b[1, 2], b[0, 1]], [b[0, 2], 0, b[1, 0]]])

# name          expression                                  expected by plain NumPy
ROWS: list[tuple[str, Expression, np.ndarray]] = [
    ("add", A + R, a + r),
    ("subtract", A - B, a - b),
    ("multiply", A * B, a * b),
    ("divide", B / A, b / a),
    ("negative", -(A + B), -(a + b)),
    ("copy", apply("copy", A), a),
    ("power", A**3, a * a * a),
    ("exp", exp(B), np.exp(b)),
    ("log", log(A), np.log(a)),
    ("tanh", tanh(B), np.tanh(b)),
    ("sigmoid", sigmoid(B), 1 / (1 + np.exp(-b))),
    ("complement", complement(sigmoid(B)), 1 - 1 / (1 + np.exp(-b))),
    ("log_softmax", categorical_crossentropy(A, softmax(B, 0)), -a * np.log(np.exp(b) / np.exp(b).sum(0))),
    ("matmul", B @ V, b @ v),
    ("transpose", apply("copy", B.T) + V, b.T + v),
    ("sum", B.sum(0), b.sum(0, keepdims=True)),
    ("broadcast", apply("broadcast", R, shape=(2, 3)) * A, r * a),
    ("maximum", maximum(B, 0.5), np.maximum(b, 0.5)),
    ("where", where(A, "<", B, A, B), np.minimum(a, b)),
    ("element", element(B, (1, 2)) + literal(0), b[1, 2]),
    ("stack", apply("stack", element(B, (0, 0)), element(B, (0, 1)), shape=(1, 2)), b[:1, :2]),
    ("relu", relu(B), np.where(b > 0, b, 0)),
    ("leaky_relu", leaky_relu(B, 0.1), np.where(b > 0, b, 0.1 * b)),
    ("elu", elu(B, 0.5), np.where(b > 0, b, 0.5 * (np.exp(b) - 1))),
    ("abs", absolute(B), np.abs(b)),
    ("sign", apply("sign", B), np.sign(b)),
    ("sqrt", sqrt(A), a**0.5),
    ("sin", sin(B), np.sin(b)),
    ("cos", apply("cos", B), np.cos(b)),
    ("fold", fold(A, 1) * R, a.sum(0)[None] * r),
    ("one_hot", reshaped(one_hot(argmax(B), 2), (3, 2)), np.eye(2)[np.argmax(b, 0)]),
    ("take", take(B, positions_of(B)[:, ::-1], "{0} reversed"), b[:, ::-1]),
    ("put", apply("put", B, positions=np.array([[0, 2, 3], [5, 0, 1]]), shape=(2, 3), text=""), PUT),
    ("join", join([A, B], 0), np.concatenate([a, b])),
    ("convolve", reshaped(convolve(IMAGE, KERNEL, (1, 1), "valid"), (1, 2)), CONVOLVED),
    ("contract", contract(A, B, lambda: PAIRS, sums_of_products, (1, 2), ""), CONTRACTED),
    ("window_mean", reshaped(window_mean(IMAGE, *WINDOWS), (1, 2)), [[a[:, :2].mean(), a[:, 1:].mean()]]),
    ("window_max", reshaped(window_max(IMAGE, *WINDOWS), (1, 2)), [[a[:, :2].max(), a[:, 1:].max()]]),
    ("window_first", window("window_first", IMAGE, LARGEST, out=LARGEST.shape), [[3, 1]]),
    ("window_spread", window("window_spread", LARGEST), np.array([[2.2, 3.9, 1.7], [2.2, 3.9, 1.7]]) / 4),
    ("window_route", window("window_route", LARGEST, FIRST), [[0, 1.7, 0], [2.2, 0, 0]]),
    ("argmax", argmax(B), np.argmax(b, 0)[None].astype(float)),
]
WITHOUT_DERIVATIVE = {"maximum", "where", "element", "stack", "argmax", "sign", "one_hot", "contract"}
WITHOUT_DERIVATIVE |= {"window_first", "window_spread", "window_route"}


def test_every_primitive_has_a_row() -> None:
    assert {name for name, _, _ in ROWS} == set(PRIMITIVES)


@pytest.mark.parametrize(("name", "expression", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_the_numpy_reading_gives_the_expected_value(name: str, expression: Expression, expected: np.ndarray) -> None:
    np.testing.assert_allclose(evaluate(expression, VALUES), expected, rtol=1e-14)


def test_formulas_recalculate_to_the_expected_value(engine: str, tmp_path: Path) -> None:
    named = [apply("copy", e).named(name) for name, e, _ in ROWS]
    workbook, table = sheet_of(named, VALUES)
    path = write(workbook, tmp_path)
    verification = verify(path, workbook, [engine])
    assert verification.agrees, [str(m) for f in verification.findings for m in f.mismatches]
    block = next(table.blocks())
    for e, (name, _, expected) in zip(named, ROWS, strict=True):
        got = [block[slot] for slot in table.slots(e)]
        np.testing.assert_allclose(got, np.ravel(expected), rtol=1e-14, err_msg=name)


@pytest.mark.parametrize(("name", "expression", "_"), ROWS, ids=[row[0] for row in ROWS])
def test_derivatives_equal_central_differences(name: str, expression: Expression, _: np.ndarray) -> None:
    if name in WITHOUT_DERIVATIVE:
        assert all(rule is None for rule in PRIMITIVES[name].rules)
        return
    weights = np.cos(np.arange(math.prod(expression.shape))).reshape(expression.shape)
    cost = (expression * given("weights", expression.shape)).sum()
    values = {**VALUES, "weights": weights}
    for leaf in (A, B, V, R):
        gradients, _shown = backward(cost, [leaf])
        expected = central_differences(cost, leaf, values)
        got = evaluate(gradients[leaf.name], values) if leaf.name in gradients else np.zeros(leaf.shape)
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-8)


def test_shapes_that_do_not_fit_are_refused_with_the_rule() -> None:
    with pytest.raises(ShapeError) as caught:
        B @ A
    assert str(caught.value) == (
        "A @ B needs as many columns in A as rows in B. Received: A (2, 3), B (2, 3). Check whether one is transposed."
    )
    with pytest.raises(ShapeError) as caught:
        A + V
    assert str(caught.value) == (
        "'add' needs shapes that are equal or 1 in each axis. Received: (2, 3) and (3, 2). "
        "Check which axis holds the samples."
    )
    with pytest.raises(ShapeError, match="complement needs the result of sigmoid"):
        complement(A)
    with pytest.raises(ShapeError, match="categorical_crossentropy needs the result of softmax"):
        categorical_crossentropy(A, B)
