"""The BIDS App, run on a data set of drawn heads."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guided_sr.cli.main import bids_main, main
from guided_sr.volumes import read_volume, write_volume

RESULT = "sub-{0}/anat/sub-{0}_space-orig_res-2x2x1_desc-guidedsr_T2w.nii.gz"


@pytest.fixture
def cohort(
    phantom_bids: Callable[[int], Path], model_dir: Path
) -> Callable[..., list[str]]:
    """The command for a data set of two: ``cohort("group", "--dry-run")``."""
    top = phantom_bids(2)

    def command(level: str = "participant", *more: str) -> list[str]:
        out = str(top / "derivatives" / "guided-sr")
        how = ["--model", str(model_dir), "--precision", "float32", "-q"]
        return ["bids", str(top), out, level, *how, *more]

    return command


def test_a_cohort_becomes_a_derivative_data_set_and_a_table(
    cohort: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(cohort()) == 0
    out = Path(cohort()[2])
    made = [out / RESULT.format(label) for label in ("01", "02")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in made]
    assert all(path.with_name(path.name[:-7] + ".html").exists() for path in made)
    note = json.loads(made[0].with_name(made[0].name[:-7] + ".json").read_text("utf-8"))
    assert note["Sources"][0] == "bids:raw:sub-01/anat/sub-01_T2w.nii.gz"
    assert note["EchoTime"] == 0.1
    assert note["GuidedSR"]["qc"]["guide_overlap"] == 1.0
    assert main(cohort("group")) == 0
    table = Path(capsys.readouterr().out.strip())
    assert len(table.read_text("utf-8").splitlines()) == 3


def test_what_is_up_to_date_is_skipped_and_what_is_not_is_made_again(
    cohort: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(cohort()) == 0
    top, out = Path(cohort()[1]), Path(cohort()[2])
    images = [out / RESULT.format(label) for label in ("01", "02")]
    before = [path.stat().st_ino for path in images]
    t1 = read_volume(top / "sub-02/anat/sub-02_T1w.nii.gz", name="T1")
    write_volume(t1.path, t1.data[::-1].copy(), t1.affine, force=True)
    assert main(cohort()) == 0
    after = [path.stat().st_ino for path in images]
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert statuses(out) == ["up-to-date", "done"]
    monkeypatch.setattr("guided_sr.cli.framework.load_framework", None)
    assert main(cohort()) == 0
    assert statuses(out) == ["up-to-date", "up-to-date"]


def test_an_image_in_the_way_that_is_not_ours_is_kept(cohort: Any) -> None:
    out = Path(cohort()[2])
    other = out / RESULT.format("01")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    assert main(cohort()) == 73
    assert other.read_bytes() == b"mine"
    assert statuses(out) == ["failed", "done"]


def test_a_failure_leaves_a_crash_file_and_holds_nobody_up(
    cohort: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    top, out = Path(cohort()[1]), Path(cohort()[2])
    bad = top / "sub-01/anat/sub-01_T2w.nii.gz"
    bad.write_bytes(bad.read_bytes()[:200])
    assert main(cohort()) == 65
    assert "ERROR [E-DATA] sub-01: " in capsys.readouterr().err
    (crash,) = out.glob("logs/*/crash-*-sub-01.txt")
    text = crash.read_text("utf-8")
    for part in ("Traceback", "guided_sr=", "command: guided-sr bids", str(bad)):
        assert part in text
    assert statuses(out) == ["failed", "done"]
    assert main(cohort("participant", "--stop-on-first-crash", "--force")) == 65
    assert statuses(out) == ["failed"]


def test_failures_of_different_causes_end_with_1(cohort: Any) -> None:
    top, out = Path(cohort()[1]), Path(cohort()[2])
    (top / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(b"<html>")
    (top / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    assert main(cohort()) == 1
    assert len(list(out.glob("logs/*/crash-*.txt"))) == 2


def test_a_share_of_the_memory_that_is_too_small_is_refused(
    cohort: Any, no_framework: None
) -> None:
    assert main(cohort("participant", "--mem-mb", "64", "--dry-run")) == 75


def test_a_dry_run_writes_nothing(
    cohort: Any, no_framework: None, listing: Any
) -> None:
    before = listing(Path(cohort()[1]))
    assert main(cohort("participant", "--dry-run")) == 0
    assert listing(Path(cohort()[1])) == before


def test_the_arguments_may_be_given_by_name_and_underscore(
    cohort: Any, no_framework: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bids, out, level, *how = cohort("participant", "--dry-run")
    named = ["--input-dataset", bids, "--output_location", out]
    named += ["--analysis-level", level, "--participant_label", "01"]
    named += ["--participant-label", "sub-02"]
    monkeypatch.setattr("sys.argv", ["guided-sr-bids", *named, *how])
    assert bids_main() == 0
    monkeypatch.setattr("sys.argv", ["guided-sr-bids", *named[:4], *how])
    assert bids_main() == 64


@pytest.mark.parametrize("where", ["moon", "tcp//host"])
def test_a_cluster_that_is_none_is_refused(
    cohort: Any, no_framework: None, where: str
) -> None:
    assert main(cohort("participant", "--cluster", where)) == 64


def test_pybids_finds_the_results(cohort: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bids = pytest.importorskip("bids", reason="pybids is not installed")
        assert main(cohort()) == 0
        layout = bids.BIDSLayout(cohort()[1], derivatives=cohort()[2])
        found = layout.get(desc="guidedsr", suffix="T2w", extension=".nii.gz")
        assert [one.entities["subject"] for one in found] == ["01", "02"]
        assert found[0].get_metadata()["SkullStripped"] is False


def test_the_bids_validator_passes(cohort: Any) -> None:
    """The validator of the specification; the older one of npm has no rules for
    the names of derivatives."""
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("no bids-validator-deno on the path: pip install it")
    assert main(cohort()) == 0
    assert main(cohort("group")) == 0
    ran = subprocess.run(
        [validator, "--json", cohort()[2]], capture_output=True, text=True, check=False
    )
    issues = json.loads(ran.stdout)["issues"]["issues"]
    assert [one for one in issues if one["severity"] == "error"] == []
    assert ran.returncode == 0, ran.stderr


def statuses(out: Path) -> list[str]:
    """Those of the latest run."""
    latest = max(
        out.glob("logs/*/status.tsv"), key=lambda path: path.stat().st_mtime_ns
    )
    return [line.split("\t")[2] for line in latest.read_text("utf-8").splitlines()[1:]]
