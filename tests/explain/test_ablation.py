from __future__ import annotations

import numpy as np
import pytest

from guided_sr import GuidedSRModel
from guided_sr.errors import DataError, UsageError
from guided_sr.explain.ablation import NULLS, ablate_guide, null_guide
from guided_sr.explain.region import Region
from guided_sr.explain.subject import ExplainedSlice


@pytest.mark.backend
def test_the_map_is_where_the_guide_has_detail(boxed):
    change = ablate_guide(boxed).map
    inside = np.zeros(change.shape, bool)
    inside[16:32, 16:32] = True
    assert change[inside].mean() > 50 * change[~inside].mean()


def test_the_result_is_that_of_predict_cascade(trained, small_head, subject):
    from guided_sr import degrade

    whole = trained.predict_cascade(degrade(small_head.t2, 2), small_head.t1)
    found = ablate_guide(subject)
    np.testing.assert_allclose(found.result, whole[1], rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(found.map, np.abs(found.result - found.without))
    region = Region((10, 20), (12, 30))
    mean = (found.result - found.without)[10:20, 12:30].mean()
    assert found.change_in(region) == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("null", NULLS)
def test_every_null_guide_changes_the_result(subject, null):
    found = ablate_guide(subject, null)
    assert found.guide.shape == found.map.shape == (48, 48)
    assert found.map.max() > 0


def test_null_guides_are_what_they_are_called(subject, small_head):
    blurred = null_guide(subject, "blurred")
    assert blurred.mean() == pytest.approx(subject.t1.mean(), rel=0.01)
    assert np.abs(np.diff(blurred)).sum() < np.abs(np.diff(subject.t1)).sum()
    assert np.ptp(null_guide(subject, "mean")) == 0
    np.testing.assert_array_equal(
        null_guide(subject, "other_slice"), small_head.t1[2].astype(np.float32)
    )


def test_another_guide_keeps_the_intensity_scale_of_the_first(subject):
    pair = subject.with_guide(null_guide(subject, "mean"))
    assert pair.t1_scale == subject.inputs.t1_scale
    assert pair.t2_scale == subject.inputs.t2_scale


def test_what_cannot_be_explained_is_refused(boxed, subject, tiny):
    with pytest.raises(UsageError, match="null guide 'none' is unknown"):
        null_guide(subject, "none")
    with pytest.raises(UsageError, match="no other slice"):
        null_guide(boxed, "other_slice")
    with pytest.raises(UsageError, match="blur=0"):
        null_guide(boxed, blur=0)
    with pytest.raises(UsageError, match="no slice 3"):
        ExplainedSlice.of(subject.model, subject.inputs, index=3)
    with pytest.raises(UsageError, match="no guide"):
        ExplainedSlice.of(GuidedSRModel(guided=False, **tiny), subject.inputs)
    t2 = subject.inputs.t2.copy()
    t2[0] = 0
    with pytest.raises(DataError, match="nothing but background"):
        ExplainedSlice.of(subject.model, t2, subject.inputs.t1, index=0)
