from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import DataError, UsageError
from guided_sr.training import holdout
from guided_sr.training.options import TrainingOptions


def test_whole_subjects_are_held_out_one_at_least():
    for count, away in ((2, 1), (3, 1), (5, 1), (10, 2)):
        parts = holdout.divide([4] * count, 0.2)
        held = [len(out) for _, out in parts]
        assert sorted(held)[-away:] == [4] * away
        assert [len(kept) + len(out) for kept, out in parts] == [4] * count
        assert sum(held) == 4 * away


def test_of_one_subject_every_fifth_slice_is_held_out():
    [(kept, away)] = holdout.divide([20], 0.2)
    assert away.tolist() == [2, 7, 12, 17]
    assert sorted([*kept, *away]) == list(range(20))


def test_a_share_of_nothing_holds_nothing_out():
    assert [len(away) for _, away in holdout.divide([5, 6], 0.0)] == [0, 0]


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_senseless_share_is_refused(share):
    with pytest.raises(UsageError, match="makes no sense"):
        holdout.divide([20], share)


def test_slices_are_thinned_evenly_to_the_pixels_that_can_be_used():
    chosen = holdout.thinned([100, 50], [(10, 10), (10, 10)], pixels=3000, least=2)
    assert [len(index) for index in chosen] == [20, 10]
    assert set(np.diff(chosen[0])) == {5}


def test_few_slices_are_all_kept():
    chosen = holdout.thinned([3, 2], [(10, 10), (20, 20)], pixels=1e6, least=2)
    assert [index.tolist() for index in chosen] == [[0, 1, 2], [0, 1]]


def test_thinning_keeps_the_least_and_one_slice_of_each_subject():
    chosen = holdout.thinned([50, 50, 2], [(99, 99)] * 3, pixels=1, least=8)
    assert [len(index) for index in chosen] == [4, 4, 1]


def test_a_pixel_is_seen_four_times_on_average():
    options = TrainingOptions(max_steps=300, batch_size=16, patch_size=48)
    drawn = 300 * 16 * 48**2
    assert holdout.pixels_to_learn_from(options) == drawn / 4


@pytest.mark.parametrize(
    ("learning", "away", "shape", "message"),
    [
        ([7], [9], (24, 24), "7 slices to learn from; .* at least 8"),
        ([4, 4], [1], (24, 24), "1 slices to validate on; .* at least 2"),
        ([9], [9], (40, 12), "pair 1 have 40x12 pixels; .* at least 16"),
    ],
)
def test_scarce_data_are_refused_with_the_minimum(learning, away, shape, message):
    with pytest.raises(DataError, match=message):
        holdout.refuse_scarce(learning, away, [shape])


def test_what_is_just_enough_is_taken():
    holdout.refuse_scarce([8], [2], [(16, 16)])
    holdout.refuse_scarce([8], None, [(16, 16)])


def test_views_of_one_person_stay_together():
    parts = holdout.divide([5, 5, 4, 4, 6, 6], 0.34, owners=[1, 1, 2, 2, 3, 3])
    kept = [len(learn) for learn, _ in parts]
    away = [len(held) for _, held in parts]
    assert kept[0::2] == kept[1::2]
    assert away[0::2] == away[1::2]
    assert sorted(away[0::2])[:2] == [0, 0]


def test_of_one_person_the_same_slices_of_every_view_are_held_out():
    (learnt, away), (others, gone) = holdout.divide([10, 10], 0.2, owners=[7, 7])
    assert away.tolist() == gone.tolist()
    assert learnt.tolist() == others.tolist()
    assert len(away) == 2
