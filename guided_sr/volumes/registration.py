"""Place the T1 on the T2: by the headers, by mutual information, or by a given file.

Only the T1's affine changes. Its voxels are interpolated once, later, when it is
brought to the grid of the result, and the T2's voxels never.

A placement is a matrix of shape ``(4, 4)`` that takes RAS mm of the T1's header to RAS
mm of the T2's; the *misfit* is how far it moves the T2's foreground.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guided_sr.errors import (
    GeometryError,
    PathLike,
    RegistrationError,
    UsageError,
    warn_user,
)
from guided_sr.volumes.geometry import overlap_fraction, require_overlap, voxel_sizes
from guided_sr.volumes.mutual_information import (
    FEWEST,
    MutualInformation,
    closest_rotation,
    working_shape,
)
from guided_sr.volumes.transforms import read_transform, transform_sha256

if TYPE_CHECKING:
    from guided_sr.volumes.nifti import Volume

__all__ = ["REGISTER", "Misfit", "Registration", "place_guide"]

REGISTER = ("auto", "rigid", "none")
"""How a guide can be placed."""

LARGEST_SHIFT_MM = 30.0
LARGEST_ROTATION_DEG = 20.0
LARGEST_SHEAR_DEG = 1.0
WORTH_MM = 0.75
"""Root mean square misfit from which ``auto`` corrects.

Pairs that are registered to a fraction of a voxel are estimated at up to 0.7 mm, and
to move them by as much brought nothing or cost 0.1 dB (`benchmarks/registration.py`).
"""

THINNEST_MM = 30.0
"""Extent that ``auto`` asks of every axis.

