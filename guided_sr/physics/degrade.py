"""Make low-resolution images, and the cubic baseline to compare with.

`degrade` is the observation model of the package (Iwamoto et al., III-A): a
Gaussian whose full width at half maximum is one low-resolution pixel, then
sampling. `upsample` is cubic convolution on the half-pixel map, the baseline that
stands beside every figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guided_sr.errors import UsageError
from guided_sr.physics.cascade_plan import CascadePlan, scale_per_axis
from guided_sr.physics.operators import SeparableOperator


def _as_image(x: ArrayLike) -> NDArray[np.floating]:
    image = np.asarray(x)
    if image.ndim < 2:
        raise UsageError(
            f"an image has at least two axes, this has shape {image.shape}",
            mend="give an array of shape (..., height, width)",
        )
    if image.dtype not in (np.float32, np.float64):
        image = image.astype(np.float32)
    return image


def crop_to_multiple(
    x: ArrayLike, scale: float | Sequence[float]
) -> NDArray[np.floating]:
    """Crop the last two axes, centred, to a whole number of coarse pixels.

    Args:
        x: Image or stack of shape ``(..., height, width)``.
        scale: Factor, or one an axis. Factors that are no whole numbers are kept.

    Returns:
        View of ``x``, e.g. 182 x 218 at scale 4 gives 180 x 216.
    """
    image = _as_image(x)
    window = []
    for size, factor in zip(image.shape[-2:], scale_per_axis(scale), strict=True):
        whole = int(factor)
        kept = size - size % whole if factor == whole else size
        start = (size - kept) // 2
        window.append(slice(start, start + kept))
    return image[..., window[0], window[1]]


def degrade(
    x: ArrayLike, scale: float | Sequence[float], *, noise: float = 0.0, seed: int = 0
) -> NDArray[np.floating]:
    """Blur and sample an image as a scanner with coarser pixels would see it.

    Args:
        x: Image or stack of shape ``(..., height, width)``. Crop it to a multiple
            of the scale first (`crop_to_multiple`), else the real ratio of the
            sizes is used.
        scale: Factor of both axes or ``(rows, columns)``; 1 leaves an axis alone.
        noise: Standard deviation of added Gaussian noise, in the image's units.
        seed: Seed of that noise.

    Returns:
        Low-resolution image of shape ``(..., h, w)``, the sizes divided by the
        scale and rounded.

    Raises:
        UsageError: If the scale is below 1 or the image has fewer than two axes.

    Example:
        >>> import numpy as np
        >>> degrade(np.ones((64, 64), "float32"), 4).shape
        (16, 16)
    """
    image = _as_image(x)
    shape = (image.shape[-2], image.shape[-1])
    factors = scale_per_axis(scale)
    small = (
        max(1, int(shape[0] / factors[0] + 0.5)),
        max(1, int(shape[1] / factors[1] + 0.5)),
    )
    plan = CascadePlan.create(small, target_shape=shape, stages=1)
    low = plan.observation()(image)
    if noise > 0.0:
        grain = np.random.default_rng(seed).normal(0.0, noise, low.shape)
        low = low + grain.astype(low.dtype)
    return low


def upsample(y: ArrayLike, target_shape: tuple[int, int]) -> NDArray[np.floating]:
    """Cubic-convolution interpolation, the baseline and the network's input.

    Args:
        y: Image or stack of shape ``(..., h, w)``.
        target_shape: ``(height, width)`` in pixels.

    Returns:
        Array of shape ``(..., height, width)``.
    """
    image = _as_image(y)
    rows, columns = image.shape[-2:]
    return SeparableOperator.interpolation((rows, columns), target_shape)(image)
