"""Whether a volume lies within what the models of a plan were made for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.inference.guide import spacing_along
from guided_sr.presets.usage_range import check_range, usage_range
from guided_sr.volumes import TargetGrid, Volume, voxel_sizes


def check_usage(
    metadata: Mapping[str, Any],
    grid: TargetGrid,
    t2: Volume,
    t1: Volume | None,
    *,
    through_plane: bool,
    strict: bool,
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
        found = spacing_along(t1, steps)
        measured["t1_mm"] = tuple(float(x) for x in np.asarray(found)[axes])
    check_range(
        usage_range(metadata, path=path),
        measured,
        paths={"t2_mm": t2.path, "t1_mm": None if t1 is None else t1.path},
        strict=strict,
    )
