"""The temperature of Jena a day ahead: dense, convolutional and recurrent networks, as the course's book builds them.

Source: Chollet, Deep Learning with Python (2nd ed. 2021), chapter 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from simulator import nn
from simulator.experiments.experiment import Experiment, Settings
from simulator.experiments.series import SHAPE
from simulator.nn.layer import Layer

KEPT = "that it has all of 2009 to 2016, 819 steps an epoch; here the last epoch is tested, not the best one"


def network(body: Callable[[], Sequence[Layer]]) -> Callable[[Settings, int], nn.Model]:
    def build(settings: Settings, seed: int) -> nn.Model:
        model = nn.Sequential([nn.Input(SHAPE), *body(), nn.Dense(1)], name="forecast", seed=seed)
        return model.compile(nn.RMSprop(settings["learning_rate"]), "mean_squared_error", ["mae"])

    return build


def convolutions() -> list[Layer]:
    layers: list[Layer] = [nn.Conv1D(8, 24, activation="relu"), nn.MaxPooling1D(2)]
    layers += [nn.Conv1D(8, 12, activation="relu"), nn.MaxPooling1D(2), nn.Conv1D(8, 6, activation="relu")]
    return [*layers, nn.GlobalAveragePooling1D()]


def stacked() -> list[Layer]:
    first = nn.GRU(32, recurrent_dropout=0.5, return_sequences=True)
    return [first, nn.GRU(32, recurrent_dropout=0.5), nn.Dropout(0.5)]


def jena(
    name: str, title: str, body: Callable[[], Sequence[Layer]], reported: Mapping[str, float], epochs: int = 10
) -> Experiment:
    settings = {"learning_rate": 0.001, "batch_size": 256}
    return Experiment(f"jena-{name}", title, "jena", network(body), epochs, settings, reported=reported, remark=KEPT)


JENA = [
    jena("dense", "Dense 16", lambda: [nn.Flatten(), nn.Dense(16, activation="relu")], {"test MAE": 2.63}),
    jena("dense-20", "Dense 20", lambda: [nn.Flatten(), nn.Dense(20, activation="relu")], {"test MAE": 2.65}),
    jena("conv1d", "Three convolutions of 8 filters", convolutions, {"best validation MAE": 3.03}),
    jena("lstm", "LSTM 16", lambda: [nn.LSTM(16)], {"test MAE": 2.50}),
    jena(
        "lstm-dropout",
        "LSTM 32 with recurrent dropout",
        lambda: [nn.LSTM(32, recurrent_dropout=0.25), nn.Dropout(0.5)],
        {"test MAE": 2.56},
        epochs=5,
    ),
    jena("gru", "Two GRU of 32 with recurrent dropout", stacked, {"best validation MAE": 2.45}, epochs=5),
]
