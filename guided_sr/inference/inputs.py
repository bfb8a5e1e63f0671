"""What comes in: arrays, nibabel images or paths, checked and on their grids."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, UsageError, warn_user
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur, scale_per_axis
from guided_sr.volumes import (
    IntensityScale,
    Volume,
    bring_to_grid,
    fit_intensity,
    read_volume,
    require_overlap,
    slice_axis,
    target_affine,
    to_slices,
    voxel_sizes,
)
from guided_sr.volumes.plausible import (
    examine,
    examine_pair,
    refuse_other_person,
    refuse_short_axes,
)
from guided_sr.volumes.saving import LONGEST_AXIS

Stack = NDArray[np.float32]

AXES = ("in-plane",)
_SCALE_SLACK = 0.05
_COARSE = 0.95


@dataclass(frozen=True)
class Source:
    """The volumes behind a pair of stacks.

    Attributes:
        t2: The T2 volume.
        t1: The T1 volume, or `None`.
        slice_axis: Axis of the volume across the slices.
        affine: Affine of the target grid, voxel to mm.
        shape: Shape of the target grid.
        overlap: Share of the T2's field of view that the T1 covers, or `None`.
    """

    t2: Volume
    t1: Volume | None
    slice_axis: int
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    overlap: float | None


@dataclass(frozen=True)
class Inputs:
    """A T2 stack and its guide on the target grid, in their own units.

    Attributes:
        t2: Observed slices of shape ``(n, h, w)``.
        t1: Guide slices of shape ``(n, H, W)``, or `None`.
        target_shape: ``(H, W)``.
        t2_scale: Intensity map of the T2.
        t1_scale: Intensity map of the T1, or `None`.
        single: Whether the T2 came as one slice ``(h, w)``.
        source: The volumes, where paths or images were given.
    """

    t2: Stack
    t1: Stack | None
    target_shape: tuple[int, int]
    t2_scale: IntensityScale
    t1_scale: IntensityScale | None
    single: bool = False
    source: Source | None = field(default=None, repr=False)

    def plan(self, *, stages: int, stage_blur: StageBlur = "consistent") -> CascadePlan:
        """The cascade plan from the observed to the target grid."""
        rows, columns = self.t2.shape[-2:]
        return CascadePlan.create(
            (rows, columns),
            target_shape=self.target_shape,
            stages=stages,
            stage_blur=stage_blur,
        )

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of slices, rows and columns of the target grid; 1 for arrays."""
        if self.source is None:
            return 1.0, 1.0, 1.0
        sizes = voxel_sizes(self.source.affine)
        across = float(sizes[self.source.slice_axis])
        rows, columns = np.delete(sizes, self.source.slice_axis)
        return across, float(rows), float(columns)

    def normalised(self) -> tuple[Stack, Stack | None]:
        """T2 and guide with the 0.5 and 99.5 percentiles at 0 and 1."""
        t1 = None
        if self.t1 is not None and self.t1_scale is not None:
            t1 = self.t1_scale.forward(self.t1)
        return self.t2_scale.forward(self.t2), t1


def prepare(
    t2: Any,
    t1: Any,
    *,
    guided: bool,
    scale: float | Sequence[float] | None,
    target_shape: tuple[int, int] | None = None,
    axes: str = "in-plane",
) -> Inputs:
    """Check a pair and bring the guide to the target grid.

    Args:
        t2: Observed image: array of shape ``(h, w)`` or ``(n, h, w)``, nibabel
            image, `Volume` or path.
        t1: Guide of the same kind: an array on the target grid, or a volume on any
            grid, which is brought to the target grid by the affines.
        guided: Whether a guide is due.
        scale: Factor of the two in-plane axes, or one for each; `None` leaves the
            T2's own grid as the target.
        target_shape: Exact in-plane size; wins over the scale.
        axes: Which axes of a volume are enlarged: ``"in-plane"``.

    Returns:
        The checked inputs.

    Raises:
        UsageError: If the guide is missing, kinds are mixed or an option is unknown.
        DataError: If values are not finite or constant, or sizes do not fit.
        GeometryError: If T1 and T2 do not overlap.
    """
    if axes not in AXES:
        raise UsageError(
            f"axes {axes!r} is unknown", mend=f"choose one of {', '.join(AXES)}"
        )
    if guided and t1 is None:
        raise UsageError(
            "the model is guided, but there is no T1",
            mend="give t1=, or use a model without guide",
        )
    guide = t1 if guided else None
    factors = (1.0, 1.0) if scale is None else scale_per_axis(scale)
    if _is_array(t2):
        if guide is not None and not _is_array(guide):
            raise UsageError(
                "the T2 is an array but the T1 is not",
                mend="give both as arrays, or both as images or paths",
            )
        return _from_arrays(t2, guide, factors, target_shape)
    if _is_array(guide):
        raise UsageError(
            "the T1 is an array but the T2 is not",
            mend="give both as arrays, or both as images or paths",
        )
    return _from_volumes(t2, guide, factors, target_shape)


