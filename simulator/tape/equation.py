"""Expressions as the equation a lecturer writes, for notes and the Read me sheet."""

from __future__ import annotations

from simulator.tape.dialect import number_text
from simulator.tape.expression import Expression

PRODUCT, ATOM = 2, 5


def equation(node: Expression) -> str:
    """
    >>> from simulator.tape.expression import given
    >>> equation((given("X", (4, 2)) @ given("W", (2, 1)) + given("b", (1, 1))).named("Z"))
    'Z = X @ W + b'
    """
    return f"{node.name} = {right_side(node)}"


def right_side(node: Expression) -> str:
    """The equation's right side, named parts written by their names."""
    return _text(node, top=True)[0]


def _text(node: Expression, *, top: bool = False) -> tuple[str, int]:
    if node.name and not top:
        # dC/dp and W' are names, not quotients; a bracket keeps them apart from the operators around them.
        return node.name, ATOM if not set(node.name) & set("/ .") else 2
    if node.value is not None:
        return node.symbol or number_text(node.value), ATOM
    if node.primitive is None:
        return node.name or "given", ATOM
    p = node.primitive
    pattern = node.params.get("text", p.text)
    # The left operand may be as weak as the operator itself, the right one must be stronger; between the
    # brackets of a function anything may stand.
    inner = 0 if "(" in pattern else PRODUCT if p.name == "negative" else p.level
    args = []
    for position, arg in enumerate(node.args):
        text, level = _text(arg)
        weak = level < inner or (level == inner and position > 0 and p.name not in ("add", "multiply"))
        args.append(f"({text})" if weak else text)
    return pattern.format(*args, **node.params), p.level
