from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from guided_sr.errors import TryAgainError
from guided_sr.volumes.locking import hidden_prefix, lock_or_refuse, output_lock
from guided_sr.volumes.writing import staged

HOLD = """
import sys
from pathlib import Path
from guided_sr.volumes.locking import output_lock
with output_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_an_output(tmp_path):
    out = tmp_path / "sr.nii.gz"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        held = pytest.raises(TryAgainError, match=f"process {holder.pid} on ")
        with held, output_lock(out):
            pass
        holder.kill()
        holder.wait()
        with output_lock(out):  # the lock ended with the process
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_has_not_written_its_name_yet_is_waited_for(tmp_path):
    out = tmp_path / "sr.nii"
    path = tmp_path / f"{hidden_prefix(out)}lock"
    handle = lock_or_refuse(path)
    naming = threading.Timer(0.2, os.write, [handle, b"process 7 on here"])
    naming.start()
    try:
        held = pytest.raises(TryAgainError, match="by process 7 on here")
        with held, output_lock(out):
            pass
    finally:
        naming.join()
        os.close(handle)


def test_another_output_in_the_folder_is_free(tmp_path):
    with output_lock(tmp_path / "a.nii"), output_lock(tmp_path / "b.nii"):
        assert len(list(tmp_path.iterdir())) == 2


def test_folders_made_for_a_lock_vanish_unless_something_is_in_them(tmp_path):
    with output_lock(tmp_path / "new" / "folder" / "sr.nii"):
        pass
    assert list(tmp_path.iterdir()) == []
    with output_lock(tmp_path / "new" / "sr.nii"):
        (tmp_path / "new" / "sr.nii").write_bytes(b"x")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sr.nii"]


def test_a_lock_on_a_removed_file_is_taken_anew(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    honest, calls = os.open, []

    def removing(name, *args):
        handle = honest(name, *args)
        if not calls:
            os.unlink(name)
        calls.append(name)
        return handle

    monkeypatch.setattr(os, "open", removing)
    handle = lock_or_refuse(path)
    assert len(calls) == 2
    assert os.fstat(handle).st_ino == path.stat().st_ino
    os.close(handle)


def test_remnants_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path):
    out = tmp_path / "sr.nii"
    dead = tmp_path / f"{hidden_prefix(out)}dead.nii"
    other = tmp_path / f"{hidden_prefix(tmp_path / 'other.nii')}dead.nii"
    for path in (dead, other):
        path.write_bytes(b"half")
    one = staged(out, lambda path: path.write_bytes(b"one"), suffix=".nii")
    two = staged(out, lambda path: path.write_bytes(b"two"), suffix=".nii")
    with one as living, two:
        assert not dead.exists()
        assert living.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [other]
