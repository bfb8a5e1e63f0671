"""Bring presets that are not on this machine: whole, checked, and once.

A preset is downloaded file by file into a hidden folder beside its place in the cache.
Each file is held against the registry's size and sha256, and the folder gets its name
when all are there: a preset in the cache is complete. A file lock lets one process
download while the others wait. Nothing here runs at import.

The cache is ``GUIDED_SR_HOME/KEY/NAME``, where the key belongs to the content: two
versions of the package that share a cache keep their presets apart.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guided_sr.errors import (
    CannotCreateError,
    GuidedSRError,
    IOFailure,
    MissingInputError,
    TryAgainError,
    UsageError,
)
from guided_sr.presets.download import download, without_login
from guided_sr.presets.entries import (
    describe_preset,
    is_packaged,
    packaged_folder,
    preset_key,
)
from guided_sr.presets.whole import is_whole, loss_of_packaged
from guided_sr.progress import show_progress

HOME = "GUIDED_SR_HOME"
OFFLINE = "GUIDED_SR_OFFLINE"
WEIGHTS_URL = "GUIDED_SR_WEIGHTS_URL"

LOCK_SECONDS = 1800.0  # that one process waits for the download of another
_NO = ("", "0", "false", "no", "off")
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def cache_home() -> Path:
    """Folder of the downloaded presets: `GUIDED_SR_HOME`, or the user's cache."""
    given = os.environ.get(HOME)
    if given:
        return Path(given).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("guided-sr"))


def is_offline() -> bool:
    """Whether `GUIDED_SR_OFFLINE` forbids the network."""
    return os.environ.get(OFFLINE, "").strip().lower() not in _NO


def cached_folder(name: str, *, home: Path | None = None) -> Path:
    """Where a downloaded preset lies, whether or not it is there.

    Args:
        name: The preset.
        home: Folder of the cache; `cache_home` by default.
    """
    return (cache_home() if home is None else home) / preset_key(name) / name


def asset_name(name: str, file: str) -> str:
    """Name of a preset's file on a server, where all files lie in one folder."""
    return f"{name}.{file}"


def asset_url(base: str, name: str, file: str) -> str:
    """Address of a preset's file on a server."""
    return f"{base.rstrip('/')}/{asset_name(name, file)}"


def base_urls(name: str) -> list[str]:
    """Addresses that a preset can be had from, that of the environment first.

    Raises:
        UsageError: If `GUIDED_SR_WEIGHTS_URL` is no address.
    """
    bases = list(describe_preset(name).get("urls", []))
    own = os.environ.get(WEIGHTS_URL, "").strip()
    if own and not own.startswith(("http://", "https://")):
        raise UsageError(
            f"{WEIGHTS_URL} is not the address of a server",
            path=own,
            mend="give one that begins with https:// or http://",
        )
    return [own, *bases] if own else bases


def fetch_preset(name: str, *, home: Path | None = None, quiet: bool = False) -> Path:
    """Folder of a preset in the cache; what is missing or damaged is brought.

    A preset that came with the package is copied if it is whole. Any other one is
    downloaded, and so is one of the package that is damaged.

    Args:
        name: The preset.
        home: Folder of the cache; `cache_home` by default.
        quiet: Whether no progress is shown.

    Raises:
        MissingInputError: If it is not there and the machine is offline, or no
            address is known.
        CannotCreateError: If the cache may not be written.
        IOFailure: If no server gave every file whole. Nothing is kept.
        TryAgainError: If no server can be reached, or another process is at it.
        WeightsError: If it should have come with the package, did not or is damaged,
            and no address is known.
    """
    folder = cached_folder(name, home=home)
    if is_whole(folder, name):
        return folder
    source = packaged_folder(name)
    if source is not None and not is_whole(source, name):
        source = None
    bases = [] if source is not None else _sources(name, folder)
    with _explained(folder), _alone(folder, quiet):
        if not is_whole(folder, name):
            _renew(name, folder, source=source, bases=bases, quiet=quiet)
    return folder


def _sources(name: str, folder: Path) -> list[str]:
    """Addresses to download from; a refusal where that cannot be."""
    bases = base_urls(name)
    damaged = packaged_folder(name) is not None
    if not bases and (damaged or is_packaged(name)):
        raise loss_of_packaged(name)
    if is_offline():
        files = describe_preset(name)["files"]
        file = min(files)
        url = asset_url(bases[0], name, file) if bases else "no known address"
        raise MissingInputError(
            f"the preset {name} is {'damaged' if damaged else 'not on this machine'},"
            f" and {OFFLINE} forbids to download {file} (sha256"
            f" {files[file]['sha256']}) and the others from {without_login(url)}",
            path=folder / file,
            mend=f"run 'guided-sr models pull {name}' where there is a network, with"
            f" the same {HOME}, or copy the folder from such a machine",
        )
    if not bases:
        raise MissingInputError(
            f"the preset {name} does not come with the package, and this version knows"
            " no address to download it from",
            path=folder,
            mend=f"set {WEIGHTS_URL} to a server that has its files, or copy the"
            " folder from a machine that has it",
        )
    return bases


def _renew(
    name: str, folder: Path, *, source: Path | None, bases: list[str], quiet: bool
) -> None:
    """Fill a hidden folder and give it the preset's name. The lock must be held."""
    partial = folder.with_name(f".{name}.partial")
    former = folder.with_name(f".{name}.former")
    for left in (partial, former):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    try:
        if source is None:
            _download_all(name, partial, bases, quiet)
        else:
            _copy_all(name, source, partial)
        if folder.exists():
            folder.rename(former)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def _download_all(name: str, partial: Path, bases: list[str], quiet: bool) -> None:
    files = describe_preset(name)["files"]
    total, before = sum(known["bytes"] for known in files.values()), 0
    with show_progress(f"downloading {name}", quiet=quiet, of_bytes=True) as advance:
        for file, known in files.items():

            def show(done: int, before: int = before) -> None:
                advance(before + done, total)

            download(
                [asset_url(base, name, file) for base in bases],
                partial / file,
                sha256=known["sha256"],
                size=known["bytes"],
                advance=show,
            )
            before += known["bytes"]


def _copy_all(name: str, source: Path, partial: Path) -> None:
    for file in describe_preset(name)["files"]:
        shutil.copyfile(source / file, partial / file)
    if not is_whole(partial, name):
        raise loss_of_packaged(name)


@contextmanager
def _alone(folder: Path, quiet: bool) -> Iterator[None]:
    """Hold the lock of a preset; wait while another process holds it."""
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not quiet:
            text = f"waiting for the process that downloads {folder.name}"
            print(text, file=sys.stderr, flush=True)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout as error:
            raise TryAgainError(
                f"another process has been downloading {folder.name} for long",
                path=lock.lock_file,
                mend="run again when it has ended, or end it",
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn system errors into refusals that name the cache, and complete others."""
    try:
        yield
    except (IOFailure, TryAgainError) as error:
        if error.mend:
            raise
        raise type(error)(
            error.what,
            path=folder,
            mend=f"check the network and run 'guided-sr models pull {folder.name}', or"
            f" set {WEIGHTS_URL} to another server that has the files",
        ) from error
    except GuidedSRError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _REFUSED:
            raise CannotCreateError(
                f"the cache of the presets may not be written ({reason})",
                path=folder,
                mend=f"set {HOME} to a folder that may be written, or let its owner run"
                f" 'guided-sr models pull {folder.name}'",
            ) from error
        raise IOFailure(
            f"writing the cache of the presets failed ({reason})",
            path=folder,
            mend=f"free some space there, or set {HOME} to another folder",
        ) from error
