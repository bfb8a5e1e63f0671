from __future__ import annotations

import threading

import keras
import numpy as np
import pytest

from guided_sr import degrade
from guided_sr.errors import DataError, UsageError
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import SeparableOperator
from guided_sr.training.augmentation import (
    NONE,
    SUPERVISED,
    UNSUPERVISED,
    Augmentation,
    Draw,
)
from guided_sr.training.options import patch_size
from guided_sr.training.patches import (
    LevelStack,
    PatchDataset,
    training_inputs,
)

LOW = (24, 24)


@pytest.fixture
def level(small_head):
    """Three observed slices with a guide of their own size, at level 0."""
    target = degrade(small_head.t2, 2) / 1000
    guide = degrade(small_head.t1, 2) / 1000
    plan = CascadePlan.create(LOW, scale=2, stages=2)
    return LevelStack(target, guide, plan, 0)


def dataset(levels, **options):
    options = {
        "patch": 16,
        "batch_size": 6,
        "augmentation": UNSUPERVISED,
        "seed": 3,
        "steps_per_epoch": 4,
        "first_epoch": 0,
        "epochs": 3,
        **options,
    }
    return PatchDataset(levels, **options)


def same(a, b):
    for x, y in zip(keras.tree.flatten(a), keras.tree.flatten(b), strict=True):
        np.testing.assert_array_equal(x, y)


def low_pass(images, level, **options):
    """``U(D B y)`` of whole slices by the plan's NumPy operators."""
    down = level.plan.degradation(level.level, **options)
    coarse = (down.rows.n_to, down.columns.n_to)
    return SeparableOperator.interpolation(coarse, images.shape[-2:])(down(images))


@pytest.mark.backend
def test_a_batch_is_named_and_of_the_size_asked_for(level):
    inputs, target = dataset([level])[0]
    assert set(inputs) == {"t2", "t1"}
    for array in (*inputs.values(), target):
        assert isinstance(array, np.ndarray)
        assert array.shape == (6, 16, 16, 1)
        assert array.dtype == np.float32


def test_a_batch_depends_on_seed_epoch_and_index_alone(level):
    data = dataset([level])
    wanted = [data[k] for k in range(len(data))]
    assert len(wanted) == 12
    for k in (7, 3, 0):
        same(dataset([level])[k], wanted[k])
    assert not np.array_equal(wanted[0][1], wanted[1][1])
    assert not np.array_equal(wanted[0][1], wanted[4][1])
    assert not np.array_equal(dataset([level], seed=4)[0][1], wanted[0][1])


@pytest.mark.backend
def test_data_that_start_later_give_the_batches_of_then(level):
    data, later = dataset([level]), dataset([level], first_epoch=2)
    assert len(later) == 4
    for k in range(4):
        same(later[k], data[8 + k])


def test_the_next_batches_are_made_while_one_is_learnt_from(level):
    data, made = dataset([level]), threading.Event()
    honest = data._batch

    def noticed(index):
        if index == 1:
            made.set()
        return honest(index)

    data._batch = noticed
    wanted = honest(1)
    data[0]
    assert made.wait(timeout=60)
    same(data[1], wanted)


def test_what_fails_ahead_is_told_when_its_batch_is_asked_for(level):
    data = dataset([level])
    honest = data._batch

    def broken(index):
        if index == 1:
            raise DataError("a slice is broken")
        return honest(index)

    data._batch = broken
    data[0]
    with pytest.raises(DataError, match="broken"):
        data[1]


def test_target_and_guide_are_cut_at_one_place(level):
    """A guide that is the target stays the target through all augmentation."""
    twin = LevelStack(level.target, level.target.copy(), level.plan, 0)
    data = dataset([twin], batch_size=16)
    for k in range(6):
        inputs, target = data[k]
        np.testing.assert_array_equal(inputs["t1"], target)


@pytest.mark.backend
def test_the_input_is_the_whole_slice_degraded_by_the_plan(level):
    data = dataset([level], patch=24, augmentation=NONE)
    inputs, target = data[0]
    wanted = low_pass(target[..., 0].astype(float), level)
    np.testing.assert_allclose(inputs["t2"][..., 0], wanted, atol=1e-5)
    assert any(np.array_equal(target[0, ..., 0], x) for x in level.target)


