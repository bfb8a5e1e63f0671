"""Which slices of a stack hold anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOREGROUND = 0.02
"""Normalised value above which a pixel is no background."""

_CONTENT = 0.5  # of the fullest slice; emptier ones tell little


def spread_slices(y: NDArray[np.float32], many: int) -> list[int]:
    """Slices with much in them, spread over a stack.

    Args:
        y: Normalised slices of shape ``(n, h, w)``.
        many: How many, at most.
    """
    content = np.mean(y > FOREGROUND, axis=(1, 2))
    full = np.flatnonzero((content > 0) & (content >= _CONTENT * content.max()))
    if not full.size:
        return []
    places = np.linspace(0, full.size - 1, min(many, full.size)).round().astype(int)
    return [int(index) for index in full[places]]
