"""Super-resolve a stack of slices, or of planes across slices of any profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guided_sr.inference.cascade import Progress, part_of, run_cascade
from guided_sr.inference.inputs import Inputs
from guided_sr.inference.noise import settled
from guided_sr.inference.support import Support, back_project_within
from guided_sr.inference.volume import Cascade
from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.physics.cascade_plan import CascadePlan


def super_resolve_stack(
    inputs: Inputs,
    model: Cascade,
    plan: CascadePlan,
    *,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Super-resolve a pair that has been checked, with its own intensity scales.

    Args:
        inputs: The pair.
        model: What is brought to it.
        plan: From the grid of its T2 to the target grid.
        progress: Called with the slices done and their number.

    Returns:
        Slices of shape ``(n, H, W)`` in the units of the T2.
    """
    y, t1 = inputs.normalised()
    how, _ = settled(model.back_projection, model.networks, y, t1, plan=plan)
    seen, profile = inputs.to_trained(y), inputs.profile
    operator = plan.observation() if profile.nominal else inputs.observation
    support = None
    if model.guided and how.method == "exact":
        zero = inputs.t2_scale.air
        support = Support.of(inputs.t2, inputs.t1, operator, value=zero)
    for k in range(profile.passes):
        stack = run_cascade(
            model.networks,
            seen,
            t1,
            plan=plan,
            back_projection=how,
            last=None if profile.nominal else BackProjection(None),
            progress=part_of(progress, k, profile.passes),
        )
        if not profile.nominal:
            stack = back_project(stack, y, operator, **vars(how))
        air = None if support is None else support.beyond(stack)
        if air is not None:
            stack = back_project_within(stack, y, operator, how, air)
        if k + 1 < profile.passes:
            seen = inputs.seen_anew(y, stack)
    stack = inputs.t2_scale.inverse(stack)
    if air is not None:
        stack[air.where] = 0.0
    if inputs.t2.min() >= 0.0:
        stack = np.maximum(stack, 0.0, out=stack)
    return stack
