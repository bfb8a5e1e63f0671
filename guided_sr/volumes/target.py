"""Which axes of a T2 are enlarged, by how much, and why.

Two groups of axes are told apart: the slice axis, and the two in-plane axes. No axis
is ever made coarser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guided_sr.errors import PathLike, UsageError
from guided_sr.volumes.geometry import slice_axis, target_affine, voxel_sizes

__all__ = [
    "AXES",
    "NothingToEnlargeError",
    "TargetGrid",
    "choose_target",
    "triple_text",
]

AXES = ("auto", "in-plane", "slice")
COARSE_MM = 1.2
FINE_MM = 1.0
_EQUAL = 1.01
_SLACK = 1e-3


@dataclass(frozen=True, eq=False)
class TargetGrid:
    """The grid of a T2 and that of its result.

    Attributes:
        affine: Voxel to mm of the T2, shape ``(4, 4)``.
        shape: ``(i, j, k)`` of the T2.
        target_shape: ``(i, j, k)`` of the result, over the same field of view.
        scale: Factor asked for on each axis; the sizes give the real one.
        slice_axis: The axis across the slices.
        reason: Which axes are enlarged and why, in words.
    """

    affine: np.ndarray
    shape: tuple[int, int, int]
    target_shape: tuple[int, int, int]
    scale: tuple[float, float, float]
    slice_axis: int
    reason: str

    @property
    def target_affine(self) -> np.ndarray:
        """Voxel to mm of the result, shape ``(4, 4)``."""
        return target_affine(self.affine, self.shape, self.target_shape)

    @property
    def in_plane(self) -> tuple[int, int]:
        """The two axes within a slice."""
        first, second = (axis for axis in range(3) if axis != self.slice_axis)
        return first, second

    @property
    def in_plane_scale(self) -> tuple[float, float] | None:
        """Factors of the in-plane axes; `None` where none is enlarged."""
        first, second = (self.scale[axis] for axis in self.in_plane)
        return None if max(first, second) <= 1.0 + _SLACK else (first, second)

    @property
    def slice_scale(self) -> float | None:
        """Factor of the slice axis; `None` where it is not enlarged."""
        factor = self.scale[self.slice_axis]
        return None if factor <= 1.0 + _SLACK else factor

    @property
    def enlarged(self) -> list[int]:
        """The axes that have more voxels in the result."""
        return [a for a in range(3) if self.target_shape[a] > self.shape[a]]


class NothingToEnlargeError(UsageError):
    """All voxels of the T2 are as fine as those that the result would have (64)."""


def choose_target(
    affine: np.ndarray,
    shape: Sequence[int],
    *,
    scale: float | Sequence[float] | None = None,
    target_voxel: float | None = None,
    axes: str = "auto",
    because: str = "as asked for",
    path: PathLike | None = None,
) -> TargetGrid:
    """Choose the grid of a result.

    Args:
        affine: Voxel to mm of the T2, shape ``(4, 4)``.
        shape: ``(i, j, k)`` of the T2.
        scale: A factor for one group of axes, or one for each axis of the file. A
            single one is for the coarser group, the slice axis or the in-plane axes;
            for the latter on an isotropic grid.
        target_voxel: Voxel size in mm for all axes that are coarser.
        axes: ``"auto"``, or the one group to enlarge: ``"in-plane"`` or ``"slice"``.
        because: Why the axes are given, for the grid's reason.
        path: Of the T2, for messages.

    Returns:
        The grid. With neither `scale` nor `target_voxel`, axes over 1.2 mm go to
        1 mm, or to the T2's finest voxel where that is larger.

    Raises:
        NothingToEnlargeError: If no voxel is larger than those of the result.
        UsageError: If options contradict each other, or an axis would become coarser.
    """
    if axes not in AXES:
        raise UsageError(
            f"axes {axes!r} is unknown", mend=f"choose one of {', '.join(AXES)}"
        )
    if scale is not None and target_voxel is not None:
        raise UsageError(
            "scale and target voxel are both given", mend="give one of the two"
        )
    sizes = voxel_sizes(affine)
    across = slice_axis(affine)
    within = [axis for axis in range(3) if axis != across]
    groups = {"in-plane": within, "slice": [across], "auto": [0, 1, 2]}
    factors = np.ones(3)
    if scale is None:
        finest = max(FINE_MM, float(sizes.min()))
        wanted = finest if target_voxel is None else _positive(target_voxel)
        limit = COARSE_MM if target_voxel is None else wanted * _EQUAL
        for axis in groups[axes]:
            if sizes[axis] > max(limit, wanted):
                factors[axis] = sizes[axis] / wanted
        reason = f"voxels over {limit:.3g} mm go to {wanted:.3g} mm"
        if not (factors > 1.0).any():
            raise NothingToEnlargeError(
                f"nothing to enlarge: the T2 has voxels of {triple_text(sizes)} mm"
                + ("" if axes == "auto" else f", axes {axes}"),
                path=path,
                mend="see that this is the T2, not the T1; give a factor with --scale,"
                " a smaller --target-voxel"
                + ("" if axes == "auto" else ", or other axes with their own model"),
            )
    elif isinstance(scale, int | float):
        coarser = (
            "slice" if sizes[across] > sizes[within].max() * _EQUAL else "in-plane"
        )
        group = coarser if axes == "auto" else axes
        factors[groups[group]] = _factor(scale)
        reason = f"the {group} axes" if group == "in-plane" else "the slice axis"
        reason += f", of {triple_text(sizes[groups[group]])} mm, "
        if axes == "auto" and sizes.max() > sizes.min() * _EQUAL:
            reason += "the coarser" if group == coarser else ""
        else:
            reason += because if axes != "auto" else "voxels being isotropic"
    else:
        factors[:] = _triple(scale)
        _refuse_other_group(factors, across, axes)
        reason = because
    target = [math.floor(n * f + 0.5) for n, f in zip(shape, factors, strict=True)]
    i, j, k = (max(n, t) for n, t in zip(shape, target, strict=True))
    a, b, c = (float(f) for f in factors)
    n, m, o = (int(size) for size in shape)
    return TargetGrid(
        np.asarray(affine, np.float64), (n, m, o), (i, j, k), (a, b, c), across, reason
    )


def triple_text(sizes: Sequence[float] | np.ndarray) -> str:
    """``"0.5 x 0.5 x 4"``."""
    return " x ".join(f"{size:.3g}" for size in sizes)


def _positive(size: float) -> float:
    if not (math.isfinite(size) and size > 0.0):
        raise UsageError(
            f"a voxel size of {size} mm makes no sense", mend="give 1.0, for instance"
        )
    return size


def _factor(scale: float) -> float:
    if not (math.isfinite(scale) and scale > 1.0):
        raise UsageError(
            f"scale {scale:g} enlarges nothing", mend="give a factor above 1"
        )
    return float(scale)


def _triple(scale: Sequence[float]) -> tuple[float, ...]:
    factors = tuple(float(f) for f in scale)
    if len(factors) != 3 or not all(math.isfinite(f) and f >= 1.0 for f in factors):
        raise UsageError(
            f"scale {'x'.join(f'{f:g}' for f in factors)} is not one factor for each"
            " axis, of at least 1: no axis is ever made coarser",
            mend="give for instance 1x1x4, in the order of the file's axes",
        )
    if max(factors) == 1.0:
        raise UsageError("scale 1x1x1 enlarges nothing", mend="give 1x1x4 for instance")
    return factors


def _refuse_other_group(factors: np.ndarray, across: int, axes: str) -> None:
    other = np.delete(factors, across) if axes == "slice" else factors[[across]]
    if axes != "auto" and other.max() > 1.0:
        raise UsageError(
            f"the scale enlarges other axes than {axes}; the slices lie across axis"
            f" {across + 1} of the file",
            mend="leave --axes out, or change the factors",
        )
