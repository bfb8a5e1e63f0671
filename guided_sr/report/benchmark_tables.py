"""The paper's Tables I to V out of the lines of a benchmark, beside its own figures.

Nothing is typed by hand: a cell comes from the lines, from `evaluation.paper`, or shows
a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guided_sr.errors import PathLike
from guided_sr.evaluation.benchmark.methods import METHODS
from guided_sr.evaluation.measured import Measurements, cascades, losses, shifts
from guided_sr.evaluation.pairing import interval, paired
from guided_sr.evaluation.paper import (
    CASCADE,
    DETAIL_SCALE,
    LOSS,
    NAMES,
    SHIFT,
    SUPERVISED,
    UNSUPERVISED,
    method_name,
    paper_figure,
)
from guided_sr.report.benchmark_orderings import orderings, refinement
from guided_sr.report.benchmark_rows import (
    READING,
    Variant,
    measured_rows,
    measured_table,
    scales_of,
)
from guided_sr.report.table import MISSING, Column, Row, Table, number
from guided_sr.volumes.writing import prepare_output, publish, staged

__all__ = ["READING", "render_page", "render_tables", "write_tables"]

TABLE_1 = ("cubic", *SUPERVISED)
TABLE_2 = (
    "cubic",
    "guided_filter",
    "guided_filter_20",
    "guided_back_projection",
    "nlm_t1",
    *UNSUPERVISED,
    "refined",
    "pretrained",
    "pretrained_refined",
)
Lines = Sequence[Mapping[str, Any]]


def render_tables(lines: Lines) -> dict[str, Table]:
    """Tables I to V, the orderings and what refinement brings.

    Args:
        lines: The lines of a benchmark, in any order; any may be missing. Of two
            lines of one cell the last counts.

    Returns:
        ``table_1`` to ``table_5``, ``orderings`` and ``refinement``.

    Raises:
        DataError: If a line is none of a benchmark.
    """
    cells = Measurements.read(lines)
    return {
        "table_1": _methods(
            cells,
            TABLE_1,
            title="Table I: supervised",
            caption="Trained on high-resolution T2 images of other subjects.",
            leading=(_flag("guide", "guide"),),
        ),
        "table_2": _methods(
            cells,
            TABLE_2,
            title="Table II: unsupervised",
            caption="No high-resolution T2 image is seen in training: networks learn"
            " from the low-resolution test image (internal) or from low-resolution"
            " images of other subjects (external), in *r* stages. *From paintings*:"
            " before that, from heads painted from label maps in random contrasts.",
            leading=(
                _flag("internal_lr", "internal LR"),
                _flag("external_lr", "external LR"),
                _flag("guide", "guide"),
                Column("*r*", lambda row: _integer(row["stages"])),
            ),
        ),
        "table_3": _cascade(cells),
        "table_4": _losses(cells),
        "table_5": _shifts(cells),
        "orderings": orderings(cells),
        "refinement": refinement(cells),
    }


def render_page(lines: Lines) -> str:
    """All tables as one page of Markdown.

    Args:
        lines: As for `render_tables`.
    """
    parts = ["# The paper's tables, measured\n", *_conditions(lines), READING + "\n"]
    parts += [table.markdown() for table in render_tables(lines).values()]
    return "\n".join(parts)


def write_tables(lines: Lines, folder: PathLike) -> dict[str, Path]:
    """Write ``table_1.csv`` to ``table_5.csv``, two more, and ``tables.md``.

    Each file is replaced in one step, the page last.

    Args:
        lines: As for `render_tables`.
        folder: Where to; made if need be.

    Returns:
        The files by the names of the tables, and ``page``.

    Raises:
        DataError: If a line is none of a benchmark.
        CannotCreateError: If the folder may not be written.
        IOFailure: If the disk is full or fails.
    """
    texts = {key: table.csv() for key, table in render_tables(lines).items()}
    files = {key: Path(folder) / f"{key}.csv" for key in texts}
    files["page"] = Path(folder) / "tables.md"
    texts["page"] = render_page(lines)
    for key, path in files.items():
        _replace(prepare_output(path, force=True), texts[key])
    return files


def _replace(path: Path, text: str) -> None:
    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    with staged(path, write, suffix=path.suffix) as complete:
        publish(complete, path, force=True)


def _methods(
    cells: Measurements,
    methods: Sequence[str],
    *,
    title: str,
    caption: str,
    leading: tuple[Column, ...],
) -> Table:
    scales = scales_of(cells)
    rows: list[Row] = []
    for scale in scales:
        variants: list[Variant] = [
            Variant({"method": key}, cells.main(key, scale), paper_figure(key, scale))
            for key in methods
            if not METHODS[key].started or cells.where(method=key)
        ]
        rows += measured_rows(cells, scale, scale, variants)
    missing = [f"{s}×" for s in (2, 4) if s not in scales]
    notes = (f"Not run at {' and '.join(missing)}.",) if missing else ()
    return measured_table(cells, title, caption, leading, rows, notes, grouped=True)


def _cascade(cells: Measurements) -> Table:
    found = cascades(cells)
    variants = [
        Variant({"method": "proposed", "stages": r}, chosen, CASCADE.get(r))
        for r, chosen in found.cells.items()
    ]
    return measured_table(
        cells,
        f"Table III: stages of the cascade, {found.scale:g}×",
        f"{method_name('proposed')} with *r* stages.{_paper_scale(found.scale)}",
        (Column("*r*", lambda row: _integer(row["stages"])),),
        measured_rows(cells, found.scale, DETAIL_SCALE, variants),
    )


def _losses(cells: Measurements) -> Table:
    found = losses(cells)
    variants = [
        Variant({"method": "proposed", "loss": loss}, chosen, LOSS[loss])
        for loss, chosen in found.cells.items()
    ]
    rows = measured_rows(cells, found.scale, DETAIL_SCALE, variants)
    for row in rows:
        row |= dict.fromkeys(("l1_minus_l2", "smallest_fold", "runs", "low", "high"))
    notes = []
    for figure, row, when in (
        ("psnr", rows[0], "after one back-projection"),
        ("psnr_without", rows[1], "without"),
    ):
        difference = paired(found.cells["l1"], found.cells["l2"], figure=figure)
        if difference is None:
            continue
        runs, folds = difference.run_means, difference.fold_means
        low, high = interval(runs) or (None, None)
        row |= {"l1_minus_l2": difference.mean, "smallest_fold": min(folds)}
        row |= {"runs": len(runs), "low": low, "high": high}
        notes.append(
            f"L1 − L2, {when}, slice by slice within each fold and seed:"
            f" **{number(difference.mean, sign=True)} dB**; 95 % interval (Student's t)"
            f" {_interval(runs)} over the means of {len(runs)} runs,"
            f" {_interval(folds)} over those of {len(folds)} folds; smallest fold mean"
            f" {number(min(folds), sign=True)}."
        )
    return measured_table(
        cells,
        f"Table IV: the loss, {found.scale:g}×",
        f"{method_name('proposed')} with either loss.{_paper_scale(found.scale)}",
        (
            Column("loss", lambda row: str(row["loss"]).upper(), left=True),
            Column("*r*", lambda row: _integer(row["stages"])),
        ),
        rows,
        tuple(notes or ["L1 − L2: no fold and seed was run with both losses."]),
    )


def _shifts(cells: Measurements) -> Table:
    found = shifts(cells)
    variants = [
        Variant(
            {"method": "proposed", "shift_mm": shift, "jitter_mm": jitter},
            chosen,
            SHIFT.get(shift) if jitter == 0 else None,
        )
        for (shift, jitter), chosen in found.cells.items()
    ]
    zssr = cells.main("zssr", found.scale)
    blind = {"method": "zssr", "shift_mm": None, "jitter_mm": None}
    variants.append(Variant(blind, zssr, paper_figure("zssr", DETAIL_SCALE)))
    jitters = any(jitter for _, jitter in found.cells)
    return measured_table(
        cells,
        f"Table V: a guide out of place, {found.scale:g}×",
        f"{method_name('proposed')} with the T1 shifted on all three axes, with a"
        " random sign, in training and in testing. *Jitter*: trained instead on T1s in"
        " place, each moved at random by up to so much."
        f"{_paper_scale(found.scale)}",
        (
            Column("T1 shifted by", lambda row: _millimetres(row["shift_mm"])),
            Column("jitter", lambda row: _millimetres(row["jitter_mm"])),
        ),
        measured_rows(cells, found.scale, DETAIL_SCALE, variants),
        () if jitters else ("Not run with jitter.",),
    )


def _conditions(lines: Lines) -> list[str]:
    """What was run, on what, and what it can tell."""
    cells = Measurements.read(lines)
    versions: dict[str, set[str]] = {}
    for one in cells:
        for name, version in (one.line.get("versions") or {}).items():
            versions.setdefault(name, set()).add(str(version))
    of = [f"{name} {'/'.join(sorted(v))}" for name, v in sorted(versions.items())]
    tested = sorted({place[0] for one in cells for place in one.figures})
    old = len(lines) - len(cells)
    told = {
        "Hardware": _by_method(cells, "hardware"),
        "Versions": ", ".join(of),
        "Budget in training steps": _by_method(cells, "steps"),
        "Seeds": ", ".join(map(str, cells.matching(lambda one: one.trained).seeds)),
        "Test subjects": f"{len(tested)} ({', '.join(tested)})" if tested else "",
        "Lines": f"{len(cells)}" + (f", {old} older ones left out" if old else ""),
    }
    items = [f"- {name}: {text or MISSING}" for name, text in told.items()]
    subjects = "1 test subject" if len(tested) == 1 else f"{len(tested)} test subjects"
    return [
        "\n".join(items) + "\n",
        f"**With {subjects} a difference under 0.3 dB between two methods says nothing"
        " unless it is paired slice by slice, as the orderings below are.** The paper's"
        " absolute figures come from other data (NAMIC, since withdrawn): only gains"
        " over bicubic and orderings compare.\n",
    ]


def _by_method(cells: Measurements, key: str) -> str:
    """The values of a key, with the methods of each where there are several."""
    values: dict[str, set[str]] = {}
    for method in NAMES:
        for one in cells.where(method=method):
            if one.line.get(key):
                values.setdefault(method, set()).add(str(one.line[key]))
    methods: dict[str, list[str]] = {}
    for method, found in values.items():
        text = " or ".join(sorted(found, key=lambda v: (len(v), v)))
        methods.setdefault(text, []).append(method_name(method))
    if len(methods) == 1:
        return next(iter(methods))
    return "; ".join(f"{text}: {', '.join(m)}" for text, m in methods.items())


def _paper_scale(scale: float) -> str:
    if scale == DETAIL_SCALE:
        return ""
    return f" The paper's figures are those of {DETAIL_SCALE}×."


def _interval(means: Sequence[float]) -> str:
    reach = interval(means)
    if reach is None:
        return MISSING
    return f"[{number(reach[0], sign=True)}, {number(reach[1], sign=True)}]"


def _flag(key: str, heading: str) -> Column:
    return Column(heading, lambda row: "✓" if row[key] else "", left=True)


def _integer(value: int | None) -> str:
    return MISSING if value is None else str(value)


def _millimetres(value: float | None) -> str:
    return MISSING if value is None else f"{value:g} mm"
