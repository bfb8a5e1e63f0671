"""One writer an output, by locks of the operating system.

A lock ends with the process that holds it, however it ends: nothing is left that would
hold up the next run. Where the system or the file system has no such locks, nothing is
locked, and the last writer wins.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guided_sr.errors import TryAgainError

if sys.platform != "win32":
    import fcntl

__all__ = ["hidden_prefix", "lock_or_refuse", "output_lock", "try_lock"]

_BUSY = (errno.EAGAIN, errno.EACCES)
_TRIES = 20
_PAUSE = 0.05  # seconds


def hidden_prefix(out: Path) -> str:
    """What the names of hidden files that belong to an output begin with."""
    return f".guided-sr-{hashlib.sha256(os.fsencode(out.name)).hexdigest()[:12]}-"


def try_lock(handle: int) -> bool:
    """Lock an open file, if nobody else has.

    Args:
        handle: Its descriptor; the lock ends when it is closed.

    Returns:
        Whether it is locked now, or cannot be locked on this system at all.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _BUSY
    return True


def lock_or_refuse(path: Path) -> int | None:
    """Make a file and lock it.

    Args:
        path: The file; whoever holds its lock may remove it.

    Returns:
        Its descriptor, or None if another process holds it.
    """
    for _ in range(_TRIES):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not try_lock(handle):
            os.close(handle)
            return None
        if os.fstat(handle).st_nlink:  # else its holder removed it meanwhile
            return handle
        os.close(handle)
    return None


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Be the only process that makes an output, and make its folder.

    Args:
        out: The output; a hidden file beside it is locked meanwhile.

    Raises:
        TryAgainError: If another process is making it.
    """
    made = _make_folders(out.parent)
    path = out.parent / f"{hidden_prefix(out)}lock"
    handle, holder = _lock_or_holder(path)
    if handle is None:
        raise TryAgainError(
            f"the output is being written by {holder or 'another process'}",
            path=out,
            mend="wait until it has ended, or choose another name",
        )
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        for folder in made:
            with suppress(OSError):  # not empty: something was written
                folder.rmdir()


def _lock_or_holder(path: Path) -> tuple[int | None, str]:
    """Lock a file, or tell what its holder wrote into it.

    A holder writes its name just after it has locked, and removes the file just before
    it lets go: between the two a reader finds nothing, and tries again.
    """
    for _ in range(_TRIES):
        handle = lock_or_refuse(path)
        if handle is not None:
            return handle, ""
        with suppress(OSError, ValueError):
            if holder := path.read_text("utf-8"):
                return None, holder
        time.sleep(_PAUSE)
    return None, ""


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder; tell which had to be made, the deepest first."""
    made = []
    there = folder.absolute()
    while not there.exists():
        made.append(there)
        there = there.parent
    folder.mkdir(parents=True, exist_ok=True)
    return made
