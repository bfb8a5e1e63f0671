from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.reconstruction import Reconstruction

pytestmark = pytest.mark.backend


def as_model(**options):
    image = keras.Input((None, None, 1), name="image")
    features = keras.Input((None, None, 4), name="features")
    out = Reconstruction(**options, name="reconstruction")([image, features])
    return keras.Model({"image": image, "features": features}, out)


@pytest.fixture
def feed(images):
    def make(h=16, w=16):
        return {"image": images(h, w), "features": images(h, w, channels=4, seed=1)}

    return make


def test_the_residual_is_added_to_the_image(feed):
    layer = Reconstruction()
    x = feed()
    out = layer([x["image"], x["features"]])
    wanted = x["image"] + to_numpy(layer.residual(x["features"]))
    np.testing.assert_allclose(to_numpy(out), wanted, atol=1e-6)


def test_an_untrained_layer_changes_the_image_little(feed):
    x = feed()
    out = Reconstruction()([x["image"], x["features"]])
    assert np.abs(to_numpy(out) - x["image"]).max() < 0.05


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_sum_is_float32_whatever_the_precision(dtype, feed):
    model = as_model(dtype=dtype)
    assert keras.backend.standardize_dtype(model.output.dtype) == "float32"
    for size in (16, 20, 17, 33):
        x = feed(size, 18)
        out = model(x)
        assert tuple(out.shape) == (2, size, 18, 1)
        assert keras.backend.standardize_dtype(out.dtype) == "float32"


def test_the_image_is_not_rounded_in_mixed_precision(feed):
    model = as_model(dtype="mixed_bfloat16")
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    x = feed()
    np.testing.assert_array_equal(to_numpy(model(x)), x["image"])


def test_the_layer_comes_back_from_its_config(feed, round_trip):
    layer = Reconstruction(kernel_size=5, dtype="mixed_bfloat16")
    x = feed()
    out = layer([x["image"], x["features"]])
    again = round_trip(layer)
    assert again.built
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        to_numpy(again([x["image"], x["features"]])), to_numpy(out), atol=1e-6
    )
    assert again.dtype_policy.name == "mixed_bfloat16"


def test_weights_go_through_a_file(feed, tmp_path):
    model, other = as_model(), as_model()
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    x = feed()
    np.testing.assert_allclose(to_numpy(other(x)), to_numpy(model(x)), atol=1e-6)


def test_one_compiled_step_trains_it(feed, learns):
    learns(as_model(), feed(), np.ones((2, 16, 16, 1), np.float32))
