"""Rows 64 to 73: the machine and the output."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from guided_sr.errors import IOFailure
from guided_sr.volumes import read_volume, write_volume

fault = pytest.mark.fault


def hidden(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.name.startswith(".")]


@fault(64, "output folder read-only", "73 before the work")
def test_a_folder_that_may_not_be_written_is_refused(scene, bound):
    place = scene.out.parent
    place.chmod(0o500)
    scene.refused(73, "E-OUTPUT", path=place, before=bound, api=False)
    place.chmod(0o700)


@fault(64, "output folder is a file", "73 before the work")
def test_a_folder_that_is_a_file_is_refused(scene):
    arguments = scene.command("-o", scene.t1 / "sr.nii.gz")
    scene.refused(73, "E-OUTPUT", arguments=arguments, path=scene.t1, api=False)


@fault(64, "output folder missing", "0, made")
def test_a_missing_folder_is_made(scene):
    out = scene.folder / "not" / "yet" / "sr.nii.gz"
    assert scene.program(scene.command("-o", out, name="degrade")).code == 0
    assert out.is_file()


@fault(64, "output name longer than the system takes", "73 before the work")
def test_a_name_that_is_too_long_is_refused(scene):
    out = scene.out.with_name("a" * 250 + ".nii.gz")
    arguments = scene.command("-o", out)
    scene.refused(73, "E-OUTPUT", arguments=arguments, path=out, api=False)


@fault(65, "output exists", "73, --force")
@pytest.mark.parametrize("name", ["sr.nii.gz", "sr.json"])
def test_an_existing_output_is_refused(scene, name):
    there = scene.out.with_name(name)
    there.write_text('{"of": "somebody"}', "utf-8")
    scene.refused(73, "E-OUTPUT", "--force", path=there, api=False)


@fault(66, "disk full before the work", "74, free and needed")
def test_a_full_disk_is_told_before_the_work(scene):
    words = ["needs", "free"]
    how = {"inject": "little_space", "api": False}
    scene.refused(74, "E-IO", *words, path=scene.out, **how)


@fault(66, "disk full while writing", "74, nothing left")
def test_a_disk_that_fills_up_leaves_nothing(scene):
    arguments = scene.command(name="degrade")
    how = {"inject": "full_disk", "api": False}
    scene.refused(74, "E-IO", "df -h", arguments=arguments, path=scene.out, **how)


@pytest.mark.filterwarnings(
    # nibabel leaves the file of a failed save to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_small_disk_that_fills_up_leaves_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        noise = np.random.default_rng(0).random((64, 64, 64), np.float32)
        with pytest.raises(IOFailure, match="No space left"):
            write_volume(disk / "sr.nii", noise, np.eye(4), sidecar={"a": 1})
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@fault(67, "quota, file-size limit", "74, nothing left")
def test_a_limit_on_file_sizes_leaves_nothing(scene):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    arguments = scene.command(name="degrade")
    scene.refused(
        74, "E-IO", arguments=arguments, path=scene.out, before=limit, api=False
    )


@fault(68, "SIGKILL while writing", "temporary file only, cleaned next")
def test_a_killed_run_leaves_a_temporary_file_that_the_next_one_removes(scene):
    arguments = scene.command(name="degrade")
    scene.got.clear()
    killed = scene.program(arguments, inject="killed")
    assert killed.code == -signal.SIGKILL
    assert not scene.out.exists()
    assert hidden(scene.out.parent)
    other = scene.out.with_name(".mine.nii.gz")
    other.write_bytes(b"not a temporary file of ours")
    assert scene.program(arguments).code == 0
    assert hidden(scene.out.parent) == [other.name]
    assert read_volume(scene.out).data.shape == (12, 12, 3)


@fault(69, "Ctrl-C, SIGTERM", "130, 143, nothing left")
@pytest.mark.parametrize(
    ("how", "code", "word"),
    [("interrupted", 130, "interrupted"), ("terminated", 143, "terminated")],
)
def test_a_run_that_is_stopped_leaves_nothing(scene, snapshot, how, code, word):
    before = snapshot(scene.folder)
    ran = scene.program(scene.command(name="degrade"), inject=how)
    assert ran.code == code, ran.err
    assert ran.last.startswith("ERROR [E-INTERRUPT]")
    assert word in ran.last
    assert "Traceback" not in ran.err
    assert snapshot(scene.folder) == before


@fault(70, "memory short", "75, GiB")
def test_short_memory_is_told_with_figures(scene):
    how = {"inject": "little_memory", "api": False}
    scene.refused(75, "E-RETRY", "GiB", **how)


@fault(71, "device memory short", "0, smaller batches")
def test_smaller_batches_are_taken_where_the_device_is_short(scene):
    exact = scene.command("--precision", "float32")
    ran = scene.program(exact, inject="device_memory")
    assert ran.code == 0, ran.err
    with_batches = read_volume(scene.out).data
    whole = scene.trained.predict_cascade(str(scene.t2), str(scene.t1)).data
    np.testing.assert_allclose(with_batches, whole, atol=1e-4 * whole.max())


@fault(71, "device memory short for one slice", "75")
def test_a_device_that_is_too_small_asks_for_another(scene):
    how = {"inject": "no_device_memory", "api": False}
    arguments = scene.command("--device", "cpu")
    scene.refused(
        75, "E-RETRY", "--device cpu", arguments=arguments, path="memory", **how
    )


@fault(72, "--device gpu without GPU, wrong index", "64, lists devices")
def test_a_device_that_is_not_there_lists_those_that_are(scene):
    arguments = scene.command("--device", "gpu:99")
    words = ["choose one of auto, cpu:0"]
    scene.refused(64, "E-USAGE", *words, arguments=arguments, path="gpu:99", api=False)


@fault(73, "eight processes, one output", "0 once, 75 or up to date")
def test_of_eight_processes_one_writes_and_the_others_say_who(scene, environment):
    command = [sys.executable, "-m", "guided_sr", *scene.command()]
    started = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(8)
    ]
    told = [one.communicate(timeout=240)[1] for one in started]
    codes = [one.returncode for one in started]
    scene.got += map(str, sorted(codes))
    assert set(codes) <= {0, 75}
    wrote = ["field of view kept" in err for err in told]
    assert sum(wrote) == 1
    for code, err in zip(codes, told, strict=True):
        if code == 75:
            assert "is being written by process" in err
            assert "Mend: " in err
        else:
            assert "field of view kept" in err or "up to date" in err
    assert hidden(scene.out.parent) == []
    assert read_volume(scene.out).data.shape == (48, 48, 3)


@fault(73, "lock of a killed process", "0")
def test_the_lock_of_a_killed_process_holds_nobody_up(scene, environment):
    command = [sys.executable, "-m", "guided_sr", *scene.command()]
    run = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment()
    )
    while "loading Keras" not in run.stderr.readline():
        time.sleep(0.01)
    assert hidden(scene.out.parent)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    ran = scene.program(scene.command())
    assert ran.code == 0, ran.err
    assert hidden(scene.out.parent) == []
