"""The lessons, by name. A new one is a file, its name here, and one test row."""

from __future__ import annotations

from simulator.errors import SettingError, did_you_mean
from simulator.lessons.decoder import DECODER, DECODER_SIGMOID, DECODER_SIGMOID_AS_PRINTED
from simulator.lessons.ledger import LEDGER, LEDGER_BIAS
from simulator.lessons.lesson import Lesson
from simulator.lessons.linear_regression import LINEAR_REGRESSION
from simulator.lessons.perceptron import AND, AND_ZEROS
from simulator.lessons.xor import XOR, XOR_TANH

LESSONS: dict[str, Lesson] = {
    lesson.name: lesson
    for lesson in (
        AND,
        AND_ZEROS,
        DECODER,
        DECODER_SIGMOID,
        DECODER_SIGMOID_AS_PRINTED,
        XOR,
        XOR_TANH,
        LINEAR_REGRESSION,
        LEDGER,
        LEDGER_BIAS,
    )
}


def find_lesson(name: str) -> Lesson:
    """The lesson of that name. Raises SettingError, with the nearest name, when there is none."""
    if name in LESSONS:
        return LESSONS[name]
    hint = did_you_mean(name.lower(), LESSONS, 0.4) or " 'simulator lessons' lists them."
    raise SettingError(f"A lesson is one of {', '.join(LESSONS)}. Received: '{name}'.{hint}")
