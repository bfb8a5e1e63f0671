"""What each map of a result shows, what it cannot, and what it costs. Text alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guided_sr.errors import UsageError

__all__ = ["MAPS", "MapMeaning", "chosen_maps", "map_passes"]


class MapMeaning(NamedTuple):
    """How a map is to be read.

    Attributes:
        title: Its name in words.
        shows: What its values are.
        cannot: What must not be read from it.
    """

    title: str
    shows: str
    cannot: str


MAPS = {
    "consistency": MapMeaning(
        "Consistency: what is left unexplained of the T2",
        "The T2 less what the result would look like to the scanner: signed, in the"
        " units of the T2, on the T2's own grid.",
        "It cannot see detail that was invented between the voxels of the T2, right or"
        " wrong: a clean map is necessary and far from sufficient.",
    ),
    "uncertainty": MapMeaning(
        "Uncertainty: how far repeated predictions lie apart",
        "Standard deviation over four predictions, of the pair as it is and turned or"
        " mirrored, in the units of the T2.",
        "It cannot foretell errors: the four share one training and one T1, and can"
        " agree on what is wrong. Large values are a warning, small ones no promise.",
    ),
    "guide_influence": MapMeaning(
        "Guide influence: what hangs on the detail of the T1",
        "The result less the result with the T1 blurred to two voxels of the T2 (full"
        " width at half maximum): signed, in the units of the T2. It is 0 where the T1"
        " was not used.",
        "It cannot tell right detail from wrong: a lesion that the T1 lacks, or has"
        " alone, leaves its trace in it like any other edge. Nor does it show what the"
        " T1 does to broad shades.",
    ),
}
"""By name, as in ``guided-sr run --maps``."""

_PASSES = {"uncertainty": 3, "guide_influence": 1}


def chosen_maps(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of maps, each once, in the order of `MAPS`.

    Args:
        names: Some names, or ``"all"``.

    Raises:
        UsageError: If there is no such map.
    """
    asked = [names] if isinstance(names, str) else list(names)
    if asked == ["all"]:
        return tuple(MAPS)
    unknown = [name for name in asked if name not in MAPS]
    if unknown:
        raise UsageError(
            f"there is no map {', '.join(map(repr, unknown))}",
            mend=f"choose among {', '.join(MAPS)}, or all",
        )
    return tuple(name for name in MAPS if name in asked)


def map_passes(names: Sequence[str]) -> int:
    """Predictions that maps take, beyond that of the result."""
    return sum(_PASSES.get(name, 0) for name in names)
