"""Audit a sheet that nobody here generated: find its training tables, infer their networks, judge every cell.

A network is a lesson of the lecture, or a ledger of any small dense network: one row per epoch, every quantity a
column. Given numbers and the learning rate are those of the sheet.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.check.diagnosis import Diagnosis
from simulator.check.evidence import Evidence
from simulator.check.feedback import Feedback, advice, numbers, place
from simulator.check.given import Given, Surroundings, surroundings, used_rates
from simulator.check.judge import judged
from simulator.check.mark import cell_marks
from simulator.check.marking import CellMark, Name, OwnError, Status
from simulator.check.misconception import DRIFT
from simulator.check.network import (
    activations_of,
    candidates_of,
    draft_of,
    labels_of,
    nothing_found,
    wanted_network,
    with_activations,
)
from simulator.check.placement import Heading, Placement, is_to_fill, placed
from simulator.check.reference import Reference
from simulator.check.world import make_world
from simulator.errors import WorkbookError
from simulator.lessons.lesson import Lesson
from simulator.sheet.address import a1, sheet_prefix
from simulator.xlsx.submission import Submission

KINDS = ("wrong", "rate", "drift", "typed-over", "missing")
CLUSTER = 3  # cells that share a learning rate which is no round number


@dataclass(frozen=True)
class Finding:
    """One mistake of a table: kind is one of KINDS, cells go wrong in the same way, the first one first."""

    kind: str
    cells: tuple[CellMark, ...]
    text: str
    names: tuple[Name, ...] = ()
    formula: str = ""

    @property
    def first(self) -> CellMark:
        return self.cells[0]


@dataclass(frozen=True)
class AuditedTable:
    """One table: the cells that it takes, its network, its learning rate and where that comes from, what is wrong."""

    sheet: str
    cells: str
    network: str
    rate: float
    rate_from: str
    epochs: int
    checked: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    file: str
    tables: tuple[AuditedTable, ...]
    remarks: tuple[str, ...]


def audit(submission: Submission, network: str = "") -> Audit:
    """Every training table of a workbook, each cell judged by the cells of the same table that it depends on.

    network names the network where headings don't tell: a lesson's name, or sizes with activations, one for all layers
    or one per layer, such as "2-2-2", "2-3-1 tanh", "2-2-2 tanh-sigmoid". Biases are read from the sheet, one per unit
    or one per layer. Raises SettingError for an unknown network, WorkbookError when there is no table.
    """
    wanted = wanted_network(network)
    labels = list(labels_of(submission))
    groups, partial = candidates_of(submission, wanted, labels)
    if not groups:
        raise WorkbookError(nothing_found(submission, wanted, partial))
    placements = [group[0].placement for group in groups]
    around = submission, tuple(labels), wanted
    tables = []
    for group in groups:
        mine = group[0].placement
        others = tuple(p for p in placements if p is not mine and p.sheet == mine.sheet)
        options = [(candidate, lesson) for candidate in group for lesson in candidate.lessons]
        if len(options) > 1:
            options.sort(key=lambda option: _wrong_share(surroundings(option[0].start, *around, others), option[1]))
        candidate, lesson = options[0]
        tables.append(_audited(surroundings(candidate, *around, others), lesson))
    return Audit(submission.path.name, tuple(tables), tuple(f"In this file, {w}." for w in submission.warnings))


def _wrong_share(around: Surroundings, lesson: Lesson) -> float:
    """The part of the cells that would be wrong if this were the network."""
    table = _audited(around, lesson)
    return sum(len(f.cells) for f in table.findings) / max(table.checked, 1)


def _audited(around: Surroundings, lesson: Lesson) -> AuditedTable:
    count = around.count
    draft = draft_of(lesson, count)
    placement = placed(around.heading, draft)
    evidence = Evidence(around.submission, draft, placement, {})
    if lesson.columns:
        activations = around.wanted.activations or activations_of(lesson, evidence)
        lesson = with_activations(lesson, activations)
        draft = draft_of(lesson, count)
        evidence = Evidence(around.submission, draft, placed(around.heading, draft), {})
    given = Given(around, evidence)
    reference = draft_of(lesson, count, given.numbers)
    cells = {at: (reference.run.settings.leaves[name].serial, index) for at, (name, index) in given.cells.items()}
    evidence = Evidence(around.submission, reference, placed(around.heading, reference), cells)
    for k, e in enumerate(reference.elements):
        if not is_to_fill(e) or e.quantity.role == "parameter":
            evidence.formulas.pop((k, 0), None)  # the numbers to start from, wherever they come from
    to_fill = frozenset(e.name for e in reference.elements if is_to_fill(e))
    world = make_world(reference)
    verdicts = judged(evidence, world, reference.key, to_fill)
    marks = cell_marks(verdicts)
    diagnosis = Diagnosis(verdicts)
    errors = [e for e in diagnosis.errors(marks) if not _is_blank_given(e)]
    used = used_rates(reference, verdicts.filled, evidence.placement)
    at_cell = {(m.row, m.col): used[k][b] for (k, b), m in marks.items() if k in used}
    findings = _findings(errors, at_cell, given, marks.values())
    checked = [m for m in marks.values() if m.found != ""]
    remark = verdicts.convention.remark
    remarks = (*given.remarks, *evidence.remarks, *([remark] if remark else ()), *_absent(reference, placement))
    return AuditedTable(
        around.heading.sheet.name,
        _box(around.heading, checked),
        lesson.name,
        given.rate,
        given.rate_from,
        count,
        len(checked),
        tuple(findings),
        remarks,
    )


def _is_blank_given(error: OwnError) -> bool:
    return error.status is Status.MISSING and error.first.stage == "given"


def _absent(reference: Reference, placement: Placement) -> list[str]:
    absent = dict.fromkeys(
        e.name for k, e in enumerate(reference.elements) if not placement.where[k] and e.quantity.role != "given"
    )
    if not absent:
        return []
    return [f"No column was found for {', '.join(absent)}; the cells that need them were judged by the others."]


def _box(heading: Heading, marks: Iterable[CellMark]) -> str:
    """The rectangle of a table's headings and cells."""
    places = [(heading.row, col) for col in heading.span] + [(m.row, m.col) for m in marks]
    rows, cols = zip(*places, strict=True)
    return f"{a1(min(rows), min(cols))}:{a1(max(rows), max(cols))}"


