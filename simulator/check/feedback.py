"""Sentences to a student about their own errors: as much as the lecturer's level of feedback allows."""

from __future__ import annotations

import math
from enum import StrEnum

from simulator.check.marking import CellMark, OwnError, Status

LEAST_DIGITS, MOST_DIGITS = 4, 17  # significant ones; 17 tell any two numbers apart
COPIED = 1e-12  # a number that was copied from its cell may have lost its last digits
LONGEST_TEXT = 40  # of what a student typed instead of a number


class Feedback(StrEnum):
    """How much a student is told about an own error."""

    NONE = "none"  # the score alone
    CELL = "cell"  # which cell is wrong first
    HINT = "hint"  # and a question, but no expected number
    FULL = "full"  # and what was expected

    @property
    def asks(self) -> bool:
        return self in (Feedback.HINT, Feedback.FULL)


# status          at a place,                                              of n more cells (singular, plural)
STATES = {
    Status.WRONG: "is not right",
    Status.MISSING: "is empty",
    Status.TYPED_OVER: "holds a typed number where the cells around it hold a formula",
}
MORE = {
    Status.WRONG: ("goes wrong in the same way", "go wrong in the same way"),
    Status.MISSING: ("is empty", "are empty"),
    Status.TYPED_OVER: ("is a typed number, too", "are typed numbers, too"),
}
UNNAMED = {
    Status.WRONG: "no known mistake",
    Status.MISSING: "cells left empty",
    Status.TYPED_OVER: "numbers typed over formulas",
}


def sentence(error: OwnError, level: Feedback, before: int = 0, carried: float = 1.0) -> str:
    """What a student is told about one own error; nothing at level "none".

    before: how many cells in front of it are right, where that is to be said (of the first error); carried: the part
    of their points that cells get which agree with a wrong one.
    """
    if level is Feedback.NONE:
        return ""
    parts = (_opening(error, level), advice(error, level), surroundings(error, before, carried))
    return " ".join(part for part in parts if part)


def note_text(error: OwnError, level: Feedback) -> str:
    """The same for the note of the error's first cell, which shows its address and what was found; short."""
    if level is Feedback.NONE:
        return ""
    parts = [f"This cell {STATES[error.status]}."]
    expected, _ = numbers(error.first)
    if level is Feedback.FULL and expected:
        parts.append(f"Expected {expected}.")
    return " ".join([*parts, advice(error, level)]).strip()


def label(error: OwnError) -> str:
    """What an own error is called in tables: its name, all names that it may have, or what kind it is."""
    return " or ".join(name.title for name in error.names) or UNNAMED[error.status]


def place(mark: CellMark) -> str:
    """The cell's address, with its quantity, epoch and entry in brackets."""
    return f"{mark.address} ({mark.quantity}, {moment(mark)})"


def moment(mark: CellMark) -> str:
    """The epoch and the entry: "epoch 2, sample 3"; an entry of numbers alone is introduced: "epoch 2, entry 0,1"."""
    named = any(c.isalpha() for c in mark.entry)
    return f"epoch {mark.epoch}" + (f", {'' if named else 'entry '}{mark.entry}" if mark.entry else "")


def numbers(mark: CellMark) -> tuple[str, str]:
    """Expected and found as text, with four significant digits or as many as it takes to see the difference.

    Expected is empty where nothing can be expected; found is empty in an empty cell.
    """
    expected, found = mark.expected, mark.found
    if mark.status is Status.MISSING or isinstance(found, str):
        text = "" if mark.status is Status.MISSING else _quoted(str(found))
        return "" if math.isnan(expected) else shown(expected, LEAST_DIGITS), text
    if math.isnan(expected):
        return "", shown(found, LEAST_DIGITS)
    digits, differ = LEAST_DIGITS, not math.isclose(expected, found, rel_tol=COPIED)
    while digits < MOST_DIGITS and differ and shown(expected, digits) == shown(found, digits):
        digits += 1
    return shown(expected, digits), shown(found, digits)


def shown(number: float, digits: int) -> str:
    """A number with so many significant digits, all of those in front of the point, and no zeros at its end.

    >>> shown(0.0616, 4), shown(12345.67, 4), shown(-2.5e-9, 4), shown(-0.0, 4)
    ('0.0616', '12346', '-2.5e-09', '0')
    """
    if number == 0:
        return "0"
    if not math.isfinite(number) or not 1e-5 <= abs(number) < 1e15:
        return f"{number:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def advice(error: OwnError, level: Feedback) -> str:
    """The question of the mistake that gives what was found, or what else there is to say; at "hint" and "full"."""
    if not level.asks:
        return ""
    match error.names:
        case ():
            text = _unnamed(error)
        case (name,):
            text = name.question
        case names:
            text = f"One of these: {' or '.join(n.title for n in names)}; the numbers can't tell them apart."
    detail = error.detail.strip() if level is Feedback.FULL else ""  # it may give the answer away
    return f"{text} {detail}{'' if detail[-1] in '.!?' else '.'}" if detail else text


def surroundings(error: OwnError, before: int = 0, carried: float = 1.0) -> str:
    """How many cells are right before it, go wrong in the same way, and follow from it."""
    more, parts = len(error.cells) - 1, []
    if before:
        parts.append(f"{_cells(before)} before it {'is' if before == 1 else 'are'} right.")
    if more:
        parts.append(f"{_cells(more, 'more ')} of {error.first.quantity} {MORE[error.status][more > 1]}.")
    if error.follows:
        one = error.follows == 1
        follow, they, are = ("follows", "it agrees", "is") if one else ("follow", "they agree", "are")
        verdict = f"{are} not marked down" if carried == 1 else f"count{'s' if one else ''} {carried:.0%}"
        parts.append(
            f"{_cells(error.follows)} {follow} from it; {they} with your own value, so {they.split()[0]} {verdict}."
        )
    return " ".join(parts)


def _opening(error: OwnError, level: Feedback) -> str:
    where, (expected, found) = place(error.first), numbers(error.first)
    if level is not Feedback.FULL:
        return f"{where} {STATES[error.status]}."
    wanted = f"expected {expected}, " if expected else ""
    match error.status:
        case Status.MISSING:
            return f"{where} is empty{'; expected ' + expected if expected else ''}."
        case Status.TYPED_OVER if expected == found:
            return f"{where}: {found} is right, but typed where the cells around it hold a formula."
        case Status.TYPED_OVER:
            return f"{where}: {wanted}found {found}, typed where the cells around it hold a formula."
    return f"{where}: {wanted}found {found}."


def _unnamed(error: OwnError) -> str:
    match error.status, error.first.found:
        case Status.MISSING, _:
            return f"How is {error.first.quantity} computed?"
        case Status.TYPED_OVER, _:
            return "It stays the same when the given numbers change. What is its formula?"
        case _, str(found) if found.startswith("#"):
            return "The formula has no value here. Which part of it can't be computed?"
        case _, str():
            return "This is text, not a number. Is the decimal mark the one that your spreadsheet expects?"
    return "No known mistake gives this number."


def _quoted(text: str) -> str:
    """An error value as it is, any other text in quotes and cut where it is long."""
    if text.startswith("#"):
        return text[:LONGEST_TEXT]
    return f"'{text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + '...'}'"


def _cells(count: int, more: str = "") -> str:
    return f"{count:,} {more}cell{'' if count == 1 else 's'}"
