"""A T2 and its T1, checked to the end before a framework is loaded."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import noted_warnings
from guided_sr.inference.cost import BASE_GIB
from guided_sr.inference.inputs import Inputs, examine_inputs, prepare
from guided_sr.inference.result import Result
from guided_sr.volumes import Registration, Volume, from_slices, memory, slice_axis
from guided_sr.volumes.plausible import read_examined

_BYTES_A_VOXEL = 32  # of the result: guide, its scaled copies, result, work space


@dataclass(frozen=True, eq=False)
class Pair:
    """A checked pair.

    Attributes:
        t2: The T2.
        t1: The T1 as it came, without voxels, or None.
        guide: The T1 on the target grid, or None.
        inputs: Both as stacks.
        warnings: What was noticed, one sentence each.
    """

    t2: Volume
    t1: Volume | None
    guide: Volume | None
    inputs: Inputs
    warnings: tuple[str, ...]

    @property
    def registration(self) -> Registration | None:
        """How the T1 was placed."""
        return self.inputs.source.registration if self.inputs.source else None

    @property
    def overlap(self) -> float | None:
        """Share of the T2's field of view that the T1 covers."""
        return self.inputs.source.overlap if self.inputs.source else None

    def complete(self, result: Result | NDArray, **more: Any) -> Result:
        """Add to a result what only this side knows.

        Args:
            result: Made from `t2` and `guide`.
            **more: Further entries of the provenance.
        """
        assert isinstance(result, Result)  # volumes give results, arrays give arrays
        noticed = dict.fromkeys((*self.warnings, *result.warnings))
        known = {**result.provenance, "guide_overlap": self.overlap, **more}
        return dataclasses.replace(result, warnings=tuple(noticed), provenance=known)


def read_pair(
    t2: str | os.PathLike[str] | Volume,
    t1: str | os.PathLike[str] | Volume | None,
    *,
    scale: tuple[float, float] | None,
    guided: bool = True,
    register: str = "none",
) -> Pair:
    """Read both images fully and check all that can be checked of them.

    The T1 is brought to the target grid here, once; the model finds it there.

    Args:
        t2: The T2.
        t1: The T1; not looked at where the model has no guide.
        scale: Factor of the two in-plane axes; None leaves the T2's own grid as the
            target.
        guided: Whether the model takes a guide.
        register: How the T1 is placed, as in `place_guide`.

    Raises:
        GuidedSRError: The first fault found.
    """
    with noted_warnings() as noticed:
        low = read_examined(t2, name="T2")
        _refuse_short_memory(low, scale or (1.0, 1.0))
        guide = read_examined(t1, name="T1") if guided and t1 is not None else None
        inputs = prepare(low, guide, guided=guided, scale=scale, register=register)
        examine_inputs(inputs)
    on_grid = kept = None
    source = inputs.source
    if guide is not None and inputs.t1 is not None and source is not None:
        data = from_slices(inputs.t1, source.slice_axis)
        on_grid = dataclasses.replace(guide, data=data, affine=source.affine)
        kept = dataclasses.replace(guide, data=_hollow(guide.data.shape))
    return Pair(low, kept, on_grid, inputs, tuple(noticed))


def _hollow(shape: tuple[int, ...]) -> np.ndarray:
    """An array that has the shape and takes no memory."""
    return np.broadcast_to(np.float32(0), shape)


def _refuse_short_memory(low: Volume, scale: tuple[float, float]) -> None:
    across = slice_axis(low.affine)
    factors = iter(scale)
    voxels = 1.0
    for axis, n in enumerate(low.data.shape):
        voxels *= n if axis == across else n * next(factors)
    needed = BASE_GIB + voxels * _BYTES_A_VOXEL / 2**30
    memory.refuse_short_memory(needed, what="the result", path=low.path)
