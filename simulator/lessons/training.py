"""One epoch traced: the equations, their gradients and updates, and the table that repeats them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulator.errors import SettingError
from simulator.lessons.lesson import Lesson
from simulator.lessons.setting import Settings, block_count
from simulator.sheet.address import ROWS
from simulator.sheet.program import Carry
from simulator.sheet.style import COST, ENTRY
from simulator.sheet.table import Labels, Quantity, Table
from simulator.tape.backward import backward
from simulator.tape.expression import Expression, given, rewritten, upstream

FIRST_ROW = 9  # of the body; answers and headers stand above
CURVES_FIRST_ROW = 28  # of the table under the charts, one row per epoch
SHEET = "Training"


@dataclass(frozen=True)
class Epoch:
    """The arrays of one epoch. forward ends with the cost; backward is in the lecture's order."""

    inputs: dict[str, Expression]
    parameters: dict[str, Expression]
    rate: Expression
    forward: list[Expression]
    output: Expression
    cost: Expression
    gradients: dict[str, Expression]
    backward: list[Expression]
    updates: dict[str, Expression]


def trace_epoch(
    lesson: Lesson,
    inputs: Mapping[str, Expression],
    parameters: Mapping[str, Expression],
    rate: Expression,
    *,
    chain: bool,
) -> Epoch:
    """The lesson's equations on these arrays, with gradients and updated parameters."""
    cost = lesson.equations(**inputs, **parameters)
    gradients, shown = backward(cost, list(parameters.values()), name=lesson.gradient, chain=chain, rules=lesson.rules)
    updates = {
        name: (w - rate * gradients[name]).named(f"{name}'", f"{name} of the next epoch")
        for name, w in parameters.items()
    }
    known = {e.serial for e in (*inputs.values(), *parameters.values())}
    forward = [e for e in upstream(cost) if e.name and e.serial not in known and not e.is_given]
    forward = [e for e in forward if any(a.serial == p.serial for p in parameters.values() for a in upstream(e))]
    output = next(e for e in forward if e.name == lesson.output)
    return Epoch(dict(inputs), dict(parameters), rate, forward, output, cost, gradients, shown, updates)


def training_table(lesson: Lesson, settings: Settings, epochs: int) -> tuple[Table, Epoch, Expression]:
    """The sheet Training: the table, the epoch that it repeats, and its column of epoch numbers."""
    leaves = settings.leaves
    if lesson.data_sheet:
        inputs = {name: leaves[name] for name in lesson.given}
    else:
        inputs = {name: leaves[name].named(name, lesson.meanings[name]) for name in lesson.given}
    parameters = {name: given(name, leaves[name].shape, lesson.meanings[name]) for name in lesson.parameters}
    rate = leaves["learning_rate"]
    if not lesson.columns:
        rate = rate.named("rate", "learning rate")
    epoch = trace_epoch(lesson, inputs, parameters, rate, chain=lesson.chain)
    number = given("epoch", (), "epoch")

    stages: list[tuple[str, Sequence[Expression]]] = [
        ("given", [] if lesson.data_sheet else list(inputs.values())),
        ("parameter", list(parameters.values())),
        ("given", [rate]),
        ("forward", [e for e in epoch.forward if e.serial <= epoch.output.serial and not lesson.data_sheet]),
        ("cost", [e for e in epoch.forward if e.serial > epoch.output.serial]),
        ("backward", epoch.backward),
        ("update", list(epoch.updates.values())),
    ]
    quantities = [_quantity(lesson, node, role) for role, nodes in stages for node in nodes]
    if lesson.columns:
        named = {q.node.name: q for q in quantities}
        quantities = [named[name] for name in lesson.columns]
    columns: list[Quantity | Labels] = [Quantity(number, "given", "0")]
    labelled = ""
    for q in quantities:
        axis = lesson.axes.get(q.node.name, ("sample" if q.shape[0] > 1 else "", ""))[0]
        if axis and axis != labelled and q.shape[0] > 1:
            columns.append(Labels(tuple(entry_name(axis, i) for i in range(q.shape[0]))))
            labelled = axis
        columns.append(q)

    carries = {number.serial: Carry(leaves["first_epoch"], number + 1)}
    carries |= {w.serial: Carry(leaves[name], epoch.updates[name]) for name, w in parameters.items()}
    count = block_count(lesson, epochs)
    table = Table(SHEET, FIRST_ROW, 0, columns, count, settings.places, settings.numbers, carries)
    return table, epoch, number


