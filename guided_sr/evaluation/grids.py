"""Volumes to compare: made coarse, cropped to one grid, checked to be of one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import GeometryError, UsageError, warn_user
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.volumes import (
    Volume,
    corners,
    from_slices,
    slice_axis,
    target_affine,
    to_slices,
    voxel_sizes,
)

_SAME_PLACE = 0.02  # voxels


@dataclass(frozen=True, eq=False)
class LowResolution:
    """A volume made coarse in-plane.

    Attributes:
        data: Voxels of shape ``(i, j, k)``, float32, in the units of the original.
        affine: Voxel to mm; the field of view is exactly that of `cropped`.
        cropped: The original, cropped to a multiple of the scale.
        start: First voxel of the crop on each axis of the original.
        slice_axis: The axis across the slices, left alone.
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    cropped: Volume
    start: tuple[int, int, int]
    slice_axis: int


def lower_resolution(
    volume: Volume,
    scale: float | Sequence[float],
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> LowResolution:
    """Make the in-plane axes of a volume coarse, as `degrade` does with slices.

    Args:
        volume: The sharp volume.
        scale: Factor of the two in-plane axes, or one for each.
        noise: Standard deviation of added Gaussian noise, in the image's units.
        seed: Seed of that noise.

    Returns:
        The coarse volume; warns if its voxels no longer tell which axis is across
        the slices.

    Raises:
        UsageError: If the scale or the noise makes no sense, or leaves no image.
    """
    if not (np.isfinite(noise) and noise >= 0.0):
        raise UsageError(f"noise {noise!r} is no standard deviation", mend="give 0")
    across = slice_axis(volume.affine)
    stack = to_slices(volume.data, across)
    kept = crop_to_multiple(stack, scale)
    if 0 in kept.shape:
        raise UsageError(
            f"scale {scale} is larger than the image",
            path=volume.path,
            mend="give a smaller scale",
        )
    # Where the crop begins, told by the crop itself.
    places = [np.broadcast_to(n, stack.shape[1:]) for n in np.ogrid[_all(stack)]]
    first = [int(crop_to_multiple(place, scale)[0, 0]) for place in places]
    start = tuple(int(n) for n in np.insert(first, across, 0))
    move = np.eye(4)
    move[:3, 3] = start
    data = np.ascontiguousarray(from_slices(kept, across), np.float32)
    cropped = dataclasses.replace(volume, data=data, affine=volume.affine @ move)
    low = from_slices(degrade(kept, scale, noise=noise, seed=seed), across)
    low = np.ascontiguousarray(low, np.float32)
    affine = target_affine(cropped.affine, data.shape, low.shape)
    if slice_axis(affine) != across:
        sizes = " x ".join(f"{size:.3g}" for size in voxel_sizes(affine))
        warn_user(
            f"the slices of the coarse image, of {sizes} mm, will be taken for those of"
            " another axis",
            path=volume.path,
            mend="choose another scale",
        )
    return LowResolution(low, affine, cropped, (start[0], start[1], start[2]), across)


def crop_to_grid(volume: Volume, other: Volume, *, names: tuple[str, str]) -> Volume:
    """Crop a volume to the grid of another one that is a part of its own.

    Args:
        volume: The larger, or equal, volume.
        other: The volume whose grid is wanted.
        names: What to call the two in messages.

    Returns:
        The part of `volume` on the grid of `other`; nothing is interpolated.

    Raises:
        GeometryError: If the grid of `other` is not a part of the volume's.
    """
    step = np.linalg.solve(volume.affine, other.affine)
    start = np.rint(step[:3, 3]).astype(int)
    expected = np.eye(4)
    expected[:3, 3] = start
    stop = start + other.data.shape
    reach = np.array([*other.data.shape, 1.0])
    off = np.abs((step - expected)[:3] * reach).max()
    inside = (start >= 0).all() and (stop <= volume.data.shape).all()
    if off > _SAME_PLACE or not inside:
        raise GeometryError(
            f"the {names[0]} {volume.data.shape} and the {names[1]} {other.data.shape}"
            " do not lie on one grid",
            path=[one.path for one in (volume, other) if one.path is not None],
            mend="compare images of one resolution and one place; 'guided-sr degrade'"
            " and 'run' keep the field of view",
        )
    part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    affine = volume.affine @ expected
    return dataclasses.replace(volume, data=volume.data[part], affine=affine)


def require_same_field_of_view(
    low: Volume, high: Volume, *, names: tuple[str, str]
) -> int:
    """Check that a coarse image covers just what a fine one does.

    Args:
        low: The coarse image.
        high: The fine one.
        names: What to call the two in messages.

    Returns:
        The axis across the slices, on which both have the same number of voxels.

    Raises:
        GeometryError: If their outer corners differ by more than 2 % of a fine
            voxel, or no axis was left alone.
    """
    gap = corners(low.affine, low.data.shape) - corners(high.affine, high.data.shape)
    off = float(np.linalg.norm(gap, axis=1).max())
    same = [a for a in range(3) if low.data.shape[a] == high.data.shape[a]]
    paths = [one.path for one in (low, high) if one.path is not None]
    if off > max(_SAME_PLACE * float(voxel_sizes(high.affine).min()), 2e-3):
        raise GeometryError(
            f"the fields of view of the {names[0]} and the {names[1]} differ by"
            f" {off:.2g} mm",
            path=paths,
            mend=f"give the image that the {names[1]} was made from",
        )
    if not same:
        raise GeometryError(
            f"the {names[0]} and the {names[1]} have no slices in common",
            path=paths,
            mend=f"give the image that the {names[1]} was made from",
        )
    across = slice_axis(low.affine)
    return across if across in same else same[0]


def _all(stack: np.ndarray) -> tuple[slice, slice]:
    return slice(0, stack.shape[1]), slice(0, stack.shape[2])
