"""What a volume will cost, from its plan alone: memory and time.

No framework is loaded. The estimates are upper bounds of what was measured with
TensorFlow on two cores, without what the tests of T1 and noise take on a few slices; a
test holds the memory of the arrays against them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guided_sr.inference.map_meanings import map_passes
from guided_sr.machine import cpu_has_amx
from guided_sr.physics.cascade_plan import CascadePlan

if TYPE_CHECKING:
    from guided_sr.inference.volume_plan import VolumePlan

BASE_GIB = 1.5
"""Framework, networks and one batch on the CPU, as measured."""

BLOCK_BYTES = 2**28
"""One block of the last back-projection, with its copies."""

TFLOPS = {"float32": 0.25, "bfloat16": 0.37}
"""Throughput of two cores in 10^12 operations a second; bfloat16 by AVX-512."""

TFLOPS_AMX = 1.0
"""That of bfloat16 by AMX."""


def array_bytes(
    plan: VolumePlan, t1_shape: tuple[int, ...] | None, *, maps: Sequence[str] = ()
) -> int:
    """Most memory that the arrays of a volume take at once, in bytes.

    Args:
        plan: The plan.
        t1_shape: Sizes of the T1 as it comes; `None` without guide.
        maps: Names of the maps that are made as well.
    """
    low, high = math.prod(plan.shape), math.prod(plan.target_shape)
    t1 = 0 if t1_shape is None else math.prod(t1_shape)
    guide = 0 if t1_shape is None else 4 * high
    held = 4 * low + 4 * t1 + guide  # T2, T1 and guide: float32
    resampling = 12 * t1 + high  # a blurred copy, the spline's float64, a mask
    fitting = 10 * max(high if guide else 0, low)  # voxels above 0, twice, and masks
    between = 0
    if plan.in_plane is not None and plan.through_plane is not None:
        between = 8 * high * plan.shape[plan.across] // plan.target_shape[plan.across]
    ends = 0 if t1_shape is None else 8 * high  # of a cut-out T2: masks, variances
    working = 4 * high + ends + between + 16 * low
    blocks = min(BLOCK_BYTES, 24 * high)
    if not any(line.is_identity for line in plan.observation.lines):
        blocks = 20 * high  # nothing to cut it along
    saving = 4 * high + 10 * high  # the file as bytes, read back, and a mask
    if map_passes(maps):  # another prediction, and two more arrays, beside the result
        held += 12 * high
    return held + max(resampling, fitting, working + blocks, saving)


def memory_gib(
    plan: VolumePlan, t1_shape: tuple[int, ...] | None, *, maps: Sequence[str] = ()
) -> float:
    """Memory that a run needs, in GiB."""
    return BASE_GIB + array_bytes(plan, t1_shape, maps=maps) / 2**30


def network_pixels(plan: VolumePlan) -> tuple[int, int]:
    """Pixels that go through the networks in-plane, and for the slice axis.

    The latter are those of both stacks of planes and, twice, of the result's slices.
    All are counted once for each of the plan's passes.
    """
    in_plane = through = 0
    if plan.in_plane is not None:
        in_plane = _pixels(plan.in_plane) * plan.shape[plan.across]
    if plan.through_plane is not None:
        stacks = zip(plan.through_plane, reversed(plan.within), strict=True)
        through = sum(_pixels(one) * plan.target_shape[axis] for one, axis in stacks)
        through += 2 * math.prod(plan.target_shape)
    return plan.passes * in_plane, plan.passes * through


def seconds(pixels: int, parameters: int, precision: str) -> float:
    """About how long two cores take; each weight multiplies each pixel once."""
    amx = precision == "bfloat16" and cpu_has_amx()
    rate = TFLOPS_AMX if amx else TFLOPS[precision]
    return 2.0 * pixels * parameters / (rate * 1e12)


def _pixels(plan: CascadePlan) -> int:
    return sum(math.prod(plan.level_shape(k)) for k in range(1, plan.stages + 1))
