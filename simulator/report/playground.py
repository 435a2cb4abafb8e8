"""The playground lessons' workbooks, pictures and page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from simulator.book.playground import playground_workbook
from simulator.datasets.playground import SQUARE
from simulator.lessons.playground import CONSTANT, GOAL, Outcome, PlaygroundLesson, named
from simulator.report.figure import Curves, Drawn, Histogram, Plane, Strips, draw_figure
from simulator.xlsx.build import written
from simulator.xlsx.recalculate import choose_engines
from simulator.xlsx.verify import Verification
from simulator.xlsx.writer import Progress

PIXELS = 121  # of a picture's square, along a side
LEVELS = ((f"{GOAL}", GOAL), (f"{CONSTANT}: constant answer", CONSTANT))


def build_playground(
    lesson: PlaygroundLesson,
    outcome: Outcome,
    path: Path,
    engine: str = "ironcalc",
    progress: Progress = lambda done, total: None,
    epochs: int | None = None,
) -> Verification:
    """Write a lesson's workbook beside path, verify it with the chosen engines, and rename it when all agree."""
    return written(playground_workbook(lesson, outcome, epochs), path, choose_engines(engine), progress)


def plane_of(outcome: Outcome, run: int, which: str) -> Plane:
    """The answers of one run over the square."""
    lesson = outcome.lesson
    model = lesson.model()
    model.set_weights(outcome.runs.of(run))
    at = np.linspace(*SQUARE, PIXELS)
    x1, x2 = np.meshgrid(at, at)
    answers = model.predict(np.stack([x1.ravel(), x2.ravel()], axis=1), backend="expressions").reshape(PIXELS, PIXELS)
    title = f"{which} run: test loss {outcome.tests[run]:.3f}"
    return Plane(title, answers, SQUARE, outcome.halves.train, outcome.halves.test)


def panels_of(outcome: Outcome) -> list[Drawn]:
    """The picture of a lesson: boundaries, and what speaks of all runs."""
    best = plane_of(outcome, outcome.best, "best")
    runs = len(outcome.tests)
    marked = [("best", outcome.best), ("typical", outcome.typical), ("worst", outcome.worst)]
    curves = Curves(f"training of {runs} runs", outcome.runs.costs, marked, LEVELS[1:])
    if len(outcome.tried) > 1:
        order = sorted(outcome.tried, key=lambda h: (sum(h), len(h)))
        strips = Strips(f"{runs} runs each", [(named(h), outcome.tried[h].tests) for h in order], LEVELS)
        return [best, plane_of(outcome, outcome.typical, "typical"), strips]
    if outcome.lesson.name == "playground-runs":
        histogram = Histogram(f"{runs} runs", outcome.tests, GOAL, LEVELS)
        return [best, plane_of(outcome, outcome.worst, "worst"), histogram]
    return [best, plane_of(outcome, outcome.typical, "typical"), curves]


def draw_outcome(outcome: Outcome, path: Path) -> Path:
    return draw_figure(path, outcome.lesson.question, panels_of(outcome))


def page_of(outcomes: Sequence[Outcome], link: Callable[[PlaygroundLesson], str]) -> str:
    """The Markdown page: question, answer and picture of every lesson; link leads to its workbook."""
    lines = [
        "# Playground lessons",
        "",
        "What is asked at [TensorFlow Playground](https://playground.tensorflow.org), run many times from other "
        "first weights. Losses are the playground's, half of the mean squared error. Filled dots were trained on, "
        "hollow ones are the test; the line is where the answer is 0.",
    ]
    for o in outcomes:
        name = o.lesson.name
        lines += ["", f"## {o.lesson.title}", "", f"**{o.lesson.question}** {o.sentence}", ""]
        lines += [f"![{o.lesson.title}]({name}.png)", "", f"Workbook: [{name}.xlsx]({link(o.lesson)})"]
    return "\n".join(lines) + "\n"
