from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from guided_sr.errors import GeometryError, GuidedSRWarning, UsageError
from guided_sr.volumes import Volume, place_guide, read_volume, registration
from guided_sr.volumes.mutual_information import MutualInformation

SHIFT = (12.0, 12.8, 9.6)  # 20 mm


@pytest.fixture(scope="module")
def far(head):
    """A T1 away by 10 degrees and 20 mm, and where it was placed."""
    away = head.moved_t1(head.motion(10.0, SHIFT))
    return away, *place_guide(away, head.t2, register="auto")


def test_a_turn_of_10_degrees_and_a_shift_of_20_mm_are_undone(head, far):
    away, placed, found = far
    assert head.off(away) > 20.0
    assert head.off(placed) < 0.25
    assert found.applied
    assert found.misfit.shift_mm == pytest.approx(20.0, abs=1.0)
    assert found.misfit.degrees == pytest.approx(10.0, abs=0.3)
    assert found.residual.mm < 0.25
    assert found.information[1] > 2 * found.information[0]


def test_only_the_affine_of_the_guide_changes(head, far):
    _, placed, _ = far
    assert placed.data is head.t1.data


def test_the_same_images_give_the_same_bits(head, far):
    away, placed, _ = far
    again, _ = place_guide(away, head.t2, register="auto")
    assert again.affine.tobytes() == placed.affine.tobytes()


def test_what_was_found_is_plain_data_and_one_line(far):
    known = json.loads(json.dumps(far[2].to_dict()))
    assert known["mode"] == "auto"
    assert known["applied"] is True
    assert known["misfit"]["degrees"] == pytest.approx(10.0, abs=0.3)
    assert known["mutual_information"]["placement"] > 0
    assert np.shape(known["t1_to_t2_ras_mm"]) == (4, 4)
    assert "the T1 is moved" in far[2].describe()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_are_registered_too(head, axis):
    away = head.moved_t1(head.motion(10.0, SHIFT))
    placed, _ = place_guide(away, head.thick_t2(axis), register="rigid")
    assert head.off(placed) < 0.5


def test_a_registered_pair_is_left_alone(head):
    placed, found = place_guide(head.t1, head.t2, register="auto")
    assert placed is head.t1
    assert not found.applied
    assert found.misfit.mm < 0.25
    assert "left where it is" in found.describe()


def test_a_small_misfit_is_left_to_auto_and_corrected_by_rigid(head):
    away = head.moved_t1(head.motion(0.0, (0.5, 0.0, 0.0)))
    assert place_guide(away, head.t2, register="auto")[0] is away
    placed, found = place_guide(away, head.t2, register="rigid")
    assert found.applied
    assert head.off(placed) < 0.25


def test_an_oblique_left_handed_t2_is_registered(head):
    turn = head.motion(-8.0)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = head.t2.data.shape[0] - 1
    t2 = Volume(head.t2.data[::-1], turn @ head.affine @ flip)
    placed, found = place_guide(head.t1, t2, register="rigid")
    back = Volume(placed.data, np.linalg.inv(turn) @ placed.affine)
    assert head.off(back) < 0.25
    assert found.misfit.degrees == pytest.approx(8.0, abs=0.3)


def test_none_measures_nothing(head, monkeypatch):
    monkeypatch.setattr(registration, "MutualInformation", None)
    placed, found = place_guide(head.t1, head.t2, register="none")
    assert placed is head.t1
    assert found.to_dict() == {"mode": "none", "applied": False}


def refused(t1, t2, message, kind=GeometryError, **options):
    with pytest.raises(kind, match=message) as refusal:
        place_guide(t1, t2, **{"register": "rigid", **options})
    return refusal.value


def test_more_than_30_mm_is_refused_in_either_mode(head):
    away = head.moved_t1(head.motion(0.0, (34.0, 0.0, 0.0)))
    assert "--register none" in refused(away, head.t2, "limits are 30 mm").mend
    refused(away, head.t2, "failed: it moves the T1 by 34 mm", register="auto")


def test_more_than_20_degrees_is_refused(head):
    refused(head.moved_t1(head.motion(25.0)), head.t2, "25 degrees")


