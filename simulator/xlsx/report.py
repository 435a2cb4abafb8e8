"""A verification as text, as JSON, and as reports/verification.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.errors import WorkbookError
from simulator.files import replacing
from simulator.lessons.setting import CHECK
from simulator.xlsx.recalculate import EMBEDDED, ENGINES, LIBREOFFICE
from simulator.xlsx.tolerance import policy_of
from simulator.xlsx.verify import Finding, Verification


def lines_of(v: Verification) -> list[str]:
    """One line per source, and the mismatches under it."""
    lines = [f"{v.path}: {v.formulas:,} formulas, {'all agree' if v.agrees else 'DISAGREES'}"]
    for f in v.findings:
        lines.append(f"  {f.source:<12} {f.cells:>9,} cells, {f.wrong:,} wrong{_distance(f)}")
        lines += [f"    {m}" for m in f.mismatches]
        if f.wrong > len(f.mismatches):
            lines.append(f"    and {f.wrong - len(f.mismatches):,} more, most of them consequences of these")
    return lines


def _distance(f: Finding) -> str:
    skipped = f", {f.skipped:,} error values not compared" if f.skipped else ""
    if f.source == "formulas":
        return ""
    if f.max_difference:
        return f", largest difference {f.max_difference:.2g}{skipped}"
    return skipped if f.wrong else f", every bit equal{skipped}"


def record_of(v: Verification) -> dict[str, Any]:
    """What `simulator verify --json` prints for one workbook."""
    return {
        "workbook": str(v.path),
        "lesson": v.lesson,
        "formulas": v.formulas,
        "agrees": v.agrees,
        "findings": [
            {
                "source": f.source,
                "cells": f.cells,
                "wrong": f.wrong,
                "not_compared": f.skipped,
                "largest_difference": f.max_difference,
                "seconds": round(f.seconds, 3),
                "mismatches": [m._asdict() for m in f.mismatches],
            }
            for f in v.findings
        ],
    }


def write_report(verifications: Sequence[Verification], path: Path) -> None:
    """reports/verification.md: what was compared, by whom, under which tolerance, and what was found."""
    sources = [f.source for f in verifications[0].findings]
    engines = [s for s in sources if s in ENGINES]
    rows = ["| workbook | formula cells | " + " | ".join(sources) + " |", "|---|---:|" + "---:|" * len(sources)]
    for v in verifications:
        cells = [f"{f.cells:,} cells, {_verdict(f)}" for f in v.findings]
        rows.append(f"| {v.path.name} | {v.formulas:,} | " + " | ".join(cells) + " |")
    text = [
        "# Verification",
        "",
        f"{sum(v.formulas for v in verifications):,} formulas in {len(verifications)} workbooks. "
        + ("All agree." if all(v.agrees for v in verifications) else "**Some disagree; see below.**"),
        "",
        "`formulas` counts the cells that must be formulas and are. `stored` compares the values kept in the file,",
        "which Protected View, previews and pandas show. Every engine recalculates the file from its formulas and",
        "given numbers; each cell is compared with the reference, which computes it with Python's `math`.",
        "",
        *rows,
        "",
        "## Tolerance",
        "",
        "| source | a cell agrees when the difference is at most | reason |",
        "|---|---|---|",
    ]
    for source in ("stored", *ENGINES):
        for sheet in ("", CHECK):
            policy = policy_of(source, sheet)
            if not sheet or policy != policy_of(source):
                where = f"{source}, sheet {sheet}" if sheet else source
                text.append(f"| {where} | {policy.rule} | {policy.reason} |")
    missing = [e for e in (*EMBEDDED, LIBREOFFICE) if e not in engines]
    if missing:
        text += ["", f"Not asked in this run: {', '.join(missing)}."]
    wrong = [(v, f) for v in verifications for f in v.findings if f.wrong]
    if wrong:
        text += ["", "## Disagreements", ""]
        for v, f in wrong:
            text += [f"- {v.path.name}: {m}" for m in f.mismatches]
    text += ["", f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.", ""]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text("\n".join(text), encoding="utf-8")
    except OSError as error:
        raise WorkbookError(
            f"A report can only be written to a folder that allows it. Received: '{path}' ({error.strerror}). "
            "Choose another place."
        ) from error


def _verdict(f: Finding) -> str:
    if f.wrong:
        return f"**{f.wrong:,} wrong**"
    if f.source == "formulas":
        return "all there"
    return "0 ULP" if not f.max_difference else "within tolerance"
