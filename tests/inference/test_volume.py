from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from guided_sr.errors import GuidedSRWarning, UsageError
from guided_sr.inference import volume as engine
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.volumes import Volume, corners, target_affine

ALL = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.fixture(scope="module")
def slices(random_model):
    return random_model((4.0, 1.0), scale_range=(2.0, 6.0))


@pytest.fixture(scope="module")
def straight(slices, thick):
    return slices.predict_cascade(thick["t2"], thick["t1"])


def stored_otherwise(one, axes, signs):
    """The same image with its axes permuted and reversed."""
    data = np.transpose(one.data, axes)
    affine = one.affine.copy()
    affine[:3, :3] = one.affine[:3, :3][:, list(axes)]
    for axis, sign in enumerate(signs):
        if sign < 0:
            data = np.flip(data, axis)
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
    return Volume(np.ascontiguousarray(data), affine)


@pytest.mark.parametrize(("axes", "signs"), ALL)
def test_all_48_orientations_give_the_same_result(axes, signs, slices, thick, straight):
    turned = stored_otherwise(thick["t2"], axes, signs)
    guide = stored_otherwise(thick["t1"], axes[::-1], signs[::-1])
    result = slices.predict_cascade(turned, guide)
    back = stored_otherwise(Volume(straight.data, straight.affine), axes, signs)
    assert result.data.shape == back.data.shape
    np.testing.assert_allclose(result.affine, back.affine, atol=1e-9)
    largest = np.abs(straight.data).max()
    assert np.abs(result.data - back.data).max() <= 1e-5 * largest


def test_the_result_has_the_field_of_view_and_explains_the_t2(thick, straight):
    assert straight.data.shape == (24, 28, 32)
    gap = corners(straight.affine, straight.data.shape) - corners(
        thick["t2"].affine, thick["t2"].data.shape
    )
    assert np.abs(gap).max() < 1e-6
    qc = straight.qc
    assert qc["consistency_after"] < 0.1 * qc["consistency_before"]
    assert qc["guide_overlap"] == pytest.approx(1.0)
    assert qc["field_of_view_mm"] < 1e-6
    assert (qc["verdict"] == "PASS") == (not qc["reasons"])
    residual = straight.maps["consistency"]
    observed = thick["t2"].data - straight.plan.observation(straight.data)
    np.testing.assert_allclose(residual.data, observed, atol=1e-2)
    assert residual.data.shape == thick["t2"].data.shape


def test_the_two_stacks_are_averaged(slices, thick, monkeypatch):
    """Of what the arrays of each stack give, before the slices are led up again."""
    monkeypatch.setattr(engine, "_view_slices", lambda *_: None)
    t2, t1 = thick["t2"].data, thick["t1"].data
    free = slices.predict_cascade(thick["t2"], thick["t1"], back_projection=None)
    stacks = []
    for order in ((1, 2, 0), (0, 2, 1)):
        out = slices.predict_cascade(
            np.transpose(t2, order),
            np.transpose(t1, order),
            scale=4,
            back_projection=None,
        )
        stacks.append(np.transpose(out, np.argsort(order)))
    wanted = np.mean(stacks, axis=0)
    inside = (free.data > 0) & (np.min(stacks, axis=0) > 0)  # both are clipped at 0
    apart = np.abs(free.data - wanted)[inside]
    assert inside.mean() > 0.3
    assert apart.max() < 1e-3 * wanted.max()


def idle_cascade():
    """A cascade whose network changes nothing."""
    import keras

    t2 = keras.Input((None, None, 1), name="t2")
    network = keras.Model({"t2": t2}, keras.layers.Identity()(t2))
    return engine.Cascade([network], BackProjection(None), guided=False)


@pytest.mark.parametrize("across", [0, 1, 2])
def test_the_slices_of_the_mean_are_led_up_once_more(across, rng):
    """Rows and columns by themselves; an idle network leaves the step down and up."""
    volume = 0.1 + rng.random((12, 14, 16), dtype=np.float32)
    first, second = within = tuple(axis for axis in range(3) if axis != across)
    plan = SimpleNamespace(across=across, within=within)
    told, made = [], volume.copy()
    engine._view_slices(
        made,
        SimpleNamespace(plan=plan, guide=None),
        idle_cascade(),
        lambda done, total: told.append((done, total)),
    )
    wanted = np.zeros_like(volume)
    for axis in (first, second):
        fine = volume.shape[axis]
        coarse = round(fine / 1.15)
        down = CascadePlan.create((coarse, 4), target_shape=(fine, 4), stages=1)
        up = SeparableOperator.interpolation((coarse, 4), (fine, 4)).lines[0]
        lines = [LineOperator(n, n) for n in volume.shape]
        lines[axis] = down.rows.degradation(1)
        small = SeparableOperator(*lines)(volume)
        lines = [LineOperator(n, n) for n in small.shape]
        lines[axis] = up
        wanted += 0.5 * SeparableOperator(*lines)(small)
    np.testing.assert_allclose(made, wanted, atol=1e-4)
    assert told[-1] == (volume.shape[across],) * 2


def test_slices_of_four_pixels_are_left_as_they_are():
    volume = np.ones((4, 14, 16), np.float32)
    plan = SimpleNamespace(across=1, within=(0, 2))
    inputs = SimpleNamespace(plan=plan, guide=None)
    engine._view_slices(volume, inputs, idle_cascade(), lambda *_: None)
    assert (volume == 1).all()


def test_blocks_of_the_last_projection_join_without_a_seam(
    slices, thick, straight, monkeypatch
):
    monkeypatch.setattr(engine, "_BLOCK", 24 * 28 * 5)
    blocks = slices.predict_cascade(thick["t2"], thick["t1"])
    assert np.abs(blocks.data - straight.data).max() < 1e-4 * straight.data.max()


