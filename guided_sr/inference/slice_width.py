"""Which profile the slices of a T2 have, read from its T1.

A scanner does not say how it sees across a slice, and the T2 alone cannot: it is all
that there is. The T1 is fine along that axis. Seen through the profile of the T2's
slices, and through no other, it changes from slice to slice where the T2 does, so that
in a small window, which holds two tissues at most, the T2 is a straight line of it.

The T1 is led through Gaussians of several widths; the T2 is fitted by it, window by
window; and the width that leaves the least is the answer. The standard deviation of
what is left is averaged, and not its square, so that windows of many tissues do not
decide. Neither the contrast of the T2 nor that of the T1 enters, and a network has no
part in it. Where T1 and T2 do not fit each other, as those of two people, or are a
millimetre apart, the wider Gaussian fits better: the answer is the nominal profile,
which stands where there is no answer as well.

A box has the second moment of a Gaussian of 0.68 slice distances; noise and the T2's
own blur make it read a little wider, as `BOX`. Slices that were made by the nominal
profile are read as 0.90 and above, boxes mostly as 0.67 to 0.86 (docs, Results, The
slice profile).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from guided_sr.inference.filled import spread_slices
from guided_sr.inference.guide import Guide
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.physics.operators import FWHM_PER_SIGMA, LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.volumes import IntensityScale

Stack = NDArray[np.float32]
Planes = tuple[Stack, Stack]
"""Of the T2, ``(n, h, w)``, rows across its slices, and of the T1, ``(n, H, w)``."""

BOX = 0.74
"""Width that a box over the whole slice distance is read as."""

LEAST_FACTOR = 2.5
"""Factor below which all profiles look alike: the images' own blur is as wide."""

_LIMIT = 0.5 * (1.0 + BOX)
_WIDTHS = np.linspace(0.3, 1.0, 8)
_GAP_STEP, _MOST_GAP = 0.05, 0.5
_WINDOW = (1, 3, 5)
_PLANES = 16  # of each orientation
_FOREGROUND = 0.1
_LEAST = 500  # pixels of the foreground, below which nothing is said
_TINY = 1e-6


def with_read_profile(
    plan: VolumePlan, low: NDArray[np.float32], scale: IntensityScale, guide: Guide
) -> VolumePlan:
    """A volume's plan with the profile that its slices are found to have.

    Args:
        plan: The plan.
        low: The T2 along RAS+.
        scale: Its intensity map.
        guide: The T1 on the grid of the result.

    Returns:
        The same plan where a profile was told, no slice is added, or nothing can be
        said.
    """
    if plan.told or plan.through_plane is None or not guide.fine_across(plan.grid):
        return plan
    y, t1 = scale.forward(low), guide.data
    if plan.in_plane is not None:
        lines = list(plan.trained.observation.lines)
        count = plan.target_shape[plan.across]
        lines[plan.across] = LineOperator(count, count)
        t1 = SeparableOperator(*lines)(t1)
    planes = []
    for along, columns in (plan.within, plan.within[::-1]):
        order = (along, plan.across, columns)
        mine = np.transpose(y, order)
        chosen = spread_slices(mine, _PLANES)
        seen = guide.scale.forward(np.transpose(t1, order)[chosen])
        planes.append((mine[chosen], seen))
    width = slice_width(planes)
    if width is None:
        return plan
    return dataclasses.replace(plan, profile=profile_of(width), width=width)


def profile_of(width: float) -> SliceProfile:
    """The profile that is read as a width.

    Args:
        width: From `slice_width`.
    """
    if width > _LIMIT:
        return SliceProfile()
    gap = round((1.0 - width / BOX) / _GAP_STEP) * _GAP_STEP
    return SliceProfile("box", float(np.clip(round(gap, 2), 0.0, _MOST_GAP)))


def slice_width(planes: Sequence[Planes]) -> float | None:
    """Full width at half maximum of the Gaussian that fits slices best.

    Args:
        planes: Planes of one or more orientations, normalised.

    Returns:
        The width as a share of the slice distance, 1 at most; `None` where the factor
        is below `LEAST_FACTOR` or too little is there.
    """
    fine, coarse = planes[0][1].shape[1], planes[0][0].shape[1]
    if fine < LEAST_FACTOR * coarse:
        return None
    inside = [
        uniform_filter((y > _FOREGROUND).astype(np.float32), (1, 3, 3)) > 1.0 - _TINY
        for y, _ in planes
    ]
    if sum(int(where.sum()) for where in inside) < _LEAST:
        return None
    left = np.zeros(len(_WIDTHS))
    for k, width in enumerate(_WIDTHS):
        rows = LineOperator(fine, coarse, width * fine / coarse / FWHM_PER_SIGMA)
        for (y, t1), where in zip(planes, inside, strict=True):
            columns = y.shape[2]
            seen = SeparableOperator(rows, LineOperator(columns, columns))(t1)
            left[k] += float(_unexplained(y, seen)[where].sum())
    k = int(np.argmin(left))
    if k in (0, len(_WIDTHS) - 1):
        return float(_WIDTHS[k])
    before, here, after = left[k - 1 : k + 2]
    step = _WIDTHS[1] - _WIDTHS[0]
    turn = 0.5 * (before - after) / (before - 2.0 * here + after)
    return float(_WIDTHS[k] + step * turn)


def _unexplained(y: Stack, x: Stack) -> Stack:
    """Standard deviation that a line of ``x`` leaves of ``y``, in every window."""

    def mean(image: NDArray) -> NDArray:
        return uniform_filter(image, _WINDOW, mode="nearest")

    y, x = y.astype(np.float64), x.astype(np.float64)
    my, mx = mean(y), mean(x)
    shared = mean(y * x) - my * mx
    left = mean(y * y) - my**2 - shared**2 / (mean(x * x) - mx**2 + _TINY)
    return np.sqrt(np.maximum(left, 0.0)).astype(np.float32)
