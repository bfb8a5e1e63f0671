"""What the paper says is better than what, tested on the same slices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.evaluation.measured import Measurements, cascades, losses, shifts
from guided_sr.evaluation.pairing import Paired, paired
from guided_sr.evaluation.paper import (
    CASCADE,
    DETAIL_SCALE,
    LOSS,
    SHIFT,
    PaperFigure,
    method_name,
    paper_figure,
)
from guided_sr.report.benchmark_rows import scales_of
from guided_sr.report.table import MISSING, Column, Row, Table, number, plain, seconds

__all__ = ["orderings", "refinement"]

_OVER_ZSSR = {2.0: 2.0, 4.0: 3.5}
_OVER_FILTER = {2.0: 2.0, 4.0: 2.5}
_SUPERVISED_MOST = {4.0: 1.7}
_PRETRAINED = ("pretrained", "pretrained_refined")
_FILTERS = ("guided_filter", "guided_filter_20")


@dataclass(frozen=True)
class Expectation:
    """One ordering.

    Attributes:
        text: What is over what.
        scale: The factor.
        first: What should be better.
        second: What it is compared with.
        paper: The paper's difference in dB, if it prints one.
        least: What the mean difference must reach; 0 must be passed unless `equal`.
        most: What it may not pass.
        equal: Whether a difference of 0 will do.
    """

    text: str
    scale: float
    first: Measurements
    second: Measurements
    paper: float | None = None
    least: float | None = 0.0
    most: float | None = None
    equal: bool = False

    @property
    def rule(self) -> str:
        """What is expected of the mean difference."""
        if self.most is not None:
            return f"≤ {self.most:g} dB"
        return f"≥ {self.least:g} dB" if self.least or self.equal else "> 0 dB"

    def verdict(self, mean: float) -> str:
        """``holds`` or ``does not hold``."""
        if self.most is not None:
            holds = mean <= self.most
        elif self.least or self.equal:
            holds = mean >= (self.least or 0.0)
        else:
            holds = mean > 0.0
        return "holds" if holds else "does not hold"

    def row(self) -> dict[str, Any]:
        """Plain values; None where nothing can be paired."""
        found = paired(self.first, self.second)
        centre = found.at_centre() if found else None
        return {
            "scale": self.scale,
            "ordering": self.text,
            "expected": self.rule,
            "difference": found.mean if found else None,
            "smallest_fold": min(found.fold_means) if found else None,
            "largest_fold": max(found.fold_means) if found else None,
            "centre_difference": centre.mean if centre else None,
            "paper_difference": self.paper,
            "folds": len(found.fold_means) if found else 0,
            "runs": len(found.runs) if found else 0,
            "slices": len(found.slices) if found else 0,
            "verdict": self.verdict(found.mean) if found else None,
        }


def orderings(cells: Measurements) -> Table:
    """The paper's orderings, each with what was found.

    Args:
        cells: All cells.
    """
    rows = [one.row() for one in _expectations(cells)]
    told = [row["verdict"] for row in rows]
    held = f"{told.count('holds')} of {len(told) - told.count(None)} hold"
    return Table(
        title="Orderings",
        caption="Difference in PSNR after one back-projection, slice by slice within"
        " each fold and seed (a method without weights stands for every seed), on all"
        " slices that both have: mean over the folds, with the smallest and the largest"
        " mean of a fold. The mean decides.",
        columns=(
            Column("scale", lambda row: f"{row['scale']:g}×"),
            Column("ordering", lambda row: row["ordering"], left=True),
            Column("expected", lambda row: row["expected"], left=True),
            Column("mean", lambda row: number(row["difference"], sign=True)),
            Column("smallest fold", lambda r: number(r["smallest_fold"], sign=True)),
            Column("largest fold", lambda row: number(row["largest_fold"], sign=True)),
            Column(
                "centre slice", lambda row: number(row["centre_difference"], sign=True)
            ),
            Column("paper", lambda row: number(row["paper_difference"], sign=True)),
            Column("folds, runs, slices", _counts),
            Column("verdict", _verdict, left=True),
        ),
        rows=tuple(rows),
        notes=(f"{held}.",) if set(told) - {None} else (),
    )


def refinement(cells: Measurements) -> Table:
    """What training on the test image after external learning brings, and its price.

    Args:
        cells: All cells.
    """
    rows = []
    compared = [
        (name, str(how.refines), scale)
        for name, how in METHODS.items()
        for scale in scales_of(cells)
        if how.kind == "refined"
    ]
    for name, base, scale in compared:
        refined = cells.main(name, scale)
        if not refined and METHODS[name].started:
            continue
        found = paired(refined, cells.main(base, scale))
        gains = np.array(found.slices if found else [np.nan])
        rows.append(
            {
                "scale": scale,
                "method": base,
                "gain": found.mean if found else None,
                "smallest_fold": min(found.fold_means) if found else None,
                "worst_slice": plain(gains.min()),
                "best_slice": plain(gains.max()),
                "better_share": float(np.mean(gains > 0)) if found else None,
                "train_seconds": plain(refined.average("train_seconds")),
                "folds": len(found.fold_means) if found else 0,
                "runs": len(found.runs) if found else 0,
                "slices": len(found.slices) if found else 0,
            }
        )
    return Table(
        title="Refinement: external, then internal learning",
        caption="A method with refinement, against itself without: gain in PSNR after"
        " one back-projection on the same slices. The paper names it as future work.",
        columns=(
            Column("scale", lambda row: f"{row['scale']:g}×"),
            Column("method", lambda row: method_name(row["method"]), left=True),
            Column("mean gain", lambda row: number(row["gain"], sign=True)),
            Column("smallest fold", lambda r: number(r["smallest_fold"], sign=True)),
            Column("worst slice", lambda row: number(row["worst_slice"], sign=True)),
            Column("best slice", lambda row: number(row["best_slice"], sign=True)),
            Column("slices that gain", _share),
            Column("time a scan", lambda row: seconds(row["train_seconds"])),
            Column("folds, runs, slices", _counts),
        ),
        rows=tuple(rows),
    )


def _expectations(cells: Measurements) -> Iterator[Expectation]:
    for scale in scales_of(cells):
        yield from _of_scale(cells, scale)
    yield from _of_proposed(cells)


def _of_scale(cells: Measurements, scale: float) -> Iterator[Expectation]:
    def over(
        text: str,
        first: str,
        second: str,
        least: float = 0.0,
        most: float | None = None,
    ) -> Expectation:
        return Expectation(
            text=f"{text}: {method_name(first)} over {method_name(second)}",
            scale=scale,
            first=cells.main(first, scale),
            second=cells.main(second, scale),
            paper=_difference(paper_figure(first, scale), paper_figure(second, scale)),
            least=least,
            most=most,
        )

    yield over("guide, internal", "model_2", "zssr")
    yield over("guide, external", "proposed", "model_1")
    yield over("external, no guide", "model_1", "zssr")
    yield over("external, guide", "proposed", "model_2")
    both = ["proposed", *(m for m in _PRETRAINED if cells.main(m, scale))]
    if scale in _OVER_ZSSR:
        for method in both:
            yield over("both", method, "zssr", _OVER_ZSSR[scale])
    yield over("supervised", "proposed_supervised", "proposed")
    if scale in _SUPERVISED_MOST:
        most = _SUPERVISED_MOST[scale]
        yield over("supervised", "proposed_supervised", "proposed", most=most)
    proposed = cells.main("proposed", scale)
    filtered = [cells.main(name, scale) for name in _FILTERS]
    yield Expectation(
        text=f"learning: {method_name('proposed')} over guided filter and"
        " back-projection, the better of one and 20",
        scale=scale,
        first=proposed,
        second=min(filtered, key=lambda one: _mean(paired(proposed, one))),
        least=_OVER_FILTER.get(scale, 0.0),
    )
    yield over("learning", "proposed", "guided_back_projection")
    yield over("learning", "proposed", "nlm_t1")


def _of_proposed(cells: Measurements) -> Iterator[Expectation]:
    """Tables III to V."""
    by_stages = cascades(cells)
    for more, fewer in ((3, 2), (2, 1)):
        yield Expectation(
            text=f"stages: {more} over {fewer}",
            scale=by_stages.scale,
            first=by_stages.cells[more],
            second=by_stages.cells[fewer],
            paper=_difference(CASCADE[more], CASCADE[fewer]),
            equal=True,
        )
    by_loss = losses(cells)
    yield Expectation(
        text="loss: L1 over L2",
        scale=by_loss.scale,
        first=by_loss.cells["l1"],
        second=by_loss.cells["l2"],
        paper=_difference(LOSS["l1"], LOSS["l2"]),
    )
    by_shift = shifts(cells)
    still = {reach: c for (reach, jitter), c in by_shift.cells.items() if not jitter}
    run = [reach for reach, chosen in still.items() if chosen]
    reaches = run if len(run) > 1 else [*SHIFT]
    for near, far in itertools.pairwise(reaches):
        yield Expectation(
            text=f"guide out of place: {near:g} mm over {far:g} mm",
            scale=by_shift.scale,
            first=still[near],
            second=still[far],
            paper=_difference(SHIFT.get(near), SHIFT.get(far)),
        )
    zssr = paper_figure("zssr", DETAIL_SCALE)
    yield Expectation(
        text=f"guide out of place: {reaches[-1]:g} mm over {method_name('zssr')}",
        scale=by_shift.scale,
        first=still[reaches[-1]],
        second=cells.main("zssr", by_shift.scale),
        paper=_difference(SHIFT.get(reaches[-1]), zssr),
    )


def _difference(first: PaperFigure | None, second: PaperFigure | None) -> float | None:
    return None if first is None or second is None else first.psnr - second.psnr


def _mean(found: Paired | None) -> float:
    return math.inf if found is None else found.mean


def _share(row: Row) -> str:
    share = row["better_share"]
    return MISSING if share is None else f"{100 * share:.0f} %"


def _verdict(row: Row) -> str:
    verdict = row["verdict"] or MISSING
    return verdict if row["verdict"] in (None, "holds") else f"**{verdict}**"


def _counts(row: Row) -> str:
    if not row["folds"]:
        return MISSING
    return f"{row['folds']}, {row['runs']}, {row['slices']}"
