"""Cut a slice into strips of rows that join without a seam."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Strip:
    """Rows of a slice that go through a network together.

    Attributes:
        seen: The rows that the network sees.
        kept: Those of its result that are kept, counted from the first one seen.
    """

    seen: slice
    kept: slice


def strips(height: int, *, rows: int, overlap: int, at_least: int = 1) -> list[Strip]:
    """Strips of equal height that together keep each row once.

    Args:
        height: Rows of the slice.
        rows: The most that a strip keeps.
        overlap: How many it sees beside them, on each side where there are as many:
            how far the network reaches.
        at_least: The fewest strips.

    Returns:
        One or more, from the first row to the last; a single one sees all.
    """
    count = max(at_least, -(-height // rows))
    kept = -(-height // count)
    # two strips have one neighbour each, and none has more than the slice
    seen = min(height, kept + min(2, count - 1) * overlap)
    cuts = []
    for start in range(0, height, kept):
        low = min(max(0, start - overlap), height - seen)
        stop = min(start + kept, height)
        cuts.append(Strip(slice(low, low + seen), slice(start - low, stop - low)))
    return cuts
