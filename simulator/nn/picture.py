"""Pictures in files; Pillow enters here."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import DataError, ShapeError
from simulator.nn.backend.interpolation import neighbours_of
from simulator.nn.option import chosen, is_whole, one_of, require

if TYPE_CHECKING:  # loaded where it is used: most commands read no picture
    from PIL import Image

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
DEEP = ("I;16", "I")  # gray with more than 8 bits, which Keras leaves as it is
RESAMPLING = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def load_img(
    path: str | Path,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
) -> Image.Image:
    """A picture from a file, as Pillow has it; target_size is (height, width).

    Raises DataError, naming the file, when it is no picture, is cut off, or too large to be one.
    """
    from PIL import Image

    mode = chosen("color_mode", color_mode, MODES)
    one_of("interpolation", interpolation, RESAMPLING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                file.load()
                kept = file.mode == mode or (mode == "L" and file.mode in DEEP)
                picture = file.copy() if kept else file.convert(mode)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        why = (getattr(error, "strerror", None) or str(error)).removesuffix(".")
        raise DataError(
            f"A picture must be a whole JPEG, PNG, GIF or BMP file. Received: '{path}' ({why}). "
            + ("Check the path." if isinstance(error, FileNotFoundError) else "Mend or remove it.")
        ) from None
    if target_size is not None:
        height, width = size_checked(target_size)
        picture = picture.resize((width, height), Image.Resampling[interpolation.upper()])
    return picture


def img_to_array(img: Any) -> NDArray[np.float32]:
    """A picture of Pillow's as an array (height, width, channels) of 0 to 255.

    >>> img_to_array(array_to_img([[[0], [255]]])).tolist()
    [[[0.0], [255.0]]]
    """
    array = np.asarray(img, np.float32)
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ShapeError(f"A picture has the shape (height, width, channels). Received: {array.shape}.")
    return array


def array_to_img(x: ArrayLike, scale: bool = True) -> Image.Image:
    """An array (height, width, 1, 3 or 4) as a picture; scale brings its smallest number to 0, its largest to 255."""
    from PIL import Image

    array = np.asarray(x, np.float32)
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
        raise ShapeError(f"A picture has the shape (height, width, 1, 3 or 4). Received: {array.shape}.")
    if scale:
        array = array - array.min()
        most = array.max()
        array = (array / most if most else array) * 255
    single = array.shape[-1] == 1
    if single and array.max() > 255:
        return Image.fromarray(array[..., 0].astype(np.int32))
    return Image.fromarray((array[..., 0] if single else array).astype(np.uint8))


def resized(picture: NDArray[np.float32], size: tuple[int, int], interpolation: str) -> NDArray[np.float32]:
    """A picture (H, W, C) in another size, as `layers.Resizing` does it."""
    for axis, wanted in enumerate(size):
        low, high, share = neighbours_of(picture.shape[axis], wanted, interpolation)
        first = picture.take(low, axis)
        if share.any():
            part = np.expand_dims(share.astype(np.float32), (1, 2) if axis == 0 else (1,))
            first += (picture.take(high, axis) - first) * part
        picture = first
    return picture


def size_checked(size: Any) -> tuple[int, int]:
    """(height, width) of a size as Keras takes it."""
    sizes = (size, size) if is_whole(size) else size
    good = isinstance(sizes, tuple | list) and len(sizes) == 2 and all(is_whole(n) and n > 0 for n in sizes)
    require(good, "A picture's size is (height, width), whole numbers above 0.", repr(size))
    return int(sizes[0]), int(sizes[1])
