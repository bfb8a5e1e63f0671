from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.guidance_branch import GuidanceBranch

pytestmark = pytest.mark.backend

SIZES = [16, 20, 17, 33]


def as_model(**options):
    t1 = keras.Input((None, None, 1), name="t1")
    maps = GuidanceBranch(**options, name="guidance_branch")(t1)
    return keras.Model({"t1": t1}, keras.layers.Concatenate()(maps))


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_every_block_gets_a_map_of_the_guides_size(normalization, images):
    branch = GuidanceBranch(blocks=3, filters=4, normalization=normalization)
    for size in SIZES:
        maps = branch(images(size, 16))
        assert [tuple(m.shape) for m in maps] == [(2, size, 16, 4)] * 3
        wanted = branch.compute_output_shape((2, size, 16, 1))
        assert [tuple(s) for s in wanted] == [tuple(m.shape) for m in maps]


def test_a_map_is_made_from_the_one_before(images):
    branch = GuidanceBranch(blocks=2, filters=4)
    x = images(16, 16)
    first, second = branch(x)
    taps = [branch.taps[0](branch.head(x)), branch.taps[1](first)]
    for found, wanted in zip(taps, (first, second), strict=True):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), atol=1e-6)


def test_a_branch_comes_back_from_its_config(images, round_trip):
    branch = GuidanceBranch(blocks=2, filters=4, normalization="batch")
    x = images(16, 20)
    out = branch(x)
    again = round_trip(branch)
    assert again.built
    again.set_weights(branch.get_weights())
    for found, wanted in zip(again(x), out, strict=True):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), atol=1e-6)


def test_weights_go_through_a_file(images, tmp_path):
    model, other = as_model(blocks=2, filters=4), as_model(blocks=2, filters=4)
    inputs = {"t1": images(17, 16)}
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(
        to_numpy(other(inputs)), to_numpy(model(inputs)), atol=1e-6
    )


def test_one_step_trains_every_convolution(images, learns):
    learns(
        as_model(blocks=2, filters=4),
        {"t1": images(16, 16)},
        np.ones((2, 16, 16, 8), np.float32),
    )


def test_mixed_precision_gives_bfloat16_maps(images):
    branch = GuidanceBranch(blocks=1, filters=4, dtype="mixed_bfloat16")
    (out,) = branch(images(16, 16))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
