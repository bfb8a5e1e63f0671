"""Which factors a model serves: the one it was trained for, or a range of them.

A model that enlarges both axes of a plane serves exactly one factor. A through-plane
model enlarges the rows alone, factor ``(s, 1)``, and may serve a range of ``s``.
"""

from __future__ import annotations

from collections.abc import Sequence

from guided_sr.physics.cascade_plan import scale_per_axis

Factors = tuple[float, float]
Range = tuple[float, float]

_SLACK = 1e-3

SLICE_AXIS = "along the slice axis"
"""What a factor of rows alone is said to be."""


def rows_only(scale: Sequence[float]) -> bool:
    """Whether a scale enlarges rows and leaves columns as they are."""
    rows, columns = scale
    return rows > 1.0 + _SLACK and columns <= 1.0 + _SLACK


def served_factors(
    asked: float | Sequence[float] | None, scale: Factors, scale_range: Range | None
) -> Factors | None:
    """The factors of rows and columns, if a model serves what is asked for.

    Args:
        asked: A number, a pair, or `None` for what the model was trained for. A
            number ``s`` means ``(s, 1)`` to a model that enlarges rows alone.
        scale: What the model was trained for.
        scale_range: Least and largest factor of the enlarged axes; `None` where the
            model serves `scale` alone.

    Returns:
        The factors, or `None` if the model does not serve them.

    Raises:
        UsageError: If what is asked for is no scale at all.
    """
    if asked is None:
        return scale
    if isinstance(asked, int | float) and rows_only(scale):
        asked = (asked, 1.0)
    factors = scale_per_axis(asked)
    for factor, known in zip(factors, scale, strict=True):
        low, high = (known, known)
        if scale_range is not None and known > 1.0 + _SLACK:
            low, high = scale_range
        if not low * (1.0 - _SLACK) <= factor <= high * (1.0 + _SLACK):
            return None
    return scale if scale_range is None else factors


def model_text(name: str | None) -> str:
    """A model in a sentence: ``"the model grdn_t2_x4"``, or without its name."""
    return f"the model {name}" if name else "the model"


def scale_text(scale: Sequence[float] | None) -> str:
    """``"4"`` for a scale of both axes, ``"4x1"`` for one of each."""
    if scale is None:
        return "?"
    rows, columns = scale
    return f"{rows:g}" if rows == columns else f"{rows:g}x{columns:g}"


def served_text(scale: Factors, scale_range: Range | None) -> str:
    """What a model serves: ``"4"`` or ``"2 to 6 along the slice axis"``."""
    if rows_only(scale):
        low, high = (scale[0],) * 2 if scale_range is None else scale_range
        factors = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        return f"{factors} {SLICE_AXIS}"
    if scale_range is None:
        return scale_text(scale)
    ends = (
        tuple(end if factor > 1.0 + _SLACK else 1.0 for factor in scale)
        for end in scale_range
    )
    return " to ".join(scale_text(end) for end in ends)
