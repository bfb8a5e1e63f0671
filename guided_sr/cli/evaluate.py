"""``guided-sr eval``: how good a result is, or how honest a model."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from guided_sr.cli.console import Console, print_table
from guided_sr.cli.options import (
    add_compute,
    add_force,
    add_quiet,
    new_parser,
    positive,
    scale,
)
from guided_sr.errors import UsageError

_SLICES = ("centre", "central60", "all")


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "eval",
        common,
        brief="compare a result with the truth, or put a model to the test",
        description="PSNR and SSIM as in the paper (slice by slice, values clipped at"
        " 0, peak the slice's maximum), always beside cubic interpolation of the"
        " low-resolution image. With --honesty or --stress, a model is put to the"
        " test instead, on heads that are drawn and painted: no scan is needed, but"
        " two label maps or more for --stress.",
        example="guided-sr eval --hr T2.nii.gz -i T2_sr.nii.gz --lr T2_lr.nii.gz",
    )
    parser.add_argument(
        "--hr",
        metavar="HR",
        help="the truth; may be larger than the result, which lies on a part of its"
        " grid",
    )
    parser.add_argument("-i", "--sr", metavar="SR", help="the result to judge")
    low = parser.add_mutually_exclusive_group()
    low.add_argument(
        "--lr",
        metavar="LR",
        help="the low-resolution image that the result was made from",
    )
    low.add_argument(
        "--scale",
        type=scale,
        metavar="S",
        help="make it from the truth by this factor instead; of a model, which of the"
        " factors that it serves",
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
    _add_model_test(parser)
    add_force(parser, "existing files")
    add_compute(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def _add_model_test(parser: argparse.ArgumentParser) -> None:
    """Add what puts a model to the test."""
    group = parser.add_argument_group("testing a model")
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--honesty",
        action="store_true",
        help="how much of what only the T1 shows it copies, and how much of what only"
        " the T2 shows it keeps",
    )
    which.add_argument(
        "--stress",
        action="store_true",
        help="its gain over cubic interpolation on contrasts, noise and guides unlike"
        " those of training; needs --label-maps",
    )
    group.add_argument(
        "--model", metavar="NAME|DIR", help="preset or folder of a trained model"
    )
    group.add_argument(
        "--fallback",
        metavar="NAME|DIR",
        help="a model without guide to show beside it",
    )
    group.add_argument(
        "--label-maps",
        metavar="DIR",
        help="folder of head label maps to paint; of more than 16, the first 16, which"
        " the presets have seen, are left out",
    )
    group.add_argument(
        "--planes",
        type=positive,
        default=4,
        metavar="N",
        help="planes of each head (default: 4)",
    )
    group.add_argument(
        "-o",
        "--out",
        default="guided-sr-eval",
        metavar="DIR",
        help="folder for figures, tables and picture (default: guided-sr-eval)",
    )


def execute(args: argparse.Namespace) -> int:
    """Compare a result, or test a model.

    Raises:
        GuidedSRError: If options do not go together, or what is given is unusable.
    """
    if args.honesty or args.stress:
        from guided_sr.cli.evaluate_model import examine

        return examine(args)
    return _compare(args)


def _compare(args: argparse.Namespace) -> int:
    """Read, compare, print.

    Raises:
        GuidedSRError: If the images cannot be compared.
    """
    lacking = [name for name in ("hr", "sr") if getattr(args, name) is None]
    if args.lr is None and args.scale is None:
        lacking.append("lr")
    if lacking:
        raise UsageError(
            f"there is no --{' and no --'.join(lacking)}",
            mend=f"give --{' and --'.join(lacking)}"
            + (" (or --scale)" if "lr" in lacking else "")
            + ", or test a model with --honesty or --stress",
        )
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
        f"{count} {'slice' if count == 1 else 'slices'} across axis {across + 1}"
        f" ({args.slices}){f', {empty} empty left out' if empty else ''}"
        f"{'; mean ± standard deviation' if count > 1 else ''}"
    )
    print_table(*comparison.table())
    return 0
