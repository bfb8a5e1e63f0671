"""Which slices a fine-tuning learns from and which judge it. No framework is loaded.

Counts and sizes go in, numbers of slices come out: the same rule answers before a
framework is loaded, from the headers, and when the slices themselves are there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import DataError, UsageError
from guided_sr.training.options import SMALLEST_PATCH, TrainingOptions

Index = NDArray[np.int64]

SHARE = 0.2
"""Share of the subjects, or of one subject's slices, held out by default."""
LEAST_SLICES = 8
"""Fewest slices to learn from: two steps' worth of other images."""
LEAST_HELD_OUT = 2
"""Fewest slices that decide."""
HELD_OUT_PIXELS = 400_000
"""Pixels looked at before the first step and at each epoch's end, at the target's
level of the last stage: some seconds on two cores."""
LOOKS_A_PIXEL = 4
"""How often a pixel is seen on average; a fine-tuning leaves further slices out, which
it would seldom draw and yet have to lead through every stage."""


def evenly(count: int, wanted: int) -> Index:
    """Numbers spread evenly over ``0 .. count - 1``, in order.

    Args:
        count: How many there are.
        wanted: How many to take; all where there are fewer.
    """
    wanted = min(count, max(0, wanted))
    return np.floor((np.arange(wanted) + 0.5) * count / max(1, wanted)).astype(int)


def check_share(share: float) -> None:
    """Refuse a share that is none.

    Raises:
        UsageError: If it is negative or above one half.
    """
    if not 0.0 <= share <= 0.5:
        raise UsageError(
            f"a validation share of {share!r} makes no sense",
            mend="give 0.2 for a fifth, at most 0.5, or 0 to hold nothing out",
        )


def divide(
    counts: Sequence[int], share: float, *, owners: Sequence[int] | None = None
) -> list[tuple[Index, Index]]:
    """Divide slices into those to learn from and those held out.

    Whole people are held out, one at least; of a single one every fifth slice (for a
    share of 0.2).

    Args:
        counts: Slices of each subject.
        share: Share to hold out; 0 holds out nothing.
        owners: Whose each subject is, where several show the same slices of one
            person: they stay together. Each is its own by default.

    Returns:
        Slices to learn from and slices held out, of each subject.
    """
    check_share(share)
    every = [np.arange(n) for n in counts]
    none = np.arange(0)
    if share == 0.0:
        return [(slices, none) for slices in every]
    owners = range(len(counts)) if owners is None else owners
    people = list(dict.fromkeys(owners))
    if len(people) == 1:
        chosen = [evenly(n, max(1, round(n * share))) for n in counts]
        return [
            (np.setdiff1d(slices, away), away)
            for slices, away in zip(every, chosen, strict=True)
        ]
    places = evenly(len(people), max(1, round(len(people) * share)))
    apart = {people[place] for place in places.tolist()}
    return [
        (none, slices) if owner in apart else (slices, none)
        for owner, slices in zip(owners, every, strict=True)
    ]


def thinned(
    counts: Sequence[int],
    shapes: Sequence[tuple[int, int]],
    *,
    pixels: float,
    least: int,
) -> list[Index]:
    """Slices, spread evenly, that hold about so many pixels together.

    Args:
        counts: Slices of each subject.
        shapes: Size of each subject's slices.
        pixels: Most pixels.
        least: Slices to keep in any case.

    Returns:
        The slices of each subject; at least one where it has any.
    """
    sizes = [n * shape[0] * shape[1] for n, shape in zip(counts, shapes, strict=True)]
    share = max(pixels / max(1, sum(sizes)), least / max(1, sum(counts)))
    return [evenly(n, max(1, round(n * share))) for n in counts]


def pixels_to_learn_from(options: TrainingOptions) -> float:
    """Pixels of whose slices a stage of a fine-tuning draws its patches."""
    patches = options.epochs * options.steps_in_epoch * options.batch_size
    return patches * options.patch_size**2 / LOOKS_A_PIXEL


def refuse_scarce(
    learning: Sequence[int],
    held_out: Sequence[int] | None,
    shapes: Sequence[tuple[int, int]],
) -> None:
    """Refuse too few or too small slices for a fine-tuning.

    Args:
        learning: Slices to learn from, of each subject.
        held_out: Slices held out, of each subject; `None` where none are to be.
        shapes: Size of each subject's slices on the coarsest grid learnt from.

    Raises:
        DataError: If there are fewer or smaller ones than the minimum, which is named.
    """
    for number, shape in enumerate(shapes, 1):
        if min(shape) < SMALLEST_PATCH:
            raise DataError(
                f"made coarser to learn from, the slices of pair {number} have"
                f" {shape[0]}x{shape[1]} pixels; fine-tuning needs at least"
                f" {SMALLEST_PATCH} on the shorter side",
                mend="leave the pair out, give its T2 uncropped, or take a preset for"
                " the axis that is coarse",
            )
    if sum(learning) < LEAST_SLICES:
        raise DataError(
            f"there are {sum(learning)} slices to learn from; fine-tuning needs at"
            f" least {LEAST_SLICES} that hold anything, beside those held out",
            mend="give more slices or more pairs",
        )
    if held_out is not None and sum(held_out) < LEAST_HELD_OUT:
        raise DataError(
            f"there are {sum(held_out)} slices to validate on; fine-tuning needs at"
            f" least {LEAST_HELD_OUT} that hold anything",
            mend="hold out a larger share, or give more slices",
        )
