"""First weights, with Keras's names; those of small networks are rounded, so that a hand can type them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simulator.nn.option import Configured, chosen, is_whole, made, require

Array = NDArray[np.float64]
Shape = tuple[int, ...]
DECIMALS, TYPED = 3, 10_000  # of first weights; weights of a network that is small
BOUND, SPREAD = 2.0, 0.8796256610342398  # where a normal is cut off, in standard deviations; what its own is after that


@dataclass
class Initializer(Configured):
    """Base of all: called with a shape, it makes an array."""

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        """The first weights. rng is the model's generator; a seed of one's own goes before it."""
        raise NotImplementedError


@dataclass
class Constant(Initializer):
    """The same value everywhere.

    >>> Constant(0.5)((2,))
    array([0.5, 0.5])
    """

    value: float = 0.0

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        return np.full(shape, float(self.value))


@dataclass
class Zeros(Initializer):
    """0 everywhere."""

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        return np.zeros(shape)


@dataclass
class Ones(Initializer):
    """1 everywhere."""

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        return np.ones(shape)


@dataclass
class _Drawn(Initializer):
    """With a seed, the same numbers for a shape every time; without, those that the model's seed leads to."""

    def __post_init__(self) -> None:
        seed = getattr(self, "seed", None)
        rule = f"{type(self).__name__} needs a seed that is a whole number from 0."
        require(seed is None or (is_whole(seed) and seed >= 0), rule, repr(seed))
        stddev = getattr(self, "stddev", 0.0)
        require(stddev >= 0, f"{type(self).__name__} needs a stddev of 0 or more.", stddev)

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        seed = getattr(self, "seed", None)
        return self.drawn(np.random.default_rng(seed) if rng is None or seed is not None else rng, shape)

    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        raise NotImplementedError


@dataclass
class RandomNormal(_Drawn):
    """Normal numbers.

    >>> RandomNormal(stddev=0.01, seed=1)((2,)).round(4)
    array([0.0035, 0.0082])
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        return rng.normal(self.mean, self.stddev, shape)


@dataclass
class TruncatedNormal(_Drawn):
    """Normal numbers, drawn anew where they are more than two stddev away from the mean."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        return self.mean + self.stddev * _truncated(rng, shape)


@dataclass
class RandomUniform(_Drawn):
    """Numbers from minval to maxval, all equally likely."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = "RandomUniform needs a minval that is not above maxval."
        require(self.minval <= self.maxval, rule, f"{self.minval}, {self.maxval}")

    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


@dataclass
class Orthogonal(_Drawn):
    """gain times a matrix with orthogonal columns, or rows where there are fewer of them."""

    gain: float = 1.0
    seed: int | None = None

    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        require(len(shape) > 1, "Orthogonal makes arrays of two axes or more.", shape)
        rows, cols = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, cols), min(rows, cols))))
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= cols else q.T).reshape(shape)


@dataclass
class _Scaled(_Drawn):
    """Numbers of variance scale/n; n are the inputs of a unit or, with both, the mean of its inputs and outputs."""

    scale: ClassVar[float]
    both: ClassVar[bool] = False
    seed: int | None = None

    def variance(self, shape: Shape) -> float:
        fan_in, fan_out = _fans(shape)
        return self.scale / max(1.0, (fan_in + fan_out) / 2 if self.both else fan_in)


@dataclass
class _ScaledUniform(_Scaled):
    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        limit = math.sqrt(3 * self.variance(shape))
        return rng.uniform(-limit, limit, shape)


@dataclass
class _ScaledNormal(_Scaled):
    def drawn(self, rng: np.random.Generator, shape: Shape) -> Array:
        return math.sqrt(self.variance(shape)) / SPREAD * _truncated(rng, shape)


@dataclass
class GlorotUniform(_ScaledUniform):
    """From -a to a, a = sqrt(6/(inputs + outputs)). Source: Glorot & Bengio 2010."""

    scale: ClassVar[float] = 1.0
    both: ClassVar[bool] = True


@dataclass
class GlorotNormal(_ScaledNormal):
    """A truncated normal with standard deviation sqrt(2/(inputs + outputs)). Source: Glorot & Bengio 2010."""

    scale: ClassVar[float] = 1.0
    both: ClassVar[bool] = True


@dataclass
class HeUniform(_ScaledUniform):
    """From -a to a, a = sqrt(6/inputs). Source: He et al. 2015."""

    scale: ClassVar[float] = 2.0


@dataclass
class HeNormal(_ScaledNormal):
    """A truncated normal with standard deviation sqrt(2/inputs). Source: He et al. 2015."""

    scale: ClassVar[float] = 2.0


@dataclass
class LecunUniform(_ScaledUniform):
    """From -a to a, a = sqrt(3/inputs). Source: Klambauer et al. 2017."""

    scale: ClassVar[float] = 1.0


@dataclass
class LecunNormal(_ScaledNormal):
    """A truncated normal with standard deviation sqrt(1/inputs). Source: Klambauer et al. 2017."""

    scale: ClassVar[float] = 1.0


@dataclass
class ForgetGate(Initializer):
    """An LSTM's biases: 1 for the forget gate, which is the second of four, and another initializer for the rest."""

    rest: str | Initializer

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Array:
        gates = _object(self.rest)(shape, rng).reshape(4, -1)
        gates[1] = 1.0
        return gates.reshape(shape)


def _fans(shape: Shape) -> tuple[int, int]:
    """How many numbers enter and leave a unit."""
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _truncated(rng: np.random.Generator, shape: Shape) -> Array:
    found = rng.standard_normal(shape)
    while (out := np.abs(found) > BOUND).any():
        found[out] = rng.standard_normal(np.count_nonzero(out))
    return found


INITIALIZERS: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "random_uniform": RandomUniform,
    "random_normal": RandomNormal,
    "truncated_normal": TruncatedNormal,
    "orthogonal": Orthogonal,
}
TYPES = {cls.__name__: cls for cls in INITIALIZERS.values()}


def initializer_of(value: object) -> str | Initializer:
    """An initializer or its name, from one of them or from a table with its type and options."""
    if isinstance(value, dict):
        return made("An initializer's type", value, TYPES)
    if isinstance(value, type) and issubclass(value, Initializer):
        return value()
    if not isinstance(value, Initializer):
        chosen("An initializer", value, INITIALIZERS)
    return value  # type: ignore[return-value]  # the table's keys are texts


def _object(value: str | Initializer) -> Initializer:
    return INITIALIZERS[value]() if isinstance(value, str) else value


def initial(initializer: str | Initializer, rng: np.random.Generator, shape: Shape, total: int = 0) -> Array:
    """An array of first weights. What is drawn for a network of no more than TYPED weights is rounded.

    To DECIMALS, or to the two leading digits of the largest where all are small.
    """
    initializer = _object(initializer)
    found = initializer(shape, rng)
    largest = np.abs(found).max(initial=0.0)
    if total > TYPED or isinstance(initializer, Constant) or largest == 0:
        return found
    return np.round(found, max(DECIMALS, 1 - math.floor(math.log10(largest)))) + 0.0
