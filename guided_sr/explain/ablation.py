"""What changes when the guide is taken away: two predictions, no gradient.

``|SR(T2, T1) - SR(T2, T1_null)|``, exact and on every backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.explain.region import Region
from guided_sr.explain.subject import BLUR, ExplainedSlice

Null = Literal["blurred", "mean", "other_slice"]
NULLS: tuple[Null, ...] = get_args(Null)

_NEARBY = 8  # the other slice lies this part of the stack away


@dataclass(frozen=True, eq=False)
class Ablation:
    """A result with the guide and without it.

    Attributes:
        null: What stood in place of the guide.
        guide: What stood in place of the guide, ``(H, W)``, in units of the T1.
        result: The result with the guide, ``(H, W)``, in units of the T2.
        without: The result without it.
    """

    null: Null
    guide: NDArray[np.float32]
    result: NDArray[np.float32]
    without: NDArray[np.float32]

    @property
    def change(self) -> NDArray[np.float32]:
        """What the guide did, signed."""
        return self.result - self.without

    @property
    def map(self) -> NDArray[np.float32]:
        """What the guide did, without sign."""
        return np.abs(self.change)

    def change_in(self, region: Region) -> float:
        """Mean of `change` over a region."""
        shape = self.result.shape
        window = region.at((shape[0], shape[1]), (shape[0], shape[1]))
        return float(self.change[window].mean(dtype=np.float64))


def null_guide(
    subject: ExplainedSlice, null: Null = "blurred", *, blur: float = BLUR
) -> NDArray[np.float32]:
    """A guide that lacks what is asked about.

    Args:
        subject: The slice.
        null: ``"blurred"``, the T1 without its detail: which *detail* came from the
            T1? ``"mean"``, its mean everywhere: what came from the T1 at all?
            ``"other_slice"``, the T1 an eighth of the stack away: would wrong anatomy
            come through?
        blur: Full width at half maximum of ``"blurred"`` in observed pixels.

    Returns:
        Guide of shape ``(H, W)`` in units of the T1.

    Raises:
        UsageError: If the name is unknown, or there is no other slice.
    """
    if null not in NULLS:
        raise UsageError(
            f"the null guide {null!r} is unknown",
            mend=f"choose one of {', '.join(NULLS)}",
        )
    if null == "blurred":
        return subject.t1 - subject.detail(subject.t1, blur=blur)
    if null == "mean":
        return np.full_like(subject.t1, subject.t1.mean(dtype=np.float64))
    t1, index = subject.inputs.t1, subject.index
    assert t1 is not None
    if len(t1) < 2:
        raise UsageError(
            "there is no other slice to take a T1 from",
            mend="give a stack or a volume, or the null guide blurred or mean",
        )
    step = max(1, len(t1) // _NEARBY)
    other: NDArray[np.float32] = t1[
        index + step if index + step < len(t1) else index - step
    ]
    return other


def ablate_guide(
    subject: ExplainedSlice, null: Null = "blurred", *, blur: float = BLUR
) -> Ablation:
    """Super-resolve a slice with its guide and with another one.

    Both guides pass through the intensity scale of the true one, and both results are
    back-projected in the same way, so that nothing differs but the guide.

    Args:
        subject: The slice.
        null: As in `null_guide`.
        blur: As there.

    Raises:
        UsageError: As there.
    """
    guide = null_guide(subject, null, blur=blur)
    predict, how = subject.model.predict_inputs, subject.back_projection
    (result,), _ = predict(subject.with_guide(subject.t1), back_projection=how)
    (without,), _ = predict(subject.with_guide(guide), back_projection=how)
    return Ablation(null, guide, result, without)
