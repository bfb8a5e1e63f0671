from __future__ import annotations

import numpy as np
import pytest

from guided_sr import GuidedSRModel, psnr
from guided_sr.inference.support import Support
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.volumes import Volume, target_affine

SHAPE = (48, 56)
OPERATOR = CascadePlan.create((24, 28), scale=2, stages=1).observation()


@pytest.fixture(scope="module")
def kept() -> np.ndarray:
    """An ellipse in four slices."""
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    inside = np.hypot((rows - 23.3) / 16, (columns - 28.1) / 19) < 1
    return np.repeat(inside[None], 4, axis=0)


@pytest.fixture(scope="module")
def head(kept) -> tuple[np.ndarray, np.ndarray]:
    """A sharp T2 and its T1, cut out by one mask."""
    rng = np.random.default_rng(0)
    texture = rng.random((2, *kept.shape)).astype(np.float32)
    return tuple((0.8 + 0.4 * texture) * kept)


def seen(sharp: np.ndarray) -> np.ndarray:
    """A T2 as it is observed."""
    return OPERATOR(sharp).astype(np.float32)


def support_of(t2: np.ndarray, t1: np.ndarray | None) -> Support | None:
    return Support.of(t2, t1, OPERATOR, value=0.0)


def test_a_t2_ends_where_the_t1_it_was_cut_out_with_does(head, kept):
    sharp, t1 = head
    support = support_of(seen(sharp), t1)
    assert support is not None
    air = support.beyond(sharp + np.float32(0.2))
    assert air is not None
    np.testing.assert_array_equal(air.where, ~kept)
    assert air.value == 0.0
    np.testing.assert_array_equal(air.variance == 0.0, ~kept)
    assert air.variance[:, 23, 28].tolist() == [1.0] * 4
    assert air.variance[0][kept[0]].max() > 1.0


def test_fluid_beyond_that_is_0_in_the_t1_is_none_of_the_air(head, kept):
    sharp, t1 = head
    fluid = sharp.copy()
    fluid[:, 7, 27:29] = 2.0
    assert not kept[:, 7, 27:29].any()
    air = support_of(seen(sharp), t1).beyond(fluid)
    assert air is not None
    assert not air.where[:, 7, 27:29].any()


@pytest.mark.parametrize("pixels", [1, 3])
def test_a_t1_in_another_place_cuts_nothing(head, pixels):
    sharp, t1 = head
    support = support_of(seen(sharp), np.roll(t1, pixels, axis=1))
    assert support is None or support.beyond(sharp) is None


def test_a_t2_that_was_cut_out_when_it_was_coarse_is_left_alone(head, kept):
    _, t1 = head
    share = seen(kept.astype(np.float32))
    assert support_of((share > 0.5).astype(np.float32), t1) is None


def test_a_t1_that_ends_before_the_t2_does_not_end_it(head, kept):
    sharp, t1 = head
    short = t1.copy()
    short[-1] = 0.0
    assert support_of(seen(sharp), short) is None


def test_a_slice_of_which_the_t1_shows_nothing_is_left_alone(head, kept):
    sharp, t1 = head
    faint = sharp.copy()
    faint[-1] *= 0.02
    short = t1.copy()
    short[-1] = 0.0
    air = support_of(seen(faint), short).beyond(faint)
    assert air is not None
    assert not air.where[-1].any()
    np.testing.assert_array_equal(air.where[:-1], ~kept[:-1])


def test_air_that_is_nearly_0_does_not_hide_a_t2_cut_out_coarse(head, kept):
    _, t1 = head
    share = seen(kept.astype(np.float32))
    coarse = np.where(share > 0.5, 1.0, 1e-8).astype(np.float32)
    assert support_of(coarse, t1) is None


def test_a_mask_without_an_edge_says_nothing():
    t1 = np.zeros((4, *SHAPE), np.float32)
    t1[:2] = 1.0
    support = support_of(seen(t1), t1)
    assert support is None or support.beyond(t1) is None


def test_without_a_t1_or_a_mask_there_is_no_support(head):
    sharp, t1 = head
    assert support_of(seen(sharp), None) is None
    assert support_of(seen(sharp), t1 + np.float32(0.1)) is None


def test_the_axis_across_the_slices_may_be_any(head, kept):
    sharp, t1 = (np.moveaxis(x, 0, 2) for x in head)
    support = Support.of(
        np.moveaxis(seen(head[0]), 0, 2), t1, identity_last(), value=0.0, across=2
    )
    assert support is not None
    air = support.beyond(sharp)
    flat = support_of(seen(head[0]), head[1]).beyond(head[0])
    np.testing.assert_array_equal(np.moveaxis(air.variance, 2, 0), flat.variance)
    np.testing.assert_array_equal(np.moveaxis(air.where, 2, 0), ~kept)


def identity_last():
    from guided_sr.physics.operators import LineOperator, SeparableOperator

    return SeparableOperator(*OPERATOR.lines, LineOperator(4, 4))


@pytest.fixture(scope="module")
def idle() -> GuidedSRModel:
    """A "network" with a guide that it does not look at."""
    import keras

    inputs = {name: keras.Input((None, None, 1), name=name) for name in ("t2", "t1")}
    nothing = keras.layers.Rescaling(0.0)(inputs["t1"])
    model = GuidedSRModel(
        keras.Model(inputs, keras.layers.Add()([inputs["t2"], nothing])),
        back_projection="exact",
        precision="float32",
    )
    model.networks, model.scale = [model.build()], (2.0, 2.0)
    return model


def volume(stack: np.ndarray, affine: np.ndarray) -> Volume:
    return Volume(np.ascontiguousarray(np.moveaxis(stack, 0, -1)), affine)


def test_a_stack_is_brought_back_nearer_to_the_truth(idle, head, kept):
    sharp, t1 = head
    t2 = seen(sharp)
    out = idle.predict_cascade(t2, t1, guide_use=None)
    plain = idle.predict_cascade(t2, t1 + np.float32(0.1), guide_use=None)
    assert np.all(out[~kept] == 0.0)
    assert np.abs(plain[~kept]).max() > 0.05
    assert psnr(sharp[0], out[0]) > psnr(sharp[0], plain[0]) + 3.0
    assert np.sqrt(np.mean((OPERATOR(out) - t2) ** 2)) < 0.005 * t2.max()


def test_a_volume_is_brought_back_likewise_and_the_result_tells(idle, head, kept):
    sharp, t1 = head
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    low = volume(seen(sharp), affine)
    guide = volume(t1, target_affine(affine, low.data.shape, (*SHAPE, 4)))
    result = idle.predict_cascade(low, guide, register="none")
    stack = idle.predict_cascade(seen(sharp), t1, guide_use=None)
    assert result.qc["cut_out"] is True
    np.testing.assert_allclose(np.moveaxis(result.data, -1, 0), stack, atol=1e-4)
    assert np.all(stack[~kept] == 0.0)
    assert np.all(result.data[np.moveaxis(~kept, 0, -1)] == 0.0)
    other = Volume(guide.data + np.float32(0.1), guide.affine)
    assert idle.predict_cascade(low, other, register="none").qc["cut_out"] is False


def test_the_papers_back_projection_stays_the_papers(idle, head):
    sharp, t1 = head
    how = BackProjection("ibp")
    out = idle.predict_cascade(seen(sharp), t1, guide_use=None, back_projection=how)
    plain = idle.predict_cascade(
        seen(sharp), t1 + np.float32(0.1), guide_use=None, back_projection=how
    )
    np.testing.assert_allclose(out, plain, atol=1e-5)
