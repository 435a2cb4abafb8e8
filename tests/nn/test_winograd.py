"""Winograd's short convolution against PyTorch in double precision, and against a fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.nn.backend.cpu import winograd
from simulator.nn.backend.cpu.convolution import Convolution
from simulator.nn.backend.cpu.plan import Meeting, Node, Plan, Weight, inwards, outwards
from simulator.nn.backend.cpu.winograd import Winograd, convolution

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")
N = 5
CASES = [  # H, W, C, F, padding
    (8, 8, 3, 4, "valid"),
    (7, 9, 2, 3, "same"),
    (14, 14, 5, 6, "same"),
    (3, 3, 2, 2, "valid"),
    (10, 6, 1, 2, "valid"),
    (5, 13, 4, 1, "same"),
]


def ours(case: tuple[int, int, int, int, str], seed: int = 0) -> tuple[np.ndarray, ...]:
    """x (N, H, W, C), K, dy, and what came: y, dx, dK."""
    h, w, c, f, padding = case
    rng = np.random.default_rng(seed)
    k = Weight("kernel", rng.standard_normal((3, 3, c, f)).astype(np.float32))
    plan = Plan(0, slice(0, N), N, True, {}, Meeting(1))
    node = Node((h, w, c), learns=True)
    operation = Winograd(node, k, (1, 1), padding)
    plan.append(operation)
    plan.allocate()
    x = rng.standard_normal((N, h, w, c)).astype(np.float32)
    dy = rng.standard_normal(outwards(operation.y).shape).astype(np.float32)
    for _ in range(2):  # buffers hold what an earlier step has left
        np.copyto(node.array, inwards(x))
        operation.forward(plan)
        y = outwards(operation.y).copy()
        np.copyto(operation.dy, inwards(dy))
        operation.backward(plan)
    assert operation.dx is not None
    return x, k.value, dy, y, outwards(operation.dx).copy(), operation.parts()[0][1].copy()


def theirs(x: np.ndarray, k: np.ndarray, dy: np.ndarray, padding: str) -> list[np.ndarray]:
    images = torch.tensor(x.transpose(0, 3, 1, 2).astype(float), requires_grad=True)
    kernel = torch.tensor(k.transpose(3, 2, 0, 1).astype(float, order="C"), requires_grad=True)
    y = torch.nn.functional.conv2d(images, kernel, padding=padding)
    y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).astype(float)))
    back = [(y.detach(), (0, 2, 3, 1)), (images.grad, (0, 2, 3, 1)), (kernel.grad, (2, 3, 1, 0))]
    return [a.numpy().transpose(axes) for a, axes in back]


def worst(case: tuple[int, int, int, int, str]) -> float:
    x, k, dy, *found = ours(case)
    wanted = theirs(x, k, dy, case[-1])
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cache", [1, winograd.CACHE], ids=["row by row", "at once"])
def test_it_computes_what_pytorch_does(
    case: tuple[int, int, int, int, str], cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "CACHE", cache)
    assert worst(case) < 1e-5


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = winograd.BACK.copy()
    wrong[3, 5] += 0.01
    monkeypatch.setattr(winograd, "BACK", wrong)
    assert worst(CASES[0]) > 1e-4


@pytest.mark.parametrize(
    ("kernel", "strides", "shape", "kind"),
    [
        ((3, 3, 64, 128), (1, 1), (14, 14, 64), Winograd),
        ((3, 3, 64, 128), (2, 2), (14, 14, 64), Convolution),
        ((5, 5, 64, 128), (1, 1), (14, 14, 64), Convolution),
        ((3, 3, 1, 64), (1, 1), (28, 28, 1), Convolution),
        ((3, 3, 512, 512), (1, 1), (3, 3, 512), Convolution),
    ],
)
def test_the_quicker_way_is_taken(
    kernel: tuple[int, ...], strides: tuple[int, int], shape: tuple[int, ...], kind: type[Convolution]
) -> None:
    found = convolution(Node(shape), Weight("kernel", np.zeros(kernel, np.float32)), strides, "same")
    assert type(found) is kind
