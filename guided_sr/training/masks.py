"""Masks that skulls were stripped off by, as sharp at every level as at the finest.

A scan that a mask has cut out ends from one voxel to the next. Brought to a coarser
level, its edge becomes as soft as everything there; a network that learns at that level
meets another edge than the one it is to draw. So the mask is laid over each level anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from guided_sr.volumes.stripping import stripping_mask

Stack = NDArray[np.float32]

_HALF = 0.5


@dataclass(frozen=True)
class StrippingMask:
    """What a mask has left of a pair.

    Attributes:
        kept: 1 within and 0 beyond, on the target grid, ``(n, H, W)``.
        air: What the T2 and the T1 are beyond, normalised.
        drawn: Whether it is laid anew over every slice that is drawn for a batch, too.
    """

    kept: Stack
    air: tuple[float, float]
    drawn: bool = False

    @classmethod
    def of(cls, t2: Stack, t1: Stack, air: tuple[float, float]) -> StrippingMask | None:
        """The mask that a T1 shows by its zeros; `None` where T2 or T1 is not cut out.

        Args:
            t2: Observed slices ``(n, h, w)``, in their own units.
            t1: Guide slices ``(n, H, W)``, in theirs.
            air: What 0 is in each after normalisation.
        """
        kept = stripping_mask(t2, t1)
        if kept is None:
            return None
        return cls(kept.astype(np.float32), air)

    def part(self, slices: NDArray[np.integer] | NDArray[np.bool_]) -> StrippingMask:
        """The mask of some of the slices only."""
        return replace(self, kept=self.kept[slices])

    def of_level(self, share: Stack) -> StrippingMask:
        """The mask of what `laid_over` has cut out at a level."""
        return replace(self, kept=(share > _HALF).astype(np.float32))

    def laid_over(self, stack: Stack, share: Stack, air: float) -> Stack:
        """Slices of a level, cut out there from one pixel to the next.

        Args:
            stack: T2 or T1 at a level.
            share: How much of each pixel lies within the mask: `kept`, led there.
            air: What the image is beyond.

        Returns:
            Of the same shape. A pixel more than half within gets back what its share
            of the air has taken from it; the others are air.
        """
        whole = air + (stack - air) / np.maximum(share, _HALF)
        cut: Stack = np.where(share > _HALF, whole, air).astype(np.float32)
        return cut
