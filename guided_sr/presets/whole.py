"""Whether the files of a preset are whole, and the refusal of a packaged one's loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guided_sr.errors import WeightsError
from guided_sr.presets.entries import describe_preset, packaged_folder, packaged_place
from guided_sr.volumes import sha256_of

INSTALL_AGAIN = "install the package again: pip install --force-reinstall guided-sr"


def is_complete(folder: Path, name: str) -> bool:
    """Whether all files of a preset are in a folder, each of the right size."""
    return all(
        (folder / file).is_file() and (folder / file).stat().st_size == known["bytes"]
        for file, known in describe_preset(name)["files"].items()
    )


def is_whole(folder: Path, name: str) -> bool:
    """Whether all files of a preset are in a folder, each with the right sha256."""
    return is_complete(folder, name) and next(_faulty(folder, name), None) is None


def loss_of_packaged(name: str) -> WeightsError:
    """The refusal of a preset that came with the package and is no longer whole.

    Its files are named where they are missed, not where a copy would go.
    """
    folder = packaged_folder(name)
    if folder is None:
        return WeightsError(
            f"the files of the preset {name} are missing",
            path=packaged_place(name),
            mend=INSTALL_AGAIN,
        )
    return WeightsError(
        f"the preset {name} that came with the package is damaged",
        path=list(_faulty(folder, name)),
        mend=INSTALL_AGAIN,
    )


def _faulty(folder: Path, name: str) -> Iterator[Path]:
    """Files that are missing, or differ from the registry."""
    for file, known in describe_preset(name)["files"].items():
        path = folder / file
        if not path.is_file() or sha256_of(path) != known["sha256"]:
            yield path
