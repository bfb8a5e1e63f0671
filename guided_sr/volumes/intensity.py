"""Intensities to and from the range that the networks work in.

The 0.5 and 99.5 percentiles of the voxels above 0 become 0 and 1, linearly and without
clipping, so that the way back is exact and the result has the units of the input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guided_sr.errors import DataError, PathLike

__all__ = ["IntensityScale", "Normalised", "fit_intensity"]

_LOW, _HIGH = 0.5, 99.5


@dataclass(frozen=True)
class IntensityScale:
    """A linear map of intensities.

    Attributes:
        low: The intensity that becomes 0, in the units of the image.
        high: The intensity that becomes 1.

    Raises:
        DataError: If the two are not finite or `high` is not above `low`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high - self.low)):
            raise DataError(f"intensities {self.low} to {self.high} are not finite")
        if not self.high > self.low:
            raise DataError(f"intensities {self.low} to {self.high} span no range")

    def forward(self, x: ArrayLike) -> np.ndarray:
        """Map intensities to the working range: same shape, float32, unclipped."""
        size = 1.0 / (self.high - self.low)
        return _linear(x, size, -self.low * size)

    def inverse(self, x: ArrayLike) -> np.ndarray:
        """Map working values back to intensities: same shape, float32."""
        return _linear(x, self.high - self.low, self.low)

    @property
    def air(self) -> float:
        """What an intensity of 0 becomes."""
        return float(self.forward(0.0))

    def to_dict(self) -> dict[str, float]:
        """The two numbers, ready for JSON."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, stored: Mapping[str, float]) -> IntensityScale:
        """The reverse of `to_dict`.

        Raises:
            DataError: If a number is missing or the range is empty.
        """
        try:
            return cls(low=float(stored["low"]), high=float(stored["high"]))
        except (KeyError, TypeError) as error:
            raise DataError(
                "a stored intensity range needs the numbers low and high"
            ) from error


def _linear(x: ArrayLike, factor: float, offset: float) -> np.ndarray:
    """Times a factor, plus an offset, in float32 without other copies."""
    out = np.asarray(x).astype(np.float32)
    out *= np.float32(factor)
    out += np.float32(offset)
    return out


class Normalised:
    """Slices in the working range, made as they are asked for.

    Args:
        stack: Intensities of shape ``(n, h, w)``; a view will do.
        scale: Their map.
    """

    def __init__(self, stack: np.ndarray, scale: IntensityScale) -> None:
        self.stack = stack
        self.scale = scale

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of slices, rows and columns."""
        return self.stack.shape

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.stack)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Some slices, float32, in one piece."""
        return self.scale.forward(np.ascontiguousarray(self.stack[part]))


def fit_intensity(
    x: ArrayLike, *, name: str = "T2", path: PathLike | None = None
) -> IntensityScale:
    """Fit the map to an image.

    Args:
        x: Intensities of any shape.
        name: What to call the image in messages.
        path: Its file, for messages.

    Returns:
        The scale between the 0.5 and 99.5 percentiles of the voxels above 0.

    Raises:
        DataError: If the image is constant, has nothing above 0, or is not finite.
    """
    values = np.asarray(x)
    if values.size == 0 or not np.isfinite(values).all():
        raise DataError(f"the {name} is empty or holds NaN or Inf", path=path)
    refuse_constant(values, name=name, path=path)
    positive = values[values > 0]
    if positive.size == 0:
        raise DataError(
            f"the {name} has no intensity above 0",
            path=path,
            mend="give a magnitude image",
        )
    low, high = (
        float(p) for p in np.percentile(positive, [_LOW, _HIGH], overwrite_input=True)
    )
    if not high > low:
        raise DataError(
            f"the {name} has a single intensity ({low:g}) above 0",
            path=path,
            mend="give the image itself, not a mask",
        )
    return IntensityScale(low=low, high=high)


def refuse_constant(values: np.ndarray, *, name: str, path: PathLike | None) -> None:
    """Refuse an image that has the same value everywhere."""
    if values.min() == values.max():
        raise DataError(
            f"the {name} is constant (value {float(values.flat[0]):g})",
            path=path,
            mend="open it in a viewer; the export or conversion may have failed",
        )
