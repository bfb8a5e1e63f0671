"""Whether a volume lies within what makes sense, and what its models were made for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import PathLike, warn_user
from guided_sr.inference.guide import spacing_along
from guided_sr.presets.usage_range import check_range, usage_range
from guided_sr.volumes import TargetGrid, Volume, voxel_sizes

USEFUL_MM = 0.3
"""Voxel size below which no T2 of a head has detail to show, in mm."""

_FINER = 0.95  # than the T1


def warn_of_needless_voxels(
    grid: TargetGrid,
    t1_affine: NDArray[np.float64] | None,
    *,
    path: PathLike | None = None,
) -> None:
    """Warn where the voxels of a result would be finer than anything that is known.

    That is what becomes of thick slices whose fine axes are enlarged.

    Args:
        grid: Grid of the T2 and of the result.
        t1_affine: Voxel to mm of the T1, or `None` without one.
        path: Of the T2, for the message.
    """
    if not grid.enlarged:
        return
    observed, made = voxel_sizes(grid.affine), voxel_sizes(grid.target_affine)
    finest = min(grid.enlarged, key=lambda axis: float(made[axis]))
    known = f"the T2 has {observed[finest]:.3g} mm"
    if t1_affine is not None:
        t1_mm = spacing_along(t1_affine, grid.target_affine[:3, :3])[finest]
        if made[finest] >= t1_mm * _FINER:
            return
        known += f", the T1 {t1_mm:.3g} mm"
    if made[finest] >= USEFUL_MM:
        return
    thick = observed[grid.slice_axis]
    mend = "ask for larger voxels, by a smaller --scale or a larger --target-voxel"
    if thick > observed[finest]:
        mend = (
            f"enlarge the slices, of {thick:.3g} mm, instead: --axes slice without"
            " --model, or --model grdn_t2_slice"
        )
    place = "across the slices" if finest == grid.slice_axis else "in-plane"
    warn_user(
        f"the result would have voxels of {made[finest]:.3g} mm {place}, finer than"
        f" anything useful: {known} there",
        path=path,
        mend=mend,
    )


def check_usage(
    metadata: Mapping[str, Any],
    grid: TargetGrid,
    t2: Volume,
    t1: Volume | None,
    *,
    through_plane: bool,
    strict: bool,
    model: str | None = None,
    path: Path | None = None,
) -> None:
    """Warn of images outside the range of a preset, or refuse them.

    Args:
        metadata: Content of the preset's `metadata.json`.
        grid: Grid of the T2 and of the result.
        t2: The T2.
        t1: The T1, or `None`.
        through_plane: Whether the preset enlarges the slice axis; else the others.
        strict: Whether to refuse.
        model: Name of the preset, for messages.
        path: Of the metadata, for messages.

    Raises:
        DataError: If something is outside and `strict` is true.
        WeightsError: If the range in the metadata is not of the known form.
    """
    axes = [grid.slice_axis] if through_plane else list(grid.in_plane)
    measured: dict[str, tuple[float, ...]] = {
        "factors": tuple(grid.scale[axis] for axis in axes),
        "t2_mm": tuple(float(x) for x in voxel_sizes(grid.affine)[axes]),
    }
    if t1 is not None:
        steps = grid.target_affine[:3, :3]
        found = spacing_along(t1.affine, steps)
        measured["t1_mm"] = tuple(float(x) for x in np.asarray(found)[axes])
    check_range(
        usage_range(metadata, path=path),
        measured,
        paths={"t2_mm": t2.path, "t1_mm": None if t1 is None else t1.path},
        model=model,
        strict=strict,
    )
