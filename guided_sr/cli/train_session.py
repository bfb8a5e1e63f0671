"""The way from a checked training to a saved model."""

from __future__ import annotations

import argparse
import contextlib
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
    from guided_sr.training.checkpoint import drop_checkpoints
    from guided_sr.volumes.locking import output_lock

    try:
        with contextlib.ExitStack() as stack:
            for file in (place.folder / "config.json", place.checkpoints / "run.json"):
                stack.enter_context(output_lock(file))
            if args.fresh:
                drop_checkpoints(place.checkpoints)
            stack.enter_context(device_scope(args.device))
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
