"""PSNR and SSIM of candidates against a truth, slice by slice, with baselines.

A figure means nothing alone: cubic interpolation of the low-resolution image, and the
same after back-projection, stand beside every candidate, on the same slices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guided_sr.errors import DataError, UsageError
from guided_sr.metrics import psnr, ssim
from guided_sr.physics.back_projection import back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import upsample

Stack = NDArray[np.float32]

SLICES = ("centre", "central60", "all")
_SSIM_LEAST = 11
_CENTRAL = 60


@dataclass(frozen=True)
class Score:
    """Figures of one image.

    Attributes:
        name: Of the method.
        psnr: In dB, one a slice; infinite for a slice equal to the truth.
        ssim: One a slice.
    """

    name: str
    psnr: tuple[float, ...]
    ssim: tuple[float, ...]

    def summary(self) -> dict[str, float | None]:
        """Means and standard deviations over the slices (``n - 1``).

        A figure that does not exist is None: the deviation of a single slice, or
        of values that are not finite.
        """
        return {
            "psnr_mean": _finite(np.mean(self.psnr)),
            "psnr_sd": _deviation(self.psnr),
            "ssim_mean": _finite(np.mean(self.ssim)),
            "ssim_sd": _deviation(self.ssim),
        }


@dataclass(frozen=True)
class Comparison:
    """Scores of all methods on the same slices.

    Attributes:
        scores: One a method, cubic interpolation first.
        slices: Indices of the slices measured.
        empty: Indices of slices left out: the truth has no value above 0 there.
    """

    scores: tuple[Score, ...]
    slices: tuple[int, ...]
    empty: tuple[int, ...]

    def __getitem__(self, name: str) -> Score:
        """The score of a method.

        Raises:
            KeyError: If there is none of that name.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows: mean and deviation, and the gain over cubic in dB."""
        cubic = float(np.mean(self.scores[0].psnr))
        rows = []
        for score in self.scores:
            mean = float(np.mean(score.psnr))
            gain = "" if score is self.scores[0] else f"{mean - cubic:+.2f}"
            figures = score.summary()
            rows.append(
                [
                    score.name,
                    _with_deviation(mean, figures["psnr_sd"], 2),
                    gain,
                    _with_deviation(float(np.mean(score.ssim)), figures["ssim_sd"], 4),
                ]
            )
        return ["method", "PSNR [dB]", "gain", "SSIM"], rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; what is not finite becomes None."""
        return {
            "slices": list(self.slices),
            "empty_slices": list(self.empty),
            "methods": {
                score.name: {
                    **score.summary(),
                    "psnr": [_finite(value) for value in score.psnr],
                    "ssim": [_finite(value) for value in score.ssim],
                }
                for score in self.scores
            },
        }


def choose_slices(count: int, which: str) -> list[int]:
    """Indices of the slices to measure.

    Args:
        count: Slices of the stack.
        which: ``"centre"`` (the one of index ``count // 2``), ``"central60"`` (the
            60 around it, or as many as there are) or ``"all"``.

    Raises:
        UsageError: If the choice is unknown.
    """
    if which not in SLICES:
        raise UsageError(
            f"slices {which!r} is unknown", mend=f"choose one of {', '.join(SLICES)}"
        )
    if which == "centre":
        return [count // 2]
    return central_slices(count, _CENTRAL if which == "central60" else count)


def central_slices(count: int, number: int) -> list[int]:
    """Indices of the central slices: 60 of them are ``n/2 - 30`` to ``n/2 + 29``.

    Args:
        count: Slices of the stack.
        number: How many to take; all where there are fewer.
    """
    first = max(0, count // 2 - number // 2)
    return list(range(first, min(count, first + number)))


def baselines(low: ArrayLike, target_shape: Sequence[int]) -> dict[str, Stack]:
    """What costs nothing: cubic interpolation, and the same back-projected.

    Args:
        low: Low-resolution slices of shape ``(n, h, w)``.
        target_shape: ``(height, width)``.

    Returns:
        Stacks of shape ``(n, height, width)``: ``cubic``, ``cubic + IBP`` (one
        iteration, as in a cascade) and ``cubic + exact``.
    """
    y = np.asarray(low, np.float32)
    rows, columns = target_shape
    plan = CascadePlan.create(
        (y.shape[-2], y.shape[-1]), target_shape=(rows, columns), stages=1
    )
    operator = plan.observation()
    cubic = upsample(y, (rows, columns)).astype(np.float32)
    return {
        "cubic": cubic,
        "cubic + IBP": np.asarray(
            back_project(cubic, y, operator, method="ibp"), np.float32
        ),
        "cubic + exact": np.asarray(
            back_project(cubic, y, operator, method="exact"), np.float32
        ),
    }


def compare(
    truth: ArrayLike,
    candidates: Mapping[str, ArrayLike],
    *,
    low: ArrayLike,
    slices: str = "all",
) -> Comparison:
    """Measure candidates and baselines against a truth.

    Args:
        truth: Ground truth of shape ``(n, height, width)``, at least 11 x 11.
        candidates: Stacks of the same shape, by name.
        low: Low-resolution slices of shape ``(n, h, w)`` that the candidates were
            made from; the baselines are made from them too.
        slices: As in `choose_slices`.

    Returns:
        Scores, the baselines' first. Values are clipped at 0 and the peak is the
        truth's maximum in the slice (Iwamoto et al., eqs. 7-10).

    Raises:
        DataError: If sizes do not fit, values are not finite or no slice holds
            anything.
    """
    whole = np.asarray(truth)
    coarse = np.asarray(low)
    images = {name: np.asarray(image) for name, image in candidates.items()}
    for name, image in images.items():
        if image.shape != whole.shape:
            raise DataError(
                f"the truth {whole.shape} and {name} {image.shape} differ in size",
                mend="compare images on one grid",
            )
    if whole.ndim != 3 or coarse.ndim != 3 or len(coarse) != len(whole):
        raise DataError(
            f"the truth {whole.shape} and the low-resolution image {coarse.shape} do"
            " not have the same slices",
            mend="give the low-resolution image that the result was made from",
        )
    if min(whole.shape[1:]) < _SSIM_LEAST:
        raise DataError(
            f"slices of {whole.shape[1]} x {whole.shape[2]} are too small for SSIM",
            mend=f"give slices of at least {_SSIM_LEAST} x {_SSIM_LEAST}",
        )
    chosen = choose_slices(len(whole), slices)
    kept = [k for k in chosen if whole[k].max() > 0]
    if not kept:
        raise DataError("no slice of the truth holds a value above 0")
    images = {**baselines(coarse[kept], whole.shape[1:])} | {
        name: image[kept] for name, image in images.items()
    }
    scores = tuple(
        Score(
            name,
            tuple(psnr(x, z) for x, z in zip(whole[kept], image, strict=True)),
            tuple(ssim(x, z) for x, z in zip(whole[kept], image, strict=True)),
        )
        for name, image in images.items()
    )
    return Comparison(scores, tuple(kept), tuple(k for k in chosen if k not in kept))


def _finite(value: float | np.floating) -> float | None:
    return float(value) if math.isfinite(value) else None


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2 or not all(math.isfinite(v) for v in values):
        return None
    return float(np.std(values, ddof=1))


def _with_deviation(mean: float, deviation: float | None, digits: int) -> str:
    spread = "" if deviation is None else f" ± {deviation:.{digits}f}"
    return f"{mean:.{digits}f}{spread}"
