"""What a header says of the voxels, checked before a single one is read."""

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

from guided_sr.errors import DataError, UsageError, warn_user

__all__ = ["HEAD_BYTES", "Layout", "count_extensions", "parse", "refuse_unreal"]

HEAD_BYTES = 544
_MGH_BYTES = 284
_UNITS = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True)
class Layout:
    """Where the voxels lie in a file.

    Attributes:
        header: The nibabel header, as stored.
        shape: ``(i, j, k)``.
        dtype: Of the stored values.
        start: First byte of the image data.
        slope: Factor from stored to real values.
        intercept: Added after the factor.
        frames: Number of volumes of this shape in the file.
        frame: Which of them is meant, from 0.
    """

    header: Any
    shape: tuple[int, int, int]
    dtype: np.dtype
    start: int
    slope: float
    intercept: float
    frames: int = 1
    frame: int = 0

    @property
    def size(self) -> int:
        """Bytes of one volume."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def offset(self) -> int:
        """First byte of the volume that is meant."""
        return self.start + self.frame * self.size

    @property
    def end(self) -> int:
        """First byte after the image data."""
        return self.start + self.frames * self.size


def parse(
    head: bytes, *, mgh: bool, path: Path, name: str, frame: int | None = None
) -> Layout:
    """Parse the first bytes of an image and refuse what cannot be used.

    Args:
        head: The first `HEAD_BYTES` bytes, decompressed.
        mgh: Whether the suffix says FreeSurfer MGH.
        path: For messages.
        name: What to call the image in messages.
        frame: Which of several volumes is meant, from 0.

    Raises:
        DataError: For a header that is damaged, of several volumes (without `frame`),
            or not real-valued.
        UsageError: If there is no such frame.
    """
    return (_parse_mgh if mgh else _parse_nifti)(head, path, name, frame)


def _parse_nifti(head: bytes, path: Path, name: str, frame: int | None) -> Layout:
    for kind, size in ((Nifti1Header, 348), (Nifti2Header, 540)):
        for sign in "<>":
            if head[:4] == struct.pack(f"{sign}i", size) and len(head) >= size:
                header = kind(head[:size], endianness=sign, check=False)
                return _nifti_layout(header, size, path, name, frame)
    raise DataError(
        f"the {name} has no NIfTI header, or one cut short",
        path=path,
        mend="convert or download it again",
    )


def _nifti_layout(
    header: Any, size: int, path: Path, name: str, frame: int | None
) -> Layout:
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
    shape, frames = _volumes(sizes, path, name, frame)
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
    return Layout(
        header, shape, dtype, int(start), slope, intercept, frames, frame or 0
    )


def _parse_mgh(head: bytes, path: Path, name: str, frame: int | None) -> Layout:
    if len(head) < _MGH_BYTES or head[:4] != b"\0\0\0\x01":
        raise DataError(
            f"the {name} has no MGH header, or one cut short",
            path=path,
            mend="convert it again, for instance with mri_convert",
        )
    header = MGHHeader(head[:_MGH_BYTES], check=False)
    sizes = [int(n) for n in header["dims"]]
    shape, frames = _volumes(sizes, path, name, frame)
    code = int(header["type"])
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise DataError(
            f"the {name} header has an unknown type ({code})",
            path=path,
            mend="convert it again, for instance with mri_convert",
        ) from error
    dtype = _real(dtype, code, path, name)
    return Layout(header, shape, dtype, _MGH_BYTES, 1.0, 0.0, frames, frame or 0)


def _volumes(
    sizes: list[int], path: Path, name: str, frame: int | None
) -> tuple[tuple[int, int, int], int]:
    """Shape and number of the volumes of a file."""
    if min(sizes) < 1:
        raise DataError(
            f"the {name} header gives an axis of {min(sizes)} voxels",
            path=path,
            mend="convert it again from the source",
        )
    frames = math.prod(sizes[3:])
    if frames > 1 and frame is None:
        raise DataError(
            f"the {name} holds {frames} frames, one is needed",
            path=path,
            mend=f"choose one with --frame 0 to --frame {frames - 1}, or save it alone,"
            f" e.g. fslroi {shlex.quote(str(path))} one_frame.nii.gz 0 1",
        )
    if frame is not None and not 0 <= frame < frames:
        raise UsageError(
            f"the {name} holds {frames} frames, there is no frame {frame}",
            path=path,
            mend=f"count from 0 to {frames - 1}",
        )
    i, j, k = (*sizes[:3], 1, 1)[:3]
    return (i, j, k), frames


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
    if slope == 0.0:
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        warn_user(
            f"scl_slope or scl_inter of the {name} is not finite and is ignored",
            path=path,
        )
        return 1.0, 0.0
    return slope, intercept


def count_extensions(content: bytes | bytearray, header: Any, start: int) -> int:
    """How many header extensions a NIfTI file has.

    Args:
        content: The file, at least up to the image data.
        header: Its header.
        start: First byte of the image data.
    """
    at = {Nifti1Header: 348, Nifti2Header: 540}.get(type(header), start)
    if at + 4 > start or content[at] == 0:
        return 0
    count, at = 0, at + 4
    while at + 8 <= start:
        size = int.from_bytes(
            content[at : at + 4], "little" if header.endianness == "<" else "big"
        )
        if size < 16:
            break
        count, at = count + 1, at + size
    return count
