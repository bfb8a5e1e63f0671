from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.explain.ablation import ablate_guide
from guided_sr.explain.gradients import (
    guide_contribution,
    guide_shares,
    receptive_field,
)
from guided_sr.explain.region import Region

BOX = Region((16, 32), (16, 32))
AWAY = Region((36, 44), (36, 44))


@pytest.mark.backend
def test_of_a_linear_network_first_order_is_the_exact_change(boxed):
    for region in (Region((18, 21), (20, 24)), BOX):
        exact = ablate_guide(boxed).change_in(region)
        found = guide_contribution(boxed, region)
        assert found.change == pytest.approx(exact, rel=1e-3)


@pytest.mark.backend
def test_the_share_is_high_where_the_guide_has_detail(boxed):
    shares = guide_shares(boxed, {"box": Region((18, 21), (20, 24)), "away": AWAY})
    for part in ("cascade", "stage_1"):
        inside, outside = shares["box"][part], shares["away"][part]
        assert 0 <= outside < inside <= 1
        assert inside / (1 - inside) > 20 * outside / (1 - outside)


def test_the_gradient_is_that_of_finite_differences(subject):
    region = Region((20, 26), (20, 26))
    found = guide_contribution(subject, region)
    step = np.zeros((48, 48), np.float32)
    step[22:25, 21:24] = 0.05 * np.ptp(subject.t1)
    detail = subject.detail(subject.t1)
    change = []
    for sign in (1, -1):
        pair = subject.with_guide(subject.t1 + sign * step)
        stack, _ = subject.model.predict_inputs(pair)
        change.append(stack[0, 20:26, 20:26].mean(dtype=np.float64))
    gradient = found.t1 / np.where(detail == 0, np.inf, detail)
    expected = float((gradient * step).sum(dtype=np.float64))
    assert expected == pytest.approx((change[0] - change[1]) / 2, rel=0.1)


def test_every_stage_has_a_share(subject):
    shares = guide_shares(subject, {"here": BOX})
    assert list(shares["here"]) == ["cascade", "stage_1", "stage_2"]


@pytest.mark.backend
def test_the_receptive_field_of_a_small_kernel_is_small(boxed):
    field = receptive_field(boxed, voxels=3, reach=8)
    assert field.t1.shape == field.t2.shape == (17, 17)
    assert field.t1[8, 8] == field.t1.max()
    assert field.t1.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(field.t1[:7], 0)
    assert field.radius("t1", 1.0) == pytest.approx(2**0.5)
    assert field.radius("t2") > field.radius("t1")
    assert field.voxels.shape == (3, 2)


def test_the_receptive_field_is_drawn_by_its_seed(subject):
    fields = [receptive_field(subject, voxels=1, reach=4, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(fields[0].t1, fields[1].t1)
    assert not np.array_equal(fields[0].voxels, fields[2].voxels)


def test_what_makes_no_sense_is_refused(boxed):
    with pytest.raises(UsageError, match="leaves"):
        guide_contribution(boxed, Region((0, 49), (0, 4)))
    with pytest.raises(UsageError, match="at least 1"):
        receptive_field(boxed, voxels=0)
