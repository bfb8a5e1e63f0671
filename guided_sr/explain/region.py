"""A box of pixels on the target grid, and the same box on a level."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from guided_sr.errors import UsageError

Span = tuple[int, int]

_FORM = re.compile(r"(\d+):(\d+),(\d+):(\d+)")


@dataclass(frozen=True)
class Region:
    """A box of a slice, in pixels of the target grid, ends not included.

    Attributes:
        rows: First row and the row after the last.
        columns: The same of the columns.

    Raises:
        UsageError: If the box is empty or begins before the first pixel.
    """

    rows: Span
    columns: Span

    def __post_init__(self) -> None:
        if any(not 0 <= start < stop for start, stop in (self.rows, self.columns)):
            raise UsageError(
                f"the region {self} is empty", mend="give first:end of rows, columns"
            )

    def __str__(self) -> str:
        """As `parse` reads it."""
        (y0, y1), (x0, x1) = self.rows, self.columns
        return f"{y0}:{y1},{x0}:{x1}"

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``y0:y1,x0:x1``: rows, then columns.

        Raises:
            UsageError: If it is not of that form.
        """
        match = _FORM.fullmatch(text.replace(" ", ""))
        if match is None:
            raise UsageError(
                f"{text!r} is no region", mend="give y0:y1,x0:x1 such as 60:76,80:96"
            )
        y0, y1, x0, x1 = (int(number) for number in match.groups())
        return cls((y0, y1), (x0, x1))

    @classmethod
    def strongest(cls, strength: NDArray[np.floating], *, size: int) -> Region:
        """The square of ``size`` pixels whose mean is largest.

        Args:
            strength: Map of shape ``(H, W)``.
            size: Side in pixels; less where the map is smaller.
        """
        side = [min(size, n) for n in strength.shape]
        means = uniform_filter(strength.astype(np.float64), side, mode="constant")
        starts = []
        centre = np.unravel_index(np.argmax(means), means.shape)
        for middle, length, n in zip(centre, side, strength.shape, strict=True):
            starts.append(int(np.clip(middle - length // 2, 0, n - length)))
        (y, x), (height, width) = starts, side
        return cls((y, y + height), (x, x + width))

    def require_inside(self, shape: tuple[int, int]) -> None:
        """Refuse a box that leaves a slice.

        Raises:
            UsageError: If it does.
        """
        if self.rows[1] > shape[0] or self.columns[1] > shape[1]:
            raise UsageError(
                f"the region {self} leaves the slice of {shape[0]} x {shape[1]}",
                mend="give y0:y1,x0:x1 in pixels of the result",
            )

    def at(self, shape: tuple[int, int], whole: tuple[int, int]) -> tuple[slice, slice]:
        """The pixels of a level that the box touches.

        Args:
            shape: ``(rows, columns)`` of the level.
            whole: Of the target grid.
        """
        found = []
        for (start, stop), n, m in zip(
            (self.rows, self.columns), shape, whole, strict=True
        ):
            found.append(slice(start * n // m, -(-stop * n // m)))
        return found[0], found[1]
