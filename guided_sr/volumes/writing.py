"""Files that are either whole or not there.

Everything is written to a hidden temporary file in the folder of the output, flushed to
the disk, checked, and only then renamed. A sidecar goes first and the image last: an
image that is there is complete and has its sidecar.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.errors import CannotCreateError, IOFailure, PathLike, UsageError
from guided_sr.volumes.locking import hidden_prefix, try_lock

__all__ = [
    "explained",
    "json_text",
    "prepare_output",
    "publish",
    "refuse_same_file",
    "staged",
    "sweep",
    "write_file",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)


def refuse_same_file(output: PathLike, *inputs: PathLike | None) -> None:
    """Refuse an output that is one of the inputs, also through a link.

    Args:
        output: Where the result shall go; need not exist.
        *inputs: The files read; None is skipped.

    Raises:
        UsageError: If output and input are the same file.
    """
    out = Path(output)
    for one in inputs:
        if one is None:
            continue
        same = os.path.realpath(out) == os.path.realpath(one)
        with suppress(OSError, ValueError):
            same = same or os.path.samefile(out, one)
        if same:
            raise UsageError(
                "the output is the same file as an input",
                path=[out, Path(one)],
                mend="choose another name for the output",
            )


def prepare_output(path: PathLike, *, force: bool) -> Path:
    """Create the folder of an output and check that the output may be written.

    Args:
        path: Where the result shall go.
        force: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        CannotCreateError: If the file exists (without `force`), is a folder, or its
            folder cannot be created or written.
    """
    out = Path(path)
    if out.is_dir():
        raise CannotCreateError(
            "the output is a folder", path=out, mend="add a file name to it"
        )
    if os.path.lexists(out) and not force:
        raise _exists(out)
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise CannotCreateError(
            "the folder of the output may not be written",
            path=out,
            mend="choose another folder, or ask for write permission",
        )
    return out


@contextmanager
def staged(
    out: Path, write: Callable[[Path], None], *, suffix: str, held: bool = True
) -> Iterator[Path]:
    """Write a hidden temporary file beside the output; remove it in any event.

    Those that a killed process left for the same output are removed as well.

    Args:
        out: The output, whose folder is used.
        write: Writes the file of the name it is given.
        suffix: Suffix of the temporary file, e.g. ``".nii.gz"``.
        held: Whether the file is locked meanwhile, so that no other process takes it
            for a remnant. HDF5 locks its files itself and cannot write to it then.

    Yields:
        The complete temporary file, flushed to the disk.

    Raises:
        IOFailure: If the disk is full or fails.
        CannotCreateError: If the folder may not be written.
    """
    with explained(out):
        sweep(out)
        handle, temporary = _temporary(out, suffix)
    if not held:
        os.close(handle)
    try:
        with explained(out):
            write(temporary)
            temporary.chmod(file_mode())
            _sync(temporary)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        if held:
            os.close(handle)


def _temporary(out: Path, suffix: str) -> tuple[int, Path]:
    """A new hidden file beside the output, locked as long as it is open."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=hidden_prefix(out), suffix=suffix, dir=out.parent
        )
        if try_lock(handle) and os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another process took it for a remnant and removed it


def sweep(out: Path) -> None:
    """Remove the temporary files of an output whose writers are dead.

    Args:
        out: The output, there or not.
    """
    if sys.platform == "win32":
        return
    prefix = hidden_prefix(out)
    for entry in out.parent.iterdir():
        if entry.name.startswith(prefix) and not entry.name.endswith("-lock"):
            with suppress(OSError):
                handle = os.open(entry, os.O_RDWR)
                try:
                    if try_lock(handle):
                        entry.unlink()
                finally:
                    os.close(handle)


def publish(temporary: Path, out: Path, *, force: bool) -> None:
    """Give a complete temporary file its final name, in one step.

    Args:
        temporary: A file from `staged`.
        out: The final name.
        force: Whether a file of that name is replaced.

    Raises:
        CannotCreateError: If the file has appeared meanwhile, without `force`.
    """
    with explained(out):
        if not force:
            try:
                os.link(temporary, out)  # fails where os.replace would overwrite
            except FileExistsError as error:
                raise _exists(out) from error
            except OSError:  # a file system without hard links
                if os.path.lexists(out):
                    raise _exists(out) from None
                os.replace(temporary, out)
        else:
            os.replace(temporary, out)
        with suppress(OSError):  # not every system can flush a folder
            _sync(out.parent)


def write_file(path: Path, write: Callable[[Path], None], *, force: bool) -> Path:
    """Write a file completely or not at all.

    Args:
        path: Its final name.
        write: Writes the file of the name it is given.
        force: Whether an existing file is replaced.
    """
    prepare_output(path, force=force)
    with staged(path, write, suffix=path.suffix) as temporary:
        publish(temporary, path, force=force)
    return path


def json_text(content: Mapping[str, Any]) -> str:
    """Turn a sidecar into JSON text, NumPy numbers and paths included.

    Args:
        content: Keys and values of the sidecar.

    Returns:
        Text that ends in a newline.

    Raises:
        UsageError: If a value cannot be stored as JSON.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        raise TypeError(f"{type(value).__name__} has no JSON form")

    try:
        text = json.dumps(content, indent=2, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the sidecar cannot be stored as JSON ({error})",
            mend="keep to text, finite numbers, lists and dictionaries",
        ) from error
    return text + "\n"


def replace_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write or replace a JSON file in one step; a kill leaves the old or the new one.

    Args:
        path: The file.
        content: What `json_text` takes.

    Raises:
        IOFailure: If the disk is full or fails.
        CannotCreateError: If the folder may not be written.
    """
    text = json_text(content)

    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    with staged(path, write, suffix=".json") as complete:
        publish(complete, path, force=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_mode() -> int:
    """Permissions of a new file by the process's umask; temporary files have fewer."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """Turn system errors into refusals that name the output."""
    try:
        yield
    except FileExistsError as error:
        raise CannotCreateError(
            "the folder of the output is a file",
            path=out,
            mend="choose another folder",
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _REFUSED:
            raise CannotCreateError(
                f"the output cannot be created ({reason})",
                path=out,
                mend="choose another folder, or ask for write permission",
            ) from error
        full = error.errno in _FULL
        raise IOFailure(
            f"writing the output failed ({reason})",
            path=out,
            mend=f"free some space, see df -h {shlex.quote(str(out.parent))}"
            if full
            else "check the disk or network drive and run again",
        ) from error


def _exists(out: Path) -> CannotCreateError:
    return CannotCreateError(
        "the output exists already",
        path=out,
        mend="choose another name, or allow replacing it: force=True, or --force",
    )
