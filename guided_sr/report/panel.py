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

_DPI = 120
_FOOT = (
    "One grey window for every T2, one colour window for both errors. Research use"
    " only: voxels are estimated, not measured."
)


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
    window = {"vmin": 0.0, "vmax": float(np.percentile(whole, 99.8)), "cmap": "gray"}
    reach = float(np.percentile(np.abs(errors["cubic"]), 99.5)) or 1.0

    figure = Figure(
        figsize=(13.0, 8.2),
        dpi=_DPI,
        layout=ConstrainedLayoutEngine(rect=(0, 0.03, 1, 0.97)),
    )
    FigureCanvasAgg(figure)
    gain = figures[name] - figures["cubic"]
    figure.suptitle(f"{title + ': ' if title else ''}{gain:+.2f} dB over cubic")
    axes = figure.subplots(2, 4)
    extent = (0, whole.shape[0], 0, whole.shape[1])
    acquired = " x ".join(str(n) for n in np.shape(low))
    upper = (
        (f"T2 as acquired, {acquired}", np.asarray(low)),
        (f"cubic: {figures['cubic']:.2f} dB", images["cubic"]),
        (f"{name}: {figures[name]:.2f} dB", images[name]),
        ("truth", whole),
    )
    for axis, (heading, image) in zip(axes[0], upper, strict=True):
        _show(axis, image, heading, extent, window)
    if guide is None:
        axes[1, 0].set_axis_off()
    else:
        own = {**window, "vmax": float(np.percentile(np.asarray(guide), 99.8))}
        _show(axes[1, 0], np.asarray(guide), "guide: T1", extent, own)
    shades: dict[str, Any] = {"vmin": -reach, "vmax": reach, "cmap": "RdBu_r"}
    for axis, key in zip(axes[1, 1:3], images, strict=True):
        mean = float(np.mean(np.abs(errors[key])))
        heading = f"error of {key}: {mean:.1f} on average"
        shown = _show(axis, errors[key], heading, extent, shades)
    axes[1, 3].set_axis_off()
    bar = axes[1, 3].inset_axes((0.02, 0.05, 0.06, 0.9))
    figure.colorbar(shown, cax=bar, label="image - truth, in T2 units")
    figure.text(0.5, 0.005, _FOOT, ha="center", fontsize=8)
    figure.savefig(path, format="png", metadata={"Software": "guided-sr"})


def _show(
    axis: Any, image: np.ndarray, heading: str, extent: Any, window: dict[str, Any]
) -> Any:
    """Rows run to the right and columns upwards: a slice as radiologists see it."""
    shown = axis.imshow(
        image.T, origin="lower", extent=extent, interpolation="nearest", **window
    )
    axis.set_title(heading, fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])
    return shown
