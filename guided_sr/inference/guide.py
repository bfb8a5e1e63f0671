"""The guide: a T1 checked and brought to the grid of the result, in one place.

Nothing but the T1 is ever resampled. It lies where its header says, or where its
registration has put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import PathLike, UsageError, warn_user
from guided_sr.volumes import (
    IntensityScale,
    Registration,
    TargetGrid,
    Volume,
    bring_to_grid,
    fit_intensity,
    place_guide,
    require_overlap,
    voxel_sizes,
)
from guided_sr.volumes.plausible import read_examined, refuse_other_person

_NO_FINER = 0.95
_COARSER = 1.1


@dataclass(frozen=True, eq=False)
class Guide:
    """A T1 on the grid of a result.

    Attributes:
        data: Voxels on that grid, float32, in the units of the T1.
        scale: Intensity map of the T1.
        volume: The T1 as it came.
        overlap: Share of the T2's field of view that the T1 covers.
        registration: How the T1 was placed.
    """

    data: NDArray[np.float32]
    scale: IntensityScale
    volume: Volume
    overlap: float
    registration: Registration

    def fine_across(self, grid: TargetGrid) -> bool:
        """Whether the T1 is as fine across the slices as the result is to be."""
        steps = grid.target_affine[:3, :3]
        wanted = float(np.linalg.norm(steps[:, grid.slice_axis]))
        spacing = spacing_along(self.volume.affine, steps)[grid.slice_axis]
        return bool(spacing <= _COARSER * wanted)


def prepare_guide(
    t1: Any,
    t2: Volume,
    grid: TargetGrid,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    register: str = "none",
    t2_to_t1: PathLike | None = None,
) -> Guide:
    """Check a T1, place it, and bring it to the grid of the result.

    Args:
        t1: Path, nibabel image or `Volume`, on any grid.
        t2: The T2 that it shall guide.
        grid: Grid of the T2 and of the result.
        affine: Voxel to mm of the result as the networks see it.
        shape: Its shape.
        register: How the T1 is placed, as in `place_guide`.
        t2_to_t1: File of a transform made elsewhere, likewise.

    Raises:
        UsageError: If both are the same file, or an option is unknown.
        GeometryError: If they do not overlap or cannot be registered.
        DataError: If the T1 is unusable where the T2 is, or by its name of another
            person.
    """
    volume = read_examined(t1, name="T1")
    check_guide(volume, t2, grid)
    volume, found = place_guide(volume, t2, register=register, t2_to_t1=t2_to_t1)
    overlap = require_overlap(volume, t2)
    data = bring_to_grid(volume, affine, shape)
    scale = fit_intensity(data, name="T1", path=volume.path)
    return Guide(data, scale, volume, overlap, found)


def check_guide(t1: Volume, t2: Volume, grid: TargetGrid) -> None:
    """Refuse a T1 that is the T2 or another person's; say so where it is too coarse.

    Raises:
        UsageError: If both are the same file.
        DataError: If their names are those of different people.
    """
    if t1.sha256 is not None and t1.sha256 == t2.sha256:
        raise UsageError(
            "the T1 and the T2 are the same file",
            path=t1.path,
            mend="give the T1 as guide",
        )
    refuse_other_person(t2.path, t1.path)
    steps = grid.target_affine[:3, :3]
    wanted, observed = np.linalg.norm(steps, axis=0), voxel_sizes(grid.affine)
    spacing = spacing_along(t1.affine, steps)
    for kind, axes in (("in-plane", grid.in_plane), ("slice", (grid.slice_axis,))):
        coarse = [a for a in axes if a in grid.enlarged]
        if not coarse:
            continue
        worst = max(coarse, key=lambda axis: spacing[axis] / wanted[axis])
        place = "in-plane" if kind == "in-plane" else "across the slices"
        told = f"guidance limited: the T1 ({spacing[worst]:.2g} mm {place}) is"
        if spacing[worst] > observed[worst] * _NO_FINER:
            warn_user(
                f"{told} no finer than the T2 itself ({observed[worst]:.2g} mm): it can"
                " guide little; look at the result beside cubic interpolation",
                path=t1.path,
            )
        elif spacing[worst] > wanted[worst] * _COARSER:
            warn_user(
                f"{told} coarser than the result ({wanted[worst]:.2g} mm)",
                path=t1.path,
            )


def spacing_along(
    affine: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance in mm of an image's voxels along each of the steps (columns)."""
    inward = np.linalg.inv(affine[:3, :3])
    directions = steps / np.linalg.norm(steps, axis=0)
    return 1.0 / np.linalg.norm(inward @ directions, axis=0)
