"""Headings as lessons, textbooks and students write them."""

from __future__ import annotations

import pytest

from simulator.check.heading import label_of, spellings_of

LEDGER = ["t1", "i1", "w1", "b1", "h1", "a_h1", "o1", "a_o1", "E1", "E_tot", "dE/dw1", "dE/db1", "epoch"]
XOR = ["X", "Y", "V", "b1", "W", "b2", "rate", "Z1", "A1", "Z2", "P", "cost", "dV", "dW", "V'", "W'"]
AND = ["X", "Y", "W", "b", "Z", "p", "cost", "dC/dZ", "dC/dW", "W'"]

# names,  meant,    spellings after `plain`
SPELLED = [
    (LEDGER, "t1", ["target1", "y1", "targeto1"]),
    (LEDGER, "i1", ["x1", "input1"]),
    (LEDGER, "w1", ["weight1"]),
    (LEDGER, "b1", ["bias1"]),
    (LEDGER, "h1", ["neth1", "zh1", "net(h1)"]),
    (LEDGER, "a_h1", ["outh1", "ah1", "σ(h1)", "sigmoid(h1)"]),
    (LEDGER, "o1", ["neto1"]),
    (LEDGER, "a_o1", ["outo1", "ao1", "out1", "yhat1"]),
    (LEDGER, "E1", ["eo1", "error1"]),
    (LEDGER, "E_tot", ["etotal", "e", "error", "et"]),
    (LEDGER, "dE/dw1", ["detotal/dw1", "detot/dw1", "det/dw1", "dw1", "∇w1"]),
    (LEDGER, "dE/db1", ["detotal/db1"]),
    (LEDGER, "epoch", ["iteration"]),
    (XOR, "V", ["w1"]),
    (XOR, "W", ["w2"]),
    (XOR, "dV", ["dc/dw1", "dw1"]),
    (XOR, "W'", ["w2new", "w2'"]),
    (AND, "p", ["yhat", "a"]),
    (AND, "dC/dW", ["dj/dw", "dw"]),
]


@pytest.mark.parametrize(("names", "meant", "spellings"), SPELLED)
def test_a_spelling_means_its_name(names: list[str], meant: str, spellings: list[str]) -> None:
    found = spellings_of(names)
    assert {text: found.get(text) for text in spellings} == dict.fromkeys(spellings, meant)


def test_a_spelling_of_two_names_means_neither() -> None:
    assert "loss" not in spellings_of(["E_tot", "cost"])
    assert spellings_of(["E_tot"])["loss"] == "E_tot"


# text,                    label,   number
LABELS = [
    ("learning rate", "rate", None),
    ("Learning Rate = 0.5", "rate", 0.5),
    ("LR=0,5", "rate", 0.5),
    ("learning rate (η)", "rate", None),
    ("η = 1e-2", "rate", 0.01),
    ("t1", "t1", None),
    ("b1 = -0.35", "b1", -0.35),
    ("rated", "rated", None),
]


@pytest.mark.parametrize(("text", "label", "number"), LABELS)
def test_a_label_is_read_with_its_number(text: str, label: str, number: float | None) -> None:
    assert label_of(text) == (label, number)
