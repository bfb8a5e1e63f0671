"""Gradients by hand, for a training that differentiates a gradient.

Keras has no gradient of its own and each backend has another; this is
TensorFlow's. Everything else in the package leaves gradients to `fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from guided_sr.errors import UsageError


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
