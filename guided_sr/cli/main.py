"""Parse the command line, run the command, turn every outcome into an exit code.

Help, version and usage errors need nothing but argparse. A command's own imports
stand inside its `execute`, which checks all it can before a framework is loaded.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from guided_sr._version import __version__
from guided_sr.cli import (
    benchmark,
    bids,
    check,
    degrade,
    demo,
    evaluate,
    explain,
    export,
    info,
    models,
    run,
    train,
    view,
)
from guided_sr.cli.console import CITATION, RESEARCH_USE, print_warning, settle_streams
from guided_sr.cli.options import Formatter
from guided_sr.cli.outcome import INTERRUPTED, TERMINATED, Terminated, refuse
from guided_sr.errors import GuidedSRWarning, UsageError

_COMMANDS = (
    run,
    view,
    check,
    demo,
    bids,
    train,
    evaluate,
    explain,
    export,
    benchmark,
    degrade,
    models,
    info,
)
_DESCRIPTION = (
    "Super-resolve a low-resolution T2 MRI with the same person's T1 as guide."
)
_EPILOG = (
    f"{RESEARCH_USE} Voxels are estimated, not measured; fine detail can be invented or"
    f" copied from the T1.\n\nCite: {CITATION}"
)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are usage errors of the package (64)."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: Always.
        """
        raise UsageError(message, mend=f"see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is not known here, where the command is, not in the program.

        Raises:
            UsageError: If there is such an argument, or the known ones are wrong.
        """
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def build_parser() -> Parser:
    """The parser of all commands; imports argparse and nothing else."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the traceback of an error and the messages of the framework",
    )
    parser = Parser(
        prog="guided-sr",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Formatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"guided-sr {__version__}"
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", parser_class=Parser
    )
    for command in _COMMANDS:
        command.add_parser(commands, common)
    return parser


def bids_main() -> int:
    """``guided-sr-bids``: the same as ``guided-sr bids``."""
    return main(prefix=["bids"])


def main(argv: Sequence[str] | None = None, *, prefix: Sequence[str] = ()) -> int:
    """Run the command line.

    Args:
        argv: The arguments; those of the process by default.
        prefix: What goes before them.

    Returns:
        The exit code: 0 done, 64 usage, 65 bad data, 66 missing input, 70 a mistake
        of the package, 71 cluster lost, 73 cannot create output, 74 input/output
        failure, 75 try again, 130 interrupted, 143 terminated; 16, 17, 18 of `bids`.
    """
    arguments = [*prefix, *(sys.argv[1:] if argv is None else argv)]
    debug = "--debug" in arguments
    settle_streams()
    if argv is None:
        signal.signal(signal.SIGTERM, _terminate)
    with warnings.catch_warnings():
        _show_warnings(debug)
        try:
            return _dispatch(arguments)
        except SystemExit as stop:  # --help and --version
            return int(stop.code or 0)
        except BrokenPipeError:  # the reader of a pipe went away
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 74
        except BaseException as error:
            if debug:
                traceback.print_exc()
            code = refuse(error)
            if code in (INTERRUPTED, TERMINATED) and argv is None:
                _leave(code)
            return code


def _terminate(*_: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one is enough to tidy up after
    raise Terminated


def _leave(code: int) -> NoReturn:
    """End the process at once.

    A framework that was interrupted in a training can wait for its own threads for
    ever when it is torn down.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _dispatch(arguments: list[str]) -> int:
    parser = build_parser()
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help(sys.stderr)
        return UsageError.exit_code
    args.argv = arguments
    args.debug = getattr(args, "debug", False)
    code = int(args.execute(args) or 0)
    sys.stdout.flush()
    return code


def _show_warnings(debug: bool) -> None:
    """Print the package's warnings as lines, each once; hide other libraries'."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        text = str(message)
        if text not in seen:
            seen.add(text)
            print_warning(text)

    warnings.simplefilter("default" if debug else "ignore")
    warnings.simplefilter("always", GuidedSRWarning)
    warnings.showwarning = show  # type: ignore[assignment]
