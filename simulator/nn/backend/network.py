"""What a network is on any backend at full size: its loss, its learning rate, and what an update may use.

# N samples of a batch
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from simulator.nn.backend.cpu.activation import curve_of
from simulator.nn.backend.cpu.loss import LOSSES, Loss, huber
from simulator.nn.backend.cpu.plan import AnyArray, Array, Weight, inwards, outwards
from simulator.nn.backend.operation import Carried
from simulator.nn.layer import Layer, Tensor, walk
from simulator.nn.loss import LossOption
from simulator.nn.optimizer import Optimizer, Schedule
from simulator.nn.recurrent import Recurrent

Named = tuple[int, str]  # a weight's layer, by its number, and Keras's name of it
CARRIED = "carried"  # in the names of what stateful layers keep


@dataclass
class Memory:
    """What an optimizer's update may use, for the rows of a weight; see `simulator.nn.optimizer.Memory`."""

    rate: float
    t: int
    states: dict[str, Array]
    like: Array
    rows: slice
    numbers: dict[str, Any]

    def number(self, name: str, value: float, meaning: str) -> float:
        return value

    def shared(self, name: str, make: Callable[[], Any], meaning: str) -> Any:
        if name not in self.numbers:
            self.numbers[name] = make()
        return self.numbers[name]

    def state(self, symbol: str, w: Any, renew: Callable[[Any], Any], meaning: str, first: float = 0.0) -> Any:
        mine = state_of(self.states, symbol, self.like, first)[self.rows]
        mine[...] = renew(mine)
        return mine

    def sqrt(self, x: Any) -> Any:
        return np.sqrt(x)

    def power(self, base: Any, exponent: Any) -> Any:
        return base**exponent

    def cos(self, x: Any) -> Any:
        return np.cos(x)

    def at_most_1(self, x: Any) -> Any:
        return min(x, 1.0)

    def whole(self, x: Any) -> Any:
        return math.floor(x)


def state_of(states: dict[str, Array], name: str, like: Array, first: float = 0.0) -> Array:
    """An array that is kept from step to step; threads that ask at once get the same one."""
    return states[name] if name in states else states.setdefault(name, np.full_like(like, first))