def test_in_plane_and_slices_combine(random_model, slices, thick):
    """2 x 2 x 4 to 1 mm, and every factor is explained."""
    in_plane = random_model((2.0, 2.0))
    fine = thick["t2"]
    data = fine.data.reshape(12, 2, 14, 2, 8).mean(axis=(1, 3))
    coarse = Volume(data, target_affine(fine.affine, fine.data.shape, data.shape))
    result = in_plane.predict_cascade(coarse, thick["t1"], slice_model=slices)
    assert result.data.shape == (24, 28, 32)
    assert result.plan.grid.scale == pytest.approx((2, 2, 4))
    assert result.qc["consistency_after"] < 0.1 * result.qc["consistency_before"]
    assert {"model", "slice_model"} <= set(result.provenance)
    with pytest.raises(UsageError, match="same axes"):
        in_plane.predict_cascade(coarse, thick["t1"], slice_model=in_plane)


def test_the_slice_profile_is_that_of_the_last_projection(slices, thick):
    box = SliceProfile("box", 0.2)
    result = slices.predict_cascade(thick["t2"], thick["t1"], slice_profile=box)
    left = thick["t2"].data - result.plan.observation(result.data)
    assert result.plan.profile == box
    assert np.sqrt(np.mean(left**2)) < 0.05 * thick["t2"].data.max()


def test_networks_see_slices_of_the_profile_they_were_trained_for(
    slices, thick, monkeypatch
):
    """An impulse of a slice is no impulse any more, and only along the slice axis."""
    seen = []

    def watch(networks, t2, *more, **options):
        seen.append(np.array(t2))
        return run_cascade(networks, t2, *more, **options)

    run_cascade = engine.run_cascade
    monkeypatch.setattr(engine, "run_cascade", watch)
    profiles = None, SliceProfile(), SliceProfile("box", 0.2)
    for profile in profiles:
        slices.predict_cascade(thick["t2"], thick["t1"], slice_profile=profile)
    once = len(seen) // 4  # the last one takes two passes
    plain, nominal, box, anew = seen[0], seen[once], seen[2 * once], seen[3 * once]
    np.testing.assert_array_equal(plain, nominal)
    plan = slices.predict_cascade(thick["t2"], thick["t1"]).plan
    matrix = SliceProfile("box", 0.2).to_nominal(
        plan.target_shape[plan.across], plan.shape[plan.across]
    )
    expected = np.einsum("ij,njk->nik", matrix, plain)
    np.testing.assert_allclose(box, expected, atol=1e-4)
    assert np.abs(box - plain).max() > 0.01
    assert anew.shape == box.shape
    assert 1e-3 < np.abs(anew - box).mean() < 0.3


def test_slices_of_another_profile_are_seen_anew_by_the_first_result(
    slices, thick, monkeypatch
):
    """The second pass sees what the first would have shown, and keeps its noise."""
    stacks, results = [], []

    def enlarged(x, noisy, *more, **cascades):
        made = whole(x, noisy, *more, **cascades)
        stacks.append((np.array(x), cascades["through_plane"].back_projection))
        return made

    def explained(*arrays, **how):
        made = last(*arrays, **how)
        results.append((np.array(arrays[0]), made[0].copy()))
        return made

    whole, last = engine._enlarged, engine._explained
    monkeypatch.setattr(engine, "_enlarged", enlarged)
    monkeypatch.setattr(engine, "_explained", explained)
    told = []
    box = SliceProfile("box")
    with pytest.warns(GuidedSRWarning, match="noise"):
        result = slices.predict_cascade(
            thick["t2"],
            thick["t1"],
            slice_profile=box,
            back_projection=BackProjection("exact", epsilon="auto"),
            progress=lambda done, total: told.append((done, total)),
        )
    assert len(stacks) == len(results) == result.plan.passes == 2
    estimate, residual = results[0]
    expected = result.plan.seen_anew(estimate, residual)
    np.testing.assert_allclose(stacks[1][0], expected, atol=1e-6)
    assert stacks[0][1].automatic
    assert not stacks[1][1].automatic
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == 2 * sum((24, 28, 32))


def test_a_target_voxel_is_reached(slices, thick):
    result = slices.predict_cascade(thick["t2"], thick["t1"], target_voxel=2.0)
    assert result.data.shape == (24, 28, 16)


def test_a_model_without_guide_needs_no_t1(random_model, thick):
    model = random_model((4.0, 1.0), guided=False)
    result = model.predict_cascade(thick["t2"])
    assert result.data.shape == (24, 28, 32)
    assert result.qc["guide_overlap"] is None


def test_a_coarse_t1_is_said_to_limit_the_guidance(slices, thick):
    data = thick["t1"].data.reshape(24, 28, 16, 2).mean(axis=3)
    fine = thick["t1"]
    coarse = Volume(data, target_affine(fine.affine, fine.data.shape, data.shape))
    with pytest.warns(GuidedSRWarning, match=r"guidance limited: .* across the slices"):
        slices.predict_cascade(thick["t2"], coarse)


def test_arrays_have_no_slice_axis(slices, thick):
    with pytest.raises(UsageError, match="no slice axis"):
        slices.predict_cascade(thick["t2"].data, thick["t1"].data, axes="slice")


def test_maps_are_saved_beside_the_image(straight, tmp_path):
    named = dataclasses.replace(straight, provenance={})
    path = named.save(tmp_path / "sr.nii.gz", maps=("consistency",))
    assert path.with_name("sr_consistency.nii.gz").is_file()
    with pytest.raises(UsageError, match="no map"):
        named.save(tmp_path / "other.nii.gz", maps=("sorcery",))
