from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guided_sr import GRDN, degrade, head_phantom, upsample
from guided_sr.errors import (
    DataError,
    GuidedSRWarning,
    RegistrationError,
    UsageError,
)
from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.training.subjects import subjects_of, supervised_subjects_of
from guided_sr.volumes import Registration, Volume


def prepare(pairs, **options):
    options = {
        "scale": (2.0, 2.0),
        "stages": 2,
        "guided": True,
        "stage_blur": "consistent",
        **options,
    }
    return subjects_of(pairs, **options)


@pytest.fixture
def pair(small_head):
    return degrade(small_head.t2, 2), small_head.t1


def test_the_observed_t2_is_the_first_level_untouched(pair):
    (subject,) = prepare([pair])
    assert subject.level_stack(subject.t2, 1).target is subject.t2
    assert subject.plan.shape == pair[0].shape[1:]
    assert subject.plan.target_shape == pair[1].shape[1:]
    slope, offset = np.polyfit(pair[0].ravel(), subject.t2.ravel(), 1)
    wanted = (pair[0] * slope + offset).astype(np.float32)
    np.testing.assert_allclose(subject.t2, wanted, atol=1e-5)


@pytest.mark.backend
def test_the_guide_is_blurred_to_the_level_and_the_target_is_not(pair):
    (subject,) = prepare([pair])
    level = subject.level_stack(subject.t2, 1)
    assert level.target is subject.t2
    wanted = subject.plan.guide(0)(subject.t1.astype(float))
    np.testing.assert_allclose(level.guide, wanted, atol=1e-5)


@pytest.mark.backend
def test_the_next_level_is_the_projected_estimate(pair, tiny):
    """A network that adds nothing leaves cubic interpolation and back-projection."""
    (subject,) = prepare([pair])
    network = GRDN(**tiny)
    network.get_layer("reconstruction").residual.set_weights(
        [np.zeros((3, 3, 8, 1)), np.zeros(1)]
    )
    out = subject.next_level(
        network, subject.t2, stage=1, back_projection=BackProjection()
    )
    plan, low = subject.plan, subject.t2.astype(float)
    wanted = back_project(upsample(low, plan.level_shape(1)), low, plan.observation(1))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, wanted, atol=1e-4)


def test_a_cascade_may_begin_lower_and_lead_to_what_is_known(pair):
    (subject,) = prepare([pair], stages=3)
    first = subject.plan.upsampling(1)(subject.t2).astype(np.float32)
    for level, stage, known in ((0, 2, subject.t2), (1, 2, first), (0, 3, subject.t2)):
        lower = subject.begun_lower(known, level=level, stage=stage)
        down = stage - level
        assert lower.t2.shape[1:] == subject.plan.shape_below(down)
        for k in range(down, 4):
            assert lower.plan.level_shape(k) == subject.plan.level_shape(k - down)
        seen = lower.plan.observation(stage)(known)
        np.testing.assert_allclose(lower.t2, seen, atol=1e-5)
        before = np.zeros((len(known), *lower.plan.level_shape(stage - 1)), np.float32)
        last = lower.level_stack(before, stage)
        assert last.target is known
        assert last.source is before
        finest = subject.plan.guide(3 - down)(subject.t1)
        np.testing.assert_allclose(lower.t1, finest, atol=1e-5)
        guide = lower.plan.guide(stage)(finest)
        np.testing.assert_allclose(last.guide, guide, atol=1e-5)
        rows = subject.plan.rows.pixel(3 - down)
        assert lower.spacing_mm == pytest.approx((1.0, rows, rows))


def test_what_has_too_few_pixels_does_not_begin_lower():
    head = head_phantom((16, 24), 2, seed=3, voxel_mm=4.0)
    pair = degrade(head.t2, (3, 1)), head.t1[:, :15]
    (subject,) = prepare([pair], scale=(3.0, 1.0), stages=3)
    assert subject.begun_lower(subject.t2, level=0, stage=3) is None


def test_empty_slices_are_left_out(pair):
    t2 = np.concatenate([pair[0], np.zeros_like(pair[0][:1])])
    t1 = np.concatenate([pair[1], pair[1][:1]])
    (subject,) = prepare([(t2, t1)])
    assert len(subject.t2) == len(subject.t1) == len(pair[0])


def test_a_t2_alone_is_enough_without_guide(pair):
    for given in (pair[0], (pair[0], None), pair):
        (subject,) = prepare([given], guided=False)
        assert subject.t1 is None
        assert subject.level_stack(subject.t2, 1).guide is None


def test_no_pairs_and_missing_guides_are_refused(pair):
    with pytest.raises(UsageError, match="no pairs"):
        prepare([])
    with pytest.raises(UsageError, match="no T1"):
        prepare([(pair[0], None)])


def test_a_pair_without_content_is_named(pair):
    speck = np.zeros_like(pair[0])
    speck[:, 0, 0] = (1.0, 2.0, 3.0)
    with pytest.raises(DataError, match="training pair 2 holds"):
        prepare([pair, (speck, pair[1])])


