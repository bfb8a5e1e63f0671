from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile


def test_without_a_gap_the_gaussian_is_the_observation_model():
    plan = CascadePlan.create((10, 12), scale=(4, 1))
    line = SliceProfile().line(40, 10)
    assert line[:2] == plan.observation().rows[:2]
    assert line.sigma == pytest.approx(plan.observation().rows.sigma)


@pytest.mark.parametrize("shape", ["gaussian", "box"])
@pytest.mark.parametrize("gap", [0.0, 0.25])
def test_a_profile_has_the_thickness_that_the_gap_leaves(shape, gap):
    """A fine slice as an impulse, seen by scanner slices all along, is the profile."""
    line = SliceProfile(shape, gap).line(80, 10)
    row = line.matrix[5]
    place = np.arange(80)
    centre = (row * place).sum()
    # Cubic convolution adds no variance, to second order.
    variance = (row * (place - centre) ** 2).sum()
    thickness = 8 * (1 - gap)
    expected = {"gaussian": thickness / 2.3548, "box": thickness / np.sqrt(12)}
    assert np.sqrt(variance) == pytest.approx(expected[shape], rel=2e-3)
    assert row.sum() == pytest.approx(1.0)


def test_a_box_ends_where_the_slice_ends():
    row = SliceProfile("box").line(80, 10).matrix[5]
    inside = np.arange(42, 46)
    np.testing.assert_allclose(row[inside], 1 / 8, rtol=1e-3)
    assert np.abs(row[:38]).max() < 1e-12
    assert np.abs(row[50:]).max() < 1e-12


def test_slices_that_stay_have_no_profile():
    assert SliceProfile("box", 0.5).line(10, 10).is_identity


@pytest.mark.parametrize(("shape", "gap"), [("sinc", 0.0), ("box", 1.0), ("box", -0.1)])
def test_what_is_no_profile_is_refused(shape, gap):
    with pytest.raises(UsageError, match="slice"):
        SliceProfile(shape, gap)


@pytest.mark.parametrize(
    "profile", [SliceProfile("box"), SliceProfile("gaussian", 0.2)]
)
def test_slices_of_another_profile_are_brought_to_the_nominal_one(profile, rng):
    """On a line as smooth as anatomy: detail of a few pixels, no steps."""
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
    fine = np.convolve(rng.standard_normal(160), kernel, mode="valid")
    nominal = SliceProfile().line(144, 36).matrix @ fine
    seen = profile.line(144, 36).matrix @ fine
    brought = profile.to_nominal(144, 36) @ seen
    inner = slice(3, -3)
    before = np.abs(seen - nominal)[inner].mean()
    assert np.abs(brought - nominal)[inner].mean() < 0.35 * before
    assert not profile.nominal


def test_the_nominal_profile_is_left_almost_as_it_is(rng):
    assert SliceProfile().nominal
    matrix = SliceProfile().to_nominal(80, 20)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-3)
    np.testing.assert_allclose(matrix, np.eye(20), atol=0.05)


def test_an_estimate_says_what_slices_of_the_nominal_profile_show(rng):
    """The truth all of it, where `brought` alone is off; any, of the nominal one."""
    profile, nominal = SliceProfile("box"), SliceProfile()
    fine = rng.random((3, 96, 5)).astype(np.float32)
    same = nominal.line(5, 5)
    mine, wanted = (
        SeparableOperator(one.line(96, 24), same) for one in (profile, nominal)
    )
    truth = wanted(fine)
    seen = profile.seen_anew(fine, mine(fine) - mine(fine), wanted, 1)
    np.testing.assert_allclose(seen, truth, atol=1e-6)
    assert np.abs(profile.brought(mine(fine), 1, 96) - truth).mean() > 0.01
    guess = rng.random(fine.shape).astype(np.float32)
    again = nominal.seen_anew(guess, truth - wanted(guess), wanted, 1)
    np.testing.assert_allclose(again, truth, atol=1e-5)
    assert (profile.passes, nominal.passes) == (2, 1)
