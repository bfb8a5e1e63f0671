"""Histograms of intensities as lines of an SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.report.panel import grey_window

__all__ = ["histogram"]

WIDTH, HEIGHT = 640, 200
_BINS = 100
_BACKGROUND = 5  # first bins, which do not decide on the height
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito


def histogram(images: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Share of the voxels by intensity, one line an image.

    The axis ends where the first image turns white, and the height is that of the
    fullest bin beyond the background.

    Args:
        images: By name, all in the same units.

    Returns:
        ``width`` and ``height``, the ends ``low`` and ``high`` of the axis, and
        ``lines``: name, colour and points of each.
    """
    first = next(iter(images.values()))
    low, high = min(0.0, float(first.min())), grey_window(first)["vmax"]
    high = high if high > low else low + 1.0
    shares = {
        name: np.histogram(image, _BINS, (low, high))[0] / image.size
        for name, image in images.items()
    }
    top = max(float(share[_BACKGROUND:].max()) for share in shares.values()) or 1.0
    across = (np.arange(_BINS) + 0.5) * WIDTH / _BINS
    lines = []
    for (name, share), colour in zip(shares.items(), _COLOURS, strict=False):
        up = HEIGHT * (1.0 - np.minimum(share / top, 1.0))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
        lines.append({"name": name, "colour": colour, "points": points})
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "low": f"{low:.4g}",
        "high": f"{high:.4g}",
        "lines": lines,
    }
