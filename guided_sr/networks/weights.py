"""Weights in and out of files: numbers only, never code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import WeightsError
from guided_sr.presets.inspection import inspect_weights
from guided_sr.volumes.writing import publish, staged

_SUFFIX = ".weights.h5"


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


def save_weights(network: keras.Model, path: Path, *, half: bool = False) -> None:
    """Write what a network or a compiled model has, completely or not at all.

    Args:
        network: With its optimizer's state, if it has been compiled.
        path: A ``.weights.h5`` file, which is replaced.
        half: Whether weights are rounded to float16 in the file, which then has half
            the size. `load_weights` gives float32 again.

    Raises:
        WeightsError: If a weight is too large for float16.
    """
    if half:
        half_precision(network, path=path)

    def write(file: Path) -> None:
        if not half:
            network.save_weights(file, overwrite=True)
            return
        whole = file.with_name(f"{file.name.removesuffix(_SUFFIX)}.whole{_SUFFIX}")
        try:
            network.save_weights(whole, overwrite=True)
            _copy_half(whole, file)
        finally:
            whole.unlink(missing_ok=True)

    with staged(path, write, suffix=_SUFFIX, held=False) as complete:
        publish(complete, path, force=True)


def half_precision(
    network: keras.Model, *, path: Path | None = None
) -> list[NDArray[Any]]:
    """A network's weights as they come back from a file of half precision.

    Raises:
        WeightsError: If a weight is too large for float16.
    """
    values = [np.asarray(one) for one in network.get_weights()]
    with np.errstate(over="ignore"):
        rounded = [_rounded(one).astype(one.dtype) for one in values]
    for exact, one in zip(values, rounded, strict=True):
        if not np.isfinite(one[np.isfinite(exact)]).all():
            raise WeightsError(
                f"a weight of {np.abs(exact).max():.3g} is too large for half"
                " precision",
                path=path,
                mend="save in full precision",
            )
    return rounded


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    floating = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float16) if floating else values


def _copy_half(whole: Path, path: Path) -> None:
    """Copy a weights file with its floating-point arrays rounded."""
    with h5py.File(whole, "r") as source, h5py.File(path, "w", libver="latest") as copy:

        def visit(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                made = copy.create_dataset(name, data=_rounded(item[()]))
            else:
                made = copy.require_group(name)
            made.attrs.update(item.attrs)  # type: ignore[attr-defined]

        source.visititems(visit)
