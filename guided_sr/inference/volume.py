"""Super-resolve a volume: in-plane, across the slices, in the slices again, projection.

The work is done along RAS+ and in the range of the networks. Nothing here holds more
than the result, the guide and the T2 at once, and where a mask ends the T2 that and
the variances of the result: slices are normalised as they are needed,
both plane stacks are added into one array, and the last back-projection works on it in
blocks wherever an axis was left alone. Slices of another profile than the networks know
go through all of it twice: the first result says what they would show through that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np

from guided_sr.errors import UsageError
from guided_sr.inference.cascade import Progress, batches, run_cascade
from guided_sr.inference.noise import Noise, settled
from guided_sr.inference.support import Air, back_project_within
from guided_sr.inference.volume_inputs import Estimate, VolumeInputs, Voxels
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.volumes import Normalised

_BLOCK = 2**23  # voxels of the result that are projected at once
_STEP = 1.15  # factor that the slices of a joined volume are led up by once more
_LEAST = 5  # pixels, fewer leave no room for that
_NOTHING = BackProjection(None)

_Enlarged = tuple[Voxels, BackProjection, Noise | None]
"""What a cascade made, the back-projection that it used, the noise that decided it."""


class Cascade(NamedTuple):
    """What a model brings to a volume.

    Attributes:
        networks: One a stage.
        back_projection: What follows each stage.
        guided: Whether the networks take the guide.
    """

    networks: Sequence[keras.Model]
    back_projection: BackProjection
    guided: bool


def super_resolve(
    inputs: VolumeInputs,
    *,
    in_plane: Cascade | None = None,
    through_plane: Cascade | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Super-resolve a volume as planned.

    Args:
        inputs: The inputs and their plan.
        in_plane: Model of the slices, where in-plane axes are enlarged.
        through_plane: Model of the planes across the slices, where there are more
            slices in the result.
        progress: Called with the slices and planes done and their number.

    Returns:
        The result, which after one last back-projection, of the whole volume, explains
        the T2: exactly, or where it is regularised by the noise, up to about that.

    Raises:
        UsageError: If a model is missing.
    """
    plan = inputs.plan
    observed = inputs.scale.forward(inputs.low)
    floor = inputs.scale.air if inputs.low.min() >= 0.0 else -np.inf
    support = None
    if any(one is not None and one.guided for one in (in_plane, through_plane)):
        support = inputs.support()
    steps = _Steps(plan, progress)
    seen, noise = plan.to_trained(observed), None
    for left in reversed(range(plan.passes)):
        x, last, found = _enlarged(
            seen,
            observed,
            inputs,
            steps,
            in_plane=_at(noise, in_plane),
            through_plane=_at(noise, through_plane),
        )
        noise = noise or found
        residual, misfit = _explained(x, observed, plan.observation, last, floor=floor)
        air = None
        if support is not None and last.method == "exact":
            air = support.beyond(x)
        if air is not None:
            residual, (_, after) = _explained(
                x, observed, plan.observation, last, floor=floor, air=air
            )
            misfit = misfit[0], after
        if left:
            seen = plan.seen_anew(x, residual)
            del x
    for plane in x:
        plane[...] = inputs.scale.inverse(plane)
        if np.isfinite(floor):
            np.maximum(plane, 0.0, out=plane)
    if air is not None:
        x[air.where] = 0.0
    residual *= np.float32(inputs.scale.high - inputs.scale.low)
    return Estimate(x, residual, misfit, last, noise, air is not None)


def _enlarged(
    x: Voxels,
    noisy: Voxels,
    inputs: VolumeInputs,
    steps: _Steps,
    *,
    in_plane: Cascade | None,
    through_plane: Cascade | None,
) -> _Enlarged:
    """In-plane, then across the slices, wherever that is planned.

    Noise is looked for in the T2 as it came, if it can be.
    """
    plan, last, noise = inputs.plan, _NOTHING, None
    if plan.in_plane is not None:
        model = _needed(in_plane, "in-plane")
        x, last, noise = _slices(x, noisy, inputs, model, plan.in_plane, steps)
        noisy = x
    if plan.through_plane is not None:
        model = _needed(_at(noise, through_plane), "slice")
        x, last, found = _planes(x, noisy, inputs, model, plan.through_plane, steps)
        noise = noise or found
    return x, last, noise


def _at(noise: Noise | None, model: Cascade | None) -> Cascade | None:
    """A model whose back-projection is regularised by noise that is known."""
    if noise is None or model is None:
        return model
    how = model.back_projection.fixed(noise.epsilon)
    return model._replace(back_projection=how)


def _needed(model: Cascade | None, axes: str) -> Cascade:
    if model is None:
        raise UsageError(
            f"the plan enlarges {axes} axes, but there is no model for them",
            mend="give one, or other axes",
        )
    return model


class _Steps:
    """Progress of all parts as one count."""

    def __init__(self, plan: VolumePlan, progress: Progress | None) -> None:
        self.progress = progress
        self.done = 0
        self.total = 0
        if plan.in_plane is not None:
            self.total += plan.shape[plan.across]
        if plan.through_plane is not None:
            self.total += sum(plan.target_shape)
        self.total *= plan.passes

    def part(self, count: int) -> Callable[[int, int], None]:
        """Progress of a part of so many slices."""
        before, self.done = self.done, self.done + count

        def tell(done: int, _: int) -> None:
            if self.progress is not None:
                self.progress(before + done, self.total)

        return tell


