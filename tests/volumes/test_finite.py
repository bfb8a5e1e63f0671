from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import DataError, GuidedSRWarning
from guided_sr.volumes.finite import make_finite
from guided_sr.volumes.nifti import Volume, read_volume


def ramp(shape=(20, 20, 20)):
    return np.broadcast_to(
        np.arange(shape[0], dtype=np.float32)[:, None, None], shape
    ).copy()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_few_bad_voxels_take_their_neighbours_values(tmp_path, bad):
    data = ramp()
    data[10, 5, 5] = bad
    data[0, 0, 0] = bad
    path = tmp_path / "t2.nii.gz"
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    with pytest.warns(GuidedSRWarning, match=r"2 voxels of the T1.*t2\.nii\.gz"):
        volume = read_volume(path, name="T1")
    assert volume.filled == 2
    assert volume.data[10, 5, 5] == pytest.approx(10)
    assert 0 < volume.data[0, 0, 0] < 1
    assert np.isfinite(volume.data).all()


def test_a_hole_is_filled_from_its_rim_inwards():
    data = ramp((40, 40, 40))
    data[15:19, 10:14, 10:14] = np.nan
    with pytest.warns(GuidedSRWarning, match="64 voxels"):
        filled, count = make_finite(data, "T2", None)
    assert count == 64
    np.testing.assert_allclose(filled, ramp((40, 40, 40)), atol=2)
    assert np.isnan(data[16, 11, 11])


def test_a_hole_in_a_single_slice_is_filled():
    data = ramp((50, 50, 1))
    data[3, 3, 0] = np.nan
    with pytest.warns(GuidedSRWarning):
        filled, _ = make_finite(data, "T2", None)
    assert filled[3, 3, 0] == pytest.approx(3)


def test_many_bad_voxels_are_refused(tmp_path):
    data = ramp()
    data[0, 0, :9] = np.nan
    path = tmp_path / "t2.nii.gz"
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    with pytest.raises(DataError, match=r"0.113 % .*t2\.nii\.gz.*Mend"):
        read_volume(path)


def test_values_beyond_float32_count_as_bad(tmp_path):
    data = ramp().astype(np.float64)
    data[5, 5, 5] = 1e300
    path = tmp_path / "t2.nii.gz"
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    with pytest.warns(GuidedSRWarning, match="1 voxels"):
        assert read_volume(path).filled == 1


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_is_refused(tmp_path, value):
    path = tmp_path / "t1.nii.gz"
    data = np.full((4, 4, 4), value, np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    with pytest.raises(DataError, match=rf"T1 is constant \(value {value}\).*Mend"):
        read_volume(path, name="T1")


def test_finite_data_are_not_copied():
    data = ramp()
    assert make_finite(data, "T2", None)[0] is data
    volume = Volume(data, np.eye(4))
    assert read_volume(volume) is volume
