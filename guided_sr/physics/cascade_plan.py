"""The cascade plan: sizes, real ratios and blur of every level, computed once.

Level 0 is the observed grid, level ``r`` the target grid, level -1 the grid one
stage below the observation, needed to make the training input of stage 1. What
training, prediction, back-projection and reports know of the grids, they read
here.

Blur is book-kept as variances in pixels of the target grid ("HR pixels"). With
``h_k = n_r / n_k``, stage ``j`` (from level ``j - 1`` to ``j``) undoes a blur of
``sigma_j = c * h_{j-1}``, ``c^2 = 1 / (8 * lambda * ln 2)``, so that
``V_k = c^2 * sum_{j=k}^{r-1} h_j^2`` still blurs level ``k`` and ``V_r = 0``. The
observation has ``V_obs = h_0^2 / (8 ln 2)`` (full width at half maximum of one
observed pixel; Iwamoto et al., III-A). The stages compose to the observation
exactly if ``lambda = sum_{j=0}^{r-1} (n_0 / n_j)^2``, the ``"consistent"`` default;
the paper's constant is ``lambda = 2``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from guided_sr.errors import GuidedSRWarning, UsageError
from guided_sr.physics.operators import LineOperator, SeparableOperator

StageBlur = Literal["consistent"] | float

SMALLEST = 4
"""Fewest pixels a side that a cascade begins from."""

_EIGHT_LN2 = 8.0 * math.log(2.0)


def scale_per_axis(scale: float | Sequence[float]) -> tuple[float, float]:
    """Bring a scale to one factor an axis.

    Args:
        scale: One number for both in-plane axes, or ``(rows, columns)``.

    Returns:
        Two factors, each at least 1.

    Raises:
        UsageError: If a factor is below 1 or not finite, or both are 1.
    """
    values = (scale, scale) if isinstance(scale, int | float) else tuple(scale)
    if len(values) != 2 or not all(math.isfinite(v) and v >= 1.0 for v in values):
        raise UsageError(
            f"scale {scale!r} is not a factor of at least 1, nor a pair of them",
            mend="give scale=4, or scale=(4, 1) for one axis",
        )
    if all(v == 1.0 for v in values):
        raise UsageError(
            "scale 1 leaves nothing to super-resolve",
            mend="give a factor above 1, such as scale=4",
        )
    return float(values[0]), float(values[1])


def _round_half_up(value: float) -> int:
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class AxisPlan:
    """One axis of the cascade.

    Attributes:
        sizes: Pixels of the levels 0 to r.
        size_below: Pixels of level -1.
        lam: The constant lambda of the between-stage blur.
    """

    sizes: tuple[int, ...]
    size_below: int
    lam: float

    @property
    def stages(self) -> int:
        """Number of stages r."""
        return len(self.sizes) - 1

    @property
    def enlarged(self) -> bool:
        """Whether this axis is super-resolved at all."""
        return self.sizes[-1] != self.sizes[0]

    def size(self, level: int) -> int:
        """Pixels of a level, -1 to r."""
        return self.size_below if level == -1 else self.sizes[level]

    def pixel(self, level: int) -> float:
        """``h_k``: target pixels a pixel of the level."""
        return self.sizes[-1] / self.size(level)

    @property
    def observation_variance(self) -> float:
        """``V_obs`` in squared target pixels."""
        return self.pixel(0) ** 2 / _EIGHT_LN2 if self.enlarged else 0.0

    def variance(self, level: int) -> float:
        """``V_k``: the blur left at a level, in squared target pixels."""
        if not self.enlarged:
            return 0.0
        total = sum(self.pixel(j) ** 2 for j in range(level, self.stages))
        return total / (self.lam * _EIGHT_LN2)

    def degradation(
        self, level: int, *, blur: float = 1.0, size: int | None = None
    ) -> LineOperator:
        """One stage down, ``level`` to ``level - 1`` (level 0 to r)."""
        ratio = self.size(level) / self.size(level - 1)
        finer = self.size(level) if size is None else size
        coarser = max(1, _round_half_up(finer / ratio))
        if not self.enlarged:
            return LineOperator(finer, finer)
        sigma = blur * (finer / coarser) / math.sqrt(self.lam * _EIGHT_LN2)
        return LineOperator(finer, coarser, sigma)

    def observation(self, level: int) -> LineOperator:
        """Level to observation: what still separates them, blurred and sampled."""
        left = max(self.observation_variance - self.variance(level), 0.0)
        sigma = math.sqrt(left) / self.pixel(level)
        return LineOperator(self.size(level), self.sizes[0], sigma)

    def guide(self, level: int) -> LineOperator:
        """Target grid to level, with the level's own blur (eq. 4's ``DB X_G``)."""
        sigma = math.sqrt(self.variance(level))
        return LineOperator(self.sizes[-1], self.size(level), sigma)

    def size_below_by(self, stages: int) -> int:
        """Pixels of the observed axis, made coarser by so many of the stages."""
        return _round_half_up(self.sizes[0] / self.pixel(0) ** (stages / self.stages))

    def lower(self, stages: int, *, consistent: bool) -> AxisPlan:
        """The axis begun so many stages lower; see `CascadePlan.lower`."""
        below = [max(1, self.size_below_by(k)) for k in range(stages + 1, 0, -1)]
        sizes = (*below[1:], *self.sizes[: self.stages + 1 - stages])
        return AxisPlan(sizes, below[0], _lambda(sizes) if consistent else self.lam)


def _lambda(sizes: Sequence[int]) -> float:
    """The constant with which stages of these sizes make the observation's blur."""
    return sum((sizes[0] / n) ** 2 for n in sizes[:-1])


