from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guided_sr.errors import DataError, GuidedSRWarning, UsageError
from guided_sr.inference.guide_test import GuideTest, _held_out
from guided_sr.physics.cascade_plan import CascadePlan

HURTS = "the T1 does not help"


def moved(volume, pixels):
    return dataclasses.replace(volume, data=np.roll(volume.data, pixels, axis=(0, 1)))


def predict(model, t2, t1, **how):
    return model.predict_cascade(t2, t1, register="none", **how)


def test_a_test_says_its_figures_and_what_follows():
    assert GuideTest(0.2, 0.1, 12).hurts
    assert not GuideTest(0.9, 0.1, 12).hurts
    assert GuideTest(0.12345, 0.1, 12).to_dict() == {
        "gain_db": 0.123,
        "spread_db": 0.1,
        "slices": 12,
        "needed_db": 0.3,
        "hurts": True,
    }


@pytest.mark.parametrize(
    ("scale", "stages", "below"),
    [
        ((4.0, 4.0), 1, (60, 38)),
        ((2.0, 2.0), 3, (48, 30)),
        ((3.0, 1.0), 2, (46, 60)),
        ((6.0, 1.0), 1, (53, 60)),
        ((1.3, 1.0), 3, (74, 60)),
        ((1.0, 4.0), 1, (96, 38)),
        ((1.2, 4.0), 1, (90, 38)),
    ],
)
def test_small_stages_are_tried_together(scale, stages, below):
    plan = CascadePlan.create((96, 60), scale=scale, stages=3)
    one, down = _held_out(plan)
    assert (one.stages, one.shape, one.target_shape) == (stages, below, (96, 60))
    assert (down.rows.n_to, down.columns.n_to) == below


@pytest.mark.parametrize(
    ("rows", "scale", "stages"), [(6, 2.0, 2), (5, 2.0, 1), (5, 4.0, 0), (4, 2.0, 0)]
)
def test_slices_that_would_become_too_small_are_not_held_out(rows, scale, stages):
    found = _held_out(CascadePlan.create((rows, 60), scale=scale, stages=3))
    assert (found[0].stages if found else 0) == stages


def test_a_guide_that_helps_is_used_and_its_worth_told(printing, sharp_pair):
    result = predict(printing, *sharp_pair)
    assert result.qc["guide_used"]
    assert result.qc["guide_gain_db"] > 0.5
    known = result.provenance["guide_use"]
    assert result.qc["guide_spread_db"] == known["in_plane"]["spread_db"] > 0.0
    assert result.qc["guide_slices"] == 6
    assert known["asked"] == "auto"
    assert known["in_plane"]["slices"] == 6
    assert known["in_plane"]["unguided"]["name"] == "unguided"
    assert result.provenance["model"]["name"] == "guided"


def test_a_guide_that_hurts_is_left_out_with_a_warning(printing, sharp_pair):
    t2, t1 = sharp_pair
    with pytest.warns(GuidedSRWarning, match=HURTS):
        result = predict(printing, t2, moved(t1, (9, 7)))
    bare = predict(printing.unguided, t2, None)
    np.testing.assert_array_equal(result.data, bare.data)
    assert not result.qc["guide_used"]
    assert result.qc["guide_gain_db"] < 0.0
    assert result.qc["verdict"] == "LOOK"
    assert any(HURTS in one for one in result.qc["reasons"])
    used = result.provenance["model"]
    assert (used["name"], used["in_place_of"]["name"]) == ("unguided", "guided")


def test_asked_for_it_is_used_all_the_same(printing, sharp_pair):
    t2, t1 = sharp_pair
    with pytest.warns(GuidedSRWarning, match="used all the same"):
        result = predict(printing, t2, moved(t1, (9, 7)), guide_use="always")
    assert result.qc["guide_used"]
    assert result.provenance["model"]["name"] == "guided"


def test_never_needs_no_t1(printing, sharp_pair):
    result = predict(printing, sharp_pair[0], None, guide_use="never")
    bare = predict(printing.unguided, sharp_pair[0], None)
    np.testing.assert_array_equal(result.data, bare.data)
    assert result.provenance["guide_use"] == {"asked": "never", "used": False}


def test_a_guide_that_hurts_is_refused_where_doubt_is(printing, sharp_pair):
    t2, t1 = sharp_pair
    with pytest.raises(DataError, match=HURTS):
        predict(printing, t2, moved(t1, (9, 7)), strict=True)


def test_arrays_are_put_to_the_test_unless_none_is_wanted(printing, sharp_pair):
    t2, t1 = (np.moveaxis(one.data, -1, 0) for one in sharp_pair)
    wrong = np.roll(t1, (9, 7), axis=(1, 2))
    bare = printing.unguided.predict_cascade(t2)
    with pytest.warns(GuidedSRWarning, match=HURTS):
        best = printing.predict_cascade(t2, wrong)
    np.testing.assert_array_equal(best, bare)
    untested = printing.predict_cascade(t2, wrong, guide_use=None)
    assert np.abs(untested - bare).max() > 0.0
    np.testing.assert_array_equal(printing.predict_cascade(t2, guide_use="never"), bare)


def test_planes_across_thick_slices_are_held_out_too(random_model, thick):
    model = random_model((4.0, 1.0), scale_range=(2.0, 6.0))
    model.unguided = random_model((4.0, 1.0), scale_range=(2.0, 6.0), guided=False)
    result = predict(model, thick["t2"], thick["t1"], guide_use="always")
    assert result.provenance["guide_use"]["through_plane"]["slices"] == 12


@pytest.mark.parametrize(
    ("how", "says"), [("sometimes", "unknown"), ("never", "none without guide")]
)
def test_what_cannot_be_is_refused(how, says, random_model, sharp_pair):
    with pytest.raises(UsageError, match=says):
        predict(random_model((2.0, 2.0)), *sharp_pair, guide_use=how)


def test_a_partner_of_other_stages_is_refused(random_model, sharp_pair):
    model = random_model((2.0, 2.0))
    model.unguided = random_model((2.0, 2.0), stages=1, guided=False)
    with pytest.raises(UsageError, match="same stages"):
        predict(model, *sharp_pair)
