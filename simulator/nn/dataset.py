"""Data sets whose batches are made when they are asked for: pictures in folders, windows of a series.

# N samples, T steps of a window
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import DataError
from simulator.nn.backend.interpolation import INTERPOLATIONS
from simulator.nn.option import is_whole, one_of, require
from simulator.nn.picture import MODES, img_to_array, load_img, resized, size_checked

Array = NDArray[Any]
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


@dataclass
class Dataset:
    """Batches of numbered samples, which `fit`, `evaluate` and `predict` take; every pass begins anew.

    make gives the batch of these samples. With a seed every pass has an order of its own, which follows from the seed
    and the number of the pass. batch_size None gives single samples.
    """

    samples: int
    batch_size: int | None
    make: Callable[[NDArray[np.int64]], Any] = field(repr=False)
    seed: int | None = None
    class_names: list[str] | None = None
    file_paths: list[str] | None = field(default=None, repr=False)
    most: int | None = None
    epoch: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        good = self.batch_size is None or (is_whole(self.batch_size) and self.batch_size > 0)
        require(good, "batch_size must be a whole number above 0, or None.", repr(self.batch_size))

    def __len__(self) -> int:
        count = -(-self.samples // (self.batch_size or 1))
        return count if self.most is None else min(count, self.most)

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(self.samples)
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        self.epoch += 1
        return islice(self._batches(order), self.most)

    def _batches(self, order: NDArray[np.int64]) -> Iterator[Any]:
        for start in range(0, self.samples, self.batch_size or 1):
            batch = self.make(order[start : start + (self.batch_size or 1)])
            if self.batch_size is None:
                batch = tuple(part[0] for part in batch) if isinstance(batch, tuple) else batch[0]
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be that of this epoch, so that a training that goes on has the same order."""
        self.epoch = epoch

    def take(self, count: int) -> Dataset:
        """The first batches of every pass."""
        return replace(self, most=count)


def image_dataset_from_directory(
    directory: str | Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    verbose: bool = True,
) -> Any:
    """Batches (x, y) of the pictures in a folder with a folder per class, in the order of their names.

    x (N, height, width, channels) of 0 to 255 in float32. y: class numbers for "int"; 0 or 1, (N, 1), for "binary";
    rows with a single 1 for "categorical"; with labels=None only x comes. labels may also be a list of class numbers,
    by the sorted paths of the pictures. validation_split with subset "training", "validation" or "both", which gives
    two data sets, takes the last of the files as they lie after shuffling by seed.

    Raises DataError without pictures there, or, naming the file, for one that can't be read when its turn comes.
    """
    if label_mode is not None:
        one_of("label_mode", label_mode, ("int", "binary", "categorical"))
    one_of("color_mode", color_mode, MODES)
    one_of("interpolation", interpolation, INTERPOLATIONS)
    size = size_checked(image_size)
    _check_split(validation_split, subset, shuffle, seed)
    seed = int(np.random.randint(1_000_000)) if seed is None else seed
    paths, numbers, names = _index(Path(directory), labels if label_mode is not None else None, class_names)
    binary = label_mode != "binary" or numbers is None or len(names or []) == 2
    require(binary, "label_mode 'binary' needs two classes.", f"{len(names or [])}: {', '.join(names or [])}")
    if verbose:
        print(f"Found {len(paths)} files" + (f" belonging to {len(names)} classes." if names is not None else "."))
    if shuffle:
        order = np.arange(len(paths))
        np.random.RandomState(seed).shuffle(order)  # Keras's order, so that splits are the same
        paths = [paths[k] for k in order]
        numbers = None if numbers is None else numbers[order]

    def part(start: int, stop: int, shuffled: bool) -> Dataset:
        mine, classes = paths[start:stop], None if numbers is None else numbers[start:stop]
        if not mine:
            raise DataError(f"A data set needs pictures. Received: none in '{directory}'. Choose another share.")

        def make(chosen: NDArray[np.int64]) -> Any:
            x = np.stack([resized(img_to_array(load_img(mine[k], color_mode)), size, interpolation) for k in chosen])
            return x if classes is None else (x, _labels_as(classes[chosen], label_mode, len(names or [])))

        return Dataset(len(mine), batch_size, make, seed if shuffled else None, names, mine)

    if not validation_split:
        return part(0, len(paths), shuffle)
    cut = len(paths) - int(validation_split * len(paths))
    parts = {"training": (0, cut, shuffle), "validation": (cut, len(paths), shuffle and subset == "validation")}
    if verbose:
        for name, (start, stop, _) in parts.items():
            if subset in (name, "both"):
                print(f"Using {stop - start} files for {name}.")
    return [part(*p) for p in parts.values()] if subset == "both" else part(*parts[str(subset)])


