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
    r"b(\d+)": (r"bias\1",),
    r"([hklmnpqro])(\d+)": (r"net\1\2", r"z\1\2", r"in\1\2", r"sum\1\2", r"net(\1\2)", r"\1\2net", r"\1\2in"),
    r"a_([hklmnpqro])(\d+)": (
        *(r"out\1\2", r"a\1\2", r"out(\1\2)", r"a(\1\2)", r"\1\2out", r"act\1\2"),
        *(rf"{f}(\1\2)" for f in ("sigmoid", "sig", "σ", "f", "tanh")),
    ),
    r"a_o(\d+)": (r"out\1", r"output\1", r"yhat\1", r"pred\1", r"prediction\1"),
    r"E(\d+)": (r"eo\1", r"error\1", r"erroro\1", r"err\1", r"loss\1", r"l\1"),
    r"E_tot": ("etotal", "e", "error", "totalerror", "errortotal", "loss", "totalloss", "cost", "sse", "et"),
    r"dE/d([wb])(\d+)": (
        r"detotal/d\1\2",
        r"detot/d\1\2",
        r"det/d\1\2",
        r"d\1\2",
        r"grad\1\2",
        r"gradient\1\2",
        r"∇\1\2",
        r"dl/d\1\2",
        r"dc/d\1\2",
        r"derror/d\1\2",
    ),
    r"cost": ("c", "j", "loss", "meanloss", "costfunction", "error"),
    r"-ylog\(p\)": ("-ylnp", "-ylogp", "-yln(p)"),
    r"-\(1-y\)log\(1-p\)": ("-(1-y)ln(1-p)",),
    r"p": ("yhat", "prediction", "output", "sigmoid(z)", "a"),
    r"P": ("yhat", "prediction", "output", "softmax", "a2"),
    r"Z(\d?)": (r"net\1", r"wx+b\1"),
    r"A(\d?)": (r"out\1", r"sigmoid(z\1)", r"σ(z\1)", r"tanh(z\1)", r"h\1"),
    r"X": ("input", "inputs"),
    r"Y": ("label", "labels", "target", "targets"),
    r"e\^([ZA])": (r"exp(\1)", r"exp\1"),
    r"sum": ("sume^z", "sumexp", "total", "σe^z"),
    r"dC/d(\w+)": (r"dj/d\1", r"dl/d\1", r"d\1", r"de/d\1"),
    r"d(\w+)": (r"dc/d\1", r"dj/d\1", r"dl/d\1", r"grad\1"),
    r"(\w+)'": (r"\1new", r"new\1", r"\1+", r"\1next", r"updated\1", r"\1updated", r"\1(t+1)", r"\1*"),
    r"rate": ("learningrate", "lr", "η", "eta", "α", "alpha"),
    r"epoch": ("epochs", "iteration", "step", "iter", "#"),
}
RATES = ("learningrate", "learnrate", "lr", "η", "eta", "α", "alpha", "rate", "stepsize")
NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?"
LABEL = re.compile(rf"(.+?)(?:\([^()]*\))?(?:[=:]+({NUMBER})?)?")
RATE = re.compile(rf"({'|'.join(RATES)})(?:\([^()]*\)|η|α)?[=:]*({NUMBER})?")


def plain(text: str) -> str:
    """A heading without what spellings differ in: case, spaces, subscripts, the sign of the derivative.

    >>> plain("∂E_total / ∂W₁"), plain("W′"), plain("a_h1")
    ('detotal/dw1', "w'", 'ah1')
    """
    text = unicodedata.normalize("NFKC", text).replace("∂", "d").replace("𝜕", "d").replace("δ", "d")
    if "/" in text:
        text = text.replace("Δ", "d")
    text = re.sub("[’′`´]", "'", text).replace("−", "-").replace("·", "*").replace("ŷ", "yhat").replace("Σ", "sum")
    return re.sub(r"[\s_{}$\\]+", "", text).casefold()


def label_of(text: str) -> tuple[str, float | None]:
    """What a cell labels, plain and "rate" for a learning rate, and the number when the text holds it, too.

    >>> label_of("Learning Rate = 0.5"), label_of("η:"), label_of("LR 0,5"), label_of("t1"), label_of("b1 = 0.35")
    (('rate', 0.5), ('rate', None), ('rate', 0.5), ('t1', None), ('b1', 0.35))
    """
    rate, label = RATE.fullmatch(plain(text)), LABEL.fullmatch(plain(text))
    match = rate or label
    if match is None:
        return "", None
    number = float(match[2].replace(",", ".")) if match[2] else None
    return ("rate" if rate else match[1]), number


def spellings_of(names: Iterable[str]) -> Mapping[str, str]:
    """Every plain spelling that means just one of these names, and the name that it means."""
    names = list(names)
    meant: dict[str, set[str]] = {}
    own = {plain(name) for name in names}
    two_layers = {"V", "W"} <= set(names)
    for name in names:
        meant.setdefault(plain(name), set()).add(name)
        for alias in (name, *([_numbered(name)] if two_layers and _numbered(name) != name else ())):
            spelled = {plain(alias)}
            for pattern, others in SPELLINGS.items():
                match = re.fullmatch(pattern, alias)
                if match:
                    spelled |= {plain(match.expand(other)) for other in others}
            for text in spelled - own:
                meant.setdefault(text, set()).add(name)
    return {spelled: next(iter(found)) for spelled, found in meant.items() if len(found) == 1}


def _numbered(name: str) -> str:
    """Hidden and output weights V and W as most people number them.

    >>> _numbered("dV"), _numbered("W'"), _numbered("b1")
    ('dW1', "W2'", 'b1')
    """
    return re.sub(r"[VW](?='?$)", lambda match: {"V": "W1", "W": "W2"}[match[0]], name)
