from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UnknownScaleError, UsageError
from guided_sr.inference.volume_plan import (
    Served,
    VolumePlan,
    target_for,
    with_in_plane_shape,
)
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.volumes import choose_target, corners

IN_PLANE = Served((2.0, 2.0), None, 2, "consistent")
SLICES = Served((4.0, 1.0), (2.0, 6.0), 3, "consistent")


def plan(sizes, shape, models, **options):
    profile = options.pop("profile", None)
    grid = target_for(np.diag([*sizes, 1.0]), shape, models, **options)
    return VolumePlan.create(grid, models, profile=profile)


def test_thick_slices_are_cut_into_both_plane_stacks():
    made = plan((0.5, 0.5, 4), (40, 48, 10), [SLICES])
    assert made.in_plane is None
    one, other = made.through_plane
    assert (one.shape, one.target_shape) == ((10, 40), (40, 40))
    assert (other.shape, other.target_shape) == ((10, 48), (40, 48))
    assert made.target_shape == (40, 48, 40)
    assert made.summary()["target_voxel_mm"] == pytest.approx([0.5, 0.5, 1.0])


def test_a_sagittal_file_has_its_slices_across_the_first_axis():
    affine = np.array([[0, 0, 4.0, 0], [-0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0, 1]])
    grid = target_for(affine, (40, 48, 10), [SLICES])
    made = VolumePlan.create(grid, [SLICES])
    assert (made.across, made.shape) == (0, (10, 40, 48))
    assert grid.target_shape == (40, 48, 40)
    gap = np.sort(corners(made.affine, made.target_shape), axis=0)
    np.testing.assert_allclose(
        gap, np.sort(corners(affine, grid.shape), axis=0), atol=1e-9
    )


def test_in_plane_comes_first_where_both_are_enlarged():
    made = plan((2, 2, 4), (20, 24, 10), [IN_PLANE, SLICES])
    assert made.in_plane.target_shape == (40, 48)
    assert [one.shape for one in made.through_plane] == [(10, 40), (10, 48)]
    assert made.target_shape == (40, 48, 40)
    assert [line.n_to for line in made.observation.lines] == [20, 24, 10]


def test_the_observation_has_the_profile_of_the_slices():
    made = plan((1, 1, 4), (20, 24, 10), [SLICES], profile=SliceProfile("box", 0.25))
    line = made.observation.lines[2]
    assert (line.profile, line.sigma) == ("box", pytest.approx(3 / np.sqrt(12)))
    assert [one.is_identity for one in made.observation.lines] == [True, True, False]


def test_a_single_model_decides_what_is_enlarged():
    assert plan((2, 2, 4), (20, 24, 10), [IN_PLANE]).target_shape == (40, 48, 10)
    assert plan((2, 2, 4), (20, 24, 10), [SLICES], scale=3).target_shape[2] == 30
    assert plan((2, 2, 4), (20, 24, 10), [IN_PLANE], scale=(2, 2)).in_plane is not None
    fixed = Served((3.0, 1.0), None, 2, "consistent")
    assert plan((1, 1, 4), (20, 24, 10), [fixed]).target_shape == (20, 24, 30)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "the model's own"),
        ({"scale": 2}, "the model's own"),
        ({"scale": 2, "axes": "in-plane"}, "as asked for"),
        ({"scale": (2, 2)}, "as asked for"),
    ],
)
def test_the_plan_says_who_has_chosen_the_axes(options, reason):
    assert plan((2, 2, 2), (20, 24, 10), [IN_PLANE], **options).grid.reason.endswith(
        reason
    )


@pytest.mark.parametrize(
    ("models", "options", "kind", "message"),
    [
        ([IN_PLANE], {"axes": "slice"}, UsageError, "enlarges the in-plane axes"),
        ([IN_PLANE], {"scale": 3}, UnknownScaleError, "scale 3; it knows 2"),
        ([IN_PLANE], {"scale": (4, 4)}, UnknownScaleError, "scale 4; it knows 2"),
        ([SLICES], {"scale": 7}, UnknownScaleError, "7; it knows 2 to 6 along"),
        ([SLICES], {"scale": (2, 2, 2)}, UsageError, "no model for the in-plane"),
    ],
)
def test_what_the_models_do_not_serve_is_refused(models, options, kind, message):
    with pytest.raises(kind, match=message):
        plan((1, 1, 4), (20, 24, 10), models, **options)


def test_an_exact_size_in_plane():
    grid = choose_target(np.diag([2.0, 2.0, 4.0, 1.0]), (20, 24, 6), scale=(2, 2, 1))
    assert with_in_plane_shape(grid, (41, 49)).target_shape == (41, 49, 6)
    with pytest.raises(UsageError, match="not finer"):
        with_in_plane_shape(grid, (19, 49))


def test_a_model_that_does_not_serve_a_factor_is_named():
    with pytest.raises(UnknownScaleError, match="the model mine was not trained for"):
        plan((1, 1, 4), (20, 24, 10), [SLICES._replace(name="mine")], scale=7)
