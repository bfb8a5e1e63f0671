"""A weights file looked at from outside, before Keras opens it.

HDF5 can do much more than hold arrays: it can point to other files, claim terabytes in
a few bytes, and store objects. Here nothing is followed, and nothing is read before its
size is known. What passes is arrays of finite numbers, and no more of them than the
file is long.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from guided_sr.errors import WeightsError

__all__ = ["inspect_weights"]

_DEEPEST = 64
_MOST_OBJECTS = 100_000


def inspect_weights(path: Path) -> None:
    """Refuse a weights file that is anything but arrays of finite numbers.

    Args:
        path: A ``.weights.h5`` file.

    Raises:
        WeightsError: If it is damaged, holds links, objects, arrays that lie in other
            files or claim more bytes than the file has, or numbers that are not finite.
    """
    try:
        with h5py.File(path, "r") as file:
            _Inspection(path).group(file, 0)
    except WeightsError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise WeightsError(
            "the weights file is damaged",
            path=path,
            mend="copy the preset again",
        ) from error


class _Inspection:
    """One walk through a file, with what was counted so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = path.stat().st_size
        self.objects = 0

    def group(self, group: h5py.Group, depth: int) -> None:
        if depth > _DEEPEST:
            raise self.refuse("groups that are nested too deeply")
        for name in group:
            self.objects += 1
            if self.objects > _MOST_OBJECTS:
                raise self.refuse("too many objects")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise self.refuse(f"a link ({name})")
            item = group[name]
            if isinstance(item, h5py.Group):
                self.group(item, depth + 1)
            elif isinstance(item, h5py.Dataset):
                self.array(item, name)
            else:
                raise self.refuse(f"a stored type ({name})")

    def array(self, array: h5py.Dataset, name: str) -> None:
        if array.external or array.is_virtual:
            raise self.refuse(f"an array that lies in another file ({name})")
        if array.dtype.kind not in "fiub":
            raise self.refuse(f"what are not numbers ({name})")
        self.left -= array.size * array.dtype.itemsize
        if self.left < 0:
            claimed = array.size * array.dtype.itemsize / 2**30
            raise self.refuse(
                f"an array of {claimed:.3g} GiB ({name}), more than the file is long"
            )
        if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
            raise WeightsError(
                "the weights hold NaN or infinite values",
                path=self.path,
                mend="train again with a lower learning rate, or copy the preset again",
            )

    def refuse(self, what: str) -> WeightsError:
        return WeightsError(
            f"the weights file holds {what}",
            path=self.path,
            mend="do not use it; take the preset from where it was published",
        )
