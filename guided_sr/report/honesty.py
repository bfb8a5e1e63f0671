"""Tables and a picture of what a model copies from the T1 and loses of the T2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from guided_sr.evaluation.honesty import Example
from guided_sr.report.panel import (
    error_window,
    grey_window,
    new_figure,
    outline,
    save_figure,
    show_slice,
)
from guided_sr.report.table import MISSING, Column, Row, Table, number

__all__ = ["draw_honesty", "honesty_tables"]

BASELINE = "cubic"

_LEAK = (
    "Discs in the T1 alone: the share of their contrast that appears in the result"
    " (mean magnitude of the projection; what one disc in twenty exceeds; and the"
    " strength of all that they change there, rings included)."
)
_SURVIVAL = (
    "Discs in the T2 alone: the share of their contrast that the result keeps, summed"
    " over the disc widened by one coarse pixel, and the mean inside the disc."
)


def honesty_tables(rows: Sequence[Row], *, model: str) -> tuple[Table, Table]:
    """Leak and survival by diameter.

    Args:
        rows: From `honesty_rows`; those of single contrasts are left out.
        model: Method that the tables are about; the others stand beside it.

    Returns:
        The table of the leak, and that of the survival.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    others = [name for name in methods if name != model]
    chosen = [row for row in rows if row["contrast"] is None]
    leaks = _by_diameter(chosen, "t1", ("leak", "leak_worst", "strength"), [model])
    kept = _by_diameter(chosen, "t2", ("sum", "mean"), [model, *others])
    heads = (
        Column("diameter [px]", _diameter, left=True),
        Column("discs", lambda row: str(row["count"])),
    )
    leak = Table(
        "Seen in the T1 alone",
        _LEAK,
        (
            *heads,
            _percent("leak", f"{model} leak"),
            _percent("1 in 20", f"{model} leak_worst"),
            _percent("strength", f"{model} strength"),
        ),
        tuple(leaks),
    )
    survival = Table(
        "Seen in the T2 alone",
        _SURVIVAL,
        (
            *heads,
            *(
                _percent(f"{figure}, {name}", f"{name} {figure}")
                for figure in ("sum", "mean")
                for name in (model, *others)
            ),
        ),
        tuple(kept),
    )
    return leak, survival


def _by_diameter(
    rows: Sequence[Row], seen_in: str, figures: Sequence[str], methods: Sequence[str]
) -> list[dict[str, Any]]:
    """One row a diameter with the figures of all methods; all sizes come last."""
    found: dict[float | None, dict[str, Any]] = {}
    for row in rows:
        if row["seen_in"] == seen_in and row["method"] in methods:
            size = row["diameter"]
            one = found.setdefault(size, {"diameter": size, "count": row["count"]})
            for figure in figures:
                one[f"{row['method']} {figure}"] = row.get(figure)
    sizes = sorted(found, key=lambda size: (size is None, size))
    return [found[size] for size in sizes]


def _diameter(row: Row) -> str:
    size = row.get("diameter")
    return "all" if size is None else f"{size:g}"


def _percent(heading: str, key: str) -> Column:
    def text(row: Row) -> str:
        value = row.get(key)
        return MISSING if value is None else f"{number(100.0 * value, 0)} %"

    return Column(heading, text)


def draw_honesty(
    path: str | os.PathLike[str], example: Example, *, model: str, title: str = ""
) -> None:
    """Draw a PNG of one slice: the discs put in, and what became of them.

    Args:
        path: The PNG file.
        example: From `measure_honesty`.
        model: Method that is shown; cubic interpolation stands beside it.
        title: Heading of the picture.
    """
    figure = new_figure(13.0, 8.6)
    figure.suptitle(title or model)
    axes = figure.subplots(2, 4)
    extent = outline(example.t2)
    shades = error_window(example.t2_discs)
    kept = example.survivals
    upper = (
        ("T1 with discs", example.t1, grey_window(example.t1)),
        ("what was put into the T1", example.t1_discs, shades),
        (f"what {model} shows of it", example.leaks[model], shades),
    )
    lower = (
        ("sharp T2 with discs", example.t2, grey_window(example.t2)),
        ("what was put into the T2", example.t2_discs, shades),
        (f"what {model} keeps of it", kept[model], shades),
        (f"what {BASELINE} keeps of it", kept[BASELINE], shades),
    )
    for row, pictures in zip(axes, (upper, lower), strict=True):
        for axis, (heading, image, window) in zip(row, pictures, strict=False):
            shown = show_slice(axis, image, heading, extent, window)
    axes[0, 3].set_axis_off()
    bar = axes[0, 3].inset_axes((0.02, 0.05, 0.06, 0.9))
    figure.colorbar(shown, cax=bar, label="change; 1 is the span of the image")
    save_figure(figure, path)
