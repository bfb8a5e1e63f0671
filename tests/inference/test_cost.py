from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pytest

from guided_sr.inference.cost import array_bytes, memory_gib, network_pixels, seconds
from guided_sr.inference.volume import Cascade, super_resolve
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import Served, VolumePlan, target_for
from guided_sr.physics.back_projection import BackProjection
from guided_sr.volumes import Volume, target_affine

IN_PLANE = Served((2.0, 2.0), None, 1, "consistent")
SLICES = Served((4.0, 1.0), None, 1, "consistent")


def planned(shape, models, sizes=(1.0, 1.0, 4.0)):
    grid = target_for(np.diag([*sizes, 1.0]), shape, models)
    return VolumePlan.create(grid, models)


@pytest.mark.parametrize(
    ("shape", "models", "sizes"),
    [
        ((96, 96, 24), [SLICES], (1.0, 1.0, 4.0)),
        ((48, 48, 96), [IN_PLANE], (2.0, 2.0, 1.0)),
        ((48, 48, 24), [IN_PLANE, SLICES], (2.0, 2.0, 4.0)),
    ],
)
def test_the_arrays_of_a_volume_stay_below_the_estimate(shape, models, sizes, rng):
    plan = planned(shape, models, sizes)
    data = rng.random((90, 90, 90), dtype=np.float32) + 1
    low = rng.random(shape, dtype=np.float32) + 1
    expected = array_bytes(plan, data.shape)
    peak, cut_out = traced(plan, low, data)
    assert not cut_out
    assert 0.25 * expected <= peak <= expected


def test_so_do_those_of_a_brain_that_was_cut_out(rng):
    plan = planned((48, 48, 24), [IN_PLANE, SLICES], (2.0, 2.0, 4.0))
    data = np.zeros(plan.target_shape, np.float32)
    data[20:-20, 20:-20, 20:-20] = rng.random((56, 56, 56), dtype=np.float32) + 1
    low = plan.observation(data).astype(np.float32)
    peak, cut_out = traced(plan, low, data)
    assert cut_out
    assert peak <= array_bytes(plan, data.shape)


def traced(plan, t2, t1):
    """Most memory that a volume took, and whether it was cut out."""
    inputs = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    t2_input, t1_input = inputs
    idle = keras.Model(
        {"t2": t2_input, "t1": t1_input}, keras.layers.Identity()(t2_input)
    )
    how = Cascade([idle], BackProjection("exact"), True)
    affine = target_affine(plan.grid.affine, t2.shape, t1.shape)
    low, guide = Volume(t2, plan.grid.affine), Volume(t1, affine)
    tracemalloc.start()
    try:
        prepared = VolumeInputs.prepare(low, guide, plan)
        estimate = super_resolve(prepared, in_plane=how, through_plane=how)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak, estimate.cut_out


def test_a_large_clinical_volume_stays_within_six_gib():
    plan = planned((512, 512, 100), [SLICES])
    assert plan.target_shape == (512, 512, 400)
    assert memory_gib(plan, (256, 256, 256)) < 6
    assert memory_gib(plan, (512, 512, 400)) < 6


def test_time_grows_with_the_pixels_of_all_levels():
    assert network_pixels(planned((10, 12, 8), [SLICES])) == (0, 4 * 10 * 12 * 32)
    assert network_pixels(planned((10, 12, 8), [IN_PLANE], (2.0, 2.0, 1.0))) == (
        20 * 24 * 8,
        0,
    )
    assert seconds(10**6, 10**6, "float32") == pytest.approx(8.0)


@pytest.mark.parametrize(("amx", "wanted"), [(True, 2.0), (False, 2.0 / 0.37)])
def test_bfloat16_takes_as_long_as_its_unit_does(monkeypatch, amx, wanted):
    monkeypatch.setattr("guided_sr.inference.cost.cpu_has_amx", lambda: amx)
    assert seconds(10**6, 10**6, "bfloat16") == pytest.approx(wanted)
