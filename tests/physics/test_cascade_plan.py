from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guided_sr.datasets.phantom import head_phantom
from guided_sr.errors import GuidedSRWarning, UsageError
from guided_sr.metrics import psnr
from guided_sr.physics.cascade_plan import CascadePlan, scale_per_axis
from guided_sr.physics.degrade import crop_to_multiple

EIGHT_LN2 = 8 * math.log(2)


def test_the_sizes_of_the_levels_are_rounded_half_up():
    plan = CascadePlan.create((5, 5), scale=4, stages=3)
    assert plan.rows.sizes == (5, 8, 13, 20)


@settings(max_examples=80, deadline=None)
@given(n=st.integers(4, 300), s=st.sampled_from([2, 3, 4, 8]), r=st.integers(1, 4))
def test_sizes_follow_the_formula_and_end_at_the_target(n, s, r):
    sizes = CascadePlan.create((n, n), scale=s, stages=r).rows.sizes
    assert sizes[0] == n
    assert sizes[-1] == n * s
    assert list(sizes) == [math.floor(n * s ** (k / r) + 0.5) for k in range(r + 1)]


def test_ratios_are_those_of_the_real_sizes():
    plan = CascadePlan.create((5, 45), scale=4, stages=3)
    assert plan.rows.pixel(0) == 4.0
    assert plan.rows.pixel(1) == 20 / 8
    assert plan.rows.pixel(2) == 20 / 13
    assert plan.observation(1).gain == pytest.approx(8 / 5 * 71 / 45)
    assert plan.scale == (4.0, 4.0)


def test_the_target_shape_wins_over_the_scale():
    plan = CascadePlan.create((45, 54), scale=4, target_shape=(182, 218))
    assert plan.target_shape == (182, 218)
    assert plan.scale == (182 / 45, 218 / 54)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(8, 200), s=st.sampled_from([1.5, 2, 3, 4, 8]), r=st.integers(1, 4))
def test_the_consistent_stages_compose_to_the_observation(n, s, r):
    axis = CascadePlan.create((n, n), scale=s, stages=r).rows
    assert axis.variance(0) == pytest.approx(axis.observation_variance, rel=1e-12)
    assert axis.variance(r) == 0.0
    assert axis.observation_variance == pytest.approx(axis.pixel(0) ** 2 / EIGHT_LN2)
    assert all(axis.variance(k) > axis.variance(k + 1) for k in range(r))


@pytest.mark.parametrize(
    ("scale", "stages", "lam"), [(4, 1, 1.0), (2, 3, 2.03), (4, 3, 1.55)]
)
def test_lambda_is_what_the_paper_found(scale, stages, lam):
    plan = CascadePlan.create((90, 108), scale=scale, stages=stages)
    assert plan.rows.lam == pytest.approx(lam, abs=0.01)
    assert plan.columns.lam == pytest.approx(lam, abs=0.01)


def test_stage_variances_add_up_in_target_pixels():
    """What one stage blurs, plus what is left above it, is the level's variance."""
    plan = CascadePlan.create((45, 54), scale=4, stages=3)
    for level in (1, 2, 3):
        sigma = plan.rows.degradation(level).sigma * plan.rows.pixel(level)
        below = plan.rows.variance(level - 1)
        assert plan.rows.variance(level) + sigma**2 == pytest.approx(below)


def test_level_and_remaining_blur_make_up_the_observation():
    plan = CascadePlan.create((45, 54), scale=4, stages=3)
    for level in range(4):
        sigma = plan.rows.observation(level).sigma * plan.rows.pixel(level)
        total = plan.rows.variance(level) + sigma**2
        assert total == pytest.approx(plan.rows.observation_variance)
    assert plan.rows.guide(3).sigma == 0.0
    assert plan.rows.guide(0).sigma == pytest.approx(4 / math.sqrt(EIGHT_LN2))


def test_the_observation_has_a_full_width_of_one_coarse_pixel():
    plan = CascadePlan.create((45, 54), scale=4, stages=3)
    assert plan.rows.observation(3).sigma == pytest.approx(4 / 2.3548, rel=1e-4)


def test_an_axis_of_equal_sizes_is_left_alone():
    plan = CascadePlan.create((20, 12), scale=(1, 4), stages=3)
    assert plan.rows.sizes == (20, 20, 20, 20)
    assert plan.level_shape(-1)[0] == 20
    assert plan.rows.observation_variance == 0.0
    for level in range(4):
        assert plan.rows.variance(level) == 0.0
        for operator in (
            plan.observation(level),
            plan.guide(level),
            plan.degradation(level),
        ):
            np.testing.assert_array_equal(operator.matrices[0], np.eye(20))
    np.testing.assert_array_equal(plan.upsampling(2).matrices[0], np.eye(20))