def check_epochs(lesson: Lesson, epochs: int) -> None:
    """Raises SettingError when epochs is below 1 or more than the sheets hold."""
    height = 1
    if not lesson.data_sheet:
        arrays = {**lesson.given, **lesson.parameters}
        height = max(len(a[0]) if name in lesson.across else len(a) for name, a in arrays.items())
    most = min((ROWS - FIRST_ROW) // height, ROWS - CURVES_FIRST_ROW) + lesson.first_epoch - 1
    if not 1 <= epochs <= most:
        rows = "row" if height == 1 else f"{height} rows"
        raise SettingError(
            f"'{lesson.name}' can show 1 to {most:,} epochs, {rows} each on a sheet of {ROWS:,} rows. "
            f"Received: {epochs:,}. Choose --epochs within that."
        )


def entry_name(axis: str, i: int) -> str:
    """x1, sample 1; classes are the numbers that the decoder's bits stand for, from 0."""
    gap = " " if len(axis) > 1 else ""
    return f"{axis}{gap}{i if axis == 'class' else i + 1}"


def _quantity(lesson: Lesson, node: Expression, role: str) -> Quantity:
    across = node.name in lesson.across
    prefix = lesson.axes.get(node.name, ("", ""))[1]
    columns = (node.shape[0] if across else node.shape[-1]) if node.shape else 1
    entries: Callable[[int], str] | None = None
    if columns > 1:

        def entries(i: int) -> str:
            return entry_name(prefix, i)

    return Quantity(node, role, lesson.formats.get(node.name, ENTRY), across, entries)


def compact_columns(lesson: Lesson, epoch: Epoch) -> list[Quantity]:
    """The columns of a table that only needs the cost: an array that one other array uses, entry by entry, has none."""
    uses: dict[int, list[Expression]] = {}
    for node in upstream(epoch.cost, *epoch.updates.values()):
        for arg in node.args:
            uses.setdefault(arg.serial, []).append(node)

    def inlined(e: Expression) -> bool:
        users = uses.get(e.serial, [])
        many = len(list(e.shape)) == 2 and e.shape[0] * e.shape[1] > 4
        return len(users) < 2 and all(
            u.primitive is not None and u.primitive.name != "matmul" and (u.primitive.name != "sum" or not many)
            for u in users
        )

    plain = "General" if lesson.data_sheet else ENTRY  # a regression diverges at high rates, beyond any fixed format
    quantities = [Quantity(w, "parameter", plain) for w in epoch.parameters.values()]
    quantities += [Quantity(e, "forward", ENTRY) for e in epoch.forward if e is not epoch.cost and not inlined(e)]
    shown = {id(g) for g in epoch.gradients.values()}
    quantities += [Quantity(e, "backward", ENTRY) for e in epoch.backward if id(e) not in shown and not inlined(e)]
    return [Quantity(epoch.cost, "cost", COST), *quantities]


def stable(cost: Expression) -> Expression:
    """The same cost with 1 - p taken from the logit, exact where 1 - p would be rounded; for difference quotients."""
    from simulator.tape.namespace import sigmoid

    def rule(node: Expression) -> Expression | None:
        if node.primitive is not None and node.primitive.name == "complement":
            return sigmoid(-node.args[1])
        return None

    return rewritten([cost], rule)[0]
