"""``guided-sr train``: the ways of training a model."""

from __future__ import annotations

import argparse
from typing import Any

from guided_sr.cli import (
    train_external,
    train_internal,
    train_recipe,
    train_supervised,
)
from guided_sr.cli.options import new_parser

_PARTS = {
    "external": train_external,
    "supervised": train_supervised,
    "internal": train_internal,
    "recipe": train_recipe,
}


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its parts."""
    parser = new_parser(
        commands,
        "train",
        common,
        brief="train a model on scans of your own",
        description="Train a model. No sharp T2 is needed, but by 'supervised'.",
    )
    parts = parser.add_subparsers(
        title="commands", dest="part", metavar="|".join(_PARTS), required=True
    )
    for part in _PARTS.values():
        part.add_parser(parts, common)
