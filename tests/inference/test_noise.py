from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr
from guided_sr.errors import GuidedSRWarning
from guided_sr.evaluation.predictors import predictor
from guided_sr.inference import noise as room
from guided_sr.inference.inputs import prepare
from guided_sr.inference.noise import (
    Noise,
    measure_noise,
    noise_left,
    noise_of,
    settled,
)
from guided_sr.physics.back_projection import DEFAULT_EPSILON, BackProjection
from guided_sr.presets import find_preset
from guided_sr.volumes import Volume, target_affine

AUTO = BackProjection("exact", epsilon="auto")
SIDE = 144

needs_preset = pytest.mark.skipif(
    find_preset("grdn_t2_x2") is None, reason="the preset is not here"
)


@pytest.fixture(scope="module")
def heads():
    return [head_phantom((SIDE, SIDE), 1, seed=s, voxel_mm=1.4) for s in (1, 9)]


@pytest.fixture(scope="module")
def preset():
    return GuidedSRModel.from_preset("grdn_t2_x2", precision="float32")


def noisy(t2, share, scale=2.0):
    """A coarse T2 with noise, as a share of the 99.5 percentile of the fine one."""
    low = degrade(t2, scale)
    deviation = share * np.percentile(t2, 99.5)
    draw = np.random.default_rng(0).normal(0.0, deviation, low.shape)
    return np.abs(low + draw).astype(np.float32)


def measured(model, low, t1):
    inputs = prepare(low, t1, guided=True, scale=model.scale)
    plan = inputs.plan(stages=model.stages, stage_blur=model.stage_blur)
    return measure_noise(model.networks, *inputs.normalised(), plan=plan)


def test_white_noise_is_found_and_errors_at_edges_are_not(rng):
    t2 = np.ones((3, 40, 40), np.float32)
    activity = np.zeros_like(t2)
    activity[:, :, ::4] = 1.0
    white = rng.normal(0.0, 0.02, t2.shape)
    assert noise_left(t2, white, activity) == pytest.approx(0.02, rel=0.1)
    errors = rng.normal(0.0, 0.02, t2.shape)
    errors[:, :, 20:] *= 0.1
    quiet = np.zeros_like(t2)
    quiet[:, :, :20] = 1.0
    assert noise_left(t2, errors, quiet) == 0.0
    assert noise_left(t2, errors + white, quiet) == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize(
    ("left", "share", "sigma"),
    [(0.02, 1.0, 0.02), (0.02, 0.5, 0.04), (0.02, 0.0, 0.06), (0.0, 0.0, 0.0)],
)
def test_noise_that_a_network_takes_for_signal_is_counted(left, share, sigma):
    assert noise_of(left, share).sigma == pytest.approx(sigma)


def test_too_little_foreground_says_nothing(rng):
    t2 = np.zeros((2, 30, 30), np.float32)
    t2[:, 10:15, 10:15] = 1.0
    assert noise_left(t2, rng.normal(size=t2.shape), t2) == 0.0


def test_the_regularisation_grows_with_the_noise_from_the_default():
    shares = (0.0, 0.05, 0.5, 1.0, 2.0)
    found = [Noise(share * room.ERROR).epsilon for share in shares]
    assert found == pytest.approx([1e-3, 1e-3, 0.125, 1.0, 8.0])


def test_slices_are_spread_over_those_that_hold_something():
    t2 = np.zeros((40, 10, 10), np.float32)
    t2[5:35] = 1.0
    t2[5, 2:] = 0.0
    chosen = room._spread(t2, 3)
    assert len(chosen) == 6
    assert chosen[0] == 6
    assert chosen[-1] == 34
    assert len(set(chosen)) == 6
    assert len(room._spread(t2, 50)) == room.SLICES
    assert room._spread(t2[:6], 1) == [5]


@needs_preset
def test_the_noise_of_a_head_is_found(heads, preset):
    for share in (0.01, 0.03):
        found = measured(preset, noisy(heads[0].t2, share), heads[0].t1)
        assert 0.7 * share < found.sigma < 1.4 * share


@needs_preset
def test_a_wrong_guide_is_not_taken_for_noise(heads, preset):
    for share in (0.0, 0.02):
        low = noisy(heads[0].t2, share)
        right = measured(preset, low, heads[0].t1).sigma
        for wrong in (heads[1].t1, np.roll(heads[0].t1, 3, (1, 2))):
            assert measured(preset, low, wrong).sigma < max(0.004, 1.1 * right)


@needs_preset
def test_a_noiseless_t2_is_explained_as_firmly_as_ever(heads, preset):
    low = noisy(heads[0].t2, 0.0)
    assert preset.back_projection == AUTO
    assert measured(preset, low, heads[0].t1).epsilon == DEFAULT_EPSILON


@needs_preset
def test_a_noisy_t2_is_restored_better_than_by_a_fixed_number(heads, preset):
    head, low = heads[0], noisy(heads[0].t2, 0.03)
    with pytest.warns(GuidedSRWarning, match="about 3 % noise; the result is not"):
        own = preset.predict_cascade(low, head.t1)
    fixed = preset.predict_cascade(low, head.t1, back_projection="exact")
    np.testing.assert_array_equal(predictor(preset)(low, head.t1), own)
    assert psnr(head.t2[0], own[0]) > psnr(head.t2[0], fixed[0]) + 1.0


@pytest.mark.parametrize(
    "how", [BackProjection("exact", epsilon=0.2), BackProjection("ibp", epsilon="auto")]
)
def test_nothing_is_measured_where_nothing_is_to_be_chosen(how):
    assert settled(how, [], None, None, plan=None) == (how, None)


def test_the_record_of_a_volume_holds_noise_and_regularisation(
    random_model, thick, monkeypatch
):
    monkeypatch.setattr(room, "noise_of", lambda *_: Noise(0.008))
    given = random_model((4.0, 1.0)).predict_cascade(thick["t2"], thick["t1"])
    assert given.qc["noise"] is None
    assert given.qc["epsilon"] == DEFAULT_EPSILON
    model = random_model((4.0, 1.0), back_projection=AUTO)
    result = model.predict_cascade(thick["t2"], thick["t1"])
    epsilon = Noise(0.008).epsilon
    assert (result.qc["noise"], result.qc["epsilon"]) == (0.008, epsilon)
    assert result.provenance["back_projection"]["epsilon"] == epsilon
    assert not result.warnings
    again = dataclasses.replace(AUTO, epsilon=epsilon)
    same = model.predict_cascade(thick["t2"], thick["t1"], back_projection=again)
    np.testing.assert_array_equal(result.data, same.data)


def test_both_models_of_a_volume_take_the_same_number(random_model, thick, monkeypatch):
    monkeypatch.setattr(room, "noise_of", lambda *_: Noise(0.03))
    models = [random_model(s, back_projection=AUTO) for s in ((2.0, 2.0), (4.0, 1.0))]
    coarse = thick["t2"].data.reshape(12, 2, 14, 2, 8).mean(axis=(1, 3))
    fine = thick["t2"]
    t2 = Volume(coarse, target_affine(fine.affine, fine.data.shape, coarse.shape))
    with pytest.warns(GuidedSRWarning, match="about 3 % noise"):
        result = models[0].predict_cascade(t2, thick["t1"], slice_model=models[1])
    assert result.qc["noise"] == 0.03
    assert result.qc["epsilon"] == Noise(0.03).epsilon
    assert len([w for w in result.warnings if "noise" in w]) == 1
