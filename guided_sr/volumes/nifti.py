"""Read volumes with every check.

`read_volume` is the one door for images: file, nibabel image or `Volume` in, a checked
float32 volume and its float64 affine out.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.arrayproxy import ArrayProxy, is_proxy
from nibabel.nifti1 import Nifti1Header
from nibabel.spatialimages import SpatialImage

from guided_sr.errors import (
    DataError,
    GeometryError,
    PathLike,
    TryAgainError,
    UsageError,
)
from guided_sr.volumes.container import read_payload, sha256_of
from guided_sr.volumes.finite import as_float32, make_finite
from guided_sr.volumes.forms import FORMS, Form, affine_of, is_affine
from guided_sr.volumes.header import count_extensions, refuse_unreal
from guided_sr.volumes.locate import MGH_SUFFIXES, locate, suffix_of
from guided_sr.volumes.memory import MAX_VOXELS, refuse_huge
from guided_sr.volumes.peek import read_layout

__all__ = ["Reading", "Volume", "read_volume", "sha256_of"]


@dataclass(frozen=True, eq=False)
class Volume:
    """A checked volume.

    Attributes:
        data: Intensities of shape ``(i, j, k)``, float32, all finite.
        affine: Voxel to mm, shape ``(4, 4)``, float64, invertible.
        header: The nibabel header it came with, or None.
        path: Its file, or None.
        sha256: Of the file as stored, or None.
        filled: How many voxels were NaN or Inf and took their neighbours' values.
        extensions: How many header extensions its file has; none is ever copied.
    """

    data: np.ndarray
    affine: np.ndarray
    header: Any = None
    path: Path | None = None
    sha256: str | None = None
    filled: int = 0
    extensions: int = 0


@dataclass(frozen=True)
class Reading:
    """What to make of a file that can be read in several ways.

    Attributes:
        frame: Which of several volumes, from 0; None refuses several.
        prefer: Which form holds where qform and sform lie apart; None refuses them.
        assume_affine: Whether to go on where the header gives no orientation.
    """

    frame: int | None = None
    prefer: Form | None = None
    assume_affine: bool = False


def read_volume(
    source: PathLike | SpatialImage | Volume,
    *,
    name: str = "T2",
    max_voxels: int = MAX_VOXELS,
    frame: int | None = None,
    prefer: Form | None = None,
    assume_affine: bool = False,
) -> Volume:
    """Read and check an image.

    The header is checked before the voxels are read, and a file is read once, to its
    end, with its checksum verified.

    Args:
        source: A ``.nii``, ``.nii.gz`` or ``.mgz`` file, a nibabel image or a volume.
        name: What to call the image in messages, e.g. ``"T1"``.
        max_voxels: Larger images are refused before memory is taken for them.
        frame: Which volume of a file that holds several, from 0.
        prefer: ``"sform"`` or ``"qform"``: which holds where a header has both and
            they lie over 0.1 mm apart.
        assume_affine: Whether to go on, with a warning, where a header has neither.

    Returns:
        The volume. NaN and Inf, if at most 0.1 % of the voxels, are filled from
        their neighbours, with a warning.

    Raises:
        MissingInputError: If the file is not there or may not be read.
        DataError: If the file is damaged, not one real-valued volume, or constant.
        GeometryError: If it has no usable orientation, or two that lie apart.
        UsageError: If there is no such frame or form.
        TryAgainError: If memory is short, or the file changed while it was read.
        IOFailure: If the disk fails.
    """
    if prefer not in (None, *FORMS):
        raise UsageError(f"{prefer!r} is no form", mend=f"prefer {' or '.join(FORMS)}")
    how = Reading(frame, prefer, assume_affine)
    try:
        if isinstance(source, (str, os.PathLike)):
            return _read_file(Path(source), name, max_voxels, how)
        if isinstance(source, SpatialImage):
            return _read_image(source, name, max_voxels, how)
        if isinstance(source, Volume):
            return _checked_volume(source, name, max_voxels)
    except MemoryError as error:
        raise TryAgainError(
            f"not enough memory to read the {name}",
            path=source if isinstance(source, (str, os.PathLike)) else None,
            mend="close other programs, or use a machine with more memory",
        ) from error
    raise UsageError(
        f"the {name} is a {type(source).__name__}",
        mend="give a path, a nibabel image or a Volume",
    )


@dataclass(frozen=True, eq=False)
class Loaded:
    """The voxels of a file, NaN still in them, and what came with them."""

    data: np.ndarray
    header: Any
    affine: np.ndarray
    sha256: str
    extensions: int


def _read_file(path: Path, name: str, max_voxels: int, how: Reading) -> Volume:
    file = load(locate(path, name=name), name, max_voxels, how)
    data, filled = make_finite(file.data, name, path)
    return Volume(
        data, file.affine, file.header, path, file.sha256, filled, file.extensions
    )


def load(
    path: Path,
    name: str,
    max_voxels: int,
    how: Reading,
    affine: np.ndarray | None = None,
) -> Loaded:
    """Header checks, then the voxels as float32."""
    layout, head = read_layout(path, name=name, frame=how.frame, max_voxels=max_voxels)
    if affine is None:
        affine = affine_of(
            layout.header,
            layout.shape,
            path=path,
            name=name,
            prefer=how.prefer,
            assume=how.assume_affine,
        )
    mgh = suffix_of(path) in MGH_SUFFIXES
    payload = read_payload(path, head, layout.end, name=name, allow_tail=mgh)
    stored = ArrayProxy(
        io.BytesIO(payload.content),
        (layout.shape, layout.dtype, layout.offset, layout.slope, layout.intercept),
        mmap=False,
    )
    extensions = count_extensions(payload.content, layout.header, layout.start)
    return Loaded(as_float32(stored), layout.header, affine, payload.sha256, extensions)


def _read_image(
    image: SpatialImage, name: str, max_voxels: int, how: Reading
) -> Volume:
    known = image.get_filename()
    path = Path(known) if known else None
    sizes = tuple(int(n) for n in image.shape)
    if len(sizes) > 3 and math.prod(sizes[3:]) > 1:
        raise DataError(
            f"the {name} holds {math.prod(sizes[3:])} frames, one is needed",
            path=path,
            mend="give one of them, for instance image.slicer[..., 0]",
        )
    if len(sizes) < 2 or min(sizes) < 1:
        raise DataError(
            f"the {name} has shape {sizes}", path=path, mend="give a volume"
        )
    shape = (sizes[0], sizes[1], (*sizes, 1)[2])
    refuse_huge(shape, max_voxels, path=path, name=name)
    header = image.header
    given = np.full((4, 4), np.nan)
    if image.affine is not None:
        given = np.asarray(image.affine, np.float64)
    # nibabel's guess where no form is set is no orientation; one set by hand is.
    by_hand = not isinstance(header, Nifti1Header) or not np.allclose(
        given, header.get_best_affine()
    )
    if by_hand and is_affine(given):
        affine = given
    else:
        affine = affine_of(
            header,
            shape,
            path=path,
            name=name,
            prefer=how.prefer,
            assume=how.assume_affine,
        )
    refuse_unreal(image.get_data_dtype(), path=path, name=name)
    data, sha256 = _voxels(image, affine, shape, path, name)
    data, filled = make_finite(data, name, path)
    return Volume(data, affine, header.copy(), path, sha256, filled)


def _voxels(
    image: SpatialImage,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    path: Path | None,
    name: str,
) -> tuple[np.ndarray, str | None]:
    """Voxels of an image; those still in its file get the checks of a file."""
    if path is not None and is_proxy(image.dataobj) and suffix_of(path):
        file = load(locate(path, name=name), name, math.prod(shape), Reading(), affine)
        if file.data.shape == shape:
            return file.data, file.sha256
    try:
        return as_float32(image.dataobj).reshape(shape), None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"the voxels of the {name} cannot be read ({error})",
            path=path,
            mend="copy, download or convert the file again",
        ) from error


def _checked_volume(volume: Volume, name: str, max_voxels: int) -> Volume:
    data = np.asarray(volume.data)
    if data.ndim != 3 or min(data.shape) < 1:
        raise DataError(
            f"the {name} has shape {data.shape}", path=volume.path, mend="give a volume"
        )
    refuse_huge(data.shape, max_voxels, path=volume.path, name=name)
    refuse_unreal(data.dtype, path=volume.path, name=name)
    if not is_affine(volume.affine):
        raise GeometryError(
            f"the affine of the {name} is singular or not finite",
            path=volume.path,
            mend="give a 4 x 4 voxel-to-millimetre matrix",
        )
    checked, filled = make_finite(as_float32(data), name, volume.path)
    if checked is volume.data:
        return volume
    return Volume(
        checked,
        np.asarray(volume.affine, np.float64),
        volume.header,
        volume.path,
        volume.sha256,
        volume.filled + filled,
        volume.extensions,
    )
