"""Where the guide pushes a region, how much of it there is, and from how far.

Gradients go through the whole cascade, back-projection included, but for the figures
of single stages, which are those of their networks. The clipping of negative results
has no gradient here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.explain.region import Region
from guided_sr.explain.subject import BLUR, ExplainedSlice
from guided_sr.inference.filled import FOREGROUND
from guided_sr.physics.operators import SeparableOperator
from guided_sr.runtime.gradient import differentiable_call, input_gradients

Images = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Contribution:
    """First-order contribution of each pixel's detail to the mean of a region.

    Attributes:
        region: The region.
        t1: ``g_T1 * (T1 - blurred T1)`` on the target grid, ``(H, W)``, in units of
            the T2.
        t2: ``g_T2 * (T2 - blurred T2)`` on the observed grid, ``(h, w)``.
    """

    region: Region
    t1: NDArray[np.float32]
    t2: NDArray[np.float32]

    @property
    def change(self) -> float:
        """What the T1's detail does to the mean of the region, to first order."""
        return float(self.t1.sum(dtype=np.float64))

    @property
    def t1_share(self) -> float:
        """``sum|g_T1 dT1| / (sum|g_T1 dT1| + sum|g_T2 dT2|)``; NaN where both are 0."""
        return _share(self.t1, self.t2)


def guide_contribution(
    subject: ExplainedSlice, region: Region, *, blur: float = BLUR
) -> Contribution:
    """T1 gradient x (T1 - blurred T1) for the mean of a region.

    Args:
        subject: The slice.
        region: In pixels of the target grid.
        blur: Full width at half maximum in observed pixels; detail is finer.

    Raises:
        UsageError: If the region leaves the slice or the blur makes no sense.
    """
    shape = subject.plan.target_shape
    region.require_inside(shape)
    window = region.at(shape, shape)
    maps = _gradient_times_detail(
        subject, subject.forward, subject.images, window, blur=blur
    )
    units = subject.inputs.t2_scale.high - subject.inputs.t2_scale.low
    return Contribution(region, maps["t1"] * units, maps["t2"] * units)


def guide_shares(
    subject: ExplainedSlice, regions: Mapping[str, Region], *, blur: float = BLUR
) -> dict[str, dict[str, float]]:
    """Share of the T1 in the detail of regions, for the cascade and each stage.

    Args:
        subject: The slice.
        regions: Regions by name, in pixels of the target grid.
        blur: As in `guide_contribution`.

    Returns:
        For each name, the share of the ``"cascade"`` and of ``"stage_1"`` and so on,
        0 to 1. That of a stage is of its network alone, whose T2 is the estimate of
        the stages before it.

    Raises:
        UsageError: As in `guide_contribution`.
    """
    shares: dict[str, dict[str, float]] = {}
    for name, region in regions.items():
        whole = guide_contribution(subject, region, blur=blur)
        shares[name] = {"cascade": whole.t1_share}
        stages = zip(subject.model.networks, subject.stage_images, strict=True)
        for k, (network, images) in enumerate(stages, 1):
            window = region.at(subject.plan.level_shape(k), subject.plan.target_shape)
            maps = _gradient_times_detail(
                subject, differentiable_call(network), images, window, blur=blur
            )
            shares[name][f"stage_{k}"] = _share(maps["t1"], maps["t2"])
    return shares


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """Mean magnitude of the gradient of result pixels by what lies around them.

    Attributes:
        t1: By the T1, ``(2 R + 1, 2 R + 1)``, the pixel in the middle; sums to 1 with
            what lies farther away.
        t2: By the T2, spread over the pixels of the result.
        voxels: The pixels it was averaged over, ``(n, 2)``.
    """

    t1: NDArray[np.float64]
    t2: NDArray[np.float64]
    voxels: NDArray[np.int64]

    def radius(self, name: str, share: float = 0.95) -> float:
        """Radius in pixels of the result that holds a share of the gradient.

        Args:
            name: ``"t1"`` or ``"t2"``.
            share: Part of the gradient inside, of all that is on the map.
        """
        field = self.t1 if name == "t1" else self.t2
        reach = field.shape[0] // 2
        rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        distance = np.hypot(rows, columns).ravel()
        order = np.argsort(distance, kind="stable")
        inside = np.cumsum(field.ravel()[order])
        if inside[-1] == 0.0:
            return 0.0
        place = np.searchsorted(inside, share * inside[-1])
        return float(distance[order][min(place, order.size - 1)])


def receptive_field(
    subject: ExplainedSlice, *, voxels: int = 8, reach: int = 32, seed: int = 0
) -> ReceptiveField:
    """Effective receptive field of the result by T1 and T2 (Luo et al., 2016).

    Args:
        subject: The slice.
        voxels: How many pixels of the head to average over, drawn at random.
        reach: Pixels of the result around each that are kept.
        seed: Of the draw.

    Raises:
        UsageError: If a number is below 1.
    """
    if voxels < 1 or reach < 1:
        raise UsageError("voxels and reach are whole numbers of at least 1")
    shape = subject.plan.target_shape
    places = _places(subject, voxels, seed)
    fields = {name: np.zeros((2 * reach + 1,) * 2) for name in ("t1", "t2")}
    for row, column in places:
        one = (slice(row, row + 1), slice(column, column + 1))
        gradients = input_gradients(_mean_over(subject.forward, one), subject.images)
        for name, gradient in gradients.items():
            spread = _spread(np.abs(gradient[0, ..., 0]).astype(np.float64), shape)
            around = np.pad(spread / (spread.sum() or 1.0), reach)
            fields[name] += around[
                row : row + 2 * reach + 1, column : column + 2 * reach + 1
            ] / len(places)
    return ReceptiveField(fields["t1"], fields["t2"], places)


def _places(subject: ExplainedSlice, count: int, seed: int) -> NDArray[np.int64]:
    """Pixels of the target grid inside the head, in random order."""
    plan = subject.plan
    up = SeparableOperator.interpolation(plan.shape, plan.target_shape)
    head = np.argwhere(up(subject.images["t2"][0, ..., 0]) > FOREGROUND)
    generator = np.random.default_rng(seed)
    return generator.permutation(head)[:count]


def _spread(image: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Each pixel's value shared out among the finer pixels that it covers."""
    rows, columns = (
        ((np.arange(fine) + 0.5) * n / fine).astype(np.int64)
        for n, fine in zip(image.shape, shape, strict=True)
    )
    return image[np.ix_(rows, columns)]


def _mean_over(function: Any, window: tuple[slice, slice]) -> Any:
    def mean(images: Any) -> Any:
        return keras.ops.mean(function(images)[:, window[0], window[1], :])

    return mean


def _gradient_times_detail(
    subject: ExplainedSlice,
    function: Any,
    images: Images,
    window: tuple[slice, slice],
    *,
    blur: float,
) -> dict[str, NDArray[np.float32]]:
    """``g * (image - blurred image)`` of each input of a function, ``(h, w)``."""
    gradients = input_gradients(_mean_over(function, window), images)
    return {
        name: gradients[name][0, ..., 0] * subject.detail(image[0, ..., 0], blur=blur)
        for name, image in images.items()
    }


def _share(t1: NDArray[np.float32], t2: NDArray[np.float32]) -> float:
    guide, own = (float(np.abs(x).sum(dtype=np.float64)) for x in (t1, t2))
    return guide / (guide + own) if guide + own > 0.0 else float("nan")
