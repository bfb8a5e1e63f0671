"""What comes out of a volume: image, plan, warnings, provenance. Data only."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from guided_sr._version import __version__
from guided_sr.errors import PathLike, UsageError
from guided_sr.inference.map_meanings import MAPS
from guided_sr.inference.verdict import judge
from guided_sr.inference.volume_inputs import Estimate, VolumeInputs
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.volumes import (
    Volume,
    corner_gap,
    make_image,
    refuse_same_file,
    write_volume,
)
from guided_sr.volumes.locate import suffix_of

INTENDED_USE = (
    "Research use only, not a medical device: voxels are estimated, not measured;"
    " fine detail can be invented or copied from the T1."
)


_GROUPS = ("in_plane", "through_plane")
_MISFIT_DIGITS = 4  # of mm


@dataclass(frozen=True, eq=False)
class Result:
    """A super-resolved volume with all that is known of it.

    Attributes:
        data: Voxels of shape ``(i, j, k)``, float32, in the units of the T2.
        affine: Voxel to mm, float64; its field of view is exactly the T2's.
        plan: The plan that was followed: grids, cascades, slice profile.
        warnings: What was noticed on the way, one sentence each.
        provenance: Inputs, weights, versions and numbers, as plain data.
        source: The T2 volume it was made from.
        qc: Figures of its quality. ``consistency_before`` and ``consistency_after``
            the last back-projection: root mean square of what the result leaves
            unexplained of the T2, as a share of the T2's intensity range. A small
            one is necessary and far from sufficient: invented detail is invisible
            to it. ``largest_residual`` in the units of the T2; ``guide_overlap``,
            the share of the T2's field of view that the T1 covers. ``noise``, the
            deviation of the T2's noise as a share of its intensity range, where the
            back-projection was regularised by it (else `None`), and ``epsilon``, that
            regularisation: a result that is not to reproduce noise leaves about as
            much unexplained. ``field_of_view_mm``, the largest distance of a corner of
            the saved image from the T2's, to 0.0001 mm. ``guide_gain_db``, what the T1
            was worth on ``guide_slices`` slices that were held out,
            ``guide_spread_db``, its deviation from slice to slice (see `GuideTest`),
            and ``guide_used``, whether the result was made with it. ``cut_out``,
            whether the result ends where the T1 does (`Support`). ``verdict``, which
            is PASS, LOOK or FAIL, and ``reasons``, a sentence each (see `judge`).
        maps: Images that go with it, in the units of the T2; `MAPS` tells what each
            shows and what it cannot. ``"consistency"``, always there, lies on the T2's
            own grid; ``"uncertainty"`` and ``"guide_influence"``, made on request, on
            that of the result.
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    plan: VolumePlan
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    source: Volume
    qc: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Volume] = field(default_factory=dict)

    @property
    def image(self) -> Nifti1Image:
        """The volume as a nibabel image: float32, q- and sform set."""
        return make_image(self.data, self.affine, source=self.source)

    def sidecar(self) -> dict[str, Any]:
        """Content of the JSON file beside a saved image."""
        return {
            "IntendedUse": INTENDED_USE,
            "GuidedSR": {
                **self.provenance,
                "qc": dict(self.qc),
                "warnings": list(self.warnings),
                "maps": {
                    name: MAPS[name]._asdict() for name in self.maps if name in MAPS
                },
            },
        }

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        maps: Sequence[str] = (),
        describe: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the image and its JSON sidecar, completely or not at all.

        Args:
            path: A ``.nii.gz`` or ``.nii`` file.
            force: Whether existing files are replaced.
            maps: Names of the maps to write as well, beside the image:
                ``sr.nii.gz`` and ``sr_consistency.nii.gz``.
            describe: Further keys of the sidecar, such as those of BIDS.

        Returns:
            The path.

        Raises:
            UsageError: If the path is one of the inputs, or there is no such map.
            CannotCreateError: If a file exists (without `force`) or cannot be made.
            IOFailure: If writing fails.
        """
        inputs = self.provenance.get("inputs", {}).values()
        refuse_same_file(path, *(entry.get("path") for entry in inputs))
        unknown = [name for name in maps if name not in self.maps]
        if unknown:
            raise UsageError(
                f"there is no map {', '.join(unknown)}",
                path=path,
                mend=f"there is {', '.join(self.maps) or 'none'}",
            )
        for name in maps:
            one = self.maps[name]
            write_volume(
                map_path(path, name),
                one.data,
                one.affine,
                source=self.source,
                force=force,
            )
        return write_volume(
            path,
            self.data,
            self.affine,
            source=self.source,
            sidecar={**(describe or {}), **self.sidecar()},
            force=force,
        )


def map_path(image: PathLike, name: str) -> Path:
    """Where a map goes beside an image: ``sr_uncertainty.nii.gz`` by ``sr.nii.gz``."""
    path = Path(image)
    suffix = suffix_of(path)
    return path.with_name(f"{path.name.removesuffix(suffix)}_{name}{suffix}")


def volume_result(
    inputs: VolumeInputs,
    estimate: Estimate,
    *,
    models: Mapping[str, Mapping[str, Any]],
    guide_use: Mapping[str, Any],
    maps: Mapping[str, NDArray[np.float32]],
    framework: Mapping[str, str],
    warnings: Sequence[str],
    seconds: float,
) -> Result:
    """Put an estimate back into the orientation of the T2, with all that made it.

    Args:
        inputs: The inputs.
        estimate: What came out, along RAS+.
        models: Name, weights and precision of each model, as plain data.
        guide_use: What became of the T1, and the tests of it, as plain data.
        maps: Further maps on the grid of the result, along RAS+.
        framework: Keras's version and its backend.
        warnings: What was noticed.
        seconds: Time that the cascades took.
    """
    plan, guide = inputs.plan, inputs.guide
    t1 = None if guide is None else guide.volume
    files = {
        name: {
            "path": None if volume.path is None else str(volume.path),
            "sha256": volume.sha256,
            "filled": volume.filled,
        }
        for name, volume in (("t2", inputs.t2), ("t1", t1))
        if volume is not None
    }
    (before, after), how = estimate.misfit, estimate.back_projection
    tests = [guide_use[name] for name in _GROUPS if name in guide_use]
    worth: dict[str, Any] = min(tests, key=lambda one: one["gain_db"], default={})
    residual = plan.orientation.undo(estimate.residual)
    data, affine = plan.orientation.undo(estimate.data), plan.grid.target_affine
    qc: dict[str, Any] = {
        "consistency_before": before,
        "consistency_after": after,
        "largest_residual": float(np.abs(residual).max()),
        "guide_overlap": None if guide is None else guide.overlap,
        "noise": None if estimate.noise is None else estimate.noise.sigma,
        "epsilon": how.number if how.method == "exact" else None,
        "field_of_view_mm": _misfit_mm(affine, data.shape, inputs.t2),
        "finite": bool(np.isfinite(data).all()),
        "guide_gain_db": worth.get("gain_db"),
        "guide_spread_db": worth.get("spread_db"),
        "guide_slices": worth.get("slices"),
        "guide_used": bool(guide_use["used"]),
        "cut_out": estimate.cut_out,
    }
    registration = None if guide is None else guide.registration.to_dict()
    qc["verdict"], qc["reasons"] = judge(
        qc, warnings=warnings, registration=registration
    )
    provenance = {
        "version": __version__,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            **framework,
        },
        "inputs": files,
        **models,
        "guide_use": dict(guide_use),
        "plan": plan.summary(),
        "back_projection": asdict(how),
        "intensity": {
            "t2": inputs.scale.to_dict(),
            "t1": None if guide is None else guide.scale.to_dict(),
        },
        "guide_overlap": qc["guide_overlap"],
        "registration": registration,
        "seconds": round(seconds, 2),
    }
    return Result(
        data,
        affine,
        plan,
        tuple(warnings),
        provenance,
        inputs.t2,
        qc,
        {
            "consistency": Volume(residual, inputs.t2.affine),
            **{
                name: Volume(plan.orientation.undo(one), affine)
                for name, one in maps.items()
            },
        },
    )


def _misfit_mm(
    affine: NDArray[np.float64], shape: tuple[int, ...], t2: Volume
) -> float:
    """Largest distance of a corner of an image from the T2's, in mm.

    Of the affine as a file holds it, in float32; what that rounds off is no shift.
    """
    stored = affine.astype(np.float32).astype(np.float64)
    return round(corner_gap(stored, shape, t2.affine, t2.data.shape), _MISFIT_DIGITS)
