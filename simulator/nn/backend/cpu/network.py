"""A network on NumPy arrays: forward, one training step, and its weights.

# N samples of a batch, split over P plans, each in a thread of its own
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import pairwise
from threading import BrokenBarrierError
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from simulator.nn.backend.cpu.activation import Activation, curve_of
from simulator.nn.backend.cpu.compiled_recurrent import runs_in_one_call
from simulator.nn.backend.cpu.operations import CpuOperations
from simulator.nn.backend.cpu.plan import (
    AnyArray,
    Array,
    Meeting,
    Node,
    Operation,
    Plan,
    Rows,
    Weight,
    inwards,
    outwards,
)
from simulator.nn.backend.network import (
    ArrayNetwork,
    Memory,
    Network,
    classes_before_samples,
    factor_of,
    labels_kept,
    state_of,
    weights_of,
)
from simulator.nn.layer import Layer, Tensor, apart, walk
from simulator.nn.option import require
from simulator.nn.recurrent import Bidirectional, Recurrent

FEWEST = 8  # samples of a plan: threads with fewer wait for each other longer than they work
MOST = 4  # plans of a batch where nothing else is asked for: they share the interpreter's lock
SHORTEST = 3_000  # numbers of a recurrent state: with shorter calls two threads take 1.5 times as long as one
PIECE = 1 << 18  # numbers of a weight whose gradient is computed at a time
CHUNK = 1 << 15  # numbers that are updated at a time: in the cache SGD takes 0.6 of the time, Adam 0.8
NONE: Array = np.empty(0, np.float32)
BUFFER = 512  # numbers: with NumPy's 8,192, strided operands are copied before every ufunc, 2 to 8 % of a step


def threads_wanted() -> int:
    """How many plans a batch has, each in a thread with BLAS on one core; with one plan BLAS has all cores.

    Two plans on two cores of an EPYC: 1.5 times as fast as one for LeNet and AlexNet at 28, 1.2 for a convnet, 1.1 for
    GRU and 1.5 for LSTM with 256 units. Networks of vectors have one plan. SIMULATOR_THREADS in the environment sets
    another number.
    """
    given = os.environ.get("SIMULATOR_THREADS")
    if given is None:
        return min(os.cpu_count() or 1, MOST)
    require(given.isdecimal() and int(given) > 0, "SIMULATOR_THREADS is a whole number above 0.", f"'{given}'")
    return int(given)


Part = tuple[Operation, int]  # an operation, and which of its gradients


@dataclass
class Work:
    """Some rows of a weight's gradient, which one thread computes and applies."""

    weight: Weight
    rows: slice
    parts: Sequence[Part]  # what plans, and uses of the weight, have of it
    by_rows: Sequence[Rows]

    @property
    def cost(self) -> int:
        return int((self.rows.stop - self.rows.start) * self.weight.value[0].size)

    def compute(self) -> AnyArray:
        """The gradient, once all plans are through."""
        found: list[AnyArray] = [operation.parts()[k][1][self.rows] for operation, k in self.parts]
        total, *others = found + [some(self.rows.start, self.rows.stop) for some in self.by_rows]
        for other in others:
            total = total + other
        return total


