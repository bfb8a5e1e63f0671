"""What `registry.json` says of every preset, and where the packaged ones lie."""

from __future__ import annotations

import functools
import hashlib
import json
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from guided_sr.errors import UnknownPresetError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_KEY_LENGTH = 12
_NEAR = 0.75  # likeness of names that is taken for a slip of the hand


@functools.cache
def registry() -> dict[str, Any]:
    """The known presets by name.

    Each has a description, ``files`` with sha256 and size, ``packaged`` (whether it
    comes with the package; true unless it says otherwise) and ``urls``, the addresses
    that its files can be downloaded from.
    """
    file = resources.files("guided_sr.presets") / "registry.json"
    return json.loads(file.read_text("utf-8"))


def list_presets() -> list[str]:
    """Names of the known presets, sorted."""
    return sorted(registry())


def describe_preset(name: str) -> dict[str, Any]:
    """Registry entry of a preset.

    Raises:
        UnknownPresetError: If there is none of that name.
    """
    if name not in registry():
        near = get_close_matches(name, list_presets(), n=1, cutoff=_NEAR)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UnknownPresetError(
            f"there is no preset {name!r}",
            mend=f"{meant}choose one of {', '.join(list_presets())}, or give a folder",
        )
    return registry()[name]


def is_packaged(name: str) -> bool:
    """Whether a preset comes with the package, by the registry."""
    return bool(describe_preset(name).get("packaged", True))


def preset_key(name: str) -> str:
    """A key of a preset's content: another training of it has another key."""
    lines = sorted(
        f"{file['sha256']} {part}"
        for part, file in describe_preset(name)["files"].items()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_KEY_LENGTH]


def packaged_roots() -> list[Path]:
    """Folders that presets lie in: of an installed package, and of a checkout."""
    package = Path(str(resources.files("guided_sr.presets")))
    checkout = package.parents[1] / "pretrained"
    return [package / "pretrained", checkout, checkout / "downloads"]


def packaged_folder(name: str) -> Path | None:
    """Folder of a preset that came with the package or lies in the checkout."""
    for root in packaged_roots():
        if (root / name / "config.json").is_file():
            return root / name
    return None


def packaged_place(name: str) -> Path:
    """Where the files of a packaged preset belong, whether or not they are there."""
    roots = packaged_roots()
    return next((root for root in roots if root.is_dir()), roots[0]) / name
