"""``run`` with the packaged presets and a T1 that fits, or does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from guided_sr import GuidedSRModel, degrade, head_phantom
from guided_sr.cli.main import main
from guided_sr.inference.worth import worth_text
from guided_sr.volumes import target_affine, write_volume

HURTS = "the T1 does not help"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T2 of 4 x 4 x 1 mm, its T1 of 1 mm, and that T1 moved by 7 mm each way."""
    folder = tmp_path_factory.mktemp("scans")
    head = head_phantom((128, 128), 4, seed=2, voxel_mm=1.7)
    low, t1 = (np.moveaxis(x, 0, -1) for x in (degrade(head.t2, 4), head.t1))
    fine = np.diag([1.0, 1.0, 1.0, 1.0])
    coarse = target_affine(fine, t1.shape, low.shape)
    write_volume(folder / "t2.nii.gz", low.astype(np.float32), coarse)
    write_volume(folder / "t1.nii.gz", t1.astype(np.float32), fine)
    moved = np.roll(t1, (7, -7), axis=(0, 1)).astype(np.float32)
    write_volume(folder / "moved.nii.gz", moved, fine)
    return folder


def run(folder: Path, guide: str, out: str, *more: str) -> int:
    files = ["-i", str(folder / "t2.nii.gz"), "-g", str(folder / guide)]
    how = ["--register", "none", "--device", "cpu", *more]
    return main(["run", *files, "-o", str(folder / out), *how])


def sidecar(folder: Path, out: str) -> dict:
    text = (folder / out).with_name(out.replace(".nii.gz", ".json")).read_text("utf-8")
    return json.loads(text)["GuidedSR"]


def test_a_t1_that_fits_is_used_and_maps_are_written(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scans, "t1.nii.gz", "right.nii.gz", "--maps", "guide_influence") == 0
    known = sidecar(scans, "right.nii.gz")
    assert known["guide_use"]["in_plane"]["gain_db"] > 0.3
    assert known["guide_use"]["used"]
    assert known["model"]["name"] == "grdn_t2_x4"
    assert known["guide_use"]["in_plane"]["unguided"]["weights_sha256"]
    told = capsys.readouterr().err
    worth = known["guide_use"]["in_plane"]
    said = worth_text(worth["gain_db"], worth["spread_db"], worth["slices"])
    limit = f"the limit is {worth['needed_db']:+g} dB"
    assert f"guide, in-plane: {said}; {limit}; it is used" in told
    assert "It cannot tell right detail from wrong" in told
    assert (scans / "right_guide_influence.nii.gz").is_file()
    assert run(scans, "t1.nii.gz", "right.nii.gz") == 0
    assert "up to date" in capsys.readouterr().err


def test_the_t1_of_a_model_that_began_as_a_preset_is_put_to_the_test(
    scans: Path, tmp_path: Path
) -> None:
    GuidedSRModel.from_preset("grdn_t2_x4").save_preset(tmp_path / "mine")
    mine = str(tmp_path / "mine")
    assert run(scans, "moved.nii.gz", "mine.nii.gz", "--model", mine) == 0
    known = sidecar(scans, "mine.nii.gz")
    assert not known["guide_use"]["used"]
    assert known["model"]["name"] == "grdn_t2_x4_noguide"
    assert known["model"]["in_place_of"]["name"] == "mine"


def test_a_t1_that_does_not_fit_is_left_out_and_that_is_remembered(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scans, "moved.nii.gz", "wrong.nii.gz") == 0
    known = sidecar(scans, "wrong.nii.gz")
    assert known["guide_use"]["in_plane"]["gain_db"] < 0.0
    assert not known["guide_use"]["used"]
    assert known["model"]["name"] == "grdn_t2_x4_noguide"
    assert known["model"]["in_place_of"]["name"] == "grdn_t2_x4"
    assert known["qc"]["verdict"] == "LOOK"
    told = capsys.readouterr().err
    assert "grdn_t2_x4_noguide" in told  # the plan says what may take over
    assert HURTS in told
    assert "it is left out" in told
    listed = told.partition("quality: LOOK\n")[2].splitlines()
    reasons = known["qc"]["reasons"]
    assert [line.strip() for line in listed[: len(reasons)]] == reasons
    assert any(HURTS in one for one in reasons)
    misfit = known["qc"]["field_of_view_mm"]
    assert f"field of view kept, corners off by {misfit:g} mm" in told
    assert run(scans, "moved.nii.gz", "wrong.nii.gz") == 0
    assert "up to date" in capsys.readouterr().err
    assert run(scans, "moved.nii.gz", "wrong.nii.gz", "--guide-use", "never") == 73


def test_without_doubt_allowed_such_a_t1_is_refused(scans: Path) -> None:
    assert run(scans, "moved.nii.gz", "strict.nii.gz", "--strict") == 65
    assert not (scans / "strict.nii.gz").exists()


def test_never_asks_for_no_t1_and_plans_without(
    scans: Path, capsys: pytest.CaptureFixture[str], no_framework: None
) -> None:
    files = ["-i", str(scans / "t2.nii.gz"), "-o", str(scans / "never.nii.gz")]
    how = ["--guide-use", "never", "--dry-run"]
    assert main(["run", *files, *how, "--model", "grdn_t2_x4"]) == 0
    told = capsys.readouterr().err
    assert "grdn_t2_x4_noguide" in told
    assert "not used" in told


def test_an_unknown_map_is_refused(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scans, "t1.nii.gz", "map.nii.gz", "--maps", "doubt") == 64
    assert "there is no map 'doubt'" in capsys.readouterr().err
