"""``guided-sr models``: which presets there are, where, and whether they are whole."""

from __future__ import annotations

import argparse
import json
from typing import Any

from guided_sr.cli.console import Console, out, print_table
from guided_sr.cli.options import new_parser


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its three parts."""
    parser = new_parser(
        commands,
        "models",
        common,
        brief="list, locate and verify the presets",
        description="The trained models that come with the package. Nothing is"
        " downloaded.",
        example="guided-sr models verify",
    )
    parts = parser.add_subparsers(
        title="commands", dest="part", metavar="list|path|verify", required=True
    )
    listing = new_parser(parts, "list", common, brief="print the presets")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(execute=execute_list)
    path = new_parser(parts, "path", common, brief="print a preset's folder")
    path.add_argument("name", metavar="NAME")
    path.set_defaults(execute=execute_path)
    verify = new_parser(
        parts,
        "verify",
        common,
        brief="compare the sha256 of every file with the registry",
    )
    verify.add_argument(
        "name", nargs="?", metavar="NAME|DIR", help="preset or folder (default: all)"
    )
    verify.set_defaults(execute=execute_verify)


def execute_list(args: argparse.Namespace) -> int:
    """Print name, scale, stages, size and description of every preset."""
    from guided_sr.cli.choose import scale_of
    from guided_sr.presets import describe_preset, list_presets, scale_text

    entries = {name: describe_preset(name) for name in list_presets()}
    if args.json:
        out(json.dumps(entries, indent=2))
        return 0
    if not entries:
        Console().note("no preset comes with this version")
        return 0
    rows = []
    for name, entry in entries.items():
        size = sum(file.get("bytes", 0) for file in entry.get("files", {}).values())
        rows.append(
            [
                name,
                scale_text(scale_of(entry)),
                str(entry.get("stages", "?")),
                f"{size / 1e6:.1f} MB",
                str(entry.get("description", "")),
            ]
        )
    print_table(["preset", "scale", "stages", "size", "description"], rows)
    return 0


def execute_path(args: argparse.Namespace) -> int:
    """Print the folder of a preset."""
    from guided_sr.presets import locate_preset

    out(str(locate_preset(args.name)))
    return 0


def execute_verify(args: argparse.Namespace) -> int:
    """Verify one preset or all of them; the first fault ends it with 65."""
    from guided_sr.presets import list_presets, verify_preset

    names = list_presets() if args.name is None else [args.name]
    for name in names:
        out(f"{name}: {len(verify_preset(name))} files as they should be")
    if not names:
        Console().note("no preset comes with this version")
    return 0
