from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from guided_sr.cli.main import main


def _hear_interrupts() -> None:
    """A shell lets what it runs in the background ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_view_serves_until_it_is_ended_and_that_is_no_fault(
    end: signal.Signals, saved_result: Path
) -> None:
    command = [sys.executable, "-m", "guided_sr", "view", str(saved_result)]
    with (
        subprocess.Popen(
            [*command, "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            preexec_fn=_hear_interrupts,
        ) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.kill)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url) as answer:
            assert b"niivue.umd.js" in answer.read()
        process.send_signal(end)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    told = ["on this machine alone; Ctrl-C ends it", "ended"]
    assert errors.splitlines() == told


def test_a_taken_port_ends_with_75_and_a_way_out(
    saved_result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = ["view", str(saved_result), "--port", port, "--no-browser"]
        assert main(command) == 75
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"[E-RETRY] port {port} is in use" in captured.err


def test_no_port_and_no_result_are_refused(
    saved_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(saved_result), "--port", "70000"]) == 64
    assert "no port from 1 to 65535" in capsys.readouterr().err
    assert main(["view", str(tmp_path / "none.nii.gz")]) == 66
    plain = saved_result.with_name("t2.nii.gz")
    assert main(["view", str(plain), "--no-browser"]) == 65
    assert "no sidecar of guided-sr" in capsys.readouterr().err
