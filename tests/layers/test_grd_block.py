from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.grd_block import GRDBlock, GRDTrunk

pytestmark = pytest.mark.backend

SIZES = [16, 20, 17, 33]
SMALL = {"convolutions": 2, "filters": 4, "growth": 3}


def as_model(layer, channels):
    """A model around a layer; one input a number of channels."""
    inputs = {
        f"x{k}": keras.Input((None, None, c), name=f"x{k}")
        for k, c in enumerate(channels)
    }
    tensors = list(inputs.values())
    return keras.Model(inputs, layer(tensors if len(tensors) > 1 else tensors[0]))


CASES = {
    "guided block": (lambda **k: GRDBlock(**SMALL, **k), (4, 5)),
    "plain block": (lambda **k: GRDBlock(**SMALL, **k), (4,)),
    "normalised block": (
        lambda **k: GRDBlock(**SMALL, normalization="batch", **k),
        (4, 4),
    ),
    "guided trunk": (lambda **k: GRDTrunk(blocks=2, **SMALL, **k), (1, 4, 4)),
    "plain trunk": (lambda **k: GRDTrunk(blocks=2, **SMALL, **k), (1,)),
    "normalised trunk": (
        lambda **k: GRDTrunk(blocks=1, **SMALL, normalization="batch", **k),
        (1, 4),
    ),
}
every_case = pytest.mark.parametrize(
    ("make", "channels"), CASES.values(), ids=CASES.keys()
)


@pytest.fixture
def feed(images):
    def make(channels, h=16, w=16):
        return {
            f"x{k}": images(h, w, channels=c, seed=k) for k, c in enumerate(channels)
        }

    return make


@every_case
def test_every_size_of_image_goes_through(make, channels, feed):
    model = as_model(make(), channels)
    for size in SIZES:
        out = model(feed(channels, size, 20))
        assert tuple(out.shape) == (2, size, 20, 4)


@every_case
def test_a_layer_comes_back_from_its_config(make, channels, feed, round_trip):
    layer = make()
    model = as_model(layer, channels)
    again = as_model(round_trip(layer), channels)
    again.set_weights(model.get_weights())
    x = feed(channels)
    np.testing.assert_allclose(to_numpy(again(x)), to_numpy(model(x)), atol=1e-6)


@every_case
def test_weights_go_through_a_file(make, channels, feed, tmp_path):
    model, other = as_model(make(), channels), as_model(make(), channels)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    x = feed(channels)
    np.testing.assert_allclose(to_numpy(other(x)), to_numpy(model(x)), atol=1e-6)


@every_case
def test_one_compiled_step_trains_everything(make, channels, feed, learns):
    target = np.ones((2, 16, 16, 4), np.float32)
    learns(as_model(make(), channels), feed(channels), target)


@every_case
def test_mixed_precision_computes_in_bfloat16(make, channels, feed):
    out = as_model(make(dtype="mixed_bfloat16"), channels)(feed(channels))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"


def test_a_block_that_learnt_nothing_passes_its_input_on(images):
    block = GRDBlock(**SMALL)
    x = images(16, 16, channels=4)
    block([x, x])
    block.fusion.set_weights([np.zeros_like(w) for w in block.fusion.get_weights()])
    np.testing.assert_array_equal(to_numpy(block([x, x])), x)


def test_dense_convolutions_see_all_earlier_maps():
    block = GRDBlock(convolutions=3, filters=4, growth=3)
    block.build([(None, None, None, 4), (None, None, None, 5)])
    depths = [unit.convolution.kernel.shape[2] for unit in block.dense]
    assert depths == [9, 12, 15]
    assert tuple(block.fusion.convolution.kernel.shape) == (1, 1, 18, 4)


def test_every_block_of_the_trunk_gets_its_own_guide_map(images):
    trunk = GRDTrunk(blocks=2, **SMALL)
    x, g, h = images(16, 16), *(images(16, 16, channels=4, seed=s) for s in (1, 2))
    apart = np.abs(to_numpy(trunk([x, g, h])) - to_numpy(trunk([x, h, g]))).max()
    assert apart > 0


def test_channels_that_cannot_be_added_are_refused(images):
    with pytest.raises(ValueError, match="adds its input to 4 channels"):
        GRDBlock(**SMALL)(images(16, 16, channels=5))
