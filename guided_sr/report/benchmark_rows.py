"""Rows of the benchmark's tables: ours, the gain, and the paper's figures beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.evaluation.measured import Measured, Measurements, summarise
from guided_sr.evaluation.paper import BICUBIC, PaperFigure, method_name
from guided_sr.report.table import (
    MISSING,
    Column,
    Row,
    Table,
    number,
    plain,
    seconds,
    spread,
)

__all__ = ["READING", "Variant", "measured_rows", "measured_table", "scales_of"]

READING = (
    "PSNR in dB and SSIM of whole slices: the mean over the folds of each fold's mean,"
    " ± the standard deviation over the slices of all folds together, each slice being"
    " the mean of its seeds. Every method stands twice, after one back-projection and"
    " without it. *Gain*: PSNR above cubic interpolation without back-projection, on"
    " the same slices. Where a method was run on fewer slices than the heading says,"
    " their number a subject follows in brackets. *Paper*: average of 20 centre slices"
    " after one back-projection (bicubic: without), and the gain over its bicubic."
)


_TRAINED_FOR = {"internal": "slice", "refined": "scan"}


@dataclass(frozen=True)
class Variant:
    """What two rows show.

    Attributes:
        told: ``method``, and what of stages, loss, shift and jitter is fixed.
        cells: Its folds and seeds; may be empty.
        paper: What the paper prints for it.
    """

    told: Mapping[str, Any]
    cells: Measurements
    paper: PaperFigure | None = None


def scales_of(cells: Measurements) -> list[float]:
    """The scales that were run, or the paper's where none was."""
    return cells.scales or sorted(BICUBIC)


def measured_rows(
    cells: Measurements, scale: float, paper_scale: float, variants: Sequence[Variant]
) -> list[dict[str, Any]]:
    """Two rows a variant: after one back-projection, and without it.

    Args:
        cells: All cells; the gains are over their cubic interpolation.
        scale: The factor.
        paper_scale: The factor of the paper's figures.
        variants: The rows; their ``common_gain`` is over the slices they all have.

    Returns:
        Plain values, under the same keys in every row.
    """
    cubic = {
        place: figures["psnr_without"]
        for one in cells.main("cubic", scale)
        for place, figures in one.figures.items()
    }
    sets = [_places(one.cells) for one in variants if one.cells]
    common = set.intersection(*sets) if sets else set()
    return [
        _row(
            {"scale": scale, **one.told},
            one.cells,
            suffix,
            cubic,
            common,
            # The paper's bicubic is the one row without back-projection.
            one.paper if bool(suffix) == (one.told["method"] == "cubic") else None,
            paper_scale,
        )
        for one in variants
        for suffix in ("", "_without")
    ]


def _row(
    told: Mapping[str, Any],
    cells: Measurements,
    suffix: str,
    cubic: Mapping[tuple[str, int], float],
    common: Iterable[tuple[int, tuple[str, int]]],
    paper: PaperFigure | None,
    paper_scale: float,
) -> dict[str, Any]:
    method = told["method"]
    kind = METHODS[method].kind
    own = kind in ("internal", "refined")
    first = cells[0] if cells and cells[0].trained else None
    row: dict[str, Any] = {
        "scale": told["scale"],
        "method": method,
        "name": method_name(method),
        "internal_lr": own,
        "external_lr": kind in ("external", "refined"),
        "guide": METHODS[method].guided,
        "stages": told.get("stages", first.stages if first else None),
        "loss": told.get("loss", first.loss if first else None),
        "shift_mm": told.get("shift_mm", 0.0),
        "jitter_mm": told.get("jitter_mm", 0.0),
        "back_projection": "without" if suffix else "one",
    }
    for place, centre in (("centre", True), ("central", False)):
        for figure in ("psnr", "ssim"):
            found = summarise(cells, figure + suffix, centre=centre)
            row[f"{place}_{figure}"] = plain(found.mean)
            row[f"{place}_{figure}_sd"] = plain(found.deviation)
        gain = summarise(cells, "psnr" + suffix, over=cubic, centre=centre)
        row[f"{place}_gain"] = plain(gain.mean)
    shared = summarise(cells, "psnr" + suffix, over=cubic, among=common)
    return row | {
        "common_gain": plain(shared.mean),
        "common_slices": shared.slices,
        "paper_psnr": paper.psnr if paper else None,
        "paper_ssim": paper.ssim if paper else None,
        "paper_gain": paper.gain(paper_scale) if paper else None,
        "parameters": first.line.get("parameters") if first else None,
        "steps": first.line.get("steps") if first else None,
        "train_seconds": plain(cells.average("train_seconds")),
        "train_seconds_of": _TRAINED_FOR.get(kind, "run"),
        "predict_seconds": plain(cells.average("predict_seconds")),
        "folds": len(cells.folds),
        "seeds": len(cells.seeds),
        "slices": len(_places(cells)),
        "slices_a_subject": max(map(_each, cells), default=0),
    }


