from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.volumes import corners, read_volume, sha256_of, write_volume
from guided_sr.volumes.locking import hidden_prefix


def test_the_result_has_the_field_of_view_of_the_t2_and_a_full_sidecar(
    pair: Any, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = pair.folder / "results" / "sr.nii.gz"
    arguments = pair.arguments(model_dir, "-o", str(out), "--precision", "float32")
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert "24x24 → 34x34 → 48x48" in captured.err
    assert "not a medical device" in captured.err
    assert "doi:10.1109/TETCI.2022.3215137" in captured.err
    low, high = nib.load(pair.t2), nib.load(out)
    assert high.shape == (48, 48, 3)
    np.testing.assert_allclose(
        corners(high.affine, high.shape), corners(low.affine, low.shape), atol=1e-4
    )
    note = json.loads(out.with_name("sr.json").read_text("utf-8"))
    block = note["GuidedSR"]
    assert note["IntendedUse"].startswith("Research use only")
    assert block["command"].startswith("guided-sr run -i ")
    assert block["inputs"]["t1"]["sha256"] == sha256_of(pair.t1)
    assert block["options"]["scale"] == [2.0, 2.0, 1.0]
    assert block["qc"]["consistency_after"] <= block["qc"]["consistency_before"]
    assert block["warnings"] == []


def test_the_result_is_that_of_the_python_api(
    pair: Any, model_dir: Path, trained: Any
) -> None:
    out = pair.folder / "sr.nii.gz"
    arguments = pair.arguments(model_dir, "-o", str(out), "--precision", "float32")
    assert main(arguments) == 0
    expected = trained.predict_cascade(str(pair.t2), str(pair.t1))
    np.testing.assert_allclose(read_volume(out).data, expected.data, rtol=1e-5)


def test_the_same_command_again_is_up_to_date_without_a_framework(
    pair: Any,
    model_dir: Path,
    listing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = pair.arguments(model_dir)
    assert main(arguments) == 0
    before = listing(pair.folder)
    monkeypatch.setattr("guided_sr.cli.framework.load_framework", None)
    capsys.readouterr()
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "up to date" in captured.err
    assert captured.out.strip().endswith("t2_desc-guidedsr_T2w.nii.gz")
    assert main([*arguments, "--back-projection", "none"]) == 73
    assert "--force" in capsys.readouterr().err
    assert listing(pair.folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="no remnant is known there")
def test_what_a_killed_process_left_beside_a_whole_result_goes(
    pair: Any, model_dir: Path, listing: Any
) -> None:
    """It had linked its files to their names, and was killed before it cleaned up."""
    arguments = pair.arguments(model_dir)
    assert main(arguments) == 0
    before = listing(pair.folder)
    (image,) = pair.folder.rglob("*_desc-guidedsr_T2w.nii.gz")
    for made in (image, image.with_name(image.name.replace(".nii.gz", ".json"))):
        os.link(made, made.with_name(f"{hidden_prefix(made)}killed{made.suffix}"))
    assert main([*arguments, "--dry-run"]) == 0
    assert len(list(pair.folder.rglob(".guided-sr-*"))) == 2
    assert main(arguments) == 0
    assert listing(pair.folder) == before


def test_force_replaces_a_result(pair: Any, model_dir: Path) -> None:
    out = pair.folder / "sr.nii"
    arguments = pair.arguments(model_dir, "-o", str(out))
    assert main(arguments) == 0
    first = out.read_bytes()
    changed = [*arguments, "--back-projection", "none", "--force", "-q"]
    assert main(changed) == 0
    assert out.read_bytes() != first


def test_a_changed_input_is_not_up_to_date(pair: Any, model_dir: Path) -> None:
    out = pair.folder / "sr.nii"
    arguments = pair.arguments(model_dir, "-o", str(out))
    assert main(arguments) == 0
    volume = read_volume(pair.t1, name="T1")
    write_volume(pair.t1, volume.data + 1, volume.affine, force=True)
    assert main(arguments) == 73


def test_a_sidecar_left_by_a_kill_does_not_block_the_next_run(
    pair: Any, model_dir: Path
) -> None:
    out = pair.folder / "sr.nii"
    arguments = pair.arguments(model_dir, "-o", str(out))
    assert main(arguments) == 0
    out.unlink()
    assert main(arguments) == 0
    assert out.exists()


def test_a_foreign_json_file_is_never_replaced(
    pair: Any, model_dir: Path, no_framework: None
) -> None:
    (pair.folder / "sr.json").write_text('{"mine": 1}', "utf-8")
    out = str(pair.folder / "sr.nii")
    assert main(pair.arguments(model_dir, "-o", out)) == 73


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    pair: Any,
    model_dir: Path,
    no_framework: None,
    listing: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = listing(pair.folder)
    out = pair.folder / "not" / "yet" / "sr.nii.gz"
    assert main(pair.arguments(model_dir, "-o", str(out), "--dry-run")) == 0
    shown = capsys.readouterr().err
    assert "48 x 48 x 3 voxels of 4 x 4 x 4 mm" in shown
    assert "covers 100 % of the T2" in shown
    assert listing(pair.folder) == before
    assert not (pair.folder / "not").exists()


@pytest.mark.parametrize("given", ["results", "results/"])
def test_the_output_may_be_a_folder(
    given: str, pair: Any, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pair.folder)
    if given == "results":
        Path("results").mkdir()
    assert main(pair.arguments(model_dir, "-o", given, "-q")) == 0
    assert Path("results/t2_desc-guidedsr_T2w.nii.gz").is_file()


def test_quiet_prints_the_path_alone(
    pair: Any, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(pair.arguments(model_dir, "-q")) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.count("\n") == 1


def test_a_partial_overlap_is_a_warning_in_both_places(
    pair: Any, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    t1 = read_volume(pair.t1, name="T1")
    half = pair.folder / "half.nii.gz"
    write_volume(half, t1.data[:24], t1.affine)
    out = pair.folder / "sr.nii.gz"
    files = ["run", "-i", str(pair.t2), "-g", str(half), "-o", str(out)]
    assert main([*files, "--model", str(model_dir)]) == 0
    warned = [
        line for line in capsys.readouterr().err.splitlines() if "WARNING" in line
    ]
    assert len(warned) == 1
    assert "covers 50 %" in warned[0]
    block = json.loads(out.with_name("sr.json").read_text("utf-8"))["GuidedSR"]
    assert block["guide_overlap"] == pytest.approx(0.5, abs=0.02)
    assert len(block["warnings"]) == 1
    assert "covers 50 %" in block["warnings"][0]


def _truncate(pair: Any, _: Path) -> dict[str, str]:
    content = pair.t2.read_bytes()
    pair.t2.write_bytes(content[: len(content) // 2])
    return {}


def _not_an_image(pair: Any, _: Path) -> dict[str, str]:
    pair.t1.write_text("<html>404</html>", "utf-8")
    return {}


def _far_away(pair: Any, _: Path) -> dict[str, str]:
    t1 = read_volume(pair.t1, name="T1")
    affine = t1.affine.copy()
    affine[0, 3] += 1000
    write_volume(pair.t1, t1.data, affine, force=True)
    return {}


def _constant(pair: Any, _: Path) -> dict[str, str]:
    t1 = read_volume(pair.t1, name="T1")
    write_volume(pair.t1, np.full_like(t1.data, 7), t1.affine, force=True)
    return {}


def _damaged_weights(pair: Any, model: Path) -> dict[str, str]:
    copy = pair.folder / "model"
    shutil.copytree(model, copy)
    with (copy / "stage_2.weights.h5").open("r+b") as stream:
        stream.seek(2000)
        stream.write(b"\0\1\2\3")
    return {"--model": str(copy)}


def _exists(pair: Any, _: Path) -> dict[str, str]:
    (pair.folder / "old.nii.gz").write_bytes(b"precious")
    return {"-o": str(pair.folder / "old.nii.gz")}


def _folder_is_a_file(pair: Any, _: Path) -> dict[str, str]:
    return {"-o": str(pair.t1 / "sr.nii.gz")}


def _link_to_the_input(pair: Any, _: Path) -> dict[str, str]:
    link = pair.folder / "link.nii.gz"
    link.symlink_to(pair.t2)
    return {"-o": str(link)}


@pytest.mark.parametrize(
    ("change", "code", "tag"),
    [
        ({"-i": "nowhere.nii.gz"}, 66, "E-INPUT"),
        ({"-g": "nowhere.nii.gz"}, 66, "E-INPUT"),
        ({"-g": None}, 64, "E-USAGE"),
        ({"-g": "T2"}, 64, "E-USAGE"),
        ({"-o": "T1"}, 64, "E-USAGE"),
        ({"-o": "sr.png"}, 64, "E-USAGE"),
        ({"--scale": "3"}, 64, "E-SCALE"),
        ({"--scale": "-2"}, 64, "E-USAGE"),
        ({"--scale": "nan"}, 64, "E-USAGE"),
        ({"--model": "grdn_t9"}, 64, "E-PRESET"),
        ({"--scale": "0.5x2x2"}, 64, "E-USAGE"),
        ({"--scale": "2x2"}, 64, "E-USAGE"),
        ({"--axes": "slice"}, 64, "E-USAGE"),
        ({"--target-voxel": "-1"}, 64, "E-USAGE"),
        ({"--slice-gap": "1"}, 64, "E-USAGE"),
        (_truncate, 65, "E-DATA"),
        (_not_an_image, 65, "E-DATA"),
        (_constant, 65, "E-DATA"),
        (_far_away, 65, "E-GEOM"),
        (_damaged_weights, 65, "E-WEIGHTS"),
        (_exists, 73, "E-OUTPUT"),
        (_folder_is_a_file, 73, "E-OUTPUT"),
        (_link_to_the_input, 64, "E-USAGE"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_cannot_work_is_refused_before_a_framework_is_loaded(
    change: Any,
    code: int,
    tag: str,
    pair: Any,
    model_dir: Path,
    no_framework: None,
    listing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(pair.folder)
    options: dict[str, str | None] = {
        "-i": str(pair.t2),
        "-g": str(pair.t1),
        "-o": "sr.nii.gz",
        "--model": str(model_dir),
    }
    options |= change(pair, model_dir) if callable(change) else change
    names = {"T2": str(pair.t2), "T1": str(pair.t1)}
    given = [
        part
        for option, value in options.items()
        if value is not None
        for part in (option, names.get(value, value))
    ]
    before = listing(pair.folder)
    assert main(["run", *given]) == code
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert last.startswith(f"ERROR [{tag}] ")
    assert "Mend: " in last
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert listing(pair.folder) == before


def test_a_folder_that_may_not_be_written_is_73(
    pair: Any, model_dir: Path, no_framework: None
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    pair.folder.chmod(0o500)
    try:
        assert main(pair.arguments(model_dir)) == 73
    finally:
        pair.folder.chmod(0o700)


@pytest.fixture
def for_other_images(model_dir: Path, tmp_path: Path) -> Path:
    """A model whose card is for T2s of 1.6 to 2.5 mm; the pair's has 8 mm."""
    folder = tmp_path / "ranged"
    shutil.copytree(model_dir, folder)
    usage = {"range": {"t2_mm": [1.6, 2.5], "factors": [1.8, 2.2]}}
    (folder / "metadata.json").write_text(json.dumps(usage), encoding="utf-8")
    return folder


def test_an_image_outside_the_card_is_warned_of_with_the_range(
    pair: Any, for_other_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = pair.folder / "sr.nii.gz"
    assert main(pair.arguments(for_other_images, "-o", str(out))) == 0
    words = "voxels of 8 mm along the enlarged axes; the model is for 1.6 to 2.5"
    told = [line for line in capsys.readouterr().err.splitlines() if words in line]
    noticed, listed = told  # before the work, and among the reasons of the verdict
    assert noticed == f"WARNING {listed.strip()}"
    note = json.loads(out.with_name("sr.json").read_text("utf-8"))
    [told] = note["GuidedSR"]["warnings"]
    assert words in told


def test_strict_refuses_an_image_outside_the_card(
    pair: Any,
    for_other_images: Path,
    model_dir: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = pair.folder / "sr.nii.gz"
    assert main(pair.arguments(for_other_images, "-o", str(out), "--strict")) == 65
    shown = capsys.readouterr().err
    assert "ERROR [E-DATA] the T2 has voxels of 8 mm" in shown
    assert str(pair.t2) in shown
    dry = ["-o", str(out), "--strict", "--dry-run"]
    assert main(pair.arguments(model_dir, *dry)) == 0  # a card without a range


def test_a_device_that_is_not_there_is_64(
    pair: Any, model_dir: Path, listing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(pair.folder)
    assert main(pair.arguments(model_dir, "--device", "gpu:99")) == 64
    assert "there is no device 'gpu:99'" in capsys.readouterr().err
    assert listing(pair.folder) == before


def test_too_little_memory_is_75_with_a_figure(
    pair: Any,
    model_dir: Path,
    no_framework: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("guided_sr.volumes.memory.available_memory", lambda: 1e-6)
    assert main(pair.arguments(model_dir)) == 75
    assert "GiB" in capsys.readouterr().err


def test_the_default_model_is_the_preset_of_the_scale(
    pair: Any, model_dir: Path, no_framework: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = {
        "grdn_t2_x2": {"scale": [2, 2]},
        "grdn_t2_light_x2": {"scale": [2, 2]},
        "grdn_t2_x4": {"scale": [4, 4]},
    }
    asked = []

    def locate(name: str, **_: bool) -> Path:
        asked.append(name)
        return model_dir

    monkeypatch.setattr("guided_sr.cli.choose.list_presets", lambda: sorted(presets))
    monkeypatch.setattr("guided_sr.cli.choose.describe_preset", presets.get)
    monkeypatch.setattr("guided_sr.cli.choose.locate_preset", locate)
    monkeypatch.setattr("guided_sr.cli.choose.verify_preset", locate)
    files = ["run", "-i", str(pair.t2), "-g", str(pair.t1), "--dry-run"]
    assert main([*files, "--scale", "2"]) == 0
    assert set(asked) == {"grdn_t2_x2"}


def test_a_preset_that_is_not_here_is_downloaded_once_and_used(
    pair: Any,
    model_dir: Path,
    publish_preset: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = publish_preset(model_dir)
    result = tmp_path / "sr.nii.gz"
    files = ["run", "-i", str(pair.t2), "-g", str(pair.t1), "-o", str(result)]
    assert main([*files, "--scale", "2"]) == 0
    assert "downloading tiny_x2" in capsys.readouterr().err
    asked = len(server.requests)
    assert asked == len(server.entry["files"])
    assert main([*files, "--model", "tiny_x2", "--force"]) == 0
    assert len(server.requests) == asked


def test_a_preset_that_cannot_be_downloaded_leaves_no_output(
    pair: Any,
    model_dir: Path,
    no_framework: None,
    publish_preset: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = publish_preset(model_dir)
    server.entry["urls"] = [server.url("page")]
    result = tmp_path / "sr.nii.gz"
    files = ["run", "-i", str(pair.t2), "-g", str(pair.t1), "-o", str(result)]
    assert main([*files, "--scale", "2", "--quiet"]) == 74
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR [E-IO] ")
    assert "a web page came" in line
    assert not result.exists()


def test_an_unknown_scale_lists_the_known_ones(
    pair: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"scale": [4, 4]}
    monkeypatch.setattr("guided_sr.cli.choose.list_presets", lambda: ["grdn_t2_x4"])
    monkeypatch.setattr("guided_sr.cli.choose.describe_preset", lambda _: entry)
    files = ["run", "-i", str(pair.t2), "-g", str(pair.t1)]
    assert main([*files, "--scale", "3"]) == 64
    assert "known are 4 (grdn_t2_x4)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_user_sees_no_line_of_the_framework(pair: Any, model_dir: Path) -> None:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    run = subprocess.run(
        [sys.executable, "-m", "guided_sr", *pair.arguments(model_dir)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{pair.folder / 't2_desc-guidedsr_T2w.nii.gz'}\n"
    ours = ("plan", "  ", "registration: ", "loading Keras", "slices: ", "field of")
    ours += ("quality: ", "Research use")
    foreign = [line for line in run.stderr.splitlines() if not line.startswith(ours)]
    assert foreign == []


@pytest.mark.real_data
def test_a_real_oblique_scan_keeps_its_field_of_view(
    open_ms: Path, model_dir: Path, tmp_path: Path
) -> None:
    folder = open_ms / "long_patient01_study1"
    part = nib.load(folder / "t2.nii.gz").slicer[100:240, 120:280, 16:19]
    low = tmp_path / "t2.nii.gz"
    nib.save(part, low)
    out = tmp_path / "sr.nii.gz"
    files = ["-i", str(low), "-g", str(folder / "t1.nii.gz"), "-o", str(out)]
    assert main(["run", *files, "--model", str(model_dir)]) == 0
    result = nib.load(out)
    assert result.shape == (280, 320, 3)
    np.testing.assert_allclose(
        corners(result.affine, result.shape),
        corners(part.affine, part.shape),
        atol=1e-4,
    )
