"""What a run of an experiment leaves: record.json, figures, a page that stands alone, and a workbook."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.book.experiment import experiment_workbook
from simulator.experiments.run import Outcome
from simulator.nn.convolution import Conv2D
from simulator.report.figure import Confusion, Lines, Pictures, draw_figure
from simulator.report.paper import write_text
from simulator.sheet.style import INK, LINE
from simulator.xlsx.writer import write_workbook

WRONG = 12  # pictures that are shown
CLOSE = 0.005  # of the log book's number: what is called the same
STYLE = f"""
body{{margin:0 auto;max-width:60rem;padding:1rem;background:#FFF;color:{INK};
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}}
h1{{font-size:1.4rem}}h2{{font-size:1.1rem;margin-top:2rem}}img{{max-width:100%;height:auto}}
table{{border-collapse:collapse}}td,th{{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid {LINE}}}
td.n{{text-align:right;font-variant-numeric:tabular-nums}}
"""


def write_report(outcome: Outcome, out: Path) -> list[Path]:
    """Write everything into a folder; returns the files, the page first."""
    record = outcome.record
    figures = [draw_figure(out / "curves.png", record["title"], _curves(record))]
    counts = np.array(record["confusion"])
    figures.append(
        draw_figure(
            out / "confusion.png", "Test pictures", [Confusion("what was taken for what", counts, record["classes"])]
        )
    )
    figures.append(draw_figure(out / "pictures.png", "Inside", _pictures(outcome)))
    text = write_text(out / "record.json", json.dumps(record, indent=1))
    book = write_workbook(experiment_workbook(record, outcome.model), out / f"{record['experiment']}.xlsx")
    page = write_text(out / "index.html", _page(record, figures, book.name))
    return [page, text, book, *figures]


def _curves(record: dict[str, Any]) -> list[Lines]:
    history, reported = record["history"], record["log book"]

    def both(name: str) -> list[tuple[str, Sequence[float]]]:
        pairs = [("training", name), ("validation", f"val_{name}")]
        return [(label, history[key]) for label, key in pairs if key in history]

    levels = [(f"log book: {name}", value) for name, value in reported.items() if name.endswith("accuracy")]
    return [Lines("loss", both("loss"), "loss"), Lines("accuracy", both("accuracy"), "share that is right", levels)]


def _pictures(outcome: Outcome) -> list[Pictures]:
    """The most wrong answers, and the kernels of the first convolution."""
    images, answers, classes = outcome.images, outcome.answers, outcome.images.classes
    said = answers.argmax(-1)
    sure = answers[np.arange(len(answers)), said] * (said != images.y_test)
    worst = np.argsort(-sure, kind="stable")[:WRONG]
    worst = worst[sure[worst] > 0]
    captions = [f"{classes[images.y_test[k]]}, said {classes[said[k]]} {sure[k]:.0%}" for k in worst]
    panels = [Pictures("surest of what is wrong", images.x_test[worst, ..., 0].astype(float), captions)]
    first = next((layer for layer in outcome.model.layers if isinstance(layer, Conv2D)), None)
    if first is not None:
        kernel: NDArray[Any] = outcome.model.weights[id(first)][0].value  # (kh, kw, C, F)
        kernels = np.moveaxis(kernel.mean(axis=2), -1, 0)
        panels.append(Pictures("kernels of the first convolution", kernels, [f"{k + 1}" for k in range(len(kernels))]))
    return panels


def compared(record: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    """Of every number that the log book reports: its name, the log book's, the one here, and how they differ."""
    lines = []
    for name, reported in record["log book"].items():
        here = record["results"].get(name)
        if here is None:
            continue
        apart = abs(here - reported) <= CLOSE * abs(reported)
        verdict = "the same within half a percent" if apart else f"{here - reported:+.3g}"
        lines.append((name, reported, here, verdict))
    return lines


def _page(record: dict[str, Any], figures: Sequence[Path], book: str) -> str:
    e = html.escape
    rows = []
    for name, reported, here, verdict in compared(record):
        numbers = "".join(f'<td class="n">{x:,.5g}</td>' for x in (reported, here))
        rows.append(f"<tr><td>{e(name)}</td>{numbers}<td>{e(verdict)}</td></tr>")
    settings = ", ".join(f"{name} {value:g}" for name, value in record["settings"].items())
    images = [
        f'<p><img alt="{e(path.stem)}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"></p>'
        for path in figures
    ]
    remark = f"<p>The log book also notes: {e(record['remark'])}.</p>" if record["remark"] else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{e(record['title'])}</title><style>{STYLE}</style></head><body>",
            f"<h1>{e(record['title'])}</h1>",
            f"<p>{e(record['data'])}, {record['samples']:,} samples to train on, {record['epochs']} epochs, "
            f"{e(settings)}, seed {record['seed']}. {record['seconds']:,.0f} s on {e(record['machine'])}: "
            f"{record['examples a second']:,} examples a second.</p>",
            "<h2>Beside the log book</h2>",
            "<table><thead><tr><th></th><th>log book</th><th>here</th><th>difference</th></tr></thead><tbody>",
            *rows,
            "</tbody></table>",
            remark,
            *images,
            f'<p>The numbers: <a href="{e(book)}">{e(book)}</a>, <a href="record.json">record.json</a>.</p>',
            "</body></html>",
            "",
        ]
    )
