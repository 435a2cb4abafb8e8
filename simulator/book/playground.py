"""The workbook of a playground lesson: the question with its answer, then the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulator.book.network import network_workbook
from simulator.book.workbook import Workbook
from simulator.datasets.playground import SQUARE
from simulator.lessons.playground import CONSTANT, GOAL, ROUND, Outcome, PlaygroundLesson
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import HEADING, SUBTITLE, TITLE, WRAPPED

QUESTION, WIDTH, LETTERS = "Question", 90, 100  # of the column, and letters of a line


def playground_workbook(lesson: PlaygroundLesson, outcome: Outcome, epochs: int | None = None) -> Workbook:
    """Few samples in full training from the lesson's first weights, or a step from the best run's weights."""
    model = lesson.model(rate=lesson.shown_rate, seed=lesson.shown_seed)
    if lesson.trained:
        model.set_weights([np.round(w, ROUND) for w in outcome.runs.of(outcome.best)])
    data = lesson.shown_data()
    x, y = data.points, data.labels[:, None]
    made = network_workbook(model, x, y, epochs or lesson.shown_epochs, boundary=SQUARE)
    return _with_question(made, _question_sheet(lesson, outcome))


def _with_question(workbook: Workbook, question: Sheet) -> Workbook:
    def moved() -> Workbook:
        assert workbook.moved
        return _with_question(workbook.moved(), question)

    return replace(workbook, sheets=(question, *workbook.sheets), moved=moved)


def _question_sheet(lesson: PlaygroundLesson, outcome: Outcome) -> Sheet:
    sheet = Sheet(QUESTION, "#059669")
    sheet.put(0, 0, lesson.title, TITLE)
    sheet.put(1, 0, lesson.question, SUBTITLE)
    runs, half = len(outcome.tests), len(outcome.halves.train.labels)
    epochs, batch = outcome.runs.costs.shape[1], lesson.batch_size or half
    setting = (
        f"{lesson.data}, noise {lesson.noise:g}: {half} points to train with and as many to test with; "
        f"{lesson.activation} units, learning rate {lesson.rate:g}, batches of {batch}, {epochs} epochs, {runs} runs "
        "from other first weights."
    )
    losses = (
        "A loss is the mean of 0.5*(answer - label)^2, the playground's; labels are -1 and 1. A network that answers 0 "
        f"everywhere has {CONSTANT}; the course asks for {GOAL}. The cost on the sheet Charts is Keras's mean squared "
        "error, twice that loss; with half the learning rate both make the same steps."
    )
    parts = [
        ("What was run", setting),
        ("Answer", outcome.sentence),
        ("What this workbook shows", lesson.shown[0].upper() + lesson.shown[1:]),
        ("How to read the numbers", losses),
        (
            "Where to look",
            "Boundary: pick an epoch. Training: every number of every step. Parameters: change any of them.",
        ),
    ]
    return _put_parts(sheet, parts)


def _put_parts(sheet: Sheet, parts: Sequence[tuple[str, str]]) -> Sheet:
    row = 3
    for title, text in parts:
        sheet.put(row, 0, title, HEADING)
        sheet.put(row + 1, 0, text, WRAPPED)
        sheet.heights[row + 1] = 15.0 * (1 + len(text) // LETTERS)
        row += 3
    sheet.widths[0] = WIDTH
    return sheet
