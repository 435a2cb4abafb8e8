"""The Time Machine: what Dive into Deep Learning makes of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from simulator.datasets.text import FILE, NAME, load_text
from simulator.errors import DataError
from tests.datasets.weather import PROSE, put_text

GIVEN = Path(os.environ.get("SIMULATOR_DATA", "")) / NAME / FILE


@pytest.mark.skipif(not GIVEN.is_file(), reason="The Time Machine is not at hand")
def test_the_book_has_the_characters_that_the_course_counts() -> None:
    """170,580 characters and 28 tokens, the most frequent first: d2l.ai, 9.2 Converting Raw Text into Sequence Data."""
    text = load_text()
    assert len(text.corpus) == 170_580
    assert text.tokens[:5] == ("<unk>", " ", "e", "t", "a")
    assert len(text.tokens) == 28
    assert text.text(text.corpus[:31]) == "the time machine by h g wellsi"[:31] + "t"


def test_letters_are_kept_in_lower_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_text(tmp_path, monkeypatch, PROSE)
    text = load_text()
    said = "the time machine by h g wellsthe time traveller for so it will be convenient to speak of him was"
    assert text.text(text.corpus) == said
    assert text.numbers("a!").tolist() == [text.tokens.index("a"), 0]


def test_another_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_text(tmp_path, monkeypatch, PROSE)
    path.write_text(PROSE.replace("Wells", "Welles"))
    with pytest.raises(DataError, match=re.escape("another one or damaged. Remove it, and it is downloaded again.")):
        load_text()
