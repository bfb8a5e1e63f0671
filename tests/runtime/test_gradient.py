from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.runtime.gradient import (
    differentiable_call,
    gradient_tape,
    input_gradient,
    input_gradients,
    numbered_uniform,
    require_tensorflow,
)

GIVEN = {"a": [1, 3], "b": [2, 5], "unused": [4]}


def test_the_gradient_of_a_cube_is_three_squares():
    x = keras.ops.convert_to_tensor(np.array([[1.0], [2.0], [-3.0]], np.float32))
    slope = keras.ops.convert_to_numpy(input_gradient(lambda v: v**3, x))
    np.testing.assert_allclose(slope, [[3.0], [12.0], [27.0]])


def test_a_gradient_can_be_differentiated_again():
    weight = keras.Variable(2.0)
    x = keras.ops.convert_to_tensor(np.array([[1.0], [3.0]], np.float32))
    with gradient_tape() as tape:
        slope = input_gradient(lambda v: weight * v**2, x)
        total = keras.ops.sum(keras.ops.square(slope))
    assert float(tape.gradient(total, [weight])[0]) == 2 * 2.0 * 4 * (1 + 9)


def test_numbers_depend_on_seed_and_number_alone():
    def draw(seed, number):
        return keras.ops.convert_to_numpy(
            numbered_uniform((5, 1), seed=seed, number=number)
        )

    np.testing.assert_array_equal(draw(1, 2), draw(1, np.int64(2)))
    assert not np.array_equal(draw(1, 2), draw(1, 3))
    assert not np.array_equal(draw(1, 2), draw(2, 2))
    many = keras.ops.convert_to_numpy(numbered_uniform((4000,), seed=0, number=0))
    assert many.min() >= 0
    assert many.max() < 1
    assert abs(many.mean() - 0.5) < 0.03


def test_another_backend_is_named(monkeypatch):
    require_tensorflow("this")
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UsageError, match=r"this needs the Tensor.*torch.*KERAS_BACK"):
        require_tensorflow("this")


@pytest.mark.backend
def test_gradients_by_name_come_on_every_backend():
    def function(x):
        return x["a"] ** 2 * keras.ops.sum(x["b"])

    given = {name: np.array(v, np.float32) for name, v in GIVEN.items()}
    found = input_gradients(function, given)
    np.testing.assert_allclose(found["a"], [2 * 1 * 7, 2 * 3 * 7])
    np.testing.assert_allclose(found["b"], [10, 10])
    np.testing.assert_array_equal(found["unused"], [0])


@pytest.mark.backend
def test_gradients_pass_through_a_network(images):
    network = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3)]
    )
    call = differentiable_call(network)
    found = input_gradients(lambda x: call(x["t2"]), {"t2": images(3, 3, n=1)})
    kernel = keras.ops.convert_to_numpy(network.layers[0].kernel)
    np.testing.assert_allclose(found["t2"][0, ..., 0], kernel[..., 0, 0], rtol=1e-5)
