"""SIGKILL at random moments: what is under a final name is complete.

`GUIDED_SR_KILLS` sets how often; 5 by default.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest

from guided_sr.presets import verify_preset
from guided_sr.volumes import read_volume

KILLS = int(os.environ.get("GUIDED_SR_KILLS", "5"))
SEED = 11


@pytest.fixture
def killed(environment: Callable[..., dict[str, str]]):
    """Run the program and kill it after a time, or when it has ended by itself."""

    def run(arguments: list[str], seconds: float | None) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "guided_sr", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            return process.wait()

    return run


def moments(whole: float) -> list[float]:
    """Moments spread at random over a run, denser at its end, where files appear."""
    rng = np.random.default_rng(SEED)
    return [float(t) for t in whole * (1.0 - rng.beta(1.0, 2.0, KILLS))]


def visible(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if not path.name.startswith(".")]


def assert_whole(path: Path) -> None:
    """Read a file to its end."""
    if path.name.endswith(".nii.gz"):
        assert np.isfinite(read_volume(path).data).all()
    elif path.suffix == ".json":
        assert json.loads(path.read_text("utf-8"))
    elif path.name.endswith(".weights.h5"):
        with h5py.File(path, "r") as file:
            file.visititems(lambda _, item: item[()].shape if array(item) else None)
    else:
        assert path.suffix == ".csv", path  # a log grows line by line


def array(item: Any) -> bool:
    return isinstance(item, h5py.Dataset)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_no_incomplete_file(scene, killed):
    begun = time.perf_counter()
    arguments = scene.command("--device", "cpu", "--precision", "float32")
    assert killed(arguments, None) == 0
    expected = nib.load(scene.out).get_fdata()
    for seconds in moments(time.perf_counter() - begun):
        for path in visible(scene.out.parent):
            path.unlink()
        killed(arguments, seconds)
        for path in visible(scene.out.parent):
            assert_whole(path)
        if scene.out.exists():
            assert scene.out.with_name("sr.json").exists()
    assert killed(arguments, None) == 0
    np.testing.assert_array_equal(nib.load(scene.out).get_fdata(), expected)
    assert [
        path.name for path in scene.out.parent.iterdir() if path.name[0] == "."
    ] == []


@pytest.mark.slow
def test_a_training_killed_at_any_moment_goes_on_to_the_bit(
    scene, killed, pair, tmp_path
):
    pair.truth.unlink()
    options = ["--max-steps", "12", "--steps-per-epoch", "2", "--batch-size", "2"]
    options += ["--patch-size", "16", "--precision", "float32", "--device", "cpu"]
    start = ["--data", str(scene.folder), "--scale", "2", "--stages", "2", *options]

    def command(model: Path) -> list[str]:
        return ["train", "external", "-o", str(model), *start]

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    begun = time.perf_counter()
    assert killed(command(whole), None) == 0

    def same() -> bool:
        names = [f"stage_{stage}.weights.h5" for stage in (1, 2)]
        return all(arrays(resumed / one) == arrays(whole / one) for one in names)

    for seconds in moments(time.perf_counter() - begun):
        killed(command(resumed), seconds)
        for path in visible(resumed) if resumed.exists() else ():
            assert_whole(path)
        if (resumed / "config.json").exists():  # written last: the model is there
            assert verify_preset(resumed)
            assert same()
            shutil.rmtree(resumed)
    assert killed(command(resumed), None) == 0
    assert same()


def arrays(file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(file, "r") as content:
        content.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()}) if array(item) else None
            )
        )
    return found
