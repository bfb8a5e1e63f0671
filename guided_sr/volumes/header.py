"""What a header says, checked before a single voxel is read.

The orientation follows the truth table used by fMRIPrep's ``ValidateImage``: the sform
where it is valid, else the qform, else a refusal. nibabel alone would go on with a
singular or a guessed affine.
"""

from __future__ import annotations

import math
import shlex
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from guided_sr.errors import DataError, GeometryError, warn_user
from guided_sr.volumes.geometry import corners

__all__ = ["HEAD_BYTES", "Layout", "affine_of", "is_affine", "output_codes", "parse"]

HEAD_BYTES = 544
_MGH_BYTES = 284
_FORMS_DISAGREE = 0.1  # mm at a corner
_CODES = range(6)
_UNITS = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True)
class Layout:
    """Where the voxels lie in a file.

    Attributes:
        header: The nibabel header, as stored.
        shape: ``(i, j, k)``.
        dtype: Of the stored values.
        offset: First byte of the image data.
        slope: Factor from stored to real values.
        intercept: Added after the factor.
    """

    header: Any
    shape: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float

    @property
    def end(self) -> int:
        """First byte after the image data."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def parse(head: bytes, *, mgh: bool, path: Path, name: str) -> Layout:
    """Parse the first bytes of an image and refuse what cannot be used.

    Args:
        head: The first `HEAD_BYTES` bytes, decompressed.
        mgh: Whether the suffix says FreeSurfer MGH.
        path: For messages.
        name: What to call the image in messages.

    Raises:
        DataError: For a header that is damaged, not one volume, or not real-valued.
    """
    return (_parse_mgh if mgh else _parse_nifti)(head, path, name)


def _parse_nifti(head: bytes, path: Path, name: str) -> Layout:
    for kind, size in ((Nifti1Header, 348), (Nifti2Header, 540)):
        for sign in "<>":
            if head[:4] == struct.pack(f"{sign}i", size) and len(head) >= size:
                header = kind(head[:size], endianness=sign, check=False)
                return _nifti_layout(header, size, path, name)
    raise DataError(
        f"the {name} has no NIfTI header, or one cut short",
        path=path,
        mend="convert or download it again",
    )


def _nifti_layout(header: Any, size: int, path: Path, name: str) -> Layout:
    def refuse(what: str, mend: str = "convert it again from the source") -> DataError:
        return DataError(f"the {name} header {what}", path=path, mend=mend)

    magic = bytes(header["magic"].item())[:3]
    if magic in (b"ni1", b"ni2"):
        pair = shlex.quote(str(path.with_suffix(".hdr")))
        raise refuse("is one half of a .hdr/.img pair", f"nib-convert {pair} new.nii")
    if magic not in (b"n+1", b"n+2"):
        raise refuse(f"has a wrong magic field ({magic!r})")
    dim = [int(n) for n in header["dim"]]
    if not 2 <= dim[0] <= 7:
        raise refuse(f"gives {dim[0]} dimensions (dim[0]); 2 to 7 are valid")
    sizes = dim[1 : dim[0] + 1]
    shape = _one_volume(sizes, path, name)
    code = int(header["datatype"])
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise refuse(f"has an unknown datatype ({code})") from error
    dtype = _real(dtype, code, path, name)
    start = float(header["vox_offset"])
    if not (math.isfinite(start) and size + 4 <= start < 2**40):
        raise refuse(f"has a wrong vox_offset ({start:g})")
    units = int(header["xyzt_units"]) & 0x07
    if units in _UNITS:
        raise refuse(
            f"gives sizes in {_UNITS[units]}", "rescale the affine to millimetres"
        )
    slope, intercept = _scaling(header, path, name)
    return Layout(header, shape, dtype, int(start), slope, intercept)


def _parse_mgh(head: bytes, path: Path, name: str) -> Layout:
    if len(head) < _MGH_BYTES or head[:4] != b"\0\0\0\x01":
        raise DataError(
            f"the {name} has no MGH header, or one cut short",
            path=path,
            mend="convert it again, for instance with mri_convert",
        )
    header = MGHHeader(head[:_MGH_BYTES], check=False)
    shape = _one_volume([int(n) for n in header["dims"]], path, name)
    code = int(header["type"])
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise DataError(
            f"the {name} header has an unknown type ({code})",
            path=path,
            mend="convert it again, for instance with mri_convert",
        ) from error
    return Layout(header, shape, _real(dtype, code, path, name), _MGH_BYTES, 1.0, 0.0)


def _one_volume(sizes: list[int], path: Path, name: str) -> tuple[int, int, int]:
    if min(sizes) < 1:
        raise DataError(
            f"the {name} header gives an axis of {min(sizes)} voxels",
            path=path,
            mend="convert it again from the source",
        )
    frames = math.prod(sizes[3:])
    if frames > 1:
        raise DataError(
            f"the {name} holds {frames} frames, one is needed",
            path=path,
            mend=f"save one of them, e.g. fslroi {shlex.quote(str(path))} "
            "one_frame.nii.gz 0 1",
        )
    i, j, k = (*sizes[:3], 1, 1)[:3]
    return i, j, k


def _real(dtype: np.dtype, code: int, path: Path | None, name: str) -> np.dtype:
    if dtype.kind == "c" or code in (32, 1792, 2048):
        raise DataError(
            f"the {name} is complex-valued", path=path, mend="save the magnitude image"
        )
    if dtype.fields or code in (128, 2304):
        raise DataError(
            f"the {name} is a colour (RGB) image",
            path=path,
            mend="save the grey-scale image from which it was made",
        )
    if dtype.kind not in "biuf" or dtype.itemsize == 0:
        raise DataError(
            f"the {name} has values of an unsupported type ({dtype}, code {code})",
            path=path,
            mend="save it as float32",
        )
    return dtype


def refuse_unreal(dtype: np.dtype, *, path: Path | None, name: str) -> None:
    """Refuse arrays that are complex, coloured or not numbers at all."""
    _real(dtype, 0, path, name)


def _scaling(header: Any, path: Path, name: str) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0.0 or math.isnan(slope):  # NaN is what nibabel leaves for "none"
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        warn_user(
            f"scl_slope or scl_inter of the {name} is not finite and is ignored",
            path=path,
        )
        return 1.0, 0.0
    return slope, intercept


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
    header: Any, shape: tuple[int, ...], *, path: Path | None, name: str
) -> np.ndarray:
    """The voxel-to-millimetre matrix of a header, or a refusal.

    Args:
        header: Of nibabel.
        shape: Of the volume, to measure disagreements at the corners.
        path: For messages.
        name: What to call the image in messages.

    Returns:
        Affine of shape ``(4, 4)``, float64, in mm.

    Raises:
        GeometryError: If neither form is set, or none of them is valid.
    """
    if not isinstance(header, Nifti1Header):
        affine = np.asarray(header.get_best_affine(), np.float64)
        if is_affine(affine):
            return affine
        raise _no_affine(path, name, "its orientation is singular or not finite")
    s_code, q_code = int(header["sform_code"]), int(header["qform_code"])
    sform, qform = _sform(header), _qform(header)
    if s_code <= 0 and q_code <= 0:
        raise _no_affine(path, name, "qform and sform codes are both 0")
    if s_code > 0 and sform is not None:
        _warn_about_forms(header, sform, qform, shape, path, name)
        return sform
    if q_code > 0 and qform is not None:
        if s_code > 0:
            warn_user(
                f"the sform of the {name} is singular or not finite; "
                "its qform is used instead",
                path=path,
            )
        return qform
    raise _no_affine(path, name, "its qform or sform is singular or not finite")


def output_codes(header: Any) -> tuple[int, int]:
    """The qform and sform codes for an image on the grid of a source.

    Args:
        header: Header of the source, or None.

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
        agree = _apart(sform, qform, shape) <= _FORMS_DISAGREE
        return (q_code, s_code) if agree else (s_code, s_code)
    if has_s:
        return s_code, s_code
    return (q_code, q_code) if has_q else (1, 1)


