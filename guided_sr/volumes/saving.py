"""Write volumes atomically, with a clean header and a sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image

from guided_sr.errors import (
    DataError,
    GeometryError,
    IOFailure,
    PathLike,
    UsageError,
    warn_user,
)
from guided_sr.volumes.forms import is_affine, output_codes
from guided_sr.volumes.geometry import corners, voxel_sizes
from guided_sr.volumes.locate import suffix_of
from guided_sr.volumes.nifti import Reading, Volume, load
from guided_sr.volumes.writing import (
    json_text,
    prepare_output,
    publish,
    refuse_same_file,
    staged,
)

__all__ = ["LONGEST_AXIS", "make_image", "write_volume"]

LONGEST_AXIS = 32767
_QFORM_MISFIT = 0.05  # mm at a corner
_SAVED_MISFIT = 1e-4  # mm at a corner


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
    if max(values.shape) > LONGEST_AXIS:
        raise DataError(
            f"an axis of {max(values.shape)} voxels is too long for NIfTI",
            mend=f"keep every axis to {LONGEST_AXIS} voxels",
        )
    if not np.isfinite(values).all():
        raise DataError("the data to be saved hold NaN or Inf")
    if not is_affine(affine):
        raise GeometryError("the affine to be saved is singular or not finite")
    matrix = np.asarray(affine, np.float64)
    q_code, s_code = output_codes(
        *((source.header, source.affine) if source else (None,))
    )
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
        read = load(file, "output", written.size, Reading())
        shape = read.data.shape
        gap = np.abs(corners(read.affine, shape) - corners(image.affine, written.shape))
        same = np.array_equal(read.data, written) and gap.max() <= 2 * _SAVED_MISFIT
    except DataError:
        same = False
    if not same:
        raise IOFailure(
            "the output reads back differently from what was written",
            path=out,
            mend="check the disk or network drive and run again",
        )
