"""The Time Machine, continued by recurrent networks, with the settings of Dive into Deep Learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


Reported = Mapping[str, float]
KINDS = {  # of runs, in the log book's order
    "equations written step by step": {"sampling": "sequential", "fused": False},
    "a library's layer": {"sampling": "sequential", "fused": True},
    "equations, sampling at random": {"sampling": "random", "fused": False},
    "a library's layer, sampling at random": {"sampling": "random", "fused": True},
}


def reported(perplexity: float, speed: float | None = None) -> Reported:
    return {"perplexity": perplexity} | ({} if speed is None else {"tokens a second": speed})


def experiment(cell: str, build: Callable[..., Layer], *numbers: Reported) -> Experiment:
    """numbers are the log book's, kind by kind."""
    found = dict(zip(KINDS, numbers, strict=False))
    told = "; ".join(f"{kind} {' at '.join(f'{x:,g}' for x in each.values())}" for kind, each in found.items())
    return Experiment(
        f"timemachine-{cell.lower()}",
        f"{cell} of 256 units, character by character",
        "timemachine",
        network(build),
        epochs=500,
        settings=SETTINGS,
        choices=CHOICES,
        reported=numbers[0],
        versions=[(KINDS[kind], each) for kind, each in found.items()],
        remark=f"perplexity at tokens a second: {told}",
    )


TIMEMACHINE = [
    experiment(
        "RNN", nn.SimpleRNN, reported(1.3, 98_664.9), reported(1.3, 497_418.5), reported(1.4), reported(1.2, 557_043.9)
    ),
    experiment("GRU", nn.GRU, reported(1.1, 31_268.5), reported(1.0, 320_064.1)),
    experiment("LSTM", lstm, reported(1.3, 27_329.0), reported(1.0, 248_827.8)),
]
