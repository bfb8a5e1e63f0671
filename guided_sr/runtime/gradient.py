"""Gradients by hand: by a network's inputs, and for a gradient of a gradient.

Keras has no gradient of its own and each backend has another. `input_gradients` works
on all of them; what a training differentiates again is TensorFlow's alone. Everything
else in the package leaves gradients to `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from guided_sr.errors import UsageError

Images = Mapping[str, Any]


def require_tensorflow(what: str) -> None:
    """Refuse something that needs TensorFlow's tape on another backend.

    Args:
        what: What needs it, as the start of a sentence.

    Raises:
        UsageError: If Keras runs on another backend.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            f"{what} needs the TensorFlow backend, this is {backend}; the networks"
            " run on every backend",
            mend="set KERAS_BACKEND=tensorflow before Python starts",
        )


def gradient_tape() -> Any:
    """A context that records, as `tensorflow.GradientTape`."""
    import tensorflow as tf

    return tf.GradientTape()


def input_gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Gradient of the sum of a function's values by its input.

    Inside a `gradient_tape` the result can be differentiated again.

    Args:
        function: Maps a batch to one value or more a sample, each sample for itself.
        inputs: Tensor of shape ``(batch, ...)``.

    Returns:
        Tensor of the shape of ``inputs``.
    """
    with gradient_tape() as tape:
        tape.watch(inputs)
        total = keras.ops.sum(function(inputs))
    return tape.gradient(total, inputs)


def numbered_uniform(shape: Any, *, seed: int, number: Any) -> Any:
    """Uniform numbers in [0, 1) that depend on a seed and a number alone.

    Unlike Keras's generators this has no state that a checkpoint would miss.

    Args:
        shape: Shape of the result; may hold tensors.
        seed: Seed of the sequence.
        number: Which draw of it, an integer or an integer tensor.

    Returns:
        float32 tensor.
    """
    import tensorflow as tf

    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
    return tf.random.stateless_uniform(shape, key)


def differentiable_call(network: keras.Model) -> Callable[[Images], Any]:
    """An inference call of a network that gradients pass through, on every backend.

    `compiled_call` is faster and, with PyTorch, keeps no gradients.
    """
    return lambda inputs: network(inputs, training=False)


def input_gradients(
    function: Callable[[Images], Any], inputs: Images
) -> dict[str, np.ndarray]:
    """Gradient of the sum of a function's values by each of its inputs.

    Args:
        function: Maps tensors of the given names to a tensor, by `keras.ops` and
            networks alone.
        inputs: Arrays by name.

    Returns:
        Arrays of the shapes of ``inputs``, by name; zero for an input that the
        function does not use.
    """
    given = {name: keras.ops.convert_to_tensor(x) for name, x in inputs.items()}
    found = _BY_BACKEND[keras.backend.backend()](
        lambda x: keras.ops.sum(function(x)), given
    )
    return {name: keras.ops.convert_to_numpy(g) for name, g in found.items()}


def _tensorflow_gradients(total: Callable[[Images], Any], given: Images) -> Images:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(given)
        value = total(given)
    zero = tf.UnconnectedGradients.ZERO
    found: Images = tape.gradient(value, given, unconnected_gradients=zero)
    return found


def _jax_gradients(total: Callable[[Images], Any], given: Images) -> Images:
    import jax

    found: Images = jax.grad(total)(given)
    return found


def _torch_gradients(total: Callable[[Images], Any], given: Images) -> Images:
    import torch

    leaves = {name: x.detach().clone().requires_grad_() for name, x in given.items()}
    with torch.enable_grad():
        value = total(leaves)
    found = torch.autograd.grad(value, [*leaves.values()], allow_unused=True)
    return {
        name: torch.zeros_like(leaf) if g is None else g
        for (name, leaf), g in zip(leaves.items(), found, strict=True)
    }


_BY_BACKEND: dict[str, Callable[[Callable[[Images], Any], Images], Images]] = {
    "tensorflow": _tensorflow_gradients,
    "jax": _jax_gradients,
    "torch": _torch_gradients,
}
