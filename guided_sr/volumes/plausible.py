"""Images that can be read and yet are hardly what they are taken for.

What no person's head can be is refused; what may be meant is a warning, which
``--strict`` turns into a refusal. The limits leave all images of the public data sets
that the package was tried on alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage, stats

from guided_sr.errors import DataError, GeometryError, warn_user
from guided_sr.volumes.geometry import voxel_sizes
from guided_sr.volumes.intensity import IntensityScale, fit_intensity
from guided_sr.volumes.nifti import Volume, read_volume
from guided_sr.volumes.saving import LONGEST_AXIS
from guided_sr.volumes.target import TargetGrid

__all__ = [
    "LEAST_VOXELS",
    "examine",
    "examine_pair",
    "nearest_on_grid",
    "read_examined",
    "refuse_other_person",
    "refuse_short_axes",
    "refuse_target",
]

LEAST_VOXELS = 8
_FIELD_OF_VIEW = (10.0, 1000.0)  # mm, of the longest side
_SHEAR, _SHEAR_MOST = 0.1, 1.0  # degrees
_FEW_VALUES = 32
_EMPTY = 0.99
_OUTLIER = 50.0  # of the 99.5th percentile
_NEGATIVE = 0.001  # of the voxels
_FINE = 1.2  # mm
_CENTRE = 0.5  # of the half axes of what the T2 shows
_SKEW = 0.3
_STRIPPED = 0.2  # of the T2's foreground
_FOREGROUND = 0.15


def read_examined(source: Any, *, name: str, **how: Any) -> Volume:
    """Read an image and look at it, unless it has been read already.

    Args:
        source: As in `read_volume`.
        name: What to call it in messages.
        **how: As in `read_volume`.
    """
    volume = read_volume(source, name=name, **how)
    if not isinstance(source, Volume):
        examine(volume, name=name)
    return volume


def examine(volume: Volume, *, name: str) -> None:
    """Look at one image as it came.

    Args:
        volume: The image.
        name: What to call it in messages: ``"T2"`` or ``"T1"``.

    Raises:
        GeometryError: If its field of view is no head's, or its axes are sheared by
            more than a degree.
    """
    _refuse_absurd_size(volume, name)
    _refuse_shear(volume, name)
    scale = fit_intensity(volume.data, name=name, path=volume.path)
    _warn_of_content(volume, scale, name)
    sizes = voxel_sizes(volume.affine)
    if name == "T2" and sizes.max() <= _FINE and sizes.max() <= 1.1 * sizes.min():
        warn_user(
            f"the T2 is already {sizes.max():.2g} mm isotropic",
            path=volume.path,
            mend="check that it is the low-resolution image",
        )


def _refuse_absurd_size(volume: Volume, name: str) -> None:
    longest = float((voxel_sizes(volume.affine) * volume.data.shape).max())
    least, most = _FIELD_OF_VIEW
    if not least <= longest <= most:
        raise GeometryError(
            f"the {name} is {longest:.3g} mm long, in metres or micrometres?",
            path=volume.path,
            mend=f"rescale its affine to millimetres, {least:g} to {most:g} mm in all",
        )


def _refuse_shear(volume: Volume, name: str) -> None:
    directions = volume.affine[:3, :3] / voxel_sizes(volume.affine)
    cosines = np.abs(directions.T @ directions)[np.triu_indices(3, 1)]
    angle = math.degrees(math.asin(min(1.0, float(cosines.max()))))
    if angle > _SHEAR_MOST:
        raise GeometryError(
            f"the axes of the {name} are {angle:.2g} degrees off right angles",
            path=volume.path,
            mend="resample it onto a grid with right angles, e.g. with mri_convert or"
            " nibabel.processing.resample_to_output",
        )
    if angle > _SHEAR:
        warn_user(
            f"the axes of the {name} are {angle:.2g} degrees off right angles",
            path=volume.path,
        )


def _warn_of_content(volume: Volume, scale: IntensityScale, name: str) -> None:
    data, path = volume.data, volume.path
    empty = float((data == 0).mean())
    if empty > _EMPTY:
        warn_user(f"{100 * empty:.3g} % of the {name} is 0", path=path)
    highest = float(data.max())
    if highest > _OUTLIER * scale.high:
        warn_user(
            f"the {name} has an outlier of {highest:.3g}, 99.5 % are below"
            f" {scale.high:.3g}",
            path=path,
            mend="look at it in a viewer",
        )
    if float((data < -0.02 * scale.high).mean()) > _NEGATIVE:
        warn_user(
            f"the {name} has negative values, not a magnitude image?",
            path=path,
            mend="they are kept; check that it is the right image",
        )
    some = data.reshape(-1)[:: max(1, data.size // 200_000)]
    if np.array_equal(some, np.rint(some)):
        values = len(np.unique(data))
        if values < _FEW_VALUES:
            warn_user(
                f"the {name} has only {values} values, a label map?",
                path=path,
                mend="give the image itself",
            )


def examine_pair(
    t2: np.ndarray, t1: np.ndarray, *, overlap: float, paths: Sequence[Path]
) -> None:
    """Look at two images on one field of view, and warn of what does not fit.

    Within the middle of a head a T2 has a tail of bright fluid and a T1 one of dark
    fluid: the sign of the skewness tells them apart.

    Args:
        t2: Stack of shape ``(n, h, w)``.
        t1: Stack of shape ``(n, H, W)`` over the same field of view.
        overlap: Share of the field of view that the T1 covers; it is 0 elsewhere.
        paths: Of both, for messages.
    """
    guide = t1[_nearest(t1.shape, t2.shape)]
    coarse = t2[_nearest(t2.shape, guide.shape)]
    low = fit_intensity(coarse).forward(coarse)
    high = fit_intensity(guide, name="T1").forward(guide)
    seen = low > _FOREGROUND
    if not seen.any():
        return
    missing = float((guide == 0)[seen].mean())
    if missing > _STRIPPED + 2.0 * (1.0 - overlap):
        warn_user(
            f"the T1 is 0 where the T2 is not, {100 * missing:.0f} % of it:"
            " skull-stripped?",
            path=paths,
            mend="give the T1 of the whole head, or strip both",
        )
    middle = _middle(seen) & (low > 0.02) & (high > 0.02)
    if middle.sum() > 50:
        skew = stats.skew(low[middle]), stats.skew(high[middle])
        if skew[0] < -_SKEW and skew[1] > _SKEW:
            warn_user(
                "the T1 and T2 look swapped: fluid is dark in the T2, bright in the T1",
                path=paths,
                mend="swap them: fluid is bright in a T2",
            )


def nearest_on_grid(volume: Volume, other: Volume) -> np.ndarray:
    """The nearest voxel at each voxel of another image: for a look, not for use.

    Args:
        volume: The image.
        other: The other image, whose grid is taken.

    Returns:
        Voxels on that grid; 0 outside the image.
    """
    step = np.linalg.inv(volume.affine) @ other.affine
    found: np.ndarray = ndimage.affine_transform(
        volume.data, step, output_shape=other.data.shape, order=0
    )
    return found


def _nearest(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Indices that sample an array at the size of a coarser one."""
    picked = [
        ((np.arange(m) + 0.5) * n / m).astype(int) if m < n else np.arange(n)
        for n, m in zip(shape, wanted, strict=True)
    ]
    return np.ix_(*picked)


