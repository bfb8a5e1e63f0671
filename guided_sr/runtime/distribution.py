"""Training on several devices of one machine: each takes a part of every batch.

JAX by `keras.distribution.DataParallel`, TensorFlow by `tf.distribute.MirroredStrategy`
(with TensorFlow, Keras accepts the former and does nothing). Keras has neither for
PyTorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras

from guided_sr.errors import UsageError

Scope = Callable[[], contextlib.AbstractContextManager[Any]]


def several_devices(count: int | None) -> Scope:
    """Contexts in which a network is made and trained on several devices.

    The network, its optimizer and its training must each be made in one. Variables
    are the same on every device; gradients are averaged after each step.

    Args:
        count: How many; GPUs where there are any, else CPUs. `None` and 1 leave
            everything as it is.

    Returns:
        Gives a context, as often as it is called.

    Raises:
        UsageError: If there are fewer, or the backend has no such training.
    """
    if count in (None, 1):
        return contextlib.nullcontext
    backend = keras.backend.backend()
    if backend not in _SCOPES:
        raise UsageError(
            f"training on several devices is not possible with the {backend} backend",
            mend="leave devices out, or set KERAS_BACKEND to jax or tensorflow before"
            " Python starts",
        )
    known = _devices(backend)
    if not isinstance(count, int) or not 1 < count <= len(known):
        raise UsageError(
            f"there are not {count} devices to train on here",
            mend=f"ask for at most {len(known)}: {', '.join(known)}",
        )
    return _SCOPES[backend](known[:count])


def _devices(backend: str) -> list[str]:
    """Names by which the backend knows its devices, those of the fastest kind."""
    if backend == "jax":
        return list(keras.distribution.list_devices())
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices(
        "CPU"
    )
    return [device.name for device in found]


def _jax_scope(devices: list[str]) -> Scope:
    return keras.distribution.DataParallel(devices=devices).scope


def _tensorflow_scope(devices: list[str]) -> Scope:
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices).scope


_SCOPES: dict[str, Callable[[list[str]], Scope]] = {
    "jax": _jax_scope,
    "tensorflow": _tensorflow_scope,
}
