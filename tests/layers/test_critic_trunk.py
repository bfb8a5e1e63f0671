from __future__ import annotations

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.critic_trunk import CriticTrunk, CriticUnit

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("size", [16, 20, 17, 33])
def test_an_image_of_any_size_gets_one_score(size, images):
    trunk = CriticTrunk(filters=4, hidden=8)
    assert tuple(trunk(images(size, 20, n=3)).shape) == (3, 1)
    assert trunk.compute_output_shape((3, size, 20, 1)) == (3, 1)


def test_filters_double_and_every_second_convolution_halves(images):
    trunk = CriticTrunk(filters=4, hidden=8)
    assert [unit.filters for unit in trunk.units] == [4, 4, 8, 8, 16, 16, 32, 32]
    assert [unit.strides for unit in trunk.units] == [1, 2] * 4
    assert [unit.normalized for unit in trunk.units] == [False] + [True] * 7


def test_the_normalisation_is_over_the_whole_of_each_image(images):
    unit = CriticUnit(filters=6)
    x = images(16, 20, channels=4) * np.array([1.0, 50.0]).reshape(2, 1, 1, 1)
    x = x.astype(np.float32)
    unit(x)
    before = to_numpy(unit.convolution(x))
    mean = before.mean((1, 2, 3), keepdims=True)
    deviation = np.sqrt(before.var((1, 2, 3), keepdims=True) + 1e-3)
    expected = (before - mean) / deviation
    expected = np.where(expected > 0, expected, 0.2 * expected)
    np.testing.assert_allclose(to_numpy(unit(x)), expected, atol=1e-3)
    assert [tuple(w.shape) for w in unit.layer_normalization.weights] == [(6,)] * 2


def test_layers_come_back_from_their_config(round_trip):
    for layer in (
        CriticUnit(filters=4, strides=2, normalized=False),
        CriticTrunk(filters=4, hidden=8),
    ):
        assert round_trip(layer).get_config() == layer.get_config()
