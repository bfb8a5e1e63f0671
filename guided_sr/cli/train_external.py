"""``guided-sr train external``: train a model on coarse T2 images and their T1s."""

from __future__ import annotations

import argparse
from typing import Any

from guided_sr.cli.options import add_compute, add_quiet, new_parser
from guided_sr.cli.train_options import (
    SHARE,
    add_network,
    add_pairs,
    add_training,
    add_watching_and_devices,
)

_STAGES = 3
_DEFAULTS = {
    "max_steps": "10000; 300 with --init",
    "schedule": "plateau; cosine with --init",
    "steps_per_epoch": "100; 50 with --init",
    "batch_size": "32; 16 with --init",
    "patch_size": "48",
    "learning_rate": "0.001; 0.0003 with --init",
    "loss": "l1; that of --init",
    "guide_jitter_mm": "0; that of --init",
    "guide_noise": "0; that of --init",
    "lower_starts": "0; that of --init",
}


def add_parser(parts: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        parts,
        "external",
        common,
        brief="learn from the coarse T2s of many people and their T1s",
        description="Learn from pairs of a low-resolution T2 and its T1. The T2s are"
        " taken as they are, already low-resolution: they are the targets, and what the"
        " network sees is made from them. With --init, a model is fine-tuned: some"
        " slices are held out, and each stage keeps the weights that bring them back"
        " best from coarser ones, the old ones included. Running the same command again"
        " after it was interrupted goes on from the last checkpoint.",
        example="guided-sr train external --data SCANS -o my_model --scale 4",
    )
    files = add_pairs(parser)
    files.add_argument(
        "--validation-share",
        type=float,
        metavar="F",
        help="with --init: share of the subjects, or of one subject's slices, to hold"
        f" out; 0 for none, and for the last weights (default: {SHARE:g})",
    )
    add_network(parser, stages=_STAGES)
    add_training(parser, _DEFAULTS)
    add_watching_and_devices(parser)
    add_compute(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check everything, train, save.

    Raises:
        GuidedSRError: The first fault found; those of data, options and output before
            a framework is loaded.
    """
    from guided_sr.cli.train_pairs import Way, learn_from_pairs

    return learn_from_pairs(args, Way("external", _STAGES, sharp=False))
