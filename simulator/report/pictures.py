"""Figures of pictures that were sorted: what was taken for what, the most wrong answers, the kernels, what is zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.experiments.activity import Activity
from simulator.experiments.pictures import Pictures as Task
from simulator.experiments.run import Outcome
from simulator.nn.convolution import Conv2D
from simulator.report.figure import Confusion, Drawn, Kernels, Pictures, Shares, draw_figure

WRONG = 12  # pictures that are shown


def draw_pictures(outcome: Outcome, out: Path) -> list[Path]:
    """Draw them into a folder; returns the files."""
    counts, classes = np.array(outcome.record["confusion"]), outcome.record["classes"]
    figures: list[tuple[str, str, list[Drawn]]] = [
        ("confusion", f"{counts.sum():,} test pictures", [Confusion("what was taken for what", counts, classes)]),
        ("pictures", "Surest of what is wrong", [_wrong(outcome)]),
        ("inside", "Inside", _inside(outcome)),
    ]
    return [draw_figure(out / f"{name}.png", title, panels) for name, title, panels in figures if panels]


def _wrong(outcome: Outcome) -> Pictures:
    """The answers of which the network was surest among those that are wrong."""
    assert isinstance(outcome.task, Task)
    images, answers = outcome.task.images, outcome.task.answers
    classes = images.classes
    said = answers.argmax(-1)
    sure = answers[np.arange(len(answers)), said] * (said != images.y_test)
    worst = np.argsort(-sure, kind="stable")[:WRONG]
    worst = worst[sure[worst] > 0]
    captions = [f"{classes[images.y_test[k]]}\nsaid {classes[said[k]]} {sure[k]:.0%}" for k in worst]
    return Pictures("what it is, what was said, how surely", images.x_test[worst, ..., 0].astype(float), captions)


def _inside(outcome: Outcome) -> list[Drawn]:
    """The kernels of the first convolution, and how many activations are zero."""
    panels: list[Drawn] = []
    first = next((layer for layer in outcome.model.numbered if isinstance(layer, Conv2D)), None)
    if first is not None:
        kernel: NDArray[Any] = outcome.model.by_layer[id(first)][0].value  # (kh, kw, C, F)
        panels.append(Kernels("kernels of the first convolution", np.moveaxis(kernel.mean(axis=2), -1, 0)))
    activity = [Activity(**row) for row in outcome.record["activity"]]
    if activity:
        shares = [(a.layer, a.zeros / a.numbers, a.dead / a.units) for a in activity]
        names = "activations that are zero", "units that always are"
        panels.append(Shares("after ReLU, test pictures", shares, names))
    return panels
