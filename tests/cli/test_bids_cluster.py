"""A cohort on two Dask workers, one of which is killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="Dask is not installed")
psutil = pytest.importorskip("psutil", reason="psutil is not installed")

ROOT = Path(__file__).parents[2]
RESULTS = "sub-*/anat/*_desc-guidedsr_T2w.nii.gz"


def start(arguments: list[str], told: Path, err: Path) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with told.open("w") as stdout, err.open("w") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "guided_sr", *arguments],
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": paths},
        )


def workers_of(process: subprocess.Popen[bytes]) -> list[Any]:
    return [
        one
        for one in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(one.cmdline())
    ]


def identity(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_ino, state.st_mtime_ns


@pytest.mark.slow
def test_a_killed_worker_costs_no_subject_and_nothing_is_made_twice(
    phantom_bids: Any, model_dir: Path, tmp_path: Path
) -> None:
    top, out = phantom_bids(12), tmp_path / "guided-sr"
    told, err = tmp_path / "out.txt", tmp_path / "err.txt"
    cut = top / "sub-04/anat/sub-04_T2w.nii.gz"
    cut.write_bytes(cut.read_bytes()[:300])
    (top / "sub-09/anat/sub-09_T1w.nii.gz").unlink()
    how = ["--model", str(model_dir), "--precision", "float32"]
    command = ["bids", str(top), str(out), "participant", *how]
    process = start(
        [*command, "--nprocs", "2", "-w", str(tmp_path / "work")], told, err
    )
    first: dict[Path, tuple[int, int]] = {}
    killed = None
    while process.poll() is None:
        for path in out.glob(RESULTS):
            first.setdefault(path, identity(path))
        if first and killed is None:
            killed = workers_of(process)[0]
            killed.kill()
        time.sleep(0.01)
    assert killed is not None
    text = err.read_text("utf-8")
    assert process.returncode == 1, text  # 65 and 66: the causes differ
    made = sorted(out.glob(RESULTS))
    assert len(made) == 10
    assert sorted(told.read_text("utf-8").splitlines()) == [str(path) for path in made]
    assert all(identity(path) == seen for path, seen in first.items())
    (run,) = (out / "logs").iterdir()
    rows = [line.split("\t") for line in (run / "status.tsv").read_text().splitlines()]
    assert Counter(row[0] for row in rows[1:]) == {
        f"sub-{number:02d}": 1 for number in range(1, 13)
    }
    assert sorted((row[0], row[3]) for row in rows[1:] if row[2] == "failed") == [
        ("sub-04", "65"),
        ("sub-09", "66"),
    ]
    crashes = sorted(path.name[-10:] for path in run.glob("crash-*"))
    assert crashes == ["sub-04.txt", "sub-09.txt"]
    assert "10 of 12 are made" in text
    assert "subjects: " in text
    hidden = [path.name for path in out.rglob(".guided-sr-*")]
    assert not [name for name in hidden if not name.endswith("-lock")]  # locks end

    group = start(["bids", str(top), str(out), "group"], told, err)
    assert group.wait() == 0
    assert len(list(out.rglob("group_*.tsv"))) == 1
    assert len((out / "group_T2w.tsv").read_text("utf-8").splitlines()) == 11

    again = start([*command, "--participant-label", "01", "02"], told, err)
    assert again.wait() == 0
    assert "up-to-date" in err.read_text("utf-8")
    assert [identity(path) for path in made[:2]] == [first[path] for path in made[:2]]
