"""All that a benchmark shows: tables, and the figures of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guided_sr.evaluation.benchmark.lines import (
    Line,
    image_file,
    lines_file,
    read_lines,
)
from guided_sr.report.benchmark_figures import draw_comparison, draw_profile
from guided_sr.report.benchmark_tables import write_tables

Image = NDArray[np.float32]

FIGURES = {
    "figure_3": (
        "cubic",
        "srcnn",
        "dcsrn",
        "mdcsrn_gan",
        "recnn",
        "proposed_supervised",
    ),
    "figure_4": (
        "cubic",
        "nlm_t1",
        "zssr",
        "model_1",
        "model_2",
        "proposed",
        "refined",
        "pretrained_refined",
    ),
    "figure_5": ("cubic", "model_1", "model_2", "proposed", "proposed_supervised"),
}
"""Methods of the paper's Figures 3 (supervised), 4 (unsupervised), 5 (profiles)."""


def render(folder: Path, *, keys: Sequence[str] | None = None) -> list[Path]:
    """Write tables and figures of a benchmark's folder into it.

    Figures show the centre slice of the first subject tested, at the largest scale,
    with one back-projection after each method; a method that is not there is left
    out, and a figure with nothing beside cubic interpolation is not drawn.

    Args:
        folder: With ``cells.jsonl`` and ``images``.
        keys: Cells to show; all by default.

    Returns:
        The files written.
    """
    lines = [
        line
        for line in read_lines(lines_file(folder))
        if not keys or line["key"] in keys
    ]
    written = list(write_tables(lines, folder).values())
    for name, methods in FIGURES.items():
        path = folder / f"{name}.png"
        if _draw(path, folder, lines, methods):
            written.append(path)
    return written


def _draw(
    path: Path, folder: Path, lines: Sequence[Line], methods: Sequence[str]
) -> bool:
    main = [one for one in lines if not one["shift_mm"] and not one["jitter_mm"]]
    if not main:
        return False
    scale = max(one["scale"] for one in main)
    first = min((one["fold"], one["test"][0]) for one in main)[1]
    images: dict[str, Image] = {}
    whole: dict[str, Image] = {}
    for method in methods:
        file = _file(folder, main, method, scale, first)
        if file is not None:
            with np.load(file) as kept:
                whole = {"truth": kept["truth"], "guide": kept["guide"]}
                images[method] = kept["image"]
    if len(images) < 2:
        return False
    title = (
        f"{first}, centre slice, {scale:g}×; one back-projection after every method,"
        " none after bicubic interpolation"
    )
    if path.stem == "figure_5":
        draw_profile(path, truth=whole["truth"], images=images, title=title)
    else:
        draw_comparison(
            path,
            truth=whole["truth"],
            guide=whole["guide"],
            images=images,
            title=title,
        )
    return True


def _file(
    folder: Path, lines: Sequence[Line], method: str, scale: float, subject: str
) -> Path | None:
    found = [
        one
        for one in lines
        if one["method"] == method and one["scale"] == scale and subject in one["test"]
    ]
    found.sort(key=lambda one: (-one["stages"], one["loss"], one["seed"]))
    for one in found:
        file = image_file(folder, one["key"], subject)
        if file.exists():
            return file
    return None
