from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from guided_sr.errors import (
    DataError,
    GeometryError,
    TryAgainError,
    UsageError,
)
from guided_sr.volumes import nifti
from guided_sr.volumes.geometry import corners
from guided_sr.volumes.nifti import Volume, read_volume
from guided_sr.volumes.peek import read_grid

DATA = np.random.default_rng(0).normal(100, 30, (9, 8, 7)).astype(np.float32)


def oblique(angles=(10, -20, 35), sizes=(0.5, 0.6, 3), signs=(1, 1, 1)):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(np.multiply(sizes, signs))
    affine[:3, 3] = (-91.3, 104.7, -33.1)
    return affine


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_pair_of_files_is_read(nifti_pair):
    t2 = read_volume(nifti_pair.t2)
    t1 = read_volume(str(nifti_pair.t1), name="T1")
    np.testing.assert_array_equal(t2.data, nifti_pair.t2_data)
    np.testing.assert_array_equal(t1.data, nifti_pair.t1_data)
    np.testing.assert_allclose(
        corners(t1.affine, t1.data.shape), corners(t2.affine, t2.data.shape)
    )
    assert t2.path == nifti_pair.t2
    assert t2.affine.dtype == np.float64


def test_an_image_from_a_file_gives_what_the_file_gives(nifti_pair):
    from_file = read_volume(nifti_pair.t2)
    from_image = read_volume(nib.load(nifti_pair.t2))
    np.testing.assert_array_equal(from_image.data, from_file.data)
    np.testing.assert_array_equal(from_image.affine, from_file.affine)
    assert from_image.sha256 == from_file.sha256


def test_an_image_from_a_damaged_file_is_refused(nifti_pair):
    image = nib.load(nifti_pair.t2)
    nifti_pair.t2.write_bytes(nifti_pair.t2.read_bytes()[:-6])
    with pytest.raises(DataError, match="cut short"):
        read_volume(image)


def test_an_image_in_memory_is_read():
    volume = read_volume(nib.Nifti1Image(DATA, oblique()))
    np.testing.assert_array_equal(volume.data, DATA)
    np.testing.assert_allclose(volume.affine, oblique())
    assert volume.path is None


def test_an_orientation_set_by_hand_wins_over_the_file(nifti_pair):
    image = nib.load(nifti_pair.t2)
    image.set_qform(None, code=0)
    image.set_sform(oblique(), code=1)
    np.testing.assert_allclose(read_volume(image).affine, oblique(), atol=1e-5)


def test_images_with_one_frame_or_one_slice_are_squeezed():
    assert read_volume(nib.Nifti1Image(DATA[..., None], np.eye(4))).data.ndim == 3
    assert read_volume(nib.Nifti1Image(DATA[..., 0], np.eye(4))).data.ndim == 3
    with pytest.raises(DataError, match="2 frames"):
        read_volume(nib.Nifti1Image(np.stack([DATA, DATA], -1), np.eye(4)))


def test_images_in_memory_get_the_same_refusals():
    with pytest.raises(DataError, match="complex"):
        read_volume(nib.Nifti1Image(DATA.astype(np.complex64), np.eye(4)))
    with pytest.raises(GeometryError):
        read_volume(nib.Nifti1Image(DATA, np.diag([1.0, 1.0, 1e-8, 1.0])))
    with pytest.raises(DataError, match="limit"):
        read_volume(nib.Nifti1Image(DATA, np.eye(4)), max_voxels=10)
    with pytest.raises(DataError, match="shape"):
        read_volume(nib.Nifti1Image(DATA[:, 0, 0], np.eye(4)))


def test_a_file_without_orientation_stays_refused_as_an_image(tmp_path):
    image = nib.Nifti1Image(DATA, None)
    image.to_filename(tmp_path / "a.nii")
    loaded = nib.load(tmp_path / "a.nii")
    loaded.header["sform_code"] = loaded.header["qform_code"] = 0
    with pytest.raises(GeometryError):
        read_volume(loaded)


def test_a_volume_is_checked_again():
    with pytest.raises(GeometryError, match="affine"):
        read_volume(Volume(DATA, np.zeros((4, 4))))
    with pytest.raises(DataError, match="shape"):
        read_volume(Volume(DATA[0], np.eye(4)))
    integers = read_volume(Volume(DATA.astype(np.int64), np.eye(4)))
    assert integers.data.dtype == np.float32
    truth = read_volume(Volume(DATA > 100, np.eye(4)))
    np.testing.assert_array_equal(truth.data, DATA > 100)


def test_other_sources_are_a_usage_error():
    with pytest.raises(UsageError, match="ndarray"):
        read_volume(DATA)


def test_short_memory_asks_to_try_again(nifti_pair, monkeypatch):
    def short(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(nifti, "as_float32", short)
    with pytest.raises(TryAgainError, match=r"memory.*T2\.nii\.gz"):
        read_volume(nifti_pair.t2)


@pytest.mark.real_data
def test_all_real_images_are_read(open_ms):
    files = sorted(open_ms.glob("*/t[12].nii.gz"))
    assert files
    for path in files:
        volume = read_volume(path)
        image = nib.load(path)
        np.testing.assert_array_equal(volume.data, np.asarray(image.dataobj))
        np.testing.assert_allclose(volume.affine, image.affine, atol=1e-6)


def test_the_grid_is_known_without_the_voxels(nifti_pair, tmp_path):
    affine, shape = read_grid(nifti_pair.t2)
    whole = read_volume(nifti_pair.t2)
    assert shape == whole.data.shape
    np.testing.assert_array_equal(affine, whole.affine)
    half = tmp_path / "half.nii.gz"
    half.write_bytes(nifti_pair.t2.read_bytes()[:800])
    assert read_grid(half)[1] == shape
