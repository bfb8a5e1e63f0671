from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import crop_to_multiple, degrade, upsample


@pytest.mark.parametrize(
    ("shape", "scale", "wanted"),
    [
        ((182, 218), 4, (180, 216)),
        ((182, 218), 2, (182, 218)),
        ((7, 9), (1, 4), (7, 8)),
        ((7, 9), 1.5, (7, 9)),
    ],
)
def test_cropping_leaves_whole_coarse_pixels(shape, scale, wanted):
    assert crop_to_multiple(np.zeros((2, *shape)), scale).shape == (2, *wanted)


def test_cropping_is_centred():
    x = np.arange(10.0)[:, None] * np.ones((1, 10))
    assert crop_to_multiple(x, 4)[:, 0].tolist() == list(range(1, 9))


def test_degrading_is_the_observation_operator(rng):
    x = rng.standard_normal((3, 24, 32))
    plan = CascadePlan.create((12, 16), scale=2, stages=3)
    np.testing.assert_allclose(degrade(x, 2), plan.observation()(x), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_blur_is_as_wide_as_a_coarse_pixel(scale):
    """A blurred parabola is higher by the variance, (s / 2.3548)^2, everywhere."""
    u = np.arange(64.0) - 31.5
    image = np.repeat(u[:, None] ** 2, 64, axis=1)
    low = degrade(image, scale)
    n = 64 // scale
    where = (np.arange(n) + 0.5) * scale - 32
    rise = (low[:, n // 2] - where**2)[n // 4 : -(n // 4)]
    np.testing.assert_allclose(rise, (scale / 2.3548) ** 2, rtol=2e-3)


def test_one_axis_alone_can_be_degraded(rng):
    x = rng.standard_normal((24, 32))
    assert degrade(x, (4, 1)).shape == (6, 32)


def test_the_mean_is_kept():
    assert degrade(np.full((16, 16), 7.0), 4) == pytest.approx(7.0)


def test_noise_is_drawn_from_the_seed():
    x = np.zeros((64, 64))
    noisy = degrade(x, 2, noise=0.1, seed=1)
    assert noisy.std() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(noisy, degrade(x, 2, noise=0.1, seed=1))
    assert not np.array_equal(noisy, degrade(x, 2, noise=0.1, seed=2))


def test_precision_is_kept_and_whole_numbers_become_float32():
    for dtype, wanted in ((np.float32, "float32"), (np.int16, "float32")):
        assert degrade(np.ones((16, 16), dtype), 2).dtype == wanted
        assert upsample(np.ones((8, 8), dtype), (16, 16)).dtype == wanted
    assert degrade(np.ones((16, 16)), 2).dtype == "float64"


def test_upsampling_keeps_the_field_of_view():
    ramp = (np.arange(10.0)[:, None] + 0.5) * np.ones((1, 10))
    up = upsample(ramp, (25, 10))
    wanted = (np.arange(25) + 0.5) * 10 / 25
    np.testing.assert_allclose(up[5:-5, 0], wanted[5:-5])


@pytest.mark.parametrize(
    "call", [lambda x: degrade(x, 2), lambda x: upsample(x, (2, 2))]
)
def test_a_line_is_no_image(call):
    with pytest.raises(UsageError, match="two axes"):
        call(np.zeros(5))


def test_a_scale_below_one_is_refused():
    with pytest.raises(UsageError, match="at least 1"):
        degrade(np.zeros((16, 16)), 0.5)
