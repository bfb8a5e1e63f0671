"""The Boutiques descriptor tells what ``guided-sr bids --help`` tells."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guided_sr._version import __version__
from guided_sr.cli.info import EXIT_CODES
from guided_sr.cli.main import build_parser, main

ROOT = Path(__file__).parents[2]
PATH = ROOT / "boutiques" / "guided-sr.json"
DESCRIPTOR = json.loads(PATH.read_text("utf-8"))
INPUTS = {one["id"]: one for one in DESCRIPTOR["inputs"]}
NOT_FOR_PIPELINES = {"-h", "--version"}


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    commands = next(
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return commands.choices["bids"]


def test_every_option_is_an_input_and_every_input_an_option(parser: Any) -> None:
    own = {
        action.dest: action
        for action in parser._actions
        if not NOT_FOR_PIPELINES & set(action.option_strings)
    }
    assert set(INPUTS) == set(own)
    by_flag = {
        option: action.dest
        for action in parser._actions
        for option in action.option_strings
    }
    for name, one in INPUTS.items():
        flag = one.get("command-line-flag")
        action = own[name]
        if flag is None:
            assert not one["optional"]
            continue
        assert by_flag[flag] == name
        assert (one["type"] == "Flag") == (action.nargs == 0)
        assert one.get("list", False) == (action.nargs == "+")
        assert one.get("value-choices") == (action.choices and list(action.choices))


def test_every_flag_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bids", "--help"]) == 0
    shown = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", capsys.readouterr().out))
    flags = {one.get("command-line-flag") for one in INPUTS.values()}
    assert flags - {None} <= shown


def test_its_version_and_exit_codes_are_those_of_the_package() -> None:
    assert DESCRIPTOR["tool-version"] == __version__
    told = {one["code"]: one["description"] for one in DESCRIPTOR["error-codes"]}
    assert told == {code: text for code, text in EXIT_CODES.items() if code}


def test_boutiques_takes_it_and_makes_a_command_that_parses(tmp_path: Path) -> None:
    pytest.importorskip("boutiques", reason="boutiques is not installed")
    given = {
        "bids_dir": str(tmp_path),
        "output_dir": "out",
        "analysis_level": "participant",
        "participant_label": ["01", "02"],
        "scale": "4",
        "dry_run": True,
    }
    invocation = tmp_path / "invocation.json"
    invocation.write_text(json.dumps(given), "utf-8")

    def bosh(*arguments: str) -> str:
        code = "import sys; from boutiques.bosh import bosh; bosh(sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    bosh("validate", str(PATH))
    shown = bosh("exec", "simulate", "-i", str(invocation), str(PATH))
    command = next(
        one for one in shown.splitlines() if one.startswith("guided-sr-bids")
    )
    args = build_parser().parse_args(["bids", *shlex.split(command)[1:]])
    assert args.participant_label == ["01", "02"]
    assert args.scale == 4.0
    assert args.dry_run
