from __future__ import annotations

import numpy as np
import pytest

from guided_sr.physics.degrade import degrade
from guided_sr.volumes.stripping import stripping_mask


@pytest.fixture(scope="module")
def disc() -> np.ndarray:
    """Slices of 48 x 48 pixels, true within a disc."""
    x, y = np.meshgrid(*(np.arange(48) - 23.5,) * 2, indexing="ij")
    return np.repeat((np.hypot(x, y) < 15.0)[None], 3, axis=0)


@pytest.fixture(scope="module")
def pair(disc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A T2 at half the size and its T1, cut out by the disc."""
    rng = np.random.default_rng(0)
    t2, t1 = (np.float32(1.0) + 0.2 * rng.random((2, *disc.shape), np.float32)) * disc
    return degrade(t2, 2).astype(np.float32), t1


def test_a_mask_is_found_by_the_zeros_of_both_images(pair, disc):
    np.testing.assert_array_equal(stripping_mask(*pair), disc)


def test_what_interpolation_leaves_of_a_zero_is_one(pair, disc):
    t2, t1 = pair
    noise = np.random.default_rng(2).uniform(-1e-8, 1e-8, t1.shape)
    np.testing.assert_array_equal(
        stripping_mask(t2, (t1 + noise).astype(np.float32)), disc
    )


def test_fluid_that_is_0_in_the_t1_does_not_make_a_hole(pair, disc):
    t2, t1 = pair
    holed = t1.copy()
    holed[:, 20:24, 20:24] = 0.0
    holed[:, 12:30, 30] = 0.0
    np.testing.assert_array_equal(stripping_mask(t2, holed), disc)


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_image_has_noise_in_its_air_there_is_no_mask(pair, which):
    images = list(pair)
    images[which] = images[which] + np.float32(0.01)
    assert stripping_mask(*images) is None


def test_air_that_is_0_here_and_there_is_no_mask(pair):
    t2, t1 = pair
    speckled = np.random.default_rng(1).random(t1.shape) < 0.45
    assert stripping_mask(t2, np.where(speckled, 0, t1 + 0.1)) is None


def test_an_empty_t1_has_no_mask(pair):
    t2, t1 = pair
    assert stripping_mask(t2, np.zeros_like(t1)) is None
