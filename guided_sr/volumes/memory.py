"""How much memory there is, asked before it is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from guided_sr.errors import DataError, PathLike, TryAgainError

__all__ = ["MAX_VOXELS", "available_memory", "refuse_huge", "refuse_short_memory"]

MAX_VOXELS = 2**30

_GROUP = Path("/sys/fs/cgroup")


def available_memory() -> float | None:
    """Memory that a process may still take, in GiB; None where it is not known.

    The smaller of what the machine has free and what the job's control group (a
    container, a batch system) still allows.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        machine = int(fields["MemAvailable"].split()[0]) / 2**20
    except (OSError, ValueError, KeyError, IndexError):
        return None
    allowed = _allowed_by_group()
    return machine if allowed is None else min(machine, allowed)


def _allowed_by_group() -> float | None:
    try:
        limit = int((_GROUP / "memory.max").read_text("ascii"))
        stat = (_GROUP / "memory.stat").read_text("ascii").splitlines()
        used = int((_GROUP / "memory.current").read_text("ascii"))
        reclaimable = int(dict(line.split() for line in stat)["inactive_file"])
    except (OSError, ValueError, KeyError):  # "max", or another system
        return None
    return max(0, limit - used + reclaimable) / 2**30


def refuse_short_memory(
    needed: float, *, what: str, path: PathLike | None = None
) -> None:
    """Refuse work that would not fit into the memory.

    Args:
        needed: In GiB.
        what: What needs it.
        path: The file concerned.

    Raises:
        TryAgainError: With the figures, if less is free.
    """
    there = available_memory()
    if there is not None and needed > there:
        raise TryAgainError(
            f"{what} needs about {needed:.1f} GiB of memory, {there:.1f} GiB are free",
            path=path,
            mend="close other programs, crop the T2, or use a larger machine",
        )


def refuse_huge(
    shape: Sequence[int],
    max_voxels: int = MAX_VOXELS,
    *,
    name: str,
    path: PathLike | None = None,
) -> None:
    """Refuse an image by its sizes, before memory is taken for it.

    Args:
        shape: Sizes of all axes.
        max_voxels: Most voxels.
        name: What to call the image in messages.
        path: Its file.

    Raises:
        DataError: If it has more voxels.
        TryAgainError: If it does not fit into the memory that is free.
    """
    voxels = math.prod(shape)
    if voxels > max_voxels:
        raise DataError(
            f"the {name} would need {voxels * 4 / 2**30:.3g} GiB; the limit is "
            f"{max_voxels * 4 / 2**30:.3g} GiB",
            path=path,
            mend="crop it; if the header is wrong, convert it again",
        )
    refuse_short_memory(voxels * 4 / 2**30, what=f"the {name}", path=path)
