"""Weights in and out of files: numbers only, never code."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras

from guided_sr.errors import WeightsError
from guided_sr.presets.inspection import inspect_weights
from guided_sr.volumes.writing import publish, staged


def load_weights(network: keras.Model, path: Path) -> None:
    """Load weights into a network built from code.

    Args:
        network: The network, built.
        path: A ``.weights.h5`` file.

    Raises:
        WeightsError: If the file cannot be read, belongs to another architecture or
            holds anything but finite numbers (Keras would load NaN silently).
    """
    inspect_weights(path)
    try:
        if _datasets(path) != len(network.weights):
            raise ValueError("the file holds more or fewer weights than the network")
        network.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            "the weights do not fit the network, or the file is damaged",
            path=path,
            mend="use the preset's own configuration with its own weights",
        ) from error


def _datasets(path: Path) -> int:
    """Arrays in a weights file; Keras ignores those that a network does not have."""
    count = 0

    def visit(name: str, item: object) -> None:
        nonlocal count
        count += isinstance(item, h5py.Dataset)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return count


def save_weights(network: keras.Model, path: Path) -> None:
    """Write what a network or a compiled model has, completely or not at all.

    Args:
        network: With its optimizer's state, if it has been compiled.
        path: A ``.weights.h5`` file, which is replaced.
    """

    def write(file: Path) -> None:
        network.save_weights(file, overwrite=True)

    with staged(path, write, suffix=".weights.h5", held=False) as complete:
        publish(complete, path, force=True)
