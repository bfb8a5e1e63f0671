from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guided_sr import __version__
from guided_sr.cli import info
from guided_sr.cli.main import build_parser, main
from guided_sr.errors import GuidedSRError, warn_user

ROOT = Path(__file__).parents[2]
HEAVY = ("jax", "keras", "matplotlib", "nibabel", "numpy", "pydantic", "rich")
HEAVY += ("scipy", "tensorflow", "torch")
COMMANDS = (
    ["run"],
    ["check"],
    ["demo"],
    ["bids"],
    ["train"],
    ["train", "external"],
    ["train", "supervised"],
    ["train", "internal"],
    ["train", "recipe"],
    ["eval"],
    ["explain"],
    ["export"],
    ["benchmark"],
    ["degrade"],
    ["models"],
    ["models", "list"],
    ["models", "path"],
    ["models", "verify"],
    ["info"],
)


def python(code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Make ``guided-sr info`` raise what is given."""

    def make(error: BaseException) -> None:
        def fail(_: Any) -> int:
            raise error

        monkeypatch.setattr(info, "execute", fail)

    return make


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_help_of_every_command_prints_and_ends_with_zero(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(" ".join(["usage: guided-sr", *command]))
    assert "not a medical device" in shown


def test_help_of_everything_loads_nothing_heavier_than_argparse() -> None:
    run = python(
        "import sys; from guided_sr.cli.main import main\n"
        f"codes = [main([*c, '--help']) for c in {[[], *COMMANDS]}]\n"
        f"print(codes, [m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    assert run.stderr.strip() == f"{[0] * (len(COMMANDS) + 1)} []"


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"guided-sr {__version__}"


def test_no_command_prints_help_and_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 64
    assert "commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["run", "--input", "t2.nii"], "run"),
        (["models", "verify", "--input", "t2.nii"], "models verify"),
        (["--input", "t2.nii", "info"], ""),
    ],
)
def test_an_unknown_option_points_to_the_help_of_its_command(
    arguments: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    told = capsys.readouterr().err
    if command:
        assert "unrecognized arguments: --input" in told
    place = " ".join(["guided-sr", *command.split(), "--help"])
    assert told.endswith(f"Mend: see {place}.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["swim"],
        ["run"],
        ["run", "-i", "t2.nii", "--scale", "four"],
        ["run", "-i", "t2.nii", "--device", "tpu"],
        ["run", "-i", "t2.nii", "--fast"],
        ["run", "-i", "t2.nii", "--scal", "4"],
        ["models"],
        ["train", "external", "--data", "a", "--pairs", "b", "-o", "c", "--scale", "2"],
        ["train", "external", "--data", "a", "-o", "c", "--scale", "2", "--stages=0"],
        ["train", "external", "--data", "a", "-o", "c", "--backbone", "unet"],
        ["train", "internal", "-i", "a", "-o", "c", "--max-seconds", "0"],
        ["eval", "--hr", "a", "-i", "b"],
        ["degrade", "-i", "a", "-o", "b.nii", "--scale", "1"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_one_line_and_64(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ERROR [E-USAGE] ")
    assert captured.err.count("\n") == 1
    assert "Mend: " in captured.err


@pytest.mark.parametrize(
    ("error", "code", "tag"),
    [
        (RuntimeError("two\nlines"), 70, "E-INTERNAL"),
        (AssertionError(), 70, "E-INTERNAL"),
        (KeyboardInterrupt(), 130, "E-INTERRUPT"),
        (OSError(28, "No space left on device", "x.nii"), 74, "E-IO"),
        (MemoryError(), 75, "E-RETRY"),
        (GuidedSRError("what", exit_code=73, code="E-OUTPUT"), 73, "E-OUTPUT"),
    ],
)
def test_every_error_is_one_line_with_its_exit_code(
    error: BaseException,
    code: int,
    tag: str,
    failing: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing(error)
    assert main(["info"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith(f"ERROR [{tag}] ")
    assert shown.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--debug", "info"], ["info", "--debug"]])
def test_only_debug_shows_a_traceback(
    arguments: list[str], failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(RuntimeError("lost"))
    assert main(["info"]) == 70
    assert "Traceback" not in capsys.readouterr().err
    assert main(arguments) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_warning_is_one_line_and_shown_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(_: Any) -> int:
        for _ in range(2):
            warn_user("the T1 is coarse", path="t1.nii", mend="look at it")
        return 0

    monkeypatch.setattr(info, "execute", warn)
    assert main(["info"]) == 0
    shown = capsys.readouterr().err
    assert shown == "WARNING the T1 is coarse: t1.nii. Mend: look at it.\n"


def test_the_exit_codes_of_info_are_those_of_the_documentation() -> None:
    text = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    documented = {
        int(line.split("|")[1])
        for line in text.split("## E-BIDS")[0].splitlines()
        if line.startswith("| ") and line[2:3].isdigit()
    }
    assert set(info.EXIT_CODES) == documented


def test_python_m_is_the_same_program() -> None:
    run = python(
        "import runpy, sys; sys.argv = ['x', '--version'];"
        "runpy.run_module('guided_sr', run_name='__main__')"
    )
    assert run.stdout.strip() == f"guided-sr {__version__}"


def test_options_are_not_abbreviated() -> None:
    assert build_parser().allow_abbrev is False


def test_an_interrupted_process_ends_at_once():
    """A framework may hang when it is torn down after an interrupted training."""
    code = (
        "import sys, threading, guided_sr.cli.main as m\n"
        "def stop(arguments):\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        "    raise KeyboardInterrupt\n"
        "m._dispatch = stop\n"
        "sys.argv = ['guided-sr', 'info']\n"
        "sys.exit(m.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 130
    assert "ERROR [E-INTERRUPT]" in done.stderr