def test_a_patch_is_cut_from_the_degraded_slice_and_not_degraded_itself(level):
    one = LevelStack(level.target[:1], level.guide[:1], level.plan, 0)
    inputs, target = dataset([one], augmentation=NONE)[0]
    whole = low_pass(one.target.astype(float), one)[0]
    windows = np.lib.stride_tricks.sliding_window_view
    places = windows(one.target[0], (16, 16))
    for k in range(len(target)):
        apart = np.abs(places - target[k, ..., 0]).max(axis=(2, 3))
        row, column = np.unravel_index(apart.argmin(), apart.shape)
        assert apart[row, column] == 0.0
        for found, image in ((inputs["t2"], whole), (inputs["t1"], one.guide[0])):
            wanted = windows(image, (16, 16))[row, column]
            np.testing.assert_allclose(found[k, ..., 0], wanted, atol=1e-5)


def test_the_observed_image_itself_is_the_target(level):
    """Eq. 4: the T2 is low-resolution already and is never degraded to make it so."""
    inputs, target = dataset([level], patch=24, augmentation=NONE)[0]
    for image in target[..., 0]:
        assert any(np.array_equal(image, x) for x in level.target)
    assert np.abs(inputs["t2"] - target).max() > 0.01


def test_rescaled_slices_are_degraded_by_the_same_ratio(level):
    half = Augmentation((), False, (0.5,), 0.5)
    data = dataset([level], patch=16, augmentation=half, batch_size=32)
    inputs, target = data[0]
    small = SeparableOperator.interpolation(LOW, (16, 16))
    known = small(level.target.astype(float))
    wanted = low_pass(known, level, shape=(16, 16))
    rescaled = 0
    for found, image in zip(inputs["t2"][..., 0], target[..., 0], strict=True):
        for k in range(3):
            if np.abs(image - known[k]).max() < 1e-5:
                rescaled += 1
                np.testing.assert_allclose(found, wanted[k], atol=1e-5)
    assert rescaled > 4


def test_the_blur_factor_of_the_epoch_is_used(level):
    data = dataset(
        [level], patch=24, augmentation=NONE, blur=lambda epoch: 1.0 + 0.3 * epoch
    )
    for epoch in (0, 1, 2):
        inputs, target = data[4 * epoch]
        wanted = low_pass(target[..., 0].astype(float), level, blur=1 + 0.3 * epoch)
        np.testing.assert_allclose(inputs["t2"][..., 0], wanted, atol=1e-5)


def test_every_subject_and_slice_is_drawn(level):
    bright = LevelStack(level.target + 10, level.guide, level.plan, 0)
    data = dataset([level, bright], patch=24, augmentation=NONE, batch_size=64)
    seen = np.concatenate([data[k][1][..., 0] for k in range(3)])
    for stack in (level, bright):
        for image in stack.target:
            assert any(np.array_equal(image, x) for x in seen)


def test_patches_avoid_the_empty_background(level):
    target = np.zeros((1, 96, 96), np.float32)
    target[0, 8:24, 8:24] = 1.0
    plan = CascadePlan.create((96, 96), scale=2, stages=1)
    _, patches = dataset([LevelStack(target, None, plan, 0)], batch_size=64)[0]
    assert (patches.mean(axis=(1, 2, 3)) > 0).mean() > 0.3


def test_without_a_guide_there_is_no_t1(level):
    inputs, _ = dataset([LevelStack(level.target, None, level.plan, 0)])[0]
    assert set(inputs) == {"t2"}


@pytest.mark.parametrize(
    ("shapes", "wanted", "side"),
    [
        ([(180, 216)], 48, 48),
        ([(180, 216), (45, 54)], 48, 44),
        ([(20, 33)], 48, 20),
        ([(18, 33)], 48, 16),
    ],
)
def test_patches_fit_the_smallest_slice_in_steps_of_four(shapes, wanted, side):
    assert patch_size(shapes, wanted) == side


def test_slices_below_sixteen_pixels_are_refused():
    with pytest.raises(DataError, match="only 15 pixels"):
        patch_size([(15, 99)], 48)


def test_sizes_must_be_positive(level):
    with pytest.raises(UsageError, match="at least 1"):
        dataset([level], batch_size=0)


@pytest.mark.backend
def test_validation_inputs_are_those_of_training_without_augmentation(level):
    inputs = training_inputs(level, slice(0, 2))
    down = level.plan.degradation(0)
    numpy = {name: keras.ops.convert_to_numpy(x)[..., 0] for name, x in inputs.items()}
    np.testing.assert_allclose(
        numpy["observed"], down(level.target[:2].astype(float)), atol=1e-5
    )
    np.testing.assert_allclose(
        numpy["t2"], low_pass(level.target[:2].astype(float), level), atol=1e-5
    )
    np.testing.assert_array_equal(numpy["t1"], level.guide[:2])


