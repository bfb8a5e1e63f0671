"""Read volumes with every check, and write them atomically.

`read_volume` is the one door for images: file, nibabel image or `Volume` in, a checked
float32 volume and its float64 affine out. `write_volume` is the one way out.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.arrayproxy import ArrayProxy, is_proxy
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.spatialimages import SpatialImage

from guided_sr.errors import (
    DataError,
    GeometryError,
    IOFailure,
    PathLike,
    TryAgainError,
    UsageError,
    warn_user,
)
from guided_sr.volumes.container import read_payload, sha256_of
from guided_sr.volumes.finite import as_float32, make_finite
from guided_sr.volumes.geometry import corners, voxel_sizes
from guided_sr.volumes.header import (
    affine_of,
    is_affine,
    output_codes,
    refuse_unreal,
)
from guided_sr.volumes.locate import MGH_SUFFIXES, locate, suffix_of
from guided_sr.volumes.peek import read_layout
from guided_sr.volumes.writing import (
    json_text,
    prepare_output,
    publish,
    refuse_same_file,
    staged,
)

__all__ = ["Volume", "make_image", "read_volume", "sha256_of", "write_volume"]

MAX_VOXELS = 2**30
_LONGEST_AXIS = 32767
_QFORM_MISFIT = 0.05  # mm at a corner
_SAVED_MISFIT = 1e-4  # mm at a corner


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
    """

    data: np.ndarray
    affine: np.ndarray
    header: Any = None
    path: Path | None = None
    sha256: str | None = None
    filled: int = 0


def read_volume(
    source: PathLike | SpatialImage | Volume,
    *,
    name: str = "T2",
    max_voxels: int = MAX_VOXELS,
) -> Volume:
    """Read and check an image.

    The header is checked before the voxels are read, and a file is read once, to its
    end, with its checksum verified.

    Args:
        source: A ``.nii``, ``.nii.gz`` or ``.mgz`` file, a nibabel image or a volume.
        name: What to call the image in messages, e.g. ``"T1"``.
        max_voxels: Larger images are refused before memory is taken for them.

    Returns:
        The volume. NaN and Inf, if at most 0.1 % of the voxels, are filled from
        their neighbours, with a warning.

    Raises:
        MissingInputError: If the file is not there or may not be read.
        DataError: If the file is damaged, not one real-valued volume, or constant.
        GeometryError: If it has no usable orientation.
        TryAgainError: If memory is short, or the file changed while it was read.
        IOFailure: If the disk fails.
    """
    try:
        if isinstance(source, (str, os.PathLike)):
            return _read_file(Path(source), name, max_voxels)
        if isinstance(source, SpatialImage):
            return _read_image(source, name, max_voxels)
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


