"""Training subjects: checked, on their grids, normalised, at any level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, UnknownScaleError, UsageError
from guided_sr.inference.cascade import StageRunner, batches
from guided_sr.inference.filled import FOREGROUND
from guided_sr.inference.inputs import Inputs, is_array, prepare
from guided_sr.layers.projection import separable
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.physics.operators import SeparableOperator
from guided_sr.presets import rows_only, scale_text, served_factors, served_text
from guided_sr.training.masks import StrippingMask
from guided_sr.training.patches import LevelStack
from guided_sr.training.thick_views import thick_views

Stack = NDArray[np.float32]
Pair = tuple[Any, Any]
SharpMasks = bool | Literal["drawn"]

_LEAST_FOREGROUND = 0.05


@dataclass(frozen=True)
class Subject:
    """One subject of a training.

    Attributes:
        t2: Observed slices ``(n, h, w)``, normalised.
        t1: Guide slices ``(n, H, W)`` on the target grid, normalised, or `None`.
        plan: The subject's cascade plan.
        weight: How often a slice of this subject is drawn, against the others'.
        truth: Slices ``(n, H, W)`` of the high-resolution T2, normalised as the
            observed ones, for supervised learning only.
        spacing_mm: Distance of slices, rows and columns of the target grid.
        owner: Number of the pair that it shows; two views of a volume share it.
        mask: What its skull was stripped off by, where that is to be as sharp at every
            level.
    """

    t2: Stack
    t1: Stack | None
    plan: CascadePlan
    weight: float = 1.0
    truth: Stack | None = None
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    owner: int = 1
    mask: StrippingMask | None = None

    def part(self, slices: NDArray[Any]) -> Subject:
        """The same subject with some of its slices only.

        Args:
            slices: Their numbers.
        """
        stacks = {"t2": self.t2, "t1": self.t1, "truth": self.truth}
        kept = {name: x[slices] for name, x in stacks.items() if x is not None}
        mask = None if self.mask is None else self.mask.part(slices)
        return replace(self, **kept, mask=mask)

    def target_level(self, stage: int) -> int:
        """Level of a stage's training target.

        The truth can be had at the level that the stage leads to (eqs. 1-2);
        without it, the level below is the finest there is (eqs. 3-4).
        """
        return stage if self.truth is not None else stage - 1

    def known(self, level: int) -> Stack:
        """Slices of the truth at a level; those observed at level 0."""
        if level == 0 or self.truth is None:
            return self.t2
        if self.truth.shape[1:] == self.plan.level_shape(level):
            return self.truth
        return _through(self.plan.guide(level), self.truth)

    def level_stack(self, estimate: Stack, stage: int) -> LevelStack:
        """What a stage is trained on, ready for patches.

        Args:
            estimate: Slices at the level below the stage: those observed, or the
                projected estimate of the stage before.
            stage: Number of the stage.
        """
        level = self.target_level(stage)
        guide, mask = self._guide(level), None
        target, source = estimate, None
        if self.truth is not None:
            target, source = self.known(level), estimate
        elif self.mask is not None and guide is not None:
            share = self._share(self.mask, level)
            target = self.mask.laid_over(target, share, self.mask.air[0])
            guide = self.mask.laid_over(guide, share, self.mask.air[1])
            mask = self.mask.of_level(share) if self.mask.drawn else None
        return LevelStack(
            target,
            guide,
            self.plan,
            level,
            weight=self.weight,
            source=source,
            spacing_mm=self._spacing(level),
            mask=mask,
        )

    def begun_lower(self, estimate: Stack, *, level: int, stage: int) -> Subject | None:
        """The same subject for a cascade begun ``stage - level`` of its stages lower.

        Args:
            estimate: Slices at a level of this subject: those observed at level 0, else
                an estimate. They are the truth that the lower cascade's stage leads to.
            level: That level.
            stage: The level of the lower cascade that it is.

        Returns:
            The subject; `None` where it has too few pixels for that.
        """
        plan = self.plan.lower(stage - level)
        if plan is None:
            return None
        finest = self.plan.stages - (stage - level)
        truth, t1 = estimate, self._guide(finest)
        if self.mask is not None and t1 is not None:
            share = self._share(self.mask, level)
            truth = self.mask.laid_over(truth, share, self.mask.air[0])
            share = self._share(self.mask, finest)
            t1 = self.mask.laid_over(t1, share, self.mask.air[1])
        return replace(
            self,
            t2=_through(plan.observation(stage), truth),
            t1=t1,
            plan=plan,
            truth=truth,
            spacing_mm=self._spacing(finest),
            mask=None,
        )

    def _guide(self, level: int) -> Stack | None:
        """The guide at a level."""
        return None if self.t1 is None else _through(self.plan.guide(level), self.t1)

    def _share(self, mask: StrippingMask, level: int) -> Stack:
        """How much of each pixel of a level lies within a mask."""
        return _through(self.plan.guide(level), mask.kept)

    def _spacing(self, level: int) -> tuple[float, float, float]:
        """Distance of slices, rows and columns at a level, in mm."""
        across, *along = self.spacing_mm
        axes = zip(along, self.plan.axes, strict=True)
        rows, columns = (mm * axis.pixel(level) for mm, axis in axes)
        return across, rows, columns

    def next_level(
        self,
        network: keras.Model,
        estimate: Stack,
        *,
        stage: int,
        back_projection: BackProjection,
    ) -> Stack:
        """The next stage's training target: this stage's projected estimate."""
        runner = StageRunner(
            network, plan=self.plan, stage=stage, back_projection=back_projection
        )
        shape = self.plan.level_shape(stage)
        out = np.empty((len(estimate), *shape), np.float32)
        for part in batches(len(estimate), shape):
            guide = None if self.t1 is None else self.t1[part][..., None]
            x = runner(estimate[part][..., None], self.t2[part][..., None], guide)
            out[part] = keras.ops.convert_to_numpy(x)[..., 0]
        return out


def _through(operator: SeparableOperator, stack: Stack) -> Stack:
    """Slices led through an operator on the device, in batches."""
    if operator.rows.is_identity and operator.columns.is_identity:
        return stack
    out = np.empty((len(stack), operator.rows.n_to, operator.columns.n_to), np.float32)
    for part in batches(len(stack), (stack.shape[1], stack.shape[2])):
        tensor = separable(stack[part][..., None], operator)
        out[part] = keras.ops.convert_to_numpy(tensor)[..., 0]
    return out


def subjects_of(
    pairs: Sequence[Any],
    *,
    scale: tuple[float, float],
    stages: int,
    guided: bool,
    stage_blur: StageBlur,
    weights: Sequence[float] | None = None,
    scale_range: tuple[float, float] | None = None,
    views: bool = False,
    sharp_masks: SharpMasks = False,
    register: str = "none",
) -> list[Subject]:
    """Check and prepare all pairs before the first slow step.

    Args:
        pairs: ``(t2, t1)`` pairs of arrays, nibabel images or paths; ``(t2, None)``
            or a T2 alone where there is no guide. The T2 is already
            low-resolution: it is the target and never degraded to make it so.
        scale: Factor an axis.
        stages: Number of stages.
        guided: Whether there is a guide.
        stage_blur: As in `CascadePlan.create`.
        weights: As in `fit_external`.
        scale_range: As in `fit_external`.
        views: Whether volumes teach by two views of their own planes, coarse along
            rows and along columns, where rows alone are enlarged (`thick_views`).
        sharp_masks: Whether pairs whose skull a mask has cut off have that mask laid
            over every level anew (`StrippingMask`); ``"drawn"``: and over every slice
            that is drawn, once it is turned and shrunk.
        register: How the T1s of volumes are placed, as in `prepare`.

    Returns:
        One subject a pair, or one a view.

    Raises:
        UsageError: If there are no pairs, weights do not fit, or a T1 is missing.
        UnknownScaleError: If the factor of a pair is out of the range.
        DataError: If no slice of a pair holds anything.
    """
    subjects = []
    placing = {"guided": guided, "register": register}
    for number, (pair, weight) in enumerate(_weighted(pairs, weights), 1):
        filled: NDArray[np.bool_] | None = None  # the same slices in every view
        for inputs in _seen(pair, number, placing, scale, scale_range, views=views):
            plan = inputs.plan(stages=stages, stage_blur=stage_blur)
            low, guide = inputs.normalised()
            filled = _filled(low, number) if filled is None else filled
            subjects.append(
                Subject(
                    low[filled],
                    None if guide is None else guide[filled],
                    plan,
                    weight,
                    spacing_mm=inputs.spacing_mm,
                    owner=number,
                    mask=_mask(inputs, filled, sharp_masks),
                )
            )
    return subjects


def _mask(
    inputs: Inputs, filled: NDArray[np.bool_], sharp: SharpMasks
) -> StrippingMask | None:
    """What a pair's skull was stripped off by, of the slices that hold anything."""
    if not sharp or inputs.t1 is None or inputs.t1_scale is None:
        return None
    air = inputs.t2_scale.air, inputs.t1_scale.air
    mask = StrippingMask.of(inputs.t2, inputs.t1, air)
    if mask is None:
        return None
    return replace(mask.part(filled), drawn=sharp == "drawn")


