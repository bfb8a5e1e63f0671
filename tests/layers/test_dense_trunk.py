from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.dense_trunk import DenseBlock, DenseTrunk, DenseUnit

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(
    ("blocks", "channels"), [(1, 4 * (2 + 3)), (2, 4 * (2 + 2 * 5)), (3, 4 * 17)]
)
def test_the_trunk_gives_all_maps_that_its_last_layer_should_see(
    blocks, channels, images
):
    trunk = DenseTrunk(blocks=blocks, units=3, growth=4)
    for size in (16, 17, 33):
        pair = [images(size, 20), images(size, 20, seed=1)]
        assert tuple(trunk(pair).shape) == (2, size, 20, channels)
    shape = trunk.compute_output_shape([(None, None, None, 1)] * 2)
    assert shape == (None, None, None, channels)
    assert len(trunk.compressors) == blocks - 1


def test_a_block_keeps_its_input_and_adds_growth(images):
    block = DenseBlock(units=3, growth=4)
    x = images(16, 20, channels=6)
    out = to_numpy(block(x))
    assert out.shape == (2, 16, 20, 6 + 3 * 4)
    np.testing.assert_allclose(out[..., :6], x)
    widths = [unit.convolution.kernel.shape[2] for unit in block.units]
    assert widths == [6, 10, 14]


def test_a_unit_normalises_and_activates_before_it_convolves(images):
    unit = DenseUnit(growth=4)
    x = 5 + 3 * images(16, 20, channels=6)
    out = to_numpy(unit(x, training=True))
    centred = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)
    activated = np.where(centred > 0, centred, np.expm1(np.minimum(centred, 0)))
    expected = keras.ops.conv(
        activated.astype(np.float32), unit.convolution.kernel, padding="same"
    )
    np.testing.assert_allclose(out, to_numpy(expected), atol=1e-3)


@pytest.mark.parametrize(("normalization", "biases"), [("batch", 0), (None, 4)])
def test_a_bias_stands_only_where_nothing_takes_it_away(normalization, biases, images):
    trunk = DenseTrunk(blocks=2, units=1, growth=4, normalization=normalization)
    trunk(images(16, 20))
    assert sum("bias" in w.path for w in trunk.weights) == biases


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="got 'layer'"):
        DenseTrunk(normalization="layer")


@pytest.mark.parametrize(
    "layer",
    [
        DenseUnit(growth=4, normalization=None),
        DenseBlock(units=2, growth=4),
        DenseTrunk(blocks=2, units=2, growth=4, dtype="mixed_bfloat16"),
    ],
)
def test_layers_come_back_from_their_config(layer, round_trip):
    again = round_trip(layer)
    assert again.get_config() == layer.get_config()
    assert again.compute_dtype == layer.compute_dtype
