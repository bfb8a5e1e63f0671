from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.image_output import ImageOutput

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("size", [16, 17, 33])
def test_features_of_any_size_become_an_image(size, images):
    layer = ImageOutput(kernel_size=5)
    assert tuple(layer(images(size, 20, channels=8)).shape) == (2, size, 20, 1)
    assert tuple(layer.image.kernel.shape) == (5, 5, 8, 1)


def test_features_of_bfloat16_become_a_float32_image(images):
    layer = ImageOutput(dtype="float32")
    features = keras.ops.cast(images(16, 20, channels=8), "bfloat16")
    out = layer(features)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    exact = to_numpy(layer(keras.ops.cast(features, "float32")))
    np.testing.assert_allclose(to_numpy(out), exact, atol=1e-6)


def test_the_layer_comes_back_from_its_config(round_trip):
    layer = ImageOutput(kernel_size=1, dtype="float32")
    assert round_trip(layer).get_config() == layer.get_config()
