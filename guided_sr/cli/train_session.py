"""The way from a checked training to a saved model."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import RESEARCH_USE, Console, out
from guided_sr.cli.train_setup import Place

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel

Learn = Callable[[str], tuple["GuidedSRModel", dict[str, Any]]]


def train(
    args: argparse.Namespace,
    console: Console,
    place: Place,
    learn: Learn,
    *,
    begun: float,
    files: Sequence[str] = ("...",),
) -> int:
    """Load the framework, learn, save, and tell how to use the model.

    Args:
        args: With ``device``, ``precision``, ``force`` and ``debug``.
        console: Where to say what happens.
        place: Where the model goes.
        learn: Given the precision; returns the trained model and its metadata.
        begun: When the command began, of `time.perf_counter`.
        files: What follows the model in the command that uses it.

    Returns:
        The exit code.
    """
    from guided_sr.cli.framework import load_framework, precision_for

    load_framework(console, debug=args.debug)
    from guided_sr.runtime import device_scope

    try:
        with device_scope(args.device):
            model, record = learn(precision_for(args.device, args.precision))
            model.save_preset(place.folder, metadata=record, force=args.force)
    except KeyboardInterrupt:
        console.note(f"the same command goes on from {place.checkpoints}")
        raise
    use = shlex.join(["guided-sr", "run", "--model", str(place.folder)])
    console.note(
        f"{time.perf_counter() - begun:.0f} s; use it with {' '.join([use, *files])}"
    )
    console.note(RESEARCH_USE)
    out(str(place.folder))
    return 0
