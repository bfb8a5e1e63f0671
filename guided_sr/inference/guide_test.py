"""Does the T1 help? A test on the T2 itself, before anything is super-resolved.

Slices of the T2 are made coarser and brought back, with the T1 by the guided model and
without it by its partner; the T2 that was observed is the truth, as in external
learning (Iwamoto et al., eq. 4). One stage is enough where it enlarges by 1.5 or more;
smaller ones say little, and are joined until they enlarge by 2 together. It costs those
stages on a dozen small slices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from guided_sr.inference.cascade import run_cascade
from guided_sr.inference.filled import spread_slices
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.worth import limit_text
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import SMALLEST, CascadePlan
from guided_sr.physics.operators import SeparableOperator

if TYPE_CHECKING:
    from guided_sr.inference.volume import Cascade

__all__ = [
    "GUIDE_USE",
    "GuideTest",
    "GuideUse",
    "compare_guide",
    "compare_on_slices",
]

GuideUse = Literal["auto", "always", "never"]
GUIDE_USE: tuple[GuideUse, ...] = ("auto", "always", "never")
"""How the T1 can be used: where it helps, in any case, or not at all."""

WORTH_DB, ALONE_WORTH_DB = 0.3, -0.25
"""Gain on held-out slices below which a guide is taken to hurt, in dB: by stages
together, and by one alone, which says less for a T1 than it is worth: at 4x right T1s
of painted heads read -0.2 dB and more, those of other people -0.35 and less."""

ENOUGH, TOGETHER = 1.5, 2.0
"""A stage that enlarges by the former is a test; of smaller ones, as many as enlarge
by the latter. By one stage of 1.26, the T1s of painted heads with skull read no better
than those of other people."""

SLICES = 12
"""Slices, or planes of both stacks together, that are held out."""

_BETWEEN = BackProjection("exact", epsilon=0.1)  # what later stages have learnt from

Stack = NDArray[np.float32]
HeldOut = tuple[CascadePlan, SeparableOperator]


@dataclass(frozen=True)
class GuideTest:
    """What the T1 was worth on slices that were held out.

    Attributes:
        gain_db: PSNR with the T1 less that without, over all of them.
        spread_db: Standard deviation of it from slice to slice.
        slices: How many there were.
        needed_db: Gain below which the T1 is taken to hurt.
    """

    gain_db: float
    spread_db: float
    slices: int
    needed_db: float = WORTH_DB

    @property
    def hurts(self) -> bool:
        """Whether the T1 is better left out."""
        return self.gain_db < self.needed_db

    def describe(self) -> str:
        """The figures in one line."""
        return limit_text(**asdict(self))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        rounded = {key: round(float(x), 3) for key, x in asdict(self).items()}
        return {**rounded, "slices": self.slices, "hurts": self.hurts}


def compare_guide(
    inputs: VolumeInputs, guided: Cascade, unguided: Cascade, *, through_plane: bool
) -> GuideTest | None:
    """Put the guide of a volume to the test.

    Args:
        inputs: The inputs and their plan.
        guided: The model that is to use the T1.
        unguided: Its partner without guide.
        through_plane: Whether they are models of the slice axis.

    Returns:
        What came out; `None` where nothing can be held out: without guide, or where
        the T2 is too small to be made coarser.
    """
    plan = inputs.plan
    if inputs.guide is None:
        return None
    y = plan.to_trained(inputs.scale.forward(inputs.low))
    seen = plan.trained.observation(inputs.guide.data)  # as the T2's scanner would
    t1 = inputs.guide.scale.forward(seen)
    parts: list[tuple[Stack, Stack, HeldOut | None]] = []
    if not through_plane:
        assert plan.in_plane is not None
        order = (plan.across, *plan.within)
        held_out = _held_out(plan.in_plane)
        parts.append((y.transpose(order), t1.transpose(order), held_out))
    else:
        assert plan.through_plane is not None
        for one, columns, along in zip(
            plan.through_plane, plan.within, reversed(plan.within), strict=True
        ):
            order = (along, plan.across, columns)
            size = y.shape[columns]
            own = CascadePlan.create(  # of columns as the T2 has them
                (y.shape[plan.across], size),
                target_shape=(one.target_shape[0], size),
                stages=one.stages,
                stage_blur=one.stage_blur,
            )
            parts.append((y.transpose(order), t1.transpose(order), _held_out(own)))
    return _compared(parts, guided, unguided)


def compare_on_slices(
    y: Stack, t1: Stack, plan: CascadePlan, guided: Cascade, unguided: Cascade
) -> GuideTest | None:
    """Put the guide of a stack to the test.

    Args:
        y: Normalised T2 slices of shape ``(n, h, w)``.
        t1: Normalised guide on the target grid, shape ``(n, H, W)``.
        plan: The cascade plan.
        guided: As in `compare_guide`.
        unguided: Likewise.
    """
    seen = plan.observation()(t1).astype(np.float32)
    return _compared([(y, seen, _held_out(plan))], guided, unguided)


def _compared(
    parts: Sequence[tuple[Stack, Stack, HeldOut | None]],
    guided: Cascade,
    unguided: Cascade,
) -> GuideTest | None:
    """The test on slices and guide of one stack, or of several together."""
    made, needed = [], WORTH_DB
    for y, t1, held_out in parts:
        chosen = spread_slices(y, SLICES // len(parts)) if held_out else []
        if held_out and chosen:
            made.append(_errors(y[chosen], t1[chosen], held_out, guided, unguided))
            if held_out[0].stages == 1:
                needed = ALONE_WORTH_DB
    return _judged(np.concatenate(made, axis=1), needed) if made else None


def _errors(
    y: Stack, t1: Stack, held_out: HeldOut, guided: Cascade, unguided: Cascade
) -> NDArray[np.float64]:
    """Squared errors of slices with the guide and without, shape ``(2, n)``."""
    one, down = held_out
    y, t1 = np.ascontiguousarray(y), np.ascontiguousarray(t1)
    coarse = down(y).astype(np.float32)
    found = []
    for model in (guided, unguided):
        back = run_cascade(
            model.networks[: one.stages],
            coarse,
            t1 if model.guided else None,
            plan=one,
            back_projection=_BETWEEN if one.stages > 1 else BackProjection(None),
        )
        found.append(np.sum((back - y) ** 2, axis=(1, 2), dtype=np.float64))
    return np.array(found)


def _held_out(plan: CascadePlan) -> HeldOut | None:
    """The cascade that brings coarser slices back, and what makes them so.

    Fewer stages where slices would become too small; `None` where one does not fit.
    """
    by = max(plan.scale) ** (1.0 / plan.stages)
    stages = 1
    if by < ENOUGH:
        stages = min(plan.stages, math.ceil(math.log(TOGETHER) / math.log(by) - 1e-6))
    for joined in range(stages, 1, -1):
        shape = plan.shape_below(joined)
        if min(shape) >= SMALLEST:
            one = plan.below(shape, joined)
            return one, one.observation()
    below = plan.level_shape(-1)
    if min(below) < SMALLEST:
        return None
    one = CascadePlan.create(below, target_shape=plan.shape, stages=1)
    return one, plan.degradation(0)


def _judged(errors: NDArray[np.float64], needed: float) -> GuideTest:
    with_t1, without = np.maximum(errors, np.finfo(np.float64).tiny)
    gains = 10.0 * np.log10(without / with_t1)
    total = 10.0 * np.log10(without.sum() / with_t1.sum())
    return GuideTest(float(total), float(gains.std()), gains.size, needed)
