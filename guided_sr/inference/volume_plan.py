"""The plan of a volume: grids, cascades and slice profile, before any voxel is read.

Inside, volumes lie along right, anterior, superior (RAS+). A slice model enlarges the
rows of planes whose rows run across the slices: the volume is cut into two stacks of
such planes (coronal and sagittal ones of an axial T2), one for each in-plane axis, each
with a cascade plan of its own. Their mean is looked at slice by slice once more, which
needs no plan. Where in-plane axes are enlarged as well, that is done first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import PathLike, UnknownScaleError, UsageError
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.presets import (
    model_text,
    rows_only,
    scale_text,
    served_factors,
    served_text,
)
from guided_sr.volumes import (
    Orientation,
    TargetGrid,
    choose_target,
    slice_axis,
    voxel_sizes,
)
from guided_sr.volumes.target import COARSE_MM, FINE_MM


class Served(NamedTuple):
    """What a model serves, and how its cascade is planned.

    Attributes:
        scale: Factor of rows and columns.
        scale_range: Least and largest factor of the enlarged axes, or `None`.
        stages: Number of stages.
        stage_blur: As in `CascadePlan.create`.
        name: Of the model, for messages.
    """

    scale: tuple[float, float]
    scale_range: tuple[float, float] | None
    stages: int
    stage_blur: StageBlur
    name: str | None = None

    @property
    def through_plane(self) -> bool:
        """Whether it is a model of the slice axis: rows alone are enlarged."""
        return rows_only(self.scale)


@dataclass(frozen=True, eq=False)
class VolumePlan:
    """How a T2 becomes its result.

    Make one with `VolumePlan.create`.

    Attributes:
        grid: Grid of the T2 and of the result, in the orientation of the T2.
        orientation: How that lies against RAS+, in which the work is done.
        in_plane: Cascade of the slices, or `None`.
        through_plane: Cascade of the planes of either stack, whose columns run along
            the first and the second in-plane axis; `None` without a slice model.
        profile: Shape and thickness of the T2's slices.
        told: Whether the user said so.
        width: What it was read from in the T1 (`slice_width`), where it was.
    """

    grid: TargetGrid
    orientation: Orientation
    in_plane: CascadePlan | None
    through_plane: tuple[CascadePlan, CascadePlan] | None
    profile: SliceProfile
    told: bool = False
    width: float | None = None

    @classmethod
    def create(
        cls,
        grid: TargetGrid,
        models: Sequence[Served],
        *,
        profile: SliceProfile | None = None,
    ) -> VolumePlan:
        """Plan the cascades of a grid.

        Args:
            grid: Grid of the T2 and of the result.
            models: What the models at hand serve: one of the in-plane axes, one of
                the slice axis, or both.
            profile: Of the slices, if it is known; else Gaussian without gap, until it
                is read from the T1.

        Raises:
            UnknownScaleError: If no model serves the factor of an axis.
            UsageError: If slices or planes are too small.
        """
        orientation = Orientation.of(grid.affine)
        across = orientation.axes.index(grid.slice_axis)
        shape = orientation.shape(grid.shape)
        target = orientation.shape(grid.target_shape)
        first, second = (axis for axis in range(3) if axis != across)
        in_plane = through_plane = None
        if grid.in_plane_scale is not None:
            model = _serving(grid, models, through_plane=False)
            in_plane = CascadePlan.create(
                (shape[first], shape[second]),
                target_shape=(target[first], target[second]),
                stages=model.stages,
                stage_blur=model.stage_blur,
            )
        if grid.slice_scale is not None:
            model = _serving(grid, models, through_plane=True)
            one, other = (
                CascadePlan.create(
                    (shape[across], target[axis]),
                    target_shape=(target[across], target[axis]),
                    stages=model.stages,
                    stage_blur=model.stage_blur,
                )
                for axis in (first, second)
            )
            through_plane = one, other
        known, told = profile or SliceProfile(), profile is not None
        return cls(grid, orientation, in_plane, through_plane, known, told)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sizes of the T2 along RAS+."""
        return self.orientation.shape(self.grid.shape)

    @property
    def target_shape(self) -> tuple[int, int, int]:
        """Sizes of the result along RAS+."""
        return self.orientation.shape(self.grid.target_shape)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to mm of the result along RAS+."""
        return self.orientation.affine(self.grid.target_affine, self.grid.target_shape)

    @property
    def across(self) -> int:
        """The axis of RAS+ across the slices."""
        return self.orientation.axes.index(self.grid.slice_axis)

    @property
    def within(self) -> tuple[int, int]:
        """The two axes of RAS+ within a slice."""
        first, second = (axis for axis in range(3) if axis != self.across)
        return first, second

    @property
    def observation(self) -> SeparableOperator:
        """What leads from the result to the T2, along RAS+."""
        lines = [LineOperator(n, n) for n in self.shape]
        if self.in_plane is not None:
            observed = self.in_plane.observation()
            for axis, line in zip(self.within, observed.lines, strict=True):
                lines[axis] = line
        if self.through_plane is not None:
            lines[self.across] = self.slices
        return SeparableOperator(*lines)

    @property
    def trained(self) -> VolumePlan:
        """The same plan with the slice profile that networks are trained for."""
        return dataclasses.replace(self, profile=SliceProfile())

    def to_trained(self, observed: NDArray[np.float32]) -> NDArray[np.float32]:
        """Slices of the profile that networks are trained for, in place of the T2's.

        Args:
            observed: The T2 along RAS+.

        Returns:
            What they would show, of the same shape; the very same array where they
            have that profile, or no slice is added.
        """
        if self.through_plane is None:
            return observed
        fine = self.target_shape[self.across]
        return self.profile.brought(observed, self.across, fine)

    def seen_anew(
        self, estimate: NDArray[np.float32], residual: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The same by an estimate of the result, as in `SliceProfile.seen_anew`.

        Args:
            estimate: The result along RAS+.
            residual: What it leaves unexplained of the T2.
        """
        nominal = self.trained.observation
        return self.profile.seen_anew(estimate, residual, nominal, self.across)

    @property
    def passes(self) -> int:
        """How often the volume goes through the networks."""
        return 1 if self.through_plane is None else self.profile.passes

    @property
    def slices(self) -> LineOperator:
        """What leads from the slices of the result to those of the T2."""
        return self.profile.line(
            self.target_shape[self.across], self.shape[self.across]
        )

    @property
    def profile_source(self) -> str:
        """Where the profile is from, in words."""
        if self.told:
            return "told"
        if self.width is None:
            return "assumed"
        return f"read from the T1: as a Gaussian {100 * self.width:.0f} % wide"

    def summary(self) -> dict[str, object]:
        """The plan's numbers as plain data, for sidecars and reports."""
        grid = self.grid
        return {
            "shape": list(grid.shape),
            "target_shape": list(grid.target_shape),
            "voxel_mm": [float(n) for n in voxel_sizes(grid.affine)],
            "target_voxel_mm": [float(n) for n in voxel_sizes(grid.target_affine)],
            "scale": list(grid.scale),
            "slice_axis": grid.slice_axis,
            "reason": grid.reason,
            "slice_profile": {**asdict(self.profile), "from": self.profile_source},
            "in_plane": None if self.in_plane is None else self.in_plane.summary(),
            "through_plane": None
            if self.through_plane is None
            else [plan.summary() for plan in self.through_plane],
        }


