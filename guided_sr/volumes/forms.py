"""Where the voxels of a header lie in space.

The orientation follows the truth table used by fMRIPrep's ``ValidateImage``: the sform
where it is valid, else the qform, else a refusal. nibabel alone would go on with a
singular or a guessed affine. Two valid forms that lie apart are refused until one of
them is asked for: either may be the one that fits the other image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.spatialimages import HeaderDataError

from guided_sr.errors import GeometryError, warn_user
from guided_sr.volumes.geometry import corners

__all__ = ["FORMS", "Form", "affine_of", "is_affine", "output_codes"]

Form = Literal["sform", "qform"]
FORMS: tuple[Form, ...] = ("sform", "qform")
_FORMS_DISAGREE = 0.1  # mm at a corner
_CODES = range(6)


def is_affine(affine: Any) -> bool:
    """Whether a matrix is finite, 4 x 4 and invertible."""
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return False
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() < 1e-6 or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        return False
    return bool(abs(np.linalg.det(matrix[:3, :3] / lengths)) > 1e-4)


def affine_of(
    header: Any,
    shape: tuple[int, ...],
    *,
    path: Path | None,
    name: str,
    prefer: Form | None = None,
    assume: bool = False,
) -> np.ndarray:
    """The voxel-to-millimetre matrix of a header, or a refusal.

    Args:
        header: Of nibabel.
        shape: Of the volume, to measure disagreements at the corners.
        path: For messages.
        name: What to call the image in messages.
        prefer: Which form holds where both are valid and lie apart.
        assume: Whether to go on, with a warning, where neither form is set.

    Returns:
        Affine of shape ``(4, 4)``, float64, in mm.

    Raises:
        GeometryError: If neither form is set (without `assume`), none of them is
            valid, or they lie apart (without `prefer`).
    """
    if not isinstance(header, Nifti1Header):
        affine = np.asarray(header.get_best_affine(), np.float64)
        if is_affine(affine):
            return affine
        raise _no_affine(path, name, "its orientation is singular or not finite")
    s_code, q_code = int(header["sform_code"]), int(header["qform_code"])
    sform, qform = _sform(header), _qform(header)
    if s_code <= 0 and q_code <= 0:
        return _assumed(header, path, name, assume)
    if s_code > 0 and sform is not None:
        _warn_of_sizes(header, path, name)
        if q_code > 0 and qform is not None:
            return _of_two(sform, qform, shape, path, name, prefer)
        return sform
    if q_code > 0 and qform is not None:
        _warn_of_sizes(header, path, name)
        if s_code > 0:
            warn_user(
                f"the sform of the {name} is singular or not finite; "
                "its qform is used instead",
                path=path,
            )
        return qform
    raise _no_affine(path, name, "its qform or sform is singular or not finite")


def _of_two(
    sform: np.ndarray,
    qform: np.ndarray,
    shape: tuple[int, ...],
    path: Path | None,
    name: str,
    prefer: Form | None,
) -> np.ndarray:
    """One of two valid forms."""
    apart = _apart(sform, qform, shape)
    if apart <= _FORMS_DISAGREE:
        return sform
    if prefer is None:
        raise GeometryError(
            f"qform and sform of the {name} are {apart:.3g} mm apart",
            path=path,
            mend="look at it with the other image in a viewer and choose with"
            " --prefer sform or --prefer qform",
        )
    warn_user(
        f"qform and sform of the {name} are {apart:.3g} mm apart; the {prefer} is used",
        path=path,
    )
    return sform if prefer == "sform" else qform


def _assumed(header: Any, path: Path | None, name: str, assume: bool) -> np.ndarray:
    """The orientation of a header that gives none: as nibabel and FSL guess it."""
    with np.errstate(invalid="ignore"):
        affine = np.asarray(header.get_base_affine(), np.float64)
    if not assume:
        raise _no_affine(
            path,
            name,
            "qform and sform codes are both 0",
            "; or go on with --assume-affine",
        )
    if not is_affine(affine):
        raise _no_affine(path, name, "its voxel sizes are not positive")
    warn_user(
        f"the {name} has no orientation; voxel sizes and radiological order are"
        " assumed, left and right are not known",
        path=path,
    )
    return affine


def _warn_of_sizes(header: Any, path: Path | None, name: str) -> None:
    with np.errstate(invalid="ignore"):
        sizes = np.asarray(header["pixdim"][1:4], np.float64)
    used = sizes[: max(1, min(3, int(header["dim"][0])))]
    if not (np.isfinite(used) & (used > 0)).all():
        warn_user(
            f"pixdim of the {name} is not positive; voxel sizes come from its sform,"
            " or are taken without sign",
            path=path,
        )


def output_codes(header: Any, used: np.ndarray | None = None) -> tuple[int, int]:
    """The qform and sform codes for an image on the grid of a source.

    Args:
        header: Header of the source, or None.
        used: The affine that the source was read with.

    Returns:
        ``(qform_code, sform_code)``: those of the source where both of its forms are
        valid and agree, else the code of the one that was used, twice; 1 and 1
        ("scanner") where the source has none.
    """
    if not isinstance(header, Nifti1Header):
        return 1, 1
    s_code, q_code = int(header["sform_code"]), int(header["qform_code"])
    sform, qform = _sform(header), _qform(header)
    has_s, has_q = s_code > 0 and sform is not None, q_code > 0 and qform is not None
    s_code, q_code = (c if c in _CODES else 1 for c in (s_code, q_code))
    if has_s and has_q:
        shape = (*header.get_data_shape(), 1, 1)[:3]
        if _apart(sform, qform, shape) <= _FORMS_DISAGREE:
            return q_code, s_code
        has_s = used is None or _apart(sform, used, shape) <= _FORMS_DISAGREE
    if has_s:
        return s_code, s_code
    return (q_code, q_code) if has_q else (1, 1)


def _apart(one: Any, other: Any, shape: tuple[int, ...]) -> float:
    gap = corners(one, shape) - corners(other, shape)
    return float(np.linalg.norm(gap, axis=1).max())


def _sform(header: Any) -> np.ndarray | None:
    with np.errstate(invalid="ignore"):  # of a signalling NaN
        affine = np.asarray(header.get_sform(), np.float64)
    return affine if is_affine(affine) else None


def _qform(header: Any) -> np.ndarray | None:
    clean = header.copy()
    with np.errstate(all="ignore"):
        return _clean_qform(clean)


def _clean_qform(clean: Any) -> np.ndarray | None:
    if float(clean["pixdim"][0]) not in (-1.0, 1.0):
        clean["pixdim"][0] = 1.0  # the standard reads 0 as 1
    clean["pixdim"][1:4] = np.abs(clean["pixdim"][1:4])
    try:
        affine = np.asarray(clean.get_qform(), np.float64)
    except (HeaderDataError, ValueError):
        return None
    return affine if is_affine(affine) else None


def _no_affine(path: Path | None, name: str, why: str, more: str = "") -> GeometryError:
    return GeometryError(
        f"the {name} has no usable orientation, {why}",
        path=path,
        mend="convert it again from DICOM with dcm2niix, or copy the header "
        f"of an image on the same grid (fslcpgeom){more}",
    )
