"""How a scanner sees across its slices: shape and thickness of a slice.

The thickness is a share of the distance of two slices: with a gap, less than all of
it. A Gaussian profile has it as full width at half maximum, a box as its width; with
the Gaussian and no gap this is the observation model of the in-plane axes
(Iwamoto et al., III-A).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.physics.operators import (
    FWHM_PER_SIGMA,
    LineOperator,
    Profile,
    SeparableOperator,
    apply_matrices,
)

_BOX_WIDTH_PER_SIGMA = math.sqrt(12.0)
_EPSILON = 1e-2  # of `to_nominal`; 0 would need slices without noise


@dataclass(frozen=True)
class SliceProfile:
    """Shape and thickness of a slice.

    Attributes:
        shape: ``"gaussian"`` or ``"box"``.
        gap: Share of the distance of two slices that no slice covers, 0 to below 1.

    Raises:
        UsageError: If the shape is unknown or the gap out of range.
    """

    shape: Profile = "gaussian"
    gap: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no profile."""
        known = get_args(Profile)
        if self.shape not in known:
            raise UsageError(
                f"slice profile {self.shape!r} is unknown",
                mend=f"choose one of {', '.join(known)}",
            )
        if not 0.0 <= self.gap < 1.0:
            raise UsageError(
                f"slice gap {self.gap!r} is no share of the slice distance",
                mend="give 0 to below 1, for instance 0.1 for 10 %",
            )

    def describe(self) -> str:
        """Shape and gap in words."""
        return f"{self.shape}, gap {100 * self.gap:.3g} %"

    @property
    def nominal(self) -> bool:
        """Whether it is the one that networks are trained for."""
        return self == SliceProfile()

    def to_nominal(self, n_from: int, n_to: int) -> NDArray[np.float64]:
        """What the scanner's slices would be, had they the nominal profile.

        The slices are led up by cubic convolution, made to explain what was observed
        (the closed form of `back_project`), and seen again through the nominal
        profile: ``N (U + P^T (P P^T + eps I)^-1 (I - P U))``. A box passes more of the
        fine detail than the Gaussian, which a network takes for more detail still.

        Args:
            n_from: Number of fine slices.
            n_to: Number of the scanner's.

        Returns:
            Matrix of shape ``(n_to, n_to)``; rows sum to about one.
        """
        mine = self.line(n_from, n_to).matrix
        nominal = SliceProfile().line(n_from, n_to).matrix
        up = LineOperator(n_to, n_from).matrix
        one = np.eye(n_to)
        correction = np.linalg.solve(mine @ mine.T + _EPSILON * one, one - mine @ up)
        found: NDArray[np.float64] = nominal @ (up + mine.T @ correction)
        return found

    def brought(
        self, observed: NDArray[np.float32], axis: int, n_from: int
    ) -> NDArray[np.float32]:
        """Slices of the nominal profile, in place of observed ones (`to_nominal`).

        Args:
            observed: An image of any shape.
            axis: The one across its slices.
            n_from: Number of fine slices.

        Returns:
            Of the same shape; the very same array if the profile is nominal already,
            or there are as many fine slices.
        """
        n_to = observed.shape[axis]
        if self.nominal or n_from == n_to:
            return observed
        matrices: list[NDArray[np.float64] | None] = [None] * observed.ndim
        matrices[axis] = self.to_nominal(n_from, n_to)
        return apply_matrices(observed, matrices).astype(np.float32, copy=False)

    def seen_anew(
        self,
        estimate: NDArray[np.float32],
        residual: NDArray[np.float32],
        nominal: SeparableOperator,
        axis: int,
    ) -> NDArray[np.float32]:
        """Slices of the nominal profile by an estimate of what they show.

        `brought` knows nothing of detail that slices have folded. An estimate ``X``
        does: ``N X + T (Y - P X)``, ``T`` being `to_nominal`. For the nominal profile
        that is ``Y`` again.

        Args:
            estimate: What the slices show, on the fine grid.
            residual: What it leaves unexplained of the observed slices, ``Y - P X``.
            nominal: The observation ``N``, through the nominal profile.
            axis: The one across the slices.

        Returns:
            Slices of the shape of the residual.
        """
        left = self.brought(residual, axis, estimate.shape[axis])
        return (nominal(estimate) + left).astype(np.float32, copy=False)

    @property
    def passes(self) -> int:
        """How often a cascade is run: twice where an estimate brings the slices."""
        return 1 if self.nominal else 2

    def line(self, n_from: int, n_to: int) -> LineOperator:
        """What leads from fine slices to those of the scanner.

        Args:
            n_from: Number of fine slices.
            n_to: Number of the scanner's.
        """
        if n_from == n_to:
            return LineOperator(n_from, n_to)
        thickness = (1.0 - self.gap) * n_from / n_to
        widths = FWHM_PER_SIGMA if self.shape == "gaussian" else _BOX_WIDTH_PER_SIGMA
        return LineOperator(n_from, n_to, thickness / widths, self.shape)


def plane_observation(
    shape: tuple[int, int], scale: tuple[float, float], *, profile: Profile
) -> SeparableOperator:
    """What degrades a sharp plane, by any profile.

    Args:
        shape: Rows and columns of the plane.
        scale: Factors of rows and columns.
        profile: Shape of the coarse pixels on axes that are enlarged.
    """
    of = SliceProfile(profile)
    rows, columns = (
        of.line(n, max(1, int(n / s + 0.5))) for n, s in zip(shape, scale, strict=True)
    )
    return SeparableOperator(rows, columns)
