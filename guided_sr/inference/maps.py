"""Maps on request: how sure a result is, and what of it hangs on the T1.

Each is made of further predictions of the whole volume, with the same models and the
same back-projection as the result: three for the uncertainty, one for the influence of
the guide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from guided_sr.inference.cascade import Progress
from guided_sr.inference.volume import Cascade, super_resolve
from guided_sr.inference.volume_inputs import VolumeInputs, Voxels
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import (
    FWHM_PER_SIGMA,
    LineOperator,
    SeparableOperator,
)
from guided_sr.volumes import Orientation

__all__ = ["DETAIL", "make_maps"]

DETAIL = 2.0
"""Full width at half maximum, in observed pixels, below which things are detail.

Two pixels are the shortest wave that the observed grid can hold: a T1 that is blurred
by so much says hardly more of shapes than the T2 does itself.
"""

_SQUARE = 1.01  # ratio of in-plane factors up to which slices are turned


def make_maps(
    inputs: VolumeInputs,
    cascades: Mapping[str, Cascade],
    result: Voxels,
    names: Sequence[str],
    *,
    progress: Progress | None = None,
) -> dict[str, Voxels]:
    """Make the maps that take further predictions.

    Args:
        inputs: The inputs and their plan.
        cascades: The models that made the result, as for `super_resolve`.
        result: The result along RAS+, in the units of the T2.
        names: Which maps, of `MAPS`; the consistency comes with the result itself.
        progress: As for `super_resolve`, for each prediction.

    Returns:
        Maps along RAS+, in the units of the T2, on the grid of the result.
    """
    made = {}
    if "uncertainty" in names:
        made["uncertainty"] = _uncertainty(inputs, cascades, result, progress)
    if "guide_influence" in names:
        made["guide_influence"] = _influence(inputs, cascades, result, progress)
    return made


def _uncertainty(
    inputs: VolumeInputs,
    cascades: Mapping[str, Cascade],
    result: Voxels,
    progress: Progress | None,
) -> Voxels:
    """Standard deviation over the predictions of a pair that is turned and mirrored."""
    mean, squares, count = result.copy(), np.zeros_like(result), 1
    for pose in poses(inputs.plan):
        turned = super_resolve(posed(inputs, pose), **cascades, progress=progress)
        other = pose.undo(turned.data)
        count += 1
        step = other - mean
        mean += step / np.float32(count)
        squares += step * (other - mean)
    return np.sqrt(squares / np.float32(count - 1), out=squares)


def _influence(
    inputs: VolumeInputs,
    cascades: Mapping[str, Cascade],
    result: Voxels,
    progress: Progress | None,
) -> Voxels:
    """The result less that with the T1 blurred."""
    guide = inputs.guide
    if guide is None or not any(model.guided for model in cascades.values()):
        return np.zeros_like(result)
    sizes = zip(inputs.plan.target_shape, inputs.plan.shape, strict=True)
    lines = [
        LineOperator(n, n, DETAIL / FWHM_PER_SIGMA * n / m if n > m else 0.0)
        for n, m in sizes
    ]
    blurred = SeparableOperator(*lines)(guide.data).astype(np.float32)
    without = dataclasses.replace(
        inputs,
        guide=dataclasses.replace(guide, data=blurred),
        known_support=inputs.support(),  # no detail of the T1
    )
    return result - super_resolve(without, **cascades, progress=progress).data


class Pose(NamedTuple):
    """How a volume is turned or mirrored within the axes of its plan.

    Attributes:
        swapped: Two axes that change places, or none.
        flipped: Axes that are reversed after that.
    """

    swapped: tuple[int, int] | None
    flipped: tuple[int, ...]

    def apply(self, data: Voxels) -> Voxels:
        """A view of a volume in this pose."""
        if self.swapped is not None:
            data = np.swapaxes(data, *self.swapped)
        return np.flip(data, self.flipped)

    def undo(self, data: Voxels) -> Voxels:
        """The reverse of `apply`."""
        data = np.flip(data, self.flipped)
        return data if self.swapped is None else np.swapaxes(data, *self.swapped)


def poses(plan: VolumePlan) -> list[Pose]:
    """Three poses beside the one that is there.

    Slices whose axes are enlarged alike are turned by 90, 180 and 270 degrees; others
    are mirrored, planes across the slices along the slices' axis as well.
    """
    first, second = plan.within
    both = (first, second)
    if plan.through_plane is not None:
        across = plan.across
        return [
            Pose(None, (across,)),
            Pose(None, both),
            Pose(None, (first, across)),
        ]
    assert plan.in_plane is not None
    rows, columns = plan.in_plane.scale
    if max(rows, columns) <= _SQUARE * min(rows, columns):
        return [Pose(both, (first,)), Pose(None, both), Pose(both, (second,))]
    return [Pose(None, (first,)), Pose(None, (second,)), Pose(None, both)]


def posed(inputs: VolumeInputs, pose: Pose) -> VolumeInputs:
    """The same inputs in another pose, with a plan to match."""
    guide = inputs.guide
    if guide is not None:
        guide = dataclasses.replace(guide, data=pose.apply(guide.data))
    plan = inputs.plan
    if pose.swapped is not None:
        plan = _swapped(plan, pose.swapped)
    return dataclasses.replace(
        inputs, low=pose.apply(inputs.low), guide=guide, plan=plan
    )


def _swapped(plan: VolumePlan, axes: tuple[int, int]) -> VolumePlan:
    """A plan whose two in-plane axes have changed places."""
    order = [0, 1, 2]
    order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
    old, cascade = plan.orientation, plan.in_plane
    i, j, k = (old.axes[n] for n in order)
    a, b, c = (old.reversed[n] for n in order)
    assert cascade is not None
    return dataclasses.replace(
        plan,
        orientation=Orientation((i, j, k), (a, b, c)),
        in_plane=CascadePlan(cascade.columns, cascade.rows, cascade.stage_blur),
    )
