"""Cascades begun lower: what a later stage will really be given to go on from.

In use a stage goes on from an estimate. What it learns from is made by degrading its
target instead, and so is right at its own level. A cascade that begins lower shows
what the stages before make of coarser slices and where the stage should have led: to
what was observed, or to the estimate of a level that has been reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import keras

from guided_sr.physics.back_projection import BackProjection
from guided_sr.training.patches import LevelStack
from guided_sr.training.subjects import Stack, Subject

_LEAST = 0.75  # of a patch; what is missing is padded


def learnt_from(
    subjects: Sequence[Subject],
    reached: Sequence[Sequence[Stack]],
    before: Sequence[keras.Model],
    *,
    lower_starts: int,
    side: int,
    back_projection: BackProjection,
) -> list[LevelStack]:
    """Everything that the next stage learns from.

    A subject is drawn as often with lower starts as without: its own slices and each
    kind of lower start share its weight equally.

    Args:
        subjects: The training subjects.
        reached: Their slices at the levels reached last, the finest at the end: what
            was observed, or projected estimates.
        before: Networks of the stages before.
        lower_starts: By how many stages cascades may begin lower.
        side: Side of the stage's patches; what is much smaller is left out.
        back_projection: What follows each network.

    Returns:
        One level of each subject, and after it those of its lower starts.
    """
    stage = len(before) + 1
    stacks = []
    for number, subject in enumerate(subjects):
        own = [slices[number] for slices in reached]
        lower: list[Subject] = []
        if subject.truth is None and before:
            lower = _begun_lower(subject, own, stage, most=lower_starts, side=side)
        weight = subject.weight / (1 + len(lower))
        stacks.append(replace(subject, weight=weight).level_stack(own[-1], stage))
        for one in lower:
            estimate = one.t2
            for k, network in enumerate(before, 1):
                estimate = one.next_level(
                    network, estimate, stage=k, back_projection=back_projection
                )
            stacks.append(replace(one, weight=weight).level_stack(estimate, stage))
    return stacks


def _begun_lower(
    subject: Subject, reached: Sequence[Stack], stage: int, *, most: int, side: int
) -> list[Subject]:
    """The subject for cascades begun 1, 2, ... stages lower, where it is large enough.

    The first stage has none: that is what it learns from anyway.
    """
    found = []
    for down in range(1, min(most, stage, len(reached)) + 1):
        level = stage - down
        if min(subject.plan.level_shape(level)) < _LEAST * side:
            continue
        lower = subject.begun_lower(reached[-down], level=level, stage=stage)
        if lower is not None:
            found.append(lower)
    return found