def target_for(
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    models: Sequence[Served],
    *,
    scale: float | Sequence[float] | None = None,
    target_voxel: float | None = None,
    axes: str = "auto",
    path: PathLike | None = None,
) -> TargetGrid:
    """The grid of a result that the models at hand can make.

    What is not asked for is decided by the models: a single one enlarges its own group
    of axes; one that serves a single factor enlarges by that; of two, the slice model
    goes on from the in-plane voxels that the other one makes.

    Args:
        affine: Voxel to mm of the T2.
        shape: Of the T2.
        models: One or two.
        scale: As in `choose_target`, or factors of rows and columns for an in-plane
            model.
        target_voxel: As in `choose_target`.
        axes: As in `choose_target`.
        path: As in `choose_target`.

    Raises:
        UsageError: As `choose_target`.
        UnknownScaleError: If the models do not serve what is asked for.
    """
    pair = isinstance(scale, Sequence) and len(scale) == 2
    asked = axes != "auto" or isinstance(scale, Sequence)
    if len(models) == 1 and (pair or not isinstance(scale, Sequence)):
        (model,) = models
        group = "slice" if model.through_plane else "in-plane"
        if axes not in ("auto", group):
            raise UsageError(
                f"the model enlarges the {group} axes, not axes {axes}",
                mend="leave axes out, or take another model",
            )
        axes = group
        single = scale is None and target_voxel is None and model.scale_range is None
        if single or pair:
            factors = served_factors(
                None if scale is None else scale, model.scale, model.scale_range
            )
            if factors is None:
                raise _unserved(scale, model)
            scale = _triple(affine, factors, through_plane=model.through_plane)
    if len(models) == 2 and (scale, target_voxel, axes) == (None, None, "auto"):
        scale = _both(affine, models)
    return choose_target(
        affine,
        shape,
        scale=scale,
        target_voxel=target_voxel,
        axes=axes,
        because="as asked for" if asked else "the model's own",
        path=path,
    )


