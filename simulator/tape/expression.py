"""Array expressions: what an equation is before anybody reads it.

An `Expression` is a node: a primitive applied to other nodes, a given array, or a literal number. A node
with a name becomes cells of a sheet; one without a name stays inside the formulas that use it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simulator.errors import ShapeError

if TYPE_CHECKING:
    from simulator.tape.primitive import Primitive

Shape = tuple[int, ...]
Index = tuple[int, ...]
Contribution = tuple["Expression", "Expression"]

_serial = itertools.count()


@dataclass(eq=False)
class Expression:
    """One node of the tape; arguments always have a smaller serial than the node itself."""

    primitive: Primitive | None
    args: tuple[Expression, ...]
    shape: Shape
    params: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    meaning: str = ""
    value: float | None = None  # of a literal
    symbol: str = ""  # how a literal is written in an equation, m for the number of samples
    has_gradient: bool = True  # whether dC/d(this) is shown when this is named
    softmax_of: tuple[Expression, Expression] | None = None  # the logits z and the sum of exp(z)
    shortcut: Callable[[Expression], list[Contribution]] | None = None  # a fused derivative, for constant gradients
    about: Expression | None = None  # the array that a gradient, a state or a helper belongs to
    is_constant: bool = field(init=False)
    serial: int = field(default_factory=lambda: next(_serial))

    def named(
        self, name: str, meaning: str = "", *, gradient: bool = True, about: Expression | None = None
    ) -> Expression:
        """This node, with the name and meaning that its cells will carry; about is the array that it belongs to."""
        if self.name or self.primitive is None:
            return _build("copy", self).named(name, meaning, gradient=gradient, about=about)
        self.name, self.meaning, self.has_gradient, self.about = name, meaning, gradient, about
        return self

    @property
    def is_given(self) -> bool:
        return self.primitive is None and self.value is None

    def __post_init__(self) -> None:
        known = self.primitive is not None and all(a.is_constant for a in self.args)
        self.is_constant = self.value is not None or known  # no given array lies upstream

    @property
    def T(self) -> Expression:
        """The array with its last two axes exchanged."""
        return _build("transpose", self)

    def sum(self, axis: int | None = None) -> Expression:
        """The sum of all entries, or along an axis, which stays with length one."""
        axes = len(self.shape)
        return _build("sum", self, axis=axis if axis is None or axis < 0 else axis - axes, axes=axes)

    def __add__(self, other: Operand) -> Expression:
        return _build("add", self, as_expression(other))

    def __radd__(self, other: Operand) -> Expression:
        return _build("add", as_expression(other), self)

    def __sub__(self, other: Operand) -> Expression:
        return _build("subtract", self, as_expression(other))

    def __rsub__(self, other: Operand) -> Expression:
        return _build("subtract", as_expression(other), self)

    def __mul__(self, other: Operand) -> Expression:
        return _build("multiply", self, as_expression(other))

    def __rmul__(self, other: Operand) -> Expression:
        return _build("multiply", as_expression(other), self)

    def __truediv__(self, other: Operand) -> Expression:
        return _build("divide", self, as_expression(other))

    def __rtruediv__(self, other: Operand) -> Expression:
        return _build("divide", as_expression(other), self)

    def __matmul__(self, other: Expression) -> Expression:
        return _build("matmul", self, other)

    def __pow__(self, exponent: float) -> Expression:
        return _build("power", self, literal(exponent))

    def __neg__(self) -> Expression:
        return _build("negative", self)

    def __repr__(self) -> str:
        from simulator.tape.equation import right_side

        return f"<{self.name or right_side(self)} {self.shape}>"


Operand = Expression | float | int


def given(name: str, shape: Shape, meaning: str = "") -> Expression:
    """An array whose values come from outside: inputs, labels, parameters."""
    return Expression(None, (), shape, name=name, meaning=meaning)


def literal(value: float, symbol: str = "") -> Expression:
    """A number written into the formulas themselves, such as the number of samples."""
    return Expression(None, (), (), value=float(value), symbol=symbol)


def as_expression(operand: Operand) -> Expression:
    return operand if isinstance(operand, Expression) else literal(operand)


def broadcast_shapes(a: Shape, b: Shape, what: str) -> Shape:
    """The shape of an elementwise operation on arrays with the same number of axes.

    A single number goes with everything, a vector (a bias) with the last axis of everything. Raises ShapeError when
    the shapes do not fit.
    """
    if () in (a, b):
        return a or b
    if 1 in (len(a), len(b)):
        a, b = (1,) * (len(b) - len(a)) + a, (1,) * (len(a) - len(b)) + b
    if len(a) != len(b) or any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
        raise ShapeError(
            f"{what} needs shapes that are equal or 1 in each axis. Received: {a} and {b}. "
            "Check which axis holds the samples."
        )
    return tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))


def indices(shape: Shape) -> Iterator[Index]:
    """Every index of an array of this shape, row by row."""
    return itertools.product(*map(range, shape))


def squeezed(index: Index, shape: Shape) -> Index:
    """The index without the axes of length one: how a lecture counts the entries of a vector."""
    return tuple(i for i, n in zip(index, shape, strict=True) if n > 1)


def upstream(*roots: Expression) -> list[Expression]:
    """Every node that the roots depend on, themselves included, in the order of computation."""
    seen: dict[int, Expression] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.serial not in seen:
            seen[node.serial] = node
            stack.extend(node.args)
    return [seen[serial] for serial in sorted(seen)]


def rewritten(roots: Iterable[Expression], rule: Callable[[Expression], Expression | None]) -> list[Expression]:
    """The same equations with some nodes replaced.

    rule maps a node, its arguments already rewritten, to its replacement, or to None to keep it. A node whose
    arguments changed loses its shortcut, which speaks of the old ones: the result is for forward passes.
    """
    roots = list(roots)
    new: dict[int, Expression] = {}
    for node in upstream(*roots):
        args = tuple(new[a.serial] for a in node.args)
        same = all(a is b for a, b in zip(args, node.args, strict=True))
        copy = node if same else replace(node, args=args, shortcut=None, softmax_of=None, serial=next(_serial))
        if not same and node.softmax_of is not None:
            z, s = node.softmax_of
            copy.softmax_of = new[z.serial], new[s.serial]
        new[node.serial] = rule(copy) or copy
    return [new[root.serial] for root in roots]


def _build(name: str, *args: Expression, **params: Any) -> Expression:
    from simulator.tape.primitive import apply

    return apply(name, *args, **params)
