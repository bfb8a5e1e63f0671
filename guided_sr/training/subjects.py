"""Training subjects: checked, on their grids, normalised, at any level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, UsageError
from guided_sr.inference.cascade import FOREGROUND, StageRunner, batches
from guided_sr.inference.inputs import prepare
from guided_sr.layers.projection import separable
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan, StageBlur
from guided_sr.training.patches import LevelStack

Stack = NDArray[np.float32]
Pair = tuple[Any, Any]

_LEAST_FOREGROUND = 0.05


@dataclass(frozen=True)
class Subject:
    """One subject of a training.

    Attributes:
        t2: Observed slices ``(n, h, w)``, normalised.
        t1: Guide slices ``(n, H, W)`` on the target grid, normalised, or `None`.
        plan: The subject's cascade plan.
        weight: How often a slice of this subject is drawn, against the others'.
    """

    t2: Stack
    t1: Stack | None
    plan: CascadePlan
    weight: float = 1.0

    def level_stack(self, estimate: Stack, level: int) -> LevelStack:
        """Estimate and guide at a level, ready for patches."""
        guide = None
        if self.t1 is not None:
            guide = np.empty((len(self.t1), *self.plan.level_shape(level)), np.float32)
            for part in batches(len(guide), self.plan.target_shape):
                tensor = separable(self.t1[part][..., None], self.plan.guide(level))
                guide[part] = keras.ops.convert_to_numpy(tensor)[..., 0]
        return LevelStack(estimate, guide, self.plan, level, self.weight)

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


def subjects_of(
    pairs: Sequence[Any],
    *,
    scale: tuple[float, float],
    stages: int,
    guided: bool,
    stage_blur: StageBlur,
    weights: Sequence[float] | None = None,
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
        weights: How often a slice of each pair is drawn; equal by default.

    Raises:
        UsageError: If there are no pairs, weights do not fit them, or one has no T1
            though a guide is due.
        DataError: If no slice of a pair holds anything.
    """
    if not len(pairs):
        raise UsageError("there are no pairs to train on", mend="give [(t2, t1), ...]")
    weights = [1.0] * len(pairs) if weights is None else list(weights)
    if len(weights) != len(pairs) or not all(w > 0 for w in weights):
        raise UsageError(
            f"there are {len(pairs)} pairs and weights {weights}",
            mend="give one positive weight a pair",
        )
    subjects = []
    for number, (pair, weight) in enumerate(zip(pairs, weights, strict=True), 1):
        t2, t1 = pair if isinstance(pair, tuple | list) else (pair, None)
        inputs = prepare(t2, t1 if guided else None, guided=guided, scale=scale)
        plan = inputs.plan(stages=stages, stage_blur=stage_blur)
        low, guide = inputs.normalised()
        filled = (low > FOREGROUND).mean(axis=(1, 2)) > _LEAST_FOREGROUND
        if not filled.any():
            raise DataError(
                f"no slice of training pair {number} holds anything",
                mend="check that the T2 is the right image",
            )
        kept = None if guide is None else guide[filled]
        subjects.append(Subject(low[filled], kept, plan, weight))
    return subjects
