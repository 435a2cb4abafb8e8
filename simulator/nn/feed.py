"""Data on their way into a network: arrays cut into batches, or a data set that gives batches of its own.

# N samples, in all or of a batch
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import SettingError, ShapeError
from simulator.nn.basic import Embedding
from simulator.nn.option import is_whole, require

if TYPE_CHECKING:
    from simulator.nn.model import Model

Array = NDArray[Any]
BATCH = 32  # samples, Keras's default
ONE_WEIGHT = "A sample counts by sample_weight or by class_weight."
JOINED = "Several are joined first, such as np.concatenate([a, b], axis=-1)."
MULTIPLIED = "Multiply them and give sample_weight."
LARGE = 1 << 20  # numbers that are looked through at a time


class Batch(NamedTuple):
    """Checked samples (N, ...), their labels, and how much each of them counts, or None when all count 1."""

    x: Array
    y: Array
    weights: Array | None


class Feed(Protocol):
    """Where the batches of an epoch come from; steps is how many there are, or None while nobody knows."""

    @property
    def steps(self) -> int | None: ...

    def batches(self, epoch: int) -> Iterator[Batch]: ...


@dataclass
class Arrays:
    """Batches of `size`, in a new order in every epoch unless seed is None."""

    data: Batch
    size: int
    seed: int | None = None

    @property
    def steps(self) -> int:
        return -(-len(self.data.x) // self.size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        count = len(self.data.x)
        order: Array | None = None
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(count)
        for start in range(0, count, self.size):
            part = slice(start, start + self.size)
            chosen = part if order is None else order[part]
            yield Batch(*(None if a is None else a[chosen] for a in self.data))  # type: ignore[arg-type]

    def split(self, share: float) -> tuple[Arrays, Arrays]:
        """All but the last samples, and these, in their order."""
        count = len(self.data.x)
        cut = int(count * (1 - share))
        require(0 < cut < count, "validation_split leaves samples on both sides.", f"{count} samples")
        first, last = (
            Batch(*(None if a is None else a[part] for a in self.data))  # type: ignore[arg-type]
            for part in (slice(cut), slice(cut, count))
        )
        return Arrays(first, self.size, self.seed), Arrays(last, self.size)

    def weighted(self, class_weight: Mapping[int, float]) -> Arrays:
        """The same, every sample weighted by its class."""
        return replace(self, data=self.data._replace(weights=_by_class(self.data.y, class_weight)))


class DataSet:
    """What gives (x, y) or (x, y, sample_weight) batch by batch, as `utils.image_dataset_from_directory` does.

    It has __iter__, or __len__ and __getitem__ as keras.utils.Sequence, and is gone through once in every epoch; a
    generator can be gone through only once, and never ends when it is to last for several epochs of `limit` steps.
    """

    def __init__(self, source: Any, limit: int | None = None) -> None:
        self.source, self.limit = source, limit
        self.once = hasattr(source, "__next__")
        self.going: Iterator[Any] | None = None
        self.waiting: list[Any] = []  # what has been looked at
        self.given = 0

    @property
    def steps(self) -> int | None:
        if self.limit is not None:
            return self.limit
        return len(self.source) if hasattr(self.source, "__len__") else None

    def first(self) -> Any:
        """The first batch, which still comes."""
        if not self.once:
            return next(self._pass(), None)
        if not self.waiting:
            self.waiting = [next(self.source, None)]
        return self.waiting[0]

    def samples(self) -> Any:
        """Those of the first batch, without their labels."""
        return samples_of(self.first())

    def _pass(self) -> Iterator[Any]:
        """Once through the data."""
        if self.once:
            yield from self.waiting
            self.waiting = []
            yield from self.source
        elif hasattr(self.source, "__getitem__") and hasattr(self.source, "__len__"):
            yield from (self.source[k] for k in range(len(self.source)))
            getattr(self.source, "on_epoch_end", lambda: None)()
        else:
            yield from self.source

    def raw(self) -> Iterator[Any]:
        """The batches of an epoch as they come. Raises SettingError when there are none, or fewer than `limit`."""
        count, new = 0, False
        while self.limit is None or count < self.limit:
            if self.going is None:
                self.going, new = self._pass(), True
            batch = next(self.going, None)
            if batch is None:
                self.going = None
                if self.limit is None or self.once or new:
                    break
                continue
            self.given, count, new = self.given + 1, count + 1, False
            yield batch
        if self.limit is None:
            self.going = None
        if count < (self.limit or 1):
            what = "a generator that has run dry" if self.once else "a data set that has ended"
            raise SettingError(
                "A data set gives batches in every epoch, and as many as steps_per_epoch asks for. Received: "
                f"{what} after {self.given} batches. Give one that can be gone through again, such as a list of "
                "batches or a class with __len__ and __getitem__, or a generator that never ends and steps_per_epoch."
            )


def samples_of(batch: Any) -> Any:
    """A batch's samples, whether or not labels come with them."""
    return batch[0] if isinstance(batch, tuple) else batch


