"""Folders that are either whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guided_sr.errors import CannotCreateError
from guided_sr.volumes.writing import explained, file_mode


def check_new_folder(out: Path, *, marker: str, force: bool) -> None:
    """Refuse a folder that is there, unless it is an earlier output or empty.

    Args:
        out: Where the folder shall be.
        marker: File that every complete output has; a folder without it is never
            replaced.
        force: Whether an earlier output may be replaced.

    Raises:
        CannotCreateError: If it may not be made there.
    """
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out.is_dir() and (out / marker).is_file()):
        raise CannotCreateError(
            f"the output is there already and holds no {marker}",
            path=out,
            mend="choose another folder; this one is not replaced",
        )
    if not force:
        raise CannotCreateError(
            "the output exists already",
            path=out,
            mend="choose another folder, or replace it with --force",
        )


@contextmanager
def staged_folder(out: Path, *, marker: str, force: bool) -> Iterator[Path]:
    """A hidden folder to fill, which gets its name when the block ends well.

    Args:
        out: The final name.
        marker: As in `check_new_folder`.
        force: As in `check_new_folder`.

    Yields:
        The hidden folder beside it; removed if the block fails.

    Raises:
        CannotCreateError: If the folder may not be made.
        IOFailure: If the disk is full or fails.
    """
    check_new_folder(out, marker=marker, force=force)
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with explained(out):
            complete = hidden / "complete"
            complete.mkdir()
            yield complete
            check_new_folder(out, marker=marker, force=force)
            readable = file_mode()
            complete.chmod(readable | (readable & 0o444) >> 2)
            if out.exists():
                out.rename(hidden / "former")
            complete.rename(out)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
