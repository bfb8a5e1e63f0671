"""What a T1 was worth on held-out slices, in the same words wherever it is told."""

from __future__ import annotations

__all__ = ["limit_text", "worth_text"]


def worth_text(gain_db: float, spread_db: float, slices: int) -> str:
    """``"+0.88 ± 0.31 dB with the T1 (± sd over 12 held-out slices)"``.

    Args:
        gain_db: PSNR with the T1 less that without, over all slices together.
        spread_db: Standard deviation of it from slice to slice.
        slices: How many slices of the T2 were held out.
    """
    return (
        f"{gain_db:+.2f} ± {spread_db:.2f} dB with the T1 (± sd over {slices} held-out"
        " slices)"
    )


def limit_text(
    gain_db: float, spread_db: float, slices: int, *, needed_db: float
) -> str:
    """`worth_text`, and what would have been enough.

    Args:
        gain_db: As in `worth_text`.
        spread_db: As in `worth_text`.
        slices: As in `worth_text`.
        needed_db: Gain below which the T1 is taken to hurt.
    """
    worth = worth_text(gain_db, spread_db, slices)
    return f"{worth}; the limit is {needed_db:+g} dB"
