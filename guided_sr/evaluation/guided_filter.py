"""The guided filter (He, Sun and Tang, IEEE TPAMI 35(6), 2013, Algorithm 1).

No library that the package depends on has it: scikit-image offers the bilateral
filter without a guide, and OpenCV's is in a separate, much larger package.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter


def guided_filter(
    image: NDArray[np.floating],
    guide: NDArray[np.floating],
    *,
    radius: tuple[int, int],
    epsilon: float,
) -> NDArray[np.float64]:
    """Filter an image so that its edges are those of a guide.

    Within a window ``q = a I + b``: the coefficients fit the image ``p`` by ridge
    regression, ``a = cov(I, p) / (var(I) + epsilon)`` and ``b = mean(p) - a mean(I)``
    (eqs. 5 and 6), and are averaged over all windows that hold a pixel (eq. 8).
    Windows are mirrored at the edge of the image.

    Args:
        image: ``p``, of shape ``(..., height, width)``; the result is linear in it.
        guide: ``I``, of the same shape.
        radius: Half width of the window in pixels, rows and columns; the window has
            ``2 radius + 1`` pixels.
        epsilon: Regularisation in squared units of the guide: where the guide varies
            less than this, the result is a mean.

    Returns:
        ``q``, float64, of the shape of the image.
    """
    rows, columns = radius
    mean = functools.partial(
        uniform_filter,
        size=(2 * rows + 1, 2 * columns + 1),
        mode="reflect",
        axes=(-2, -1),
    )
    p, i = np.asarray(image, np.float64), np.asarray(guide, np.float64)
    mean_i, mean_p = mean(i), mean(p)
    variance = np.maximum(mean(i * i) - mean_i * mean_i, 0.0)
    a = (mean(i * p) - mean_i * mean_p) / (variance + epsilon)
    return mean(a) * i + mean(mean_p - a * mean_i)
