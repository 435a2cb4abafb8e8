"""What students are asked at TensorFlow Playground, as lessons: a network, its data, many runs, an answer.

# R runs, E epochs; losses are the playground's, half of the mean squared error, unless a name says otherwise

The playground's loss is 0.5*(tanh output - label)^2 and its penalties are l1*|w| and 0.5*l2*w^2. Training with Keras's
mean squared error at half the learning rate, with 2*l1 and l2, makes the same steps. First weights are Keras's here
(Glorot, biases 0); the playground draws from -0.5 to 0.5, biases 0.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator import nn
from simulator.datasets.playground import Data, Halves, planar, split
from simulator.errors import SettingError, did_you_mean
from simulator.nn.layer import Layer
from simulator.nn.runs import Runs, train_runs

Array = NDArray[np.float64]
GOAL = 0.177  # the test loss that the course asks for
CONSTANT = 0.5  # the loss of a network that answers 0 everywhere
SAMPLES, NOISE, DATA_SEED = 500, 0.35, 1
PLAIN = ("x1", "x2")
ROUND = 3  # decimals of weights that a workbook starts from


@dataclass(frozen=True)
class PlaygroundLesson:
    """A question, the network it is asked about, and what the workbook shows of it.

    hidden holds the units of the hidden layers; rate, l1 and l2 are the playground's. shown_* speak of the workbook:
    few samples without noise in full batches, from the first weights of a seed, or with trained=True from the weights
    of the best run.
    """

    name: str
    title: str
    question: str
    hidden: tuple[int, ...]
    activation: str
    answer: Callable[[Outcome], str]
    shown_seed: int
    shown: str
    data: str = "xor"
    noise: float = NOISE
    features: tuple[str, ...] = PLAIN
    rate: float = 0.03
    l1: float = 0.0
    l2: float = 0.0
    batch_size: int | None = 10
    epochs: int = 300
    shown_samples: int = 20
    shown_rate: float = 0.3
    shown_epochs: int = 60
    trained: bool = False
    rivals: tuple[tuple[int, ...], ...] = ()  # hidden layers of networks to compare with
    draws: tuple[int, ...] = ()  # other seeds of the data to try the network on

    def model(self, hidden: Sequence[int] | None = None, *, rate: float | None = None, seed: int = 0) -> nn.Model:
        """The compiled network, or another one of this lesson's settings."""
        penalty = nn.L1L2(2 * self.l1, self.l2) if self.l1 or self.l2 else None
        units = self.hidden if hidden is None else hidden
        layers: list[Layer] = [] if self.features == PLAIN else [nn.Features(self.features)]
        layers += [nn.Dense(n, self.activation, kernel_regularizer=penalty) for n in units]
        layers.append(nn.Dense(1, "tanh", kernel_regularizer=penalty))
        model = nn.Sequential([nn.Input((2,)), *layers], name=self.title, seed=seed)
        return model.compile(nn.SGD((rate or self.rate) / 2), "mean_squared_error")

    def halves(self, data_seed: int = DATA_SEED) -> Halves:
        """Points with noise, one half to train with and one to test with."""
        return split(planar(self.data, SAMPLES, self.noise, data_seed), data_seed)

    def shown_data(self) -> Data:
        """The few samples of the workbook, without noise."""
        return planar(self.data, self.shown_samples, 0.0, DATA_SEED)

    def run(self, runs: int = 100, epochs: int | None = None, data_seed: int = DATA_SEED) -> Outcome:
        """Train from the seeds 0 to runs - 1, and the rivals too."""
        halves, tried = self.halves(data_seed), {}
        for hidden in dict.fromkeys((self.hidden, *self.rivals)):
            tried[hidden] = self._trained(hidden, halves, runs, epochs or self.epochs)
        others = {seed: self.halves(seed) for seed in self.draws}
        draws = {seed: self._trained(self.hidden, h, runs, epochs or self.epochs).tests for seed, h in others.items()}
        return Outcome(self, halves, tried, draws)

    def _trained(self, hidden: tuple[int, ...], halves: Halves, runs: int, epochs: int) -> Runs:
        (x, y), (x_test, y_test) = ((points, labels) for points, labels in halves)
        model = self.model(hidden)
        found = train_runs(model, x, y, epochs, range(runs), self.batch_size, x_test, y_test)
        return Runs(found.costs / 2, found.tests / 2, found.weights)


