"""One picture: what was acquired, cubic, ours, the truth, and both errors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike

from guided_sr.errors import DataError
from guided_sr.metrics import psnr

__all__ = [
    "DIVERGING",
    "draw_panel",
    "error_window",
    "grey_window",
    "magnitude_window",
    "new_figure",
    "outline",
    "save_figure",
    "show_slice",
]

DIVERGING = "RdBu_r"
_DPI = 120
_WINDOWS = "One grey window for every T2, one colour window for {} errors. "
_FOOT = "Research use only: voxels are estimated, not measured."


def draw_panel(
    path: str | os.PathLike[str],
    *,
    low: ArrayLike,
    cubic: ArrayLike,
    ours: ArrayLike,
    truth: ArrayLike,
    guide: ArrayLike | None = None,
    title: str = "",
    name: str = "guided-sr",
) -> None:
    """Draw a PNG panel of one slice.

    All images share one grey window and both errors one symmetric colour window, so
    that what looks better is better.

    Args:
        path: The PNG file.
        low: Low-resolution slice of shape ``(h, w)``.
        cubic: Its cubic interpolation, shape ``(height, width)``.
        ours: The result, of the same shape.
        truth: The truth, of the same shape.
        guide: The T1 of the same place, of any size.
        title: Heading of the picture.
        name: What to call the result.

    Raises:
        DataError: If sizes differ or the truth is empty.
    """
    images = {"cubic": np.asarray(cubic), name: np.asarray(ours)}
    whole = np.asarray(truth)
    if any(image.shape != whole.shape for image in images.values()):
        raise DataError("the images of a panel differ in size")
    figures = {key: psnr(whole, image) for key, image in images.items()}
    errors = {key: image - whole for key, image in images.items()}
    window, shades = grey_window(whole), error_window(errors["cubic"])

    figure = new_figure(13.0, 8.2)
    gain = figures[name] - figures["cubic"]
    figure.suptitle(f"{title + ': ' if title else ''}{gain:+.2f} dB over cubic")
    axes = figure.subplots(2, 4)
    extent = outline(whole)
    acquired = " x ".join(str(n) for n in np.shape(low))
    upper = (
        (f"T2 as acquired, {acquired}", np.asarray(low)),
        (f"cubic: {figures['cubic']:.2f} dB", images["cubic"]),
        (f"{name}: {figures[name]:.2f} dB", images[name]),
        ("truth", whole),
    )
    for axis, (heading, image) in zip(axes[0], upper, strict=True):
        show_slice(axis, image, heading, extent, window)
    if guide is None:
        axes[1, 0].set_axis_off()
    else:
        t1 = np.asarray(guide)
        show_slice(axes[1, 0], t1, "guide: T1", extent, grey_window(t1))
    for axis, key in zip(axes[1, 1:3], images, strict=True):
        mean = float(np.mean(np.abs(errors[key])))
        heading = f"error of {key}: {mean:.1f} on average"
        shown = show_slice(axis, errors[key], heading, extent, shades)
    axes[1, 3].set_axis_off()
    bar = axes[1, 3].inset_axes((0.02, 0.05, 0.06, 0.9))
    figure.colorbar(shown, cax=bar, label="image - truth, in T2 units")
    save_figure(figure, path, errors="both")


def new_figure(width: float, height: float, *, dpi: int = _DPI) -> Figure:
    """A figure of its own, out of reach of pyplot, with room for a foot line.

    Args:
        width: In inches.
        height: In inches.
        dpi: Pixels an inch.
    """
    foot = 0.25 / height
    figure = Figure(
        figsize=(width, height),
        dpi=dpi,
        layout=ConstrainedLayoutEngine(rect=(0, foot, 1, 1 - foot)),
    )
    FigureCanvasAgg(figure)
    return figure


def save_figure(
    figure: Figure, path: str | os.PathLike[str], *, errors: str | None = None
) -> None:
    """Write a PNG with the foot line that every picture carries.

    Args:
        figure: From `new_figure`.
        path: The PNG file.
        errors: Which errors share the colour window, ``"both"`` or ``"all"``; None
            if there are none.
    """
    foot = (_WINDOWS.format(errors) if errors else "") + _FOOT
    size = min(8.0, 140.0 * figure.get_figwidth() / len(foot))
    low = 0.04 / figure.get_figheight()
    figure.text(0.5, low, foot, ha="center", fontsize=size)
    figure.savefig(path, format="png", metadata={"Software": "guided-sr"})


def grey_window(image: np.ndarray) -> dict[str, Any]:
    """Black at 0 and white at the 99.8th percentile."""
    white = float(np.percentile(image, 99.8))
    return {"vmin": 0.0, "vmax": white, "cmap": "gray"}


def error_window(error: np.ndarray) -> dict[str, Any]:
    """Symmetric, as far as the 99.5th percentile of an error's magnitude."""
    reach = float(np.percentile(np.abs(error), 99.5)) or 1.0
    return {"vmin": -reach, "vmax": reach, "cmap": DIVERGING}


def magnitude_window(image: np.ndarray) -> dict[str, Any]:
    """From 0 as far as the 99.5th percentile."""
    reach = float(np.percentile(image, 99.5)) or float(image.max()) or 1.0
    return {"vmin": 0.0, "vmax": reach, "cmap": "magma"}


def outline(image: np.ndarray) -> tuple[float, float, float, float]:
    """Extent of a slice on its axes, in pixels: the first axis runs to the right."""
    return (0.0, float(image.shape[0]), 0.0, float(image.shape[1]))


def show_slice(
    axis: Any, image: np.ndarray, heading: str, extent: Any, window: dict[str, Any]
) -> Any:
    """Show a slice: rows run to the right, columns upwards, as radiologists see it.

    Args:
        axis: Where.
        image: Slice of shape ``(height, width)``.
        heading: Its title.
        extent: From `outline`.
        window: From `grey_window` or `error_window`.

    Returns:
        What a colour bar can be made of.
    """
    shown = axis.imshow(
        image.T, origin="lower", extent=extent, interpolation="nearest", **window
    )
    axis.set_title(heading, fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])
    return shown
