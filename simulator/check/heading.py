"""What a column is called: the lecture's names, and how students and textbooks write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

# pattern of a lesson's name -> other spellings, \1 standing for its number; all are compared after `plain`
SPELLINGS: dict[str, tuple[str, ...]] = {
    r"i(\d+)": (r"x\1", r"in\1", r"input\1", r"inp\1"),
    r"t(\d+)": (r"y\1", r"target\1", r"targeto\1", r"to\1", r"d\1", r"desired\1"),
    r"w(\d+)": (r"weight\1", r"wt\1"),
    r"([hklmnpqro])(\d+)": (r"net\1\2", r"z\1\2", r"in\1\2", r"sum\1\2", r"net(\1\2)", r"\1\2net", r"\1\2in"),
    r"a_([hklmnpqro])(\d+)": (r"out\1\2", r"a\1\2", r"out(\1\2)", r"\1\2out", r"act\1\2", r"sigmoid(\1\2)", r"σ(\1\2)"),
    r"E(\d+)": (r"eo\1", r"error\1", r"erroro\1", r"err\1", r"loss\1", r"l\1"),
    r"E_tot": ("etotal", "e", "error", "totalerror", "errortotal", "loss", "totalloss", "cost", "sse"),
    r"dE/d([wb])(\d+)": (
        r"detotal/d\1\2",
        r"de/d\1\2",
        r"d\1\2",
        r"grad\1\2",
        r"dl/d\1\2",
        r"dc/d\1\2",
        r"derror/d\1\2",
    ),
    r"cost": ("c", "j", "loss", "meanloss", "costfunction", "error"),
    r"-ylog\(p\)": ("-ylnp", "-ylogp", "-yln(p)"),
    r"-\(1-y\)log\(1-p\)": ("-(1-y)ln(1-p)",),
    r"p": ("yhat", "prediction", "output", "sigmoid(z)", "a"),
    r"P": ("yhat", "prediction", "output", "softmax", "a2"),
    r"e\^([ZA])": (r"exp(\1)", r"exp\1"),
    r"sum": ("sume^z", "sumexp", "total", "σe^z"),
    r"dC/d(\w+)": (r"dj/d\1", r"dl/d\1", r"d\1", r"de/d\1"),
    r"d(\w+)": (r"dc/d\1", r"dj/d\1", r"dl/d\1", r"grad\1"),
    r"(\w+)'": (r"\1new", r"new\1", r"\1+", r"\1next", r"updated\1", r"\1updated", r"\1(t+1)", r"\1*"),
    r"rate": ("learningrate", "lr", "η", "eta", "α", "alpha"),
    r"epoch": ("epochs", "iteration", "step", "iter", "#"),
}
NAMED_CELLS = ("learning_rate", "learningrate", "lr", "η", "eta", "α", "alpha", "rate", "learn rate")


def plain(text: str) -> str:
    """A heading without what spellings differ in: case, spaces, subscripts, the sign of the derivative.

    >>> plain("∂E_total / ∂W₁"), plain("W′"), plain("a_h1")
    ('detotal/dw1', "w'", 'ah1')
    """
    text = unicodedata.normalize("NFKC", text).replace("∂", "d").replace("𝜕", "d").replace("δ", "d")
    text = re.sub("[’′`´]", "'", text).replace("−", "-").replace("·", "*").replace("ŷ", "yhat").replace("Σ", "sum")
    return re.sub(r"[\s_{}$\\]+", "", text).casefold()


def spellings_of(names: Iterable[str]) -> Mapping[str, str]:
    """Every plain spelling that means just one of these names, and the name that it means."""
    names = list(names)
    meant: dict[str, set[str]] = {}
    own = {plain(name) for name in names}
    for name in names:
        meant.setdefault(plain(name), set()).add(name)
        for pattern, others in SPELLINGS.items():
            match = re.fullmatch(pattern, name)
            if match:
                for other in others:
                    spelled = plain(match.expand(other))
                    if spelled not in own:
                        meant.setdefault(spelled, set()).add(name)
    return {spelled: next(iter(found)) for spelled, found in meant.items() if len(found) == 1}
