"""Figures of pictures that were sorted: what was taken for what, the most wrong answers, the first kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.experiments.pictures import Pictures as Task
from simulator.experiments.run import Outcome
from simulator.nn.convolution import Conv2D
from simulator.report.figure import Confusion, Pictures, draw_figure

WRONG = 12  # pictures that are shown


def draw_pictures(outcome: Outcome, out: Path) -> list[Path]:
    """Draw them into a folder; returns the files."""
    counts, classes = np.array(outcome.record["confusion"]), outcome.record["classes"]
    confusion = [Confusion("what was taken for what", counts, classes)]
    return [
        draw_figure(out / "confusion.png", "Test pictures", confusion),
        draw_figure(out / "pictures.png", "Inside", _pictures(outcome)),
    ]


def _pictures(outcome: Outcome) -> list[Pictures]:
    """The most wrong answers, and the kernels of the first convolution."""
    assert isinstance(outcome.task, Task)
    images, answers = outcome.task.images, outcome.task.answers
    classes = images.classes
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
