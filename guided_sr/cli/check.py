"""``guided-sr check``: say what ``run`` would do with a pair, and stop."""

from __future__ import annotations

import argparse
import json
from typing import Any

from guided_sr.cli.console import out
from guided_sr.cli.options import add_registration, new_parser, reading
from guided_sr.cli.run_options import add_making, add_pair


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "check",
        common,
        brief="say what run would do with a pair, and stop",
        description="Read and check both images, choose axes, factors and models, and"
        " print the plan: grids, cascades, overlap, memory, time. Nothing is written,"
        " and no framework is loaded.",
        example="guided-sr check -i T2.nii.gz -g T1.nii.gz",
    )
    files = parser.add_argument_group("files")
    add_pair(files)
    add_registration(files)
    add_making(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Read, check, print.

    Raises:
        GuidedSRError: The first fault found.
    """
    from guided_sr.cli.planning import choose, locate_files, read_job

    files = locate_files(args)
    plan, chosen = choose(args, files)
    moved = args.t2_to_t1 is not None
    job = read_job(
        plan, chosen, files, strict=args.strict, moved=moved, how=reading(args)
    )
    if args.json:
        out(json.dumps(job.summary(args), indent=2))
        return 0
    rows = job.facts(args, None)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        out(f"{name:<{width}}  {value}")
    return 0
