"""Read a transform from the T2 to the T1 that was made elsewhere.

"From the T2 to the T1" is meant as registration programs do: the transform with which
the T2, moving, is resampled onto the T1, fixed (BIDS: ``from-T2w_to-T1w_mode-image``).

======================  =================================================  ===========
program                 how the file was made                              read by
======================  =================================================  ===========
ANTs, ITK, SimpleITK    fixed T1, moving T2; ``.txt``, ``.tfm``, ``.mat``  SimpleITK
FSL                     ``flirt -in T2 -ref T1 -omat FILE.mat``            nitransforms
FreeSurfer              ``--mov T2 --dst T1 --lta FILE.lta``               nitransforms
AFNI                    ``-source T2 -base T1 -1Dmatrix_save FILE.1D``     nitransforms
======================  =================================================  ===========

An ITK file holds the map of *points* that resampling needs, from the fixed image to the
moving one, in LPS; FSL and FreeSurfer store the map from the moving image to the fixed
one. All end here as one matrix from RAS mm of the T1 to RAS mm of the T2.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from guided_sr.errors import DataError, GeometryError, MissingInputError, UsageError
from guided_sr.volumes.mutual_information import LPS, linear_matrix

if TYPE_CHECKING:
    from guided_sr.volumes.nifti import Volume

__all__ = ["read_transform", "transform_sha256"]

_ITK = (".txt", ".tfm", ".mat")
_OTHERS = {".lta": "fs", ".1d": "afni"}
_LARGEST = 2**20  # bytes; a linear transform takes some hundred
_ITK_TEXT = b"#Insight Transform File"
_MOST_SCALING = 0.1
_AFFINE_END = [0.0, 0.0, 0.0, 1.0]


def read_transform(path: Path, *, t1: Volume, t2: Volume) -> np.ndarray:
    """Read a linear transform from the T2 to the T1.

    Args:
        path: The file; its suffix and first bytes tell the format.
        t1: The T1, whose grid FSL's and AFNI's numbers refer to.
        t2: The T2, likewise.

    Returns:
        Matrix of shape ``(4, 4)``: RAS mm of the T1 to RAS mm of the T2.

    Raises:
        MissingInputError: If the file is not there.
        UsageError: If the suffix is unknown, or nitransforms is needed and missing.
        DataError: If the file cannot be read or holds no linear transform.
        GeometryError: If the transform mirrors, or stretches by more than 10 %.
    """
    suffix = path.suffix.lower()
    if suffix not in (*_ITK, *_OTHERS):
        raise UsageError(
            f"a transform of type {suffix or 'no suffix'!r} is unknown",
            path=path,
            mend=f"give a linear transform as {', '.join((*_ITK, *_OTHERS))}; a warp"
            " can be applied to the T1 beforehand",
        )
    head = _content(path)[:512]
    if suffix in _OTHERS:
        matrix = _by_nitransforms(path, _OTHERS[suffix], t1, t2)
    elif suffix == ".mat" and _is_text(head) and not head.startswith(_ITK_TEXT):
        matrix = _by_nitransforms(path, "fsl", t1, t2)
    else:
        matrix = _by_itk(path)
    return _checked(matrix, path)


def transform_sha256(path: Path) -> str:
    """The sha256 of a transform's file.

    Raises:
        MissingInputError: If it cannot be read.
        DataError: If it is too large for a linear transform.
    """
    return hashlib.sha256(_content(path)).hexdigest()


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(
                f"the transform is larger than {_LARGEST // 2**20} MiB",
                path=path,
                mend="give a linear transform; a warp can be applied to the T1"
                " beforehand",
            )
        return path.read_bytes()
    except OSError as error:
        raise MissingInputError(
            f"the transform cannot be read ({error.strerror})",
            path=path,
            mend="check the path",
        ) from error


def _is_text(head: bytes) -> bool:
    return bool(head.strip()) and all(32 <= c < 127 or c in b"\t\r\n" for c in head)


def _by_itk(path: Path) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813 - its usual name

    talks = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise _unreadable(path, "an ITK transform") from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(talks)
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise DataError(
            "the transform is not linear in three dimensions",
            path=path,
            mend="give a rigid or affine one; a warp can be applied to the T1"
            " beforehand",
        )
    return LPS @ linear_matrix(transform) @ LPS


def _by_nitransforms(path: Path, kind: str, t1: Volume, t2: Volume) -> np.ndarray:
    try:
        from nitransforms.io import get_linear_factory
    except ImportError as error:
        raise UsageError(
            "this type of transform needs nitransforms, which is not installed",
            path=path,
            mend='pip install "guided-sr[xfm]", or convert it to ITK\'s .txt',
        ) from error
    reference, moving = (
        SimpleNamespace(affine=one.affine, shape=one.data.shape) for one in (t1, t2)
    )
    try:
        read: Any = get_linear_factory(kind, is_array=False).from_filename(path)
        matrix = read.to_ras(reference=reference, moving=moving)
        return np.asarray(matrix, np.float64).reshape(4, 4)
    except Exception as error:  # whatever its parsers stumble over
        names = {"fs": "a FreeSurfer", "fsl": "an FSL", "afni": "an AFNI"}
        raise _unreadable(path, f"{names[kind]} transform") from error


def _checked(matrix: np.ndarray, path: Path) -> np.ndarray:
    finite = np.isfinite(matrix).all() and np.allclose(matrix[3], _AFFINE_END)
    if not finite:
        raise _unreadable(path, "a linear transform")
    stretch = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    mirrored = np.linalg.det(matrix[:3, :3]) <= 0.0
    if mirrored or np.abs(stretch - 1.0).max() > _MOST_SCALING:
        what = (
            "mirrors" if mirrored else f"stretches by a factor of {stretch.max():.2f}"
        )
        if stretch.max() <= 1.0 + _MOST_SCALING and not mirrored:
            what = f"shrinks by a factor of {stretch.min():.2f}"
        raise GeometryError(
            f"the transform {what}: the T1 and the T2 are of one person",
            path=path,
            mend="give a rigid transform from the T2 to the T1",
        )
    return matrix


def _unreadable(path: Path, what: str) -> DataError:
    return DataError(
        f"the file does not hold {what} that can be read",
        path=path,
        mend="save it again, best as ITK's .txt",
    )
