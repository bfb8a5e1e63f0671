"""Figures of quality, always with cubic interpolation beside them."""

from guided_sr.evaluation.measures import (
    SLICES,
    Comparison,
    Score,
    baselines,
    choose_slices,
    compare,
)

__all__ = [
    "SLICES",
    "Comparison",
    "Score",
    "baselines",
    "choose_slices",
    "compare",
]