def _findings(
    errors: Sequence[OwnError], used: Mapping[tuple[int, int], float], given: Given, marks: Iterable[CellMark]
) -> list[Finding]:
    """What is wrong: wrong columns in the order of computation, then rates, drift, typed numbers, empty cells."""
    rows = Counter(m.quantity for m in marks if m.found != "")
    found: list[Finding] = []
    other_rates: dict[tuple[float, tuple[int, ...]], list[OwnError]] = {}
    for error in errors:
        rest = error
        if error.status is Status.WRONG and {n.key for n in error.names} <= {"rate-missing"}:
            rest, clusters = _by_rate(error, used, given.rate)
            for rate, cells in clusters.items():
                part = replace(error, cells=cells)
                other_rates.setdefault((rate, tuple(sorted({m.row for m in cells}))), []).append(part)
        if rest.cells:
            found.append(_finding(rest, rows[rest.first.quantity]))
    found += [_rate_finding(rate, parts, given) for (rate, _), parts in other_rates.items()]
    return sorted(found, key=lambda f: KINDS.index(f.kind))


def _by_rate(
    error: OwnError, used: Mapping[tuple[int, int], float], rate: float
) -> tuple[OwnError, dict[float, tuple[CellMark, ...]]]:
    """The cells that are updates with another learning rate, by that rate; and the error of the others."""
    groups: dict[float, list[CellMark]] = {}
    for m in error.cells:
        found = used.get((m.row, m.col), math.nan)
        if found > 0 and not math.isclose(found, rate, rel_tol=1e-4):
            groups.setdefault(float(f"{found:.6g}"), []).append(m)
    kept = {r: tuple(ms) for r, ms in groups.items() if len(ms) >= CLUSTER or float(f"{r:.3g}") == r}
    taken = {m.address for ms in kept.values() for m in ms}
    return replace(error, cells=tuple(m for m in error.cells if m.address not in taken)), kept


