"""Array equations read as C: what a formula in Python says of arrays becomes the text of one kernel.

>>> w, g = C("w[i]"), C("g[i]")
>>> w - 0.5 * g**2
(w[i] - (0.5f * (g[i] * g[i])))
"""

from __future__ import annotations

from typing import Any

from simulator.nn.backend.gpu.device import number


class C:
    """An expression in C, of float numbers."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Any) -> C:
        return joined(self, "+", other)

    def __radd__(self, other: Any) -> C:
        return joined(other, "+", self)

    def __sub__(self, other: Any) -> C:
        return joined(self, "-", other)

    def __rsub__(self, other: Any) -> C:
        return joined(other, "-", self)

    def __mul__(self, other: Any) -> C:
        return joined(self, "*", other)

    def __rmul__(self, other: Any) -> C:
        return joined(other, "*", self)

    def __truediv__(self, other: Any) -> C:
        return joined(self, "/", other)

    def __pow__(self, exponent: int) -> C:
        if exponent != 2:
            raise NotImplementedError(f"powers other than squares: {exponent}")
        return self * self


def as_c(value: Any) -> str:
    return value.text if isinstance(value, C) else number(value)


def joined(a: Any, sign: str, b: Any) -> C:
    return C(f"({as_c(a)} {sign} {as_c(b)})")


def called(function: str, x: Any) -> C:
    return C(f"{function}({as_c(x)})")
