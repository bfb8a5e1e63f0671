"""What comes out of a volume: image, plan, warnings, provenance. Data only."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from guided_sr._version import __version__
from guided_sr.errors import UsageError
from guided_sr.inference.inputs import Inputs
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.volumes import (
    Volume,
    from_slices,
    make_image,
    refuse_same_file,
    write_volume,
)

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


def volume_result(
    inputs: Inputs,
    stack: NDArray[np.float32],
    *,
    plan: CascadePlan,
    back_projection: BackProjection,
    model: Mapping[str, Any],
    framework: Mapping[str, str],
    warnings: Sequence[str],
    seconds: float,
) -> Result:
    """Put a stack back into a volume, with the provenance of all that made it.

    Args:
        inputs: The inputs, which came as volumes.
        stack: Slices of shape ``(n, H, W)`` in the units of the T2.
        plan: The plan that was followed.
        back_projection: What followed each stage.
        model: Name, weights and precision of the model, as plain data.
        framework: Keras's version and its backend.
        warnings: What was noticed.
        seconds: Time that the cascade took.
    """
    source = inputs.source
    if source is None:
        raise UsageError("arrays have no volume to go back to")
    files = {
        name: {
            "path": None if volume.path is None else str(volume.path),
            "sha256": volume.sha256,
            "filled": volume.filled,
        }
        for name, volume in (("t2", source.t2), ("t1", source.t1))
        if volume is not None
    }
    provenance = {
        "version": __version__,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            **framework,
        },
        "inputs": files,
        "model": dict(model),
        "plan": {**plan.summary(), "slice_axis": source.slice_axis},
        "back_projection": asdict(back_projection),
        "intensity": {
            "t2": inputs.t2_scale.to_dict(),
            "t1": None if inputs.t1_scale is None else inputs.t1_scale.to_dict(),
        },
        "guide_overlap": source.overlap,
        "seconds": round(seconds, 2),
    }
    return Result(
        from_slices(stack, source.slice_axis),
        source.affine,
        plan,
        tuple(warnings),
        provenance,
        source.t2,
    )
