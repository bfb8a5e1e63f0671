"""``guided-sr models``: which presets there are, where, and whether they are whole."""

from __future__ import annotations

import argparse
import json
from typing import Any

from guided_sr.cli.console import Console, out, print_table
from guided_sr.cli.options import add_quiet, new_parser

_NONE = "this version knows no preset"


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its four parts."""
    parser = new_parser(
        commands,
        "models",
        common,
        brief="list, locate, verify and download the presets",
        description="The trained models that come with the package or can be"
        " downloaded. Nothing but 'pull' uses the network.",
        example="guided-sr models pull --all",
    )
    parts = parser.add_subparsers(
        title="commands", dest="part", metavar="list|path|verify|pull", required=True
    )
    listing = new_parser(parts, "list", common, brief="print the presets")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(execute=execute_list)
    path = new_parser(
        parts, "path", common, brief="print a preset's folder, or that of the cache"
    )
    path.add_argument(
        "name", nargs="?", metavar="NAME|DIR", help="preset (default: the cache)"
    )
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
    pull = new_parser(
        parts,
        "pull",
        common,
        brief="download presets, so that they can be used offline",
        example="guided-sr models pull --all --to /shared/guided_sr",
    )
    pull.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="presets, or hf://OWNER/REPO with guided-sr[hf]",
    )
    pull.add_argument("--all", action="store_true", help="every preset")
    pull.add_argument(
        "--to",
        metavar="DIR",
        help="put them into this folder, packaged ones too, to be used as"
        " GUIDED_SR_HOME (default: the cache)",
    )
    add_quiet(pull)
    pull.set_defaults(execute=execute_pull)


def execute_list(args: argparse.Namespace) -> int:
    """Print name, scale, stages, size, place and description of every preset."""
    from guided_sr.cli.choose import scale_of
    from guided_sr.presets import (
        describe_preset,
        find_preset,
        list_presets,
        preset_state,
        served_text,
    )

    entries = {name: describe_preset(name) for name in list_presets()}
    states = {name: preset_state(name) for name in entries}
    if args.json:
        folders = {name: find_preset(name) for name in entries}
        content = {
            name: {
                **entry,
                "is": states[name],
                "folder": str(folders[name]) if folders[name] else None,
            }
            for name, entry in entries.items()
        }
        out(json.dumps(content, indent=2))
        return 0
    if not entries:
        Console().note(_NONE)
        return 0
    rows = []
    for name, entry in entries.items():
        size = sum(file.get("bytes", 0) for file in entry.get("files", {}).values())
        scale, span = scale_of(entry), entry.get("scale_range")
        rows.append(
            [
                name,
                "?" if scale is None else served_text(scale, span and tuple(span)),
                str(entry.get("stages", "?")),
                f"{size / 1e6:.1f} MB",
                states[name],
                str(entry.get("description", "")),
            ]
        )
    headers = ["preset", "scale", "stages", "size", "is", "description"]
    print_table(headers, rows, text=("scale", "is", "description"))
    return 0


def execute_path(args: argparse.Namespace) -> int:
    """Print the folder of a preset that is here, or of the cache."""
    from guided_sr.presets import cache_home, locate_preset

    if args.name is None:
        out(str(cache_home()))
        return 0
    out(str(locate_preset(_here(args.name))))
    return 0


def execute_verify(args: argparse.Namespace) -> int:
    """Verify one preset, or all: a line each, and the code of those that are bad."""
    from guided_sr.cli.outcome import refuse, shared_code
    from guided_sr.errors import GuidedSRError
    from guided_sr.presets import find_preset, is_packaged, list_presets

    if args.name is not None:
        _verify(args.name)
        return 0
    names, codes = list_presets(), []
    for name in names:
        try:
            if find_preset(name) is None and not is_packaged(name):
                Console().note(f"{name}: not on this machine")
            else:
                _verify(name)
        except (GuidedSRError, OSError) as error:
            codes.append(refuse(error))
    if not names:
        Console().note(_NONE)
    return shared_code(codes)


def _verify(name_or_dir: str) -> None:
    """Print how many files are as they should be, or raise what is wrong.

    What a registry asks for is there, then; of a folder of a user's own, missing
    metadata are warned of.
    """
    from guided_sr.errors import warn_user
    from guided_sr.presets import list_presets, locate_preset, verify_preset

    name = _here(name_or_dir)
    out(f"{name}: {len(verify_preset(name))} files as they should be")
    metadata = locate_preset(name) / "metadata.json"
    if name not in list_presets() and not metadata.is_file():
        warn_user(
            "there is no metadata.json: nothing tells which images the model is for,"
            " and none is warned of",
            path=metadata,
            mend="copy the whole preset folder, or save the model again",
        )


def execute_pull(args: argparse.Namespace) -> int:
    """Bring presets into the cache or a folder, and print where they lie."""
    from pathlib import Path

    from guided_sr.errors import UsageError
    from guided_sr.presets import (
        describe_preset,
        fetch_preset,
        find_preset,
        is_on_hub,
        list_presets,
        locate_preset,
    )
    from guided_sr.presets.whole import is_whole

    if args.all == bool(args.names):
        raise UsageError(
            "give either the names of presets or --all",
            mend="'guided-sr models list' prints the names",
        )
    names = list_presets() if args.all else list(dict.fromkeys(args.names))
    hub = [name for name in names if is_on_hub(name)]
    if hub and args.to is not None:
        raise UsageError(
            f"{hub[0]} goes into the hub's own cache, not into a folder",
            mend="leave --to out and set HF_HOME to move that cache",
        )
    for name in names:
        if name not in hub:
            describe_preset(name)
    home = None if args.to is None else Path(args.to).absolute()
    for name in names:
        folder = find_preset(name) if home is None and name not in hub else None
        if name in hub:
            folder = locate_preset(name)
        elif folder is None or not is_whole(folder, name):
            folder = fetch_preset(name, home=home, quiet=args.quiet)
        out(str(folder))
    return 0


def _here(name_or_dir: str) -> str:
    """A name or folder that needs no network; of the hub, the folder of its cache.

    Raises:
        MissingInputError: If it is a preset that is not on this machine.
        WeightsError: If it should have come with the package and cannot be had.
    """
    from guided_sr.presets import (
        absence,
        find_preset,
        hub_preset,
        is_on_hub,
        list_presets,
    )

    if is_on_hub(name_or_dir):
        return str(hub_preset(name_or_dir, offline=True))
    if name_or_dir in list_presets() and find_preset(name_or_dir) is None:
        raise absence(name_or_dir)
    return name_or_dir
