from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr import GRDN
from guided_sr.runtime import compiled, compiled_call, jit_compile, list_devices

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("form", [{}, {"guided": False}, {"normalization": "batch"}])
def test_the_compiled_call_is_the_network_at_every_size(form, tiny, images):
    network = GRDN(**tiny, **form)
    call = compiled_call(network)
    for h, w in ((16, 16), (20, 17), (33, 16), (16, 20)):
        pair = {"t2": images(h, w), "t1": images(h, w, seed=1)}
        inputs = {
            name: keras.ops.convert_to_tensor(pair[name]) for name in network.input
        }
        out = to_numpy(call(inputs))
        wanted = to_numpy(network(inputs, training=False))
        assert out.shape == (2, h, w, 1)
        np.testing.assert_allclose(out, wanted, atol=1e-5)


def test_the_order_of_the_inputs_does_not_matter(tiny, images):
    network = GRDN(**tiny)  # a call does not keep its network
    call = compiled_call(network)
    t2, t1 = (keras.ops.convert_to_tensor(images(16, 16, seed=s)) for s in (1, 2))
    np.testing.assert_array_equal(
        to_numpy(call({"t2": t2, "t1": t1})), to_numpy(call({"t1": t1, "t2": t2}))
    )


def test_batch_statistics_are_used_and_not_changed(tiny, images):
    network = GRDN.paper(**tiny)
    before = network.get_weights()
    x = keras.ops.convert_to_tensor(images(16, 16))
    compiled_call(network)({"t2": x, "t1": x})
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_many_networks_are_not_taken_for_one_that_is_traced_again(tiny, images, caplog):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow alone counts traces")
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    x = keras.ops.convert_to_tensor(images(16, 16))
    try:
        with caplog.at_level(logging.WARNING, logger="tensorflow"):
            for _ in range(7):
                network = GRDN(**tiny, guided=False)
                compiled_call(network)({"t2": x})
    finally:
        logger.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_xla_is_off_on_a_processor_with_tensorflow():
    on_cpu = keras.backend.backend() == "tensorflow" and not list_devices("gpu")
    assert jit_compile() == (False if on_cpu else "auto")


def _scaled(x, pair, factor):
    left, right = pair
    image = x if left is None else keras.ops.matmul(left, x)
    return factor * (image if right is None else keras.ops.matmul(image, right))


def test_a_compiled_function_is_itself_at_every_size(rng):
    assert compiled(_scaled) is compiled(_scaled)
    for n in (3, 4, 9, 5):
        x, a = (rng.random((n, n), dtype=np.float32) for _ in range(2))
        for pair in ((a, a.T), (a, None), (None, a), (None, None)):
            out = compiled(_scaled)(keras.ops.convert_to_tensor(x), pair, 2.0)
            np.testing.assert_allclose(to_numpy(out), _scaled(x, pair, 2.0), rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's")
def test_tensorflow_traces_a_function_a_few_times_only(rng):
    traces = []

    def function(x, a):
        traces.append(x.shape)
        return keras.ops.matmul(x, a)

    for n in range(3, 20):
        x = rng.random((n, 2 * n), dtype=np.float32)
        compiled(function)(keras.ops.convert_to_tensor(x), x.T)
    assert len(traces) <= 2
