from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr.layers.projection import back_project_tensor, separable
from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.runtime import compiled

pytestmark = pytest.mark.backend

PLANS = [
    ((9, 10), {"scale": 2, "stages": 3}),
    ((10, 12), {"scale": 4, "stages": 3}),
    ((8, 20), {"scale": (4, 1), "stages": 2}),
]
METHODS = [
    BackProjection(),
    BackProjection(iterations=3),
    BackProjection("exact"),
    BackProjection("exact", epsilon=1e-2),
    BackProjection(None),
]


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)[..., 0]


def close(found, wanted):
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(("shape", "options"), PLANS)
def test_every_operator_of_a_plan_is_the_same_on_the_device(shape, options, images):
    plan = CascadePlan.create(shape, **options)
    for level in range(1, plan.stages + 1):
        for operator in (
            plan.degradation(level),
            plan.upsampling(level),
            plan.observation(level),
            plan.guide(level),
        ):
            x = images(operator.rows.n_from, operator.columns.n_from)
            y = images(operator.rows.n_to, operator.columns.n_to)
            wanted = operator(x[..., 0].astype(float))
            close(numpy_of(separable(x, operator)), wanted)
            close(numpy_of(separable(x, operator, compile=compiled)), wanted)
            close(
                numpy_of(separable(y, operator, adjoint=True)),
                operator.adjoint(y[..., 0].astype(float)),
            )


@pytest.mark.parametrize("how", METHODS, ids=str)
@pytest.mark.parametrize(("shape", "options"), PLANS)
@pytest.mark.parametrize("as_tensor", [True, False])
@pytest.mark.parametrize("options_of_call", [{}, {"compile": compiled}], ids=str)
def test_back_projection_is_the_same_on_the_device(
    how, shape, options, as_tensor, options_of_call, images
):
    plan = CascadePlan.create(shape, **options)
    for level in range(1, plan.stages + 1):
        operator = plan.observation(level)
        x, y = images(*plan.level_shape(level)), images(*shape, seed=9)
        wanted = back_project(
            x[..., 0].astype(float), y[..., 0].astype(float), operator, **vars(how)
        )
        convert = keras.ops.convert_to_tensor if as_tensor else np.asarray
        found = back_project_tensor(
            convert(x), convert(y), operator, how, **options_of_call
        )
        close(numpy_of(found), wanted)


def test_the_product_is_float32_whatever_the_precision(images):
    operator = CascadePlan.create((8, 8), scale=2, stages=1).observation()
    x = keras.ops.cast(images(16, 16), "bfloat16")
    out = separable(x, operator)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
