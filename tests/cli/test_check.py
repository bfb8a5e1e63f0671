from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.volumes import Volume, voxel_sizes, write_volume


@pytest.fixture(scope="session")
def slice_dir(random_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved slice model that serves 2 to 6 along the slice axis."""
    model = random_model((4.0, 1.0), scale_range=(2.0, 6.0))
    return model.save_preset(tmp_path_factory.mktemp("models") / "tiny_slice")


@pytest.fixture
def thick_files(thick: dict[str, Volume], tmp_path: Path) -> list[str]:
    paths = []
    for key, option in (("t2", "-i"), ("t1", "-g")):
        path = tmp_path / f"{key}.nii.gz"
        write_volume(path, thick[key].data, thick[key].affine)
        paths += [option, str(path)]
    return paths


def test_check_tells_grids_axes_models_and_cost(
    thick_files: list[str],
    slice_dir: Path,
    no_framework: None,
    listing: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = listing(tmp_path)
    monkeypatch.setattr("guided_sr.machine.cpu_has_bfloat16", lambda: True)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert main(["check", *thick_files, "--model", str(slice_dir)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "24 x 28 x 8 voxels of 1 x 1 x 4 mm",
        "24 x 28 x 32 voxels of 1 x 1 x 1 mm",
        "1 x 1 x 4: voxels over 1.2 mm go to 1 mm; the slices lie across axis 3",
        "planes both ways, scale 4, ",
        ", then 32 slices",
        "tiny_slice (sha256 ",
        "covers 100 % of the T2",
        "auto: a slab too thin to measure; the T1 lies where its header says",
        "GiB",
        "on two idle cores in bfloat16",
        "auto, precision auto: bfloat16 convolutions",
        "gaussian, gap 0 %",
    ):
        assert part in shown
    assert listing(tmp_path) == before


def test_check_prints_json(
    thick_files: list[str], slice_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--model", str(slice_dir), "--scale", "1x1x3", "--json"]
    assert main(["check", *thick_files, *more]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["plan"]["target_shape"] == [24, 28, 24]
    assert plan["models"] == ["tiny_slice"]
    assert plan["memory_gib"] > 1
    assert plan["precision"] == "auto"
    assert "convolutions" in plan
    assert plan["warnings"] == []


def test_a_factor_out_of_the_range_names_the_range(
    thick_files: list[str],
    slice_dir: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = ["--model", str(slice_dir), "--scale", "8"]
    assert main(["check", *thick_files, *more]) == 64
    told = capsys.readouterr().err
    assert "not trained for scale 8; it knows 2 to 6 along the slice axis" in told
    assert f"the model {slice_dir} was not" in told


def test_a_scale_without_preset_is_said_as_it_was_given(
    thick_files: list[str], no_framework: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *thick_files, "--scale", "9"]) == 64
    told = capsys.readouterr().err
    assert "no preset was trained for scale 9 along the slice axis" in told
    assert "known are 1.2 to 6 along the slice axis (grdn_t2_slice" in told
    assert "Mend: give a factor that is served with --scale, or the voxels" in told
    assert "--target-voxel" in told


def test_a_t1_in_the_place_of_the_t2_is_said_to_be(
    nifti_pair: Any, no_framework: None, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, coarse = str(nifti_pair.t1), str(nifti_pair.t2)
    assert main(["check", "-i", fine, "-g", coarse]) == 64
    told = capsys.readouterr().err
    assert "nothing to enlarge: the T2 has voxels of 1 x 1 x 1 mm" in told
    assert (
        "the T1 is the coarser one, with 1 x 1 x 4 mm: T1 and T2 look swapped" in told
    )
    assert f"swapped: {fine}, {coarse}. Mend: give the coarse T2 with -i" in told
    assert main(["check", "-i", fine, "-g", fine]) == 64
    told = capsys.readouterr().err
    assert "swapped" not in told
    assert f"mm: {fine}. Mend: " in told


def test_voxels_finer_than_anything_useful_are_the_first_warning(
    thick_files: list[str],
    model_dir: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finer = ["--model", str(model_dir)]
    assert main(["check", *thick_files, *finer]) == 0
    assert "finer than anything useful" not in capsys.readouterr().err  # 0.5 mm
    for path in thick_files[1::2]:
        image = nib.load(path)
        thin = np.diag([0.4, 0.4, voxel_sizes(image.affine)[2], 1.0])
        write_volume(path, image.get_fdata(), thin, force=True)
    assert main(["check", *thick_files, *finer]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert "voxels of 0.2 mm in-plane, finer than anything useful" in first
    assert "the T2 has 0.4 mm, the T1 0.4 mm there" in first
    assert "enlarge the slices, of 4 mm, instead: --axes slice" in first


@pytest.mark.parametrize("slices_mm", [1.25, 1.5, 2.0, 3.3, 6.0])
def test_slices_of_any_usual_thickness_have_a_packaged_preset(
    slices_mm: float,
    thick: dict[str, Volume],
    no_framework: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    t2 = thick["t2"]
    affine = t2.affine @ np.diag([1.0, 1.0, slices_mm / 4.0, 1.0])
    write_volume(tmp_path / "t2.nii.gz", t2.data, affine)
    write_volume(tmp_path / "t1.nii.gz", thick["t1"].data, thick["t1"].affine)
    pair = ["-i", str(tmp_path / "t2.nii.gz"), "-g", str(tmp_path / "t1.nii.gz")]
    assert main(["check", *pair, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["models"] == ["grdn_t2_slice"]
    words = "the model is for 2 to 6 (grdn_t2_slice)"
    beyond = [line for line in told["warnings"] if words in line]
    assert bool(beyond) is (slices_mm < 2.0)


def test_presets_are_chosen_for_both_groups(
    thick_files: list[str],
    slice_dir: Path,
    model_dir: Path,
    no_framework: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    presets = {
        "grdn_t2_light_x2": {"scale": [2, 2], "guided": True},
        "grdn_t2_slice": {"scale": [4, 1], "scale_range": [2, 6], "guided": True},
        "grdn_t2_slice_noguide": {"scale": [4, 1], "scale_range": [2, 6]},
        "grdn_t2_x2": {"scale": [2, 2], "guided": True},
    }
    presets["grdn_t2_slice_noguide"]["guided"] = False
    asked = []

    def locate(name: str, *, quiet: bool) -> Path:
        asked.append(name)
        return slice_dir if "slice" in name else model_dir

    monkeypatch.setattr("guided_sr.cli.choose.list_presets", lambda: sorted(presets))
    monkeypatch.setattr("guided_sr.cli.choose.describe_preset", presets.get)
    monkeypatch.setattr("guided_sr.cli.choose.locate_preset", locate)
    monkeypatch.setattr("guided_sr.cli.choose.verify_preset", lambda _: None)
    assert main(["check", *thick_files, "--scale", "2x2x4"]) == 0
    assert set(asked) == {"grdn_t2_x2", "grdn_t2_slice"}
    asked.clear()
    assert main(["check", *thick_files[:2]]) == 64  # the stand-in is guided
    assert asked == ["grdn_t2_slice_noguide"]
    monkeypatch.delitem(presets, "grdn_t2_x2")
    monkeypatch.delitem(presets, "grdn_t2_light_x2")
    capsys.readouterr()
    assert main(["check", *thick_files, "--scale", "2x2x4"]) == 64
    assert (
        "known are 2 to 6 along the slice axis (grdn_t2_slice, "
        in capsys.readouterr().err
    )


def test_run_thins_slices_in_the_orientation_of_the_file(
    thick: dict[str, Volume], slice_dir: Path, tmp_path: Path
) -> None:
    """A sagittal copy: axes permuted, one reversed."""
    for key in ("t2", "t1"):
        image = nib.Nifti1Image(thick[key].data, thick[key].affine)
        turned = image.as_reoriented(np.array([[1, 1], [2, -1], [0, 1]]))
        write_volume(tmp_path / f"{key}.nii", turned.get_fdata(), turned.affine)
    out = tmp_path / "sr.nii"
    files = ["-i", str(tmp_path / "t2.nii"), "-g", str(tmp_path / "t1.nii")]
    command = ["run", *files, "-o", str(out), "--model", str(slice_dir), "-q"]
    assert main(command) == 0
    low, high = nib.load(tmp_path / "t2.nii"), nib.load(out)
    assert low.shape == (8, 24, 28)
    assert high.shape == (32, 24, 28)
    assert nib.aff2axcodes(high.affine) == nib.aff2axcodes(low.affine)
    block = json.loads((tmp_path / "sr.json").read_text("utf-8"))["GuidedSR"]
    assert block["plan"]["slice_axis"] == 0
    assert block["qc"]["consistency_after"] < block["qc"]["consistency_before"]
    assert main(command) == 0  # up to date


def test_check_imports_no_framework(thick_files: list[str], slice_dir: Path) -> None:
    arguments = ["check", *thick_files, "--model", str(slice_dir)]
    code = (
        "import sys; from guided_sr.cli.main import main\n"
        f"code = main({arguments!r})\n"
        "print(code, [m for m in ('keras', 'tensorflow', 'jax') if m in sys.modules])"
    )
    root = str(Path(__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert run.stdout.splitlines()[-1] == "0 []"
