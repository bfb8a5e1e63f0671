from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.metrics import consistency, psnr
from guided_sr.physics.back_projection import (
    DEFAULT_EPSILON,
    BackProjection,
    back_project,
)
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import crop_to_multiple, degrade, upsample
from guided_sr.physics.operators import LineOperator, SeparableOperator
from guided_sr.physics.slice_profile import SliceProfile


@pytest.fixture
def scene(rng):
    """A smooth scene with some grain: truth, observation, cubic, operator."""
    plan = CascadePlan.create((16, 20), scale=2, stages=3)
    rows, columns = np.mgrid[0:32, 0:40] / 32
    truth = 2 + np.sin(9 * rows) * np.cos(7 * columns)
    truth += 0.05 * rng.standard_normal(truth.shape)
    operator = plan.observation()
    y = operator(truth)
    return truth, y, upsample(y, (32, 40)), operator


def test_the_exact_form_explains_the_whole_observation(scene):
    _, y, x, operator = scene
    out = back_project(x, y, operator, method="exact", epsilon=0.0)
    assert np.abs(operator(out) - y).max() <= 1e-6 * np.abs(y).max()


def test_one_iteration_reduces_the_residual(scene):
    _, y, x, operator = scene
    before = consistency(x, y, operator)
    once = consistency(back_project(x, y, operator), y, operator)
    assert once < 0.5 * before
    twice = back_project(x, y, operator, iterations=2)
    assert consistency(twice, y, operator) < once


def test_many_iterations_approach_the_exact_form(scene):
    _, y, x, operator = scene
    exact = back_project(x, y, operator, method="exact", epsilon=0.0)
    gaps = [
        np.abs(back_project(x, y, operator, iterations=n) - exact).max()
        for n in (1, 20, 400)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 0.02 * np.abs(exact - x).max()


def test_epsilon_holds_back_what_the_operator_hardly_sees(scene):
    _, y, x, operator = scene
    changes = [
        np.linalg.norm(back_project(x, y, operator, method="exact", epsilon=e) - x)
        for e in (0.0, 1e-3, 1.0)
    ]
    assert changes[0] > changes[1] > changes[2] > 0


def test_the_gain_keeps_the_brightness():
    """A flat estimate that is too dark by 1 becomes right on average."""
    operator = CascadePlan.create((20, 20), scale=4, stages=1).observation()
    out = back_project(np.full((80, 80), 4.0), np.full((20, 20), 5.0), operator)
    assert out[16:-16, 16:-16].mean() == pytest.approx(5.0, abs=1e-3)
    assert np.abs(out[16:-16, 16:-16] - 5.0).max() < 0.1


@pytest.mark.parametrize("method", ["ibp", "exact"])
def test_a_consistent_estimate_is_left_alone(scene, method):
    truth, y, _, operator = scene
    np.testing.assert_allclose(
        back_project(truth, y, operator, method=method), truth, atol=1e-12
    )


def test_none_leaves_the_estimate_alone(scene):
    _, y, x, operator = scene
    assert back_project(x, y, operator, method=None) is x


@pytest.mark.parametrize("method", ["ibp", "exact"])
def test_a_stack_is_corrected_slice_by_slice_in_its_own_precision(scene, method):
    _, y, x, operator = scene
    stack = np.stack([x, 2 * x + 1])
    low = np.stack([y, 2 * y])
    out = back_project(
        stack.astype(np.float32), low.astype(np.float32), operator, method=method
    )
    assert out.dtype == np.float32
    for k in range(2):
        alone = back_project(stack[k], low[k], operator, method=method)
        np.testing.assert_allclose(out[k], alone, atol=2e-4)


@pytest.mark.parametrize(
    "options",
    [{"method": "magic"}, {"iterations": 0}, {"epsilon": -1.0}, {"epsilon": "no"}],
)
def test_undefined_back_projections_are_refused(options):
    with pytest.raises(UsageError):
        BackProjection(**options)


def test_a_regularisation_left_open_is_the_default_until_it_is_settled(scene):
    _, y, x, operator = scene
    left, given = (
        BackProjection("exact", epsilon="auto"),
        BackProjection("exact", 1, 0.2),
    )
    assert left.automatic
    assert left.number == DEFAULT_EPSILON
    assert left.fixed(0.5) == BackProjection("exact", epsilon=0.5)
    assert given.fixed(0.5) == given
    assert not given.automatic
    assert not BackProjection("ibp", epsilon="auto").automatic
    np.testing.assert_array_equal(
        back_project(x, y, operator, **vars(left)),
        back_project(x, y, operator, **vars(left.fixed())),
    )


def figures(image, scale):
    """PSNR of cubic, and after one ibp and exact back-projection, in dB."""
    x = crop_to_multiple(image, scale)
    y = degrade(x, scale)
    cubic = upsample(y, x.shape)
    operator = CascadePlan.create(y.shape, scale=scale).observation()
    images = [cubic]
    images += [back_project(cubic, y, operator, method=m) for m in ("ibp", "exact")]
    found = [psnr(x, image) for image in images]
    print(f"{scale}x: cubic, ibp, exact {np.round(found, 2).tolist()} dB")
    return found


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("scale", "measured"), [(2, (28.92, 29.66, 30.34)), (4, (25.78, 26.33, 26.76))]
)
def test_a_real_slice_has_the_figures_measured_elsewhere(open_ms, scale, measured):
    """Slice 94 of patient 07; by an independent implementation of the operators."""
    volume = nib.load(open_ms / "mni_patient07" / "t2.nii.gz")
    image = np.clip(np.asarray(volume.dataobj[:, :, 94], np.float64), 0.0, None)
    assert figures(image, scale) == pytest.approx(measured, abs=0.1)


