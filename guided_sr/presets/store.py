"""Find, read and verify presets. No framework is loaded here.

Packaged presets lie in ``guided_sr/presets/pretrained/NAME`` of an installed
package and in ``pretrained/NAME`` of a checkout, downloaded ones in the cache;
`registry.json` holds the sha256 and size of each of their files. Any folder of the
same form is a preset too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from guided_sr.errors import (
    GuidedSRError,
    IOFailure,
    MissingInputError,
    UnknownPresetError,
    WeightsError,
)
from guided_sr.presets.entries import (
    HDF5_MAGIC,
    describe_preset,
    is_packaged,
    list_presets,
    packaged_folder,
)
from guided_sr.presets.fetch import base_urls, cached_folder, fetch_preset
from guided_sr.presets.hub import hub_preset, is_on_hub
from guided_sr.presets.inspection import inspect_weights
from guided_sr.presets.schema import PresetConfig
from guided_sr.presets.whole import (
    INSTALL_AGAIN,
    is_complete,
    is_whole,
    loss_of_packaged,
)
from guided_sr.volumes import sha256_of

_MOST_JSON = 1 << 24  # bytes


def find_preset(name: str) -> Path | None:
    """Folder of a preset that is on this machine: of the package, else of the cache.

    One of the package that is damaged is told only where the cache has no copy of it.

    Raises:
        UnknownPresetError: If there is none of that name.
    """
    describe_preset(name)
    packaged = packaged_folder(name)
    if packaged is not None and is_whole(packaged, name):
        return packaged
    cached = cached_folder(name)
    return cached if is_complete(cached, name) else packaged


def preset_state(name: str) -> str:
    """``here``, ``damaged``, ``to download`` or ``missing``: to be had nowhere.

    Raises:
        UnknownPresetError: If there is none of that name.
        UsageError: If `GUIDED_SR_WEIGHTS_URL` is no address.
    """
    folder = find_preset(name)
    if folder is not None:
        return "here" if is_whole(folder, name) else "damaged"
    return "to download" if base_urls(name) else "missing"


def absence(name: str) -> GuidedSRError:
    """The refusal of a preset that is not on this machine, where none is downloaded."""
    if is_packaged(name) and not base_urls(name):
        return loss_of_packaged(name)
    return MissingInputError(
        f"the preset {name} is not on this machine",
        path=cached_folder(name),
        mend=f"guided-sr models pull {name}",
    )


def locate_preset(name_or_dir: str | os.PathLike[str], *, quiet: bool = False) -> Path:
    """Folder of a preset; one that is not on this machine is downloaded.

    Args:
        name_or_dir: Name of a preset, a folder with a `config.json`, or
            ``hf://OWNER/REPO`` (see `hub_preset`).
        quiet: Whether a download shows no progress.

    Raises:
        UnknownPresetError: If it is neither.
        WeightsError: If a packaged preset's files are missing.
        GuidedSRError: If it cannot be downloaded; see `fetch_preset`.
    """
    if is_on_hub(name_or_dir):
        return hub_preset(str(name_or_dir))
    folder = Path(name_or_dir)
    if (folder / "config.json").is_file():
        return folder
    name = str(name_or_dir)
    if name not in list_presets() and folder.is_file():
        raise UnknownPresetError(
            "a model is a folder; files are not loaded, since a saved network may carry"
            " code",
            path=folder,
            mend="give a folder made by save_preset or 'guided-sr train'",
        )
    if name not in list_presets() and folder.exists():
        raise UnknownPresetError(
            "the folder is no preset: it has no config.json",
            path=folder,
            mend="give a folder made by save_preset or 'guided-sr train'",
        )
    return find_preset(name) or fetch_preset(name, quiet=quiet)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_JSON:
            raise WeightsError(
                "the file is too large for a configuration",
                path=path,
                mend="copy the preset again",
            )
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise IOFailure("the file cannot be read", path=path) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise WeightsError(
            "the file is not JSON", path=path, mend="copy the preset again"
        ) from error
    if not isinstance(data, dict):
        raise WeightsError("the file holds no object", path=path)
    return data


def read_config(folder: Path) -> PresetConfig:
    """Read and check a preset's `config.json`.

    Raises:
        WeightsError: If it is not of the known form; the first fault is named.
    """
    path = folder / "config.json"
    try:
        return PresetConfig.model_validate(_read_json(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise WeightsError(
            f"the preset's configuration is wrong at {where}: {fault['msg']}",
            path=path,
            mend="use a preset made by this version or an older one",
        ) from error


def read_metadata(folder: Path) -> dict[str, Any]:
    """A preset's `metadata.json`; empty where there is none."""
    path = folder / "metadata.json"
    return _read_json(path) if path.is_file() else {}


def weights_files(folder: Path, config: PresetConfig) -> list[Path]:
    """The checked weights of each stage, in order.

    Raises:
        WeightsError: If a file is missing, is no HDF5 file, has another sha256 than
            its configuration says, or holds anything but finite numbers.
    """
    files = []
    for stage in range(1, config.stages + 1):
        name = f"stage_{stage}.weights.h5"
        path = folder / name
        if not path.is_file():
            raise WeightsError(
                f"the weights of stage {stage} are missing",
                path=path,
                mend="copy the whole preset folder",
            )
        with path.open("rb") as stream:
            if stream.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
                raise WeightsError(
                    "the file is not an HDF5 weights file",
                    path=path,
                    mend="copy the preset again",
                )
        wanted, found = config.weights.get(name), sha256_of(path)
        if wanted != found:
            raise WeightsError(
                f"the weights have sha256 {found[:12]}..., the configuration says"
                f" {(wanted or 'none')[:12]}...",
                path=path,
                mend="copy the preset again; the file is damaged or another one",
            )
        inspect_weights(path)
        files.append(path)
    return files


def verify_preset(name_or_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Check every file of a preset against the registry or its own configuration.

    Returns:
        sha256 of each file.

    Raises:
        WeightsError: If a file is missing or differs.
    """
    folder = locate_preset(name_or_dir)
    name = str(name_or_dir)
    known = describe_preset(name)["files"] if name in list_presets() else {}
    digests = {}
    for file, expected in known.items():
        path = folder / file
        if not path.is_file():
            fault = "a file of the preset is missing"
            raise WeightsError(fault, path=path, mend=_anew(name, folder))
        digests[file] = sha256_of(path)
        if digests[file] != expected["sha256"]:
            raise WeightsError(
                f"the file has sha256 {digests[file][:12]}..., the registry says"
                f" {expected['sha256'][:12]}...",
                path=path,
                mend=_anew(name, folder),
            )
    for path in weights_files(folder, read_config(folder)):
        digests[path.name] = sha256_of(path)
    return digests


def _anew(name: str, folder: Path) -> str:
    """How a damaged preset of the registry is mended."""
    if folder == packaged_folder(name) and not base_urls(name):
        return INSTALL_AGAIN
    return f"run 'guided-sr models pull {name}', which brings it anew"