def _warn_of_coarse_guide(
    guide: Volume, low: Volume, affine: NDArray[np.float64], in_plane: list[int]
) -> None:
    """Say so where the T1 is no finer in-plane than the T2, or than the result."""
    inward = np.linalg.inv(guide.affine[:3, :3])
    steps = affine[:3, in_plane]
    directions = steps / np.linalg.norm(steps, axis=0)
    spacing = float((1.0 / np.linalg.norm(inward @ directions, axis=0)).max())
    observed = float(voxel_sizes(low.affine)[in_plane].min())
    wanted = float(np.linalg.norm(steps, axis=0).min())
    if spacing > observed * _COARSE:
        warn_user(
            f"the T1 ({spacing:.2g} mm in-plane) is no finer than the T2 itself"
            f" ({observed:.2g} mm): it can guide little; look at the result beside"
            " cubic interpolation",
            path=guide.path,
        )
    elif spacing > wanted * 1.5:
        warn_user(
            f"the T1 ({spacing:.2g} mm in-plane) is coarser than the result"
            f" ({wanted:.2g} mm): the guidance is limited",
            path=guide.path,
        )


def _is_array(x: Any) -> bool:
    known = isinstance(x, str | os.PathLike | Volume) or hasattr(x, "affine")
    return x is not None and not known


def _target(
    shape: tuple[int, ...],
    factors: tuple[float, float],
    target_shape: tuple[int, int] | None,
) -> tuple[int, int]:
    rows, columns = (int(n * f + 0.5) for n, f in zip(shape, factors, strict=True))
    return target_shape or (rows, columns)


def _checked_stack(x: Any, name: str) -> Stack:
    stack = np.asarray(x, np.float32)
    if stack.ndim not in (2, 3):
        raise DataError(
            f"the {name} has shape {stack.shape}",
            mend="give one slice (h, w) or a stack (n, h, w)",
        )
    if not np.isfinite(stack).all():
        raise DataError(
            f"the {name} holds NaN or infinite values",
            mend="replace them first: a network would spread them silently",
        )
    return stack[None] if stack.ndim == 2 else stack


def _from_arrays(
    t2: Any,
    t1: Any,
    factors: tuple[float, float],
    target_shape: tuple[int, int] | None,
) -> Inputs:
    single = np.ndim(t2) == 2
    low = _checked_stack(t2, "T2")
    target = _target(low.shape[-2:], factors, target_shape)
    guide = None
    if t1 is not None:
        guide = _checked_stack(t1, "T1")
        if target_shape is None and _nearly(guide.shape[-2:], target):
            target = (guide.shape[-2], guide.shape[-1])
        if guide.shape != (len(low), *target):
            raise DataError(
                f"the T1 has shape {guide.shape}, the target grid is"
                f" {(len(low), *target)}",
                mend="bring the T1 to the target grid, or pass target_shape=, or give"
                " images with affines",
            )
    return Inputs(
        low,
        guide,
        target,
        fit_intensity(low, name="T2"),
        None if guide is None else fit_intensity(guide, name="T1"),
        single,
    )


def _nearly(shape: tuple[int, ...], target: tuple[int, int]) -> bool:
    return all(
        abs(n - t) <= _SCALE_SLACK * t for n, t in zip(shape, target, strict=True)
    )


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


def _refuse_target(
    low: Volume, shape: tuple[int, int, int], enlarged: list[int]
) -> None:
    """Refuse a target grid that cannot be made or stored."""
    if shape != low.data.shape:
        refuse_short_axes(low.data.shape, enlarged, name="T2", path=low.path)
    if max(shape) > LONGEST_AXIS:
        raise DataError(
            f"the result would have an axis of {max(shape)} voxels; NIfTI holds"
            f" {LONGEST_AXIS}",
            path=low.path,
            mend="crop the T2, or take a smaller scale",
        )


def _from_volumes(
    t2: Any,
    t1: Any,
    factors: tuple[float, float],
    target_shape: tuple[int, int] | None,
) -> Inputs:
    low = read_examined(t2, name="T2")
    across = slice_axis(low.affine)
    in_plane = [axis for axis in range(3) if axis != across]
    observed = tuple(low.data.shape[axis] for axis in in_plane)
    target = _target(observed, factors, target_shape)
    sizes = list(low.data.shape)
    for axis, n in zip(in_plane, target, strict=True):
        sizes[axis] = n
    shape = (sizes[0], sizes[1], sizes[2])
    _refuse_target(low, shape, in_plane)
    affine = target_affine(low.affine, low.data.shape, shape)
    guide = guide_scale = volume = overlap = None
    if t1 is not None:
        volume = read_examined(t1, name="T1")
        if volume.sha256 is not None and volume.sha256 == low.sha256:
            raise UsageError(
                "the T1 and the T2 are the same file",
                path=volume.path,
                mend="give the T1 as guide",
            )
        refuse_other_person(low.path, volume.path)
        overlap = require_overlap(volume, low)
        if target != observed:
            _warn_of_coarse_guide(volume, low, affine, in_plane)
        guide = to_slices(bring_to_grid(volume, affine, shape), across)
        guide_scale = fit_intensity(guide, name="T1", path=volume.path)
    inputs = Inputs(
        to_slices(low.data, across),
        guide,
        target,
        fit_intensity(low.data, name="T2", path=low.path),
        guide_scale,
        False,
        Source(low, volume, across, affine, shape, overlap),
    )
    if not isinstance(t1, Volume):
        examine_inputs(inputs)
    return inputs


def examine_inputs(inputs: Inputs) -> None:
    """Warn of a T2 and a T1, as they came, that do not fit each other."""
    source = inputs.source
    if source is None or source.t1 is None or inputs.t1 is None:
        return
    paths = [one.path for one in (source.t2, source.t1) if one.path is not None]
    examine_pair(inputs.t2, inputs.t1, overlap=source.overlap or 0.0, paths=paths)
