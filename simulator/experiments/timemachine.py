"""The Time Machine, continued by recurrent networks, with the settings of Dive into Deep Learning."""

from __future__ import annotations

from collections.abc import Callable

from simulator import nn
from simulator.experiments.experiment import Experiment, Settings
from simulator.nn.layer import Layer
from simulator.nn.option import require

TOKENS = 28  # letters, the space and <unk>
SETTINGS = {"learning_rate": 1.0, "clip": 1.0, "batch_size": 32, "steps": 35, "units": 256, "sampling": "sequential"}
CHOICES = {"sampling": ("sequential", "random")}


def network(cell: Callable[..., Layer]) -> Callable[[Settings, int], nn.Model]:
    """A recurrent layer and a softmax after every step; sequential sampling carries the states on."""

    def build(settings: Settings, seed: int) -> nn.Model:
        for name in ("steps", "units"):
            value = settings[name]
            require(float(value).is_integer() and value > 0, f"{name} is a whole number above 0.", f"{value:g}")
        recurrent = cell(int(settings["units"]), return_sequences=True, stateful=settings["sampling"] == "sequential")
        softmax = nn.Dense(TOKENS, activation="softmax")
        steps = nn.Input((int(settings["steps"]), TOKENS))
        model = nn.Sequential([steps, recurrent, softmax], name=type(recurrent).__name__, seed=seed)
        sgd = nn.SGD(settings["learning_rate"], global_clipnorm=settings["clip"])
        return model.compile(sgd, "sparse_categorical_crossentropy")

    return build


def lstm(units: int, return_sequences: bool, stateful: bool) -> Layer:
    return nn.LSTM(units, return_sequences=return_sequences, stateful=stateful, unit_forget_bias=False)


def experiment(cell: str, build: Callable[..., Layer], perplexity: float, speed: float, remark: str) -> Experiment:
    return Experiment(
        f"timemachine-{cell.lower()}",
        f"{cell} of 256 units, character by character",
        "timemachine",
        network(build),
        epochs=500,
        settings=SETTINGS,
        choices=CHOICES,
        reported={"perplexity": perplexity, "tokens a second": speed},
        remark=remark,
    )


FASTER = "that these are of equations written step by step; a library's layer reaches {} at {} tokens a second"
TIMEMACHINE = [
    experiment(
        "RNN",
        nn.SimpleRNN,
        1.3,
        98_664.9,
        f"{FASTER.format(1.3, '497,419')}; random sampling 1.4, with a library's layer 1.2 at 557,044",
    ),
    experiment("GRU", nn.GRU, 1.1, 31_268.5, FASTER.format("1.0", "320,064")),
    experiment("LSTM", lstm, 1.3, 27_329.0, FASTER.format("1.0", "248,828")),
]
