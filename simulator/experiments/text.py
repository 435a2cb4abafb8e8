"""A text that is continued character by character.

# B sequences in a batch, T steps, V tokens
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.text import Text as Tokens
from simulator.datasets.text import load_text
from simulator.errors import SettingError, TrainingError
from simulator.experiments.experiment import Experiment, Settings, in_range, whole
from simulator.experiments.task import History, Measure, Task, Tested
from simulator.nn.callback import Callback, Logs
from simulator.nn.model import Model

LARGEST = 700.0  # loss whose power of e is a number
TAKEN = 10_000  # tokens, the first ones, unless --samples says otherwise
PREFIXES = "time traveller", "traveller"
WRITTEN = 50  # characters after a prefix
Numbers = NDArray[np.int64]


class Text(Task):
    """A corpus (N,), read anew in every epoch from another offset.

    Sequentially, sequence k of a batch goes on where sequence k of the batch before has ended, and so do the states;
    at random, sequences come in any order and states start from zeros.
    """

    kind = "text"
    measure = Measure("perplexity", "exp(loss)", rises=False, threshold=1.5)
    counted = "tokens"

    def __init__(self, experiment: Experiment, settings: Settings, seed: int, samples: int | None) -> None:
        self.tokens = load_text()
        there = len(self.tokens.corpus)
        self.all = TAKEN
        self.samples = TAKEN if samples is None else min(whole(samples, "--samples"), there)
        self.experiment, self.settings, self.seed = experiment, settings, seed
        self.batch, self.steps = int(settings["batch_size"]), int(settings["steps"])
        needed = self.batch * self.steps + self.steps + 1
        if self.samples < needed:
            raise SettingError(
                f"An epoch is at least one batch, {self.batch} sequences of {self.steps} characters and an offset. "
                f"Received: --samples {self.samples}. Take {needed} or more."
            )
        self.an_epoch = len(self.sequences(0)[0]) * self.steps

    def sequences(self, epoch: int) -> tuple[Numbers, Numbers]:
        """Inputs and labels (n, T) of an epoch, batch after batch; labels are the inputs one character later."""
        rng, corpus = np.random.default_rng((self.seed, epoch)), self.tokens.corpus[: self.samples]
        corpus = corpus[rng.integers(self.steps) :]
        split = sequential if self.settings["sampling"] == "sequential" else at_random
        starts = split(len(corpus) - 1, self.batch, self.steps, rng)
        at = starts[:, None] + np.arange(self.steps)
        return corpus[at], corpus[at + 1]

    def fit(self, model: Model, begun: int, epochs: int, keeper: Callback) -> None:
        for epoch in range(begun, epochs):
            x, y = self.sequences(epoch)
            model.reset_states()
            model.fit(
                one_hot(x, len(self.tokens.tokens)),
                y,
                batch_size=self.batch,
                epochs=epoch + 1,
                initial_epoch=epoch,
                verbose=0,
                shuffle=False,
                callbacks=[keeper],
            )

    def measured(self, logs: Logs) -> Logs:
        if logs["loss"] > LARGEST:
            raise TrainingError(
                f"A perplexity, e to the power of the loss, must be a number. Received: a loss of {logs['loss']:.4g}. "
                f"Likely cause: a learning rate of {self.settings['learning_rate']:g} is too large."
            )
        return logs | {"perplexity": math.exp(logs["loss"])}

    def noted(self, model: Model, epoch: int) -> list[str] | None:
        """What the network writes after the prefixes, in epochs 1, 2, 5, 10, 20, 50, ..."""
        leading = str(epoch).rstrip("0")
        return self.written(model) if leading in {"1", "2", "5"} else None

    def sample(self, number: int) -> tuple[Any, Any]:
        x, y = self.sequences(0)
        k = in_range(number, len(x), "a sequence of the first epoch")
        return one_hot(x[k], len(self.tokens.tokens)), y[k]

    def test(self, model: Model, history: History) -> Tested:
        found = {"perplexity": history["perplexity"][-1], "best perplexity": min(history["perplexity"])}
        return Tested(found, {"written": self.written(model), "prefixes": PREFIXES})

    def written(self, model: Model) -> list[str]:
        """The prefixes, each with what follows, always the most probable character."""
        one = self.experiment.build({**self.settings, "steps": 1, "sampling": "sequential"}, self.seed)
        one.set_weights(model.get_weights())
        return [continued(one, self.tokens, prefix, WRITTEN) for prefix in PREFIXES]


def sequential(characters: int, batch: int, steps: int, rng: np.random.Generator) -> Numbers:
    """Where sequences start, batch after batch: the text in `batch` parts, read side by side.

    >>> sequential(12, 2, 3, np.random.default_rng(0)).tolist()
    [0, 6, 3, 9]
    """
    part = characters // batch
    return (np.arange(part // steps)[:, None] * steps + np.arange(batch) * part).reshape(-1)


def at_random(characters: int, batch: int, steps: int, rng: np.random.Generator) -> Numbers:
    """Where sequences start, in any order, as many as fill batches.

    >>> sorted(at_random(12, 2, 3, np.random.default_rng(0)).tolist())
    [0, 3, 6, 9]
    """
    starts = np.arange(characters // steps) * steps
    rng.shuffle(starts)
    return starts[: len(starts) // batch * batch]


def one_hot(numbers: Numbers, tokens: int) -> NDArray[np.float32]:
    """(..., V): 1 in the place of each number.

    >>> one_hot(np.array([1, 0]), 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return np.eye(tokens, dtype=np.float32)[numbers]


def continued(model: Model, tokens: Tokens, prefix: str, count: int) -> str:
    """A text with so many characters more, each the most probable one after all before it.

    model takes one step of one-hot tokens (B, 1, V) and is stateful.
    """
    model.reset_states()
    said = list(tokens.numbers(prefix))

    def read(number: int) -> int:
        answer = model.predict(one_hot(np.array([[number]]), len(tokens.tokens)), 1)
        return int(answer[0, 0].argmax())

    following = [read(number) for number in said]
    said.append(following[-1])
    for _ in range(count - 1):
        said.append(read(said[-1]))
    return tokens.text(said)
