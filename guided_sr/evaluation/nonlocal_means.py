"""Super-resolution by non-local means with a guide (Manjón et al., 2010).

J. V. Manjón, P. Coupé, A. Buades, D. L. Collins and M. Robles, "MRI Superresolution
Using Self-Similarity and Image Priors", International Journal of Biomedical Imaging,
425891 (2010). A pixel becomes the mean of the pixels around it, weighted by how alike
they are in the guide and in the neighbourhood of the current estimate; then the
estimate is made to explain the observed image again, and so on with ever sharper
weights.

scikit-image's `denoise_nl_means` can take the guide as a second channel, but compares
patches of the guide too, not single pixels. On a real pair that gave 0.4 to 0.6 dB less
in several times the time, or 1.7 to 2.8 dB less in its fast mode.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from guided_sr.physics.back_projection import back_project
from guided_sr.physics.degrade import upsample
from guided_sr.physics.operators import SeparableOperator

INTENSITY_RANGE = 256.0
"""Brightness of both images that the figures below refer to."""

STRENGTHS = (32.0, 16.0, 8.0, 4.0, 2.0)
"""``h`` of the weights, in intensities, from coarse to fine; as published."""

PATCH_SHARE = 27.0 / 256.0
"""Weight of a patch's mean squared difference: 27 voxels and k = 256, as published."""

PATCH_SIZE = 3
"""Pixels of a patch on each axis, as published."""

SEARCH_RADIUS = 7
"""Half width of the search window in pixels.

Published are 7 x 7 x 7 voxels, of which a slice holds only 7 x 7 pixels. With 15 x 15
a longitudinal patient of open_ms gained 0.6 dB (2x) and 0.8 dB (4x) more.
"""

TOLERANCE = 0.1
"""Mean absolute change, in intensities, below which a strength has converged."""

MAX_ITERATIONS = 10
"""Iterations of one strength, at most."""


def nonlocal_means(
    image: NDArray[np.float32],
    guide: NDArray[np.float32],
    *,
    strength: float,
    search_radius: int = SEARCH_RADIUS,
) -> NDArray[np.float32]:
    """One non-local mean of an image, with weights from a guide and from itself.

    The weight of pixel ``q`` in the mean at ``p`` is
    ``exp(-((G_p - G_q)^2 + s |N_p - N_q|^2) / h^2)``, ``G`` the guide, ``|.|^2`` the
    mean squared difference of the patches of the image and ``s`` `PATCH_SHARE`.

    Args:
        image: Slice of shape ``(height, width)``, brightness about `INTENSITY_RANGE`.
        guide: Slice of the same shape and range.
        strength: ``h``, in the same units.
        search_radius: Half width of the search window in pixels.

    Returns:
        float32 slice of shape ``(height, width)``.
    """
    total, weights = image.copy(), np.ones_like(image)
    scale = np.float32(-1.0 / strength**2)
    share = np.float32(PATCH_SHARE)
    for here, there in _pairs(image.shape, search_radius):
        distance = np.square(image[here] - image[there])
        uniform_filter(distance, PATCH_SIZE, output=distance, mode="nearest")
        distance *= share
        distance += np.square(guide[here] - guide[there])
        distance *= scale
        weight = np.exp(distance, out=distance)
        total[here] += weight * image[there]
        total[there] += weight * image[here]
        weights[here] += weight
        weights[there] += weight
    return total / weights


def _pairs(
    shape: tuple[int, ...], radius: int
) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Windows that pair every pixel with each of its neighbours, once."""
    height, width = shape
    rows, columns = min(radius, height - 1), min(radius, width - 1)
    pairs = []
    for y in range(rows + 1):
        for x in range(-columns, columns + 1):
            if (y, x) > (0, 0):
                left, right = (
                    slice(max(0, -x), width - max(0, x)),
                    slice(max(0, x), width - max(0, -x)),
                )
                pairs.append(((slice(0, height - y), left), (slice(y, height), right)))
    return pairs


def nonlocal_super_resolution(
    low: NDArray[np.float32],
    guide: NDArray[np.float32],
    operator: SeparableOperator,
    *,
    strengths: Sequence[float] = STRENGTHS,
    search_radius: int = SEARCH_RADIUS,
) -> NDArray[np.float32]:
    """Super-resolve a slice: non-local means and consistency in turn.

    Starts from cubic interpolation. The publication's mean correction makes the block
    means of the estimate those of the observed image; here the observation is a blur,
    so the same is done by exact back-projection.

    Args:
        low: Observed slice of shape ``(h, w)``, brightness about `INTENSITY_RANGE`.
        guide: Guide of shape ``(height, width)``, of the same range.
        operator: From the grid of the guide to that of the observed slice.
        strengths: ``h`` in turn; each is repeated until the estimate changes by less
            than `TOLERANCE`, at most `MAX_ITERATIONS` times.
        search_radius: Half width of the search window in pixels.

    Returns:
        float32 slice of shape ``(height, width)``.
    """
    y, t1 = np.asarray(low, np.float32), np.asarray(guide, np.float32)
    x = upsample(y, (t1.shape[0], t1.shape[1])).astype(np.float32)
    for strength in strengths:
        for _ in range(MAX_ITERATIONS):
            mean = nonlocal_means(x, t1, strength=strength, search_radius=search_radius)
            last, x = x, back_project(mean, y, operator, method="exact")
            if np.abs(x - last).mean() < TOLERANCE:
                break
    return x
