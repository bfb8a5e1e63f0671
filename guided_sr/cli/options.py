"""Options that several commands share, and their types. argparse and nothing more."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Mapping
from typing import Any

from guided_sr.cli.console import RESEARCH_USE

DEVICES = "auto, cpu, gpu or gpu:N"
PRECISIONS = ("auto", "float32", "bfloat16")
BACK_PROJECTION = {"ibp": "ibp", "exact": "exact", "none": None}


class Formatter(argparse.HelpFormatter):
    """Help whose paragraphs are filled and whose examples are left as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(
            part if part.startswith("example:") else fill(part, width, indent)
            for part in text.split("\n\n")
        )


def new_parser(
    commands: Any,
    name: str,
    common: argparse.ArgumentParser,
    *,
    brief: str,
    description: str = "",
    example: str = "",
) -> argparse.ArgumentParser:
    """Add the parser of a command.

    Args:
        commands: The subparsers it becomes one of.
        name: Of the command.
        common: Parser of the options that every command has.
        brief: Its line in the list of commands.
        description: What its help begins with; `brief` by default.
        example: A command line its help ends with.
    """
    foot = [f"example: {example}"] if example else []
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        parents=[common],
        help=brief,
        description=description or f"{brief[0].upper()}{brief[1:]}.",
        epilog="\n\n".join([*foot, RESEARCH_USE]),
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    return parser


def device(text: str) -> str:
    """A device name.

    Raises:
        argparse.ArgumentTypeError: If it is not ``auto``, ``cpu``, ``gpu``, ``gpu:N``.
    """
    if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {DEVICES}")
    return text


def scale(text: str) -> float:
    """A scale factor.

    Raises:
        argparse.ArgumentTypeError: If it is no number above 1.
    """
    try:
        factor = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number such as 4"
        ) from error
    if not 1.0 < factor < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a factor above 1")
    return factor


def positive(text: str) -> int:
    """A whole number above 0.

    Raises:
        argparse.ArgumentTypeError: If it is not.
    """
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    """A time in seconds.

    Raises:
        argparse.ArgumentTypeError: If it is no number above 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time above 0 s")
    return value


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add what to make of images that can be read in several ways."""
    group = parser.add_argument_group("doubtful images")
    group.add_argument(
        "--frame",
        type=int,
        metavar="N",
        help="which volume of a T2 that holds several, from 0",
    )
    group.add_argument(
        "--prefer",
        choices=["sform", "qform"],
        help="which orientation holds where a header has two that lie apart",
    )
    group.add_argument(
        "--assume-affine",
        action="store_true",
        help="go on where a header gives no orientation; left and right are not known",
    )


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_reading` that are given, as those of `read_volume`."""
    given = {
        "frame": args.frame,
        "prefer": args.prefer,
        "assume_affine": args.assume_affine or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def of_guide(how: Mapping[str, Any]) -> dict[str, Any]:
    """Those options of `reading` that are not for the T2 alone."""
    return {name: value for name, value in how.items() if name != "frame"}


def add_compute(parser: argparse.ArgumentParser, *, precision: bool = True) -> None:
    """Add ``--device`` and ``--precision``."""
    group = parser.add_argument_group("computing")
    group.add_argument(
        "--device",
        type=device,
        default="auto",
        metavar="DEVICE",
        help=f"{DEVICES}; auto takes a GPU where there is one (default: auto)",
    )
    if precision:
        group.add_argument(
            "--precision",
            choices=PRECISIONS,
            default="auto",
            help="number format of the convolutions; auto takes bfloat16 where it is"
            " fast (default: auto)",
        )


def add_force(
    parser: argparse._ActionsContainer, what: str = "an existing output"
) -> None:
    """Add ``--force``."""
    parser.add_argument("--force", action="store_true", help=f"replace {what}")


def add_register(parser: argparse._ActionsContainer) -> None:
    """Add ``--register``."""
    parser.add_argument(
        "--register",
        choices=("auto", "rigid", "none"),
        default="auto",
        help="how the T1 is placed on the T2: auto measures how far the headers are"
        " off and corrects 0.75 mm or more, rigid corrects always, none trusts the"
        " headers (default: auto)",
    )


def add_registration(parser: argparse._ActionsContainer) -> None:
    """Add ``--register`` and ``--t2-to-t1``."""
    add_register(parser)
    parser.add_argument(
        "--t2-to-t1",
        metavar="FILE",
        help="linear transform from the T2 to the T1 (T1 fixed, T2 moving), made"
        " elsewhere: ITK's .txt, .tfm or .mat; FSL's .mat, .lta and .1D with"
        " nitransforms",
    )


def add_model(parser: argparse._ActionsContainer) -> None:
    """Add where a training goes: ``-o``, ``--checkpoint``, ``--fresh``, ``--force``."""
    parser.add_argument(
        "-o", "--out", required=True, metavar="MODEL", help="folder for the model"
    )
    parser.add_argument(
        "--checkpoint",
        "--resume",
        metavar="DIR",
        help="where to save and to go on from (default: MODEL/checkpoints)",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="drop what was saved there and begin anew",
    )
    add_force(parser, "the model in MODEL")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add ``-q``."""
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print results, warnings and errors only",
    )
