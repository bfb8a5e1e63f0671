"""Compiled calls: one traced function a network, whatever the backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from guided_sr.runtime.device import list_devices

Call = Callable[[dict[str, Any]], Any]


def jit_compile() -> bool | str:
    """Whether Keras should compile a training step with XLA.

    XLA's convolutions are slower than oneDNN's on a CPU with TensorFlow; there it
    is off. Elsewhere Keras decides.
    """
    on_cpu = keras.backend.backend() == "tensorflow" and not list_devices("gpu")
    return False if on_cpu else "auto"


def compiled_call(network: keras.Model) -> Call:
    """A fast inference call of a network, without the overhead of `predict`.

    Args:
        network: Model that maps a mapping of tensors to a tensor.

    Returns:
        Function of a mapping ``{"t2": ..., "t1": ...}`` of float32 tensors. Sizes
        may change between calls; TensorFlow does not trace again for them.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        signature = {
            name: tf.TensorSpec((None, None, None, 1), tf.float32)
            for name in network.input
        }

        @tf.function(input_signature=[signature])
        def call(inputs: dict[str, Any]) -> Any:
            return network(inputs, training=False)

        return call
    if backend == "jax":
        import jax

        variables = [v.value for v in network.trainable_variables]
        states = [v.value for v in network.non_trainable_variables]
        pure = jax.jit(
            lambda v, s, inputs: network.stateless_call(v, s, inputs, training=False)[0]
        )
        return lambda inputs: pure(variables, states, inputs)
    import torch

    def call_torch(inputs: dict[str, Any]) -> Any:
        with torch.no_grad():
            return network(inputs, training=False)

    return call_torch
