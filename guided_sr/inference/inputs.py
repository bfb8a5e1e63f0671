"""What comes in: arrays, nibabel images or paths, checked and on their grids."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, RegistrationError, UsageError, warn_user
from guided_sr.inference.guide import Guide, prepare_guide
from guided_sr.inference.slice_width import profile_of, slice_width
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur, scale_per_axis
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.presets import rows_only
from guided_sr.volumes import (
    IntensityScale,
    Orientation,
    Registration,
    TargetGrid,
    Volume,
    fit_intensity,
    slice_axis,
    to_slices,
    voxel_sizes,
)
from guided_sr.volumes.plausible import examine_pair, read_examined, refuse_target

Stack = NDArray[np.float32]

_SCALE_SLACK = 0.05


@dataclass(frozen=True)
class Source:
    """The volumes behind a pair of stacks.

    Attributes:
        t2: The T2 volume as it came.
        t1: The T1 volume, where it was placed, or `None`.
        slice_axis: Axis across the slices, along RAS+.
        affine: Affine of the target grid along RAS+, voxel to mm.
        shape: Shape of the target grid along RAS+.
        overlap: Share of the T2's field of view that the T1 covers, or `None`.
        registration: How the T1 was placed, or `None`.
    """

    t2: Volume
    t1: Volume | None
    slice_axis: int
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    overlap: float | None
    registration: Registration | None = None


@dataclass(frozen=True)
class Inputs:
    """A T2 stack and its guide on the target grid, in their own units.

    Slices of volumes lie along RAS+.

    Attributes:
        t2: Observed slices of shape ``(n, h, w)``.
        t1: Guide slices of shape ``(n, H, W)``, or `None`.
        target_shape: ``(H, W)``.
        t2_scale: Intensity map of the T2.
        t1_scale: Intensity map of the T1, or `None`.
        single: Whether the T2 came as one slice ``(h, w)``.
        source: The volumes, where paths or images were given.
        spacing: Distance of slices, rows and columns of the target grid, where arrays
            have one.
        profile: Of the slices, where the stack is one of planes across them.
    """

    t2: Stack
    t1: Stack | None
    target_shape: tuple[int, int]
    t2_scale: IntensityScale
    t1_scale: IntensityScale | None
    single: bool = False
    source: Source | None = field(default=None, repr=False)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    profile: SliceProfile = field(default_factory=SliceProfile)

    def with_profile(self, told: SliceProfile | None) -> Inputs:
        """The same pair of planes with the profile of the slices that they cross.

        Args:
            told: The profile, if it is known; else it is read from the T1.
        """
        if told is None:
            y, t1 = self.normalised()
            width = None if t1 is None else slice_width([(y, t1)])
            told = SliceProfile() if width is None else profile_of(width)
        return dataclasses.replace(self, profile=told)

    def to_trained(self, y: Stack) -> Stack:
        """Planes through slices of the profile that networks are trained for."""
        return self.profile.brought(y, 1, self.target_shape[0])

    def seen_anew(self, y: Stack, estimate: Stack) -> Stack:
        """The same by an estimate of what the planes show, normalised like them."""
        residual = (y - self.observation(estimate)).astype(np.float32)
        nominal = dataclasses.replace(self, profile=SliceProfile()).observation
        return self.profile.seen_anew(estimate, residual, nominal, 1)

    @property
    def observation(self) -> SeparableOperator:
        """What leads from planes of the result to those of the T2."""
        rows, columns = self.t2.shape[-2:]
        high, wide = self.target_shape
        return SeparableOperator(
            self.profile.line(high, rows), LineOperator(wide, columns)
        )

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
        """Distance of slices, rows and columns of the target grid."""
        if self.source is None:
            return self.spacing
        sizes = voxel_sizes(self.source.affine)
        across = float(sizes[self.source.slice_axis])
        rows, columns = np.delete(sizes, self.source.slice_axis)
        return across, float(rows), float(columns)

    def measured(self) -> dict[str, tuple[float, ...]]:
        """Factors of the enlarged axes, for `check_range`."""
        sizes = zip(self.target_shape, self.t2.shape[-2:], strict=True)
        return {"factors": tuple(n / m for n, m in sizes if n > m)}

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
    register: str = "none",
) -> Inputs:
    """Check a pair and bring the guide to the target grid.

    Args:
        t2: Observed image: array of shape ``(h, w)`` or ``(n, h, w)``, nibabel
            image, `Volume` or path.
        t1: Guide of the same kind: an array on the target grid, or a volume on any
            grid, which is brought to the target grid by the affines.
        guided: Whether a guide is due.
        scale: Factor of rows and columns, of a volume those within its slices, or
            one for each; `None` leaves the T2's own grid as the target.
        target_shape: Exact in-plane size; wins over the scale.
        register: How the T1 of a volume is placed, as in `place_guide`, but that a
            failure of ``"auto"`` is a warning. Arrays stay where they are.

    Returns:
        The checked inputs.

    Raises:
        UsageError: If the guide is missing, kinds are mixed or an option is unknown.
        DataError: If values are not finite or constant, or sizes do not fit.
        GeometryError: If T1 and T2 do not overlap or cannot be registered.
    """
    if guided and t1 is None:
        raise UsageError(
            "the model is guided, but there is no T1",
            mend="give t1=, or use a model without guide",
        )
    guide = t1 if guided else None
    factors = (1.0, 1.0) if scale is None else scale_per_axis(scale)
    if is_array(t2):
        if guide is not None and not is_array(guide):
            raise UsageError(
                "the T2 is an array but the T1 is not",
                mend="give both as arrays, or both as images or paths",
            )
        return _from_arrays(t2, guide, factors, target_shape)
    if is_array(guide):
        raise UsageError(
            "the T1 is an array but the T2 is not",
            mend="give both as arrays, or both as images or paths",
        )
    return _from_volumes(t2, guide, factors, target_shape, register)


def is_array(x: Any) -> bool:
    """Whether something is an array, and no image, path or volume."""
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


def _from_volumes(
    t2: Any,
    t1: Any,
    factors: tuple[float, float],
    target_shape: tuple[int, int] | None,
    register: str,
) -> Inputs:
    low = read_examined(t2, name="T2")
    if rows_only(factors):
        raise UsageError(
            "a factor of rows alone is one of planes across the slices; these are"
            " whole volumes",
            path=low.path,
            mend="cut them into stacks of planes and give those as arrays",
        )
    orientation = Orientation.of(low.affine)
    shape = orientation.shape(low.data.shape)
    across = orientation.axes.index(slice_axis(low.affine))
    observed = tuple(n for axis, n in enumerate(shape) if axis != across)
    target = _target(observed, factors, target_shape)
    sizes = np.insert(target, across, shape[across])
    grid = TargetGrid(
        orientation.affine(low.affine, low.data.shape),
        shape,
        (int(sizes[0]), int(sizes[1]), int(sizes[2])),
        tuple(np.insert(factors, across, 1.0)),
        across,
        "",
    )
    refuse_target(grid, path=low.path)
    guide = None
    if t1 is not None:
        guide = _placed(t1, low, grid, register)
    inputs = Inputs(
        to_slices(orientation.apply(low.data), across),
        None if guide is None else to_slices(guide.data, across),
        target,
        fit_intensity(low.data, name="T2", path=low.path),
        None if guide is None else guide.scale,
        False,
        Source(
            low,
            None if guide is None else guide.volume,
            across,
            grid.target_affine,
            grid.target_shape,
            None if guide is None else guide.overlap,
            None if guide is None else guide.registration,
        ),
    )
    if not isinstance(t1, Volume):
        examine_inputs(inputs)
    return inputs


def _placed(t1: Any, t2: Volume, grid: TargetGrid, register: str) -> Guide:
    """The T1 on the grid; where ``"auto"`` cannot tell its place, by its header."""
    where = grid.target_affine, grid.target_shape
    try:
        return prepare_guide(t1, t2, grid, *where, register=register)
    except RegistrationError as error:
        mend = "check that both are of one person"
        if register != "auto":
            mend += ", or trust the headers with register none"
            raise RegistrationError(error.what, path=error.path, mend=mend) from error
        warn_user(
            f"{error.what}; it stays where its header puts it",
            path=error.path,
            mend=mend,
        )
        left = Registration(register, failure=error.what)
        guide = prepare_guide(t1, t2, grid, *where)
        return dataclasses.replace(guide, registration=left)


def examine_inputs(inputs: Inputs) -> None:
    """Warn of a T2 and a T1, as they came, that do not fit each other."""
    source = inputs.source
    if source is None or source.t1 is None or inputs.t1 is None:
        return
    paths = [one.path for one in (source.t2, source.t1) if one.path is not None]
    examine_pair(inputs.t2, inputs.t1, overlap=source.overlap or 0.0, paths=paths)
