from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def nested_labels() -> np.ndarray:
    """A brain of nested balls within skull and scalp, with the labels of FreeSurfer."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, 72),) * 3, indexing="ij")
    radius = np.sqrt(x**2 + (y / 1.05) ** 2 + z**2)
    out = np.zeros(radius.shape, np.int16)
    for limit, label in (
        (0.95, 511),
        (0.92, 507),
        (0.86, 515),
        (0.8, 24),
        (0.7, 3),
        (0.6, 2),
        (0.2, 4),
    ):
        out[radius < limit] = label
    return out
