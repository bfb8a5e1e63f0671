"""What a report says in words and figures: rows of name and value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guided_sr.inference.result import Result
from guided_sr.inference.worth import worth_text
from guided_sr.volumes.target import triple_text

__all__ = ["plan_rows", "provenance_rows", "quality_rows"]

Rows = list[tuple[str, str]]

_QUALITY = {
    "consistency_before": (
        "unexplained before the last back-projection",
        "root mean square, as a share of the T2's intensity range",
    ),
    "consistency_after": (
        "unexplained in the result",
        "the same; small is necessary, not sufficient",
    ),
    "largest_residual": ("largest residual", "in the units of the T2"),
    "noise": ("noise of the T2", "standard deviation, as a share of its range"),
    "epsilon": (
        "epsilon of the back-projection",
        "how loosely the result is held to the T2: 0.001 is close, and a noisy T2 gets"
        " more, so that its noise need not be reproduced",
    ),
    "guide_overlap": ("covered by the T1", "share of the T2's field of view"),
    "guide_gain_db": (
        "gain by the T1",
        "on slices of the T2 that were made coarser and brought back, with and without",
    ),
    "guide_used": ("the T1 was used", ""),
    "cut_out": (
        "ends where the T1 does",
        "as a T2 does that was cut out by the same mask before it became coarse",
    ),
    "field_of_view_mm": (
        "field of view",
        "largest distance of a corner from the T2's, in mm",
    ),
    "finite": ("every value is a number", ""),
}


def plan_rows(result: Result) -> Rows:
    """What was done: grids, axes, stages, model, registration."""
    plan, known = result.plan.summary(), result.provenance
    rows: Rows = []
    for name, shape, voxel in (
        ("T2", "shape", "voxel_mm"),
        ("result", "target_shape", "target_voxel_mm"),
    ):
        rows.append(
            (name, f"{_triple(plan[shape])} voxels of {_triple(plan[voxel])} mm")
        )
    rows.append(
        (
            "axes",
            f"{_triple(plan['scale'])}: {plan['reason']}; the slices lie across axis"
            f" {result.plan.grid.slice_axis + 1}",
        )
    )
    both = result.plan.through_plane or ()
    for name, cascades in (
        ("in-plane stages", [result.plan.in_plane]),
        ("through-plane stages", both),
    ):
        for cascade in cascades:
            if cascade is not None:
                levels = range(cascade.stages + 1)
                sizes = ("x".join(map(str, cascade.level_shape(k))) for k in levels)
                rows.append((name, " → ".join(sizes)))
    if both:
        seen = f"{result.plan.profile.describe()} ({result.plan.profile_source})"
        rows.append(("slice profile", seen))
    for key in ("model", "slice_model"):
        if key in known:
            rows.append((key.replace("_", " "), _model(known[key])))
    method = known.get("back_projection", {}).get("method")
    rows.append(("back-projection", method or "none"))
    rows.append(("registration", _registration(known.get("registration"))))
    if "seconds" in known:
        rows.append(("time in the networks", f"{known['seconds']:.0f} s"))
    return rows


def quality_rows(qc: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Figures of quality: name, value, what it means.

    Args:
        qc: Of the result; what has no name here goes by its key.
    """
    rows = []
    for key, value in qc.items():
        if value is None or key in ("guide_spread_db", "guide_slices"):
            continue
        name, note = _QUALITY.get(key, (key.replace("_", " "), ""))
        text = _gain(qc) if key == "guide_gain_db" else _text(value)
        rows.append((name, text, note))
    return rows


def _gain(qc: Mapping[str, Any]) -> str:
    """The gain with its spread; alone in a result of an earlier version."""
    gain, spread = qc["guide_gain_db"], qc.get("guide_spread_db")
    if spread is None:
        return f"{gain:+.2f} dB"
    return worth_text(gain, spread, qc["guide_slices"])


def provenance_rows(provenance: Mapping[str, Any]) -> Rows:
    """Command, versions, and the hashes of all that went in."""
    rows: Rows = []
    if "command" in provenance:
        rows.append(("command", provenance["command"]))
    versions = {
        "guided-sr": provenance.get("version"),
        **provenance.get("versions", {}),
    }
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in versions.items() if v)))
    for name, entry in provenance.get("inputs", {}).items():
        rows.append((name.upper(), entry.get("path") or "in memory"))
        if entry.get("sha256"):
            rows.append((f"{name.upper()} sha256", entry["sha256"]))
    for key in ("model", "slice_model"):
        weights = provenance.get(key, {}).get("weights_sha256") or {}
        for file, digest in weights.items():
            rows.append((f"{key.replace('_', ' ')}: {file}", digest))
    return rows


def _triple(sizes: Any) -> str:
    return triple_text(list(sizes))


def _model(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('name')}, {entry.get('precision')}"


def _registration(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "none: no T1"
    misfit, done = found.get("misfit"), found.get("applied")
    text = str(found.get("mode"))
    if misfit is not None:
        text += f", misfit {misfit['mm']:.2f} mm, {misfit['degrees']:.2f} degrees"
    return f"{text}: the T1 is {'moved' if done else 'left where its header says'}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
