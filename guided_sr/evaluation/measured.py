"""The lines of a benchmark: read, chosen and averaged.

A cell is one method, trained and measured once: one fold, one seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from guided_sr.errors import DataError
from guided_sr.evaluation.benchmark.cells import FORMAT
from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.evaluation.paper import CASCADE, DETAIL_SCALE, LOSS, SHIFT

__all__ = [
    "Measured",
    "Measurements",
    "Slice",
    "Summary",
    "Variants",
    "cascades",
    "losses",
    "shifts",
    "summarise",
]

Slice = tuple[str, int]
"""A subject and the index of one of its slices."""

FIGURES = ("psnr", "ssim", "psnr_without", "ssim_without")


@dataclass(frozen=True)
class Measured:
    """One line of a benchmark.

    Attributes:
        method: Name in `guided_sr.evaluation.benchmark.METHODS`.
        scale: The factor.
        stages: Of the cascade.
        loss: ``"l1"`` or ``"l2"``, or what the line says.
        shift_mm: Shift of the guide in training and in testing.
        jitter_mm: Reach of the random shift of the guide in training.
        fold: Number of the fold.
        seed: Of the training.
        figures: By slice: `psnr` and `ssim` after one back-projection, and the same
            with `_without` before it.
        centres: The slices that are the centre of their subject.
        line: The line itself.
    """

    method: str
    scale: float
    stages: int
    loss: str
    shift_mm: float
    jitter_mm: float
    fold: int
    seed: int
    figures: Mapping[Slice, Mapping[str, float]]
    centres: frozenset[Slice]
    line: Mapping[str, Any]

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Measured:
        """Take a line apart.

        Raises:
            DataError: If it is no line of a benchmark.
        """
        if line.get("format") != FORMAT:
            raise DataError(
                f"a line of the benchmark has format {line.get('format')!r}",
                mend="render it with the version of guided-sr that wrote it",
            )
        if line.get("method") not in METHODS:
            raise DataError(
                f"a line of the benchmark has the method {line.get('method')!r}",
                mend=f"known are {', '.join(METHODS)}",
            )
        try:
            figures, centres = {}, set()
            for score in line.get("scores") or ():
                place = (str(score["subject"]), int(score["slice"]))
                figures[place] = {key: _number(score.get(key)) for key in FIGURES}
                if score.get("centre"):
                    centres.add(place)
            return cls(
                method=str(line["method"]),
                scale=float(line["scale"]),
                stages=int(line.get("stages") or 1),
                loss=str(line.get("loss") or ""),
                shift_mm=float(line.get("shift_mm") or 0.0),
                jitter_mm=float(line.get("jitter_mm") or 0.0),
                fold=int(line.get("fold") or 0),
                seed=int(line.get("seed") or 0),
                figures=figures,
                centres=frozenset(centres),
                line=line,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"a line of the benchmark cannot be read ({error!r})",
                mend="delete the line and run that cell again",
            ) from error

    @property
    def trained(self) -> bool:
        """Whether its figures depend on the seed."""
        return METHODS[self.method].kind != "classical"

    def number(self, name: str) -> float:
        """A number of the line, NaN where there is none."""
        return _number(self.line.get(name))


class Measurements(tuple[Measured, ...]):
    """Measurements, of which some can be chosen."""

    @classmethod
    def read(cls, lines: Iterable[Mapping[str, Any]]) -> Measurements:
        """Read lines; of two that differ in nothing told by a cell the last counts.

        Raises:
            DataError: If one is no line of a benchmark.
        """
        cells: dict[tuple, Measured] = {}
        for line in lines:
            one = Measured.read(line)
            place = (one.method, one.scale, one.stages, one.loss, one.shift_mm)
            cells[(*place, one.jitter_mm, one.fold, one.seed)] = one
        return cls(cells.values())

    def where(self, **values: object) -> Measurements:
        """Those with the given attributes."""
        return Measurements(
            one
            for one in self
            if all(getattr(one, name) == value for name, value in values.items())
        )

    def matching(self, test: Callable[[Measured], bool]) -> Measurements:
        """Those that pass a test."""
        return Measurements(one for one in self if test(one))

    def main(self, method: str, scale: float) -> Measurements:
        """A method as Tables I and II show it.

        Args:
            method: Its name.
            scale: The factor.

        Returns:
            The cells with an unmoved guide, the most stages and, where there are
            such, with L1.
        """
        cells = self.where(method=method, scale=scale, shift_mm=0.0, jitter_mm=0.0)
        cells = cells.where(loss="l1") or cells
        return cells.where(stages=max(cells.stages(scale), default=0))

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds."""
        return sorted({one.fold for one in self})

    @property
    def seeds(self) -> list[int]:
        """The seeds."""
        return sorted({one.seed for one in self})

    @property
    def scales(self) -> list[float]:
        """The factors."""
        return sorted({one.scale for one in self})

    def stages(self, scale: float) -> set[int]:
        """The numbers of stages at a scale."""
        return {one.stages for one in self.where(scale=scale)}

    def average(self, name: str) -> float:
        """Mean of a number of the lines, NaN where there is none."""
        found = [n for n in (one.number(name) for one in self) if math.isfinite(n)]
        return float(np.mean(found)) if found else math.nan


