"""Optimizers, with Keras's names and update rules; their state has cells.

# w a parameter, g its gradient, rate the learning rate of the step, t the number of the step from 1

An update is written once, for expressions and for NumPy arrays: E is either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from simulator.nn.option import Configured, chosen, is_whole, require

E = Any


class Memory(Protocol):
    """What an update may use beside the parameter and its gradient."""

    @property
    def rate(self) -> E: ...

    @property
    def t(self) -> E:
        """The number of the step, from 1."""
        ...

    def number(self, name: str, value: float, meaning: str) -> E:
        """A hyperparameter, with its cell."""
        ...

    def state(self, symbol: str, w: E, renew: Callable[[E], E], meaning: str, first: float = 0.0) -> E:
        """An array like w that is renewed from its own value of the step before."""
        ...

    def shared(self, name: str, make: Callable[[], E], meaning: str) -> E:
        """A number that all parameters of the step share."""
        ...

    def sqrt(self, x: E) -> E: ...

    def power(self, base: E, exponent: E) -> E: ...

    def cos(self, x: E) -> E: ...

    def at_most_1(self, x: E) -> E: ...

    def whole(self, x: E) -> E:
        """x without what stands behind its point."""
        ...


class Schedule(Configured):
    """A learning rate that depends on the step, counted from 0.

    >>> ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(20)
    0.125
    """

    initial_learning_rate: float

    def rate(self, memory: Memory, first: E) -> E:
        """The rate of the step memory.t - 1, where first is the initial one."""
        raise NotImplementedError

    def __call__(self, step: int) -> float:
        from simulator.nn.backend.network import Memory

        memory = Memory(0.0, int(step) + 1, {}, np.zeros(1, np.float32), slice(0), {})
        return float(self.rate(memory, self.initial_learning_rate))


@dataclass
class _Passing(Schedule):
    """A rate that depends on step/decay_steps."""

    initial_learning_rate: float = 0.01
    decay_steps: float = 1

    def __post_init__(self) -> None:
        _positive(self, "initial_learning_rate", "decay_steps")

    def config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, **super().config()}

    def passed(self, memory: Memory) -> E:
        """step/decay_steps."""
        steps = memory.number("decay_steps", self.decay_steps, "steps over which the learning rate decays")
        return (memory.t - 1) / steps


@dataclass
class _Decay(_Passing):
    decay_rate: float = 0.5
    staircase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self, "decay_rate")

    def passed(self, memory: Memory) -> E:
        passed = super().passed(memory)
        return memory.whole(passed) if self.staircase else passed

    def decay(self, memory: Memory) -> E:
        return memory.number("decay_rate", self.decay_rate, "how much it decays over these steps")


class InverseTimeDecay(_Decay):
    """rate = initial/(1 + decay_rate * step/decay_steps); with staircase, only whole times of decay_steps count."""

    def rate(self, memory: Memory, first: E) -> E:
        passed = self.passed(memory)
        return first / (1 + self.decay(memory) * passed)


class ExponentialDecay(_Decay):
    """rate = initial * decay_rate^(step/decay_steps); with staircase, only whole times of decay_steps count."""

    def rate(self, memory: Memory, first: E) -> E:
        passed = self.passed(memory)
        return first * memory.power(self.decay(memory), passed)


@dataclass
class StepDecay(ExponentialDecay):
    """rate = initial * decay_rate^n, n counting the times that decay_steps have passed: Keras's staircase."""

    staircase: bool = True


@dataclass
class CosineDecay(_Passing):
    """rate = initial * ((1 - alpha) * (1 + cos(pi * step/decay_steps))/2 + alpha), alpha of it after decay_steps."""

    alpha: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self, "alpha")

    def rate(self, memory: Memory, first: E) -> E:
        alpha = memory.number("alpha_rate", self.alpha, "share of the learning rate that is left at the end")
        half = (1 + memory.cos(math.pi * memory.at_most_1(self.passed(memory)))) / 2
        return first * ((1 - alpha) * half + alpha)