@pytest.mark.backend
def test_a_supervised_subject_is_trained_on_its_truth(small_head):
    (subject,) = supervised_subjects_of(
        [(small_head.t2, small_head.t1)],
        scale=(2.0, 2.0),
        stages=2,
        guided=True,
        stage_blur="consistent",
    )
    (observed,) = prepare([(degrade(small_head.t2, 2), small_head.t1)])
    np.testing.assert_allclose(subject.t2, observed.t2, atol=1e-6)
    last = subject.level_stack(subject.t2, 2)
    assert last.level == 2
    np.testing.assert_allclose(last.target, subject.truth, atol=1e-6)
    np.testing.assert_allclose(last.guide, subject.t1, atol=1e-6)
    first = subject.level_stack(subject.t2, 1)
    assert first.source is subject.t2
    wanted = subject.plan.guide(1)(subject.truth.astype(float))
    np.testing.assert_allclose(first.target, wanted, atol=1e-5)


def test_supervised_slices_are_cropped_to_a_multiple_of_the_scale(small_head):
    (subject,) = supervised_subjects_of(
        [(small_head.t2[:, :47], small_head.t1[:, :47])],
        scale=(2.0, 2.0),
        stages=1,
        guided=True,
        stage_blur="consistent",
    )
    assert subject.truth.shape[1:] == (46, 48)
    assert subject.t2.shape[1:] == (23, 24)


@pytest.mark.filterwarnings("ignore:the T1:guided_sr.errors.GuidedSRWarning")
@pytest.mark.filterwarnings("ignore:guidance limited")
def test_spacing_comes_from_the_affine(nifti_pair):
    (subject,) = prepare([(nifti_pair.t2, nifti_pair.t1)])
    assert subject.spacing_mm == pytest.approx((4.0, 0.5, 0.5))
    level = subject.level_stack(subject.t2, 1)
    assert level.spacing_mm == pytest.approx((4.0, 1.0, 1.0))


@pytest.fixture
def off_by_8_mm(small_head):
    """A T2 and its T1 as volumes, the T1 two voxels beside its place."""
    t2, t1 = (
        np.moveaxis(stack, 0, -1).astype(np.float32)
        for stack in (small_head.t2, small_head.t1)
    )
    away = small_head.affine.copy()
    away[0, 3] += 8.0
    return Volume(t2, small_head.affine), Volume(t1, away)


@pytest.fixture
def finder(monkeypatch):
    """Finds the place of any T1, unless it is told to fail."""

    class Finder:
        fails = False

        def __call__(self, t1, t2, *, register, t2_to_t1):
            if register == "none":
                return t1, Registration("none")
            if self.fails:
                raise RegistrationError("two starts end 9 mm apart")
            moved = dataclasses.replace(t1, affine=t2.affine)
            return moved, Registration(register, applied=True)

    made = Finder()
    monkeypatch.setattr("guided_sr.inference.guide.place_guide", made)
    return made


@pytest.mark.filterwarnings("ignore:guidance limited")
@pytest.mark.parametrize("views", [False, True])
def test_a_t1_that_lies_elsewhere_is_moved_before_it_teaches(
    off_by_8_mm, finder, views
):
    t2, t1 = off_by_8_mm
    right = (t2, dataclasses.replace(t1, affine=t2.affine))
    options = {"views": views, "scale": (2.0, 1.0) if views else (2.0, 2.0)}
    moved = prepare([off_by_8_mm], **options, register="auto")
    wanted = prepare([right], **options)
    assert len(moved) == (2 if views else 1)
    for one, other in zip(moved, wanted, strict=True):
        np.testing.assert_array_equal(one.t1, other.t1)
    left = prepare([off_by_8_mm], **options)
    assert np.abs(left[0].t1 - wanted[0].t1).max() > 0.1


@pytest.mark.filterwarnings("ignore:guidance limited")
def test_sharp_pairs_are_placed_likewise(off_by_8_mm, finder):
    options = {"scale": (2.0, 2.0), "stages": 1, "guided": True}
    options["stage_blur"] = "consistent"
    (moved,) = supervised_subjects_of([off_by_8_mm], **options, register="auto")
    (left,) = supervised_subjects_of([off_by_8_mm], **options)
    assert np.abs(left.t1 - moved.t1).max() > 0.1


@pytest.mark.filterwarnings("ignore:guidance limited")
def test_where_auto_finds_no_place_the_header_is_trusted_and_it_is_said(
    off_by_8_mm, finder
):
    finder.fails = True
    with pytest.warns(GuidedSRWarning, match="stays where its header puts it"):
        (found,) = prepare([off_by_8_mm], register="auto")
    np.testing.assert_array_equal(found.t1, prepare([off_by_8_mm])[0].t1)
    with pytest.raises(RegistrationError, match="register none"):
        prepare([off_by_8_mm], register="rigid")
