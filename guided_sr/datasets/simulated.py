"""Low-resolution pairs made from finer scans, for training and for measuring.

`fit_external` takes T2 images that are low-resolution already. Public data seldom
are; this module degrades their in-plane axes as the paper does (III-A) and keeps
the fine image apart, as the truth of a test. Training never sees it.
"""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.physics.operators import (
    FWHM_PER_SIGMA,
    LineOperator,
    SeparableOperator,
)
from guided_sr.volumes import (
    Volume,
    bring_to_grid,
    place_guide,
    read_volume,
    slice_axis,
    target_affine,
    to_slices,
    voxel_sizes,
)

Stack = NDArray[np.float32]

_WHITE = 1.1  # of the bright end: what 0 becomes where grey values are turned round
_DARKEST = 0.02  # of the bright end: the least that they become


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """One subject, degraded in-plane.

    Attributes:
        low: T2 of shape ``(n, h, w)``, what a coarse scan would show.
        guide: T1 of shape ``(n, H, W)``, on the grid of `high`.
        high: T2 of shape ``(n, H, W)``: the truth, for measuring only.
    """

    low: Stack
    guide: Stack
    high: Stack


def simulate_pair(
    t2: str | os.PathLike[str],
    t1: str | os.PathLike[str],
    *,
    scale: float | tuple[float, float],
    in_plane_mm: float | None = None,
    guide_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    register: str = "none",
) -> SimulatedPair:
    """Degrade a T2 in-plane and bring its T1 to the fine grid.

    Args:
        t2: NIfTI file of the fine T2. Negative values are set to 0.
        t1: NIfTI file of the same person's T1, on any grid.
        scale: In-plane factor, of both axes or one for each; slices are cropped to a
            multiple of it.
        in_plane_mm: Bring the T2's planes to this pixel size first, with a blur of
            the difference in full width at half maximum. `None` keeps them.
        guide_shift_mm: Move the T1 along the scanner's axes, as a poor registration
            would.
        register: How the T1 is then placed, as in `place_guide`.

    Returns:
        The pair, slices first.

    Raises:
        GuidedSRError: If a file cannot be used; it is named.
    """
    fine = read_volume(t2, name="T2")
    moved = _moved(read_volume(t1, name="T1"), guide_shift_mm)
    guide, _ = place_guide(moved, fine, register=register)
    across = slice_axis(fine.affine)
    in_plane = [axis for axis in range(3) if axis != across]
    slices = to_slices(np.clip(fine.data, 0.0, None), across)
    shape = list(fine.data.shape)
    if in_plane_mm is not None:
        sizes = voxel_sizes(fine.affine)
        lines = []
        for axis in in_plane:
            n = fine.data.shape[axis]
            wanted = max(1, round(n * sizes[axis] / in_plane_mm))
            ratio = n / wanted
            sigma = math.sqrt(max(ratio**2 - 1.0, 0.0)) / FWHM_PER_SIGMA
            lines.append(LineOperator(n, wanted, sigma))
            shape[axis] = wanted
        slices = np.clip(SeparableOperator(lines[0], lines[1])(slices), 0.0, None)
    affine = target_affine(fine.affine, fine.data.shape, tuple(shape))
    brought = bring_to_grid(guide, affine, tuple(shape))
    high = crop_to_multiple(slices, scale).astype(np.float32)
    t1_slices = to_slices(np.clip(brought, 0.0, None), across)
    return SimulatedPair(
        degrade(high, scale).astype(np.float32),
        np.ascontiguousarray(crop_to_multiple(t1_slices, scale), np.float32),
        high,
    )


def inverted(stack: Stack) -> Stack:
    """Grey values turned round: bright for dark, while air stays 0.

    A T1 comes out much as a T2, fluid bright and grey matter above white.

    Args:
        stack: Slices of shape ``(n, H, W)`` of a stripped head, 0 beyond it.
    """
    inside = stack > 0.0
    if not inside.any():
        return stack
    top = np.percentile(stack[inside], 99.5)
    turned = np.clip(_WHITE * top - stack, _DARKEST * top, None)
    return np.where(inside, turned, 0.0).astype(np.float32)


def _moved(volume: Volume, shift_mm: tuple[float, float, float]) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += shift_mm
    return dataclasses.replace(volume, affine=affine)
