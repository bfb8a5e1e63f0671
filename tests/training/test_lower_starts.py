from __future__ import annotations

import numpy as np
import pytest

from guided_sr import GRDN, degrade, head_phantom
from guided_sr.physics.back_projection import BackProjection
from guided_sr.training.lower_starts import learnt_from
from guided_sr.training.subjects import subjects_of, supervised_subjects_of

HOW = {"scale": (2.0, 2.0), "stages": 2, "guided": True, "stage_blur": "consistent"}


@pytest.fixture
def people(small_head):
    """Two scans of other sizes, and one whose truth is known."""
    other = head_phantom((56, 40), 2, seed=2, voxel_mm=4.0)
    pairs = [(degrade(h.t2, 2), h.t1) for h in (small_head, other)]
    scans = subjects_of(pairs, **HOW, weights=[0.6, 0.9])
    return [*scans, *supervised_subjects_of([(small_head.t2, small_head.t1)], **HOW)]


@pytest.fixture
def learn(people, tiny):
    """What the second stage learns from."""
    network = GRDN(**tiny)
    first = [subject.t2 for subject in people]
    how = {"back_projection": BackProjection("exact")}
    second = [s.next_level(network, s.t2, stage=1, **how) for s in people]

    def levels(*, lower_starts, side=16):
        known = {"lower_starts": lower_starts, "side": side, **how}
        return learnt_from(people, [first, second], [network], **known)

    return levels


@pytest.mark.backend
def test_each_scan_shares_its_weight_with_its_own_lower_starts(learn, people):
    levels = learn(lower_starts=2)
    weights = [level.weight for level in levels]
    assert weights == pytest.approx([0.2] * 3 + [0.3] * 3 + [1.0])
    for scan, first in ((people[0], 0), (people[1], 3)):
        own, one, two = levels[first : first + 3]
        assert own.target.shape[1:] == one.target.shape[1:] == scan.plan.level_shape(1)
        np.testing.assert_array_equal(one.target, own.target)
        np.testing.assert_array_equal(two.target, scan.t2)
        assert one.source.shape[1:] == scan.plan.shape
        assert two.source.shape[1:] == scan.plan.shape_below(1)


def test_no_more_begin_lower_than_asked_for(learn):
    assert [len(learn(lower_starts=n)) for n in (0, 1, 2, 9)] == [3, 5, 7, 7]


def test_what_is_much_smaller_than_a_patch_is_left_out(learn, people):
    smallest = [min(s.plan.shape) for s in people[:2]]
    assert smallest == [24, 20]
    levels = learn(lower_starts=2, side=32)
    assert [level.level for level in levels] == [1, 2, 2, 1, 2, 2]


@pytest.mark.parametrize("sharp", [False, True])
def test_a_lower_start_is_cut_out_as_sharply_as_the_scan(cut_out, sharp):
    (subject,) = subjects_of([cut_out], **HOW, sharp_masks=sharp)
    lower = subject.begun_lower(subject.t2, level=0, stage=2)
    own = subject.level_stack(subject.t2, 1)
    assert lower.mask is None
    np.testing.assert_array_equal(lower.truth, own.target)
    np.testing.assert_allclose(lower.t1, own.guide, atol=1e-6)