A slab of 16 mm, cut from a T2 that is off by 0.9 mm, was estimated at 1.7 mm; one of 32
mm at 0.9 mm.
"""

_WORTH_INFORMATION = 0.01  # gain of mutual information, as a share
_REPEATS_MM = 0.5
_SECOND_START = 3.0  # mm and degrees away from the first result
_SHEARED = 0.01  # degrees


@dataclass(frozen=True)
class Misfit:
    """How far apart two placements are.

    Attributes:
        mm: Root mean square distance over the T2's foreground.
        shift_mm: Distance of the foreground's centre.
        degrees: Angle of the rotation.
    """

    mm: float
    shift_mm: float
    degrees: float

    @classmethod
    def of(cls, placement: np.ndarray, information: MutualInformation) -> Misfit:
        """What a placement moves, against the headers."""
        moved = information.displacements(placement)
        turn, _ = closest_rotation(placement)
        cosine = np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0)
        return cls(
            float(np.sqrt((moved**2).sum(axis=1).mean())),
            float(np.linalg.norm(moved.mean(axis=0))),
            float(np.degrees(np.arccos(cosine))),
        )


@dataclass(frozen=True, eq=False)
class Registration:
    """How the T1 was placed, and what is known of it.

    Attributes:
        mode: ``"none"``, ``"auto"``, ``"rigid"`` or ``"file"``.
        applied: Whether the T1 was moved away from its header's place.
        placement: The matrix that was found or given, shape ``(4, 4)``, or None where
            nothing was measured.
        misfit: Of the headers' placement, or None.
        residual: What a second estimate, begun elsewhere, would still change; or None.
        information: Mutual information (nats) by the headers, and by the placement;
            or None.
        file: The transform's file and its sha256, or None.
        failure: Why no place was found, where the T1 is left to its header for that.
    """

    mode: str
    applied: bool = False
    placement: np.ndarray | None = None
    misfit: Misfit | None = None
    residual: Misfit | None = None
    information: tuple[float, float] | None = None
    file: tuple[Path, str] | None = None
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        known: dict[str, Any] = {"mode": self.mode, "applied": self.applied}
        if self.failure is not None:
            known["failure"] = self.failure
        if self.placement is not None:
            known["t1_to_t2_ras_mm"] = np.round(self.placement, 9).tolist()
        for name, value in (("misfit", self.misfit), ("residual", self.residual)):
            if value is not None:
                known[name] = {
                    key: round(x, 4) for key, x in dataclasses.asdict(value).items()
                }
        if self.information is not None:
            before, after = (round(x, 5) for x in self.information)
            known["mutual_information"] = {"headers": before, "placement": after}
        if self.file is not None:
            known["file"] = {"path": str(self.file[0]), "sha256": self.file[1]}
        return known

    def describe(self) -> str:
        """The outcome in one line."""
        if self.failure is not None:
            return f"{self.mode}, {self.failure}; as the header says"
        if self.misfit is None or self.information is None:
            return {
                "none": "none, the T1 lies where its header says",
                "auto": "auto, a slab too thin to measure; as the headers say",
            }.get(self.mode, self.mode)
        before, after = self.information
        found = (
            f"misfit {self.misfit.mm:.2f} mm, {self.misfit.degrees:.2f} degrees,"
            f" mutual information {before:.3f} → {after:.3f}"
        )
        done = "the T1 is moved" if self.applied else "the T1 is left where it is"
        return f"{self.mode}, {found}: {done}"


def place_guide(
    t1: Volume,
    t2: Volume,
    *,
    register: str = "none",
    t2_to_t1: PathLike | None = None,
) -> tuple[Volume, Registration]:
    """Move the T1's affine to where the T1 lies on the T2.

    ``"rigid"`` estimates the placement twice, from the headers and from 3 mm and 3
    degrees beside the first answer, and moves the T1. ``"auto"`` does the same and
    moves the T1 only where the headers are off by at least 0.75 mm (root mean square)
    and the mutual information gains at least 1 %; with an axis shorter than 30 mm
    it leaves the T1 to its header. ``"none"`` measures nothing.

    Args:
        t1: The guide.
        t2: The image to be super-resolved.
        register: One of `REGISTER`.
        t2_to_t1: File of a transform from the T2 to the T1, made elsewhere; it takes
            the place of ``"auto"``.

    Returns:
        The T1 with its new affine and the very same voxels, and what was found.

    Raises:
        UsageError: If an option is unknown, or ``"rigid"`` stands beside a file.
        GeometryError: If the images do not overlap, or the file's transform cannot
            be meant.
        RegistrationError: If the registration failed: at rest nowhere, two answers,
            no gain of mutual information, or more than 30 mm or 20 degrees.
        MissingInputError: If the file is missing.
        DataError: If the file cannot be read.
    """
    if register not in REGISTER:
        raise UsageError(
            f"register {register!r} is unknown",
            mend=f"choose one of {', '.join(REGISTER)}",
        )
    if t2_to_t1 is not None:
        if register == "rigid":
            raise UsageError(
                "a transform is given and a registration asked for",
                path=t2_to_t1,
                mend="choose one of the two",
            )
        return _placed_by_file(t1, t2, Path(t2_to_t1))
    if register == "none":
        return t1, Registration("none")
    if overlap_fraction(t1.affine, t1.data.shape, t2.affine, t2.data.shape) == 0.0:
        require_overlap(t1, t2)
    if register == "auto" and _too_thin(t1, t2):
        return t1, Registration(register)
    if min(*working_shape(t1), *working_shape(t2)) < FEWEST:
        raise _failed(
            f"an axis is shorter than {FEWEST} voxels of 3 mm or more", t1, t2
        )
    for name, volume in (("T1", t1), ("T2", t2)):
        _refuse_shear(volume, name)
    found = _registered(t1, t2, register)
    return (_moved(t1, found) if found.applied else t1), found


def _registered(t1: Volume, t2: Volume, mode: str) -> Registration:
    """Estimate twice and judge."""
    pair = MutualInformation(t1, t2)
    headers = np.eye(4)
    try:
        placement = pair.maximise(headers)
        misfit = Misfit.of(placement, pair)
        second = pair.maximise(_beside(pair.centre) @ placement, levels=2)
    except GeometryError as error:
        raise _failed(error.what, t1, t2) from error
    residual = Misfit.of(second @ np.linalg.inv(placement), pair)
    before, after = pair.of(headers), pair.of(placement)
    if misfit.shift_mm > LARGEST_SHIFT_MM or misfit.degrees > LARGEST_ROTATION_DEG:
        raise _failed(
            f"it moves the T1 by {misfit.shift_mm:.0f} mm and {misfit.degrees:.0f}"
            f" degrees, the limits are {LARGEST_SHIFT_MM:.0f} mm and"
            f" {LARGEST_ROTATION_DEG:.0f} degrees",
            t1,
            t2,
        )
    if residual.mm > _REPEATS_MM:
        raise _failed(f"two starts end {residual.mm:.1f} mm apart", t1, t2)
    gained = after - before
    if gained <= 0.0 and misfit.mm > _REPEATS_MM:
        raise _failed(
            f"the mutual information falls from {before:.3f} to {after:.3f}", t1, t2
        )
    applied = gained > 0.0 and (
        mode == "rigid"
        or (misfit.mm >= WORTH_MM and gained >= _WORTH_INFORMATION * before)
    )
    return Registration(mode, applied, placement, misfit, residual, (before, after))


def _placed_by_file(t1: Volume, t2: Volume, path: Path) -> tuple[Volume, Registration]:
    """Use a given transform, unless its inverse is what must have been meant."""
    placement = read_transform(path, t1=t1, t2=t2)
    pair = MutualInformation(t1, t2)
    inverse = np.linalg.inv(placement)
    before, after, turned = (pair.of(one) for one in (np.eye(4), placement, inverse))
    if turned > max(before, after) * (1.0 + _WORTH_INFORMATION):
        raise GeometryError(
            "the T1 fits the T2 better by the inverse of this transform (mutual"
            f" information {turned:.3f}) than by the transform ({after:.3f})",
            path=path,
            mend="give the transform with which the T2 is resampled onto the T1"
            " (T1 fixed or reference, T2 moving), that is, the inverse of this one",
        )
    if after < before * (1.0 - _WORTH_INFORMATION):
        warn_user(
            f"the T1 fits the T2 worse by this transform (mutual information"
            f" {after:.3f}) than by the headers ({before:.3f})",
            path=path,
            mend="look at both images together in a viewer",
        )
    found = Registration(
        "file",
        True,
        placement,
        Misfit.of(placement, pair),
        None,
        (before, after),
        (path, transform_sha256(path)),
    )
    return _moved(t1, found), found


def _moved(t1: Volume, found: Registration) -> Volume:
    assert found.placement is not None
    return dataclasses.replace(t1, affine=found.placement @ t1.affine)


def _beside(centre: np.ndarray) -> np.ndarray:
    """A start 3 mm and 3 degrees away: about the diagonal axis, and along it."""
    axis = np.full(3, 3.0**-0.5)
    angle = np.radians(_SECOND_START)
    cross = np.cross(np.eye(3), -axis)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre - turn @ centre + _SECOND_START * axis
    return matrix


def _refuse_shear(volume: Volume, name: str) -> None:
    _, degrees = closest_rotation(volume.affine)
    if degrees > LARGEST_SHEAR_DEG:
        raise GeometryError(
            f"the affine of the {name} is sheared by {degrees:.1f} degrees, so that"
            " no rigid placement is right",
            path=volume.path,
            mend="resample it onto an orthogonal grid, or take the headers as they"
            " are with --register none",
        )
    if degrees > _SHEARED:
        warn_user(
            f"the affine of the {name} is sheared by {degrees:.2f} degrees; it is"
            " registered as it is",
            path=volume.path,
        )


def announced(register: str, t1: Volume, t2: Volume) -> str:
    """What can be said of a registration before anything is measured."""
    if register == "none":
        return "none: the T1 lies where its header says"
    if register == "auto" and _too_thin(t1, t2):
        return "auto: a slab too thin to measure; the T1 lies where its header says"
    return f"{register}: the misfit is measured in the run"


def _too_thin(*volumes: Volume) -> bool:
    """Whether one of the images is a slab that ``auto`` does not measure in."""
    extents = (voxel_sizes(one.affine) * one.data.shape for one in volumes)
    return min(float(extent.min()) for extent in extents) < THINNEST_MM


def _failed(why: str, t1: Volume, t2: Volume) -> RegistrationError:
    return RegistrationError(
        f"the registration of the T1 to the T2 failed: {why}",
        path=[one.path for one in (t1, t2) if one.path is not None],
        mend="check that both are of one person; then place the T1 yourself and give"
        " --t2-to-t1, or trust the headers with --register none",
    )
