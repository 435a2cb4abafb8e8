"""Models: layers put together, compiled, trained, and handed over as workbooks.

# X (N, ...) inputs, Y (N, ...) labels
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from simulator.errors import ShapeError, did_you_mean, public
from simulator.nn.backend import backend_named, network_on, precision_of
from simulator.nn.backend.network import CARRIED, Network
from simulator.nn.basic import UNTIL_DATA, BatchNormalization, Embedding, Flatten, InputLayer, Reshape
from simulator.nn.callback import Callback, History
from simulator.nn.feed import (
    MULTIPLIED,
    ONE_WEIGHT,
    Arrays,
    DataSet,
    Feed,
    batch_checked,
    classes_checked,
    feed_of,
    inputs_of,
    of_rank,
    opened,
)
from simulator.nn.fit import Passed, evaluated, fit, predicted
from simulator.nn.initializer import Array, initial
from simulator.nn.layer import Call, Layer, Tensor, WeightSpec, apart, draws, units, walk
from simulator.nn.loss import LOSSES, Loss, LossOption, loss_of
from simulator.nn.memory import MODEL, NUMBER, require_free
from simulator.nn.metric import Metric, metrics_of
from simulator.nn.optimizer import SGD, Optimizer, optimizer_of
from simulator.nn.option import chosen, is_whole, name_checked, refuse_unknown, require, shown
from simulator.nn.recurrent import Recurrent
from simulator.nn.seed import next_seed
from simulator.nn.store import EPOCHS, load_weights, save_model, save_weights
from simulator.nn.trace import Numbers, Step, Weight, trace_forward, trace_step
from simulator.nn.weight import given, numbers_in, take

if TYPE_CHECKING:
    from simulator.xlsx.verify import Verification

Progress = Callable[[int, int], None]
ROUNDED = 1e-4  # how far shares in float32 may be from 1 together
CALLS = count(1 << 30)  # calls of models have numbers like those of steps, so that each draws masks of its own


class Model:
    """A network from an input to an output. Called with a tensor it is a layer: its own layers, applied to that.

    As in Keras, models that have a layer together have its weights together: what one learns the other knows. So
    `Model(model.inputs, model.get_layer("hidden").output)` shows what a trained network sees.

    >>> from simulator.nn.basic import Dense, Input
    >>> x = Input((2,))
    >>> model = Model(x, Dense(1, "sigmoid")(Dense(3, "tanh")(x)))
    >>> model.count_params()
    13
    """

    inputs: Tensor
    outputs: Tensor
    numbers: dict[int, int]
    by_layer: dict[int, list[Weight]]
    in_order: list[Weight]  # Keras's order

    def __init__(self, inputs: Tensor, outputs: Tensor, name: str | None = "network", seed: int | None = None) -> None:
        self._start(name, seed)
        self._join(_only(inputs), _only(outputs))

    def _start(self, name: str | None, seed: int | None) -> None:
        name = "network" if name is None else name
        name_checked("A model", name)
        rule = "A seed is a whole number from 0."
        require(seed is None or (is_whole(seed) and seed >= 0), rule, repr(seed))
        self.name, self.seed = name, next_seed() if seed is None else seed
        self.optimizer: Optimizer = SGD()
        self.loss, self.loss_option = "", LossOption()
        self.metrics: list[Metric] = []
        self.backend = ""
        self.stop_training = False
        self.passed = Passed()  # of the epoch that `fit` is in
        self.history: History | None = None  # of the last fit
        self._forget()

    def _forget(self) -> None:
        """Let the next training begin anew."""
        self._networks: dict[str, Network] = {}  # by the backend's name
        self._remembered: dict[str, Any] = {}
        self._trained: Network | None = None
        self.epochs_done = 0  # of all trainings together

    def _join(self, inputs: Tensor, outputs: Tensor) -> None:
        """Number the layers between input and output, and give them their first weights."""
        self.inputs, self.outputs = inputs, outputs
        self.numbers, self.by_layer = {}, {}
        for part in (inputs, outputs):
            received, advice = repr(part), ""
            if isinstance(part, list | tuple | dict):
                received, advice = f"{len(part)} of them", "Make a model for each; they have their layers together."
            require(isinstance(part, Tensor), "A model goes from nn.Input(...) to a layer's result.", received, advice)
        entered = [t for t in walk(outputs) if isinstance(t.layer, InputLayer)]
        received = f"{len(entered)} inputs" if len(entered) != 1 else "an output that follows from another Input"
        require(entered == [inputs], "A model has one input, and its output depends on it.", received)
        if self._free:
            for t, other in zip(walk(outputs), walk(self._longer()), strict=True):
                here, there = ([spec.shape for spec in _specs(of)] for of in (t, other))
                rule = "Where an axis of the input has any length, no weights depend on it."
                advice = "Give Input the length, or pool over the axis before it."
                require(here == there, rule, f"those of {type(t.layer).__name__}", advice)
        rng = np.random.default_rng(self.seed)
        once = {id(t.layer): t for t in walk(outputs) if t.inputs}.values()
        asked = (spec for t in once for spec in t.layer.weights_of(*(source.sizes for source in t.inputs)))
        total = sum(math.prod(spec.shape) for spec in asked)
        require_free((MODEL + NUMBER) * total, f"A network of {total:,} weights")
        for tensor in walk(outputs):
            layer, shapes = tensor.layer, [t.sizes for t in tensor.inputs]
            if isinstance(layer, InputLayer):
                layer.joined = tensor
                continue
            if isinstance(layer, Embedding):
                rule = "An Embedding reads the input's class numbers, so it comes first."
                require(tensor.inputs == (inputs,), rule, type(tensor.inputs[0].layer).__name__ + " before it")
            if id(layer) in self.numbers:
                moving = any(not spec.trainable for spec in layer.weights_of(*shapes))
                require(not moving, "A layer with moving statistics is used once.", f"{type(layer).__name__} twice")
                continue
            number = self.numbers[id(layer)] = len(self.numbers) + 1
            mine = [
                Weight(spec, number, Numbers(initial(spec.initializer, rng, spec.shape, total)))
                for spec in layer.specs_of(*shapes)
            ]
            for w, known in zip(mine, layer.weights, strict=False):
                same = w.spec.shape == known.spec.shape
                rule = f"{type(layer).__name__} keeps its weights in every model."
                received = f"inputs for {w.spec.name} {w.spec.shape}, where it has {known.spec.shape}"
                require(same, rule, received, "Make a new layer for them.")
                w.shared = known.shared
            self.by_layer[id(layer)] = layer.weights = mine
            layer.joined = tensor
        self.in_order = [w for layer in self._ordered() for w in self.by_layer.get(id(layer), ())]

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The model's layers after that tensor; or, for samples (N, ...), its answers.

        With training they are as in training, with masks that are drawn anew at every call. As in Keras, layers that
        move pictures at random do so unless training is False.
        """
        if not isinstance(x, Tensor):
            self._prepare(x)
            return self.network().predict(inputs_of(self, x), training, next(CALLS))
        differing = [type(layer).__name__ for layer in self.numbered if _differs_in_training(layer)]
        rule = "A model that is part of another one trains when that one does."
        received = f"training={training}, and {', '.join(differing)} in '{self.name}'"
        advice = "Leave training out; BatchNormalization that isn't trainable keeps its moving statistics."
        require(training is None or not differing, rule, received, advice)
        call = Call(self, x)
        found = self._applied(x)
        for t in found.values():
            if t is not x:
                t.call = call
        call.end = found[id(self.outputs)]
        return call.end

    def _applied(self, x: Tensor, layers: Mapping[int, Layer] | None = None) -> dict[int, Tensor]:
        """The layers, or others by the id of those in whose place they are, after that tensor: results by old ones."""
        made = {id(self.inputs): x}
        for t in walk(self.outputs):
            if t.inputs:
                layer = layers[id(t.layer)] if layers else t.layer
                made[id(t)] = layer(*(made[id(s)] for s in t.inputs))
        return made

    @property
    def input(self) -> Tensor:
        return self.inputs

    @property
    def output(self) -> Tensor:
        return self.outputs

    @property
    def weights(self) -> list[Weight]:
        """All weights, layer by layer in Keras's order."""
        return list(self.in_order)

    def _ordered(self) -> list[Layer]:
        """Every layer in the order of `layers`, those of models in theirs."""
        found: dict[int, Layer] = {}
        for unit in units(self.outputs):
            found |= {id(layer): layer for layer in (unit._ordered() if isinstance(unit, Model) else [unit])}
        return list(found.values())

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return tuple(None if k in self._free else n for k, n in enumerate(self.inputs.shape, -1))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        return self.outputs.shape

    @property
    def metrics_names(self) -> list[str]:
        return ["loss", *(metric.name for metric in self.metrics)]

    @property
    def variables(self) -> list[Weight]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Weight]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Weight]:
        return self.non_trainable_weights

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that a training compiled now would change."""
        return [w for w, spec in self._now() if spec.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The others: of layers that aren't trained, and moving statistics."""
        return [w for w, spec in self._now() if not spec.trainable]

    @property
    def trainable(self) -> bool:
        """Whether any layer is trained. Set, it is set in all of them; see `Layer`."""
        return any(layer.trainable for layer in self._every())

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        for layer in self._every():
            layer.trainable = trainable

    def _every(self) -> list[Layer]:
        """The layers, those of models among them, but the input."""
        return self.numbered

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer | Model:
        """The layer of that name, or at that place, counted from 0. Raises SettingError when there is none."""
        if index is not None:
            rule = f"index is a place among the {len(self.layers)} layers, from 0."
            require(is_whole(index) and 0 <= index < len(self.layers), rule, repr(index))
            return self.layers[index]
        named: dict[str, Layer | Model] = {layer.name: layer for layer in (*self._every(), *self.layers)}
        return chosen("A layer's name", name, named)

    def __str__(self) -> str:
        trained = sum(w.value.size for w in self.weights if w.spec.trainable)
        count = self.count_params()
        lines = [f"{self.name}: {count:,} parameters" + (f", {trained:,} of them trained" if trained < count else "")]
        shapes = {id(t.layer): t.sizes for t in walk(self.outputs)}
        longer = {id(t.layer): t.sizes for t in walk(self._longer())} if self._free else shapes
        for layer in self.numbered:
            number, count = self.numbers[id(layer)], sum(w.value.size for w in self.by_layer[id(layer)])
            sizes = zip(shapes[id(layer)], longer[id(layer)], strict=True)
            shape = " x ".join(str(n) if n == other else "None" for n, other in sizes)
            lines.append(f"{self.title_of(number):<28} {shape:<16} {count:>8,}")
        return "\n".join(lines)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print layers, output shapes and numbers of parameters, a line each; str(model) is the same.

        print_fn takes the text in place of print. The other options are Keras's, and change nothing here.
        """
        (print_fn or print)(str(self))

    @property
    def layers(self) -> list[Layer | Model]:
        """Layers, and models that were called, in Keras's order, the farthest from the output first.

        As in Keras, the input is one, but not of a Sequential.
        """
        return units(self.outputs)

    @property
    def numbered(self) -> list[Layer]:
        """The layers with numbers, in the order of computation; the input has none."""
        found = {id(t.layer): t.layer for t in walk(self.outputs)}
        return [found[key] for key in self.numbers]

    def title_of(self, number: int) -> str:
        """What a sheet of this layer is called: 2 Dense. 0 is the input, the number after the last the loss."""
        layers = self.numbered
        if number == 0:
            return "Input"
        if number > len(layers):
            return "Loss"
        layer = layers[number - 1]
        return f"{number} {layer.name if layer.named else type(layer).__name__}"

    def compile(
        self,
        optimizer: Optimizer | str = "rmsprop",
        loss: str | LossOption | None = None,
        metrics: Sequence[Metric | str | Callable[..., Any]] | None = None,
        backend: str = "",
        **options: Any,
    ) -> Model:
        """Choose how to train, with which metrics and on which backend; see `Model.fit`.

        Keras's other options, such as jit_compile, are taken at values that change nothing. Raises SettingError for an
        unknown name, or a loss that doesn't fit the last layer.
        """
        refuse_unknown("compile", options, ("optimizer", "loss", "metrics", "backend"))
        self.optimizer = optimizer_of(optimizer)
        self.loss_option = LossOption() if loss is None else loss_of(loss)
        name = "" if loss is None else self.loss_option.key
        self.metrics = metrics_of([metrics] if isinstance(metrics, str | Metric) else metrics or ())
        self.backend = backend_named(backend) if backend else ""
        self._forget()
        if self._is_built:
            if name:
                self._check_loss(name)
            self._choose_trained()
        self.loss = name
        return self

    @property
    def _is_built(self) -> bool:
        """Whether the layers are joined: a Sequential without an Input waits for a shape."""
        return "outputs" in self.__dict__

    def _choose_trained(self) -> None:
        """Take from the layers which weights are to be trained."""
        for w, spec in self._now():
            w.spec = spec

    def _now(self) -> list[tuple[Weight, WeightSpec]]:
        """The weights, and how the layers want them trained now."""
        once = {id(t.layer): t for t in walk(self.outputs) if t.inputs}.values()
        return [pair for t in once for pair in zip(self.by_layer[id(t.layer)], _specs(t), strict=True)]

    def _check_loss(self, name: str) -> None:
        """Raises SettingError unless the loss fits the last layer."""
        follows = "linear" if self.loss_option.from_logits else LOSSES[name].follows
        end = self.outputs
        while follows == "sigmoid" and isinstance(end.layer, Flatten | Reshape):  # what every number passes unchanged
            (end,) = end.inputs
        last = end.layer
        activation = None if isinstance(last, Recurrent) else getattr(last, "activation", None)
        require(
            not follows or (activation or "linear") == follows,
            f"{name}{' from logits' if self.loss_option.from_logits else ''} follows a last layer with activation "
            f"'{follows}'.",
            f"{type(last).__name__} with activation '{getattr(last, 'activation', None) or 'linear'}'",
            f"Write nn.Dense(..., activation='{follows}') or choose another loss.",
        )

    def get_weights(self) -> list[Array]:
        """All weights, layer by layer, in Keras's order."""
        return given(self.weights)

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Take these arrays; Keras's own shapes for attention are understood, and a GRU's biases one after the other.

        Raises ShapeError when number or shapes differ from `get_weights`.
        """
        take(self.weights, weights)

    def count_params(self) -> int:
        return sum(w.value.size for w in self.weights)

    # Data

    def inputs_checked(self, X: ArrayLike) -> Array:
        """X in float64. Raises ShapeError or SettingError when it doesn't fit the input."""
        x = of_rank(numbers_in(X, "X"), self.inputs.sizes)
        if x.shape[1:] != self.inputs.sizes or len(x) < 1:
            raise ShapeError(
                f"X must be samples of shape {self.inputs.sizes}. Received: an array {x.shape}. "
                f"Give it the shape (N, {', '.join(map(str, self.inputs.sizes))})."
            )
        for tensor in walk(self.outputs):
            if isinstance(tensor.layer, Embedding):
                classes_checked(x, tensor.layer.input_dim, "Inputs of an Embedding")
        return x

    def label_shape(self, samples: int) -> tuple[int, ...]:
        """The shape of Y that the loss wants for so many samples."""
        shape = (samples, *self.outputs.sizes)
        return shape[:-1] if self._loss().labels == "classes" else shape

    def labels_checked(self, Y: ArrayLike, samples: int, what: str = "Y") -> Array:
        """Y in float64, in the shape of the loss. Raises ShapeError or SettingError when it doesn't fit."""
        y, shape, kind = numbers_in(Y, what), self.label_shape(samples), self._loss().labels
        if kind == "classes" and y.shape == (*shape, 1):
            y = y[..., 0]
        elif kind != "classes" and y.shape == shape[:-1] and shape[-1] == 1:
            y = y[..., None]
        if y.shape != shape:
            advice = "Check the last layer's units."
            if kind == "classes":
                hot = y.shape == (samples, *self.outputs.sizes)
                advice = "Rows of zeros with a 1 go with categorical_crossentropy." if hot else "Give class numbers."
                if y.ndim < len(shape):
                    answers = " x ".join(map(str, shape[1:]))
                    advice = f"The network answers {answers} times for a sample. Put Flatten() before the last layer."
            elif kind == "one-hot" and y.shape in (shape[:-1], (*shape[:-1], 1)):
                advice = "Class numbers go with sparse_categorical_crossentropy, or through utils.to_categorical."
            raise ShapeError(f"{self.loss} needs labels of shape {shape}. Received: an array {y.shape}. {advice}")
        if kind == "classes":
            units = self.outputs.sizes[-1]
            advice = f"The last layer, {type(self.outputs.layer).__name__}, answers for {units}; give it one per class."
            classes_checked(y, units, f"Labels of {self.loss}", advice)
        if kind == "bits":
            outside = y[(y < 0) | (y > 1)]
            require(not outside.size, f"{self.loss} needs labels from 0 to 1.", f"{outside[0] if outside.size else ''}")
        if kind == "one-hot":
            wrong = y[((y < 0) | (y > 1)).any(axis=-1) | (abs(y.sum(axis=-1) - 1) > ROUNDED)]
            advice = "Class numbers go with sparse_categorical_crossentropy."
            received = wrong[0] if len(wrong) else ""
            rule = f"{self.loss} needs rows of zeros with a single 1, or of shares that are 1 together."
            require(not len(wrong), rule, received, advice)
        return y

    def _loss(self) -> Loss:
        rule = "A model is compiled with a loss before it is trained or evaluated."
        require(bool(self.loss), rule, "no loss", "Call model.compile(optimizer, loss) first.")
        return self.loss_option.loss

    def batches_of(self, samples: int, batch_size: int | None) -> tuple[int, int]:
        """The size of a batch and how many there are. Raises SettingError unless the size divides the samples."""
        size = samples if batch_size is None else batch_size
        require(is_whole(size), "batch_size must be a whole number.", repr(batch_size))
        divisors = [d for d in range(1, samples + 1) if samples % d == 0]
        require(
            size in divisors,
            "A workbook repeats one block of rows for every batch, so batch_size must divide the number of samples.",
            f"batch_size={size}, {samples} samples",
            f"Choose one of {', '.join(map(str, divisors))}.",
        )
        return size, samples // size

    # Readings

    def trace(self, X: Array, Y: Array, batch_size: int | None = None) -> Step:
        """One step as expressions, for the first batch's shapes."""
        advice = "Train it with fit, or compile it without."
        self.loss_option.require_plain("A workbook shows", advice)
        clips = {name: value for name, value in self.optimizer.config().items() if "clip" in name}
        received = ", ".join(f"{name}={value}" for name, value in clips.items())
        require(not clips, "A workbook shows gradients that are not clipped.", received, advice)
        steps = self.optimizer.gradient_accumulation_steps
        rule = "A workbook updates the weights in every step."
        received = f"gradient_accumulation_steps={steps}"
        require(steps is None, rule, received, "Leave it out and multiply batch_size by it: the gradient is the same.")
        size, batches = self.batches_of(len(X), batch_size)
        step = trace_step(
            self.outputs,
            self.by_layer,
            self.numbers,
            X[:size],
            Y[:size],
            self._loss(),
            self.optimizer,
            batches=batches,
            seed=self.seed,
        )
        return _from_zeros(step)

    def trace_forward(self, X: Array) -> Step:
        """The forward pass as expressions."""
        return _from_zeros(trace_forward(self.outputs, self.by_layer, self.numbers, X))

    def fit(
        self,
        x: Any,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | None = None,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        backend: str = "",
    ) -> History:
        """Train; returns a History whose `history` has a list per number, epoch by epoch.

        x (N, ...) inputs, y labels as the loss wants them; batch_size is 32 when not given. Data are shuffled anew in
        every epoch, by the model's seed. Or x is a data set: whatever gives (x, y) or (x, y, sample_weight) batch by
        batch, anew in every epoch, or without end for epochs of steps_per_epoch. validation_data is (x, y),
        (x, y, sample_weight), or a data set. sample_weight (N,), or class_weight by class number, says how much a
        sample's loss counts. Validation data are gone through in every validation_freq-th epoch.

        A line per epoch is printed unless verbose is 0; in a terminal, unless it is 2, a live one shows the epoch.

        On the backend "numpy" it computes in float32, operations planned for speed; on "cupy" the same on an NVIDIA
        GPU, whose random numbers are others; on "expressions" in float64 by the equations of a workbook, step by step:
        what the workbook shows where neither shuffle nor batch_size is given, for then samples keep their order and
        are one batch. Dropout's mask is drawn once there, and every sample counts alike. Without a name it is the
        backend of `compile`, of SIMULATOR_BACKEND in the environment, or "numpy". Raises ShapeError, SettingError, or
        TrainingError where the loss is no number.
        """
        x = opened(x, y, steps_per_epoch)
        self._prepare(x)
        epochs_checked(epochs)
        trained = any(w.spec.trainable for w in self.weights)
        require(trained, "Training needs a layer with weights that are trained.", "none", "See layer.trainable.")
        on = self._on(backend)
        if on == "expressions" and not isinstance(x, DataSet):
            x = self.inputs_checked(x)
            batch_size = len(x) if batch_size is None else batch_size
        seed = self.seed if (on != "expressions" if shuffle is None else shuffle) else None
        dtype = precision_of(on)
        splits = validation_split and validation_data is None
        by_class = None if splits else class_weight
        training: Feed = feed_of(self, x, y, batch_size, sample_weight, by_class, seed, dtype=dtype)
        require(0 <= validation_split < 1, "validation_split is a share from 0 to below 1.", validation_split)
        held: Feed | None = None
        if validation_data is not None:
            held = self._held_out(validation_data, validation_steps, validation_batch_size or batch_size, dtype)
        elif validation_split:
            rule = "validation_split takes the last samples of arrays; a data set has validation_data."
            require(isinstance(training, Arrays), rule, f"{validation_split} and a data set")
            assert isinstance(training, Arrays)
            training, held = training.split(validation_split)
            if class_weight is not None:
                require(sample_weight is None, ONE_WEIGHT, "both", MULTIPLIED)
                training = training.weighted(class_weight)
        rule = "validation_freq is a whole number above 0."
        require(is_whole(validation_freq) and validation_freq > 0, rule, repr(validation_freq))
        everyone = _callbacks_checked(callbacks)
        self.history = fit(self, training, held, epochs, verbose, everyone, initial_epoch, backend, validation_freq)
        return self.history

    def _held_out(self, data: Any, steps: int | None, batch_size: int | None, dtype: Any) -> Feed:
        pair = isinstance(data, tuple) or (isinstance(data, list) and not any(isinstance(part, tuple) for part in data))
        parts: Sequence[Any] = data if pair and len(data) in (2, 3) and steps is None else [data]
        if len(parts) == 1:
            return feed_of(self, opened(data, limit=steps), None, None, dtype=dtype)
        weights = parts[2] if len(parts) == 3 else None
        return feed_of(self, parts[0], parts[1], batch_size, weights, of=" of validation_data", dtype=dtype)

    def _prepare(self, x: Any) -> None:
        """Take from the data what the model doesn't know yet: sizes of the input that are None."""
        if not self._free:
            return
        shape = self.inputs.sizes
        sizes = numbers_in(x.samples() if isinstance(x, DataSet) else x[:1], "X").shape[1:]
        if len(sizes) == len(shape) - 1 and shape[-1] == 1:
            sizes += (1,)
        if len(sizes) != len(shape):
            return  # what checks the data says so
        wanted = tuple(sizes[k] if k in self._free else n for k, n in enumerate(shape))
        if wanted != shape:
            memory = self.memory()
            self._begin_at(self._input_of(wanted))
            self.remember(memory)

    @property
    def _free(self) -> tuple[int, ...]:
        """The axes of the input that have any length."""
        layer = self.inputs.layer
        return layer.free if isinstance(layer, InputLayer) else ()

    def _input_of(self, shape: Sequence[int]) -> Tensor:
        """The input, where the axes of any length have these ones."""
        layer = copy(self.inputs.layer)
        assert isinstance(layer, InputLayer)
        layer.shape = tuple(shape)
        return Tensor(layer, (), layer.shape)

    def _longer(self) -> Tensor:
        """The output where axes of any length are longer than here."""
        longer = [n + UNTIL_DATA if k in self._free else n for k, n in enumerate(self.inputs.sizes)]
        return self._applied(self._input_of(longer))[id(self.outputs)]

    def _begin_at(self, start: Tensor) -> None:
        """Let the same layers follow another input."""
        found = self._applied(start)
        calls: dict[int, Call] = {}
        for t in walk(self.outputs):
            if t.call is not None and t.call.end is not None and id(t.call.end) in found:
                call = Call(t.call.model, found[id(t.call.start)], found[id(t.call.end)])
                found[id(t)].call = calls.setdefault(id(t.call), call)
        self._join(start, found[id(self.outputs)])

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        backend: str = "",
    ) -> Array:
        """The network's answers (N, ...) for samples, or for those of a data set; see `fit` for the backends."""
        x = opened(x, limit=steps)
        self._prepare(x)
        on = self._on(backend)
        if on == "expressions" and not isinstance(x, DataSet):
            x = self.inputs_checked(x)
            batch_size = len(x) if batch_size is None else batch_size
        return predicted(self, x, batch_checked(batch_size), backend, precision_of(on), _callbacks_checked(callbacks))

    def evaluate(
        self,
        x: Any,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        verbose: int | str = 0,
        sample_weight: ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or a list of the loss and the metrics, or with return_dict all of them by name."""
        self._loss()
        x = opened(x, y, steps)
        self._prepare(x)
        dtype = precision_of(self._on(""))
        feed = feed_of(self, x, y, batch_size, sample_weight, dtype=dtype)
        return _as_asked(evaluated(self, feed, "", _callbacks_checked(callbacks)), return_dict)

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step; returns what `evaluate` would, from before the step."""
        size = len(np.asarray(x))
        weights: dict[str, Any] = {"class_weight": class_weight, "sample_weight": sample_weight}
        history = self.fit(x, y, size, shuffle=False, verbose=0, **weights).history
        return _as_asked({name: values[0] for name, values in history.items()}, return_dict)

    def test_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, return_dict: bool = False
    ) -> Any:
        """`evaluate`, all samples at once."""
        return self.evaluate(x, y, len(np.asarray(x)), sample_weight=sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: ArrayLike) -> Array:
        """`predict`, all samples at once."""
        return self.predict(x, len(np.asarray(x)))

    def _on(self, backend: str) -> str:
        return backend_named(backend or self.backend or os.environ.get("SIMULATOR_BACKEND", "numpy"))

    def network(self, backend: str = "") -> Network:
        """The model on a backend, with the weights that it has now."""
        name = self._on(backend)
        for w in self.weights:
            w.shared.bring()
        network = self._networks.get(name)
        if network is None:
            network = network_on(name, self.outputs, self.numbers, self.numbered, self.by_layer)
            self._networks[name] = network
            network.seed = self.seed
            if self.loss:
                network.optimizer, network.loss, network.loss_option = self.optimizer, self.loss, self.loss_option
            if self._remembered:
                network.restore(self._remembered | self._by_name())
            network.held = [w.shared.array for w in self.weights]
        self.hand_over(network)
        return network

    def hand_over(self, network: Network) -> None:
        """Give a network the weights that have been set here since it had them."""
        arrays = [w.shared.array for w in self.weights]
        if any(mine is not theirs for mine, theirs in zip(arrays, network.held, strict=True)):
            network.write({(w.layer, w.spec.name): w.value for w in self.weights})
            network.held = arrays

    def behind(self, backend: str = "") -> None:
        """Whoever reads a weight next takes over all that the backend has trained: see `updated`."""

        def newer() -> None:
            self.updated(backend)

        for w in self.weights:
            w.shared.newer = newer

    def memory(self) -> dict[str, Any]:
        """What the training so far leaves: steps, epochs, and by a weight's name what the optimizer remembers."""
        for w in self.weights:
            w.shared.bring()
        if self._trained is None:
            return self._remembered
        left_out = self._by_name()
        state = {
            name: a for name, a in self._trained.state().items() if name not in left_out and f"/{CARRIED}/" not in name
        }
        return state | {EPOCHS: np.array([self.epochs_done], np.float64)}

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on training from what `memory` has left."""
        self._forget()
        self._remembered = memory
        self.epochs_done = int(memory.get(EPOCHS, [0])[0])

    def _by_name(self) -> dict[str, Any]:
        return {f"{w.layer}/{w.spec.name}": w.value for w in self.weights}

    def reset_states(self) -> None:
        """Let the next batch start from zeros in stateful layers."""
        for layer in self.numbered:
            layer.carried.clear()

    def updated(self, backend: str = "") -> None:
        """Take over the weights that the backend has trained."""
        network = self._networks.get(self._on(backend))
        if network is not None:
            self._trained = network
            values = network.read()
            for w in self.weights:
                value, w.shared.newer = values[w.layer, w.spec.name], None
                if w.spec.trainable or not np.array_equal(value, w.value.astype(np.float32)):
                    w.value = value.astype(float)  # what isn't trained keeps the digits that it has here
            network.held = [w.value for w in self.weights]

    @property
    def learning_rate(self) -> float:
        """The optimizer's rate of the next step, also where it is set from epoch to epoch."""
        network = self.network()
        return network.rate(network.step_number)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimizer.learning_rate = rate

    def __getattr__(self, name: str) -> Any:
        kind = type(self)
        raise AttributeError(f"{kind.__name__} has no {name}.{did_you_mean(name, public(kind))}", name=name, obj=None)

    def walk(self) -> Iterator[Tensor]:
        return walk(self.outputs)

    def labels_fitted(self, y: ArrayLike, what: str = "Y", dtype: Any = np.float32) -> Any:
        """Labels for the backend: class numbers as whole numbers, all others in its own."""
        found = self.labels_checked(y, len(np.asarray(y)), what)
        return found.astype(np.int64 if self._loss().labels == "classes" else dtype)

    def save(self, path: str | Path, overwrite: bool = True) -> Path:
        """Write the model, compiled and trained as it is, to a file that `nn.load_model` reads.

        An earlier file gives way unless overwrite is False. Where it is computed is not part of it. Raises ModelError
        where the file can't be written, SettingError for layers, metrics or optimizers of your own, which no file could
        bring back.
        """
        return save_model(self, path, overwrite)

    def save_weights(self, path: str | Path, overwrite: bool = True) -> Path:
        return save_weights(self, path, overwrite)

    def load_weights(self, path: str | Path) -> None:
        """Take the weights of a file that `save` or `save_weights` wrote. Raises ModelError."""
        load_weights(self, path)

    def to_workbook(
        self,
        path: str | Path,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        epochs: int = 10,
        *,
        batch_size: int | None = None,
        what: str = "training",
        layout: str = "sheets",
        against: Model | None = None,
        engine: str = "ironcalc",
        progress: Progress = lambda done, total: None,
    ) -> Verification:
        """Write the training, or with what="forward" the forward pass, as live formulas; verified before it is there.

        X (N, ...) inputs, Y labels as the loss wants them; layout "sheets" or "ledger" (one row per epoch, for a small
        dense network and one sample); against, another compiled model with a short name, is trained on the same data
        in sheets of its own, its cost curve beside this one's. Raises SettingError, ShapeError or LayoutError before
        any file is touched when data, options or size don't fit.
        """
        from simulator.xlsx.build import build_network

        self._prepare(X)
        return build_network(self, Path(path), X, Y, epochs, batch_size, what, layout, against, engine, progress)

    def trace_place(
        self,
        path: str | Path,
        x: ArrayLike,
        y: ArrayLike,
        layer: int | str,
        at: Sequence[int],
        *,
        engine: str = "ironcalc",
    ) -> Verification:
        """Write one place of this network as live formulas with its gradient, beside what the backend computed.

        x is one sample, y its label as the loss wants it; `simulator.nn.place.place_of` says what layer and at mean,
        and what is raised.
        """
        from simulator.xlsx.build import build_place

        return build_place(self, Path(path), x, y, layer, at, engine=engine)


