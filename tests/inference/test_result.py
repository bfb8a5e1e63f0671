from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import CannotCreateError, UsageError
from guided_sr.inference.result import Result
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.volumes import read_volume, target_affine


@pytest.fixture
def result(nifti_pair, rng):
    source = read_volume(nifti_pair.t2)
    shape = (32, 28, 4)
    return Result(
        rng.random(shape, dtype=np.float32),
        target_affine(source.affine, source.data.shape, shape),
        CascadePlan.create((16, 14), scale=2),
        ("something was noticed",),
        {"inputs": {"t2": {"path": str(nifti_pair.t2), "sha256": source.sha256}}},
        source,
    )


def test_the_image_is_float32_with_both_forms_of_the_source(result):
    assert result.image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(result.image.get_fdata(), result.data)
    np.testing.assert_allclose(result.image.affine, result.affine, atol=1e-5)
    assert int(result.image.header["qform_code"]) == 1
    assert int(result.image.header["sform_code"]) == 1


def test_it_is_saved_with_its_sidecar(result, tmp_path):
    path = result.save(tmp_path / "out" / "sr.nii.gz")
    np.testing.assert_array_equal(nib.load(path).get_fdata(), result.data)
    sidecar = json.loads((path.parent / "sr.json").read_text())
    assert sidecar["GuidedSR"]["warnings"] == ["something was noticed"]
    assert sidecar["GuidedSR"]["inputs"]["t2"]["sha256"] == result.source.sha256
    assert "not a medical device" in sidecar["IntendedUse"]


def test_what_is_there_is_replaced_by_force_only(result, tmp_path):
    path = result.save(tmp_path / "sr.nii.gz")
    with pytest.raises(CannotCreateError):
        result.save(path)
    result.save(path, force=True)


def test_an_input_is_never_overwritten(result, nifti_pair):
    before = nifti_pair.t2.read_bytes()
    with pytest.raises(UsageError):
        result.save(nifti_pair.t2, force=True)
    assert nifti_pair.t2.read_bytes() == before