@pytest.mark.parametrize("method", ["ibp", "exact"])
def test_a_volume_is_projected_as_its_planes_where_an_axis_stays(rng, method):
    lines = LineOperator(16, 4, 1.7), LineOperator(12, 6, 0.85)
    x, y = rng.random((16, 5, 12)), rng.random((4, 5, 6))
    volume = SeparableOperator(lines[0], LineOperator(5, 5), lines[1])
    out = back_project(x, y, volume, method=method)
    planes = back_project(
        np.moveaxis(x, 1, 0),
        np.moveaxis(y, 1, 0),
        SeparableOperator(*lines),
        method=method,
    )
    np.testing.assert_allclose(out, np.moveaxis(planes, 0, 1), atol=1e-12)


def test_the_exact_projection_of_a_volume_explains_the_observation(rng):
    profile = SliceProfile("box", 0.2)
    volume = SeparableOperator(
        LineOperator(8, 4, 0.85), LineOperator(8, 4, 0.85), profile.line(20, 5)
    )
    y = rng.random((4, 4, 5))
    x = back_project(np.zeros((8, 8, 20)), y, volume, method="exact", epsilon=0.0)
    np.testing.assert_allclose(volume(x), y, atol=1e-6)


def test_equal_variances_are_the_closed_form(scene):
    _, y, x, operator = scene
    how = {"method": "exact", "epsilon": 0.01}
    out = back_project(x, y, operator, **how, variance=np.ones_like(x))
    np.testing.assert_allclose(out, back_project(x, y, operator, **how), atol=1e-9)


def test_unequal_variances_solve_the_weighted_problem(rng):
    """Against the dense solution of ``(A V A^T + eps I) r = Y - A X``."""
    operator = CascadePlan.create((6, 7), scale=2, stages=1).observation()
    x, y = rng.standard_normal((2, 12, 14)), rng.standard_normal((2, 6, 7))
    variance = rng.choice([0.0, 1.0, 4.0], x.shape)
    a = np.kron(operator.rows.matrix, operator.columns.matrix)
    out = back_project(x, y, operator, method="exact", epsilon=0.3, variance=variance)
    for before, after, seen, v in zip(x, out, y, variance, strict=True):
        system = a * v.ravel() @ a.T + 0.3 * np.eye(len(a))
        wanted = np.linalg.solve(system, seen.ravel() - a @ before.ravel())
        step = v * (a.T @ wanted).reshape(v.shape)
        np.testing.assert_allclose(after, before + step, atol=0.02)
        np.testing.assert_array_equal(after[v == 0.0], before[v == 0.0])


def test_slices_of_a_stack_have_nothing_to_do_with_each_other(scene, rng):
    _, y, x, operator = scene
    variance = rng.choice([0.0, 1.0, 16.0], x.shape)
    how = {"method": "exact", "epsilon": 0.01}
    alone = back_project(x, y, operator, **how, variance=variance)
    stack, seen = np.stack([0.0 * x, x]), np.stack([rng.standard_normal(y.shape), y])
    both = back_project(
        stack, seen, operator, **how, variance=np.stack([variance, variance])
    )
    np.testing.assert_allclose(both[1], alone, atol=1e-9)
    lines = LineOperator(2, 2), *operator.lines
    volume = back_project(
        stack,
        seen,
        SeparableOperator(*lines),
        **how,
        variance=np.stack([variance, variance]),
    )
    np.testing.assert_allclose(volume[1], alone, atol=1e-9)


@pytest.mark.parametrize(
    ("method", "shape", "value"),
    [("ibp", (32, 40), 1.0), ("exact", (32, 41), 1.0), ("exact", (32, 40), -1.0)],
)
def test_a_variance_that_makes_no_sense_is_refused(scene, method, shape, value):
    _, y, x, operator = scene
    variance = np.full(shape, value)
    with pytest.raises(UsageError, match="variance"):
        back_project(x, y, operator, method=method, variance=variance)
