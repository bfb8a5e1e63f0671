"""The grid of an image file, from its header alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guided_sr.errors import PathLike
from guided_sr.volumes.container import read_head, refuse_larger_than_file
from guided_sr.volumes.forms import Form, affine_of
from guided_sr.volumes.header import HEAD_BYTES, Layout, parse
from guided_sr.volumes.locate import MGH_SUFFIXES, locate, suffix_of
from guided_sr.volumes.memory import MAX_VOXELS, refuse_huge

__all__ = ["read_grid", "read_layout"]


def read_grid(
    source: PathLike,
    *,
    name: str = "T2",
    frame: int | None = None,
    prefer: Form | None = None,
    assume_affine: bool = False,
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of an image file.

    Args:
        source: A ``.nii``, ``.nii.gz`` or ``.mgz`` file.
        name: What to call the image in messages.
        frame: As in `guided_sr.volumes.read_volume`.
        prefer: Likewise.
        assume_affine: Likewise.

    Returns:
        Voxel to mm, shape ``(4, 4)``, and ``(i, j, k)``.

    Raises:
        GuidedSRError: As `guided_sr.volumes.read_volume`, where the header tells.
    """
    path = locate(Path(source), name=name)
    layout, _ = read_layout(path, name=name, frame=frame)
    affine = affine_of(
        layout.header,
        layout.shape,
        path=path,
        name=name,
        prefer=prefer,
        assume=assume_affine,
    )
    return affine, layout.shape


def read_layout(
    path: Path,
    *,
    name: str,
    frame: int | None = None,
    max_voxels: int = MAX_VOXELS,
) -> tuple[Layout, bytes]:
    """What the header says, and the first bytes of the file, decompressed.

    Args:
        path: A file that `guided_sr.volumes.locate.locate` let through.
        name: What to call the image in messages.
        frame: Which of several volumes is meant, from 0.
        max_voxels: Most voxels that it may have.

    Raises:
        DataError: For a header that is damaged, not one volume, not real-valued, or
            of more voxels than are allowed or the file can hold.
        TryAgainError: If memory is short.
    """
    head = read_head(path, HEAD_BYTES, name=name)
    mgh = suffix_of(path) in MGH_SUFFIXES
    layout = parse(head, mgh=mgh, path=path, name=name, frame=frame)
    refuse_huge((*layout.shape, layout.frames), max_voxels, path=path, name=name)
    refuse_larger_than_file(path, layout.end, name=name)
    return layout, head
