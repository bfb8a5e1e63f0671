from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.training.augmentation import (
    NONE,
    SUPERVISED,
    UNSUPERVISED,
    Draw,
    quarter_turns_and_flip,
    rotate_and_flip,
    spline_coefficients,
)


def drawn(augmentation, count=3000):
    rng = np.random.default_rng(0)
    draws = [augmentation.draw(rng) for _ in range(count)]
    return (
        {d.angle for d in draws},
        {round(d.rescale, 9) for d in draws},
        {d.flip for d in draws},
    )


def test_only_the_papers_angles_and_factors_are_drawn():
    angles, factors, flips = drawn(UNSUPERVISED)
    assert angles == set(np.arange(0.0, 360.0, 15.0))
    assert factors == {0.5, 0.6, 0.7, 0.8, 0.9, 1.0}
    assert flips == {False, True}


def test_slices_shrink_as_far_as_asked_for_and_never_grow():
    assert drawn(replace(UNSUPERVISED, rescale_from=0.8))[1] == {0.8, 0.9, 1.0}
    for wrong in (0.0, 1.5):
        with pytest.raises(UsageError, match="is no factor to shrink slices by"):
            replace(UNSUPERVISED, rescale_from=wrong)


def test_supervised_learning_turns_by_right_angles():
    assert drawn(SUPERVISED) == ({0.0, 90.0, 180.0, 270.0}, {1.0}, {False, True})


def test_no_augmentation_draws_nothing():
    assert drawn(NONE, 50) == ({0.0}, {1.0}, {False})


def test_along_one_axis_rows_stay_rows():
    angles, factors, _ = drawn(UNSUPERVISED.along_one_axis())
    assert angles == {0.0, 180.0}
    assert factors == {1.0}
    assert drawn(NONE.along_one_axis(), 50) == ({0.0}, {1.0}, {False})


def test_the_same_generator_draws_the_same():
    first, second = (
        UNSUPERVISED.draw(np.random.default_rng([1, 2, 3])) for _ in range(2)
    )
    assert first == second


@pytest.fixture
def blob():
    rows, columns = np.mgrid[0:32, 0:32]
    image = np.exp(-((rows - 11) ** 2 + (columns - 18) ** 2) / 18).astype(np.float32)
    return image, spline_coefficients(image)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_right_angles_are_exact_turns(blob, turns, flip):
    out = rotate_and_flip(*blob, Draw(90.0 * turns, flip))
    choices = [np.rot90(blob[0], turns), np.rot90(blob[0], -turns)]
    choices = [c[:, ::-1] if flip else c for c in choices]
    assert min(np.abs(out - c).max() for c in choices) < 1e-4
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


def test_two_half_turns_of_fifteen_degrees_are_thirty(blob):
    once = rotate_and_flip(*blob, Draw(15.0))
    twice = rotate_and_flip(once, spline_coefficients(once), Draw(15.0))
    np.testing.assert_allclose(twice, rotate_and_flip(*blob, Draw(30.0)), atol=0.01)


def test_a_turn_moves_the_centre_of_mass_about_the_centre(blob):
    out = rotate_and_flip(*blob, Draw(60.0))
    rows, columns = np.mgrid[0:32, 0:32] - 15.5
    before = np.hypot((blob[0] * rows).sum(), (blob[0] * columns).sum())
    after = np.hypot((out * rows).sum(), (out * columns).sum())
    assert after == pytest.approx(before, rel=0.02)


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("flip", [False, True])
def test_quarter_turns_move_pixels_and_change_none(rng, angle, flip):
    image = rng.normal(size=(6, 9)).astype(np.float32)
    turned = quarter_turns_and_flip(image, Draw(angle, flip))
    assert turned.shape == ((9, 6) if angle in (90.0, 270.0) else (6, 9))
    np.testing.assert_array_equal(np.sort(turned.ravel()), np.sort(image.ravel()))


def test_quarter_turns_turn_as_the_splines_do(rng):
    image = rng.normal(size=(9, 9)).astype(np.float32)
    draw = Draw(90.0, True)
    wanted = rotate_and_flip(image, spline_coefficients(image), draw)
    np.testing.assert_allclose(quarter_turns_and_flip(image, draw), wanted, atol=1e-4)


@pytest.mark.parametrize("shift", [(2.0, 0.0), (-1.0, 3.0)])
def test_a_shift_moves_the_slice_before_it_is_turned(rng, shift):
    image = rng.normal(size=(20, 20)).astype(np.float32)
    splines = spline_coefficients(image)
    moved = np.roll(image, [int(n) for n in shift], axis=(0, 1))
    inner = np.s_[5:15, 5:15]
    for draw in (Draw(), Draw(90.0, True), Draw(180.0)):
        wanted = quarter_turns_and_flip(moved, draw)
        for found in (
            rotate_and_flip(image, splines, draw, shift=shift),
            quarter_turns_and_flip(image, draw, shift=shift),
        ):
            np.testing.assert_allclose(found[inner], wanted[inner], atol=1e-4)
