"""``guided-sr train supervised``: train a model on sharp T2 images."""

from __future__ import annotations

import argparse
from typing import Any

from guided_sr.cli.options import add_compute, add_quiet, new_parser
from guided_sr.cli.train_options import (
    add_network,
    add_pairs,
    add_training,
    add_watching_and_devices,
)
from guided_sr.errors import UsageError

_STAGES = 1
_DEFAULTS = {
    "max_steps": "10000",
    "schedule": "plateau",
    "steps_per_epoch": "100",
    "batch_size": "32",
    "patch_size": "64",
    "learning_rate": "0.001",
    "loss": "l1",
    "guide_jitter_mm": "0",
    "guide_noise": "0",
    "lower_starts": "0",
}


def add_parser(parts: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        parts,
        "supervised",
        common,
        brief="learn from sharp T2s, where there are any",
        description="Learn from pairs of a high-resolution T2 and its T1. The T2s are"
        " the targets; what the network sees is degraded from them by the scale, so do"
        " not degrade them first. Running the same command again after it was"
        " interrupted goes on from the last checkpoint.",
        example="guided-sr train supervised --data SHARP_SCANS -o my_model --scale 4"
        " --backbone srcnn",
    )
    add_pairs(parser)
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

    if args.guide_noise:
        raise UsageError(
            "with sharp T2s the network learns from the finest T1, which has its noise",
            mend="leave --guide-noise out",
        )
    if args.lower_starts:
        raise UsageError(
            "with sharp T2s every stage learns from what the stages before make",
            mend="leave --lower-starts out",
        )
    return learn_from_pairs(args, Way("supervised", _STAGES, sharp=True))
