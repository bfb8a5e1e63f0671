from __future__ import annotations

import json

import numpy as np
import pytest

from guided_sr.errors import DataError
from guided_sr.volumes.intensity import IntensityScale, fit_intensity


def image():
    values = np.random.default_rng(0).gamma(2.0, 200.0, (20, 20, 20))
    values[:10] = 0.0
    return values.astype(np.float32)


def test_percentiles_of_the_voxels_above_zero_become_zero_and_one():
    x = image()
    scale = fit_intensity(x)
    low, high = np.percentile(x[x > 0], [0.5, 99.5])
    assert (scale.low, scale.high) == pytest.approx((low, high))
    np.testing.assert_allclose(scale.forward([low, high]), [0, 1], atol=1e-6)


def test_inverse_undoes_forward_also_outside_the_range():
    x = np.append(image().ravel(), [-50.0, 1e5]).astype(np.float32)
    scale = fit_intensity(x)
    there = scale.forward(x)
    assert there.dtype == np.float32
    assert there.max() > 1
    assert there.min() < 0
    np.testing.assert_allclose(scale.inverse(there), x, rtol=1e-6, atol=1e-3)


def test_one_outlier_does_not_move_the_range():
    x = image()
    y = x.copy()
    y[0, 0, 0] = 1e7
    assert fit_intensity(y).high == pytest.approx(fit_intensity(x).high, rel=0.01)


def test_the_dictionary_goes_through_json():
    scale = fit_intensity(image())
    stored = json.loads(json.dumps(scale.to_dict()))
    assert IntensityScale.from_dict(stored) == scale


@pytest.mark.parametrize(
    "stored",
    [
        {"low": 0.0},
        {"low": 1.0, "high": 1.0},
        {"low": 0.0, "high": float("nan")},
        {"low": None, "high": 1.0},
    ],
)
def test_a_damaged_dictionary_is_refused(stored):
    with pytest.raises(DataError):
        IntensityScale.from_dict(stored)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((3, 3), 7.0), r"constant \(value 7\)"),
        (np.array([-3.0, -1.0]), "no intensity above 0"),
        (np.array([0.0, 1.0, 1.0]), "single intensity"),
        (np.array([1.0, np.nan]), "NaN"),
        (np.array([]), "empty"),
    ],
)
def test_images_without_a_range_are_refused(values, reason):
    with pytest.raises(DataError, match=reason) as caught:
        fit_intensity(values, name="T1", path="x/T1.nii.gz")
    assert "x/T1.nii.gz" in str(caught.value)
