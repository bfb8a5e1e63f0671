"""PSNR, SSIM and consistency, as the paper measures them (eqs. 7-10)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.metrics import structural_similarity

from guided_sr.errors import DataError
from guided_sr.physics.operators import SeparableOperator


def _pair(truth: ArrayLike, image: ArrayLike) -> tuple[NDArray, NDArray]:
    x = np.clip(np.asarray(truth, np.float64), 0.0, None)
    z = np.clip(np.asarray(image, np.float64), 0.0, None)
    if x.shape != z.shape:
        raise DataError(
            f"the truth {x.shape} and the image {z.shape} differ in size",
            mend="compare images on one grid",
        )
    if not (np.isfinite(x).all() and np.isfinite(z).all()):
        raise DataError("an image to compare holds NaN or infinite values")
    if x.max() <= 0.0:
        raise DataError("the truth is empty: it has no value above 0")
    return x, z


def psnr(truth: ArrayLike, image: ArrayLike) -> float:
    """Peak signal-to-noise ratio of a slice in dB (Iwamoto et al., eqs. 7-8).

    Args:
        truth: Ground truth of shape ``(height, width)``; its maximum is the peak.
        image: Estimate of the same shape. Both are clipped at 0.

    Returns:
        ``20 log10(MAX / sqrt(MSE))``, infinite for equal images.

    Raises:
        DataError: If sizes differ, values are not finite or the truth is empty.
    """
    x, z = _pair(truth, image)
    mse = float(np.mean((x - z) ** 2))
    return math.inf if mse == 0.0 else 20.0 * math.log10(x.max() / math.sqrt(mse))


def ssim(truth: ArrayLike, image: ArrayLike) -> float:
    """Structural similarity of a slice (Iwamoto et al., eqs. 9-10).

    Gaussian weights of 1.5 pixels, ``L`` the maximum of the truth; scikit-image's
    mean, which leaves out a border of 5 pixels.

    Args:
        truth: Ground truth of shape ``(height, width)``, at least 11 x 11.
        image: Estimate of the same shape. Both are clipped at 0.

    Raises:
        DataError: If sizes differ, values are not finite or the truth is empty.
    """
    x, z = _pair(truth, image)
    return float(
        structural_similarity(
            x,
            z,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=x.max(),
        )
    )


def mean_over_slices(
    metric: Callable[[ArrayLike, ArrayLike], float],
    truth: NDArray,
    images: NDArray,
) -> float:
    """Mean of per-slice values over stacks of shape ``(n, height, width)``."""
    values = [metric(x, z) for x, z in zip(truth, images, strict=True)]
    return float(np.mean(values))


def consistency(x: NDArray, y: NDArray, operator: SeparableOperator) -> float:
    """Root-mean-square of ``Y - A X``, the part of the data left unexplained.

    Args:
        x: Estimate of shape ``(..., height, width)``.
        y: Observation of shape ``(..., h, w)``, in the same units.
        operator: From the grid of ``x`` to that of ``y``.

    Returns:
        The residual's root-mean-square, in the units of ``y``. A small value is
        necessary, not sufficient: invented detail in the null space of ``A`` does
        not show.
    """
    residual = y - operator(x)
    return float(np.sqrt(np.mean(np.square(residual, dtype=np.float64))))
