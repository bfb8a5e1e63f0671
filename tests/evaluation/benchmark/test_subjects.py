from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import GeometryError, MissingInputError, UsageError
from guided_sr.evaluation.benchmark import BenchmarkConfig, find_subjects


def test_each_subject_is_tested_in_one_fold_and_trains_in_the_others(heads, small):
    subjects = find_subjects(heads, BenchmarkConfig.model_validate(small))
    assert subjects.folds == (("anna",), ("berta",))
    assert subjects.trained(0) == ["berta", "extra_carl"]
    assert subjects.trained(1) == ["anna", "extra_carl"]
    assert len(set(subjects.digests.values())) == 3


def test_there_are_at_most_four_folds_by_default(heads, small):
    small["data"]["test"], small["data"]["extra_training"] = ["*"], []
    subjects = find_subjects(heads, BenchmarkConfig.model_validate(small))
    assert len(subjects.folds) == 3
    small["data"]["folds"] = 2
    subjects = find_subjects(heads, BenchmarkConfig.model_validate(small))
    assert subjects.folds == (("anna", "extra_carl"), ("berta",))


def test_one_subject_makes_no_fold(heads, small):
    small["data"]["test"] = ["anna"]
    with pytest.raises(UsageError, match=r"1 subject to test \(anna\): no fold"):
        find_subjects(heads, BenchmarkConfig.model_validate(small))


def test_an_empty_folder_is_told(tmp_path, small):
    with pytest.raises(MissingInputError, match="no folder holds"):
        find_subjects(tmp_path, BenchmarkConfig.model_validate(small))


def test_a_shift_moves_the_guide_on_every_axis_and_nothing_else(heads, small):
    subjects = find_subjects(heads, BenchmarkConfig.model_validate(small))
    still, moved = (subjects.pair("anna", 2.0, mm) for mm in (0.0, 4.0))
    np.testing.assert_array_equal(still.low, moved.low)
    np.testing.assert_array_equal(still.high, moved.high)
    inner = np.s_[1:-1, 8:-8, 8:-8]
    errors = {}
    for signs in np.ndindex(2, 2):
        rows, columns = (2 * np.array(signs) - 1).tolist()  # one voxel of 4 mm
        rolled = np.roll(still.guide, (rows, columns), axis=(1, 2))
        errors[signs] = min(
            np.abs(0.2 * rolled + 0.8 * np.roll(rolled, across, axis=0) - moved.guide)[
                inner
            ].mean()
            for across in (-1, 1)
        )
    spread = np.abs(still.guide - moved.guide)[inner].mean()
    assert min(errors.values()) < 0.2 * spread


def test_the_same_shift_is_drawn_every_time(heads, small):
    one, two = (
        find_subjects(heads, BenchmarkConfig.model_validate(small)) for _ in range(2)
    )
    np.testing.assert_array_equal(
        one.pair("berta", 2.0, 4.0).guide, two.pair("berta", 2.0, 4.0).guide
    )


def test_pairs_that_do_not_overlap_are_refused(heads, small, tmp_path):
    import shutil

    import nibabel as nib

    shutil.copytree(heads, tmp_path / "data")
    file = tmp_path / "data" / "anna" / "t1.nii.gz"
    image = nib.load(file)
    far = image.affine.copy()
    far[:3, 3] += 1000.0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), far), file)
    subjects = find_subjects(tmp_path / "data", BenchmarkConfig.model_validate(small))
    with pytest.raises(GeometryError):
        subjects.check()
