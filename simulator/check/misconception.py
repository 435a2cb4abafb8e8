"""The mistakes that have a name: each rewrites a lesson's own terms into what a student gets who makes it.

A new one is an entry in MISCONCEPTIONS and a row of tests/check/test_misconception.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.check import rewrite
from simulator.check.marking import Name
from simulator.check.rewrite import Site
from simulator.tape.scalar import Scalar


@dataclass(frozen=True)
class Misconception:
    """stages are those whose cells it can occur in; rewrite gives the terms that it leads to, if any."""

    key: str
    title: str
    question: str
    stages: tuple[str, ...]
    rewrite: Callable[[Site], Iterator[Scalar]]

    @property
    def name(self) -> Name:
        return Name(self.key, self.title, self.question)


def candidates(site: Site) -> Iterator[tuple[Misconception, Scalar]]:
    """Every wrong term that a known misconception leads to in this cell."""
    for m in MISCONCEPTIONS:
        if site.stage in m.stages:
            seen = {site.term}
            for term in m.rewrite(site):
                if term not in seen:
                    seen.add(term)
                    yield m, term


def pairs(site: Site) -> Iterator[tuple[tuple[Misconception, Misconception], Scalar]]:
    """Every wrong term that two mistakes in the same formula lead to, one of each kind."""
    for one, term in candidates(site):
        if one.key != "rounded":
            for other, both in candidates(Site(site.reference, site.k, site.later, term)):
                if other.key not in (one.key, "rounded") and both != site.term:
                    yield (one, other), both


B, C, F, U, P = "backward", "cost", "forward", "update", "parameter"
MISCONCEPTIONS: tuple[Misconception, ...] = (
    Misconception(
        "slope-forgotten-hidden",
        "slope of the hidden activation left out",
        "Was the hidden activation's slope left out, A*(1-A) for a sigmoid, 1-A^2 for tanh?",
        (B,),
        rewrite.slope_forgotten(True),
    ),
    Misconception(
        "slope-forgotten-output",
        "slope of the output activation left out",
        "Was the output's slope left out, a*(1-a) for a sigmoid?",
        (B,),
        rewrite.slope_forgotten(False),
    ),
    Misconception(
        "slope-of-activation",
        "slope taken of the activation again",
        "Was the sigmoid applied a second time inside its slope? A is already the activation: the slope is A*(1-A).",
        (B,),
        rewrite.slope_again,
    ),
    Misconception(
        "slope-of-sum",
        "slope taken of the weighted sum",
        "Was Z put where the slope needs the activation? The slope is A*(1-A), not Z*(1-Z).",
        (B,),
        rewrite.slope_of_sum,
    ),
    Misconception(
        "half-slope",
        "half of the slope",
        "Is one of the two factors of the slope A*(1-A) missing?",
        (B,),
        rewrite.half_slope,
    ),
    Misconception(
        "another-unit",
        "another unit's activation",
        "Is this the activation of another unit or another sample?",
        (F, C, B),
        rewrite.another_unit,
    ),
    Misconception(
        "wrong-weight",
        "a weight with the wrong index",
        "Is this the right weight, or is the matrix read by columns where it should be by rows?",
        (F, B, U),
        rewrite.wrong_weight,
    ),
    Misconception(
        "path-missing",
        "a term of the sum is missing",
        "Does the sum have a term for every path (or sample) that leads here?",
        (F, C, B),
        rewrite.path_missing,
    ),
    Misconception(
        "brackets-missing",
        "brackets missing",
        "Is there a bracket around the whole sum? Multiplication and division bind tighter than + and -.",
        (F, C, B, U),
        rewrite.brackets_missing,
    ),
    Misconception(
        "update-sign",
        "update in the wrong direction",
        "Does the update go downhill? The new weight is the old one minus rate times gradient.",
        (U,),
        rewrite.update_sign,
    ),
    Misconception(
        "update-left-out",
        "weight not updated",
        "Was the old weight copied without its update?",
        (U,),
        rewrite.update_left_out,
    ),
    Misconception(
        "not-carried",
        "weight not carried over",
        "Does this epoch start from the updated weight of the epoch before?",
        (P, U),
        rewrite.not_carried,
    ),
    Misconception(
        "rate-missing",
        "learning rate left out",
        "Was the learning rate left out of the update?",
        (U,),
        rewrite.rate_missing,
    ),
    Misconception(
        "label-first",
        "label minus prediction instead of prediction minus label",
        "Is the difference the right way round? It is prediction minus label.",
        (B,),
        rewrite.label_first,
    ),
    Misconception(
        "gradient-sign",
        "sign of the gradient",
        "Has a minus sign been lost or added?",
        (B,),
        rewrite.gradient_sign,
    ),
    Misconception(
        "mean-missing",
        "1/m missing in the gradient",
        "Was the division by the number of samples left out?",
        (B,),
        rewrite.mean_missing,
    ),
    Misconception(
        "mean-doubled",
        "1/m taken twice",
        "Has this been divided by the number of samples already?",
        (B,),
        rewrite.mean_doubled,
    ),
    Misconception(
        "sum-for-mean",
        "sum instead of mean",
        "Is the cost the mean over the samples, or their sum?",
        (C,),
        rewrite.mean_missing,
    ),
    Misconception(
        "factor-two",
        "a factor of 2 or 1/2",
        "Is a factor of 2 or 1/2 missing, or one too many?",
        (C, B),
        rewrite.factor_two,
    ),
    Misconception(
        "bias-gradient-missing",
        "gradient of the bias left out",
        "Does the bias learn too? Its gradient is the sum of dC/dZ over the samples.",
        (B, U),
        rewrite.bias_gradient_missing,
    ),
    Misconception(
        "bias-times-input",
        "gradient of the bias multiplied by an input",
        "Was the bias treated as a weight? Nothing multiplies the bias but 1.",
        (B,),
        rewrite.bias_times_input,
    ),
    Misconception(
        "input-missing",
        "factor of the input left out",
        "Is the input (or the activation below) missing as a factor?",
        (B,),
        rewrite.input_missing,
    ),
    Misconception(
        "input-swapped",
        "another input",
        "Is this the input that the weight multiplies, of the same sample?",
        (B,),
        rewrite.input_swapped,
    ),
    Misconception(
        "updated-weights",
        "weights updated too early",
        "Do the gradients still use the weights that this epoch began with?",
        (B,),
        rewrite.updated_weights,
    ),
    Misconception(
        "another-gradient",
        "another weight's gradient in the update",
        "Is this the gradient of this weight?",
        (U,),
        rewrite.another_gradient,
    ),
    Misconception(
        "softmax-not-normalised",
        "softmax not normalised",
        "Was the exponential divided by the sum of all of them?",
        (F,),
        rewrite.not_normalised,
    ),
    Misconception(
        "softmax-axis",
        "softmax over the wrong axis",
        "Does the sum run over the classes of one sample?",
        (F,),
        rewrite.softmax_axis,
    ),
    Misconception(
        "slope-on-top",
        "cross-entropy's gradient and the output's slope both applied",
        "Does P-Y already contain the slope P*(1-P)? With cross-entropy the two cancel.",
        (B,),
        rewrite.slope_on_top,
    ),
    Misconception(
        "crossentropy-sign",
        "wrong sign in the cross-entropy",
        "Do both halves of the cross-entropy have their minus sign?",
        (C, B),
        rewrite.crossentropy_sign,
    ),
    Misconception(
        "log-base",
        "logarithm to base 10 or 2",
        "Is this the natural logarithm, LN?",
        (C,),
        rewrite.log_base,
    ),
    Misconception(
        "exponent-sign",
        "sign in the exponent",
        "Has the exponent its right sign? The sigmoid has EXP(-Z).",
        (F,),
        rewrite.exponent_sign,
    ),
    Misconception(
        "bias-forgotten",
        "bias left out of the sum",
        "Was the bias added to the weighted sum?",
        (F,),
        rewrite.bias_forgotten,
    ),
    Misconception(
        "rounded",
        "rounded too early",
        "Was a rounded number used? Keep all digits in the cells, and let the format round what is shown.",
        (P, F, C, B, U),
        rewrite.rounded,
    ),
)


# Seen by comparing formulas, not by rewriting an equation.
DRIFT = Name(
    "drift",
    "a reference that drifted on filling down",
    "Should this reference have stayed where it was? A dollar sign keeps it there.",
)
