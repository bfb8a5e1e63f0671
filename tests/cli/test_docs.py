"""docs/reference/cli.md names every option of every command, and no other."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from guided_sr.cli.main import build_parser

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")
SHARED = {"-h", "--help", "--debug"}


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(parser: argparse.ArgumentParser) -> set[str]:
    own = {name for action in parser._actions for name in action.option_strings}
    return own.union(*(options(part) for part in subcommands(parser).values())) - SHARED


def sections() -> dict[str, str]:
    parts = re.split(r"(?m)^## (.+)$", PAGE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


COMMANDS = subcommands(build_parser())
for part, of_train in subcommands(COMMANDS.pop("train")).items():
    COMMANDS[f"train {part}"] = of_train


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_lists_exactly_the_options_of_its_command(name: str) -> None:
    rows = re.findall(r"(?m)^\| (`-.*?) \|", sections()[name])
    listed = {option for row in rows for option in re.findall(r"`(-[^`]+)`", row)}
    assert listed == options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str) -> None:
    lines = re.findall(r"(?m)^\$ guided-sr (.+)$", sections()[name])
    assert lines
    for line in lines:
        args = build_parser().parse_args(shlex.split(line))
        assert callable(args.execute)


def test_the_example_in_every_help_parses() -> None:
    for name, parser in COMMANDS.items():
        examples = re.findall(r"example: guided-sr (.+)", parser.epilog or "")
        for line in examples:
            assert build_parser().parse_args(shlex.split(line)).command in name
