"""Binary-to-decimal decoder: 2 inputs, 4 classes, softmax; with a sigmoid between, and the log book's version of it.

# a class is a row, a sample a column: X (2, 4), Y, Z, P (4, 4), W (4, 2), b (4, 1)
"""

from __future__ import annotations

from dataclasses import replace

from simulator.lessons.lesson import Contrast, Lesson
from simulator.tape.expression import Expression
from simulator.tape.namespace import categorical_crossentropy, mean, sigmoid, softmax
from simulator.tape.primitive import constant, slope


def equations(X: Expression, Y: Expression, W: Expression, b: Expression) -> Expression:
    Z = (W @ X + b).named("Z", "weighted sum")
    P = softmax(Z, axis=0, names=("e^Z", "sum")).named("P", "softmax")
    loss = categorical_crossentropy(Y, P).named("-Ylog(P)", "loss", gradient=False)
    return mean(loss, over=4).named("cost", "mean cross-entropy")


def equations_with_sigmoid(X: Expression, Y: Expression, W: Expression, b: Expression) -> Expression:
    Z = (W @ X + b).named("Z", "weighted sum")
    A = sigmoid(Z).named("A", "sigmoid")
    P = softmax(A, axis=0, names=("e^A", "sum")).named("P", "softmax")
    loss = categorical_crossentropy(Y, P).named("-Ylog(P)", "loss", gradient=False)
    return mean(loss, over=4).named("cost", "mean cross-entropy")


SAMPLES = ("class", "sample")

DECODER = Lesson(
    name="decoder",
    title="Binary-to-decimal decoder",
    story="Two bits go in, one of four classes comes out: 00 is 0, 01 is 1, 10 is 2, 11 is 3. Softmax turns four sums "
    "into four probabilities. All weights start equal; the labels alone pull the classes apart.",
    given={
        "X": [[0, 0, 1, 1], [0, 1, 0, 1]],
        "Y": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    },
    parameters={"W": [[0.5, 0.5]] * 4, "b": [[0.6]] * 4},
    equations=equations,
    meanings={"X": "inputs", "Y": "one-hot labels", "W": "weights", "b": "biases"},
    threshold=0.2,
    formats={"X": "0", "Y": "0"},
    axes={"X": ("input", "sample"), "W": ("class", "w"), "dW": ("class", "w"), "W'": ("class", "w")}
    | dict.fromkeys(("Y", "Z", "A", "e^Z", "e^A", "P", "-Ylog(P)", "dZ", "dA"), SAMPLES)
    | {"sum": ("", "sample"), "b": ("class", ""), "db": ("class", ""), "b'": ("class", "")},
)

DECODER_SIGMOID = replace(
    DECODER,
    name="decoder-sigmoid",
    title="Decoder with a sigmoid before the softmax",
    story="A sigmoid between Z and the softmax squeezes the four sums into (0, 1), so no class can win clearly: the "
    "cost is still 1.169 at epoch 60, where the plain decoder is at 0.175.",
    equations=equations_with_sigmoid,
    threshold=1.2,
    contrast=Contrast(
        lesson="decoder-sigmoid-as-printed",
        here="with the sigmoid's slope A (1 - A)",
        there="as printed, slope left out",
        sentence="The log book's table leaves the sigmoid's slope A (1 - A) out of dZ. With these numbers its cost "
        "falls faster (1.052 against 1.169 at epoch 60), and looks better, but it does not follow the gradient: the "
        "sheet Gradient check of the workbook decoder-sigmoid-as-printed is red.",
    ),
)

DECODER_SIGMOID_AS_PRINTED = replace(
    DECODER_SIGMOID,
    name="decoder-sigmoid-as-printed",
    title="Decoder with a sigmoid, as the log book printed it",
    story="The log book's own table: dZ = dA, the sigmoid's slope A (1 - A) is left out. The numbers are the printed "
    "ones (cost 1.052 at epoch 60), and the sheet Gradient check shows in red that they are not the gradient.",
    rules={"sigmoid": [slope(constant(1))]},
    contrast=Contrast(
        lesson="decoder-sigmoid",
        here="as printed, slope left out",
        there="with the sigmoid's slope A (1 - A)",
        sentence="This table leaves the sigmoid's slope A (1 - A) out of dZ. With these numbers its cost falls faster "
        "(1.052 against 1.169 at epoch 60), and looks better, but it does not follow the gradient: the sheet Gradient "
        "check is red.",
    ),
)