@dataclass(frozen=True)
class Summary:
    """A figure over slices.

    Attributes:
        mean: Mean over the folds of each fold's mean; NaN where there is nothing.
        deviation: Over the slices of all folds together (``n - 1``), each the mean
            of its seeds; NaN for a single slice.
        slices: How many slices there are.
        subjects: How many subjects they are of.
    """

    mean: float
    deviation: float
    slices: int
    subjects: int


def summarise(
    cells: Sequence[Measured],
    figure: str,
    *,
    over: Mapping[Slice, float] | None = None,
    centre: bool = False,
    among: Iterable[tuple[int, Slice]] | None = None,
) -> Summary:
    """Average a figure of some cells.

    Args:
        cells: Measurements of one method: its folds and seeds.
        figure: One of `FIGURES`.
        over: What to subtract, by slice; slices that it lacks are left out.
        centre: Whether to take the centre slices alone.
        among: The folds and slices to take; all by default.
    """
    kept = None if among is None else set(among)
    found: dict[int, dict[Slice, list[float]]] = {}
    for one in cells:
        for place, figures in one.figures.items():
            value = figures[figure] - (0.0 if over is None else over.get(place, np.nan))
            wanted = not centre or place in one.centres
            if kept is not None and (one.fold, place) not in kept:
                wanted = False
            if wanted and math.isfinite(value):
                found.setdefault(one.fold, {}).setdefault(place, []).append(value)
    folds = [[float(np.mean(v)) for v in fold.values()] for fold in found.values()]
    pooled = [value for fold in folds for value in fold]
    return Summary(
        mean=float(np.mean([np.mean(fold) for fold in folds])) if folds else math.nan,
        deviation=float(np.std(pooled, ddof=1)) if len(pooled) > 1 else math.nan,
        slices=len(pooled),
        subjects=len({place[0] for fold in found.values() for place in fold}),
    )


@dataclass(frozen=True)
class Variants:
    """The proposed method with one thing varied (Tables III to V).

    Attributes:
        scale: The largest with more than the unvaried, or the largest there is.
        cells: By what is varied, the paper's values and ours.
    """

    scale: float
    cells: Mapping[Any, Measurements]


def cascades(cells: Measurements) -> Variants:
    """Table III: the proposed method by its number of stages."""
    chosen = cells.where(method="proposed", shift_mm=0.0, jitter_mm=0.0)
    chosen = chosen.where(loss="l1") or chosen
    scale = _largest(chosen, lambda one: len(chosen.stages(one.scale)) > 1)
    counts = sorted({*CASCADE, *chosen.stages(scale)})
    return Variants(scale, {r: chosen.where(scale=scale, stages=r) for r in counts})


def losses(cells: Measurements) -> Variants:
    """Table IV: the proposed method by its loss, with equally many stages."""
    chosen = cells.where(method="proposed", shift_mm=0.0, jitter_mm=0.0)
    scale = _largest(chosen, lambda one: one.loss == "l2")
    counts = [chosen.where(loss=loss).stages(scale) for loss in LOSS]
    both = set.intersection(*counts) or chosen.stages(scale)
    chosen = chosen.where(scale=scale, stages=max(both, default=0))
    return Variants(scale, {loss: chosen.where(loss=loss) for loss in LOSS})


def shifts(cells: Measurements) -> Variants:
    """Table V: the proposed method by the guide's shift and jitter in mm."""
    chosen = cells.where(method="proposed")
    chosen = chosen.where(loss="l1") or chosen

    def moved(one: Measured) -> bool:
        return one.shift_mm > 0 or one.jitter_mm > 0

    scale = _largest(chosen, moved)
    counts = chosen.matching(moved).stages(scale) or chosen.stages(scale)
    chosen = chosen.where(scale=scale, stages=max(counts, default=0))
    places = {(one.jitter_mm, one.shift_mm) for one in chosen}
    places |= {(0.0, reach) for reach in SHIFT}
    return Variants(
        scale,
        {
            (reach, jitter): chosen.where(shift_mm=reach, jitter_mm=jitter)
            for jitter, reach in sorted(places)
        },
    )


def _largest(cells: Measurements, test: Callable[[Measured], bool]) -> float:
    found = cells.matching(test) or cells
    return max((one.scale for one in found), default=float(DETAIL_SCALE))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
