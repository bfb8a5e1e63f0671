from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.convolution import ConvUnit

pytestmark = pytest.mark.backend

FORMS = [
    {"filters": 4},
    {"filters": 4, "normalization": "batch"},
    {"filters": 4, "normalization": "batch", "activation": None},
    {"filters": 4, "kernel_size": 1, "activation": None},
]


@pytest.mark.parametrize("options", FORMS)
def test_a_unit_keeps_the_size_of_the_image(options, images):
    unit = ConvUnit(**options)
    for size in ((16, 16), (20, 17), (33, 16)):
        out = unit(images(*size, channels=3))
        assert tuple(out.shape) == (2, *size, 4)
        assert tuple(unit.compute_output_shape((2, *size, 3))) == tuple(out.shape)


@pytest.mark.parametrize("options", FORMS)
def test_a_unit_comes_back_from_its_config(options, images, round_trip):
    x = images(16, 16, channels=3)
    unit = ConvUnit(**options)
    out = unit(x)
    again = round_trip(unit)
    assert again.built
    again.set_weights(unit.get_weights())
    np.testing.assert_allclose(to_numpy(again(x)), to_numpy(out), atol=1e-6)
    assert again.get_config() == unit.get_config()


def test_the_papers_unit_is_convolution_normalisation_and_relu():
    unit = ConvUnit(filters=32, normalization="batch")
    unit.build((None, None, None, 32))
    assert tuple(unit.convolution.kernel.shape) == (3, 3, 32, 32)
    assert len(unit.weights) == 2 + 4
    assert len(unit.trainable_weights) == 2 + 2


def test_batch_statistics_move_in_training_only(images):
    unit = ConvUnit(filters=4, normalization="batch")
    x = images(16, 16)
    still = to_numpy(unit(x, training=False))
    np.testing.assert_array_equal(to_numpy(unit(x, training=False)), still)
    unit(x, training=True)
    assert np.abs(to_numpy(unit(x, training=False)) - still).max() > 0


def test_the_activation_comes_after_the_normalisation(images):
    x = images(16, 16) - 0.5
    for options in FORMS[:2]:
        assert to_numpy(ConvUnit(**options)(x, training=True)).min() == 0.0
    assert to_numpy(ConvUnit(**FORMS[2])(x, training=True)).min() < 0.0


def test_mixed_precision_convolves_in_bfloat16_with_float32_weights(images):
    unit = ConvUnit(filters=4, normalization="batch", dtype="mixed_bfloat16")
    out = unit(images(16, 16))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert {w.dtype for w in unit.weights} == {"float32"}


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="normalization"):
        ConvUnit(filters=4, normalization="layer")