@pytest.fixture
def known(small_head):
    """Slices whose truth is known: source 24 x 24, target and guide 48 x 48."""
    plan = CascadePlan.create(LOW, scale=2, stages=1)
    low = degrade(small_head.t2, 2) / 1000
    return LevelStack(
        small_head.t2 / 1000, small_head.t1 / 1000, plan, 1, source=low.astype("f4")
    )


@pytest.mark.backend
def test_with_a_truth_the_input_is_interpolated_from_the_source(known):
    data = dataset([known], augmentation=NONE, patch=48, batch_size=1)
    inputs, target = data[0]
    (index,) = [
        k
        for k, truth in enumerate(known.target)
        if np.array_equal(truth, target[0, ..., 0])
    ]
    wanted = SeparableOperator.interpolation(LOW, (48, 48))(known.source[index])
    np.testing.assert_allclose(inputs["t2"][0, ..., 0], wanted, atol=1e-5)
    np.testing.assert_array_equal(inputs["t1"][0, ..., 0], known.guide[index])


def test_turned_slices_of_a_known_truth_stay_aligned(known):
    data = dataset([known], augmentation=SUPERVISED, batch_size=32)
    inputs, target = data[0]
    aligned = np.abs(inputs["t2"] - target).mean()
    turned = np.abs(np.rot90(inputs["t2"], 1, axes=(1, 2)) - target).mean()
    assert aligned < 0.5 * turned


def test_jitter_moves_the_guide_and_nothing_else(level):
    plain = dataset([level], augmentation=NONE)
    jittered = dataset([level], augmentation=NONE, guide_jitter_mm=3.0)
    assert not np.array_equal(plain[0][0]["t1"], jittered[0][0]["t1"])
    twin = LevelStack(level.target, level.target.copy(), level.plan, 0)
    inputs, target = dataset([twin], augmentation=NONE, guide_jitter_mm=3.0)[0]
    assert not np.array_equal(inputs["t1"], target)
    inputs, target = dataset([twin], augmentation=NONE, guide_jitter_mm=1e-9)[0]
    np.testing.assert_allclose(inputs["t1"], target, atol=1e-5)


def test_jitter_across_slices_takes_a_neighbour(level):
    guide = np.stack([np.full(LOW, k, np.float32) for k in range(3)])
    flat = LevelStack(level.target, guide, level.plan, 0, spacing_mm=(2.0, 1.0, 1.0))
    seen = set()
    for index in range(12):
        inputs, _ = dataset([flat], guide_jitter_mm=3.0)[index]
        seen |= set(np.round(inputs["t1"]).ravel().astype(int).tolist())
    assert seen == {0, 1, 2}
    near = LevelStack(level.target, guide, level.plan, 0, spacing_mm=(9.0, 1.0, 1.0))
    images, _ = near.augmented(1, Draw(), np.array([3.0, 0.0, 0.0]))
    assert np.unique(images[1]).tolist() == [1.0]


def test_noise_of_the_guide_changes_nothing_else_and_not_its_air(level):
    air = level.guide.copy()
    air[:, :, :9] = 0.0
    there = LevelStack(level.target, air, level.plan, 0)
    plain, noisy, again = (
        dataset([there], augmentation=NONE, guide_noise=share)
        for share in (0.0, 0.05, 0.05)
    )
    (one, truth), (two, same_truth) = plain[0], noisy[0]
    np.testing.assert_array_equal(truth, same_truth)
    np.testing.assert_array_equal(one["t2"], two["t2"])
    added = two["t1"] - one["t1"]
    assert np.all(added[one["t1"] <= 0.0] == 0.0)
    deviations = added.std(axis=(1, 2, 3))
    assert 0.0 < deviations.max() <= 0.05
    assert len(set(np.round(deviations, 6))) > 1
    again[0]
    same(noisy[3], again[3])


def test_noise_of_the_guide_is_for_slices_made_coarser(known):
    plain, noisy = (dataset([known], augmentation=NONE, guide_noise=s) for s in (0, 1))
    same(plain[0], noisy[0])


def test_jitter_is_a_function_of_seed_epoch_and_index(level):
    one, two = (dataset([level], guide_jitter_mm=2.0) for _ in range(2))
    one[0]
    same(one[5], two[5])
