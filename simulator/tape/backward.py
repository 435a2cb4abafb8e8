"""Gradients as expressions: reverse mode over the tape.

Every named array between the cost and the parameters gets a named gradient. With chain=True the local
derivatives (dp/dZ, dZ/dW) become named arrays too, and each gradient is written as the lecture writes it:
the gradient that arrives times the local derivative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.tape.expression import Expression, literal, upstream
from simulator.tape.primitive import Rule, apply

Rules = Mapping[str, Sequence[Rule | None]]


def backward(
    cost: Expression,
    parameters: Sequence[Expression],
    *,
    name: str = "d{}",
    chain: bool = False,
    rules: Rules | None = None,
) -> tuple[dict[str, Expression], list[Expression]]:
    """dC/d of every parameter, by the parameter's name, and all named backward arrays in the lecture's order.

    name is the pattern of a gradient's name, "d{}" or "dC/d{}". rules replaces the derivative rules of some
    primitives, for a guarded form or a mistake that is to be shown.
    """
    rules = rules or {}
    wanted = {p.serial for p in parameters}
    nodes = upstream(cost)
    live: set[int] = set()
    for node in nodes:
        if node.serial in wanted or any(a.serial in live for a in node.args):
            live.add(node.serial)

    arriving: dict[int, list[Expression]] = {cost.serial: [literal(1)]}
    owner: dict[int, Expression] = {cost.serial: cost}
    gradients: dict[str, Expression] = {}
    shown: list[tuple[tuple[int, int, int], Expression]] = []
    position = {p.serial: i for i, p in enumerate(parameters)}

    for node in reversed(nodes):
        if node.serial not in live or node.serial not in arriving:
            continue
        g = _total(arriving[node.serial])
        if node.serial in wanted:
            g = _named(g, node, name)
            gradients[node.name] = g
            last_use = min(owner_.serial for owner_ in _owners(node, nodes, live))
            shown.append(((-last_use, 2, position[node.serial]), g))
            continue
        if node.name and node.has_gradient and node is not cost:
            g = _named(g, node, name)
            shown.append(((-node.serial, 0, 0), g))
        mine = node if node.name else owner[node.serial]
        if node.shortcut is not None and (g.is_constant or node.softmax_of is not None):
            contributions = node.shortcut(g)
        else:
            contributions = []
            assert node.primitive is not None
            if node.primitive.whole and g.shape != node.shape:
                g = apply("broadcast", g, shape=node.shape)
            its_rules = rules.get(node.primitive.name, node.primitive.rules)
            if len(its_rules) == 1:
                its_rules = [*its_rules] * len(node.args)
            for arg, rule in zip(node.args, its_rules, strict=True):
                if rule is None or arg.serial not in live:
                    continue
                local = rule.local(node)
                if chain and mine.has_gradient and mine is not cost and arg.name:
                    local = _local(local, mine, arg)
                    shown.append(((-mine.serial, 1, position.get(arg.serial, -1)), local))
                contributions.append((arg, rule.pull(g, local, arg)))
        for arg, contribution in contributions:
            arriving.setdefault(arg.serial, []).append(contribution)
            owner.setdefault(arg.serial, mine)
    return gradients, [e for _, e in sorted(shown, key=lambda pair: pair[0])]


def _total(parts: list[Expression]) -> Expression:
    *others, total = parts  # the consumers come last one first; an equation names them in order
    for part in reversed(others):
        total = total + part
    return total


def _named(g: Expression, of: Expression, pattern: str) -> Expression:
    if g.shape != of.shape:
        g = apply("broadcast", g, shape=of.shape)
    return g.named(pattern.format(of.name), f"gradient of the cost with respect to {of.name}", about=of)


def _local(local: Expression, out: Expression, arg: Expression) -> Expression:
    if local.value is not None:
        local = apply("broadcast", local, shape=out.shape)
    return local.named(f"d{out.name}/d{arg.name}", f"slope of {out.name} with respect to {arg.name}", gradient=False)


def _owners(parameter: Expression, nodes: list[Expression], live: set[int]) -> list[Expression]:
    """The named arrays that use the parameter, directly or through unnamed steps."""
    users: dict[int, list[Expression]] = {}
    for node in nodes:
        for arg in node.args:
            users.setdefault(arg.serial, []).append(node)
    found, stack = [], [parameter]
    while stack:
        for user in users.get(stack.pop().serial, []):
            if user.serial in live:
                found.append(user) if user.name else stack.append(user)
    return found or [nodes[-1]]
