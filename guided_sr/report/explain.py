"""One picture of what of a slice came from the T1, each map with its limit."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guided_sr.report.panel import (
    error_window,
    grey_window,
    magnitude_window,
    new_figure,
    outline,
    save_figure,
    show_slice,
)

_COLUMNS = 4
_WRAP = 44


@dataclass(frozen=True, eq=False)
class Picture:
    """One map of the panel.

    Attributes:
        title: Its heading.
        image: Shape ``(height, width)``.
        kind: ``"grey"`` for images, ``"signed"`` or ``"magnitude"`` for maps.
        note: A sentence below it.
        box: Region to outline, ``((y0, y1), (x0, x1))`` in pixels of the image.
    """

    title: str
    image: np.ndarray
    kind: str
    note: str = ""
    box: tuple[tuple[int, int], tuple[int, int]] | None = None


def draw_explanation(
    path: str | os.PathLike[str], pictures: Sequence[Picture], *, title: str
) -> None:
    """Draw a PNG panel of maps, each in a colour window of its own.

    Args:
        path: The PNG file.
        pictures: The maps in order.
        title: Heading of the panel.
    """
    rows = -(-len(pictures) // _COLUMNS)
    figure = new_figure(14.0, 4.4 * rows + 0.6)
    figure.suptitle(title)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes[len(pictures) :]:
        axis.set_axis_off()
    for axis, picture in zip(axes, pictures, strict=False):
        image = np.asarray(picture.image)
        extent = outline(image)
        shown = show_slice(axis, image, picture.title, extent, _window(picture))
        if picture.kind != "grey":
            figure.colorbar(shown, ax=axis, shrink=0.6)
        if picture.box is not None:
            (y0, y1), (x0, x1) = picture.box
            across, up = [y0, y1, y1, y0, y0], [x0, x0, x1, x1, x0]
            axis.plot(across, up, color="tab:orange", linewidth=1.0)
        axis.set_xlabel(textwrap.fill(picture.note, _WRAP), fontsize=7)
    save_figure(figure, path)


def _window(picture: Picture) -> dict[str, object]:
    image = np.asarray(picture.image)
    if picture.kind == "grey":
        return grey_window(image)
    if picture.kind == "signed":
        return error_window(image)
    return magnitude_window(image)
