"""Real oblique thick slices, the T1 on another grid, through the slice axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main
from guided_sr.volumes import corners, voxel_sizes

pytestmark = pytest.mark.real_data


def test_thick_slices_become_thin_with_no_flag_but_the_model(
    open_ms: Path, random_model: Any, tmp_path: Path
) -> None:
    model = random_model((4.0, 1.0), scale_range=(2.0, 6.0))
    folder = model.save_preset(tmp_path / "slices")
    scans = open_ms / "long_patient01_study1"
    part = nib.load(scans / "t2.nii.gz").slicer[150:230, 180:270]
    nib.save(part, tmp_path / "t2.nii.gz")
    out = tmp_path / "sr.nii.gz"
    files = ["-i", str(tmp_path / "t2.nii.gz"), "-g", str(scans / "t1.nii.gz")]
    assert main(["run", *files, "-o", str(out), "--model", str(folder)]) == 0

    result = nib.load(out)
    assert result.shape == (80, 90, 144)
    assert voxel_sizes(result.affine).max() <= 1.2
    gap = corners(result.affine, result.shape) - corners(part.affine, part.shape)
    assert np.abs(gap).max() < 1e-4
    assert nib.aff2axcodes(result.affine) == nib.aff2axcodes(part.affine)
    record = json.loads((tmp_path / "sr.json").read_text("utf-8"))["GuidedSR"]
    assert any("guidance limited" in warning for warning in record["warnings"])
    assert record["qc"]["consistency_after"] < record["qc"]["consistency_before"]