def _both(
    affine: NDArray[np.float64], models: Sequence[Served]
) -> tuple[float, float, float]:
    """In-plane by what the model is for, then the slices to the finer voxels."""
    (in_plane,) = (model for model in models if not model.through_plane)
    factors = np.array(_triple(affine, in_plane.scale, through_plane=False))
    sizes = voxel_sizes(affine) / factors
    across, wanted = slice_axis(affine), max(FINE_MM, float(sizes.min()))
    if sizes[across] > max(COARSE_MM, wanted):
        factors[across] = sizes[across] / wanted
    i, j, k = (float(f) for f in factors)
    return i, j, k


def with_in_plane_shape(grid: TargetGrid, target_shape: tuple[int, int]) -> TargetGrid:
    """The same grid with an exact in-plane size, in the order of RAS+.

    Raises:
        UsageError: If the slices are not enlarged in-plane, or the size is smaller.
    """
    orientation = Orientation.of(grid.affine)
    across = orientation.axes.index(grid.slice_axis)
    sizes = np.insert(target_shape, across, grid.target_shape[grid.slice_axis])
    i, j, k = (int(n) for n in sizes[np.argsort(orientation.axes)])
    if grid.in_plane_scale is None or min(np.subtract((i, j, k), grid.shape)) < 0:
        raise UsageError(
            f"the target {tuple(target_shape)} is not finer in-plane than the image"
            f" {grid.shape}",
            mend="give a target of at least the image's size on every axis",
        )
    return dataclasses.replace(grid, target_shape=(i, j, k))


def _triple(
    affine: NDArray[np.float64], factors: tuple[float, float], *, through_plane: bool
) -> tuple[float, float, float]:
    """Factors of rows and columns as one for each axis of the file."""
    orientation = Orientation.of(affine)
    across = orientation.axes.index(slice_axis(affine))
    along_ras = np.ones(3)
    if through_plane:
        along_ras[across] = factors[0]
    else:
        along_ras[[axis for axis in range(3) if axis != across]] = factors
    i, j, k = (float(f) for f in along_ras[np.argsort(orientation.axes)])
    return i, j, k


def _serving(
    grid: TargetGrid, models: Sequence[Served], *, through_plane: bool
) -> Served:
    fitting = [model for model in models if model.through_plane == through_plane]
    kind = "slice" if through_plane else "in-plane"
    if not fitting:
        raise UsageError(
            f"there is no model for the {kind} axes",
            mend=f"give one, or --axes {'in-plane' if through_plane else 'slice'}",
        )
    asked: tuple[float, float] | None = grid.in_plane_scale
    if through_plane and grid.slice_scale is not None:
        asked = (grid.slice_scale, 1.0)
    (model,) = fitting
    if served_factors(asked, model.scale, model.scale_range) is None:
        raise _unserved(asked, model)
    return model


def _unserved(asked: object, model: Served) -> UnknownScaleError:
    if isinstance(asked, Sequence):
        factors = [float(f"{factor:.4g}") for factor in asked]
        both = model.through_plane and rows_only(factors)
        asked = f"{factors[0]:g}" if both else scale_text(factors)
    known = served_text(model.scale, model.scale_range)
    return UnknownScaleError(
        f"{model_text(model.name)} was not trained for scale {asked}; it knows {known}",
        mend=f"ask for {known}, or take another model",
    )
