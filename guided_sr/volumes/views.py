"""A volume as a stack of slices, and back."""

from __future__ import annotations

import numpy as np

from guided_sr.errors import UsageError

__all__ = ["from_slices", "to_slices"]


def to_slices(volume: np.ndarray, slice_axis: int) -> np.ndarray:
    """Turn a volume into a stack of slices.

    Args:
        volume: Shape ``(i, j, k)``.
        slice_axis: The axis across the slices, 0 to 2.

    Returns:
        A view of shape ``(n, height, width)``; the in-plane axes keep their order.

    Raises:
        UsageError: If the array or the axis is not one of a volume.
    """
    return np.moveaxis(_checked(volume, slice_axis), slice_axis, 0)


def from_slices(stack: np.ndarray, slice_axis: int) -> np.ndarray:
    """The reverse of `to_slices`.

    Args:
        stack: Shape ``(n, height, width)``.
        slice_axis: The axis that the slices shall have, 0 to 2.

    Returns:
        A view of shape ``(i, j, k)``.

    Raises:
        UsageError: If the array or the axis is not one of a volume.
    """
    return np.moveaxis(_checked(stack, slice_axis), 0, slice_axis)


def _checked(array: np.ndarray, slice_axis: int) -> np.ndarray:
    if np.ndim(array) != 3 or slice_axis not in (0, 1, 2):
        raise UsageError(
            f"slices of axis {slice_axis} of an array of shape {np.shape(array)} "
            "do not exist",
            mend="give a 3-D array and an axis 0, 1 or 2",
        )
    return array
