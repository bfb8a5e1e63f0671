from __future__ import annotations

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.layers.plain_trunk import PlainTrunk

pytestmark = pytest.mark.backend

SIDES = {"filters": [8, 4], "kernel_sizes": [9, 5]}


@pytest.mark.parametrize("size", [16, 20, 17, 33])
def test_images_of_any_size_become_features(size, images):
    trunk = PlainTrunk(**SIDES)
    out = trunk([images(size, 20), images(size, 20, seed=1)])
    assert tuple(out.shape) == (2, size, 20, 4)
    assert trunk.compute_output_shape([(None, None, None, 1)] * 2)[-1] == 4


def test_one_image_may_come_without_a_list(images):
    trunk = PlainTrunk(**SIDES)
    x = images(16, 20)
    np.testing.assert_array_equal(to_numpy(trunk(x)), to_numpy(trunk([x])))


def test_every_convolution_has_its_kernel(images):
    trunk = PlainTrunk(**SIDES)
    trunk(images(16, 20))
    kernels = [tuple(w.shape) for w in trunk.weights if len(w.shape) == 4]
    assert kernels == [(9, 9, 1, 8), (5, 5, 8, 4)]


def test_features_are_not_negative(images):
    assert to_numpy(PlainTrunk(**SIDES)(images(16, 20) - 0.5)).min() == 0


def test_lists_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        PlainTrunk(filters=[8, 4], kernel_sizes=[3])


def test_the_trunk_comes_back_from_its_config(round_trip):
    trunk = PlainTrunk(**SIDES, dtype="mixed_bfloat16")
    again = round_trip(trunk)
    assert again.get_config() == trunk.get_config()
    assert {unit.compute_dtype for unit in again.units} == {"bfloat16"}