def _seen(
    pair: Pair,
    number: int,
    placing: dict[str, Any],
    scale: tuple[float, float],
    scale_range: tuple[float, float] | None,
    *,
    views: bool,
) -> list[Inputs]:
    """A pair as it is; of a volume whose rows alone shall be enlarged, its views."""
    if views and rows_only(scale) and not is_array(pair[0]):
        return thick_views(*pair, nominal=scale[0], served=scale_range, **placing)
    factors = scale
    if scale_range is not None:
        factors = _factors(pair, number, scale, scale_range)
    return [prepare(*pair, scale=factors, **placing)]


def supervised_subjects_of(
    pairs: Sequence[Any],
    *,
    scale: tuple[float, float],
    stages: int,
    guided: bool,
    stage_blur: StageBlur,
    weights: Sequence[float] | None = None,
    register: str = "none",
) -> list[Subject]:
    """As `subjects_of`, of pairs whose T2 is high-resolution.

    What the networks see is degraded from the T2 by the scale; slices are cropped to
    a multiple of it first.

    Raises:
        GuidedSRError: As `subjects_of`.
    """
    subjects = []
    for number, (pair, weight) in enumerate(_weighted(pairs, weights), 1):
        fine = prepare(*pair, guided=guided, scale=None, register=register)
        high = crop_to_multiple(fine.t2, scale)
        subject = subject_with_truth(
            high,
            None if fine.t1 is None else crop_to_multiple(fine.t1, scale),
            degrade(high, scale).astype(np.float32),
            stages=stages,
            stage_blur=stage_blur,
            number=number,
        )
        subjects.append(replace(subject, weight=weight, spacing_mm=fine.spacing_mm))
    return subjects


