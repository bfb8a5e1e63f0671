"""What the figures of the concepts pages are made of: boxes, arrows, small images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

IMAGES = Path(__file__).parents[1] / "images"
INK, T2, T1, OUT, NET = "#333333", "#2f6fab", "#c77700", "#2e7d32", "#6a4c93"

Point = tuple[float, float]


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty page whose units are inches."""
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    return figure, axis


def box(
    axis: Axes,
    centre: Point,
    text: str,
    *,
    size: Point = (1.2, 0.5),
    colour: str = NET,
    turned: bool = False,
    fontsize: float = 9.0,
) -> None:
    """A rounded box with a word in it."""
    (x, y), (width, height) = centre, size
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=mpl.colors.to_rgba(colour, 0.16),
        edgecolor=colour,
    )
    axis.add_patch(shape)
    note(axis, centre, text, fontsize=fontsize, rotation=90 if turned else 0)


def note(
    axis: Axes, at: Point, text: str, *, fontsize: float = 9.0, **how: Any
) -> None:
    """Centred text."""
    how = {"ha": "center", "va": "center", "color": INK, **how}
    axis.text(*at, text, fontsize=fontsize, **how)


def arrow(
    axis: Axes,
    start: Point,
    end: Point,
    *,
    colour: str = INK,
    bend: float = 0.0,
    dashed: bool = False,
) -> None:
    """An arrow, straight or bent."""
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=10,
            color=colour,
            linestyle="--" if dashed else "-",
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=f"arc3,rad={bend}",
        )
    )


def path(axis: Axes, *points: Point, colour: str = INK, dashed: bool = False) -> None:
    """A line with corners and an arrow head at its end."""
    x, y = zip(*points[:-1], strict=True)
    if len(x) > 1:
        style = "--" if dashed else "-"
        axis.plot(x, y, color=colour, linewidth=1.1, linestyle=style)
    arrow(axis, points[-2], points[-1], colour=colour, dashed=dashed)


def picture(
    axis: Axes,
    image: np.ndarray,
    centre: Point,
    text: str,
    *,
    height: float = 1.1,
    colour: str = INK,
    below: bool = True,
) -> None:
    """A slice, upright, framed, with its name."""
    width = height * image.shape[0] / image.shape[1]
    x, y = centre
    frame = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
    axis.imshow(
        image.T,
        origin="lower",
        extent=frame,
        cmap="gray",
        vmin=0,
        vmax=float(np.percentile(image, 99.5)),
        interpolation="nearest",
        aspect="auto",
        zorder=2,
    )
    (left, right), (low, high) = frame[:2], frame[2:]
    corners = [(left, low), (right, low), (right, high), (left, high), (left, low)]
    axis.plot(*zip(*corners, strict=True), color=colour, linewidth=1.6, zorder=3)
    side = low - 0.14 if below else high + 0.14
    note(axis, (x, side), text, color=colour)


def save(figure: Figure, name: str) -> None:
    """Write an SVG that is the same each time it is drawn."""
    with mpl.rc_context({"svg.hashsalt": "guided-sr", "svg.fonttype": "path"}):
        figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
