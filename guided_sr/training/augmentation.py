"""The paper's augmentation, as pure functions of a random generator.

Slices are rotated and flipped as a whole, guide and target alike; rescaling is
done by the caller with the plan's own operators, before the degradation, because
degrading patches would be wrong (a patch of 48 over 1.587 is not whole).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from guided_sr.errors import UsageError


@dataclass(frozen=True)
class Draw:
    """One draw of the augmentation.

    Attributes:
        angle: Rotation in degrees.
        flip: Whether columns are mirrored.
        rescale: Factor on the size, at most 1.
    """

    angle: float = 0.0
    flip: bool = False
    rescale: float = 1.0


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for a slice (Iwamoto et al., III-A).

    Attributes:
        rotation_steps: Intervals of the rotation in degrees; one is drawn, then a
            multiple of it. Empty for none.
        flip: Whether slices are mirrored, at random.
        rescale_steps: Intervals of the factors from `rescale_from` to 1; one is
            drawn, then a factor. Empty for none.
        rescale_from: Smallest factor.
    """

    rotation_steps: tuple[float, ...] = (15.0, 30.0)
    flip: bool = True
    rescale_steps: tuple[float, ...] = (0.1, 0.2)
    rescale_from: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a factor that enlarges.

        Raises:
            UsageError: If `rescale_from` is not between 0 and 1.
        """
        if not 0.0 < self.rescale_from <= 1.0:
            raise UsageError(
                f"rescale_from {self.rescale_from!r} is no factor to shrink slices by",
                mend="give one such as 0.8, or 1 for none",
            )

    def draw(self, rng: np.random.Generator) -> Draw:
        """Draw rotation, flip and factor."""
        angle, rescale = 0.0, 1.0
        if self.rotation_steps:
            step = self.rotation_steps[rng.integers(len(self.rotation_steps))]
            angle = float(step * rng.integers(round(360.0 / step)))
        flip = self.flip and bool(rng.integers(2))
        if self.rescale_steps:
            step = self.rescale_steps[rng.integers(len(self.rescale_steps))]
            count = math.floor((1.0 - self.rescale_from) / step + 1e-9) + 1
            rescale = float(1.0 - step * rng.integers(count))
        return Draw(angle, flip, rescale)

    def along_one_axis(self) -> Augmentation:
        """The part that keeps rows and columns apart, for factors such as 4 x 1."""
        return Augmentation((180.0,) if self.rotation_steps else (), self.flip, ())


UNSUPERVISED = Augmentation()
"""Rotations at 15 and 30 degrees, flips, rescaling 0.5-1.0 (eqs. 3-4)."""

SUPERVISED = Augmentation(rotation_steps=(90.0,), rescale_steps=())
"""Flips and rotations at 90 degrees (eqs. 1-2)."""

NONE = Augmentation((), False, ())
"""No augmentation."""


def spline_coefficients(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prefilter a slice once, so that rotating it often is cheap."""
    return ndimage.spline_filter(image, order=3, output=np.float32, mode="nearest")


def rotate_and_flip(
    image: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    draw: Draw,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Turn a slice about its centre by cubic splines, edges continued.

    Args:
        image: Slice of shape ``(height, width)``.
        coefficients: `spline_coefficients` of it.
        draw: What was drawn.
        shift: Rows and columns, in pixels, by which the slice is moved first.

    Returns:
        Slice of the same shape.
    """
    turned = image
    moved = any(shift)
    if draw.angle % 360.0 == 180.0 and not moved:
        turned = image[::-1, ::-1]
    elif draw.angle % 360.0 != 0.0 or moved:
        angle = math.radians(draw.angle)
        matrix = np.array(
            [
                [math.cos(angle), math.sin(angle)],
                [-math.sin(angle), math.cos(angle)],
            ]
        )
        centre = (np.array(image.shape) - 1.0) / 2.0
        turned = ndimage.affine_transform(
            coefficients,
            matrix,
            offset=centre - matrix @ centre - np.array(shift),
            order=3,
            mode="nearest",
            prefilter=False,
            output=np.float32,
        )
    return np.ascontiguousarray(turned[:, ::-1] if draw.flip else turned)


def quarter_turns_and_flip(
    image: NDArray[np.float32],
    draw: Draw,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Turn a slice by a multiple of 90 degrees, exactly; sides may change places.

    Args:
        image: Slice of shape ``(height, width)``.
        draw: What was drawn; its angle is taken to the nearest quarter turn.
        shift: Rows and columns, in pixels, by which the slice is moved first.

    Returns:
        Slice of shape ``(height, width)`` or ``(width, height)``.
    """
    if any(shift):
        image = ndimage.shift(image, shift, order=3, mode="nearest")
    turned = np.rot90(image, round(draw.angle / 90.0))
    return np.ascontiguousarray(turned[:, ::-1] if draw.flip else turned)
