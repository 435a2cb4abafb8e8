"""Other given numbers for every student, drawn so that a mistake gives another number; and who the students are."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count, islice
from pathlib import Path

from simulator.errors import SettingError
from simulator.lessons.lesson import Lesson
from simulator.lessons.setting import settings_of

# array                largest and smallest magnitude, in hundredths
WIDE, NARROW = (5, 200), (5, 90)  # of weights and biases; saturated units would hide mistakes
INPUTS, TARGETS = (5, 95), (1, 99)  # of a ledger
WIDE_LESSONS = frozenset({"and", "and-zeros", "linear-regression"})
TELL_NOTHING = frozenset({0, 50, 100})  # hundredths: a forgotten factor of 1, or 1 - 0.5, can't be seen
RATE_INSTEAD_OF_ONE = 0.5
MOST_DRAWS = 1_000
LONGEST_IDENTIFIER = 60
NAMES_OF_COLUMN = (  # Moodle, Canvas and lists made by hand
    "id", "identifier", "student", "username", "email", "email address", "id number", "sis user id", "sis login id",
    "name",
)  # fmt: skip
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # device names of Windows


def variants(lesson: Lesson, seed: int, student: str = "") -> Iterator[dict[str, float]]:
    """Draw after draw of given numbers for `Lesson.run`, always the same ones for the same lesson, seed and student.

    Two decimals, all magnitudes different, none 0, 0.5 or 1. The first parameters are drawn, and the inputs and
    targets of a ledger; other data stay, and so does the learning rate, unless it is 1.
    """
    for number in count():
        yield _draw(lesson, f"{lesson.name}\n{seed}\n{student}\n{number}")


def variant_settings(
    lesson: Lesson, seed: int, student: str = "", acceptable: Callable[[dict[str, float]], bool] = lambda settings: True
) -> dict[str, float]:
    """The first of the variants that is acceptable.

    Raises SettingError when none of the first thousand is.

    >>> from simulator.lessons import find_lesson
    >>> variant_settings(find_lesson("and"), seed=7, student="ada")
    {'learning_rate': 0.5, 'W_0': 1.49, 'W_1': 1.97, 'b': 0.62}
    """
    for settings in islice(variants(lesson, seed, student), MOST_DRAWS):
        if acceptable(settings):
            return settings
    raise SettingError(
        f"A variant must be acceptable. Received: {MOST_DRAWS:,} draws of '{lesson.name}' with seed {seed}, none of "
        "them acceptable. Choose another seed, or accept more."
    )


def _draw(lesson: Lesson, key: str) -> dict[str, float]:
    settings: dict[str, float] = {}
    if lesson.learning_rate == 1:
        settings["learning_rate"] = RATE_INSTEAD_OF_ONE
    used = {round(100 * lesson.learning_rate), *TELL_NOTHING}
    weights = WIDE if lesson.name in WIDE_LESSONS else NARROW
    for setting in settings_of(lesson, lesson.epochs, {}).items.values():
        array = setting.leaf.name
        if array in lesson.parameters or (lesson.columns and array.startswith("b") and array in lesson.given):
            limits, signed = weights, True
        elif lesson.columns and array in lesson.given:
            limits, signed = (INPUTS if array.startswith("i") else TARGETS), False
        else:
            continue
        free = [n for n in range(limits[0], limits[1] + 1) if n not in used]
        # Ranked by a hash, since Python's own generator may choose otherwise in another version.
        chosen = min(free, key=lambda n, name=setting.name: _hash(f"{key}\n{name}\n{n}"))  # type: ignore[misc]
        used.add(chosen)
        negative = signed and _hash(f"{key}\n{setting.name}\nsign")[0] % 2 == 1
        settings[setting.name] = (-chosen if negative else chosen) / 100
    return settings


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()


def read_roster(path: Path) -> list[str]:
    """The students' identifiers, one a line, or a column of a CSV file with commas or semicolons.

    The column is the one headed as in NAMES_OF_COLUMN, otherwise the first. Raises SettingError, with the line, for an
    identifier that is empty, too long, no name for a file, or there twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8"
        raise SettingError(
            f"A roster must be a text file in UTF-8. Received: '{path}' ({reason}). Check the path, or save it as "
            "CSV UTF-8."
        ) from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(text.splitlines(), delimiter=";" if ";" in first else ",")
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    headings = [cell.casefold() for cell in rows[0][1]] if rows else []
    column = next((headings.index(name) for name in NAMES_OF_COLUMN if name in headings), None)
    if column is not None:
        rows = rows[1:]
    identifiers: dict[str, tuple[str, int]] = {}  # by what their files are called, whatever the case
    for line, row in rows:
        identifier = row[column or 0] if len(row) > (column or 0) else ""
        _check(identifier, path, line)
        earlier = identifiers.setdefault(file_name(identifier).casefold(), (identifier, line))
        if earlier[1] != line:
            raise SettingError(
                f"Every student of a roster needs a file of their own. Received: '{earlier[0]}' in line {earlier[1]} "
                f"and '{identifier}' in line {line} of '{path}'. Remove or rename one."
            )
    if not identifiers:
        raise SettingError(
            f"A roster has one student a line. Received: '{path}' without any. Write an identifier a line."
        )
    return [identifier for identifier, _ in identifiers.values()]


def _check(identifier: str, path: Path, line: int) -> None:
    where = f"in line {line} of '{path}'"
    if not identifier:
        raise SettingError(
            f"Every line of a roster has an identifier. Received: none {where}. Fill it in, or remove the line."
        )
    if len(identifier) > LONGEST_IDENTIFIER:
        raise SettingError(
            f"An identifier has at most {LONGEST_IDENTIFIER} characters. Received: {len(identifier)} {where}. "
            "Shorten it."
        )
    if not identifier.isprintable() or not re.search(r"\w", identifier):
        raise SettingError(
            f"An identifier needs a letter or a digit, and no control character, to name a file. Received: "
            f"{identifier!r} {where}. Change it."
        )


def file_name(identifier: str) -> str:
    """A name for a student's file, without its ending, that every system takes.

    >>> file_name("s/42: Ada"), file_name("..ada."), file_name("con")
    ('s_42_ Ada', 'ada', '_con')
    """
    name = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in identifier)
    name = name.lstrip(". ").rstrip(". ") or "_"
    return f"_{name}" if RESERVED.match(name) else name