@dataclass
class PiecewiseConstantDecay(Schedule):
    """values[0] up to the step boundaries[0], then values[1] up to boundaries[1], and so on; one value more.

    >>> [PiecewiseConstantDecay([100, 200], [0.1, 0.05, 0.01])(step) for step in (100, 101, 500)]
    [0.1, 0.05, 0.01]
    """

    boundaries: Sequence[float] = ()
    values: Sequence[float] = ()

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.boundaries))
        good = len(self.values) == len(self.boundaries) + 1 and rising and all(value > 0 for value in self.values)
        rule = "PiecewiseConstantDecay needs rising boundaries, and one value above 0 more than these."
        require(good, rule, f"{list(self.boundaries)} and {list(self.values)}")
        self.initial_learning_rate = self.values[0]

    def rate(self, memory: Memory, first: E) -> E:
        step = memory.whole(memory.t - 1)
        return self.values[sum(step > boundary for boundary in self.boundaries)]


def _positive(options: Any, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        good = number and math.isfinite(value) and value > 0
        require(good, f"{type(options).__name__} needs {name} to be a number above 0.", repr(value))


def _share(options: Any, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        good = 0 <= value < 1
        require(good, f"{type(options).__name__} needs {name} from 0 to below 1.", repr(value))


@dataclass
class Optimizer(Configured):
    """Base of all optimizers. learning_rate is a number above 0 or a schedule.

    clipvalue bounds every entry of a gradient, clipnorm the norm of every weight's gradient, global_clipnorm that of
    all of them together. weight_decay makes a parameter smaller by rate*weight_decay*w. With
    gradient_accumulation_steps=k only each k-th step changes the weights, by the mean of k gradients: a batch k times
    as large, in the memory of one. Schedules count every step.
    """

    learning_rate: float | Schedule = 0.01
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    gradient_accumulation_steps: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        require(len(given) < 2, "An optimizer clips in one way.", ", ".join(given), "Leave the others out.")
        _positive(self, *given)
        kind, decay = type(self).__name__, self.weight_decay
        require(decay is None or decay >= 0, f"{kind} needs a weight_decay of 0 or more.", decay)
        steps = self.gradient_accumulation_steps
        good = steps is None or (is_whole(steps) and steps > 1)
        require(good, "gradient_accumulation_steps is a whole number from 2, or None.", repr(steps))
        if not isinstance(self.learning_rate, Schedule):
            _positive(self, "learning_rate")

    def update(self, memory: Memory, w: E, g: E) -> E:
        """The parameter after the step."""
        after = self.step(memory, w, g)
        if not self.weight_decay:
            return after
        decay = memory.number("weight_decay", self.weight_decay, "share of a weight that is taken off")
        return after - memory.rate * decay * w

    def step(self, memory: Memory, w: E, g: E) -> E:
        """The parameter after the step, without its decay."""
        raise NotImplementedError

    @property
    def clips(self) -> bool:
        return any(bound is not None for bound in (self.clipnorm, self.clipvalue, self.global_clipnorm))

    def clip(self, gradients: Sequence[Any]) -> None:
        """Clip NumPy gradients in place, as the options say."""
        squares = [float(np.vdot(g, g)) for g in gradients]
        for g, square in zip(gradients, squares, strict=True):
            if self.clipvalue is not None:
                np.clip(g, -self.clipvalue, self.clipvalue, out=g)
                continue
            bound = self.clipnorm if self.global_clipnorm is None else self.global_clipnorm
            norm = math.sqrt(square if self.global_clipnorm is None else math.fsum(squares))
            if bound is not None and norm > bound:
                g *= g.dtype.type(bound / norm)


@dataclass
class SGD(Optimizer):
    """w' = w - rate*g. With momentum v' = momentum*v - rate*g, w' = w + v'; Nesterov w' = w + momentum*v' - rate*g.

    >>> SGD(learning_rate=0.5).momentum
    0.0
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self, "momentum")

    def step(self, memory: Memory, w: E, g: E) -> E:
        if not self.momentum:
            return w - memory.rate * g
        momentum = memory.number("momentum", self.momentum, "share of the last velocity that is kept")
        v = memory.state("v", w, lambda v: momentum * v - memory.rate * g, "velocity")
        return w + momentum * v - memory.rate * g if self.nesterov else w + v


@dataclass
class Adagrad(Optimizer):
    """n' = n + g^2, w' = w - rate*g/sqrt(n' + epsilon)."""

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self, "epsilon")

    def step(self, memory: Memory, w: E, g: E) -> E:
        epsilon = memory.number("epsilon", self.epsilon, "keeps the root away from zero")
        n = memory.state("n", w, lambda n: n + g**2, "sum of squared gradients", self.initial_accumulator_value)
        return w - memory.rate * g / memory.sqrt(n + epsilon)


@dataclass
class RMSprop(Optimizer):
    """n' = rho*n + (1-rho)*g^2, w' = w - rate*g/sqrt(n' + epsilon).

    With momentum v' = momentum*v + rate*g/sqrt(n' + epsilon), w' = w - v'.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self, "rho", "momentum")
        _positive(self, "epsilon")

    def step(self, memory: Memory, w: E, g: E) -> E:
        epsilon = memory.number("epsilon", self.epsilon, "keeps the root away from zero")
        rho = memory.number("rho", self.rho, "share of the last mean square that is kept")
        n = memory.state("n", w, lambda n: rho * n + (1 - rho) * g**2, "moving mean of squared gradients")
        if not self.momentum:
            return w - memory.rate * g / memory.sqrt(n + epsilon)
        momentum = memory.number("momentum", self.momentum, "share of the last velocity that is kept")
        v = memory.state("v", w, lambda v: momentum * v + memory.rate * g / memory.sqrt(n + epsilon), "velocity")
        return w - v


@dataclass
class Adam(Optimizer):
    """m' = beta_1*m + (1-beta_1)*g, v' = beta_2*v + (1-beta_2)*g^2, w' = w - alpha*m'/(sqrt(v') + epsilon).

    alpha = rate*sqrt(1-beta_2^t)/(1-beta_1^t) corrects both for their start at zero. Source: Kingma & Ba 2015, in the
    form that Keras uses.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self, "beta_1", "beta_2")
        _positive(self, "epsilon")

    def step(self, memory: Memory, w: E, g: E) -> E:
        beta_1 = memory.number("beta_1", self.beta_1, "share of the last first moment that is kept")
        beta_2 = memory.number("beta_2", self.beta_2, "share of the last second moment that is kept")
        epsilon = memory.number("epsilon", self.epsilon, "keeps the divisor away from zero")
        alpha = memory.shared(
            "alpha",
            lambda: (
                memory.rate * memory.sqrt(1 - memory.power(beta_2, memory.t)) / (1 - memory.power(beta_1, memory.t))
            ),
            "learning rate with both moments corrected",
        )
        m = memory.state("m", w, lambda m: beta_1 * m + (1 - beta_1) * g, "first moment")
        v = memory.state("v", w, lambda v: beta_2 * v + (1 - beta_2) * g**2, "second moment")
        return w - alpha * m / (memory.sqrt(v) + epsilon)


@dataclass
class AdamW(Adam):
    """Adam, and w' smaller by rate*weight_decay*w. Source: Loshchilov & Hutter 2019."""

    weight_decay: float | None = 0.004


OPTIMIZERS = {"sgd": SGD, "adagrad": Adagrad, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}


def optimizer_of(value: object) -> Optimizer:
    """An optimizer, or the one that Keras's short name stands for, with its defaults."""
    if isinstance(value, Optimizer):
        return value
    if isinstance(value, type) and issubclass(value, Optimizer):
        return value()
    return chosen("An optimizer", value.lower() if isinstance(value, str) else value, OPTIMIZERS)()
