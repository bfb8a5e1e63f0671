"""One orientation for the work: right, anterior, superior; and back again.

Axes are permuted and reversed, nothing is interpolated: an oblique image stays oblique.
Whatever orientation a file is stored in, the networks see the same planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import inv_ornt_aff, io_orientation

__all__ = ["Orientation"]


@dataclass(frozen=True)
class Orientation:
    """How the axes of an image lie against right, anterior, superior (RAS+).

    Attributes:
        axes: For each axis of RAS+, the nearest axis of the image.
        reversed: For each axis of RAS+, whether that axis runs the other way.
    """

    axes: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]

    @classmethod
    def of(cls, affine: np.ndarray) -> Orientation:
        """The orientation of an image.

        Args:
            affine: Voxel to mm, shape ``(4, 4)``.
        """
        found = io_orientation(np.asarray(affine, np.float64))
        i, j, k = (int(n) for n in np.argsort(found[:, 0]))
        a, b, c = (bool(found[axis, 1] < 0) for axis in (i, j, k))
        return cls((i, j, k), (a, b, c))

    def apply(self, data: np.ndarray) -> np.ndarray:
        """A view of an image with its axes along RAS+.

        Args:
            data: Shape ``(i, j, k)``.
        """
        return np.flip(np.transpose(data, self.axes), self._flipped)

    def undo(self, data: np.ndarray) -> np.ndarray:
        """The reverse of `apply`: a view in the orientation of the image.

        Args:
            data: Shape along RAS+.
        """
        return np.transpose(np.flip(data, self._flipped), np.argsort(self.axes))

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """The sizes of an image along RAS+."""
        i, j, k = (int(shape[axis]) for axis in self.axes)
        return i, j, k

    def affine(self, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The affine that goes with `apply`.

        Args:
            affine: Voxel to mm of the image, shape ``(4, 4)``.
            shape: ``(i, j, k)`` of the image.
        """
        table = np.empty((3, 2))
        for ras, (axis, back) in enumerate(zip(self.axes, self.reversed, strict=True)):
            table[axis] = ras, -1.0 if back else 1.0
        return np.asarray(affine, np.float64) @ inv_ornt_aff(table, tuple(shape))

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.reversed[axis])
