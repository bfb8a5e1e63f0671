"""The mask that a scan has been cut out by, as its zeros show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_ZERO = 1e-7  # of the largest value: what interpolation leaves of 0
_ZEROS = 0.4  # share of a stripped image that is 0, at least
_HOLES = 0.05  # share of what a mask keeps that is 0, at most
_CLOSED = 2  # pixels: gaps within a mask, where fluid is 0 in a T1, are as narrow


def stripping_mask(
    t2: NDArray[np.float32], t1: NDArray[np.float32]
) -> NDArray[np.bool_] | None:
    """What is left of a pair that has been cut out, as its T1 shows it.

    Args:
        t2: Observed slices ``(n, h, w)``, in their own units.
        t1: Guide slices ``(m, H, W)`` of the same field of view, in theirs.

    Returns:
        True within, ``(m, H, W)``; `None` where the T2 or the T1 is not cut out.
        What is negative in the T1, as interpolation makes it next to an edge, is
        without.
    """
    air = is_zero(t1)
    if min(np.mean(is_zero(t2)), np.mean(air)) < _ZEROS:
        return None
    kept = np.stack([_filled(slice_) for slice_ in (t1 > 0.0) & ~air])
    if not kept.any() or np.mean(air[kept]) > _HOLES:
        return None  # air without noise, and no mask
    return kept


def is_zero(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where an image is 0, but for what interpolation leaves of it."""
    return np.abs(image) <= _ZERO * float(image.max())


def _filled(within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without gaps and holes."""
    wide = np.pad(within, 2 * _CLOSED)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(wide, iterations=_CLOSED))
    inner = slice(2 * _CLOSED, -2 * _CLOSED)
    found: NDArray[np.bool_] = closed[inner, inner]
    return found