def _only(part: Any) -> Any:
    """The only one of a list of one."""
    return part[0] if isinstance(part, list | tuple) and len(part) == 1 else part


def clone_model(model: Model, seed: int | None = None) -> Model:
    """A network of new layers like the model's, not compiled, with first weights drawn by its seed or another one.

    >>> from simulator.nn import Dense, Input, Sequential
    >>> model = Sequential([Input((2,)), Dense(3, use_bias=False)])
    >>> clone_model(model).get_weights()[0].tolist() == model.get_weights()[0].tolist()
    True
    """
    layers = {id(layer): apart(layer) for layer in model.numbered}
    outputs = model._applied(model.inputs, layers)[id(model.outputs)]
    return Model(model.inputs, outputs, model.name, model.seed if seed is None else seed)


def _differs_in_training(layer: Layer) -> bool:
    return draws(layer) or (isinstance(layer, BatchNormalization) and layer.trainable)


def _specs(t: Tensor) -> list[WeightSpec]:
    """The weights of the layer that a tensor comes from, as they are to be trained now."""
    return t.layer.specs_of(*(source.sizes for source in t.inputs)) if t.inputs else []


def _from_zeros(step: Step) -> Step:
    """The step. Raises SettingError when a batch takes over the states of the one before."""
    rule, advice = "A workbook starts every sequence from zeros.", "Train it with fit, or leave stateful out."
    require(not step.states, rule, "stateful=True", advice)
    return step


def epochs_checked(epochs: Any) -> None:
    """Raises SettingError unless epochs is a whole number above 0."""
    require(is_whole(epochs) and bool(epochs > 0), "epochs must be a whole number above 0.", repr(epochs))


def _callbacks_checked(callbacks: Any) -> list[Callback]:
    """A list of callbacks. Raises SettingError for anything else."""
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [] if callbacks is None else [callbacks]
    for callback in given:
        received, advice = shown(callback)
        rule = "callbacks is a list of callbacks."
        require(isinstance(callback, Callback), rule, received, advice or "Derive it from callbacks.Callback.")
    return given


def _as_asked(logs: dict[str, float], by_name: bool) -> Any:
    """The numbers by name, or a list of them, or the only one."""
    values = list(logs.values())
    return logs if by_name else values if len(values) > 1 else values[0]
