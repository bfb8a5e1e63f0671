"""``guided-sr view``: T2, result and T1 side by side in a browser."""

from __future__ import annotations

import argparse
from typing import Any

from guided_sr.cli.console import Console, out
from guided_sr.cli.options import add_quiet, new_parser


def port(text: str) -> int:
    """A port, 1 to 65535.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "view",
        common,
        brief="show T2, result and T1 side by side in a browser",
        description="Show a result beside the T2 and the T1 that it was made from, with"
        " one crosshair in all of them. The page comes from this machine (127.0.0.1)"
        " and nothing leaves it. Ctrl-C ends the command.",
        example="guided-sr view T2_sr.nii.gz",
    )
    parser.add_argument(
        "image",
        metavar="OUT",
        help="what run wrote, its .json file beside it, which tells the T2 and the T1",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=0,
        metavar="N",
        help="port to listen at (default: one that is free)",
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address and open no browser",
    )
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Read the images, serve them until interrupted or terminated, which is no fault.

    Raises:
        GuidedSRError: If an image cannot be used, or the port is taken.
    """
    from pathlib import Path

    from guided_sr.view.scene import Scene
    from guided_sr.view.server import ViewServer

    console = Console(quiet=args.quiet)
    with ViewServer(Scene.of(Path(args.image)), port=args.port) as server:
        try:
            out(server.url)
            console.note("on this machine alone; Ctrl-C ends it")
            if not args.no_browser:
                import webbrowser

                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:  # how it is meant to end, by SIGTERM as well
            console.note("ended")
    return 0
