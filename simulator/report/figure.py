"""Pictures as PNG: panels side by side, described by data; Matplotlib stays inside this file.

# n points; R runs, E epochs
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from simulator.report.output import write_bytes
from simulator.sheet.style import INK, LINE, MUTED, SCALE

Array = NDArray[np.float64]
COLOURS = LinearSegmentedColormap.from_list("boundary", SCALE)
NEGATIVE, POSITIVE, ACCENT, GOOD = "#B91C1C", "#1D4ED8", "#D97706", "#059669"
SIDE, DPI = 4.4, 110  # inches of a panel; pixels an inch
LEAST_LOSS, MOST_LOSS, BAR = 0.1, 0.8, 0.02  # the axis of losses, the width of a histogram's bar
MOST_BARS, LABEL_WIDTH = 12, 26  # of horizontal bars; characters of a label's line
MOST_DOTS, MOST_KERNELS = 40, 100  # of a curve; of a layer


@dataclass(frozen=True)
class Plane:
    """answers (m, m) over a square, lowest row first; points (n, 2) with labels, of the training and of the test."""

    title: str
    answers: Array
    square: tuple[float, float]
    train: tuple[Array, Array]
    test: tuple[Array, Array]

    def draw(self, ax: Axes) -> None:
        low, high = self.square
        edges = (low, high, low, high)
        ax.imshow(self.answers, origin="lower", extent=edges, cmap=COLOURS, vmin=-1, vmax=1, interpolation="bilinear")
        at = np.linspace(low, high, len(self.answers))
        if self.answers.min() < 0 < self.answers.max():
            ax.contour(at, at, self.answers, levels=[0], colors=INK, linewidths=1.4)
        for (points, labels), filled in ((self.train, True), (self.test, False)):
            for sign, color in ((1, POSITIVE), (-1, NEGATIVE)):
                x1, x2 = points[labels == sign].T
                face = color if filled else "none"
                ax.scatter(x1, x2, s=12, facecolors=face, edgecolors=color, linewidths=0.8, alpha=0.85)
        ax.set(xlim=(low, high), ylim=(low, high), xlabel="x1", ylabel="x2", aspect="equal")
        ax.grid(False)


@dataclass(frozen=True)
class Curves:
    """costs (R, E), every run in grey; marked runs in colour, with their names; levels as named horizontal lines."""

    title: str
    costs: Array
    marked: Sequence[tuple[str, int]]
    levels: Sequence[tuple[str, float]]

    def draw(self, ax: Axes) -> None:
        epochs = np.arange(1, self.costs.shape[1] + 1)
        ax.plot(epochs, self.costs.T, color="#9CA3AF", linewidth=0.5, alpha=0.5)
        for (name, run), color in zip(self.marked, (POSITIVE, ACCENT, NEGATIVE), strict=False):
            ax.plot(epochs, self.costs[run], color=color, linewidth=1.8, label=name)
        _levels(ax, self.levels, across=True)
        ax.set(xlabel="epoch", ylabel="training loss", xlim=(0, epochs[-1]), ylim=(0, MOST_LOSS))
        ax.legend(frameon=False, fontsize=8, loc="upper right")


@dataclass(frozen=True)
class Histogram:
    """How many runs end at which test loss: losses (R,). A bar starts at goal."""

    title: str
    losses: Array
    goal: float
    levels: Sequence[tuple[str, float]]

    def draw(self, ax: Axes) -> None:
        ax.hist(self.losses, bins=(self.goal + BAR * np.arange(-4, 32)).tolist(), color=SCALE[2], edgecolor="white")
        _levels(ax, self.levels, across=False)
        ax.set(xlabel="test loss at the end", ylabel="runs", xlim=(LEAST_LOSS, MOST_LOSS))


@dataclass(frozen=True)
class Strips:
    """The test losses of the runs of several networks, one row each, the first one on top."""

    title: str
    losses: Sequence[tuple[str, Array]]
    levels: Sequence[tuple[str, float]]

    def draw(self, ax: Axes) -> None:
        rng = np.random.default_rng(0)
        for row, (_, losses) in enumerate(self.losses):
            ax.scatter(
                losses, row + rng.uniform(-0.28, 0.28, len(losses)), s=7, color=POSITIVE, alpha=0.35, linewidths=0
            )
            middle = np.sort(losses)[(len(losses) - 1) // 2]
            ax.plot([middle] * 2, [row - 0.36, row + 0.36], color=ACCENT, linewidth=2.2)
        ax.set_yticks(range(len(self.losses)), [name for name, _ in self.losses])
        ax.set(xlabel="test loss at the end; orange: the middle run", xlim=(LEAST_LOSS, MOST_LOSS))
        ax.set_ylim(len(self.losses) - 0.4, -1.0)
        _levels(ax, self.levels, across=False)


@dataclass(frozen=True)
class Bars:
    """How many there are of each: horizontal bars, the first one on top; at most twelve of them."""

    title: str
    counts: Sequence[tuple[str, int]]
    unit: str

    def draw(self, ax: Axes) -> None:
        shown = self.counts[:MOST_BARS]
        bars = ax.barh(range(len(shown)), [n for _, n in shown], height=0.62, color=POSITIVE)
        ax.bar_label(bars, padding=3, fontsize=8, color=INK)
        names = ["\n".join(textwrap.wrap(name, LABEL_WIDTH)) for name, _ in shown]
        ax.set_yticks(range(len(shown)), names, parse_math=False)  # a name's dollar sign is no formula
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        left_out = len(self.counts) - len(shown)
        ax.set_xlabel(
            self.unit + (f"; {left_out} rarer ones are left out" if left_out else ""), fontsize=9, color=MUTED
        )
        ax.set(xlim=(0, 1.12 * max((n for _, n in shown), default=1)), ylim=(max(len(shown), 6) - 0.4, -0.6))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(False, axis="y")
        if not shown:
            ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color=MUTED)


@dataclass(frozen=True)
class Lines:
    """Named curves over 1, 2, ... of an axis, with dots where there are few; levels as named horizontal lines."""

    title: str
    values: Sequence[tuple[str, Sequence[float]]]
    unit: str
    levels: Sequence[tuple[str, float]] = ()
    axis: str = "epoch"

    def draw(self, ax: Axes) -> None:
        for (name, values), color in zip(self.values, (POSITIVE, ACCENT, NEGATIVE), strict=False):
            dots = "o" if len(values) <= MOST_DOTS else None
            at = range(1, len(values) + 1)
            ax.plot(at, values, color=color, linewidth=1.8, marker=dots, markersize=3, label=name)
        for (name, value), dash in zip(self.levels, ("--", ":", "-."), strict=False):
            ax.axhline(value, color=GOOD, linewidth=1.2, linestyle=dash, label=name)
        ax.set(xlabel=self.axis, ylabel=self.unit)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False, fontsize=8)


@dataclass(frozen=True)
class Confusion:
    """counts (K, K): how often each class, in rows, was taken for each, in columns."""

    title: str
    counts: NDArray[np.int64]
    classes: Sequence[str]

    def draw(self, ax: Axes) -> None:
        share = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, col in np.ndindex(*self.counts.shape):
            if self.counts[row, col]:
                color = "white" if share[row, col] > 0.5 else INK
                ax.text(col, row, str(self.counts[row, col]), ha="center", va="center", fontsize=6, color=color)
        names = range(len(self.classes))
        ax.set_xticks(names, self.classes, rotation=60, ha="right")
        ax.set_yticks(names, self.classes)
        ax.set(xlabel="taken for", ylabel="is")
        ax.grid(False)


@dataclass(frozen=True)
class Pictures:
    """pictures (n, H, W), at most twelve, with a caption each; dark is low."""

    title: str
    pictures: Array
    captions: Sequence[str]

    def draw(self, ax: Axes) -> None:
        ax.axis("off")
        for k, (picture, caption) in enumerate(zip(self.pictures[:12], self.captions, strict=False)):
            row, col = divmod(k, 4)
            inner = ax.inset_axes((col / 4 + 0.015, 0.68 - row / 3, 0.22, 0.24))
            inner.imshow(picture, cmap="gray", interpolation="nearest")
            inner.set_title(caption, fontsize=7, color=INK, pad=2)
            inner.axis("off")


@dataclass(frozen=True)
class Kernels:
    """kernels (n, kh, kw) in a square, at most a hundred: red below zero, blue above, one scale for all."""

    title: str
    kernels: Array

    def draw(self, ax: Axes) -> None:
        kernels = self.kernels[:MOST_KERNELS]
        n, kh, kw = kernels.shape
        across = math.ceil(math.sqrt(n))
        down = math.ceil(n / across)
        sheet = np.full((down * (kh + 1) - 1, across * (kw + 1) - 1), np.nan)
        for k, kernel in enumerate(kernels):
            row, col = divmod(k, across)
            sheet[row * (kh + 1) : row * (kh + 1) + kh, col * (kw + 1) : col * (kw + 1) + kw] = kernel
        most = float(np.abs(kernels).max()) or 1.0
        ax.imshow(sheet, cmap="RdBu", vmin=-most, vmax=most, interpolation="nearest")
        left_out = len(self.kernels) - n
        ax.set_xlabel(
            f"red to blue: {-most:.2g} to {most:.2g}" + (f"; {left_out} more are left out" if left_out else "")
        )
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)


@dataclass(frozen=True)
class Shares:
    """Two shares from 0 to 1 of each of several things, as bars one below the other, the first one on top."""

    title: str
    shares: Sequence[tuple[str, float, float]]
    names: tuple[str, str]

    def draw(self, ax: Axes) -> None:
        rows = np.arange(len(self.shares))
        for k, (name, color) in enumerate(zip(self.names, (POSITIVE, ACCENT), strict=True)):
            ax.barh(rows + 0.4 * k - 0.2, [share[1 + k] for share in self.shares], 0.38, color=color, label=name)
        few = len(self.shares) <= 2 * MOST_BARS
        ax.set_yticks(rows, [name for name, *_ in self.shares], fontsize=8 if few else 5, parse_math=False)
        ax.set(xlim=(0, 1), ylim=(max(len(rows), 4) - 0.4, -0.6), xlabel="share")
        ax.grid(False, axis="y")
        ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)


Drawn = Plane | Curves | Histogram | Strips | Bars | Lines | Confusion | Pictures | Kernels | Shares


def draw_figure(path: Path, title: str, panels: Sequence[Drawn]) -> Path:
    """The panels side by side, as a PNG; the same panels give the same file. Raises WorkbookError."""
    return write_bytes(path, figure_of(title, panels))


def figure_of(title: str, panels: Sequence[Drawn], *, stacked: bool = False) -> bytes:
    """The same PNG as bytes; stacked: one panel below the other, for narrow screens."""
    rows, columns = (len(panels), 1) if stacked else (1, len(panels))
    figure = Figure(figsize=(SIDE * columns, SIDE * rows + 0.5), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13, fontweight="bold", color=INK)
    for ax, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=True):
        ax.grid(True, color=LINE, linewidth=0.5)
        ax.set_axisbelow(True)
        for spine in ax.spines.values():
            spine.set_color(LINE)
        ax.tick_params(colors=MUTED, labelsize=8)
        ax.set_title(panel.title, fontsize=10, color=INK)
        panel.draw(ax)
    file = BytesIO()
    figure.savefig(file, metadata={"Software": None})
    return file.getvalue()


@dataclass(frozen=True)
class Box:
    """Lines of text at a row, counted from the top, and a column."""

    text: str
    row: int
    column: int


ASIDE = 0.85  # inches: half a box


def boxes_of(boxes: Sequence[Box], arrows: Sequence[tuple[int, int]]) -> bytes:
    """A PNG of boxes with arrows from one to another, by their numbers; long arrows go round what lies between."""
    lines = max(box.text.count("\n") for box in boxes) + 1
    step = 0.35 + 0.2 * lines  # inches of a row
    rows, columns = (max(getattr(box, axis) for box in boxes) + 1 for axis in ("row", "column"))
    figure = Figure(figsize=(2.2 * columns + 1.2, step * rows), dpi=DPI)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.8, columns - 0.2 + 0.1), ylim=(rows - 0.5, -0.5))
    ax.axis("off")
    drawn = [
        ax.text(
            box.column,
            box.row,
            box.text,
            ha="center",
            va="center",
            fontsize=8,
            color=INK,
            linespacing=1.3,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": MUTED},
        )
        for box in boxes
    ]
    for a, b in arrows:
        far = boxes[b].row - boxes[a].row if boxes[b].column == boxes[a].column else 1
        bend = f"arc3,rad={2 * ASIDE / (far * step) if far > 1 else 0}"
        style = {"arrowstyle": "-|>", "color": MUTED, "connectionstyle": bend, "shrinkA": 0, "shrinkB": 0}
        style |= {"patchA": drawn[a].get_bbox_patch(), "patchB": drawn[b].get_bbox_patch()}
        to, start = ((float(boxes[k].column), float(boxes[k].row)) for k in (b, a))
        ax.annotate("", to, start, arrowprops=style)
    file = BytesIO()
    figure.savefig(file, metadata={"Software": None})
    return file.getvalue()


def _levels(ax: Axes, levels: Sequence[tuple[str, float]], *, across: bool) -> None:
    for name, value in levels:
        line, where = (ax.axhline, ax.get_yaxis_transform()) if across else (ax.axvline, ax.get_xaxis_transform())
        line(value, color=GOOD, linewidth=1, linestyle="--")
        if across:
            ax.text(0.99, value + 0.008, name, transform=where, ha="right", va="bottom", fontsize=8, color=GOOD)
        else:
            ax.text(value + 0.006, 0.985, name, transform=where, ha="left", va="top", fontsize=8, color=GOOD)
