from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from guided_sr.errors import DataError
from guided_sr.metrics import consistency, mean_over_slices, psnr, ssim
from guided_sr.physics.cascade_plan import CascadePlan


@pytest.fixture
def pair(rng):
    truth = rng.random((40, 48)) * 100
    return truth, truth + rng.normal(0, 5, truth.shape)


def test_psnr_is_the_papers_formula(pair):
    truth, image = pair
    mse = np.mean((truth - np.clip(image, 0, None)) ** 2)
    assert psnr(truth, image) == pytest.approx(20 * np.log10(truth.max() / mse**0.5))


def test_an_error_of_a_tenth_of_the_peak_is_twenty_decibels():
    truth = np.full((8, 8), 10.0)
    assert psnr(truth, truth - 1) == pytest.approx(20.0)


def test_equal_images_have_infinite_psnr_and_ssim_one(pair):
    truth, _ = pair
    assert psnr(truth, truth) == math.inf
    assert ssim(truth, truth) == pytest.approx(1.0)


def test_values_below_zero_are_clipped_in_both_images():
    truth = np.array([[1.0, -5.0], [0.0, 1.0]])
    assert psnr(truth, np.array([[1.0, -9.0], [-3.0, 1.0]])) == math.inf


def test_psnr_does_not_depend_on_the_units(pair):
    truth, image = pair
    assert psnr(3 * truth, 3 * image) == pytest.approx(psnr(truth, image))


def test_ssim_is_the_papers_formula(pair):
    truth, image = pair
    image = np.clip(image, 0, None)
    peak = truth.max()

    def blur(x):
        return ndimage.gaussian_filter(x, 1.5, truncate=3.5)

    mean_x, mean_z = blur(truth), blur(image)
    var_x, var_z = blur(truth**2) - mean_x**2, blur(image**2) - mean_z**2
    cov = blur(truth * image) - mean_x * mean_z
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    field = (2 * mean_x * mean_z + c1) * (2 * cov + c2)
    field /= (mean_x**2 + mean_z**2 + c1) * (var_x + var_z + c2)
    assert ssim(truth, image) == pytest.approx(field[5:-5, 5:-5].mean(), abs=1e-9)


def test_a_stack_is_judged_slice_by_slice(pair):
    truth, image = pair
    stack = np.stack([truth, 10 * truth]), np.stack([image, 10 * truth - 1])
    wanted = (psnr(truth, image) + psnr(10 * truth, 10 * truth - 1)) / 2
    assert mean_over_slices(psnr, *stack) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize(
    ("truth", "image", "message"),
    [
        (np.ones((16, 16)), np.ones((16, 12)), "differ in size"),
        (np.ones((16, 16)), np.full((16, 16), np.nan), "NaN or infinite"),
        (np.zeros((16, 16)), np.ones((16, 16)), "empty"),
        (-np.ones((16, 16)), np.ones((16, 16)), "empty"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, truth, image, message):
    with pytest.raises(DataError, match=message):
        metric(truth, image)


def test_consistency_is_zero_for_an_image_that_explains_the_data(rng):
    operator = CascadePlan.create((8, 8), scale=2, stages=1).observation()
    x = rng.random((2, 16, 16))
    y = operator(x)
    assert consistency(x, y, operator) == 0.0
    assert consistency(x, y + 0.5, operator) == pytest.approx(0.5)