def _check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    share = validation_split or 0.0
    require(0 <= share < 1, "validation_split is a share from 0 to below 1.", repr(validation_split))
    if subset is not None:
        one_of("subset", subset, ("training", "validation", "both"))
    received = f"validation_split={validation_split}, subset={subset!r}"
    require(bool(share) == (subset is not None), "validation_split and subset go together.", received)
    rule = "Shuffled files are split the same way in both calls only with a seed."
    require(not share or not shuffle or seed is not None, rule, "none", "Give seed, or shuffle=False.")


def _index(
    directory: Path, labels: Any, class_names: Sequence[str] | None
) -> tuple[list[str], NDArray[np.int32] | None, list[str] | None]:
    """Paths, their class numbers and the names of the classes."""
    if not directory.is_dir():
        raise DataError(f"Pictures lie in a folder. Received: '{directory}', which is none. Check the path.")
    inferred = isinstance(labels, str)
    require(not inferred or labels == "inferred", "labels is 'inferred', None or a list.", repr(labels))
    require(inferred or class_names is None, "class_names goes with labels='inferred'.", repr(class_names))
    if not inferred:
        paths = _pictures(directory)
        if labels is None:
            return _some(paths, directory), None, None
        require(len(labels) == len(paths), "labels has one for every picture.", f"{len(labels)} for {len(paths)}")
        return _some(paths, directory), np.asarray(labels, np.int32), [str(k) for k in sorted(set(labels))]
    folders = sorted(p.name for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))
    missing = sorted(set(class_names or ()) - set(folders))
    require(not missing, f"class_names are folders of '{directory}': {', '.join(folders)}.", ", ".join(missing))
    names = list(class_names or folders)
    of_class = [_pictures(directory / name) for name in names]
    numbers = np.repeat(np.arange(len(names), dtype=np.int32), [len(some) for some in of_class])
    return _some([path for some in of_class for path in some], directory), numbers, names


def _pictures(folder: Path) -> list[str]:
    """The pictures in a folder and below it, sorted as Keras does: folder by folder."""
    found = sorted(os.walk(folder), key=lambda entry: entry[0])
    return [str(Path(root) / f) for root, _, files in found for f in sorted(files) if f.lower().endswith(SUFFIXES)]


def _some(paths: list[str], directory: Path) -> list[str]:
    if not paths:
        raise DataError(
            f"A folder of pictures has {', '.join(SUFFIXES)} files, in a folder per class. Received: none in "
            f"'{directory}'. Check the path, or give labels=None."
        )
    return paths


def _labels_as(classes: NDArray[np.int32], label_mode: str | None, count: int) -> Array:
    if label_mode == "binary":
        return classes.astype(np.float32)[:, None]
    return np.eye(count, dtype=np.float32)[classes] if label_mode == "categorical" else classes


def timeseries_dataset_from_array(
    data: ArrayLike,
    targets: ArrayLike | None,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Dataset:
    """Batches (x, y) of windows of a series, x (N, sequence_length, ...), or x alone where targets is None.

    A window begins every sequence_stride steps from start_index on, takes every sampling_rate-th step, and stays before
    end_index. Its target is targets[its first step]. Raises SettingError when there is no such window.

    >>> x, y = next(iter(timeseries_dataset_from_array(range(6), range(10, 16), 3, sampling_rate=2)))
    >>> x.tolist(), y.tolist()
    ([[0, 2, 4], [1, 3, 5]], [10, 11])
    """
    series = np.asarray(data)
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        require(is_whole(value) and value > 0, f"{name} is a whole number above 0.", repr(value))
    start, end = start_index or 0, len(series) if end_index is None else end_index
    rule = f"start_index and end_index lie in the series, from 0 to {len(series)}, the first below the second."
    require(0 <= start < end <= len(series), rule, f"{start_index} and {end_index}")
    count = end - start - (sequence_length - 1) * sampling_rate
    wanted = None if targets is None else np.asarray(targets)[start:]
    count = count if wanted is None else min(count, len(wanted))
    spanned = (sequence_length - 1) * sampling_rate + 1
    rule = f"A window of {sequence_length} steps spans {spanned}, which must fit."
    require(count > 0, rule, f"steps {start} to {end}" + ("" if wanted is None else f", {len(wanted)} targets"))
    begins = np.arange(0, count, sequence_stride)
    offsets = np.arange(sequence_length) * sampling_rate
    part = series[start:end]

    def make(chosen: NDArray[np.int64]) -> Any:
        first = begins[chosen]
        x = part[first[:, None] + offsets]
        return x if wanted is None else (x, wanted[first])

    seed = int(np.random.randint(1_000_000)) if shuffle and seed is None else seed
    return Dataset(len(begins), batch_size, make, seed if shuffle else None)
