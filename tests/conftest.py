from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest


@dataclass(frozen=True)
class NiftiPair:
    t2: Path
    t1: Path
    t2_data: np.ndarray
    t1_data: np.ndarray


@pytest.fixture(scope="session")
def open_ms() -> Path:
    """The folder of real MS patients; tests that need it are skipped without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GUIDED_SR_TEST_DATA", default)) / "open_ms"
    if not folder.is_dir():
        pytest.skip("no open_ms folder: set GUIDED_SR_TEST_DATA to its parent")
    return folder


@pytest.fixture
def nifti_pair(tmp_path: Path) -> NiftiPair:
    """A thick-slice T2 (16 x 14 x 4, 1 x 1 x 4 mm) and a T1 (16 x 14 x 16, 1 mm)
    with the same field of view and one smooth content, int16 and float32."""
    folder = tmp_path / "pair"
    folder.mkdir()
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 14, 16)), indexing="ij")
    head = np.exp(-2 * (x**2 + y**2 + z**2))
    t1 = (400 * head + 20 * np.sin(7 * x) * head).astype(np.float32)
    t2 = (900 * head.reshape(16, 14, 4, 4).mean(axis=3)).astype(np.int16)
    t1_affine = np.diag([1.0, 1.0, 1.0, 1.0])
    t1_affine[:3, 3] = (-8.0, -7.0, -8.0)
    t2_affine = t1_affine @ np.diag([1.0, 1.0, 4.0, 1.0])
    t2_affine[2, 3] = -8.0 + 1.5
    pair = NiftiPair(folder / "T2.nii.gz", folder / "T1.nii.gz", t2, t1)
    for path, data, affine in (
        (pair.t2, t2, t2_affine),
        (pair.t1, t1, t1_affine),
    ):
        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
    return pair
