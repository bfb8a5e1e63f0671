"""Three planes of a volume as pictures that a web page can hold in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from skimage.feature import canny

from guided_sr.report.panel import grey_window
from guided_sr.volumes import Orientation, Volume, voxel_sizes

__all__ = ["PLANES", "Plane", "Upright", "data_uri", "edges", "head_centre", "shade"]

_FOREGROUND = 0.1  # of the white of the picture
_EDGE_SIGMA = 1.5  # pixels
_EDGE_THRESHOLDS = 0.04, 0.12  # of the white of the picture, a pixel
_EDGE_COLOUR = 255, 150, 0, 230


@dataclass(frozen=True)
class Plane:
    """One of the three planes of an image, shown as it is seen from above or in front.

    Attributes:
        name: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        across: The axis of RAS+ that it is cut across.
        ends: What lies to the left, to the right, on top and at the bottom.
    """

    name: str
    across: int
    ends: tuple[str, str, str, str]


PLANES = (
    Plane("axial", 2, ("L", "R", "A", "P")),
    Plane("coronal", 1, ("L", "R", "S", "I")),
    Plane("sagittal", 0, ("P", "A", "S", "I")),
)


@dataclass(frozen=True, eq=False)
class Upright:
    """A volume with its axes along RAS+, to be cut.

    Attributes:
        data: Voxels along RAS+.
        voxel_mm: Size of a voxel along each axis.
    """

    data: NDArray[np.float32]
    voxel_mm: tuple[float, float, float]

    @classmethod
    def of(cls, volume: Volume) -> Upright:
        """Turn a volume; nothing is interpolated."""
        turn = Orientation.of(volume.affine)
        i, j, k = (float(mm) for mm in voxel_sizes(volume.affine)[list(turn.axes)])
        return cls(turn.apply(volume.data), (i, j, k))

    def cut(self, plane: Plane, at: tuple[float, float, float]) -> NDArray[np.float32]:
        """A slice whose first row is the upper one.

        Args:
            plane: Which.
            at: Where, as a share of the field of view along each axis of RAS+.
        """
        count = self.data.shape[plane.across]
        index = min(int(at[plane.across] * count), count - 1)
        return np.take(self.data, index, axis=plane.across).T[::-1]

    def size_mm(self, plane: Plane) -> tuple[float, float]:
        """Width and height of a slice in mm."""
        across, up = (
            round(count * mm, 3)
            for axis, (count, mm) in enumerate(
                zip(self.data.shape, self.voxel_mm, strict=True)
            )
            if axis != plane.across
        )
        return across, up


def head_centre(volume: Upright) -> tuple[float, float, float]:
    """Middle of what is brighter than background, as shares of the field of view."""
    bright = volume.data > _FOREGROUND * grey_window(volume.data)["vmax"]
    middle = []
    for axis, count in enumerate(volume.data.shape):
        others = tuple(other for other in range(3) if other != axis)
        weight = np.cumsum(bright.sum(axis=others))
        half = (
            int(np.searchsorted(weight, weight[-1] / 2)) if weight[-1] else count // 2
        )
        middle.append((half + 0.5) / count)
    i, j, k = middle
    return i, j, k


def shade(image: NDArray[Any], window: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Colours of a slice, shape ``(rows, columns, 4)``.

    Args:
        image: The slice.
        window: ``vmin``, ``vmax`` and ``cmap``, as `grey_window` and its like give.
    """
    low, high = window["vmin"], window["vmax"]
    share = np.clip((image - low) / ((high - low) or 1.0), 0.0, 1.0)
    colours: NDArray[np.uint8] = matplotlib.colormaps[window["cmap"]](share, bytes=True)
    return colours


def edges(image: NDArray[Any]) -> NDArray[np.uint8]:
    """The edges of a slice (Canny) as a transparent picture in orange."""
    white = grey_window(image)["vmax"] or 1.0
    low, high = _EDGE_THRESHOLDS
    found = canny(
        np.clip(image / white, 0.0, 1.0).astype(np.float64),
        sigma=_EDGE_SIGMA,
        low_threshold=low,
        high_threshold=high,
    )
    picture = np.zeros((*image.shape, 4), np.uint8)
    picture[found] = _EDGE_COLOUR
    return picture


def data_uri(picture: NDArray[np.uint8]) -> str:
    """A picture as the address that holds it, PNG."""
    file = io.BytesIO()
    imsave(file, picture, format="png", metadata={"Software": "guided-sr"})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
