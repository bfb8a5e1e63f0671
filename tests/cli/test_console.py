from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from guided_sr.cli.console import (
    Console,
    print_table,
    print_warning,
    settle_streams,
)
from guided_sr.cli.framework import quiet_framework
from guided_sr.cli.outputs import result_name


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.note("a")
    console.facts("b", [("c", "d")])
    with console.progress("e") as advance:
        advance(1, 1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("tty", [False, True])
def test_a_table_holds_every_cell_drawn_or_plain(
    tty: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    print_table(["method", "PSNR"], [["cubic [/red]", "26.1"], ["ours", "29.0"]])
    shown = capsys.readouterr().out
    for cell in ("method", "PSNR", "cubic [/red]", "26.1", "29.0"):
        assert cell in shown


@pytest.mark.parametrize("tty", [False, True])
def test_columns_of_text_begin_at_the_left(
    tty: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    rows = [["a", "9.5", "short"], ["b", "10.25", "rather long"]]
    print_table(["name", "size", "what"], rows, text=("what",))
    shown = capsys.readouterr().out.splitlines()
    one, other = (next(x for x in shown if size in x) for size in ("9.5", "10.25"))
    assert one.index("short") == other.index("rather long")
    assert one.index("9.5") + 3 == other.index("10.25") + 5


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("utf-8", "24x24 → 48x48, ± 0.3 é 脳"),
        ("latin-1", r"24x24 -> 48x48, ± 0.3 é \u8133"),
        ("ascii", r"24x24 -> 48x48, +/- 0.3 \xe9 \u8133"),
    ],
)
def test_what_an_encoding_does_not_have_is_spelled(
    encoding: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stderr", stream)
    settle_streams()
    print_warning("24x24 → 48x48, ± 0.3 é 脳")
    assert written.getvalue().decode(encoding) == f"WARNING {seen}\n"


def test_on_a_terminal_facts_and_progress_are_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    console = Console()
    console.facts("plan", [("T2", "/scans/[b]t2.nii")])
    with console.progress("slices") as advance:
        advance(1, 2)
    shown = capsys.readouterr().err
    assert "/scans/[b]t2.nii" in shown


def test_what_a_framework_writes_while_loading_is_hidden(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_framework():
        os.write(2, b"oneDNN custom operations are on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_a_framework_wrote_is_shown_when_loading_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def load() -> None:
        with quiet_framework():
            os.write(2, b"libfoo.so is missing\n")
            raise ImportError

    with pytest.raises(ImportError):
        load()
    assert capfd.readouterr().err == "libfoo.so is missing\n"


def test_debug_hides_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_framework(debug=True):
        os.write(2, b"noise\n")
    assert capfd.readouterr().err == "noise\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T2.nii.gz", "T2_desc-guidedsr_T2w.nii.gz"),
        ("sub-01_ses-2_T2w.nii", "sub-01_ses-2_desc-guidedsr_T2w.nii.gz"),
        ("scan.v2.mgz", "scan.v2_desc-guidedsr_T2w.nii.gz"),
    ],
)
def test_a_result_is_named_after_its_source(name: str, expected: str) -> None:
    assert result_name(Path(name), "guidedsr") == expected
