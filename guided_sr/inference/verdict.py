"""PASS, LOOK or FAIL: what the figures of a result come to, and why.

A verdict reads figures that are there already. PASS says that nothing stood out, not
that the result is right: what was invented between the voxels of the T2 is in none of
the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FAIL", "LOOK", "PASS", "judge"]

PASS, LOOK, FAIL = "PASS", "LOOK", "FAIL"

UNEXPLAINED = 0.03
"""Share of the T2's intensity range from which what is unexplained asks for a look.

Noise of a clinical T2 is 1 to 3 % of its range, and a result that is held to the T2
leaves no more than its noise. Without back-projection, networks leave about as much.
"""

CONTRADICTED = 0.10
"""Share from which the result contradicts the T2: more than interpolation leaves."""

WORSE = 0.005
"""Share by which a back-projection may raise what is unexplained.

One that is regularised by the noise does not hold a result to the last digit: a result
that explains nearly everything may lose a trifle by it.
"""

COVERED = 0.9
"""Share of the T2 that the T1 must cover: beyond it, there is no guide."""

CORNERS_MM = 0.01
"""Distance of a corner of the field of view: a hundredth of a voxel of 1 mm."""


def judge(
    qc: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    registration: Mapping[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """Judge a result by its figures.

    Args:
        qc: Figures of the result, as in `Result.qc`; what is missing is not judged.
        warnings: What was noticed on the way. Each is a reason for a look.
        registration: How the T1 was placed, as in `Registration.to_dict`.

    Returns:
        The verdict, and a plain sentence for each reason that it is not PASS, those of
        FAIL first.
    """
    failed = list(_faults(qc))
    doubtful = [*_doubts(qc, registration or {}), *warnings]
    reasons = list(dict.fromkeys([*failed, *doubtful]))
    return FAIL if failed else LOOK if doubtful else PASS, reasons


def _faults(qc: Mapping[str, Any]) -> list[str]:
    """What makes a result unusable."""
    found = []
    if not qc.get("finite", True):
        found.append("The result holds NaN or infinite values.")
    after = qc.get("consistency_after")
    if after is not None and not after <= CONTRADICTED:
        found.append(
            f"The result contradicts the T2: {_percent(after)} of its intensity range"
            f" are unexplained, over {_percent(CONTRADICTED)}."
        )
    gap = qc.get("field_of_view_mm")
    if gap is not None and not gap <= CORNERS_MM:
        found.append(f"The field of view is {gap:.3g} mm off that of the T2.")
    return found


def _doubts(qc: Mapping[str, Any], registration: Mapping[str, Any]) -> list[str]:
    """What asks for a look."""
    found = []
    after, before = qc.get("consistency_after"), qc.get("consistency_before")
    if after is not None and UNEXPLAINED < after <= CONTRADICTED:
        found.append(
            f"{_percent(after)} of the T2's intensity range are unexplained, over"
            f" {_percent(UNEXPLAINED)}."
        )
    if after is not None and before is not None and after > before + WORSE:
        found.append(
            f"The last back-projection left {_percent(after)} of the T2's intensity"
            f" range unexplained, where {_percent(before)} were before it: does the"
            " slice profile fit the scan?"
        )
    overlap = qc.get("guide_overlap")
    if overlap is not None and overlap < COVERED:
        found.append(
            f"The T1 covers {_percent(overlap)} of the T2; the rest has no guide."
        )
    if registration.get("mode") == "auto" and "misfit" not in registration:
        found.append("The T1 was not registered: a slab is too thin to measure in.")
    fit = registration.get("mutual_information", {})
    given = registration.get("mode") == "file"
    if given and fit and fit["placement"] < fit["headers"]:
        found.append("The T1 fits worse by the given transform than by the headers.")
    return found


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return str(share)
    return f"{100 * share:.3g} %"
