"""Beyond the mask that a scan was cut out by there is air: a second thing known.

A T2 that was cut out before it became coarse fades at its edge over a coarse pixel. Its
T1, cut out by the same mask, shows where it ended. So the last back-projection takes
the estimate beyond for air, which is certain, and what lies next to it for less certain
than the rest: of what that leaves unexplained, most goes there. Nothing of it is done
where the T2 goes on beyond the T1's mask, as one of another mask or place does, or was
cut out when it was coarse already. (That an image has a known support is used in
projections since Youla and Webb, IEEE Transactions on Medical Imaging, 1982.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.physics.operators import SeparableOperator
from guided_sr.volumes.stripping import is_zero, stripping_mask

Voxels = NDArray[np.float32]

_DIM = 0.75  # of the median within: what is brighter beyond is fluid, 0 in the T1
_BRIGHT = 0.08  # share of pixels next to the mask over that median; else two masks
_PARTLY = (0.1, 0.4)  # share of a coarse pixel within the mask that leaves it something
_EMPTY = 0.1  # share of such pixels that may be 0 all the same; else cut out coarse
_OUTSIDE = 0.01  # share of a coarse pixel within the mask, less is without
_BEYOND = 0.01  # share of the T2 that may lie without; else the T1 holds less of it
_NEAR = 2  # pixels within, next to the air
_UNSURE = 16.0  # times the variance of the rest, there


class Air(NamedTuple):
    """Air around what an image holds.

    Attributes:
        where: True there, of the shape of the image.
        value: What it is, normalised.
        variance: As `back_project` takes it: 0 in air, more next to it.
    """

    where: NDArray[np.bool_]
    value: float
    variance: Voxels

    def part(self, index: tuple[slice, ...]) -> Air:
        """That of a part of the image."""
        return Air(self.where[index], self.value, self.variance[index])


@dataclass(frozen=True)
class Support:
    """Where a T2 ends, as its T1 shows it.

    Attributes:
        kept: True within, on the target grid: a stack, or a volume.
        value: What the T2 is beyond, normalised.
        across: Axis across the slices.
    """

    kept: NDArray[np.bool_]
    value: float
    across: int = 0

    @classmethod
    def of(
        cls,
        t2: Voxels,
        t1: Voxels | None,
        operator: SeparableOperator,
        *,
        value: float,
        across: int = 0,
    ) -> Support | None:
        """The support of a pair; `None` where it has none, or no T1.

        Args:
            t2: Observed slices ``(m, h, w)``, or a volume, in their own units.
            t1: Guide of the same field of view on the target grid, in its own.
            operator: From the target grid to the T2's.
            value: What 0 is in the T2 after normalisation.
            across: Axis across the slices.
        """
        if t1 is None:
            return None
        kept = stripping_mask(np.moveaxis(t2, across, 0), np.moveaxis(t1, across, 0))
        if kept is None:
            return None
        kept = np.moveaxis(kept, 0, across)
        share = operator(kept.astype(np.float32))
        partly = (share > _PARTLY[0]) & (share < _PARTLY[1])
        if np.any(partly) and np.mean(is_zero(t2)[partly]) > _EMPTY:
            return None
        whole = float(np.sum(t2, dtype=np.float64))
        if float(np.sum(t2[share < _OUTSIDE], dtype=np.float64)) > _BEYOND * whole:
            return None
        return cls(kept, value, across)

    def beyond(self, x: Voxels) -> Air | None:
        """What of an estimate has to be air; `None` where the T2 has another mask.

        Args:
            x: Estimate on the target grid, normalised and back-projected.
        """
        within = float(np.median(x[self.kept]))
        edge = self._next_to(self.kept)
        if not edge.any() or np.mean(x[edge] > within) > _BRIGHT:
            return None
        dim = x < self.value + _DIM * (within - self.value)
        variance = np.ones(x.shape, np.float32)
        variance[self._next_to(~self.kept, _NEAR)] = _UNSURE
        slices = tuple(axis for axis in range(3) if axis != self.across)
        # A slice of which the T1 shows nothing says nothing of where the T2 ends.
        where = dim & ~self.kept & np.any(self.kept, axis=slices, keepdims=True)
        variance[where] = 0.0
        return Air(where, self.value, variance)

    def _next_to(self, those: NDArray[np.bool_], pixels: int = 1) -> NDArray[np.bool_]:
        """What lies next to some pixels in their slices, without them."""
        cross = ndimage.generate_binary_structure(2, 1)
        cross = np.expand_dims(cross, self.across)
        near: NDArray[np.bool_] = ndimage.binary_dilation(those, cross, pixels)
        return near & ~those


def back_project_within(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    operator: SeparableOperator,
    how: BackProjection,
    air: Air,
) -> NDArray[np.floating]:
    """Back-project an estimate that has air around it, by ``"exact"``.

    Args:
        x: Estimate, as in `back_project`, and back-projected before.
        y: Observation, as there.
        operator: As there.
        how: The back-projection.
        air: What is known of the air.

    Returns:
        The corrected estimate, which is air where that is known.
    """
    held = np.where(air.where, np.float32(air.value), x)
    return back_project(held, y, operator, **vars(how), variance=air.variance)