def _warn_about_forms(
    header: Any,
    sform: np.ndarray,
    qform: np.ndarray | None,
    shape: tuple[int, ...],
    path: Path | None,
    name: str,
) -> None:
    sizes = np.asarray(header["pixdim"][1:4], np.float64)
    used = sizes[: max(1, min(3, int(header["dim"][0])))]
    if not (np.isfinite(used) & (used > 0)).all():
        warn_user(
            f"pixdim of the {name} is not positive; voxel sizes come from its sform",
            path=path,
        )
    elif int(header["qform_code"]) > 0 and qform is not None:
        apart = _apart(sform, qform, shape)
        if apart > _FORMS_DISAGREE:
            warn_user(
                f"qform and sform of the {name} differ by {apart:.3g} mm; "
                "the sform is used",
                path=path,
                mend="check that the T1 and the T2 lie on each other in a viewer",
            )


def _apart(one: Any, other: Any, shape: tuple[int, ...]) -> float:
    gap = corners(one, shape) - corners(other, shape)
    return float(np.linalg.norm(gap, axis=1).max())


def _sform(header: Any) -> np.ndarray | None:
    affine = np.asarray(header.get_sform(), np.float64)
    return affine if is_affine(affine) else None


def _qform(header: Any) -> np.ndarray | None:
    clean = header.copy()
    if float(clean["pixdim"][0]) not in (-1.0, 1.0):
        clean["pixdim"][0] = 1.0  # the standard reads 0 as 1
    clean["pixdim"][1:4] = np.abs(clean["pixdim"][1:4])
    try:
        affine = np.asarray(clean.get_qform(), np.float64)
    except (HeaderDataError, ValueError):
        return None
    return affine if is_affine(affine) else None


def _no_affine(path: Path | None, name: str, why: str) -> GeometryError:
    return GeometryError(
        f"the {name} has no usable orientation, {why}",
        path=path,
        mend="convert it again from DICOM with dcm2niix, or copy the header "
        "of an image on the same grid (fslcpgeom)",
    )
