"""Label maps of heads: read, oriented, and sorted into kinds of tissue.

The maps carry FreeSurfer's label values, such as those of SynthSeg (Billot et al.,
Medical Image Analysis 2023): left and right structures apart, what lies outside the
brain at 500 and above. Painters need to know which labels are alike, not more.
"""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, MissingInputError

Labels = NDArray[np.int16]

OUTSIDE_BRAIN = 500
"""Labels from here on lie outside the brain: skull, scalp, face, neck."""

_MARGIN = 4
_RIGHT_AS_LEFT = {
    41: 2,
    42: 3,
    43: 4,
    44: 5,
    46: 7,
    47: 8,
    49: 10,
    50: 11,
    51: 12,
    52: 13,
    53: 17,
    54: 18,
    57: 25,
    58: 26,
    60: 28,
    62: 30,
    137: 136,
    164: 163,
}


class Kind(IntEnum):
    """What a label is made of, as far as contrast goes."""

    BACKGROUND = 0
    WHITE_MATTER = 1
    GREY_MATTER = 2
    FLUID = 3
    DEEP_NUCLEUS = 4
    VESSEL = 5
    OUTSIDE = 6


_KINDS = {
    Kind.WHITE_MATTER: (2, 7, 85),
    Kind.GREY_MATTER: (3, 8, 17, 18, 26),
    Kind.FLUID: (4, 5, 14, 15, 24, 72),
    Kind.DEEP_NUCLEUS: (10, 11, 12, 13, 16, 25, 28, 136, 163),
    Kind.VESSEL: (30,),
}


def kind_of(label: int) -> Kind:
    """Kind of tissue of a label; what is unknown counts as outside the brain."""
    if label == 0:
        return Kind.BACKGROUND
    for kind, labels in _KINDS.items():
        if label in labels:
            return kind
    return Kind.OUTSIDE


def read_label_map(path: str | os.PathLike[str]) -> Labels:
    """Read a label map, in RAS+ order, sides folded together, cropped to the head.

    Args:
        path: NIfTI file of whole-number labels on an isotropic grid.

    Returns:
        Array ``(x, y, z)`` of labels; right structures bear the labels of the left.

    Raises:
        MissingInputError: If the file is missing.
        DataError: If it is no image, or holds no label.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingInputError("the label map is missing", path=file)
    try:
        image = nib.as_closest_canonical(nib.load(file))
        labels = np.asarray(image.dataobj).astype(np.int16)
    except (nib.filebasedimages.ImageFileError, OSError, EOFError) as error:
        raise DataError("the label map cannot be read", path=file) from error
    if labels.ndim != 3 or not labels.any():
        raise DataError("the label map holds no labels", path=file)
    for right, left in _RIGHT_AS_LEFT.items():
        labels[labels == right] = left
    return crop_to_labels(labels)


def crop_to_labels(labels: Labels) -> Labels:
    """The part of a map that holds labels, with a margin of `_MARGIN` voxels."""
    return np.ascontiguousarray(labels[box_of(labels)])


def box_of(mask: NDArray[Any]) -> tuple[slice, ...]:
    """Where a volume is not 0, with a margin of `_MARGIN` voxels."""
    spans = []
    for axis in range(3):
        others = tuple(k for k in range(3) if k != axis)
        (index,) = np.nonzero(mask.any(axis=others))
        low, high = max(0, index[0] - _MARGIN), index[-1] + 1 + _MARGIN
        spans.append(slice(int(low), int(high)))
    return tuple(spans)
