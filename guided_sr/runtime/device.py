"""Devices by the names a user types: ``auto``, ``cpu``, ``gpu``, ``gpu:1``."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from guided_sr.errors import UsageError


def list_devices(kind: str) -> list[str]:
    """Devices of a kind, as ``["gpu:0", "gpu:1"]``.

    Args:
        kind: ``"cpu"`` or ``"gpu"``.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        count = len(tf.config.list_physical_devices(kind.upper()))
    elif backend == "jax":
        import jax

        count = sum(d.platform == kind for d in jax.devices())
    elif kind == "gpu":
        import torch

        count = torch.cuda.device_count()
    else:
        count = 1
    return [f"{kind}:{k}" for k in range(count)]


def first_device() -> str:
    """Where Keras works unless it is told otherwise: ``"gpu:0"`` or ``"cpu:0"``."""
    return "gpu:0" if list_devices("gpu") else "cpu:0"


def framework_versions() -> dict[str, str]:
    """Keras's version and the name of its backend."""
    return {"keras": keras.__version__, "backend": keras.backend.backend()}


def device_scope(device: str = "auto") -> contextlib.AbstractContextManager[Any]:
    """A context in which Keras works on the device asked for.

    Args:
        device: ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"gpu"`` or
            ``"gpu:N"``.

    Raises:
        UsageError: If there is no such device; the message lists those there are.
    """
    if device == "auto":
        return contextlib.nullcontext()
    kind, _, index = device.partition(":")
    known = list_devices(kind) if kind in ("cpu", "gpu") else []
    wanted = f"{kind}:{index or 0}"
    if wanted not in known:
        there = ", ".join(["auto", *list_devices("cpu"), *list_devices("gpu")])
        raise UsageError(
            f"there is no device {device!r} here", mend=f"choose one of {there}"
        )
    return keras.device(wanted)