def test_the_operators_join_the_levels():
    plan = CascadePlan.create((10, 12), scale=2, stages=2)
    for level in (0, 1, 2):
        x = np.ones(plan.level_shape(level))
        down = plan.degradation(level)(x)
        assert down.shape == plan.level_shape(level - 1)
        np.testing.assert_allclose(down, 1.0)
        assert plan.observation(level)(x).shape == (10, 12)
        assert plan.guide(level)(np.ones((20, 24))).shape == x.shape
    assert plan.upsampling(1)(np.ones((10, 12))).shape == plan.level_shape(1)
    assert plan.shape == (10, 12)


def test_a_rescaled_image_is_degraded_by_the_same_ratio():
    plan = CascadePlan.create((40, 48), scale=2, stages=1)
    operator = plan.degradation(0, shape=(20, 24))
    assert (operator.rows.n_to, operator.columns.n_to) == (10, 12)
    assert operator.rows.sigma == pytest.approx(plan.degradation(0).rows.sigma)


def test_the_blur_factor_multiplies_the_deviation():
    plan = CascadePlan.create((40, 48), scale=2, stages=3)
    nominal = plan.degradation(1).rows.sigma
    assert plan.degradation(1, blur=1.1).rows.sigma == pytest.approx(1.1 * nominal)


def test_a_constant_that_does_not_compose_is_warned_of():
    with pytest.warns(GuidedSRWarning, match="does not compose"):
        plan = CascadePlan.create((45, 54), scale=4, stages=3, stage_blur=2.0)
    assert plan.rows.lam == 2.0
    assert plan.rows.observation_variance == pytest.approx(16 / EIGHT_LN2)


def test_the_papers_constant_fits_a_factor_of_two():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CascadePlan.create((90, 108), scale=2, stages=3, stage_blur=2.0)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((10, 10), {}, "neither scale nor target_shape"),
        ((10, 10), {"scale": 0.5}, "at least 1"),
        ((10, 10), {"scale": math.nan}, "at least 1"),
        ((10, 10), {"scale": (2, 2, 2)}, "at least 1"),
        ((10, 10), {"scale": 1}, "nothing to super-resolve"),
        ((10, 10), {"scale": 2, "stages": 0}, "no cascade"),
        ((10, 10), {"target_shape": (10, 10)}, "not finer"),
        ((10, 10), {"target_shape": (20, 8)}, "not finer"),
        ((3, 10), {"scale": 2}, "too small"),
        ((10, 10), {"scale": 2, "stage_blur": -1.0}, "stage_blur"),
        ((10, 10), {"scale": 2, "stage_blur": math.inf}, "stage_blur"),
        ((10, 10), {"scale": 2, "stage_blur": "paper"}, "stage_blur"),
    ],
)
def test_senseless_plans_are_refused_with_a_way_out(shape, options, message):
    with pytest.raises(UsageError, match=message) as refusal:
        CascadePlan.create(shape, **options)
    assert refusal.value.mend


def test_a_scale_is_brought_to_one_factor_an_axis():
    assert scale_per_axis(4) == (4.0, 4.0)
    assert scale_per_axis((4, 1)) == (4.0, 1.0)


def test_the_summary_is_plain_data():
    plan = CascadePlan.create((10, 12), scale=2, stages=2)
    summary = json.loads(json.dumps(plan.summary()))
    assert summary["level_shapes"] == [[10, 12], [14, 17], [20, 24]]
    assert summary["scale"] == [2.0, 2.0]


def chained_against_direct(image, scale):
    """PSNR of an image taken down stage by stage, against the observation."""
    x = np.clip(crop_to_multiple(np.asarray(image, np.float64), scale), 0, None)
    shape = tuple(n // scale for n in x.shape)
    plan = CascadePlan.create(shape, scale=scale, stages=3)
    chained = x
    for level in (3, 2, 1):
        chained = plan.degradation(level)(chained)
    return psnr(plan.observation()(x), chained)


@pytest.mark.parametrize(("scale", "least"), [(2, 42.0), (4, 45.0)])
def test_the_stages_chain_to_the_observation(scale, least):
    """What is left is aliasing, more of it at 2x, where a stage blurs 0.38 pixels.

    A Gaussian sampled at whole pixels gives 37.0 and 43.1 dB here.
    """
    found = chained_against_direct(head_phantom(seed=3).t2[0], scale)
    print(f"phantom, {scale}x: {found:.1f} dB")
    assert found >= least


@pytest.mark.real_data
@pytest.mark.parametrize(("scale", "measured"), [(2, 46.9), (4, 49.8)])
def test_the_stages_chain_to_the_observation_of_a_real_slice(
    scale, measured, patient07
):
    found = chained_against_direct(patient07, scale)
    print(f"patient 07, {scale}x: {found:.1f} dB")
    assert found == pytest.approx(measured, abs=0.2)
