"""Where results go: names, checks before the work, and files written whole."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guided_sr.errors import CannotCreateError, IOFailure, UsageError
from guided_sr.volumes import refuse_same_file
from guided_sr.volumes.locate import suffix_of
from guided_sr.volumes.writing import json_text, write_file

_WRITTEN = (".nii.gz", ".nii")
_LONGEST_NAME = 255


def sidecar_of(image: Path) -> Path:
    """The JSON file beside an image."""
    return image.with_name(image.name[: -len(suffix_of(image))] + ".json")


def result_name(source: Path, desc: str) -> str:
    """Name of a derivative: ``sub-01_T2w.nii.gz`` to ``sub-01_desc-DESC_T2w.nii.gz``.

    Args:
        source: The image it is made from.
        desc: Letters and digits.
    """
    stem = source.name[: len(source.name) - len(suffix_of(source))]
    return f"{re.sub('(?i)_t2w$', '', stem)}_desc-{desc}_T2w.nii.gz"


def resolve_output(given: str | None, source: Path, desc: str) -> Path:
    """The file that a result goes to.

    Args:
        given: File, folder (existing, or ending in a slash) or None, which means
            beside the source.
        source: The image it is made from.
        desc: What to put into a name made here.

    Raises:
        UsageError: If a file name does not end in ``.nii.gz`` or ``.nii``.
        CannotCreateError: If it is longer than file systems take.
    """
    name = result_name(source, desc)
    if given is None:
        return source.with_name(name)
    path = Path(given)
    _refuse_long_name(path)
    if path.is_dir() or given.endswith(("/", os.sep)):
        return path / name
    if suffix_of(path) not in _WRITTEN:
        raise UsageError(
            "the output is not named .nii.gz or .nii",
            path=path,
            mend=f"name it {path.name.split('.')[0] or 'image'}.nii.gz, or end it"
            " with / for a folder",
        )
    return path


def _refuse_long_name(path: Path) -> None:
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise CannotCreateError(
            f"the name of the output is over {_LONGEST_NAME} bytes long",
            path=path,
            mend="give a shorter one with -o",
        )


def refuse_existing_model(folder: Path, *, force: bool) -> None:
    """Refuse to train into a folder that holds a model.

    Raises:
        CannotCreateError: If there is one, and no `force`.
    """
    if (folder / "config.json").exists() and not force:
        raise CannotCreateError(
            "there is a model already",
            path=folder,
            mend="choose another folder, or replace it with --force",
        )


def check_folder(folder: Path) -> None:
    """Check that files can be made in a folder, which need not exist. Makes nothing.

    Raises:
        CannotCreateError: If it, or what would hold it, is a file or not writable.
    """
    there = folder.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        raise CannotCreateError(
            "the folder of the output is a file", path=there, mend="choose another"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise CannotCreateError(
            "the folder of the output may not be written",
            path=there,
            mend="choose another folder, or ask for write permission",
        )


def check_outputs(*paths: Path, force: bool, inputs: tuple[Path, ...] = ()) -> None:
    """Check before the work that files can be written after it. Makes nothing.

    Args:
        *paths: What will be written.
        force: Whether existing files may be replaced.
        inputs: Files that must not be among them.

    Raises:
        UsageError: If one is an input.
        CannotCreateError: If one exists (without `force`) or cannot be made.
    """
    for path in paths:
        _refuse_long_name(path)
        refuse_same_file(path, *inputs)
        if path.is_dir():
            raise CannotCreateError(
                "the output is a folder", path=path, mend="choose another name"
            )
        if os.path.lexists(path) and not force:
            raise CannotCreateError(
                "the output exists already",
                path=path,
                mend="choose another name, or replace it with --force",
            )
        check_folder(path.parent)


def check_space(path: Path, size: int) -> None:
    """Check before the work that the disk holds what will be written.

    Args:
        path: What will be written; its folder need not exist.
        size: In bytes.

    Raises:
        IOFailure: If less is free.
    """
    there = path.absolute().parent
    while not there.is_dir():
        there = there.parent
    free = shutil.disk_usage(there).free
    if size > free:
        raise IOFailure(
            f"the output needs up to {size / 2**20:.3g} MiB, {free / 2**20:.3g} MiB are"
            " free",
            path=path,
            mend=f"free some space, see df -h {shlex.quote(str(there))}",
        )


def write_json(path: Path, content: Mapping[str, Any], *, force: bool) -> Path:
    """Write a JSON file completely or not at all."""
    text = json_text(content)
    return write_file(path, lambda file: _write(file, text), force=force)


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def read_sidecar(image: Path) -> dict[str, Any]:
    """The package's block of an image's sidecar; empty where there is none."""
    try:
        content = json.loads(sidecar_of(image).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    block = content.get("GuidedSR") if isinstance(content, dict) else None
    return block if isinstance(block, dict) else {}
