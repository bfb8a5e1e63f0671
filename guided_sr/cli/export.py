"""``guided-sr export``: a trained model as files that run without this package."""

from __future__ import annotations

import argparse
import re
from typing import Any

from guided_sr.cli.console import RESEARCH_USE, Console, out, print_table
from guided_sr.cli.options import add_force, add_quiet, new_parser

FORMATS = ("saved-model", "onnx", "litert")


def size(text: str) -> tuple[int, int]:
    """Rows and columns.

    Raises:
        argparse.ArgumentTypeError: If it is not of that form.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64x64")
    return int(found[1]), int(found[2])


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "export",
        common,
        brief="write a model as SavedModel, ONNX or LiteRT",
        description="Write a trained model in a form that runs without guided-sr: a"
        " network a stage, for slices of any size, and with --size the whole cascade"
        " for slices of one size, up-sampling and back-projection included. Each file"
        " is read back by the program that will run it and compared with Keras.",
        example="guided-sr export grdn_t2_x4 --format onnx -o exported --size 64x64",
    )
    parser.add_argument(
        "model", metavar="NAME|DIR", help="preset or folder of a trained model"
    )
    parser.add_argument(
        "--format",
        required=True,
        choices=FORMATS,
        help="saved-model needs nothing more; onnx and litert need guided-sr[onnx] and"
        " guided-sr[litert]",
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUTDIR", help="folder for the files"
    )
    parser.add_argument(
        "--size",
        type=size,
        metavar="ROWSxCOLS",
        help="size of the T2's slices that the whole cascade shall take (default: the"
        " networks alone)",
    )
    add_force(parser, "an earlier export in OUTDIR")
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check, export, compare.

    Raises:
        GuidedSRError: The first fault found, before a framework is loaded where
            possible.
    """
    from pathlib import Path

    from guided_sr.cli.choose import choose_model
    from guided_sr.cli.outputs import check_folder
    from guided_sr.volumes.folders import check_new_folder

    console, folder = Console(quiet=args.quiet), Path(args.out)
    chosen = choose_model(args.model, None, quiet=args.quiet)
    check_new_folder(folder, marker="export.json", force=args.force)
    check_folder(folder.parent)

    from guided_sr.cli.framework import load_framework, quiet_framework

    load_framework(console, debug=args.debug)
    from guided_sr.export.model import export_model
    from guided_sr.model import GuidedSRModel

    model = GuidedSRModel.from_preset(chosen.name, precision="float32")
    with quiet_framework(debug=args.debug):  # the converters have much to say
        found = export_model(
            model, folder, format=args.format, size=args.size, force=args.force
        )
    rows = [(one.file, one.holds, f"{one.max_abs_difference:.2g}") for one in found]
    print_table(("file", "holds", "differs from Keras by at most"), rows)
    out(str(folder))
    console.note(RESEARCH_USE)
    return 0
