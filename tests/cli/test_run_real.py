"""A real thick-slice pair, the T1 on another grid, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.presets import list_presets
from guided_sr.volumes import corners

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not list_presets(), reason="no preset has been packaged"),
]


def test_a_real_pair_keeps_its_field_of_view(open_ms: Path, tmp_path: Path) -> None:
    folder = open_ms / "long_patient01_study1"
    whole = nib.load(folder / "t2.nii.gz")
    part = whole.slicer[:, :, 16:20]
    nib.save(part, tmp_path / "t2.nii.gz")
    out = tmp_path / "t2_sr.nii.gz"
    files = ["-i", str(tmp_path / "t2.nii.gz"), "-g", str(folder / "t1.nii.gz")]
    command = ["run", *files, "-o", str(out), "--scale", "2", "--axes", "in-plane"]
    assert main(command) == 0

    result = nib.load(out)
    assert result.shape == (812, 896, 4)
    assert result.get_data_dtype() == np.float32
    gap = corners(result.affine, result.shape) - corners(part.affine, part.shape)
    assert np.abs(gap).max() < 1e-4
    assert result.header["qform_code"] > 0
    assert result.header["sform_code"] > 0
    voxels = result.get_fdata(dtype=np.float32)
    before = part.get_fdata(dtype=np.float32)
    assert voxels.min() >= 0.0
    assert abs(voxels.mean() - before.mean()) < 0.01 * before.mean()
    record = json.loads((tmp_path / "t2_sr.json").read_text("utf-8"))
    assert "Research use only" in record["IntendedUse"]
    assert record["GuidedSR"]["plan"]["in_plane"]["level_shapes"][-1] == [812, 896]

    before_run = out.stat().st_mtime_ns
    assert main(command) == 0  # up to date
    assert out.stat().st_mtime_ns == before_run
