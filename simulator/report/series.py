"""A forecast beside what was measured and beside the naive one."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from simulator.experiments.run import Outcome
from simulator.report.figure import Lines, draw_figure

HOURS = 72  # of the closer look


def draw_series(outcome: Outcome, out: Path) -> list[Path]:
    """Draw the first weeks of the test into a folder; returns the files."""
    shown = outcome.record["shown"]
    panels = [
        Lines(
            title, [(name, curve[:hours]) for name, curve in shown.items()], "degrees Celsius", axis="hour of the test"
        )
        for title, hours in (
            (f"the first {len(shown['measured']) // 24} days", None),
            (f"{HOURS} hours of them", HOURS),
        )
    ]
    return [draw_figure(out / "forecast.png", "A day ahead", panels)]


def told_series(record: dict[str, Any]) -> list[str]:
    results = record["results"]
    naive = (
        f"{results['naive test MAE']:.2f} degrees in the test and {results['naive validation MAE']:.2f} in validation"
    )
    return [
        f"<p>Data: {html.escape(record['part'])}.</p>",
        f"<p>The naive forecast, tomorrow as warm as now, is wrong by {naive}; the network by "
        f"{results['test MAE']:.2f} and, in its best epoch, {results['best validation MAE']:.2f}.</p>",
    ]