def _rate_finding(rate: float, parts: list[OwnError], given: Given) -> Finding:
    columns = list(dict.fromkeys(p.first.quantity for p in parts))
    cells = tuple(m for p in parts for m in p.cells)
    first = cells[0]
    rows = sorted({m.row + 1 for m in cells})
    where = f"in row {rows[0]}" if len(rows) == 1 else f"in rows {rows[0]} to {rows[-1]}"
    verb = "is" if len(columns) == 1 else "are"
    text = (
        f"{place(first)}: {', '.join(columns)} {verb} updated with the learning rate {rate:g} {where}, "
        f"not with {given.rate:g} ({given.rate_from})."
    )
    return Finding("rate", cells, text, parts[0].names, parts[0].formula)


def _finding(error: OwnError, filled: int) -> Finding:
    first, (expected, found), count = error.first, numbers(error.first), len(error.cells)
    where = place(first)
    more = ""
    if count > 1:
        more = f"The same in all {count} cells." if count == filled else f"The same in {count} of {filled} cells."
    drifted = DRIFT in error.names
    match error.status:
        case Status.MISSING:
            kind, text = "missing", f"{where} is empty{'; its own row gives ' + expected if expected else ''}."
        case Status.TYPED_OVER:
            kind = "typed-over"
            gives = f"its own row gives {expected}" if expected and expected != found else "the number is right"
            text = f"{where}: {found} is typed where the rows around it hold a formula; {gives}."
        case _ if first.stage == "given":
            kind, text = "wrong", f"{where}: found {found}, the first row has {expected}."
        case _:
            gives = f", its own row gives {expected}" if expected else ""
            kind = "drift" if drifted else "wrong"
            text = f"{where}: found {found}{gives}. {advice(error, Feedback.FULL)}"
    return Finding(kind, error.cells, f"{text} {more}".strip(), error.names, error.formula)


def audit_lines(audit: Audit) -> list[str]:
    """The audit for the screen: a line per table and one per finding, expected numbers included."""
    lines = []
    for table in audit.tables:
        epochs = f"{table.epochs:,} epoch{'' if table.epochs == 1 else 's'}"
        lines.append(
            f"{sheet_prefix(table.sheet)}{table.cells}: {table.network}, learning rate {table.rate:g} "
            f"({table.rate_from}), {epochs}"
        )
        lines += [f"  {finding.text}" for finding in table.findings]
        if not table.findings:
            lines.append(f"  all {table.checked:,} cells are right by their own row")
        lines += [f"  Note: {remark}" for remark in table.remarks]
    return lines + list(audit.remarks)


def record_of(audit: Audit) -> dict[str, Any]:
    """The audit as JSON takes it."""
    return {
        "file": audit.file,
        "tables": [
            {
                "sheet": table.sheet,
                "cells": table.cells,
                "network": table.network,
                "learning_rate": table.rate,
                "learning_rate_from": table.rate_from,
                "epochs": table.epochs,
                "checked": table.checked,
                "findings": [_record(finding) for finding in table.findings],
                "remarks": list(table.remarks),
            }
            for table in audit.tables
        ],
        "remarks": list(audit.remarks),
    }


def _record(finding: Finding) -> dict[str, Any]:
    first = finding.first
    return {
        "kind": finding.kind,
        "address": first.address,
        "quantity": first.quantity,
        "entry": first.entry,
        "epoch": first.epoch,
        "expected": first.expected if math.isfinite(first.expected) else None,
        "found": first.found,
        "formula": finding.formula,
        "names": [name.key for name in finding.names],
        "cells": [m.address for m in finding.cells],
        "text": finding.text,
    }