def subject_with_truth(
    high: Stack,
    t1: Stack | None,
    low: Stack,
    *,
    stages: int,
    stage_blur: StageBlur,
    number: int = 1,
) -> Subject:
    """A subject whose T2 is known on the target grid and as observed.

    Args:
        high: T2 slices of shape ``(n, H, W)``.
        t1: Guide slices of the same shape, or `None`.
        low: What a coarse scan shows of `high`, of shape ``(n, h, w)``.
        stages: Number of stages.
        stage_blur: As in `CascadePlan.create`.
        number: Its number, for messages.

    Raises:
        DataError: If no slice holds anything.
    """
    inputs = prepare(
        low, t1, guided=t1 is not None, scale=None, target_shape=high.shape[-2:]
    )
    seen, guide = inputs.normalised()
    filled = _filled(seen, number)
    return Subject(
        seen[filled],
        None if guide is None else guide[filled],
        inputs.plan(stages=stages, stage_blur=stage_blur),
        truth=inputs.t2_scale.forward(high[filled]),
    )


def _factors(
    pair: Pair,
    number: int,
    scale: tuple[float, float],
    scale_range: tuple[float, float],
) -> tuple[float, float]:
    """The factors of a pair of arrays, by their sizes; of any other, the scale."""
    factors = scale
    if is_array(pair[0]) and is_array(pair[1]):
        shapes = zip(np.shape(pair[1])[-2:], np.shape(pair[0])[-2:], strict=True)
        rows, columns = (fine / coarse for fine, coarse in shapes)
        factors = (rows, columns)
    if min(factors) < 1.0 or served_factors(factors, scale, scale_range) is None:
        raise UnknownScaleError(
            f"training pair {number} has scale {scale_text(factors)}, the range is"
            f" {served_text(scale, scale_range)}",
            mend="leave the pair out, or widen scale_range",
        )
    return factors


def _weighted(
    pairs: Sequence[Any], weights: Sequence[float] | None
) -> list[tuple[Pair, float]]:
    if not len(pairs):
        raise UsageError("there are no pairs to train on", mend="give [(t2, t1), ...]")
    weights = [1.0] * len(pairs) if weights is None else list(weights)
    if len(weights) != len(pairs) or not all(w > 0 for w in weights):
        raise UsageError(
            f"there are {len(pairs)} pairs and weights {weights}",
            mend="give one positive weight a pair",
        )
    both = (p if isinstance(p, tuple | list) else (p, None) for p in pairs)
    return [((p[0], p[1]), w) for p, w in zip(both, weights, strict=True)]


def _filled(low: Stack, number: int) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = (low > FOREGROUND).mean(axis=(1, 2)) > _LEAST_FOREGROUND
    if not filled.any():
        raise DataError(
            f"no slice of training pair {number} holds anything",
            mend="check that the T2 is the right image",
        )
    return filled
