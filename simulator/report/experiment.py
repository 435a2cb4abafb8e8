"""What a run of an experiment leaves: record.json, figures, a page that stands alone, and a workbook."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulator.book.experiment import experiment_workbook
from simulator.experiments.experiment import listed
from simulator.experiments.run import Outcome
from simulator.nn.memory import in_gib
from simulator.report.figure import Lines, draw_figure
from simulator.report.output import write_text
from simulator.report.pictures import draw_pictures
from simulator.report.series import draw_series, told_series
from simulator.report.text import written_table
from simulator.sheet.style import INK, LINE
from simulator.xlsx.writer import write_workbook

CLOSE = 0.005  # of the log book's number: what is called the same
STYLE = f"""
body{{margin:0 auto;max-width:60rem;padding:1rem;background:#FFF;color:{INK};
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}}
h1{{font-size:1.4rem}}h2{{font-size:1.1rem;margin-top:2rem}}img{{max-width:100%;height:auto}}
table{{border-collapse:collapse}}td,th{{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid {LINE}}}
td.n{{text-align:right;font-variant-numeric:tabular-nums}}
"""


# by the kind of data: figures beside the curves, and what a page says above them
FIGURES: dict[str, Callable[[Outcome, Path], list[Path]]] = {"pictures": draw_pictures, "series": draw_series}
SAID: dict[str, Callable[[dict[str, Any]], list[str]]] = {"text": written_table, "series": told_series}


def write_report(outcome: Outcome, out: Path) -> list[Path]:
    """Write everything into a folder; returns the files, the page first."""
    record = outcome.record
    figures = [draw_figure(out / "curves.png", record["title"], _curves(record))]
    if record["kind"] in FIGURES:
        figures += FIGURES[record["kind"]](outcome, out)
    text = write_text(out / "record.json", json.dumps(record, indent=1))
    book = write_workbook(experiment_workbook(record, outcome.model), out / f"{record['experiment']}.xlsx")
    page = write_text(out / "index.html", _page(record, figures, book.name))
    return [page, text, book, *figures]


def _curves(record: dict[str, Any]) -> list[Lines]:
    history, reported, measure = record["history"], record["log book"], record["measure"]
    name, unit = measure["name"], measure["unit"]

    def both(name: str) -> list[tuple[str, Sequence[float]]]:
        pairs = [("training", name), ("validation", f"val_{name}")]
        return [(label, history[key]) for label, key in pairs if key in history]

    levels = [(f"log book: {said}", value) for said, value in reported.items() if said.lower().endswith(name)]
    levels += record.get("levels", {}).items()
    return [Lines("loss", both("loss"), "loss"), Lines(name, both(name), unit, levels)]


def compared(record: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Of every result: its name, the log book's number or nothing, the one here, and how they differ."""
    lines = []
    for name in {**record["log book"], **record["results"]}:
        here, reported = record["results"].get(name, record.get(name)), record["log book"].get(name)
        if here is None:
            continue
        verdict = ""
        if reported is not None:
            close = abs(here - reported) <= CLOSE * abs(reported)
            verdict = "the same" + (" within half a percent" if here != reported else "")
            verdict = verdict if close else f"{here - reported:+.3g}"
        lines.append((name, "" if reported is None else _short(reported), _short(here), verdict))
    return lines


def _short(x: float) -> str:
    """Five digits, or all before the point."""
    return f"{x:,.0f}" if abs(x) >= 1e5 or float(x).is_integer() else f"{x:,.5g}"


def _table(rows: Sequence[str]) -> list[str]:
    head = "<table><thead><tr><th></th><th>log book</th><th>here</th><th>difference</th></tr></thead><tbody>"
    return [head, *rows, "</tbody></table>"]


def _page(record: dict[str, Any], figures: Sequence[Path], book: str) -> str:
    e = html.escape
    rows = []
    for name, reported, here, verdict in compared(record):
        numbers = "".join(f'<td class="n">{x}</td>' for x in (reported, here))
        rows.append(f"<tr><td>{e(name)}</td>{numbers}<td>{e(verdict)}</td></tr>")
    images = [
        f'<p><img alt="{e(path.stem)}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"></p>'
        for path in figures
    ]
    speed, asked = record["speed"], record["epochs of the log book"]
    room = f"; {in_gib(record['memory'])} of memory to train in" if record.get("memory") else ""
    few = f", where the log book has {asked}" if record["epochs"] != asked else ""
    apart = f"<p>Not as in the log book: {e('; '.join(record['apart']))}.</p>" if record["apart"] else ""
    remark = f"<p>The log book also notes: {e(record['remark'])}.</p>" if record["remark"] else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{e(record['title'])}</title><style>{STYLE}</style></head><body>",
            f"<h1>{e(record['title'])}</h1>",
            f"<p>{e(record['data'])}, {record['samples']:,} samples to train on, {record['epochs']} epochs{few}, "
            f"{e(listed(record['settings']))}, seed {record['seed']}. "
            f"{record['seconds']:,.0f} s, {e(record['computed'])}, on {e(record['machine'])}: "
            f"{record[speed]:,} {speed}{room}.</p>",
            "<h2>Beside the log book</h2>",
            *_table(rows),
            *([] if record["log book"] else ["<p>The log book has no numbers of such a run.</p>"]),
            apart,
            remark,
            *(SAID[record["kind"]](record) if record["kind"] in SAID else ()),
            *images,
            f'<p>The numbers: <a href="{e(book)}">{e(book)}</a>, <a href="record.json">record.json</a>.</p>',
            "</body></html>",
            "",
        ]
    )