def _axis_plan(n_lr: int, n_hr: int, stages: int, stage_blur: StageBlur) -> AxisPlan:
    ratio = n_hr / n_lr
    sizes = [_round_half_up(n_lr * ratio ** (k / stages)) for k in range(stages)]
    sizes.append(n_hr)
    below = _round_half_up(n_lr * ratio ** (-1.0 / stages))
    lam = _lambda(sizes) if stage_blur == "consistent" else float(stage_blur)
    return AxisPlan(tuple(sizes), max(below, 1), lam)


@dataclass(frozen=True)
class CascadePlan:
    """Sizes, ratios, variances and matrices of a cascade of r stages.

    Make one with `CascadePlan.create`.

    Attributes:
        rows: The plan of the row axis (height).
        columns: The plan of the column axis (width).
        stage_blur: ``"consistent"`` or the lambda asked for.
    """

    rows: AxisPlan
    columns: AxisPlan
    stage_blur: StageBlur

    @classmethod
    def create(
        cls,
        shape: tuple[int, int],
        *,
        scale: float | Sequence[float] | None = None,
        stages: int = 3,
        target_shape: tuple[int, int] | None = None,
        stage_blur: StageBlur = "consistent",
    ) -> CascadePlan:
        """Plan a cascade from an observed slice to its target.

        Args:
            shape: Observed ``(rows, columns)`` in pixels.
            scale: Factor of both axes or ``(rows, columns)``; not needed where
                ``target_shape`` is given, which wins over it.
            stages: Number r of stages (Iwamoto et al., II-D).
            target_shape: Exact size of the target in pixels.
            stage_blur: ``"consistent"``, or the constant lambda of the paper's
                between-stage blur (2 in the paper), which leaves the levels
                slightly off the observation.

        Returns:
            The plan.

        Raises:
            UsageError: If the scale, the number of stages, the sizes or the blur
                make no sense.
        """
        if stages < 1:
            raise UsageError(
                f"stages={stages} is no cascade", mend="give stages=1 or more"
            )
        if stage_blur != "consistent" and not (
            isinstance(stage_blur, int | float)
            and math.isfinite(stage_blur)
            and stage_blur > 0
        ):
            raise UsageError(
                f"stage_blur={stage_blur!r} is neither 'consistent' nor a positive"
                " number",
                mend="leave it out, or give the paper's stage_blur=2.0",
            )
        if target_shape is None:
            if scale is None:
                raise UsageError(
                    "neither scale nor target_shape is given", mend="give scale=4"
                )
            factors = scale_per_axis(scale)
            target = tuple(
                _round_half_up(n * f) for n, f in zip(shape, factors, strict=True)
            )
        else:
            target = tuple(target_shape)
        if any(t < n for n, t in zip(shape, target, strict=True)) or target == shape:
            raise UsageError(
                f"the target {target} is not finer than the image {tuple(shape)}",
                mend="give a target of at least the image's size on every axis",
            )
        if min(shape) < SMALLEST:
            raise UsageError(
                f"an image of {shape[0]} x {shape[1]} pixels is too small",
                mend=f"give at least {SMALLEST} pixels on each axis",
            )
        rows, columns = (
            _axis_plan(int(n), int(t), stages, stage_blur)
            for n, t in zip(shape, target, strict=True)
        )
        plan = cls(rows, columns, stage_blur)
        plan._warn_of_mismatch()
        return plan

    def _warn_of_mismatch(self) -> None:
        if self.stage_blur == "consistent":
            return
        for axis in self.axes:
            if axis.enlarged:
                exact = _lambda(axis.sizes)
                if abs(exact - axis.lam) > 0.02 * exact:
                    warnings.warn(
                        f"stage_blur={self.stage_blur} does not compose to the"
                        f" observation's blur; lambda={exact:.3f} would",
                        GuidedSRWarning,
                        stacklevel=3,
                    )
                    return

    @property
    def axes(self) -> tuple[AxisPlan, AxisPlan]:
        """Both axis plans, rows first."""
        return self.rows, self.columns

    @property
    def stages(self) -> int:
        """Number of stages r."""
        return self.rows.stages

    def level_shape(self, level: int) -> tuple[int, int]:
        """``(rows, columns)`` of a level, -1 to r."""
        return self.rows.size(level), self.columns.size(level)

    @property
    def shape(self) -> tuple[int, int]:
        """Observed shape, level 0."""
        return self.level_shape(0)

    @property
    def target_shape(self) -> tuple[int, int]:
        """Target shape, level r."""
        return self.level_shape(self.stages)

    def shape_below(self, stages: int) -> tuple[int, int]:
        """Size of the observed slices, made coarser by so many of the stages."""
        return self.rows.size_below_by(stages), self.columns.size_below_by(stages)

    def lower(self, stages: int) -> CascadePlan | None:
        """The same cascade begun lower, whose levels are those of this one as before.

        Args:
            stages: By how many of the stages; its last level is ``r - stages``.

        Returns:
            The plan; `None` where pixels are too few to begin lower.
        """
        rows, columns = (
            axis.lower(stages, consistent=self.stage_blur == "consistent")
            for axis in self.axes
        )
        plan = CascadePlan(rows, columns, self.stage_blur)
        known = zip(plan.axes, self.axes, strict=True)
        if any(low.enlarged != axis.enlarged for low, axis in known):
            return None
        return plan if min(plan.shape) >= SMALLEST else None

    def below(self, shape: tuple[int, int], stages: int) -> CascadePlan:
        """The cascade that ends where this one begins, for a test on what was observed.

        Args:
            shape: Size of the coarser slices that it begins from.
            stages: Number of its stages.

        Raises:
            UsageError: If the slices are smaller than `SMALLEST`.
        """
        return CascadePlan.create(
            shape,
            target_shape=self.shape,
            stages=stages,
            stage_blur=self.stage_blur,
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Real ratio of target to observation per axis."""
        return self.rows.pixel(0), self.columns.pixel(0)

    def degradation(
        self, level: int, *, blur: float = 1.0, shape: tuple[int, int] | None = None
    ) -> SeparableOperator:
        """``D B`` of one stage, from ``level`` to ``level - 1``.

        Args:
            level: Finer level, 0 to r. Level 0 gives the operator that makes the
                training input of stage 1 from an observed image.
            blur: Factor on the stage's standard deviation (1 is nominal).
            shape: Size of a rescaled image of that level, which is degraded by
                the same ratio; the level's own by default.
        """
        rows, columns = shape or self.level_shape(level)
        return SeparableOperator(
            self.rows.degradation(level, blur=blur, size=rows),
            self.columns.degradation(level, blur=blur, size=columns),
        )

    def upsampling(self, level: int) -> SeparableOperator:
        """``U``: cubic convolution from ``level - 1`` to ``level``."""
        return SeparableOperator.interpolation(
            self.level_shape(level - 1), self.level_shape(level)
        )

    def observation(self, level: int | None = None) -> SeparableOperator:
        """``A`` of the back-projection: a level (the target) to the observation."""
        k = self.stages if level is None else level
        return SeparableOperator(self.rows.observation(k), self.columns.observation(k))

    def guide(self, level: int) -> SeparableOperator:
        """Guide on the target grid to the level, blurred by ``V_k``."""
        return SeparableOperator(self.rows.guide(level), self.columns.guide(level))

    def summary(self) -> dict[str, object]:
        """The plan's numbers as plain data, for sidecars and reports."""
        levels = range(self.stages + 1)
        return {
            "stages": self.stages,
            "level_shapes": [list(self.level_shape(k)) for k in levels],
            "scale": list(self.scale),
            "stage_blur": self.stage_blur,
            "lambda": [axis.lam for axis in self.axes],
            "observation_variance_px2": [a.observation_variance for a in self.axes],
            "level_variances_px2": [[a.variance(k) for a in self.axes] for k in levels],
        }
