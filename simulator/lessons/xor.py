"""XOR multilayer perceptron, 2-3-1.

# a hidden unit is a row, a sample a column: X (2, 4), V (3, 2), Z1, A1 (3, 4), W (1, 3), Z2, P, Y (1, 4)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulator.lessons.lesson import Lesson
from simulator.tape.expression import Expression
from simulator.tape.namespace import binary_crossentropy, mean, sigmoid, tanh


def equations(hidden: Callable[[Expression], Expression]) -> Callable[..., Expression]:
    def forward(
        X: Expression, Y: Expression, V: Expression, b1: Expression, W: Expression, b2: Expression
    ) -> Expression:
        Z1 = (V @ X + b1).named("Z1", "hidden sum")
        A1 = hidden(Z1).named("A1", "hidden activation")
        Z2 = (W @ A1 + b2).named("Z2", "output sum")
        P = sigmoid(Z2).named("P", "prediction")
        loss = binary_crossentropy(Y, P).named("loss", "cross-entropy", gradient=False)
        return mean(loss, over=4).named("cost", "mean cross-entropy")

    return forward


XOR = Lesson(
    name="xor",
    title="XOR multilayer perceptron",
    story="No straight line separates XOR, so a hidden layer of three sigmoid units bends the space first. "
    "The cost stays near 0.69 for a while before the units specialise: at rate 3 all four answers are right from epoch "
    "113 on, so build it with --epochs 150 to see the boundary bend.",
    given={"X": [[0, 0, 1, 1], [0, 1, 0, 1]], "Y": [[0, 1, 1, 0]]},
    parameters={
        "V": [[-0.7, -0.7], [-0.5, 0.7], [-0.1, 0.7]],
        "b1": [[0], [0], [0]],
        "W": [[-0.5, 0.4, 0.9]],
        "b2": [[0]],
    },
    equations=equations(sigmoid),
    meanings={
        "X": "inputs",
        "Y": "labels",
        "V": "hidden weights",
        "b1": "hidden biases",
        "W": "output weights",
        "b2": "output bias",
    },
    learning_rate=3.0,
    formats={"X": "0", "Y": "0"},
    axes={"X": ("input", "sample"), "V": ("unit", "v"), "dV": ("unit", "v"), "V'": ("unit", "v")}
    | dict.fromkeys(("Z1", "A1", "dA1", "dZ1"), ("unit", "sample"))
    | dict.fromkeys(("Y", "Z2", "P", "loss", "dZ2"), ("", "sample"))
    | dict.fromkeys(("b1", "db1", "b1'"), ("unit", ""))
    | dict.fromkeys(("W", "dW", "W'"), ("", "w")),
)

XOR_TANH = replace(
    XOR,
    name="xor-tanh",
    title="XOR multilayer perceptron with tanh",
    story="The same network with tanh in the hidden layer: activations around zero, and a cost of 0.745 at epoch 1.",
    equations=equations(tanh),
)
