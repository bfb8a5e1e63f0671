"""What goes into a volume's cascades, and what comes out. No framework is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import PathLike
from guided_sr.inference.guide import Guide, prepare_guide
from guided_sr.inference.slice_width import with_read_profile
from guided_sr.inference.support import Support
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.physics.back_projection import BackProjection
from guided_sr.volumes import IntensityScale, Volume, fit_intensity
from guided_sr.volumes.plausible import examine_pair, read_examined

if TYPE_CHECKING:
    from guided_sr.inference.noise import Noise

Voxels = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class VolumeInputs:
    """A T2 and its guide, checked and along RAS+.

    Attributes:
        t2: The T2 as it came.
        low: Its voxels along RAS+.
        guide: The T1 on the grid of the result, or `None`.
        plan: What is to be done; with the profile of the slices, where the T1 shows it.
        scale: Intensity map of the T2.
        known_support: What `support` gives, where it is not to be read from the guide.
    """

    t2: Volume
    low: Voxels
    guide: Guide | None
    plan: VolumePlan
    scale: IntensityScale
    known_support: Support | None = None

    @classmethod
    def prepare(
        cls,
        t2: Any,
        t1: Any,
        plan: VolumePlan,
        *,
        register: str = "none",
        t2_to_t1: PathLike | None = None,
    ) -> VolumeInputs:
        """Check a pair, place the guide and bring it to the grid of the result.

        Args:
            t2: Path, nibabel image or `Volume`, on the grid that `plan` was made for.
            t1: The same of the T1, on any grid; `None` for models without guide.
            plan: The plan.
            register: How the T1 is placed, as in `place_guide`.
            t2_to_t1: File of a transform made elsewhere, likewise.

        Raises:
            GuidedSRError: The first fault found.
        """
        volume = read_examined(t2, name="T2")
        scale = fit_intensity(volume.data, name="T2", path=volume.path)
        guide = None
        if t1 is not None:
            guide = prepare_guide(
                t1,
                volume,
                plan.grid,
                plan.affine,
                plan.target_shape,
                register=register,
                t2_to_t1=t2_to_t1,
            )
        low = plan.orientation.apply(volume.data)
        if guide is not None:
            plan = with_read_profile(plan, low, scale, guide)
        inputs = cls(volume, low, guide, plan, scale)
        if not isinstance(t1, Volume):
            inputs.examine()
        return inputs

    def support(self) -> Support | None:
        """Where the T2 ends, if both images were cut out by one mask."""
        if self.known_support is not None:
            return self.known_support
        guide = None if self.guide is None else self.guide.data
        return Support.of(
            self.low,
            guide,
            self.plan.observation,
            value=self.scale.air,
            across=self.plan.across,
        )

    def examine(self) -> None:
        """Warn of a T2 and a T1 that do not fit each other."""
        if self.guide is None:
            return
        both = (self.t2.path, self.guide.volume.path)
        examine_pair(
            self.low,
            self.guide.data,
            overlap=self.guide.overlap,
            paths=[path for path in both if path is not None],
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """A result along RAS+, in the units of the T2.

    Attributes:
        data: Voxels of the result.
        residual: What it leaves unexplained of the T2, on the T2's grid.
        misfit: Root mean square of that, as a share of the T2's intensity range,
            before and after the last back-projection.
        back_projection: What followed each stage and the last one, with its numbers.
        noise: Noise of the T2, where the regularisation was taken from it.
        cut_out: Whether the result ends where the T1 does (`Support`).
    """

    data: Voxels
    residual: Voxels
    misfit: tuple[float, float]
    back_projection: BackProjection
    noise: Noise | None = None
    cut_out: bool = False
