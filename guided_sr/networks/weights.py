"""Weights in and out of files: numbers only, never code."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from guided_sr.errors import WeightsError


def load_weights(network: keras.Model, path: Path) -> None:
    """Load weights into a network built from code.

    Args:
        network: The network, built.
        path: A ``.weights.h5`` file.

    Raises:
        WeightsError: If the file cannot be read, belongs to another architecture or
            holds NaN (Keras would load that silently).
    """
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            "the weights do not fit the network, or the file is damaged",
            path=path,
            mend="use the preset's own configuration with its own weights",
        ) from error
    if not all(np.isfinite(values).all() for values in network.get_weights()):
        raise WeightsError(
            "the weights hold NaN or infinite values",
            path=path,
            mend="train again with a lower learning rate, or copy the preset again",
        )


def save_weights(network: keras.Model, path: Path) -> None:
    """Write a network's weights, which must have no optimizer state with them."""
    network.save_weights(path, overwrite=True)
