"""What comes out of a volume: image, plan, warnings, provenance. Data only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.volumes import Volume, make_image, refuse_same_file, write_volume

INTENDED_USE = (
    "Research use only, not a medical device: voxels are estimated, not measured;"
    " fine detail can be invented or copied from the T1."
)


@dataclass(frozen=True, eq=False)
class Result:
    """A super-resolved volume with all that is known of it.

    Attributes:
        data: Voxels of shape ``(i, j, k)``, float32, in the units of the T2.
        affine: Voxel to mm, float64; its field of view is exactly the T2's.
        plan: The cascade plan that was followed.
        warnings: What was noticed on the way, one sentence each.
        provenance: Inputs, weights, versions and numbers, as plain data.
        source: The T2 volume it was made from.
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    plan: CascadePlan
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    source: Volume

    @property
    def image(self) -> Nifti1Image:
        """The volume as a nibabel image: float32, q- and sform set."""
        return make_image(self.data, self.affine, source=self.source)

    def sidecar(self) -> dict[str, Any]:
        """Content of the JSON file beside a saved image."""
        return {
            "IntendedUse": INTENDED_USE,
            "GuidedSR": {**self.provenance, "warnings": list(self.warnings)},
        }

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the image and its JSON sidecar, completely or not at all.

        Args:
            path: A ``.nii.gz`` or ``.nii`` file.
            force: Whether existing files are replaced.

        Returns:
            The path.

        Raises:
            UsageError: If the path is one of the inputs.
            CannotCreateError: If a file exists (without `force`) or cannot be made.
            IOFailure: If writing fails.
        """
        inputs = self.provenance.get("inputs", {}).values()
        refuse_same_file(path, *(entry.get("path") for entry in inputs))
        return write_volume(
            path,
            self.data,
            self.affine,
            source=self.source,
            sidecar=self.sidecar(),
            force=force,
        )