def measured_table(
    cells: Measurements,
    title: str,
    caption: str,
    leading: tuple[Column, ...],
    rows: Sequence[Row],
    notes: tuple[str, ...] = (),
    *,
    grouped: bool = False,
) -> Table:
    """Show measured rows beside the paper's figures.

    Args:
        cells: All cells; their largest number of slices a subject is the usual one.
        title: Of the table.
        caption: Of the table.
        leading: Columns behind the method's name.
        rows: From `measured_rows`.
        notes: Paragraphs below.
        grouped: Whether each scale is a table of its own.
    """
    most = max(map(_each, cells), default=60)
    few = any(row["slices"] > row["common_slices"] for row in rows if row["slices"])

    def central(figure: str, digits: int) -> Callable[[Row], str]:
        def text(row: Row) -> str:
            each = row["slices_a_subject"]
            value = row[f"central_{figure}"], row[f"central_{figure}_sd"]
            fewer = figure == "psnr" and 0 < each < most
            count = f" ({each} slice{'s' if each > 1 else ''})" if fewer else ""
            return spread(*value, digits) + count

        return text

    def common(row: Row) -> str:
        if row["common_gain"] is None:
            return MISSING
        gain = number(row["common_gain"], sign=True)
        return f"{gain} ({row['common_slices']})"

    shared = (Column("gain on the slices all have (how many)", common),) if few else ()
    columns = (
        Column("method", lambda row: row["name"], left=True),
        *leading,
        Column("back-projection", lambda row: row["back_projection"], left=True),
        Column(
            "centre slice: PSNR",
            lambda row: spread(row["centre_psnr"], row["centre_psnr_sd"]),
        ),
        Column(
            "SSIM", lambda row: spread(row["centre_ssim"], row["centre_ssim_sd"], 3)
        ),
        Column("gain", lambda row: number(row["centre_gain"], sign=True)),
        Column(f"{most} central slices: PSNR", central("psnr", 2)),
        Column("SSIM", central("ssim", 3)),
        Column("gain", lambda row: number(row["central_gain"], sign=True)),
        *shared,
        Column("paper: PSNR / SSIM", _paper),
        Column("paper: gain", lambda row: number(row["paper_gain"], sign=True)),
        Column("training", _training),
        Column("inference, a slice", lambda row: seconds(row["predict_seconds"])),
        Column("folds, seeds, slices", _counts),
    )
    group = "scale" if grouped else None
    label = "{:g}×".format
    return Table(title, caption, columns, tuple(rows), group, label, notes)


def _places(cells: Measurements) -> set[tuple[int, tuple[str, int]]]:
    return {(one.fold, place) for one in cells for place in one.figures}


def _each(cell: Measured) -> int:
    """Slices a subject."""
    subjects = {place[0] for place in cell.figures}
    return round(len(cell.figures) / len(subjects)) if subjects else 0


def _paper(row: Row) -> str:
    if row["paper_psnr"] is None:
        return MISSING
    return f"{number(row['paper_psnr'])} / {number(row['paper_ssim'], 3)}"


def _training(row: Row) -> str:
    time = row["train_seconds"]
    if not time:
        return MISSING
    each = row["train_seconds_of"]
    return seconds(time) + ("" if each == "run" else f" a {each}")


def _counts(row: Row) -> str:
    if not row["folds"]:
        return MISSING
    return f"{row['folds']}, {row['seeds']}, {row['slices']}"