@dataclass
class Checked:
    """A data set whose batches are held against the model, one by one."""

    model: Model
    source: DataSet
    class_weight: Mapping[int, float] | None = None
    dtype: Any = np.float32

    @property
    def steps(self) -> int | None:
        return self.source.steps

    def batches(self, epoch: int) -> Iterator[Batch]:
        getattr(self.source.source, "set_epoch", lambda number: None)(epoch)
        for k, batch in enumerate(self.source.raw(), 1):
            rule = "A data set to learn or evaluate from gives (x, y) or (x, y, sample_weight)."
            good = isinstance(batch, tuple | list) and len(batch) in (2, 3)
            require(good, rule, f"{_kind(batch)} as batch {k}")
            weights = batch[2] if len(batch) == 3 else None
            yield data_of(self.model, batch[0], batch[1], weights, self.class_weight, f" of batch {k}", self.dtype)


def _kind(batch: Any) -> str:
    return f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__


def opened(x: Any, y: Any = None, limit: int | None = None) -> Any:
    """x as it is when it is an array, or the numbers for one; otherwise a DataSet."""
    if isinstance(x, DataSet):
        return x
    named = isinstance(x, Mapping)
    require(not named, "A model has one input, an array.", f"a dictionary of {len(x) if named else 0}", JOINED)
    batches = isinstance(x, list | tuple) and bool(x) and isinstance(x[0], tuple) and not np.isscalar(x[0][0])
    plain = hasattr(x, "__array__") or np.isscalar(x) or (isinstance(x, list | tuple) and not (batches and y is None))
    if plain:
        require(
            limit is None, "steps_per_epoch goes with a data set; arrays have a batch_size.", f"{limit} and an array"
        )
        return x
    good = hasattr(x, "__iter__") or (hasattr(x, "__len__") and hasattr(x, "__getitem__"))
    require(good, "x is an array, or a data set that gives batches.", repr(x))
    require(limit is None or (is_whole(limit) and limit > 0), "Steps are a whole number above 0.", repr(limit))
    return DataSet(x, limit)


def feed_of(
    model: Model,
    x: Any,
    y: ArrayLike | None,
    batch_size: int | None,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[int, float] | None = None,
    seed: int | None = None,
    of: str = "",
    dtype: Any = np.float32,
) -> Arrays | Checked:
    """Opened data as checked batches in dtype. Raises ShapeError or SettingError when they don't fit the model."""
    if isinstance(x, DataSet):
        given = {"y": y, "batch_size": batch_size, "sample_weight": sample_weight}
        extra = [name for name, value in given.items() if value is not None]
        require(not extra, "A data set gives labels, weights and batches of its own.", f"{', '.join(extra)} beside it")
        return Checked(model, x, class_weight, dtype)
    require(y is not None, "fit and evaluate need labels: y, or a data set of batches (x, y).", "none")
    assert y is not None
    return Arrays(data_of(model, x, y, sample_weight, class_weight, of, dtype), batch_checked(batch_size), seed)


def batch_checked(batch_size: int | None) -> int:
    size = BATCH if batch_size is None else batch_size
    require(is_whole(size) and size > 0, "batch_size must be a whole number above 0.", repr(batch_size))
    return int(size)


def inputs_of(model: Model, x: ArrayLike, of: str = "", dtype: Any = np.float32) -> Array:
    """Inputs (N, ...) in dtype, or as they are when they hold whole numbers. Raises ShapeError or SettingError."""
    array = of_rank(_numbers(x, f"X{of}"), model.inputs.sizes)
    wanted = model.inputs.sizes
    if array.shape[1:] != wanted or len(array) < 1:
        layer = next((t.layer for t in model.walk() if model.inputs in t.inputs), None)
        name = type(layer).__name__ if layer is not None else "the network"
        raise ShapeError(
            f"{name} needs samples of shape {wanted}. Received: an array {array.shape}. "
            f"Give X{of} the shape (N, {', '.join(map(str, wanted))})."
            + (f" A list of arrays is samples. {JOINED}" if _holds_arrays(x) else "")
        )
    if array.dtype.kind == "f":
        array = array.astype(dtype, copy=False)
        _finite(array, f"X{of}")
    for tensor in model.walk():
        if isinstance(tensor.layer, Embedding):
            classes_checked(array, tensor.layer.input_dim, f"Inputs of an Embedding, X{of},")
    return array


