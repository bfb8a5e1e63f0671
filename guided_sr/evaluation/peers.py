"""Classical peers: methods without training, to stand beside the networks.

All take the same arguments and know the true observation operator, as the networks
do. They work slice by slice, so a slice's result does not depend on the others, and
what depends on intensity is relative to the slice's own range: scaling the T2 scales
the result, scaling the guide changes nothing.

Parameters are the published ones; where one had to be chosen, it was chosen on the
phantom and on a longitudinal patient of open_ms that the benchmark does not test on.
Observations without noise are assumed, as everywhere in the benchmark: exact
back-projection would bring noise back into the estimate.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guided_sr.errors import DataError
from guided_sr.evaluation.guided_filter import guided_filter as filtered
from guided_sr.evaluation.nonlocal_means import (
    INTENSITY_RANGE,
    nonlocal_super_resolution,
)
from guided_sr.physics.back_projection import back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import upsample

Stack = NDArray[np.float32]

GUIDED_FILTER_EPSILON = 1e-4
"""Regularisation of the guided filter, in squared shares of the T1's range."""

GUIDED_FILTER_ITERATIONS = 20

_PERCENTILE = 99.5


class Peer(Protocol):
    """A method that needs nothing but the images."""

    def __call__(self, low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
        """Super-resolve a stack of slices.

        Args:
            low: T2 of shape ``(n, h, w)``, in any unit.
            guide: T1 of shape ``(n, H, W)``, on the target grid.
            plan: Plan from ``(h, w)`` to ``(H, W)``; its number of stages is of no
                importance.

        Returns:
            float32 stack of shape ``(n, H, W)``, in the unit of the T2.

        Raises:
            DataError: If sizes do not fit the plan or values are not finite.
        """


def cubic(low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
    """Cubic-convolution interpolation; the guide is not used. See `Peer`."""
    y, _ = _checked(low, guide, plan)
    return upsample(y, plan.target_shape).astype(np.float32)


def guided_filter(low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
    """The guided filter on cubic interpolation (He et al., 2013). See `Peer`.

    The window is one observed pixel and a bit: radius ``scale / 2``, so 3 x 3 pixels at
    2x and 5 x 5 at 4x. After one back-projection, of radii 1 to 6 that was the best at
    2x and within 0.4 dB of the best at 4x. Epsilon is (1 % of the T1's range) squared;
    1e-6 gives the same, 1e-2 up to 0.7 dB less.

    The filter borrows the T1's edges and loses detail that the T1 lacks: its gain
    over cubic interpolation shows after back-projection.
    """
    y, t1 = _checked(low, guide, plan)
    start = upsample(y, plan.target_shape)
    return _filtered(start, t1 / _range(t1), plan).astype(np.float32)


def guided_filter_20(low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
    """The guided filter once, then 20 iterations of back-projection. See `Peer`.

    Back-projection is the paper's (eq. 6), with the window of `guided_filter`.
    """
    y, _ = _checked(low, guide, plan)
    start = guided_filter(low, guide, plan)
    operator = plan.observation()
    x = back_project(start, y, operator, iterations=GUIDED_FILTER_ITERATIONS)
    return x.astype(np.float32)


def guided_back_projection(low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
    """Guided filter and back-projection in turn, 20 times. See `Peer`.

    After Iwamoto et al., "Fast super-resolution with iterative-guided back projection
    for 3D MR images" (SPIE Medical Imaging, 2018), with the window of `guided_filter`.
    Back-projection is the exact one, the limit of the gradient iteration: on real pairs
    0.7 to 1.5 dB better than one gradient step each time, and 0.8 to 2.4 dB better than
    `guided_filter_20`.
    """
    y, t1 = _checked(low, guide, plan)
    unit, operator = t1 / _range(t1), plan.observation()
    x: NDArray[np.floating] = upsample(y, plan.target_shape).astype(np.float64)
    for _ in range(GUIDED_FILTER_ITERATIONS):
        x = back_project(_filtered(x, unit, plan), y, operator, method="exact")
    return x.astype(np.float32)


def nlm_t1(low: Stack, guide: Stack, plan: CascadePlan) -> Stack:
    """Non-local means with weights from the T1 (Manjón et al., 2010). See `Peer`.

    Both images are scaled to 0 to 256, to which the published strengths refer; the
    parameters stand in `guided_sr.evaluation.nonlocal_means`.
    """
    y, t1 = _checked(low, guide, plan)
    operator = plan.observation()
    to_t2, to_t1 = (INTENSITY_RANGE / _range(stack) for stack in (y, t1))
    images = [
        nonlocal_super_resolution(one * a, other * b, operator) / a
        for one, other, a, b in zip(y, t1, to_t2, to_t1, strict=True)
    ]
    return np.stack(images).astype(np.float32)


PEERS: dict[str, Peer] = {
    "cubic": cubic,
    "guided_filter": guided_filter,
    "guided_filter_20": guided_filter_20,
    "guided_back_projection": guided_back_projection,
    "nlm_t1": nlm_t1,
}
"""The peers of the benchmark by name."""


def _filtered(x: NDArray, unit: NDArray, plan: CascadePlan) -> NDArray[np.float64]:
    rows, columns = (max(1, int(scale / 2.0 + 0.5)) for scale in plan.scale)
    return filtered(x, unit, radius=(rows, columns), epsilon=GUIDED_FILTER_EPSILON)


def _range(stack: Stack) -> NDArray[np.float32]:
    """99.5 percentile of the values above 0 of each slice, ``(n, 1, 1)``; else 1."""
    tops = [
        float(np.percentile(image[image > 0], _PERCENTILE)) if image.max() > 0 else 1.0
        for image in stack
    ]
    return np.array(tops, np.float32)[:, None, None]


def _checked(
    low: ArrayLike, guide: ArrayLike, plan: CascadePlan
) -> tuple[Stack, Stack]:
    y, t1 = np.asarray(low, np.float32), np.asarray(guide, np.float32)
    stacks = (("low-resolution T2", y, plan.shape), ("T1", t1, plan.target_shape))
    for name, stack, shape in stacks:
        if stack.ndim != 3 or stack.shape[1:] != shape or len(stack) == 0:
            raise DataError(
                f"the {name} {stack.shape} does not fit slices of"
                f" {shape[0]} x {shape[1]}",
                mend="give stacks (slices, rows, columns) of the plan's sizes",
            )
        if not np.isfinite(stack).all():
            raise DataError(f"the {name} holds NaN or Inf")
    if len(y) != len(t1):
        raise DataError(
            f"the low-resolution T2 has {len(y)} slices, the T1 {len(t1)}",
            mend="give the same slices of both",
        )
    return y, t1
