"""The paper's Figures 3 to 5: images beside each other, and profiles along a line."""

from __future__ import annotations

import math
import os
import string
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from scipy import ndimage

from guided_sr.errors import DataError, UsageError
from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.evaluation.paper import method_name
from guided_sr.metrics import psnr
from guided_sr.report.panel import (
    error_window,
    grey_window,
    new_figure,
    outline,
    save_figure,
    show_slice,
)

__all__ = ["draw_comparison", "draw_profile", "worst_line", "worst_square"]

Zoom = tuple[int, int, int]
Line = tuple[tuple[float, float], tuple[float, float]]

CUBIC = "cubic"
_DPI = 150
_RED = "#e41a1c"
_YELLOW = "#ffd400"
# Okabe and Ito: told apart by readers with any colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_LINE = 24
_HEAD = 0.1  # of the white of the grey window
_SCALP = 0.09  # of the shorter side


def draw_comparison(
    path: str | os.PathLike[str],
    *,
    truth: ArrayLike,
    guide: ArrayLike,
    images: Mapping[str, ArrayLike],
    zoom: Zoom | None = None,
    title: str = "",
) -> None:
    """Draw images, an enlarged square and error maps (Iwamoto et al., Figs. 3, 4).

    All T2 images share one grey window and all errors one symmetric colour window,
    both set by the truth and by the first method.

    Args:
        path: The PNG file.
        truth: Slice of shape ``(height, width)``.
        guide: The T1 of the same shape.
        images: Estimates of the same shape by method, in the order shown; a name of
            the benchmark is shown as the paper calls it. The one called ``"cubic"``,
            or else the first, sets the colour window.
        zoom: First row, first column and side of the square in pixels; by default
            `worst_square`.
        title: Heading of the picture.

    Raises:
        DataError: If sizes differ or the truth is empty.
        UsageError: If there are no images or the square does not lie in them.
    """
    whole, shown = _checked(truth, images)
    t1 = _checked(truth, {"the guide": guide})[1]["the guide"]
    baseline = shown.get(CUBIC, next(iter(shown.values())))
    square = worst_square(whole, baseline) if zoom is None else zoom
    row, column, side = square
    fits = side > 0 and min(row, column) >= 0
    if not (fits and row + side <= whole.shape[0] and column + side <= whole.shape[1]):
        raise UsageError(
            f"the square {square} does not lie in an image of {whole.shape}",
            mend="give first row, first column and side in pixels",
        )
    part = np.s_[row : row + side, column : column + side]
    grey, shades = grey_window(whole), error_window(baseline - whole)
    entries = [("Truth (T2)", whole, grey), ("Guide (T1)", t1, grey_window(t1))]
    entries += [
        (f"{_wrapped(name)}\n{psnr(whole, image):.2f} dB", image, grey)
        for name, image in shown.items()
    ]

    count, width = len(entries), 1.75
    aspect = whole.shape[1] / whole.shape[0]
    lines = max(heading.count("\n") for heading, _, _ in entries) + 2
    height = width * (2 * aspect + 1) + 0.15 * lines + (0.25 if title else 0) + 0.3
    figure = new_figure(width * count, height, dpi=_DPI)
    if title:
        figure.suptitle(title, fontsize=11)
    axes = figure.subplots(3, count, squeeze=False, height_ratios=(aspect, 1.0, aspect))
    extent = outline(whole)
    for k, (heading, image, window) in enumerate(entries):
        name = f"({string.ascii_lowercase[k]}) {heading}"
        show_slice(axes[0, k], image, name, extent, window)
        axes[0, k].title.set_fontsize(9)
        axes[0, k].add_patch(
            Rectangle((row, column), side, side, fill=False, color=_RED, linewidth=1.4)
        )
        show_slice(axes[1, k], image[part], "", (0, side, 0, side), window)
        _frame(axes[1, k], _RED)
        if k >= 2:
            error = show_slice(axes[2, k], image - whole, "", extent, shades)
            _frame(axes[2, k], "0.6")
        else:
            axes[2, k].set_axis_off()
    bar = axes[2, 1].inset_axes((0.62, 0.06, 0.1, 0.88))
    figure.colorbar(error, cax=bar)
    bar.yaxis.set_ticks_position("left")
    bar.tick_params(labelsize=8)
    axes[2, 0].text(
        0.95,
        0.5,
        "estimate − truth,\nin T2 units",
        transform=axes[2, 0].transAxes,
        ha="right",
        va="center",
        fontsize=9,
    )
    save_figure(figure, path, errors="all")


