from __future__ import annotations

import sys

import pytest

from guided_sr.progress import show_progress


def test_plain_progress_is_a_line_at_every_tenth(capsys):
    with show_progress("slices") as advance:
        for done in range(1, 101):
            advance(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"slices: {n} of 100" for n in range(10, 101, 10)]


def test_bytes_are_told_in_megabytes(capsys):
    with show_progress("downloading a_x2", of_bytes=True) as advance:
        advance(1_500_000, 6_000_000)
    assert capsys.readouterr().err == "downloading a_x2: 1.5 of 6.0 MB\n"


@pytest.mark.parametrize("of_bytes", [False, True])
def test_on_a_terminal_a_bar_is_drawn(of_bytes, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with show_progress("downloading a_x2", of_bytes=of_bytes) as advance:
        advance(2_000_000, 4_000_000)
    printed, shown = capsys.readouterr()
    assert printed == ""
    assert "downloading a_x2" in shown
    assert ("MB" in shown) is of_bytes


def test_quiet_shows_nothing(capsys):
    with show_progress("slices", quiet=True) as advance:
        advance(1, 1)
    assert capsys.readouterr() == ("", "")