def make_image(
    data: np.ndarray, affine: np.ndarray, *, source: Volume | None = None
) -> Nifti1Image:
    """Make a NIfTI-1 image with a clean header: float32, mm, both forms set.

    Nothing but the form codes is taken from the source: no extensions, no display
    range, no slice timing, no descriptions.

    Args:
        data: Intensities of shape ``(i, j, k)``.
        affine: Voxel to mm, shape ``(4, 4)``.
        source: The image whose world space `affine` refers to.

    Returns:
        The image. An affine that a qform cannot hold (shear) is stored as sform
        alone, with a warning.

    Raises:
        DataError: If the data are no finite volume, or an axis is too long.
        GeometryError: If the affine is not finite and invertible.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(data).astype(np.float32, copy=False)
    if values.ndim != 3 or min(values.shape) < 1:
        raise DataError(f"an image needs three axes, this has shape {values.shape}")
    if max(values.shape) > _LONGEST_AXIS:
        raise DataError(
            f"an axis of {max(values.shape)} voxels is too long for NIfTI",
            mend=f"keep every axis to {_LONGEST_AXIS} voxels",
        )
    if not np.isfinite(values).all():
        raise DataError("the data to be saved hold NaN or Inf")
    if not is_affine(affine):
        raise GeometryError("the affine to be saved is singular or not finite")
    matrix = np.asarray(affine, np.float64)
    q_code, s_code = output_codes(source.header if source else None)
    image = Nifti1Image(values, matrix)
    header = image.header
    header.set_data_dtype(np.float32)
    header.set_xyzt_units("mm")
    header["descrip"] = b"guided-sr"
    image.set_sform(matrix, code=s_code)
    image.set_qform(matrix, code=q_code, strip_shears=True)
    wanted = corners(matrix, values.shape)
    held = corners(header.get_qform(), values.shape)
    if np.linalg.norm(held - wanted, axis=1).max() > _QFORM_MISFIT:
        header["qform_code"] = 0
        header["pixdim"][1:4] = voxel_sizes(matrix)
        warn_user(
            "a qform cannot hold this affine (shear, or rounding close to a half "
            "turn): only the sform is set"
        )
    saved = corners(header.get_sform(), values.shape)
    misfit = float(np.linalg.norm(saved - wanted, axis=1).max())
    if misfit > _SAVED_MISFIT:
        warn_user(f"the sform, stored as float32, is off by {misfit:.2g} mm")
    return image


def write_volume(
    path: PathLike,
    data: np.ndarray,
    affine: np.ndarray,
    *,
    source: Volume | None = None,
    sidecar: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write an image, and a JSON sidecar, completely or not at all.

    Args:
        path: A ``.nii.gz`` or ``.nii`` file; its folder is created if need be.
        data: Intensities of shape ``(i, j, k)``, stored as float32.
        affine: Voxel to mm, shape ``(4, 4)``.
        source: The image whose world space `affine` refers to.
        sidecar: Content of the ``.json`` file beside it; None writes none.
        force: Whether existing files are replaced.

    Returns:
        The path.

    Raises:
        UsageError: If the suffix is wrong, the path is the source's own file, or the
            sidecar cannot be stored.
        CannotCreateError: If a file exists (without `force`) or cannot be created.
        DataError: If the data or the affine cannot be stored.
        IOFailure: If writing fails or the file reads back differently.
    """
    out = Path(path)
    suffix = suffix_of(out)
    if suffix not in (".nii.gz", ".nii"):
        raise UsageError(
            "the output is not named .nii.gz or .nii",
            path=out,
            mend=f"name it {out.name.split('.')[0] or 'image'}.nii.gz",
        )
    refuse_same_file(out, source.path if source else None)
    beside = out.with_name(out.name[: -len(suffix)] + ".json")
    text = None if sidecar is None else json_text(sidecar)
    image = make_image(data, affine, source=source)
    prepare_output(out, force=force)
    if text is not None:
        prepare_output(beside, force=force)
    with ExitStack() as stack:
        file = stack.enter_context(staged(out, image.to_filename, suffix=suffix))
        _verify(file, image, out)
        if text is not None:
            write = partial(_write_text, text=text)
            note = stack.enter_context(staged(beside, write, suffix=".json"))
            publish(note, beside, force=force)
        try:
            publish(file, out, force=force)
        except BaseException:
            if text is not None and not force:
                beside.unlink(missing_ok=True)
            raise
    return out


def _write_text(path: Path, *, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _verify(file: Path, image: Nifti1Image, out: Path) -> None:
    """Read a file back and compare it with what it should hold."""
    written = np.asarray(image.dataobj)
    try:
        read, _, affine, _ = _load(file, "output", written.size)
        gap = np.abs(corners(affine, read.shape) - corners(image.affine, written.shape))
        same = np.array_equal(read, written) and gap.max() <= 2 * _SAVED_MISFIT
    except DataError:
        same = False
    if not same:
        raise IOFailure(
            "the output reads back differently from what was written",
            path=out,
            mend="check the disk or network drive and run again",
        )


def _read_file(path: Path, name: str, max_voxels: int) -> Volume:
    data, header, affine, sha256 = _load(locate(path, name=name), name, max_voxels)
    data, filled = make_finite(data, name, path)
    return Volume(data, affine, header, path, sha256, filled)


def _load(
    path: Path, name: str, max_voxels: int, affine: np.ndarray | None = None
) -> tuple[np.ndarray, Any, np.ndarray, str]:
    """Header checks, then the voxels as float32; NaN is still in them."""
    layout, head = read_layout(path, name=name)
    _refuse_huge(layout.shape, max_voxels, path, name)
    if affine is None:
        affine = affine_of(layout.header, layout.shape, path=path, name=name)
    mgh = suffix_of(path) in MGH_SUFFIXES
    payload = read_payload(path, head, layout.end, name=name, allow_tail=mgh)
    stored = ArrayProxy(
        io.BytesIO(payload.content),
        (layout.shape, layout.dtype, layout.offset, layout.slope, layout.intercept),
        mmap=False,
    )
    return as_float32(stored), layout.header, affine, payload.sha256


def _read_image(image: SpatialImage, name: str, max_voxels: int) -> Volume:
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
    _refuse_huge(shape, max_voxels, path, name)
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
        affine = affine_of(header, shape, path=path, name=name)
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
        data, _, _, sha256 = _load(
            locate(path, name=name), name, math.prod(shape), affine
        )
        if data.shape == shape:
            return data, sha256
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
    _refuse_huge(data.shape, max_voxels, volume.path, name)
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
    )


def _refuse_huge(
    shape: tuple[int, ...], max_voxels: int, path: Path | None, name: str
) -> None:
    voxels = math.prod(shape)
    if voxels > max_voxels:
        raise DataError(
            f"the {name} would need {voxels * 4 / 2**30:.3g} GiB; the limit is "
            f"{max_voxels * 4 / 2**30:.3g} GiB",
            path=path,
            mend="crop it; if the header is wrong, convert it again",
        )
