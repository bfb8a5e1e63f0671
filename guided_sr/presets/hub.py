"""Presets on the Hugging Face hub: ``hf://OWNER/REPO``, or ``hf://OWNER/REPO@REVISION``.

A repository there has the files of one preset folder at its top. huggingface_hub, an
extra, downloads them into its own cache; only files of a preset's form are taken. What
`registry.json` knows of a preset it does not know of these: their weights are held
against the sha256 in their own `config.json`, which tells a damaged file, not an
exchanged one. A commit as the revision fixes the content.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from guided_sr.errors import (
    IOFailure,
    MissingInputError,
    TryAgainError,
    UsageError,
    WeightsError,
)
from guided_sr.presets.fetch import OFFLINE, is_offline

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", re.ASCII)
_FILES = ["config.json", "metadata.json", "README.md", "stage_*.weights.h5"]


def is_on_hub(name_or_dir: str | os.PathLike[str]) -> bool:
    """Whether a model was asked for by its address on the hub."""
    return isinstance(name_or_dir, str) and name_or_dir.startswith(SCHEME)


def hub_preset(address: str, *, offline: bool | None = None) -> Path:
    """Folder of a preset of the hub, in the cache of huggingface_hub.

    Args:
        address: ``hf://OWNER/REPO`` or ``hf://OWNER/REPO@REVISION``.
        offline: Whether only the cache is looked at; as `GUIDED_SR_OFFLINE` says by
            default.

    Raises:
        UsageError: If the address has another form, or huggingface_hub is missing.
        MissingInputError: If there is no such repository or revision, or it is not in
            the cache and must not be downloaded.
        TryAgainError: If the hub cannot be reached.
        IOFailure: If the download fails.
        WeightsError: If the repository holds no preset.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            f"{address!r} is no address of a model on the hub",
            mend="give hf://OWNER/REPO, or hf://OWNER/REPO@COMMIT",
        )
    hub = _huggingface_hub(address)
    offline = is_offline() if offline is None else offline
    try:
        folder = Path(
            hub.snapshot_download(
                found[1],
                revision=found[2],
                allow_patterns=_FILES,
                local_files_only=offline,
            )
        )
    except Exception as error:
        raise _refusal(error, hub.errors, address, offline=offline) from error
    if not (folder / "config.json").is_file():
        raise WeightsError(
            "the repository holds no preset: it has no config.json",
            path=address,
            mend="give one made of a folder of save_preset",
        )
    return folder


def _huggingface_hub(address: str) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise UsageError(
            f"a model on the hub needs huggingface_hub, which is missing ({error})",
            path=address,
            mend='pip install "guided-sr[hf]"',
        ) from error
    return huggingface_hub


def _refusal(error: Exception, known: Any, address: str, *, offline: bool) -> Exception:
    """The package's error for one of huggingface_hub's."""
    pull = f"guided-sr models pull {address}"
    if isinstance(error, known.LocalEntryNotFoundError) and offline:
        return MissingInputError(
            "the model is not in the cache of huggingface_hub, and nothing is"
            " downloaded here",
            path=address,
            mend=f"run '{pull}' where there is a network, with the same HF_HOME and"
            f" without {OFFLINE}",
        )
    absent = (known.RepositoryNotFoundError, known.RevisionNotFoundError)
    if isinstance(error, absent):
        return MissingInputError(
            "the hub has no such model or revision, or it is not public",
            path=address,
            mend="compare the address with the page of the model",
        )
    if isinstance(error, (known.LocalEntryNotFoundError, ConnectionError)):
        return TryAgainError(
            "the hub cannot be reached, and the model is not in its cache",
            path=address,
            mend=f"check the network and run '{pull}'",
        )
    return IOFailure(
        f"the model could not be downloaded from the hub ({type(error).__name__})",
        path=address,
        mend=f"run '{pull}' again",
    )
