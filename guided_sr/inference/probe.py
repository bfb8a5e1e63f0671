"""The golden probe: a fixed input whose output says the weights are the right ones.

Hashes tell that a file is whole; the probe tells that code and numbers still fit
together after an upgrade of the package, of Keras or of a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Predict = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]

LOW_SHAPE = (24, 28)
TOLERANCE = 2e-3


def probe_inputs(
    scale: tuple[float, float],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A T2 of 24 x 28 pixels and a T1 on the target grid, by formula.

    Args:
        scale: Factor of rows and columns.
    """
    shape = tuple(int(n * f + 0.5) for n, f in zip(LOW_SHAPE, scale, strict=True))

    def picture(size: tuple[int, ...], phase: float) -> NDArray[np.float32]:
        rows = (np.arange(size[0]) + 0.5)[:, None] / size[0]
        columns = (np.arange(size[1]) + 0.5)[None, :] / size[1]
        waves = np.sin(9 * rows + 4 * columns + phase) * np.cos(11 * columns - phase)
        disc = (rows - 0.5) ** 2 + (columns - 0.45) ** 2 < 0.12
        return (100.0 * (1.2 + waves) * disc + 1.0).astype(np.float32)

    return picture(LOW_SHAPE, 0.3), picture(shape, 1.1)


def probe(predict: Predict, scale: tuple[float, float]) -> dict[str, Any]:
    """Mean, spread and 16 values of the output for the fixed input."""
    out = np.asarray(predict(*probe_inputs(scale)), np.float64)
    places = np.linspace(0, out.size - 1, 18).astype(int)[1:-1]
    return {
        "mean": float(out.mean()),
        "std": float(out.std()),
        "values": [float(v) for v in out.ravel()[places]],
    }


def probe_error(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """Largest difference of two probes, relative to the spread of the expected."""
    pairs = [(found["mean"], expected["mean"]), (found["std"], expected["std"])]
    pairs += list(zip(found["values"], expected["values"], strict=True))
    return max(abs(a - b) for a, b in pairs) / float(expected["std"])
