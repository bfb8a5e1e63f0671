"""Float32 voxels, every one of them a number.

A network swallows NaN: one such voxel changes its surroundings and none shows in the
result. So they are filled, or refused, before anything else happens.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.errors import DataError, warn_user
from guided_sr.volumes.intensity import refuse_constant

__all__ = ["as_float32", "make_finite"]

_MOST_NOT_FINITE = 0.001


def as_float32(stored: Any) -> np.ndarray:
    """Native, contiguous float32; what does not fit becomes Inf."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(stored, dtype=np.float32)
    return np.ascontiguousarray(values)


def make_finite(
    data: np.ndarray, name: str, path: Path | None
) -> tuple[np.ndarray, int]:
    """Fill the few voxels that are not finite; refuse many, and constant images.

    Args:
        data: Intensities of shape ``(i, j, k)``, float32.
        name: What to call the image in messages.
        path: Its file, for messages.

    Returns:
        The data, copied only if need be, and how many voxels were filled.

    Raises:
        DataError: If over 0.1 % are NaN or Inf, or all values are equal.
    """
    wrong = ~np.isfinite(data)
    count = int(wrong.sum())
    if count > _MOST_NOT_FINITE * data.size:
        raise DataError(
            f"{100 * count / data.size:.3g} % of the {name} is NaN or Inf",
            path=path,
            mend="set the background to 0 (fslmaths IN -nan OUT) or export it again",
        )
    if count:
        data = _filled(data, wrong)
        warn_user(
            f"{count} voxels of the {name} are NaN or Inf; "
            "they take the mean of their nearest finite neighbours",
            path=path,
            stacklevel=5,
        )
    refuse_constant(data, name=name, path=path)
    return data, count


def _filled(data: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Fill from the 26 neighbours, from the outside of each hole inwards."""
    data, wrong = data.copy(), wrong.copy()
    steps = [s for s in itertools.product((-1, 0, 1), repeat=3) if any(s)]
    last = np.array(data.shape) - 1
    todo = np.argwhere(wrong)
    while len(todo):
        total, number = np.zeros(len(todo)), np.zeros(len(todo), int)
        for step in steps:
            at = todo + step
            inside = ((at >= 0) & (at <= last)).all(axis=1)
            where = tuple(np.clip(at, 0, last).T)
            good = inside & ~wrong[where]
            total[good] += data[where][good]
            number[good] += 1
        done = number > 0
        where = tuple(todo[done].T)
        data[where] = total[done] / number[done]
        wrong[where] = False
        todo = todo[~done]
    return data