def test_a_search_that_does_not_come_to_rest_is_refused(head, monkeypatch):
    monkeypatch.setattr("guided_sr.volumes.mutual_information._STEPS", 2)
    away = head.moved_t1(head.motion(3.0, (5.0, 0.0, 0.0)))
    error = refused(away, head.t2, "failed: the search did not come to rest")
    assert error.exit_code == 65


def test_two_answers_are_none(head, monkeypatch):
    monkeypatch.setattr(
        MutualInformation, "maximise", lambda self, start, levels=3: start
    )
    refused(head.t1, head.t2, "two starts end")


def test_less_mutual_information_is_a_failure(head, monkeypatch):
    away = head.moved_t1(head.motion(0.0, (3.0, 0.0, 0.0)))
    true = MutualInformation.of
    monkeypatch.setattr(MutualInformation, "of", lambda *given: -true(*given))
    for mode in ("auto", "rigid"):
        refused(away, head.t2, "the mutual information falls", register=mode)


def test_images_that_do_not_overlap_are_refused(head):
    away = head.moved_t1(head.motion(0.0, (500.0, 0.0, 0.0)))
    refused(away, head.t2, "do not overlap", register="auto")


def test_a_thin_slab_is_left_by_auto_and_a_very_thin_one_refused_by_rigid(head):
    slab = Volume(np.ascontiguousarray(head.t2.data[:, :, 20:34]), head.affine)
    placed, found = place_guide(head.t1, slab, register="auto")
    assert placed is head.t1
    assert found.placement is None
    assert "too thin to measure" in found.describe()
    slab = Volume(np.ascontiguousarray(head.t2.data[:, :, 20:23]), head.affine)
    refused(head.t1, slab, "shorter than 4 voxels")


def sheared(volume, degrees):
    shear = np.eye(4)
    shear[0, 1] = np.tan(np.radians(2 * degrees))
    return dataclasses.replace(volume, affine=volume.affine @ shear)


def test_what_will_be_done_is_told_before_anything_is_measured(head):
    slab = Volume(head.t2.data[..., :8], head.t2.affine)
    for register, t2, words in (
        ("auto", head.t2, "auto: the misfit is measured in the run"),
        ("rigid", slab, "rigid: the misfit is measured in the run"),
        ("auto", slab, "auto: a slab too thin to measure"),
        ("none", head.t2, "none: the T1 lies where its header says"),
    ):
        told = registration.announced(register, head.t1, t2)
        assert told.startswith(words)


def test_a_sheared_affine_is_refused_with_its_angle(head):
    refused(head.t1, sheared(head.t2, 2.0), r"T2 is sheared by 2\.0 degrees")
    refused(sheared(head.t1, 2.0), head.t2, "T1 is sheared", register="auto")


def test_a_little_shear_is_said(head):
    with pytest.warns(GuidedSRWarning, match=r"T2 is sheared by 0\.20 degrees"):
        place_guide(head.t1, sheared(head.t2, 0.2), register="auto")


def test_options_that_make_no_sense_are_refused(head, tmp_path):
    refused(head.t1, head.t2, "'affine' is unknown", UsageError, register="affine")
    file = tmp_path / "x.txt"
    refused(head.t1, head.t2, "registration asked for", UsageError, t2_to_t1=file)


def write_itk(path, placement):
    """A transform from T2 to T1: LPS points of the T1 to those of the T2."""
    x = np.diag([-1, -1, 1, 1]) @ placement @ np.diag([-1, -1, 1, 1])
    numbers = " ".join(repr(float(v)) for v in (*x[:3, :3].ravel(), *x[:3, 3]))
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\n"
        f"Transform: AffineTransform_double_3_3\nParameters: {numbers}\n"
        "FixedParameters: 0 0 0\n"
    )
    return path


