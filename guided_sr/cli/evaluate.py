"""``guided-sr eval``: PSNR and SSIM of a result, beside cubic interpolation's."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from guided_sr.cli.console import Console, print_table
from guided_sr.cli.options import add_force, add_quiet, new_parser, scale

_SLICES = ("centre", "central60", "all")


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "eval",
        common,
        brief="compare a result with the truth: PSNR and SSIM",
        description="PSNR and SSIM as in the paper (slice by slice, values clipped at"
        " 0, peak the slice's maximum), always beside cubic interpolation of the"
        " low-resolution image.",
        example="guided-sr eval --hr T2.nii.gz -i T2_sr.nii.gz --lr T2_lr.nii.gz",
    )
    parser.add_argument(
        "--hr",
        required=True,
        metavar="HR",
        help="the truth; may be larger than the result, which lies on a part of its"
        " grid",
    )
    parser.add_argument(
        "-i", "--sr", required=True, metavar="SR", help="the result to judge"
    )
    low = parser.add_mutually_exclusive_group(required=True)
    low.add_argument(
        "--lr",
        metavar="LR",
        help="the low-resolution image that the result was made from",
    )
    low.add_argument(
        "--scale",
        type=scale,
        metavar="S",
        help="make it from the truth by this factor instead",
    )
    parser.add_argument(
        "--slices",
        choices=_SLICES,
        default="central60",
        help="slices to measure (default: central60)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write all figures, one a slice, to a file"
    )
    add_force(parser, "an existing --json file")
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Read, compare, print.

    Raises:
        GuidedSRError: If the images cannot be compared.
    """
    from pathlib import Path

    from guided_sr._version import __version__
    from guided_sr.cli.outputs import check_outputs, write_json
    from guided_sr.evaluation import compare
    from guided_sr.evaluation.grids import (
        crop_to_grid,
        lower_resolution,
        require_same_field_of_view,
    )
    from guided_sr.volumes import read_volume, to_slices
    from guided_sr.volumes.locate import locate

    console = Console(quiet=args.quiet)
    given = {"hr": args.hr, "sr": args.sr, "lr": args.lr}
    files = {
        key: locate(Path(value), name=key.upper())
        for key, value in given.items()
        if value is not None
    }
    if args.json is not None:
        inputs = tuple(files.values())
        check_outputs(Path(args.json), force=args.force, inputs=inputs)
    volumes = {key: read_volume(path, name=key.upper()) for key, path in files.items()}
    result = volumes["sr"]
    truth = crop_to_grid(volumes["hr"], result, names=("HR", "SR"))
    if "lr" in volumes:
        low = volumes["lr"].data
        across = require_same_field_of_view(volumes["lr"], result, names=("LR", "SR"))
    else:
        made = lower_resolution(truth, args.scale)
        low, across = made.data, made.slice_axis
        part = made.cropped
        truth = crop_to_grid(truth, part, names=("HR", "LR"))
        result = crop_to_grid(result, part, names=("SR", "LR"))
    comparison = compare(
        to_slices(truth.data, across),
        {"result": to_slices(result.data, across)},
        low=to_slices(low, across),
        slices=args.slices,
    )
    if args.json is not None:
        content = {
            "version": __version__,
            "command": shlex.join(["guided-sr", *args.argv]),
            "inputs": {
                key: {"path": str(volume.path), "sha256": volume.sha256}
                for key, volume in volumes.items()
            },
            "slice_axis": across,
            **comparison.to_dict(),
        }
        write_json(Path(args.json), content, force=args.force)
    count, empty = len(comparison.slices), len(comparison.empty)
    console.note(
        f"{count} {'slice' if count == 1 else 'slices'} across axis {across}"
        f" ({args.slices}){f', {empty} empty left out' if empty else ''}"
        f"{'; mean +/- standard deviation' if count > 1 else ''}"
    )
    print_table(*comparison.table())
    return 0