def _slices(
    x: Voxels,
    noisy: Voxels,
    inputs: VolumeInputs,
    model: Cascade,
    plan: CascadePlan,
    steps: _Steps,
) -> _Enlarged:
    """Enlarge the slices as they lie."""
    across = inputs.plan.across
    shape = list(inputs.plan.target_shape)
    shape[across] = x.shape[across]
    out = np.zeros(shape, np.float32)
    guide = None
    if model.guided and inputs.guide is not None:
        data = inputs.guide.data
        if data.shape[across] != x.shape[across]:  # as thick as the slices
            lines = [LineOperator(n, n) for n in data.shape]
            lines[across] = inputs.plan.trained.slices
            data = SeparableOperator(*lines)(data)
        guide = Normalised(np.moveaxis(data, across, 0), inputs.guide.scale)
    seen = np.moveaxis(noisy, across, 0)
    how, noise = settled(model.back_projection, model.networks, seen, guide, plan=plan)
    run_cascade(
        model.networks,
        np.moveaxis(x, across, 0),
        guide,
        plan=plan,
        back_projection=how,
        last=_NOTHING,
        out=np.moveaxis(out, across, 0),
        progress=steps.part(x.shape[across]),
    )
    return out, how, noise


def _planes(
    x: Voxels,
    noisy: Voxels,
    inputs: VolumeInputs,
    model: Cascade,
    plans: tuple[CascadePlan, CascadePlan],
    steps: _Steps,
) -> _Enlarged:
    """Enlarge planes across the slices, cut both ways, and take the mean."""
    across, within = inputs.plan.across, inputs.plan.within
    how, noise = model.back_projection, None
    out = np.zeros(inputs.plan.target_shape, np.float32)
    for plan, columns, along in zip(plans, within, reversed(within), strict=True):
        axes = (along, across, columns)
        guide = None
        if model.guided and inputs.guide is not None:
            planes = np.transpose(inputs.guide.data, axes)
            guide = Normalised(planes, inputs.guide.scale)
        seen = np.transpose(noisy, axes)
        how, found = settled(how, model.networks, seen, guide, plan=plan)
        noise = noise or found
        run_cascade(
            model.networks,
            np.transpose(x, axes),
            guide,
            plan=plan,
            back_projection=how,
            last=_NOTHING,
            out=np.transpose(out, axes),
            share=0.5,
            progress=steps.part(x.shape[along]),
        )
    _view_slices(out, inputs, model, steps.part(out.shape[across]))
    return out, how, noise


def _view_slices(
    x: Voxels, inputs: VolumeInputs, model: Cascade, progress: Progress
) -> None:
    """Lead the slices of a joined volume up once more, in place.

    Neither stack of planes has seen them as images. Their rows are made a little
    coarser and led up by the last network, and so are their columns; the mean of both
    takes their place. What is lost of the observed detail that way, the last
    back-projection brings back.
    """
    across, within = inputs.plan.across, inputs.plan.within
    slices = np.transpose(x, (across, *within))
    rows, columns = slices.shape[1:]
    if min(rows, columns) < _LEAST:
        return
    views = ((0, 1, 2), _step(rows, columns)), ((0, 2, 1), _step(columns, rows))
    for part in batches(len(slices), (rows, columns)):
        seen = np.zeros_like(slices[part])
        for order, plan in views:
            guide = None
            if model.guided and inputs.guide is not None:
                planes = np.transpose(inputs.guide.data, (across, *within))[part]
                guide = Normalised(np.transpose(planes, order), inputs.guide.scale)
            run_cascade(
                model.networks[-1:],
                plan.degradation(1)(np.transpose(slices[part], order)),
                guide,
                plan=plan,
                back_projection=_NOTHING,
                out=np.transpose(seen, order),
                share=0.5,
            )
        slices[part] = seen
        progress(part.stop, len(slices))


def _step(rows: int, columns: int) -> CascadePlan:
    """One small step up of the rows."""
    coarse = int(rows / _STEP + 0.5), columns
    return CascadePlan.create(coarse, target_shape=(rows, columns), stages=1)


def _explained(
    x: Voxels,
    y: Voxels,
    operator: SeparableOperator,
    how: BackProjection,
    *,
    floor: float,
    air: Air | None = None,
) -> tuple[Voxels, tuple[float, float]]:
    """Back-project a volume in place, by blocks along an axis that was left alone.

    Returns:
        The residual, and its root mean square before and after.
    """
    residual = np.empty_like(y)
    squares = np.zeros(2)
    for block, local in _blocks(x.shape, operator):
        estimate, seen = x[block], y[block]
        squares[0] += float(np.sum((seen - local(estimate)) ** 2, dtype=np.float64))
        if air is None:
            better = back_project(estimate, seen, local, **vars(how))
        else:
            better = back_project_within(estimate, seen, local, how, air.part(block))
        x[block] = np.maximum(better, np.float32(floor))
        residual[block] = seen - local(x[block])
        squares[1] += float(np.sum(residual[block] ** 2, dtype=np.float64))
    before, after = np.sqrt(squares / y.size)
    return residual, (float(before), float(after))


def _blocks(
    shape: tuple[int, ...], operator: SeparableOperator
) -> list[tuple[tuple[slice, ...], SeparableOperator]]:
    """Parts that know nothing of each other, each with its operator."""
    everything = (slice(None),) * len(shape)
    left = [axis for axis, line in enumerate(operator.lines) if line.is_identity]
    if not left:
        return [(everything, operator)]
    axis, count = left[0], shape[left[0]]
    size = max(1, _BLOCK * count // int(np.prod(shape)))
    blocks = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        lines = list(operator.lines)
        lines[axis] = LineOperator(stop - start, stop - start)
        part = (*everything[:axis], slice(start, stop), *everything[axis + 1 :])
        blocks.append((part, SeparableOperator(*lines)))
    return blocks