@dataclass(frozen=True)
class Outcome:
    """What the runs of a lesson's network ended at, those of its rivals, and its test losses (R,) on other data."""

    lesson: PlaygroundLesson
    halves: Halves
    tried: Mapping[tuple[int, ...], Runs] = field(repr=False)
    draws: Mapping[int, Array] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> Runs:
        return self.tried[self.lesson.hidden]

    @property
    def tests(self) -> Array:
        return self.runs.tests

    @property
    def best(self) -> int:
        """The run with the smallest test loss."""
        return int(np.argmin(self.tests))

    @property
    def worst(self) -> int:
        return int(np.argmax(self.tests))

    @property
    def typical(self) -> int:
        """The run in the middle, the lower one of two."""
        return int(np.argsort(self.tests, kind="stable")[(len(self.tests) - 1) // 2])

    @property
    def sentence(self) -> str:
        """The answer to the lesson's question, from these numbers."""
        return self.lesson.answer(self)

    def reached(self, hidden: tuple[int, ...] | None = None) -> int:
        """How many runs end at the goal or below."""
        return int((self.tried[hidden or self.lesson.hidden].tests <= GOAL).sum())


def ideal_loss(data: Data, noise: float) -> float:
    """The loss of the answer E(label | x1, x2) on these points of the exclusive-or; none can be expected to do better.

    A label is the sign of (x1 + e1)*(x2 + e2), e uniform within 5*noise.
    """
    reach = 5 * noise
    p = np.clip(0.5 + data.points / (2 * reach), 0, 1) if noise else (data.points > 0) * 1.0
    mean = (2 * p[:, 0] - 1) * (2 * p[:, 1] - 1)
    return float(np.mean(0.5 * (mean - data.labels) ** 2))


def named(hidden: tuple[int, ...]) -> str:
    """3-3-2, as the playground's users write it."""
    return "-".join(map(str, hidden))


def _middle(tests: Array) -> float:
    return float(np.sort(tests)[(len(tests) - 1) // 2])


def _spread(tests: Array) -> str:
    return f"{tests.min():.3f} at best, {_middle(tests):.3f} in the middle, {tests.max():.3f} at worst"


def _linear(o: Outcome) -> str:
    word = "No" if o.tests.min() > 0.9 * CONSTANT else "It does better than a constant"
    return (
        f"{word}: {len(o.tests)} runs end at test losses of {_spread(o.tests)}, and answering 0 everywhere gives "
        f"{CONSTANT}; where the answer of a linear neuron changes its sign there is always one straight line."
    )


def _fits(o: Outcome) -> str:
    reached, runs = o.reached(), len(o.tests)
    if reached == runs:
        word = "Yes, every time"
    elif reached:
        word = "Yes, but not every time"
    else:
        word = "Only in part" if o.tests.min() < 0.9 * CONSTANT else "No"
    said = f"{word}: {reached} of {runs} runs end at a test loss of {GOAL} or below; {_spread(o.tests)}."
    if o.lesson.data == "xor":
        ideal = ideal_loss(o.halves.test, o.lesson.noise)
        said += f" The best that can be expected with this noise is {ideal:.3f} on these points."
    return said


def _varies(o: Outcome) -> str:
    quarter, three = np.quantile(o.tests, [0.25, 0.75])
    stuck = int((o.tests > 0.9 * CONSTANT).sum())
    return (
        f"Same data, same settings, other first weights: {o.reached()} of {len(o.tests)} runs end at {GOAL} or below, "
        f"half of them between {quarter:.3f} and {three:.3f}, and {stuck} stay above {0.9 * CONSTANT:g}, hardly better "
        f"than answering 0 everywhere ({CONSTANT}); {_spread(o.tests)}."
    )


def _smallest(o: Outcome) -> str:
    runs = len(o.tests)
    tried = sorted(o.tried, key=_size)
    good = [hidden for hidden in tried if o.reached(hidden)]
    table = ", ".join(f"{named(h)}: {o.reached(h)} ({o.tried[h].tests.min():.3f})" for h in tried)
    if not good:
        said = f"None of {len(tried)} networks reaches {GOAL} in {runs} runs. Best test losses: {table}."
    else:
        least = good[0]
        neurons = f"{sum(least)} hidden neuron{'s' * (sum(least) > 1)}"
        layers = f"{len(least)} layer{'s' * (len(least) > 1)}"
        rows = f"runs that reached it, and the best test loss: {table}"
        said = (
            f"{neurons} in {layers} ({named(least)}) is the smallest that reached {GOAL}, in {o.reached(least)} "
            f"of {runs} runs. Tried: {o.lesson.activation} units on {' and '.join(o.lesson.features)}; {rows}."
        )
    if o.draws:
        counts = ", ".join(str(int((tests <= GOAL).sum())) for tests in o.draws.values())
        said += f" With other points of the same kind {named(o.lesson.hidden)} reaches it in {counts} of {runs} runs."
    return said


def _size(hidden: tuple[int, ...]) -> tuple[int, int]:
    return sum(hidden), len(hidden)


def _better(o: Outcome) -> str:
    [rival] = [h for h in o.tried if h != o.lesson.hidden]
    other, runs = o.tried[rival].tests, len(o.tests)
    best = "a lower" if o.tests.min() < other.min() else "no lower"
    often = "more" if o.reached() > o.reached(rival) else "as" if o.reached() == o.reached(rival) else "less"
    than = "as" if often == "as" else "than"
    yes = o.tests.min() < other.min() and o.reached() > o.reached(rival)
    no = o.tests.min() >= other.min() and o.reached() <= o.reached(rival)
    word = "Yes" if yes else "No" if no else "Yes and no"
    return (
        f"{word}: {named(o.lesson.hidden)} ends at {GOAL} or below {often} often {than} {named(rival)} "
        f"({o.reached()} against {o.reached(rival)} of {runs} runs), with {best} best test loss ({o.tests.min():.3f} "
        f"against {other.min():.3f}) and a middle one of {_middle(o.tests):.3f} against {_middle(other):.3f}."
    )


FROM_SEED = "20 points of the same rule without noise, so that every number can be followed, from first weights that"
LESSONS = (
    PlaygroundLesson(
        "playground-linear",
        "One linear neuron",
        "Does one linear neuron learn a boundary that is not a straight line?",
        (1,),
        "linear",
        _linear,
        shown_seed=6,
        shown=f"{FROM_SEED} end as most do: at a straight line, and a loss near 0.5.",
    ),
    PlaygroundLesson(
        "playground-two-relu",
        "Two ReLU neurons",
        "Can two ReLU neurons learn the exclusive-or?",
        (2,),
        "relu",
        _fits,
        shown_seed=5,
        shown=f"{FROM_SEED} end as most do: part of the plane stays wrong.",
    ),
    PlaygroundLesson(
        "playground-three-relu",
        "Three ReLU neurons",
        "Can three ReLU neurons learn the exclusive-or?",
        (3,),
        "relu",
        _fits,
        shown_seed=2,
        shown=f"{FROM_SEED} end well: all four corners are right.",
    ),
    PlaygroundLesson(
        "playground-runs",
        "The same network, other first weights",
        "How much does the quality of three ReLU neurons vary from run to run?",
        (3,),
        "relu",
        _varies,
        shown_seed=16,
        shown=f"{FROM_SEED} end badly; nothing else differs from playground-three-relu, which ends well.",
    ),
    PlaygroundLesson(
        "playground-smallest",
        "The smallest network",
        f"What is the smallest network that reaches a test loss of {GOAL}?",
        (3,),
        "relu",
        _smallest,
        shown_seed=0,
        shown="the weights of the best run with three neurons, rounded to three decimals, on 20 points without noise: "
        "one more step. Set a weight on Parameters to 0 and see on Boundary what it was needed for.",
        shown_epochs=1,
        trained=True,
        rivals=((1,), (2,), (4,), (2, 2), (5,), (3, 2), (6,), (3, 3)),
        draws=(0, 2, 3),
    ),
    PlaygroundLesson(
        "playground-332",
        "A network of 3-3-2 neurons",
        "Does a network with hidden layers of 3, 3 and 2 ReLU neurons do better than one with 3?",
        (3, 3, 2),
        "relu",
        _better,
        shown_seed=7,
        shown=f"{FROM_SEED} end as many do with three layers: the first unit of layer 2 answers 0 at every point, "
        "and gets no gradient any more.",
        rivals=((3,),),
    ),
    PlaygroundLesson(
        "playground-circle",
        "A circle from squares",
        "Can a single tanh neuron without a hidden layer learn a circle, if it is shown x1^2 and x2^2?",
        (),
        "linear",
        _fits,
        shown_seed=0,
        shown=f"{FROM_SEED} end well: a sum of squares below a limit is the inside of a circle.",
        data="circle",
        noise=0.1,
        features=("x1^2", "x2^2"),
        epochs=60,
    ),
    PlaygroundLesson(
        "playground-spiral",
        "A spiral from all features",
        "Can eight tanh neurons learn the spiral from all seven features?",
        (8,),
        "tanh",
        _fits,
        shown_seed=0,
        shown=f"{FROM_SEED} are on their way: the spiral takes far more epochs than a workbook should hold.",
        data="spiral",
        noise=0.0,
        features=("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)"),
    ),
    PlaygroundLesson(
        "playground-gauss",
        "Two clouds",
        "Is one neuron enough for two clouds of points?",
        (),
        "linear",
        _fits,
        shown_seed=0,
        shown=f"{FROM_SEED} end at a straight line between the clouds, which is all that is needed.",
        data="gauss",
        noise=0.3,
        epochs=60,
    ),
)
PLAYGROUND = {lesson.name: lesson for lesson in LESSONS}


def find_playground(name: str) -> PlaygroundLesson:
    """The lesson of that name. Raises SettingError, with the nearest name, when there is none."""
    if name in PLAYGROUND:
        return PLAYGROUND[name]
    hint = did_you_mean(name.lower(), PLAYGROUND, 0.4)
    raise SettingError(f"A playground lesson is one of {', '.join(PLAYGROUND)}. Received: '{name}'.{hint}")