def draw_profile(
    path: str | os.PathLike[str],
    *,
    truth: ArrayLike,
    images: Mapping[str, ArrayLike],
    line: Line | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
) -> None:
    """Draw a slice with a line, and profiles along it (Iwamoto et al., Fig. 5).

    The truth and one scale are in every plot, so that heights and places of peaks
    compare.

    Args:
        path: The PNG file.
        truth: Slice of shape ``(height, width)``.
        images: Estimates of the same shape by method, as for `draw_comparison`.
        line: Its two ends as (row, column), pixel centres at whole numbers; by
            default `worst_line`.
        groups: Names of `images` by the heading of the plot they share. By default
            cubic interpolation, methods without and with a guide.
        title: Heading of the picture.

    Raises:
        DataError: If sizes differ or the truth is empty.
        UsageError: If there are no images, a group names none of them, or the line
            has no length or leaves the slice.
    """
    whole, shown = _checked(truth, images)
    ends = worst_line(whole, shown.get(CUBIC, next(iter(shown.values()))))
    ends = ends if line is None else line
    (r0, c0), (r1, c1) = ends
    length = math.hypot(r1 - r0, c1 - c0)
    inside = min(r0, r1, c0, c1) >= 0
    inside &= max(r0, r1) <= whole.shape[0] - 1 and max(c0, c1) <= whole.shape[1] - 1
    if length < 1.0 or not inside:
        raise UsageError(
            f"the line {ends} is no line in an image of {whole.shape}",
            mend="give two ends as (row, column), inside the image",
        )
    plots = _grouped(shown) if groups is None else groups
    unknown = {name for names in plots.values() for name in names} - shown.keys()
    if unknown:
        raise UsageError(
            f"no image is called {', '.join(sorted(unknown))}",
            mend=f"choose among {', '.join(shown)}",
        )
    count = math.ceil(length) + 1
    places = np.stack([np.linspace(r0, r1, count), np.linspace(c0, c1, count)])
    steps = np.linspace(0.0, length, count)

    def profile(image: np.ndarray) -> np.ndarray:
        return ndimage.map_coordinates(image, places, order=1, mode="nearest")

    aspect = whole.shape[1] / whole.shape[0]
    figure = new_figure(3.0 + 3.1 * len(plots), 3.0 * aspect + 0.5, dpi=_DPI)
    if title:
        figure.suptitle(title, fontsize=11)
    axes = figure.subplots(
        1, 1 + len(plots), width_ratios=(3.0, *[3.1] * len(plots)), squeeze=False
    )[0]
    show_slice(axes[0], whole, "(a) Truth (T2)", outline(whole), grey_window(whole))
    axes[0].plot((r0 + 0.5, r1 + 0.5), (c0 + 0.5, c1 + 0.5), color=_YELLOW, linewidth=2)
    seen: list[np.ndarray] = []
    for letter, axis, (heading, names) in zip(
        string.ascii_lowercase[1:], axes[1:], plots.items(), strict=False
    ):
        lines = {"Truth": profile(whole)} | {n: profile(shown[n]) for n in names}
        for k, (name, values) in enumerate(lines.items()):
            axis.plot(
                steps,
                values,
                color="black" if k == 0 else _COLOURS[(k - 1) % len(_COLOURS)],
                linewidth=2.2 if k == 0 else 1.6,
                linestyle="-" if k == 0 else ("-", "--", "-.")[(k - 1) % 3],
                label=method_name(name),
            )
            seen.append(values)
        axis.set_title(f"({letter}) {heading}", fontsize=10)
        axis.set_xlabel("pixels along the line", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlim(0, length)
        axis.legend(fontsize=8, frameon=False, loc="upper left", borderaxespad=0.2)
    low, high = float(np.min(seen)), float(np.max(seen))
    entries = 1 + max(map(len, plots.values()))
    room = (high - low) / max(0.95 - 0.16 * entries / (3.0 * aspect - 0.7), 0.3)
    for axis in axes[1:]:
        axis.set_ylim(low - 0.05 * room, low + room)  # the legend stands on top
    axes[1].set_ylabel("T2 signal", fontsize=9)
    save_figure(figure, path)


def worst_square(truth: np.ndarray, image: np.ndarray, side: int | None = None) -> Zoom:
    """The square inside the head where an image's error has the most energy.

    Args:
        truth: Slice of shape ``(height, width)``.
        image: Estimate of the same shape.
        side: Of the square in pixels; a quarter of the slice's shorter side.

    Returns:
        First row, first column and side.
    """
    edge = side or max(4, min(truth.shape) // 4)
    energy = _window_sums((image - truth) ** 2, (edge, edge))
    row, column = _best(energy, truth, (edge, edge))
    return row, column, edge


def worst_line(truth: np.ndarray, image: np.ndarray, length: int = _LINE) -> Line:
    """The segment inside the head along which an image misses most of the structure.

    Structure is total variation: peaks that melt into one are missed, an edge that is
    merely blurred is not.

    Args:
        truth: Slice of shape ``(height, width)``.
        image: Estimate of the same shape.
        length: In pixels; less in a small slice.

    Returns:
        Two ends as (row, column), on one column: level in the picture.
    """
    count = min(length, truth.shape[0] // 2)
    ups = [np.abs(np.diff(one, axis=0)) for one in (truth, image)]
    missed = _window_sums(ups[0] - ups[1], (count - 1, 1))
    row, column = _best(missed, truth, (count, 1))
    return (float(row), float(column)), (float(row + count - 1), float(column))


def _checked(
    truth: ArrayLike, images: Mapping[str, ArrayLike]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    whole = np.asarray(truth, np.float64)
    arrays = {name: np.asarray(image, np.float64) for name, image in images.items()}
    if not arrays:
        raise UsageError("there are no images to draw", mend="give at least one")
    for name, image in arrays.items():
        if whole.ndim != 2 or image.shape != whole.shape:
            raise DataError(
                f"the truth {whole.shape} and {name} {image.shape} differ in size or"
                " are no slices",
                mend="give slices of one grid",
            )
    if not whole.max() > 0.0:
        raise DataError("the truth is empty: it has no value above 0")
    return whole, arrays


def _interior(truth: np.ndarray) -> np.ndarray:
    """The head without its rim, where scalp and skull outshine the brain."""
    head = truth > _HEAD * float(grey_window(truth)["vmax"])
    head = ndimage.binary_fill_holes(ndimage.binary_opening(head))
    inner = ndimage.distance_transform_edt(head) > _SCALP * min(head.shape)
    return inner if inner.any() else np.ones_like(head)


def _window_sums(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return sliding_window_view(values, size).sum(axis=(-2, -1))


def _best(
    energy: np.ndarray, truth: np.ndarray, size: tuple[int, int]
) -> tuple[int, int]:
    """Where a window has most energy among those that lie most in the head."""
    share = _window_sums(_interior(truth).astype(np.float64), size)
    inside = share >= share.max()
    row, column = np.unravel_index(
        np.argmax(np.where(inside, energy, -np.inf)), energy.shape
    )
    return int(row), int(column)


def _grouped(images: Mapping[str, Any]) -> dict[str, list[str]]:
    known = {name: METHODS.get(name) for name in images}
    learned = [name for name in images if name != CUBIC]
    guided = [n for n in learned if (m := known[n]) is not None and m.guided]
    blind = [n for n in learned if (m := known[n]) is not None and not m.guided]
    other = [n for n in learned if known[n] is None]
    plots = {
        "Bicubic interpolation": [n for n in images if n == CUBIC],
        "Without a guide": blind,
        "With the T1 as guide": guided,
        "Methods": other,
    }
    return {heading: names for heading, names in plots.items() if names}


def _wrapped(name: str) -> str:
    """Broken before a bracket, or where the column ends."""
    parts = method_name(name).replace(" (", "\n(").split("\n")
    return "\n".join(textwrap.fill(part, 21) for part in parts)


def _frame(axis: Any, colour: str) -> None:
    for spine in axis.spines.values():
        spine.set_edgecolor(colour)