def test_a_given_transform_places_the_guide(head, tmp_path):
    motion = head.motion(10.0, SHIFT)
    file = write_itk(tmp_path / "x.txt", np.linalg.inv(motion))
    away = head.moved_t1(motion)
    placed, found = place_guide(away, head.t2, register="auto", t2_to_t1=file)
    np.testing.assert_allclose(placed.affine, head.affine, atol=1e-9)
    assert found.mode == "file"
    assert found.misfit.degrees == pytest.approx(10.0, abs=0.01)
    assert len(found.to_dict()["file"]["sha256"]) == 64


def test_a_transform_the_wrong_way_round_is_refused(head, tmp_path):
    motion = head.motion(10.0, SHIFT)
    file = write_itk(tmp_path / "x.txt", motion)
    error = refused(
        head.moved_t1(motion), head.t2, "inverse", register="none", t2_to_t1=file
    )
    assert str(file) in str(error)


def test_a_transform_that_fits_worse_than_the_headers_is_said(head, tmp_path):
    file = write_itk(tmp_path / "x.txt", head.motion(0.0, (4.0, 0.0, 0.0)))
    with pytest.warns(GuidedSRWarning, match="fits the T2 worse"):
        place_guide(head.t1, head.t2, t2_to_t1=file)


@pytest.mark.slow
def test_the_phantom_is_registered():
    from guided_sr.datasets.phantom import head_phantom

    made = head_phantom((60, 72), 16, seed=3, voxel_mm=3.0)
    t2, t1 = (
        Volume(np.ascontiguousarray(np.moveaxis(stack, 0, -1)), made.affine)
        for stack in (made.t2, made.t1)
    )
    motion = np.eye(4)
    c, s = np.cos(np.radians(10.0)), np.sin(np.radians(10.0))
    motion[:3] = [[c, -s, 0, 12.0], [s, c, 0, 14.0], [0, 0, 1, 8.0]]
    away = Volume(t1.data, motion @ made.affine)
    placed, _ = place_guide(away, t2, register="auto")
    gap = registration.Misfit.of(
        placed.affine @ np.linalg.inv(made.affine), MutualInformation(t1, t2)
    )
    assert gap.mm < 0.5
    assert place_guide(t1, t2, register="auto")[0] is t1


@pytest.mark.real_data
def test_a_real_pair_is_registered_and_left_alone_when_it_is(open_ms, head):
    folder = open_ms / "crop_patient07"
    t2 = read_volume(folder / "t2.nii.gz")
    t1 = read_volume(folder / "t1.nii.gz", name="T1")
    still, at_rest = place_guide(t1, t2, register="auto")
    assert still is t1
    near = head.motion(5.0, (6.0, 6.4, 4.8))
    away = dataclasses.replace(t1, affine=near @ t1.affine)
    placed, _ = place_guide(away, t2, register="auto")
    gap = registration.Misfit.of(
        placed.affine @ np.linalg.inv(at_rest.placement @ t1.affine),
        MutualInformation(t1, t2),
    )
    assert gap.mm < 0.5
    # A piece of brain, without the outline of the head, is lost 20 mm away, and
    # that is noticed.
    far = head.motion(10.0, SHIFT)
    refused(dataclasses.replace(t1, affine=far @ t1.affine), t2, "failed")


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mni_patient07", "mni_patient19"])
def test_thick_slices_of_a_real_pair_are_registered(open_ms, head, name):
    t2 = read_volume(open_ms / name / "t2.nii.gz")
    t1 = read_volume(open_ms / name / "t1.nii.gz", name="T1")
    whole = t2.data[:, :, :180].reshape(*t2.data.shape[:2], 45, 4).mean(axis=3)
    affine = t2.affine @ np.diag([1.0, 1.0, 4.0, 1.0])
    affine[:3, 3] += 1.5 * t2.affine[:3, 2]
    thick = Volume(whole, affine)
    still, at_rest = place_guide(t1, thick, register="auto")
    assert still is t1
    away = dataclasses.replace(t1, affine=head.motion(10.0, SHIFT) @ t1.affine)
    placed, _ = place_guide(away, thick, register="auto")
    gap = registration.Misfit.of(
        placed.affine @ np.linalg.inv(at_rest.placement @ t1.affine),
        MutualInformation(t1, thick),
    )
    assert gap.mm < 0.5
