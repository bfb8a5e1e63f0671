"""Two methods compared slice by slice, within one fold and one seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from guided_sr.evaluation.measured import Measured, Slice

__all__ = ["Paired", "interval", "paired"]


@dataclass(frozen=True)
class Paired:
    """Differences in PSNR of two methods on the same slices.

    Attributes:
        runs: In dB, by fold and seed, then by slice; never empty.
        centres: The centre slices among them.
    """

    runs: Mapping[tuple[int, int], Mapping[Slice, float]]
    centres: frozenset[Slice]

    @property
    def run_means(self) -> list[float]:
        """Mean over the slices of each fold and seed."""
        return [float(np.mean(list(run.values()))) for run in self.runs.values()]

    @property
    def fold_means(self) -> list[float]:
        """Mean over the seeds of each fold."""
        folds: dict[int, list[float]] = {}
        for (fold, _), mean in zip(self.runs, self.run_means, strict=True):
            folds.setdefault(fold, []).append(mean)
        return [float(np.mean(means)) for means in folds.values()]

    @property
    def mean(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.fold_means))

    @property
    def slices(self) -> list[float]:
        """One difference a slice of a fold, the mean of its seeds."""
        found: dict[tuple[int, Slice], list[float]] = {}
        for (fold, _), run in self.runs.items():
            for place, value in run.items():
                found.setdefault((fold, place), []).append(value)
        return [float(np.mean(values)) for values in found.values()]

    def at_centre(self) -> Paired | None:
        """The same of the centre slices alone, or None where there are none."""
        runs = {
            key: {place: v for place, v in run.items() if place in self.centres}
            for key, run in self.runs.items()
        }
        runs = {key: run for key, run in runs.items() if run}
        return Paired(runs, self.centres) if runs else None


def paired(
    first: Sequence[Measured],
    second: Sequence[Measured],
    *,
    figure: str = "psnr",
) -> Paired | None:
    """Subtract one method from another, slice by slice within a fold and a seed.

    Args:
        first: The cells that should be better.
        second: The cells to compare with. A method without weights stands for every
            seed of its fold.
        figure: One of `FIGURES`.

    Returns:
        ``first - second``, or None where they share no fold, seed and slice.
    """
    runs: dict[tuple[int, int], dict[Slice, float]] = {}
    centres: set[Slice] = set()
    for one in first:
        for other in second:
            seeds_fit = one.seed == other.seed or not (one.trained and other.trained)
            if one.fold != other.fold or not seeds_fit:
                continue
            seed = one.seed if one.trained else other.seed
            differences = {
                place: one.figures[place][figure] - other.figures[place][figure]
                for place in one.figures
                if place in other.figures
            }
            run = {p: d for p, d in differences.items() if math.isfinite(d)}
            if run:
                runs[one.fold, seed] = run
                centres |= (one.centres & other.centres) & run.keys()
    return Paired(runs, frozenset(centres)) if runs else None


def interval(means: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of a mean by Student's t, None for fewer than two values."""
    count = len(means)
    if count < 2:
        return None
    reach = stdtrit(count - 1, 0.975) * np.std(means, ddof=1) / math.sqrt(count)
    return float(np.mean(means) - reach), float(np.mean(means) + reach)
