"""Small helpers, as Keras groups them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import missing
from simulator.nn.backend import clear_session
from simulator.nn.dataset import image_dataset_from_directory, timeseries_dataset_from_array
from simulator.nn.option import require
from simulator.nn.picture import array_to_img, img_to_array, load_img
from simulator.nn.seed import set_random_seed

if TYPE_CHECKING:
    from simulator.nn.model import Model

__all__ = [
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "normalize",
    "plot_model",
    "set_random_seed",
    "timeseries_dataset_from_array",
    "to_categorical",
]

SORTED = "np.unique(x, return_inverse=True) gives names numbers."

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, __all__)


class PyDataset:
    """Base of data sets of your own: __len__ says how many batches there are, __getitem__(k) gives one.

    `fit` goes through them in their order, and calls on_epoch_end after the last. Keras's options are taken, and
    nothing depends on them: one process reads.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def on_epoch_end(self) -> None: ...


Sequence = PyDataset  # its older name


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float32]:
    """Class numbers (N,) as rows of zeros with a single 1, (N, num_classes).

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    numbers = np.asarray(x)
    if numbers.dtype.kind in "US":
        whole = np.char.isdecimal(numbers)
        require(
            bool(whole.all()),
            "Class numbers are whole numbers.",
            f"'{numbers[~whole][0] if not whole.all() else ''}'",
            SORTED,
        )
        numbers = numbers.astype(np.int64)
    numbers = numbers[..., 0] if numbers.ndim > 1 and numbers.shape[-1] == 1 else numbers
    whole = numbers.astype(np.int64)
    size = int(whole.max(initial=-1)) + 1 if num_classes is None else num_classes
    fits = bool((whole == numbers).all()) and whole.min(initial=0) >= 0 and whole.max(initial=0) < max(size, 1)
    require(fits, f"Class numbers are whole numbers from 0 to {size - 1}.", f"{numbers.min()} to {numbers.max()}")
    found: NDArray[np.float32] = np.eye(size, dtype=np.float32)[whole]
    return found


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> NDArray[Any]:
    """x divided by its norm along an axis; zeros stay."""
    array = np.asarray(x, dtype=float)
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norm == 0, 1, norm))


def plot_model(
    model: Model,
    to_file: str | Path = "model.png",
    show_shapes: bool = False,
    show_layer_names: bool = False,
    show_layer_activations: bool = False,
) -> Path:
    """Draw a model's layers and what goes from one to the next, as a PNG; shapes are those of one sample.

    Raises ModelError where the file can't be written.
    """
    from simulator.report.diagram import draw_network

    rule = "A network is drawn as a PNG."
    require(Path(to_file).suffix.lower() == ".png", rule, f"'{to_file}'", "Give to_file the ending .png.")
    return draw_network(
        model, Path(to_file), shapes=show_shapes, names=show_layer_names, activations=show_layer_activations
    )
