"""The few simplifications that a lecturer makes too, so that gradients come out as (P - Y)/m.

Signs move to the front, factors of one go, and the 1/m of a mean goes to the end. Values and formulas are both
read from the simplified node, so a rounding that this changes is changed in both.
"""

from __future__ import annotations

from typing import Any

from simulator.tape.expression import Expression


def _again(name: str, argument: Expression, params: dict[str, Any]) -> Expression:
    from simulator.tape.primitive import apply

    return apply(name, argument, **params)


def _is_literal(e: Expression, value: float) -> bool:
    return e.value == value


def _is(e: Expression, name: str) -> bool:
    return not e.name and e.primitive is not None and e.primitive.name == name


def _constant_divisor(e: Expression) -> tuple[Expression, Expression] | None:
    """x and m when e is x/m without a name and m is a literal."""
    return (e.args[0], e.args[1]) if _is(e, "divide") and e.args[1].value is not None else None


def simplified(name: str, args: tuple[Expression, ...], params: dict[str, Any]) -> Expression | None:
    """A simpler node than the primitive applied to these arguments, or None."""
    a, b = args[0], args[-1]
    over_a, over_b = _constant_divisor(a), _constant_divisor(b)
    match name:
        case "negative" if _is(a, "negative"):
            return a.args[0]
        case "divide" if _is(a, "negative") and b.value is None:
            return -(a.args[0] / b)
        case "sum" | "fold" if _is(a, "negative"):
            return -_again(name, a.args[0], params)
        case "negative" if over_a:
            return -over_a[0] / over_a[1]
        case "negative" if _is(a, "divide") and _is(a.args[0], "negative"):
            return a.args[0].args[0] / a.args[1]
        case "add" if over_a and over_b and over_a[1].value == over_b[1].value:
            return (over_a[0] + over_b[0]) / over_a[1]
        case "add" if _is(b, "negative"):
            return a - b.args[0]
        case "multiply" if _is_literal(a, 1):
            return b
        case "multiply" if _is_literal(b, 1):
            return a
        case "multiply" if _is(b, "multiply") and b.args[0].value is not None:  # a*(2*b) = 2*a*b
            return b.args[0] * a * b.args[1]
        case "multiply" if _is_literal(a, -1):
            return -b
        case "multiply" if _is_literal(b, -1):
            return -a
        case "multiply" if over_a:  # (x/m)*y = x*y/m, so that the 1/m of a mean stays at the end
            return over_a[0] * b / over_a[1]
        case "multiply" if over_b:
            return a * over_b[0] / over_b[1]
        case "multiply" if _is(b, "negative"):
            return -(a * b.args[0])
        case "multiply" if _is(a, "divide") and _is_literal(a.args[0], 1):  # (1/p)*y = y/p
            return b / a.args[1]
        case "multiply" if _is(b, "divide") and _is_literal(b.args[0], 1):
            return a / b.args[1]
        case "divide" if over_a and b.value is None:
            return over_a[0] / b / over_a[1]
        case "matmul" if over_b:
            return (a @ over_b[0]) / over_b[1]
        case "matmul" if over_a:
            return (over_a[0] @ b) / over_a[1]
        case "matmul" if _is(b, "multiply") and b.args[0].value is not None:
            return b.args[0] * (a @ b.args[1])
        case "sum" if over_a:
            return _again("sum", over_a[0], params) / over_a[1]
        case "sum" if _is(a, "multiply") and a.args[0].value is not None:
            return a.args[0] * _again("sum", a.args[1], params)
        case "transpose" if _is(a, "transpose"):
            return a.args[0]
    return None
