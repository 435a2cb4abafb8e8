"""The Time Machine of H. G. Wells (1895), character by character, as Dive into Deep Learning prepares it.

# N characters
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.source import file_of

NAME, FILE = "timemachine", "timemachine.txt"
ADDRESS = "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt"
CHECKSUM = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
UNKNOWN = "<unk>"


class Text(NamedTuple):
    """corpus (N,) of token numbers; tokens has what they stand for, <unk> first, then the most frequent."""

    corpus: NDArray[np.int64]
    tokens: tuple[str, ...]

    def numbers(self, text: str) -> NDArray[np.int64]:
        """The token numbers of a text; 0 for what isn't among the tokens."""
        known = {token: k for k, token in enumerate(self.tokens)}
        return np.array([known.get(letter, 0) for letter in text], np.int64)

    def text(self, numbers: Sequence[int] | NDArray[np.int64]) -> str:
        return "".join(self.tokens[k] for k in numbers)


def load_text() -> Text:
    """The whole book. Raises DataError when it can't be had, or isn't what its checksum says."""
    return text_of(file_of(NAME, FILE, CHECKSUM, ADDRESS).read_text(encoding="utf-8"))


def text_of(content: str) -> Text:
    """Letters only, in lower case, words apart by one space; lines follow each other without one.

    >>> text = text_of("The Time Machine,\\nby H. G. Wells [1898]")
    >>> text.text(text.corpus)
    'the time machineby h g wells'
    >>> text.tokens[:4]
    ('<unk>', ' ', 'e', 'h')
    >>> text.numbers("he?").tolist()
    [3, 2, 0]
    """
    letters = "".join(re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in content.split("\n"))
    ordered = sorted(Counter(letters).items(), key=lambda pair: (-pair[1], pair[0]))
    found = Text(np.zeros(0, np.int64), (UNKNOWN, *(token for token, _ in ordered)))
    return found._replace(corpus=found.numbers(letters))
