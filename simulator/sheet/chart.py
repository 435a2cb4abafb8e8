"""Charts as data: scatter charts with straight lines, since their axes are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PALETTE = ("#2563EB", "#DC2626", "#059669", "#D97706", "#7C3AED", "#0891B2", "#BE185D", "#4D7C0F", "#475569")


class Area(NamedTuple):
    """A range of cells on a sheet, first and last row and column included."""

    sheet: str
    row: int
    col: int
    last_row: int
    last_col: int


@dataclass(frozen=True)
class Series:
    """One curve. name is a text, or a formula such as `Sweep!$B$5`; the numbers are cached for viewers."""

    name: str
    x: Area
    y: Area
    x_numbers: tuple[float, ...] = ()
    y_numbers: tuple[float, ...] = ()
    markers: bool = False
    color: str = ""


@dataclass(frozen=True)
class Chart:
    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    row: int
    col: int
    width: int = 720
    height: int = 380
    x_min: float | None = None
    y_max: float | None = None  # where a curve may leave the picture
    x_offset: int = 0  # pixels to the right of its cell
