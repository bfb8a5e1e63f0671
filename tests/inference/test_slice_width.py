"""The profile of a T2's slices is read from its T1."""

from __future__ import annotations

import numpy as np
import pytest

from guided_sr import head_phantom
from guided_sr.errors import GuidedSRWarning, UsageError
from guided_sr.inference import stack as engine
from guided_sr.inference.cascade import run_cascade
from guided_sr.inference.guide import spacing_along
from guided_sr.inference.inputs import prepare
from guided_sr.inference.slice_width import BOX, profile_of, slice_width
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import Served, VolumePlan, target_for
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.volumes import Volume

PROFILES = {
    "nominal": SliceProfile(),
    "box": SliceProfile("box"),
    "box, gap": SliceProfile("box", 0.3),
}
IN_PLANE = Served((2.0, 2.0), None, 2, "consistent")
SLICES = Served((4.0, 1.0), (1.2, 6.0), 2, "consistent")


@pytest.fixture(scope="module")
def head():
    return head_phantom((180, 168), n_slices=8)


def seen(head, profile, *, noise=0.02, factor=4):
    """Planes of the T2 through slices of a profile, with noise."""
    rows, columns = head.t2.shape[1:]
    line = profile.line(rows, rows // factor)
    low = SeparableOperator(line, LineOperator(columns, columns))(head.t2)
    grain = np.random.default_rng(0).standard_normal(low.shape)
    low = np.maximum(low + noise * np.percentile(low, 99.5) * grain, 0.0)
    return low.astype(np.float32)


def width(head, low, t1):
    return slice_width([prepare(low, t1, guided=True, scale=(4, 1)).normalised()])


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_each_profile_is_read_as_the_width_it_has(head, noise):
    widths = {
        name: width(head, seen(head, profile, noise=noise), head.t1)
        for name, profile in PROFILES.items()
    }
    assert widths["nominal"] > 0.92
    assert widths["box"] == pytest.approx(BOX, abs=0.12)
    assert widths["box, gap"] < widths["box"] - 0.1
    assert profile_of(widths["nominal"]).nominal
    assert profile_of(widths["box"]).shape == "box"
    assert profile_of(widths["box, gap"]).gap == pytest.approx(0.3, abs=0.12)


def test_contrasts_have_no_part_in_it(head):
    low = seen(head, PROFILES["box"])
    plain = width(head, low, head.t1)
    inverted = width(head, low, head.t1.max() - 0.5 * head.t1)
    assert inverted == pytest.approx(plain, abs=0.03)


@pytest.mark.parametrize("pixels", [3, 40])
def test_a_t1_that_does_not_fit_changes_nothing(head, pixels):
    moved = np.roll(head.t1, pixels, axis=1)
    assert profile_of(width(head, seen(head, PROFILES["nominal"]), moved)).nominal


def test_nothing_is_said_where_nothing_can_be(head):
    low = seen(head, PROFILES["box"], factor=2)
    assert slice_width([(low, head.t1)]) is None
    assert (
        slice_width(
            [(np.zeros((1, 30, 8), np.float32), np.zeros((1, 120, 8), np.float32))]
        )
        is None
    )


def test_planes_are_taken_to_have_the_profile_that_is_read_or_told(head):
    box = seen(head, PROFILES["box"])
    pair = prepare(box, head.t1, guided=True, scale=(4, 1))
    assert pair.with_profile(None).profile.shape == "box"
    told = SliceProfile("gaussian", 0.2)
    assert pair.with_profile(told).profile == told
    alone = prepare(box, None, guided=False, scale=(4, 1))
    assert alone.with_profile(None).profile.nominal


@pytest.fixture(scope="module")
def volumes(head):
    """Axial slices of 4 voxels made from coronal planes, and the fine T1."""
    fine = np.diag([1.0, 1.0, 1.0, 1.0])
    coarse = fine.copy()
    coarse[2, 2], coarse[2, 3] = 4.0, 1.5

    def along_ras(planes):
        return np.ascontiguousarray(planes.transpose(2, 0, 1))

    return {
        name: Volume(along_ras(seen(head, profile)), coarse)
        for name, profile in PROFILES.items()
    } | {"t1": Volume(along_ras(head.t1), fine)}


def prepared(volumes, name, *, told=None, t1=None):
    t2 = volumes[name]
    grid = target_for(t2.affine, t2.data.shape, [SLICES])
    plan = VolumePlan.create(grid, [SLICES], profile=told)
    return VolumeInputs.prepare(t2, t1 or volumes["t1"], plan)


def test_a_volume_is_planned_by_the_profile_that_its_t1_shows(volumes):
    inputs = prepared(volumes, "box")
    assert inputs.plan.profile.shape == "box"
    assert inputs.plan.width == pytest.approx(BOX, abs=0.12)
    assert "read from the T1" in str(inputs.plan.summary()["slice_profile"])
    assert prepared(volumes, "nominal").plan.profile.nominal


def test_what_is_told_is_not_read(volumes):
    inputs = prepared(volumes, "box", told=SliceProfile())
    assert inputs.plan.profile.nominal
    assert inputs.plan.profile_source == "told"


def test_a_t1_of_slices_as_thick_says_nothing(volumes):
    data, affine = volumes["t1"].data, volumes["t1"].affine.copy()
    affine[2, 2], affine[2, 3] = 2.0, 0.5
    pairs = data.reshape(*data.shape[:2], -1, 2).mean(axis=3)
    coarse = Volume(pairs, affine)
    assert spacing_along(affine, np.diag([1.0] * 3))[2] == pytest.approx(2.0)
    with pytest.warns(GuidedSRWarning, match="guidance limited"):
        inputs = prepared(volumes, "box", t1=coarse)
    assert inputs.plan.profile_source == "assumed"
    assert inputs.plan.profile.nominal


def test_slices_that_are_coarse_within_are_read_as_well(volumes):
    """Where in-plane axes are led up too, the T1 is seen as coarse as they are."""
    t2 = volumes["box"]
    affine = t2.affine.copy()
    affine[:2, :2] *= 2.0
    affine[:2, 3] += 0.5
    n, m, slices = t2.data.shape
    coarse = t2.data.reshape(n // 2, 2, m // 2, 2, slices).mean(axis=(1, 3))
    grid = target_for(affine, coarse.shape, [IN_PLANE, SLICES])
    plan = VolumePlan.create(grid, [IN_PLANE, SLICES])
    assert plan.in_plane is not None
    inputs = VolumeInputs.prepare(Volume(coarse, affine), volumes["t1"], plan)
    assert inputs.plan.profile.shape == "box"


def test_planes_explain_the_t2_by_the_profile_of_its_slices(head, random_model):
    model, box = random_model((4.0, 1.0)), SliceProfile("box")
    low, t1 = seen(head, box), head.t1

    def left(image, profile):
        line = profile.line(t1.shape[1], low.shape[1])
        same = LineOperator(t1.shape[2], t1.shape[2])
        return np.abs(SeparableOperator(line, same)(image) - low).mean()

    how = {"back_projection": "exact", "guide_use": "always"}
    told = model.predict_cascade(low, t1, slice_profile=box, **how)
    nominal = model.predict_cascade(low, t1, slice_profile=SliceProfile(), **how)
    assert left(told, box) < 0.2 * left(nominal, box)
    found = prepare(low, t1, guided=True, scale=(4, 1)).with_profile(None).profile
    read = model.predict_cascade(low, t1, **how)
    told = model.predict_cascade(low, t1, slice_profile=found, **how)
    np.testing.assert_array_equal(read, told)


def test_planes_of_another_profile_are_seen_anew_by_the_first_result(
    head, random_model, monkeypatch
):
    model, box = random_model((4.0, 1.0)), SliceProfile("box")
    low, stacks, told = seen(head, box), [], []

    def watch(networks, t2, *more, **how):
        stacks.append(t2)
        return run_cascade(networks, t2, *more, **how)

    monkeypatch.setattr(engine, "run_cascade", watch)
    inputs = prepare(low, head.t1, guided=True, scale=(4, 1)).with_profile(box)
    model.predict_inputs(inputs, progress=lambda *at: told.append(at))
    first, again = stacks
    y, _ = inputs.normalised()
    np.testing.assert_array_equal(first, inputs.to_trained(y))
    assert np.abs(again - first).mean() > 1e-4
    assert told == sorted(told)
    assert told[-1] == (2 * len(low), 2 * len(low))


def test_planes_that_no_slice_crosses_have_no_profile(head, random_model):
    model = random_model((2.0, 2.0))
    with pytest.raises(UsageError, match="profile"):
        model.predict_cascade(
            head.t2[:, ::2, ::2], head.t1, slice_profile=SliceProfile("box")
        )
