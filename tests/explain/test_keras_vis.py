from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.explain.gradients import guide_contribution
from guided_sr.explain.keras_vis import (
    grad_cam,
    list_model,
    require_keras_vis,
    saliency,
)
from guided_sr.explain.region import Region

HERE = Region((18, 26), (18, 26))


def test_the_list_model_is_the_same_network(subject):
    network, images = subject.model.networks[1], subject.stage_images[1]
    listed = list_model(network)([images["t2"], images["t1"]])
    named = network(images)
    np.testing.assert_array_equal(np.asarray(listed), np.asarray(named))


def test_saliency_is_the_magnitude_of_the_gradient(boxed):
    maps = saliency(boxed, HERE)
    units = boxed.inputs.t2_scale.high - boxed.inputs.t2_scale.low
    product = np.abs(guide_contribution(boxed, HERE).t1) / units
    t1 = boxed.images["t1"][0, ..., 0]
    expected = maps["t1"] * np.abs(boxed.detail(t1))
    np.testing.assert_allclose(product, expected, rtol=1e-4, atol=1e-7)
    assert maps["t2"].sum() == pytest.approx(1, rel=1e-5)


def test_smoothgrad_repeats_with_its_seed_and_leaves_numpy_alone(subject):
    np.random.seed(4)
    a = saliency(subject, HERE, samples=2, seed=1)
    drawn = np.random.random()
    b = saliency(subject, HERE, samples=2, seed=1)
    np.random.seed(4)
    assert np.random.random() == drawn
    np.testing.assert_array_equal(a["t1"], b["t1"])
    assert a["t1"].shape == a["t2"].shape == (48, 48)


@pytest.mark.parametrize("stage", [1, 2])
def test_grad_cam_of_the_branch_has_the_size_of_its_level(subject, stage):
    cam = grad_cam(subject, HERE, stage=stage)
    assert cam.shape == subject.plan.level_shape(stage)
    assert np.isfinite(cam).all()
    assert cam.min() >= 0


def test_what_grad_cam_cannot_look_at_is_named(subject):
    with pytest.raises(UsageError, match=r"no layer 'fusion'.*guidance_branch"):
        grad_cam(subject, HERE, layer="fusion")
    with pytest.raises(UsageError, match="no stage 3"):
        grad_cam(subject, HERE, stage=3)


def test_a_missing_package_or_another_backend_is_named(monkeypatch):
    require_keras_vis()
    monkeypatch.setitem(sys.modules, "tf_keras_vis.gradcam", None)
    with pytest.raises(UsageError, match=r"cannot be loaded.*guided-sr\[explain\]"):
        require_keras_vis()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UsageError, match="tf-keras-vis needs the TensorFlow"):
        require_keras_vis()
