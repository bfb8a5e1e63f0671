from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.datasets.phantom import head_phantom
from guided_sr.physics.degrade import degrade
from guided_sr.volumes import corners, read_volume, write_volume


@pytest.fixture
def sharp(tmp_path: Path) -> Path:
    """A phantom of 50 x 47 x 2 voxels, a multiple of nothing."""
    head = head_phantom((50, 47), 2, seed=3, voxel_mm=4.0)
    data = np.moveaxis(head.t2, 0, -1)
    return write_volume(tmp_path / "sub-01_T2w.nii.gz", data, head.affine)


def test_the_coarse_image_covers_the_cropped_field_of_view(
    sharp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lr.nii.gz"
    assert main(["degrade", "-i", str(sharp), "-o", str(out), "--scale", "4"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    high, low = read_volume(sharp), read_volume(out)
    assert low.data.shape == (12, 11, 2)
    start = np.eye(4)
    start[:3, 3] = (1, 1, 0)
    np.testing.assert_allclose(
        corners(low.affine, low.data.shape),
        corners(high.affine @ start, (48, 44, 2)),
        atol=1e-4,
    )
    expected = degrade(np.moveaxis(high.data, -1, 0)[:, 1:49, 1:45], 4)
    np.testing.assert_allclose(np.moveaxis(low.data, -1, 0), expected, rtol=1e-5)
    note = json.loads((tmp_path / "lr.json").read_text("utf-8"))["GuidedSR"]
    assert note["degradation"]["cropped_start"] == [1, 1, 0]
    assert note["inputs"]["t2"]["sha256"] == high.sha256


def test_noise_is_the_same_for_the_same_seed(sharp: Path, tmp_path: Path) -> None:
    images = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = str(tmp_path / f"{name}.nii")
        command = ["degrade", "-i", str(sharp), "-o", out, "--scale", "2"]
        assert main([*command, "--noise", "5", "--seed", seed, "-q"]) == 0
        images.append(read_volume(out).data)
    np.testing.assert_array_equal(images[0], images[1])
    assert np.std(images[0] - images[2]) == pytest.approx(5 * 2**0.5, rel=0.1)


def test_a_folder_gets_a_telling_name(sharp: Path, tmp_path: Path) -> None:
    out = f"{tmp_path / 'new'}/"
    assert main(["degrade", "-i", str(sharp), "-o", out, "--scale", "2"]) == 0
    assert (tmp_path / "new" / "sub-01_desc-lowres_T2w.nii.gz").is_file()


def test_slices_that_will_be_mistaken_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "sagittal.nii.gz"
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    data = np.random.default_rng(0).random((4, 32, 32), np.float32)
    write_volume(source, data, affine)
    out = str(tmp_path / "lr.nii.gz")
    assert main(["degrade", "-i", str(source), "-o", out, "--scale", "4"]) == 0
    assert "WARNING" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"-i": "nowhere.nii"}, 66),
        ({"--scale": "1"}, 64),
        ({"--scale": "0"}, 64),
        ({"--scale": "99"}, 64),
        ({"--noise": "-1"}, 64),
        ({"--noise": "nan"}, 64),
        ({"--seed": "-1"}, 64),
        ({"-o": "lr.txt"}, 64),
    ],
)
def test_what_cannot_work_is_refused(
    change: dict[str, str],
    code: int,
    sharp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(sharp.parent)
    options = {"-i": str(sharp), "-o": "lr.nii", "--scale": "2"} | change
    given = [part for item in options.items() for part in item]
    assert main(["degrade", *given]) == code
    assert capsys.readouterr().err.startswith("ERROR [E-")
    assert [path.name for path in sharp.parent.iterdir()] == [sharp.name]


def test_an_existing_image_needs_force(sharp: Path, tmp_path: Path) -> None:
    command = ["degrade", "-i", str(sharp), "-o", str(tmp_path / "lr.nii")]
    command += ["--scale", "2", "-q"]
    assert [main(command), main(command), main([*command, "--force"])] == [0, 73, 0]
