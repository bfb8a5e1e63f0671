from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import DataError, GeometryError, GuidedSRWarning, UsageError
from guided_sr.inference.inputs import prepare


@pytest.fixture
def arrays(rng):
    return rng.random((3, 16, 20)) + 0.1, rng.random((3, 32, 40)) + 0.1


def image(data, affine):
    return nib.Nifti1Image(np.asarray(data, np.float32), affine)


@pytest.fixture
def volumes(rng):
    """T2 of 2 x 2 x 4 mm and T1 of 1 x 1 x 4 mm, one field of view."""
    t1_affine = np.diag([1.0, 1.0, 4.0, 1.0])
    t2_affine = np.diag([2.0, 2.0, 4.0, 1.0])
    t2_affine[:2, 3] = 0.5
    t2 = image(rng.random((16, 20, 6)) + 0.1, t2_affine)
    return t2, image(rng.random((32, 40, 6)) + 0.1, t1_affine)


def test_stacks_of_arrays_keep_their_numbers(arrays):
    inputs = prepare(*arrays, guided=True, scale=2)
    np.testing.assert_array_equal(inputs.t2, arrays[0].astype(np.float32))
    np.testing.assert_array_equal(inputs.t1, arrays[1].astype(np.float32))
    assert inputs.target_shape == (32, 40)
    assert not inputs.single
    assert inputs.source is None
    assert inputs.plan(stages=2).level_shape(0) == (16, 20)


def test_a_slice_is_a_stack_of_one(arrays):
    inputs = prepare(arrays[0][0], arrays[1][0], guided=True, scale=2)
    assert inputs.single
    assert inputs.t2.shape == (1, 16, 20)


def test_images_are_normalised_by_their_own_percentiles(arrays):
    inputs = prepare(50 * arrays[0], 7 * arrays[1], guided=True, scale=2)
    for image in inputs.normalised():
        assert np.percentile(image, [0.5, 99.5]) == pytest.approx([0, 1], abs=1e-4)


def test_a_guide_not_asked_for_is_not_looked_at(arrays):
    inputs = prepare(arrays[0], "nowhere.nii.gz", guided=False, scale=2)
    assert inputs.t1 is None
    assert inputs.normalised()[1] is None


def test_the_guide_of_an_array_gives_the_exact_target(arrays, rng):
    inputs = prepare(arrays[0], rng.random((3, 33, 41)), guided=True, scale=2)
    assert inputs.target_shape == (33, 41)


def test_the_target_shape_wins_over_the_scale(arrays, rng):
    guide = rng.random((3, 40, 48))
    inputs = prepare(arrays[0], guide, guided=True, scale=2, target_shape=(40, 48))
    assert inputs.target_shape == (40, 48)


def test_volumes_are_brought_to_one_grid(volumes):
    inputs = prepare(*volumes, guided=True, scale=2)
    assert inputs.t2.shape == (6, 16, 20)
    assert inputs.t1.shape == (6, 32, 40)
    assert inputs.source.slice_axis == 2
    assert inputs.source.overlap == pytest.approx(1.0)
    np.testing.assert_allclose(inputs.source.affine, volumes[1].affine, atol=1e-9)
    wanted = np.moveaxis(volumes[1].get_fdata(dtype=np.float32), 2, 0)
    np.testing.assert_allclose(inputs.t1, wanted, atol=1e-5)


def test_paths_are_read(volumes, tmp_path):
    paths = [tmp_path / "T2.nii.gz", tmp_path / "T1.nii.gz"]
    for volume, path in zip(volumes, paths, strict=True):
        nib.save(volume, path)
    inputs = prepare(str(paths[0]), paths[1], guided=True, scale=2)
    assert inputs.source.t2.path == paths[0]
    wanted = prepare(*volumes, guided=True, scale=2)
    np.testing.assert_array_equal(inputs.t1, wanted.t1)


def test_the_same_file_twice_is_refused(volumes, tmp_path):
    path = tmp_path / "T2.nii.gz"
    nib.save(volumes[0], path)
    with pytest.raises(UsageError, match="same file"):
        prepare(path, path, guided=True, scale=2)


def test_images_that_do_not_overlap_are_refused(volumes):
    t2, t1 = volumes
    affine = t1.affine.copy()
    affine[0, 3] = 500.0
    with pytest.raises(GeometryError, match="overlap"):
        prepare(t2, image(t1.get_fdata(), affine), guided=True, scale=2)


def refused(t2, t1, kind, message, **options):
    with pytest.raises(kind, match=message) as refusal:
        prepare(t2, t1, guided=True, **{"scale": 2, **options})
    return refusal.value


def test_what_does_not_fit_together_is_refused(arrays, volumes):
    t2, t1 = arrays
    assert "target_shape" in refused(t2, t1[:, :24], DataError, "target grid").mend
    refused(t2, t1[:2], DataError, "target grid")
    refused(t2[None], t1, DataError, "T2 has shape")
    refused(t2, None, UsageError, "no T1")
    refused(t2, volumes[1], UsageError, "T2 is an array but the T1 is not")
    refused(volumes[0], t1, UsageError, "T1 is an array but the T2 is not")
    refused(*volumes, UsageError, "stacks of planes", scale=(2, 1))
    refused(t2, t1, UsageError, "at least 1", scale=0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(arrays, value):
    for k in (0, 1):
        broken = [a.copy() for a in arrays]
        broken[k][0, 3, 3] = value
        refused(*broken, DataError, f"the {('T2', 'T1')[k]} holds NaN")


def test_constant_images_are_refused(arrays):
    refused(np.ones((1, 16, 20)), arrays[1][:1], DataError, "constant")
    refused(arrays[0][:1], np.ones((1, 32, 40)), DataError, "constant")


@pytest.mark.parametrize(
    ("t1_mm", "words"), [(2.0, "no finer than the T2 itself"), (1.6, "limited")]
)
def test_a_coarse_guide_is_said(rng, t1_mm, words):
    t2 = image(rng.random((16, 20, 6)) + 0.1, np.diag([2.0, 2.0, 4.0, 1.0]))
    shape = (round(32 / t1_mm), round(40 / t1_mm), 6)
    affine = np.diag([t1_mm, t1_mm, 4.0, 1.0])
    affine[:2, 3] = (t1_mm - 2.0) / 2.0
    with pytest.warns(GuidedSRWarning, match=words):
        prepare(t2, image(rng.random(shape) + 0.1, affine), guided=True, scale=2)


def test_a_fine_guide_is_not_worth_a_word(volumes, recwarn):
    prepare(*volumes, guided=True, scale=2)
    assert not [w for w in recwarn if "finer" in str(w.message)]


def test_arrays_tell_their_factors_only():
    stack = np.arange(2 * 8 * 8.0).reshape(2, 8, 8)
    inputs = prepare(stack, None, guided=False, scale=2, target_shape=(12, 16))
    assert inputs.measured() == {"factors": (1.5, 2.0)}