@dataclass(eq=False)
class Network:
    """A model's layers with weights in float32, and what their training needs, whichever way they are computed.

    held are the model's own arrays that the weights were taken from last.
    """

    output: Tensor
    numbers: Mapping[int, int]  # a layer's id -> its number
    optimizer: Optimizer | None = field(default=None, kw_only=True)
    loss: str = field(default="", kw_only=True)
    loss_option: LossOption = field(default_factory=LossOption, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    step_number: int = field(default=0, kw_only=True)
    held: list[AnyArray] = field(default_factory=list, kw_only=True)

    def until(self, output: Tensor) -> Network:
        """The same network as far as another of its layers."""
        raise NotImplementedError

    def predict(self, x: AnyArray, training: bool | None = False, step: int | None = None) -> AnyArray:
        """The network's answers for a batch (N, ...).

        With training they are random as in training, by the numbers of that step or of the last one. None is Keras's
        default of a model that is called: what moves pictures draws, nothing else does.
        """
        raise NotImplementedError

    def train(
        self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None, answers: bool = True
    ) -> tuple[float, AnyArray]:
        """One step on a batch: its loss, with penalties, and its predictions, both from before the step.

        Without answers the predictions, which a loss may do without, needn't be there.
        weights (N,), or one for every loss of a sample (N, ...), say how much each counts.
        """
        raise NotImplementedError

    def penalty(self) -> float:
        """What regularizers add to the loss."""
        raise NotImplementedError

    def read(self) -> dict[Named, Array]:
        """All weights."""
        raise NotImplementedError

    def write(self, weights: Mapping[Named, AnyArray]) -> None:
        """Take these values for all weights."""
        raise NotImplementedError

    def state(self) -> dict[str, Array]:
        """Weights, what the optimizer remembers, and the number of steps; `restore` takes it back."""
        raise NotImplementedError

    def restore(self, state: Mapping[str, Array]) -> None:
        raise NotImplementedError

    @property
    def losses(self) -> tuple[Loss, Loss | None]:
        """The loss of the network's answers, and that of what stands before the last activation."""
        return losses_of(self.loss_option)

    def assess(self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None) -> tuple[float, AnyArray]:
        """The sum of the losses of a batch, each times the weight of its sample, and the network's answers.

        As in training, a cross-entropy is that of the numbers before the last activation: small probabilities count in
        full.
        """
        before, (loss_of, logits_of), last = self._before_last, self.losses, self.output.layer
        result = inwards((before or self).predict(x))
        p = result
        if before is not None and logits_of is not None:
            loss_of, p = logits_of, np.empty_like(result)
            curve_of(getattr(last, "activation", "")).apply(result, p)
        kept, labels = classes_before_samples(result), labels_kept(self.loss_option.smoothed(y))
        return loss_of(labels, kept, np.empty_like(kept), factor_of(1.0, weights, kept.ndim)), outwards(p)

    @cached_property
    def _before_last(self) -> Network | None:
        """This network without its last activation, where the loss can do without; None where it can't."""
        last, wanted = self.output.layer, "sigmoid" if self.loss == "binary_crossentropy" else "softmax"
        if self.losses[1] is None or isinstance(last, Recurrent) or getattr(last, "activation", None) != wanted:
            return None
        bare: Any = copy(last)
        bare.activation = "linear"
        return self.instead(bare)

    def instead(self, layer: Layer) -> Network:
        """The same network with another layer in place of the last one, whose weights it has."""
        end = self.until(Tensor(layer, self.output.inputs, self.output.sizes))
        return replace(end, numbers={**self.numbers, id(layer): self.numbers[id(self.output.layer)]})

    def entries(self, y: AnyArray, classes: int) -> int:
        """How many losses there are."""
        return entries_of(self.loss, y, classes)

    def rate(self, step: int | None = None) -> float:
        """The learning rate of a step, counted from 0, or of the one that is taken now."""
        assert self.optimizer is not None
        schedule = self.optimizer.learning_rate
        if not isinstance(schedule, Schedule):
            return float(schedule)
        return schedule(self.step_number - 1 if step is None else step)


def losses_of(option: LossOption) -> tuple[Loss, Loss | None]:
    """The loss of answers, and that of what stands before their activation."""
    if option.key == "huber":
        return huber(option.delta), None
    found, of_logits = LOSSES[option.key]
    return (of_logits or found, None) if option.from_logits else (found, of_logits)


def entries_of(loss: str, y: AnyArray, classes: int) -> int:
    """How many losses there are: a categorical one per row of classes, otherwise one per number."""
    return y.size // classes if loss == "categorical_crossentropy" else y.size


def loss_alone(option: LossOption, y: AnyArray, p: AnyArray) -> float:
    """The mean loss of predictions (N, ..., K), or (N,) for single numbers, without a network."""
    loss_of, _ = losses_of(option)
    p = p[:, None] if p.ndim == 1 else p
    classes = option.key == "sparse_categorical_crossentropy"
    y = y.astype(np.int64).reshape(p.shape[:-1]) if classes else y.astype(np.float32).reshape(p.shape)
    kept, labels = labels_kept(p).copy(), labels_kept(option.smoothed(y))
    share = 1 / entries_of(option.key, y, p.shape[-1])
    return loss_of(labels, kept, np.empty_like(kept), factor_of(share, None, kept.ndim))


@dataclass(eq=False)
class ArrayNetwork(Network):
    """A network whose weights are NumPy arrays, by the layer's number and by Keras's name.

    states are what the optimizer remembers of a weight, by the weight's id.
    """

    weights: dict[int, dict[str, Weight]]
    states: dict[int, dict[str, Array]] = field(default_factory=dict)

    def penalty(self) -> float:
        return sum(penalty_of(w) for ws in self.weights.values() for w in ws.values())

    def read(self) -> dict[Named, Array]:
        return {(number, name): w.value for number, ws in self.weights.items() for name, w in ws.items()}

    def write(self, weights: Mapping[Named, AnyArray]) -> None:
        for (number, name), value in weights.items():
            self.weights[number][name].value[...] = value

    def state(self) -> dict[str, Array]:
        """What a later training needs to go on."""
        found: dict[str, Array] = {"step": np.array([self.step_number], np.float64)}
        for number, weights in self.weights.items():
            for name, w in weights.items():
                found[f"{number}/{name}"] = w.value
                found |= {f"{number}/{name}/{key}": a for key, a in self.states.get(id(w), {}).items()}
        for number, carried in self.carried():
            found |= {f"{number}/{CARRIED}/{key}": a for key, a in carried.items()}
        return found

    def carried(self) -> list[tuple[int, Carried]]:
        """What stateful layers take from batch to batch, by the layer's number."""
        return [(self.numbers[id(t.layer)], t.layer.carried) for t in walk(self.output) if t.inputs]

    def restore(self, state: Mapping[str, Array]) -> None:
        self.step_number = int(state["step"][0])
        for number, weights in self.weights.items():
            for name, w in weights.items():
                start = f"{number}/{name}"
                w.value[...] = state[start]
                kept = _below(f"{start}/", state)
                if kept:
                    self.states[id(w)] = {key: a.astype(w.value.dtype) for key, a in kept.items()}
        for number, carried in self.carried():
            carried.clear()
            carried |= _below(f"{number}/{CARRIED}/", state)


def _below(start: str, state: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays whose names start so, by the rest of their names."""
    return {key.removeprefix(start): a.copy() for key, a in state.items() if key.startswith(start)}


def penalty_of(w: Weight) -> float:
    if not (w.l1 or w.l2):
        return 0.0
    return w.l1 * float(np.abs(w.value).sum()) + w.l2 * float(np.vdot(w.value, w.value))


def weights_of(
    numbers: Mapping[int, int], layers: Sequence[Layer], weights: Mapping[int, Sequence[Any]], dtype: Any
) -> dict[int, dict[str, Weight]]:
    """Copies of a model's weights, which go by the layer's id, by the layer's number and by Keras's name."""
    return {
        numbers[id(layer)]: {
            w.spec.name: Weight(
                w.spec.name,
                np.array(w.value, dtype, order="C"),  # a checkpoint is written as numbers lie in memory
                w.spec.trainable,
                *((w.spec.regularizer.l1, w.spec.regularizer.l2) if w.spec.regularizer else ()),
            )
            for w in weights[id(layer)]
        }
        for layer in layers
    }


def classes_before_samples(kept: AnyArray) -> AnyArray:
    """Images with their channels where vectors and sequences have their features."""
    return np.moveaxis(kept, 0, 2) if kept.ndim == 4 else kept


def labels_kept(y: AnyArray) -> AnyArray:
    return y.transpose((*range(1, y.ndim), 0))


def factor_of(share: float, weights: AnyArray | None, axes: int) -> AnyArray:
    """What a loss counts; weights (N, ...) in the order of results, whose axes include that of the classes."""
    if weights is None:
        return np.array(share, np.float32)
    kept = labels_kept(weights) * np.float32(share)
    return kept if kept.ndim == 1 else np.expand_dims(kept, axes - 2)
