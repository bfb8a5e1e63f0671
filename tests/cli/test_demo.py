from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli import demo
from guided_sr.cli.main import main


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SHAPE", (66, 72))
    monkeypatch.setattr(demo, "SLICES", 2)


def test_the_demo_leaves_images_a_picture_and_a_table(
    model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    arguments = ["demo", "-o", str(folder), "--model", str(model_dir)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    methods = [line.split("  ")[0] for line in shown.splitlines()[:5]]
    assert methods == ["method", "cubic", "cubic + IBP", "cubic + exact", "guided-sr"]
    made = {path.name for path in folder.iterdir()}
    assert made == {*demo._FILES.values(), "t2_sr.json"}
    truth, cubic, ours = (
        nib.load(folder / f"t2_{name}.nii.gz") for name in ("truth", "cubic", "sr")
    )
    assert truth.shape == cubic.shape == ours.shape == (66, 72, 2)
    np.testing.assert_allclose(truth.affine, ours.affine, atol=1e-5)
    np.testing.assert_allclose(truth.affine, cubic.affine, atol=1e-5)
    assert (folder / "panel.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_demo_needs_force_and_says_so_before_a_framework(
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "panel.png").write_bytes(b"mine")
    arguments = ["demo", "-o", str(tmp_path), "--model", str(model_dir)]
    assert main(arguments) == 73
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["panel.png"]


def test_a_scale_that_no_preset_serves_is_64(no_framework: None) -> None:
    assert main(["demo", "--scale", "17"]) == 64
