from __future__ import annotations

import numpy as np
import pytest

from guided_sr.volumes.stripping import stripping_mask


def test_a_mask_is_found_by_the_zeros_of_both_images(cut_out, disc):
    np.testing.assert_array_equal(stripping_mask(*cut_out), disc)


def test_what_interpolation_leaves_of_a_zero_is_one(cut_out, disc):
    t2, t1 = cut_out
    noise = np.random.default_rng(2).uniform(-1e-8, 1e-8, t1.shape)
    np.testing.assert_array_equal(
        stripping_mask(t2, (t1 + noise).astype(np.float32)), disc
    )


def test_fluid_that_is_0_in_the_t1_does_not_make_a_hole(cut_out, disc):
    t2, t1 = cut_out
    holed = t1.copy()
    holed[:, 20:24, 20:24] = 0.0
    holed[:, 12:30, 30] = 0.0
    np.testing.assert_array_equal(stripping_mask(t2, holed), disc)


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_image_has_noise_in_its_air_there_is_no_mask(cut_out, which):
    images = list(cut_out)
    images[which] = images[which] + np.float32(0.01)
    assert stripping_mask(*images) is None


def test_air_that_is_0_here_and_there_is_no_mask(cut_out):
    t2, t1 = cut_out
    speckled = np.random.default_rng(1).random(t1.shape) < 0.45
    assert stripping_mask(t2, np.where(speckled, 0, t1 + 0.1)) is None


def test_an_empty_t1_has_no_mask(cut_out):
    t2, t1 = cut_out
    assert stripping_mask(t2, np.zeros_like(t1)) is None
