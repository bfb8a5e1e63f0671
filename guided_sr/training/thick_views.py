"""What a scan of thick slices can teach about thickness: its own planes, made coarse.

A through-plane model leads planes across the slices to a finer grid along one axis.
The scan that is to be mended shows no such plane sharply; but its own planes are sharp
along both axes. Made coarse along their rows, or along their columns and turned, by as
much as the slices are, they are what the model sees, of the same scanner and contrast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.inference.inputs import Inputs, prepare
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.volumes import slice_axis, voxel_sizes

Stack = NDArray[np.float32]
Factors = tuple[float, float]


def thick_factor(
    affine: NDArray[Any], nominal: float, served: tuple[float, float] | None
) -> float:
    """How many times thicker than its pixels a scan's slices are.

    Args:
        affine: Of the scan.
        nominal: What stands for slices that are not thick.
        served: Least and largest factor that the model serves.
    """
    sizes = voxel_sizes(affine)
    across = slice_axis(affine)
    pixel = float(np.sqrt(np.prod(np.delete(sizes, across))))
    low, high = served or (nominal, nominal)
    ratio = float(sizes[across]) / pixel
    return nominal if ratio < low else min(ratio, high)


def thick_views(
    t2: Any,
    t1: Any,
    *,
    guided: bool,
    nominal: float,
    served: tuple[float, float] | None,
    register: str = "none",
) -> list[Inputs]:
    """Both views of a scan: coarse along rows, and along columns, turned.

    Args:
        t2: Volume, image or path of the scan.
        t1: The same person's T1, on any grid, or `None`.
        guided: Whether there is a guide.
        nominal: As in `thick_factor`.
        served: As in `thick_factor`.
        register: As in `prepare`.

    Raises:
        GuidedSRError: If an image cannot be used; it is named.
    """
    fine = prepare(t2, t1, guided=guided, scale=None, register=register)
    assert fine.source is not None  # volumes have one
    factor = thick_factor(fine.source.affine, nominal, served)
    return views_of(fine, factor)


def views_of(fine: Inputs, factor: float) -> list[Inputs]:
    """As `thick_views`, of a scan that was read.

    Args:
        fine: T2 and T1 on the T2's own grid.
        factor: How many times coarser rows or columns become.
    """
    across, rows, columns = fine.spacing_mm
    along_rows = _view(fine, (factor, 1.0), lambda x: x, (across, rows, columns))
    along_columns = _view(fine, (1.0, factor), turned, (across, columns, rows))
    return [along_rows, along_columns]


def _view(
    fine: Inputs,
    scale: Factors,
    turn: Callable[[Stack], Stack],
    spacing_mm: tuple[float, float, float],
) -> Inputs:
    high = crop_to_multiple(np.maximum(fine.t2, 0.0), scale)
    guide = None if fine.t1 is None else turn(crop_to_multiple(fine.t1, scale))
    rows, columns = turn(high[:1]).shape[1:]
    view = prepare(
        turn(degrade(high, scale).astype(np.float32)),
        guide,
        guided=guide is not None,
        scale=None,
        target_shape=(rows, columns),
    )
    return replace(view, spacing=spacing_mm)


def turned(stack: NDArray[Any]) -> Stack:
    """Planes with rows and columns exchanged."""
    return np.ascontiguousarray(np.swapaxes(stack, -1, -2), np.float32)
