"""Options that ``run``, ``check`` and ``bids`` share. argparse and nothing more."""

from __future__ import annotations

import argparse
import re

from guided_sr.cli.options import (
    BACK_PROJECTION,
    add_compute,
    add_reading,
    scale,
)


def add_pair(group: argparse._ActionsContainer) -> None:
    """Add ``-i`` and ``-g``."""
    group.add_argument(
        "-i",
        "--t2",
        metavar="T2",
        help="low-resolution T2: .nii, .nii.gz or .mgz",
    )
    group.add_argument(
        "-g",
        "--t1",
        "--guide",
        metavar="T1",
        help="the same person's T1, on any grid; left out, a preset without guide makes"
        " the result, and gains less",
    )


def add_making(parser: argparse.ArgumentParser) -> None:
    """Add all that decides how a result is made: plan, doubtful images, computing."""
    _add_plan(parser.add_argument_group("plan"))
    add_reading(parser)
    add_compute(parser)


def add_dry_run(parser: argparse._ActionsContainer, what: str) -> None:
    """Add ``--dry-run``.

    Args:
        parser: What it becomes an option of.
        what: What is still done, and printed.
    """
    parser.add_argument("--dry-run", action="store_true", help=f"{what} and stop")


def _add_plan(group: argparse._ActionsContainer) -> None:
    """Add what decides on axes, factors, models and back-projection."""
    group.add_argument(
        "--scale",
        type=volume_scale,
        metavar="S|AxBxC",
        help="factor of the coarser axes, or one for each axis of the file, such as"
        " 1x1x4 (default: axes over 1.2 mm go to 1 mm, or to the T2's finest voxel"
        " where that is larger; with --model, what that is for)",
    )
    group.add_argument(
        "--target-voxel",
        type=millimetres,
        metavar="MM",
        help="voxel size to bring all coarser axes to, in place of --scale",
    )
    group.add_argument(
        "--axes",
        choices=["auto", "in-plane", "slice"],
        default="auto",
        help="axes to enlarge; auto takes the coarser ones (default: auto)",
    )
    group.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help="preset or folder of a trained model, one for the in-plane axes, one for"
        " the slice axis, or both (default: the presets for the factors)",
    )
    group.add_argument(
        "--guide-use",
        choices=("auto", "always", "never"),
        default="auto",
        help="whether the T1 is used: auto compares, on slices of the T2 that are made"
        " coarser, the result with it and without, and leaves it out where it does not"
        " help; always only warns then; never does without (default: auto)",
    )
    group.add_argument(
        "--slice-profile",
        choices=["gaussian", "box"],
        help="how the scanner sees across a slice (default: read from the T1 where it"
        " can be, gaussian elsewhere)",
    )
    group.add_argument(
        "--slice-gap",
        type=share,
        metavar="SHARE",
        help="gap between slices as a share of their distance, 0 to below 1 (default:"
        " read with the profile, 0 where that is given; the profile of a gap given"
        " alone is gaussian)",
    )
    group.add_argument(
        "--back-projection",
        choices=list(BACK_PROJECTION),
        help="make the result explain the T2 by another method than the model's own",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="refuse (65) what else is a warning: doubtful images, and those outside"
        " the range of the model's card",
    )


def volume_scale(text: str) -> float | tuple[float, float, float]:
    """A factor, or three of them.

    Raises:
        argparse.ArgumentTypeError: If it is neither.
    """
    if "x" not in text.lower():
        return scale(text)
    try:
        i, j, k = (float(part) for part in re.split("[xX]", text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no factor for each of three axes, such as 1x1x4"
        ) from error
    return i, j, k


def map_names(text: str) -> tuple[str, ...]:
    """Names of maps, separated by commas.

    Raises:
        argparse.ArgumentTypeError: If there is no such map.
    """
    from guided_sr.errors import UsageError
    from guided_sr.inference.map_meanings import chosen_maps

    try:
        return chosen_maps([part.strip() for part in text.split(",")])
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.what}; {error.mend}") from error


def millimetres(text: str) -> float:
    """A length above 0.

    Raises:
        argparse.ArgumentTypeError: If it is not.
    """
    value = _number(text)
    if not 0.0 < value < 100.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no voxel size in mm")
    return value


def share(text: str) -> float:
    """A share, 0 to below 1.

    Raises:
        argparse.ArgumentTypeError: If it is not.
    """
    value = _number(text)
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to below 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
