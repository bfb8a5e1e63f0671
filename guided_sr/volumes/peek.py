"""The grid of an image file, from its header alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guided_sr.errors import PathLike
from guided_sr.volumes.container import read_head
from guided_sr.volumes.header import HEAD_BYTES, Layout, affine_of, parse
from guided_sr.volumes.locate import MGH_SUFFIXES, locate, suffix_of

__all__ = ["read_grid", "read_layout"]


def read_grid(
    source: PathLike, *, name: str = "T2"
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of an image file.

    Args:
        source: A ``.nii``, ``.nii.gz`` or ``.mgz`` file.
        name: What to call the image in messages.

    Returns:
        Voxel to mm, shape ``(4, 4)``, and ``(i, j, k)``.

    Raises:
        GuidedSRError: As `guided_sr.volumes.read_volume`, where the header tells.
    """
    path = locate(Path(source), name=name)
    layout, _ = read_layout(path, name=name)
    return affine_of(layout.header, layout.shape, path=path, name=name), layout.shape


def read_layout(path: Path, *, name: str) -> tuple[Layout, bytes]:
    """What the header says, and the first bytes of the file, decompressed.

    Args:
        path: A file that `guided_sr.volumes.locate.locate` let through.
        name: What to call the image in messages.

    Raises:
        DataError: For a header that is damaged, not one volume, or not real-valued.
    """
    head = read_head(path, HEAD_BYTES, name=name)
    mgh = suffix_of(path) in MGH_SUFFIXES
    return parse(head, mgh=mgh, path=path, name=name), head