def in_pieces(rows: slice, of: AnyArray, size: int) -> Iterator[slice]:
    """Rows of an array in pieces of about so many numbers, all of nearly one length.

    >>> list(in_pieces(slice(0, 784), np.empty((784, 512)), 1 << 18))
    [slice(0, 392, None), slice(392, 784, None)]
    """
    length = rows.stop - rows.start
    count = min(length, max(1, round(length * of[0].size / size)))
    yield from (slice(a, b) for a, b in pairwise(rows.start + k * length // count for k in range(count + 1)))


class Plans(list[Plan]):
    """Those of one batch."""

    @property
    def meeting(self) -> Meeting:
        return self[0].meeting

    @cached_property
    def shares(self) -> list[list[Work]]:
        """What each plan's thread computes of the gradients: the dearest first, to the thread that has least to do.

        Known once every plan has gone back.
        """
        weights: dict[int, Weight] = {}
        parts: dict[int, list[Part]] = {}
        rows: dict[int, list[Rows]] = {}
        for plan in self:
            for operation in plan.operations:
                if operation.output.learns:
                    for k, (weight, _) in enumerate(operation.parts()):
                        weights[id(weight)] = weight
                        parts.setdefault(id(weight), []).append((operation, k))
        for operation in self[0].operations:
            for weight, some in operation.rows():
                weights[id(weight)] = weight
                rows.setdefault(id(weight), []).append(some)
        work = []
        for key, weight in weights.items():
            if weight.trainable:
                pieces = in_pieces(slice(0, len(weight.value)), weight.value, PIECE)
                work += [Work(weight, some, parts.get(key, []), rows.get(key, [])) for some in pieces]
        loads = [0] * len(self)
        shares: list[list[Work]] = [[] for _ in self]
        for piece in sorted(work, key=lambda piece: -piece.cost):
            k = loads.index(min(loads))
            loads[k] += piece.cost
            shares[k].append(piece)
        return shares


@dataclass(eq=False)
class CpuNetwork(ArrayNetwork):
    """A network on NumPy arrays, every operation planned for speed."""

    threads: int = field(default_factory=threads_wanted)
    _plans: dict[tuple[int, bool], Plans] = field(default_factory=dict)
    _pool: ThreadPoolExecutor | None = None

    def until(self, output: Tensor) -> Network:
        return replace(self, output=output, _plans={})

    # Plans

    def plans(self, batch: int, learning: bool) -> Plans:
        key = batch, learning
        if key not in self._plans:
            # An epoch's last batch is smaller than the others: one plan of each kind keeps its buffers.
            self._plans = {size: plans for size, plans in self._plans.items() if size[1] != learning}
            count = max(1, min(self.threads, os.cpu_count() or 1, batch // FEWEST))
            # Of vectors there is little to do but products, which BLAS shares out: 1.2 times as fast on a Xeon
            count = 1 if all(len(t.sizes) == 1 for t in walk(self.output)) else count
            inner = [t.layer.layer if isinstance(t.layer, Bidirectional) else t.layer for t in walk(self.output)]
            cells = [layer.cell() for layer in inner if isinstance(layer, Recurrent)]
            narrow = min((cell.units for cell in cells if not runs_in_one_call(cell)), default=SHORTEST)
            count = count if narrow * batch // count >= SHORTEST else 1
            edges = [round(k * batch / count) for k in range(count + 1)]
            shared: dict[Any, AnyArray] = {}
            meeting = Meeting(count)
            self._plans[key] = Plans(
                self.planned(Plan(k, slice(edges[k], edges[k + 1]), batch, learning, shared, meeting, seed=self.seed))
                for k in range(count)
            )
        return self._plans[key]

    def planned(self, plan: Plan) -> Plan:
        """The plan, with its operations and their buffers."""
        uses: dict[int, int] = {}
        for tensor in walk(self.output):
            for source in tensor.inputs:
                uses[id(source)] = uses.get(id(source), 0) + 1
        nodes: dict[int, Node] = {}
        for tensor in walk(self.output):
            if not tensor.inputs:
                plan.start = nodes[id(tensor)] = Node(tensor.sizes, learns=plan.keeps)
                continue
            number = self.numbers[id(tensor.layer)]
            alone = not plan.keeps and all(uses[id(t)] == 1 for t in tensor.inputs)
            layer, begun = (apart(tensor.layer) if plan.keeps else tensor.layer), len(plan.operations)
            at = CpuOperations(plan, self.weights[number], alone)
            nodes[id(tensor)] = layer.call(at, *(nodes[id(t)] for t in tensor.inputs))
            plan.made[id(tensor)] = nodes[id(tensor)], slice(begun, len(plan.operations))
        if plan.learning and self._from_logits(plan):
            last = plan.operations.pop()
            assert isinstance(last, Activation)
            plan.last = last.name
            last.inputs[0].used -= 1
        plan.allocate()
        return plan

    def _from_logits(self, plan: Plan) -> bool:
        """Whether the loss takes what stands before the last activation, which saves digits and time."""
        last = plan.operations[-1]
        wanted = "sigmoid" if self.loss == "binary_crossentropy" else "softmax"
        known = not self.loss_option.from_logits and self.losses[1] is not None
        return known and isinstance(last, Activation) and last.name == wanted

    def _each(self, plans: Plans, do: Callable[[Plan], Any]) -> list[Any]:
        """Do something in every plan, each in its own thread."""

        def guarded(plan: Plan) -> Any:
            np.setbufsize(BUFFER)
            try:
                with np.errstate(all="ignore"):  # fit says where a loss is no number
                    return do(plan)
            except BaseException:
                plans.meeting.give_up()
                raise

        if len(plans) == 1:
            return [guarded(plans[0])]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads - 1)
        plans.meeting.begin()
        waiting = [self._pool.submit(guarded, plan) for plan in plans[1:]]
        try:
            first = guarded(plans[0])
        except BrokenBarrierError:
            first = None  # one of the others says why
        finally:
            wait(waiting)
        return [first, *(w.result() for w in waiting)]

    # Readings

    def predict(self, x: AnyArray, training: bool | None = False, step: int | None = None) -> Array:
        plans = self.plans(len(x), False)

        def do(plan: Plan) -> Array:
            plan.training, plan.moves = bool(training), training is not False
            plan.step = self.step_number if step is None else step
            np.copyto(plan.start.array, inwards(x[plan.where]))
            plan.forward()
            return outwards(plan.operations[-1].y).copy()

        with self.limited(plans):
            return np.concatenate(self._each(plans, do))

    def limited(self, plans: Sequence[Plan]) -> AbstractContextManager[object]:
        """BLAS with one thread where the plans have one each: two of both take twice the time of either."""
        if len(plans) == 1:
            return nullcontext()
        found: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
        return found

    def gradients(self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None) -> tuple[float, Array, list[Work]]:
        """The mean loss of a batch, the predictions, and the work that leads to the gradients."""
        plans = self.plans(len(x), True)
        found = self._each(plans, lambda plan: self._through(plan, x, y, weights))
        loss, p = _whole(found)
        return loss, p, [piece for mine in plans.shares for piece in mine]

    def _through(
        self, plan: Plan, x: AnyArray, y: AnyArray, weights: AnyArray | None, answers: bool = True
    ) -> tuple[float, Array]:
        """A plan's way forward and back: its part of the mean loss, and its predictions."""
        plan.training = plan.moves = True
        plan.step = self.step_number
        np.copyto(plan.start.array, inwards(x[plan.where]))
        plan.forward()
        found = self.judged(plan, y, weights, answers)
        plan.backward()
        return found

    def judged(
        self, plan: Plan, y: AnyArray, weights: AnyArray | None = None, answers: bool = True
    ) -> tuple[float, Array]:
        """A plan's part of the mean loss of a batch, whose gradient is then at its last operation, and the answers."""
        loss_of, logits_of = self.losses
        result = plan.operations[-1]
        z, labels = classes_before_samples(result.y), labels_kept(self.loss_option.smoothed(y[plan.where]))
        d = result.output.grads[0]
        of = logits_of if plan.last and logits_of is not None else loss_of
        mine = None if weights is None else weights[plan.where]
        factor = factor_of(1 / self.entries(y, z.shape[-2]), mine, z.ndim)
        total = of(labels, z, classes_before_samples(d), factor)
        if not answers:
            return total, NONE
        p = result.y
        if plan.last:
            p = np.empty_like(result.y)
            curve_of(plan.last).apply(result.y, p)
        return total, outwards(p).copy()

    # Training

    def train(
        self, x: AnyArray, y: AnyArray, weights: AnyArray | None = None, answers: bool = True
    ) -> tuple[float, Array]:
        optimizer = self.optimizer
        assert optimizer is not None
        self.step_number += 1
        plans = self.plans(len(x), True)
        penalty, rate = self.penalty(), self.rate()
        numbers: dict[str, Any] = {}
        clips = optimizer.clips
        together = optimizer.gradient_accumulation_steps or 1
        waits = self.step_number % together > 0
        updates = (self.step_number - 1) // together + 1

        def gradient(piece: Work) -> None:
            w, g, rows = piece.weight, piece.compute(), piece.rows
            if w.l1 or w.l2:
                value = w.value[rows]
                g = g + np.float32(2 * w.l2) * value + np.float32(w.l1) * np.sign(value)
            if together > 1:
                total = state_of(self.states.setdefault(id(w), {}), "gradients", w.value)[rows]
                total += g
                if waits:
                    return
                g = total / np.float32(together)
                total[...] = 0
            if clips:
                w.grad[rows] = g
            else:
                update(piece, g)

        def update(piece: Work, g: AnyArray) -> None:
            w, states = piece.weight, self.states.setdefault(id(piece.weight), {})
            for rows in in_pieces(piece.rows, w.value, CHUNK):
                memory = Memory(rate, updates, states, w.value, rows, numbers)
                some = slice(rows.start - piece.rows.start, rows.stop - piece.rows.start)
                w.value[rows] = optimizer.update(memory, w.value[rows], g[some])

        def do(plan: Plan) -> tuple[float, Array]:
            found = self._through(plan, x, y, weights, answers)
            plans.meeting.wait()
            for piece in plans.shares[plan.number]:
                gradient(piece)
            if clips and not waits:
                plans.meeting.wait()
                if plan.number == 0:
                    learned = {id(piece.weight): piece.weight for mine in plans.shares for piece in mine}.values()
                    optimizer.clip([w.grad for w in learned])
                plans.meeting.wait()
                for piece in plans.shares[plan.number]:
                    update(piece, piece.weight.grad[piece.rows])
            return found

        with self.limited(plans):
            loss, p = _whole(self._each(plans, do))
        return loss + penalty, p


def _whole(found: Sequence[tuple[float, Array]]) -> tuple[float, Array]:
    """The loss and the predictions of a batch from those of its plans."""
    return sum(total for total, _ in found), np.concatenate([p for _, p in found])


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking for the libraries takes a millisecond


def network_of(
    output: Tensor, numbers: Mapping[int, int], layers: Sequence[Layer], weights: Mapping[int, Sequence[Any]]
) -> CpuNetwork:
    """A network with the weights of a model, by the layer's id."""
    return CpuNetwork(output, numbers, weights_of(numbers, layers, weights, np.float32))
