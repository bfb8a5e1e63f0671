"""Compiled calls: one traced function a network or operator, whatever the backend."""

from __future__ import annotations

import functools
import weakref
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
    return False if _tensorflow_on_cpu() else "auto"


def _tensorflow_on_cpu() -> bool:
    return keras.backend.backend() == "tensorflow" and not list_devices("gpu")


def new_sizes_cost() -> bool:
    """Whether `compiled_call` is slow at first for images of a size it has not met.

    JAX compiles anew, and for a GPU TensorFlow looks anew for the fastest convolutions.
    """
    return keras.backend.backend() == "jax" or bool(list_devices("gpu"))


def single_images_are_slow() -> bool:
    """Whether a batch of one image takes longer than one of two.

    On a CPU TensorFlow gives a convolution of a single image to another kernel of
    oneDNN, which takes two and a half times as long a pixel.
    """
    return _tensorflow_on_cpu()


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays and tensors, for many calls outside a graph.

    Args:
        function: Of positional arrays, tensors, `None` and tuples of these. Kept for
            ever, so one that is defined once.

    Returns:
        The same function, traced by TensorFlow (sizes may change between calls),
        compiled by JAX for each size, and as it is with PyTorch.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


_CALLS: weakref.WeakKeyDictionary[keras.Model, Call] = weakref.WeakKeyDictionary()


def compiled_call(network: keras.Model) -> Call:
    """A fast inference call of a network, without the overhead of `predict`.

    Traced once a network and kept as long as the network is; it always uses the
    network's present weights.

    Args:
        network: Model that maps a mapping of tensors to a tensor.

    Returns:
        Function of a mapping ``{"t2": ..., "t1": ...}`` of float32 tensors. Sizes
        may change between calls; TensorFlow does not trace again for them.
    """
    if network not in _CALLS:
        _CALLS[network] = _BUILDERS[keras.backend.backend()](network)
    return _CALLS[network]


def _tensorflow_call(network: keras.Model) -> Call:
    import tensorflow as tf

    kept = weakref.ref(network)
    signature = {
        name: tf.TensorSpec((None, None, None, 1), tf.float32) for name in network.input
    }

    @tf.function(input_signature=[signature])
    def call(inputs: dict[str, Any]) -> Any:
        return _alive(kept)(inputs, training=False)

    # TensorFlow takes the traces of several networks for one that is traced again and
    # again, and warns of it, unless it is asked for the one trace that there is
    return call.get_concrete_function()


def _jax_call(network: keras.Model) -> Call:
    import jax

    kept = weakref.ref(network)

    @jax.jit
    def pure(variables: list[Any], states: list[Any], inputs: dict[str, Any]) -> Any:
        model = _alive(kept)
        return model.stateless_call(variables, states, inputs, training=False)[0]

    def call(inputs: dict[str, Any]) -> Any:
        model = _alive(kept)
        variables = [v.value for v in model.trainable_variables]
        states = [v.value for v in model.non_trainable_variables]
        return pure(variables, states, inputs)

    return call


def _torch_call(network: keras.Model) -> Call:
    import torch

    kept = weakref.ref(network)

    def call(inputs: dict[str, Any]) -> Any:
        with torch.no_grad():
            return _alive(kept)(inputs, training=False)

    return call


def _alive(kept: weakref.ref[keras.Model]) -> keras.Model:
    network = kept()
    if network is None:
        raise RuntimeError("the network of a compiled call is gone")
    return network


_BUILDERS: dict[str, Callable[[keras.Model], Call]] = {
    "tensorflow": _tensorflow_call,
    "jax": _jax_call,
    "torch": _torch_call,
}
