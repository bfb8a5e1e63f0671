"""Write a preset folder: weights first, its configuration last."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from guided_sr.errors import CannotCreateError
from guided_sr.networks.weights import save_weights
from guided_sr.presets import PresetConfig
from guided_sr.volumes import sha256_of
from guided_sr.volumes.writing import replace_json


def new_preset_folder(directory: str | os.PathLike[str], *, force: bool) -> Path:
    """Make a folder for a preset, without a configuration in it.

    Raises:
        CannotCreateError: If the folder holds a preset (without `force`), or cannot
            be made.
    """
    folder = Path(directory)
    if (folder / "config.json").exists() and not force:
        raise CannotCreateError(
            "there is a preset already", path=folder, mend="give another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").unlink(missing_ok=True)
    except OSError as error:
        raise CannotCreateError("the folder cannot be made", path=folder) from error
    return folder


def write_networks(
    networks: Sequence[keras.Model], folder: Path, *, half: bool = False
) -> dict[str, str]:
    """Write one weights file a stage.

    Args:
        networks: Those of the stages, in order.
        folder: Where they go.
        half: Whether they are stored in half precision.

    Returns:
        sha256 of each file, by name.
    """
    digests = {}
    for stage, network in enumerate(networks, 1):
        path = folder / f"stage_{stage}.weights.h5"
        save_weights(network, path, half=half)
        digests[path.name] = sha256_of(path)
    return digests


def write_description(
    folder: Path, config: PresetConfig, metadata: Mapping[str, Any]
) -> None:
    """Write `metadata.json`, then `config.json`, which makes the folder a preset."""
    replace_json(folder / "metadata.json", metadata)
    replace_json(folder / "config.json", config.model_dump(mode="json"))