def _holds_arrays(x: Any) -> bool:
    return isinstance(x, list) and bool(x) and isinstance(x[0], np.ndarray)


def _numbers(data: Any, what: str) -> Array:
    """data as numbers of any kind. Raises SettingError for others, and for rows of several lengths."""
    rule = f"{what} must be numbers in rows of one length."
    try:
        array = np.asarray(data)
        if array.dtype == object:
            array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{rule} Received: {str(error).rstrip('.')}.") from None
    advice = "Texts become numbers first, such as classes by their place in a list."
    text = array.dtype.kind in "US"
    received = f"texts, such as {array.ravel()[0]!s:.20}" if text and array.size else f"{array.dtype}"
    require(array.dtype.kind in "fiub", rule, received, advice if text else "")
    return array


def of_rank(x: Array, shape: tuple[int, ...]) -> Array:
    """Samples of that shape; as in Keras, a last axis of length one may be left out, or be one too many.

    >>> of_rank(np.zeros((5, 28, 28)), (28, 28, 1)).shape, of_rank(np.zeros((5, 3, 1)), (3,)).shape
    ((5, 28, 28, 1), (5, 3))
    """
    if (*x.shape[1:], 1) == shape:
        return x[..., None]
    return x[..., 0] if x.shape[1:] == (*shape, 1) else x


def classes_checked(values: Array, classes: int, what: str, advice: str = "") -> None:
    """Raises SettingError unless all are whole numbers from 0 to classes - 1."""
    good = (values == np.floor(values)) & (values >= 0) & (values < classes)
    received = values[~good].ravel()[0] if not good.all() else 0
    require(bool(good.all()), f"{what} are whole numbers from 0 to {classes - 1}.", f"{received:g}", advice)


def data_of(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[int, float] | None = None,
    of: str = "",
    dtype: Any = np.float32,
) -> Batch:
    """Samples, labels and weights as a network takes them, held against the model."""
    inputs, labels = inputs_of(model, x, of, dtype), np.asarray(y)
    if len(labels) != len(inputs):
        raise ShapeError(f"X{of} and Y{of} have as many rows. Received: {len(inputs)} and {len(labels)}.")
    fitted = model.labels_fitted(labels, f"Y{of}", dtype)
    require(sample_weight is None or class_weight is None, ONE_WEIGHT, "both", MULTIPLIED)
    if class_weight is not None:
        return Batch(inputs, fitted, _by_class(fitted, class_weight))
    return Batch(inputs, fitted, None if sample_weight is None else _weights(model, sample_weight, len(inputs), of))


def _by_class(labels: Array, class_weight: Mapping[int, float]) -> Array:
    """The weight of every sample (N,); classes that aren't named count 1."""
    good = isinstance(class_weight, Mapping) and all(
        is_whole(k) and isinstance(v, int | float | np.number) and np.isfinite(v) for k, v in class_weight.items()
    )
    require(good, "class_weight is a dictionary of class numbers and finite weights.", repr(class_weight))
    several = labels.ndim > 1 and labels.shape[-1] > 1 and labels.dtype.kind == "f"
    classes = labels.argmax(-1) if several else labels.reshape(len(labels), -1)[:, 0]
    rule = "class_weight needs one class per sample."
    require(classes.shape == (len(labels),) and (several or labels.size == len(labels)), rule, f"{labels.shape}")
    found = [class_weight.get(int(k), 1.0) for k in np.round(classes)]
    return np.array(found, np.float32)


def _weights(model: Model, sample_weight: ArrayLike, samples: int, of: str) -> Array:
    """Weights (N,), or one for every loss of a sample (N, ...)."""
    weights = np.asarray(sample_weight)
    require(weights.dtype.kind in "fiub", f"sample_weight{of} must be numbers.", f"{weights.dtype}")
    weights = weights.astype(np.float32)
    whole = (samples, *model.outputs.sizes[:-1])
    weights = weights[..., 0] if weights.shape == (*whole, 1) else weights
    if weights.shape not in ((samples,), whole):
        wanted = f"({samples},)" if len(whole) == 1 else f"({samples},) or {whole}"
        raise ShapeError(f"sample_weight{of} has the shape {wanted}. Received: {weights.shape}.")
    _finite(weights, f"sample_weight{of}")
    return weights


def _finite(array: Array, what: str) -> None:
    flat = array.reshape(-1)
    for start in range(0, flat.size, LARGE):
        bad = ~np.isfinite(flat[start : start + LARGE])
        if bad.any():
            at = np.unravel_index(start + int(np.argmax(bad)), array.shape)
            raise SettingError(
                f"{what} must be finite numbers. Received: {array[at]} at {tuple(int(i) for i in at)}. "
                "Remove these samples or fill them in."
            )