def _middle(seen: np.ndarray) -> np.ndarray:
    """An ellipsoid in the middle of what is seen."""
    places = np.argwhere(seen)
    first, last = places.min(axis=0), places.max(axis=0) + 1
    axes = np.meshgrid(*map(np.arange, seen.shape), indexing="ij", sparse=True)
    distance = sum(
        (2 * (x + 0.5) - (a + b)) ** 2 / (b - a) ** 2
        for x, a, b in zip(axes, first, last, strict=True)
    )
    return np.asarray(distance < _CENTRE**2)


def refuse_short_axes(
    shape: Sequence[int], axes: Sequence[int], *, name: str, path: Path | None
) -> None:
    """Refuse to enlarge axes that hold next to nothing.

    Args:
        shape: ``(i, j, k)``.
        axes: Those that will be enlarged.
        name: What to call the image in messages.
        path: Its file, for messages.

    Raises:
        DataError: If one of them has fewer than 8 voxels.
    """
    shortest = min(shape[axis] for axis in axes)
    if shortest < LEAST_VOXELS:
        raise DataError(
            f"the {name} has an axis of {shortest} voxels to be enlarged",
            path=path,
            mend=f"give an image with at least {LEAST_VOXELS} along it",
        )


def refuse_target(grid: TargetGrid, *, path: Path | None) -> None:
    """Refuse the grid of a result that cannot be made or stored.

    Args:
        grid: Grid of the T2 and of the result.
        path: File of the T2, for messages.

    Raises:
        DataError: If an axis to be enlarged is too short, or one of the result too
            long.
    """
    if grid.enlarged:
        refuse_short_axes(grid.shape, grid.enlarged, name="T2", path=path)
    longest = max(grid.target_shape)
    if longest > LONGEST_AXIS:
        raise DataError(
            f"the result would have an axis of {longest} voxels; NIfTI holds"
            f" {LONGEST_AXIS}",
            path=path,
            mend="crop the T2, or take a smaller scale",
        )


def refuse_other_person(t2: Path | None, t1: Path | None) -> None:
    """Refuse two images whose BIDS names are those of different people.

    Raises:
        DataError: If both names have a ``sub-`` entity and these differ.
    """
    if t2 is None or t1 is None:
        return
    labels = [re.match(r"(sub-[A-Za-z0-9]+)_", path.name) for path in (t2, t1)]
    if all(labels) and len({one.group(1) for one in labels if one}) > 1:
        people = " and ".join(one.group(1) for one in labels if one)
        raise DataError(
            f"the T2 and the T1 are of different people, {people}",
            path=[t2, t1],
            mend="give images of the same person",
        )
