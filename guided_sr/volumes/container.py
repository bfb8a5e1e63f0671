"""The file as bytes: is it there, is it what its name says, is all of it intact?

nibabel does not verify the checksum of a gzip file; a damaged one may load as wrong
numbers without a word. Here every stream is drained to its end, once: the pass that
checks the checksum also hashes the file and keeps the bytes that the header asked for,
so that nothing can change between the check and the reading.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from guided_sr.errors import DataError, IOFailure, MissingInputError, TryAgainError

__all__ = ["Payload", "is_gzip", "read_head", "read_payload", "sha256_of"]

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
# A deflate stream cannot shrink more than about 1032 times.
_GZIP_MOST = 1040
_MOST_PADDING = 1 << 20  # zeros after the image data, in bytes


@dataclass(frozen=True)
class Payload:
    """The decompressed bytes of an intact file.

    Attributes:
        content: As many bytes as were asked for.
        sha256: Of the file as stored, compressed or not.
    """

    content: bytearray
    sha256: str


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hash a file.

    Args:
        path: Any file.

    Returns:
        64 hexadecimal digits.

    Raises:
        MissingInputError: If it is not there or may not be read.
        IOFailure: If reading fails half-way.
    """
    with _opened(Path(path), name="file") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_head(path: Path, count: int, *, name: str) -> bytes:
    """Read the first bytes, decompressed, and nothing more.

    Args:
        path: A file that `guided_sr.volumes.locate.locate` let through.
        count: How many bytes; fewer come back from a shorter file.
        name: What to call the image in messages.
    """
    head = bytearray()
    for chunk in _chunks(path, name=name, digest=None, step=count):
        head += chunk
        if len(head) >= count:
            break
    return bytes(head[:count])


def refuse_larger_than_file(path: Path, expected: int, *, name: str) -> None:
    """Refuse a header that describes more than its file can hold.

    Args:
        path: The file, gzipped or not.
        expected: Header and image data together, in bytes.
        name: What to call the image in messages.

    Raises:
        DataError: If it does.
    """
    size = path.stat().st_size
    if not is_gzip(path):
        if expected > size:
            raise _cut(path, name, f"{size} of {expected} bytes")
    elif expected > size * _GZIP_MOST:
        raise DataError(
            f"the {name} header asks for {expected / 2**30:.3g} GiB, which a file of "
            f"{size} bytes cannot hold",
            path=path,
            mend="the header or the file is damaged; copy or convert it again",
        )


def read_payload(
    path: Path, head: bytes, expected: int, *, name: str, allow_tail: bool
) -> Payload:
    """Drain the file and return the bytes that its header describes.

    Args:
        path: A file that `guided_sr.volumes.locate.locate` let through.
        head: What `read_head` gave; the header checked is the header read.
        expected: Header and image data together, in bytes.
        name: What to call the image in messages.
        allow_tail: Whether the format may carry more after the image data.

    Raises:
        DataError: If the file is cut, its checksum is wrong, or more than zero
            padding (at most 1 MiB) follows the image data.
        TryAgainError: If the file changed while it was read.
    """
    before = _state(path)
    refuse_larger_than_file(path, expected, name=name)
    content = bytearray()
    digest = hashlib.sha256()
    tail = 0
    for chunk in _chunks(path, name=name, digest=digest, step=_CHUNK):
        room = expected - len(content)
        content += chunk[:room]
        rest = chunk[room:]
        tail += len(rest)
        if tail > _MOST_PADDING or (not allow_tail and rest.strip(b"\0")):
            raise _garbage(path, name)
    if len(content) < expected:
        raise _cut(path, name, f"{len(content)} of {expected} bytes")
    if content[: len(head)] != head[:expected] or _state(path) != before:
        raise TryAgainError(
            f"the {name} changed while it was read",
            path=path,
            mend="wait until the file is complete and run again",
        )
    return Payload(content=content, sha256=digest.hexdigest())


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def is_gzip(path: Path) -> bool:
    """Whether the file begins with the gzip magic number."""
    with _opened(path, name="file") as stream:
        return stream.read(2) == _GZIP


def _chunks(path: Path, *, name: str, digest: Any, step: int) -> Iterator[bytes]:
    """Yield the decompressed file; complain about all that gzip itself can know."""
    with _opened(path, name=name) as stream:
        raw = stream.read(_CHUNK)
        packed = raw.startswith(_GZIP)
        member = zlib.decompressobj(wbits=31)  # 31: gzip, trailer verified
        while raw:
            if digest is not None:
                digest.update(raw)
            if not packed:
                yield raw
            while packed and raw:
                if member.eof:
                    # A further member may follow (bgzip, pigz), or zero padding.
                    if not raw.strip(b"\0"):
                        break
                    if not raw.startswith(_GZIP[: len(raw)]):
                        raise _garbage(path, name)
                    member = zlib.decompressobj(wbits=31)
                try:
                    out = member.decompress(raw, step)
                except zlib.error as error:
                    raise _damaged(path, name, str(error)) from error
                raw = member.unused_data if member.eof else member.unconsumed_tail
                if out:
                    yield out
            raw = stream.read(_CHUNK)
        if packed and not member.eof:
            raise _cut(path, name, "the gzip stream has no end")


@contextmanager
def _opened(path: Path, *, name: str) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise MissingInputError(
            f"the {name} does not exist", path=path, mend="check the path"
        ) from error
    except PermissionError as error:
        raise _forbidden(path, name) from error
    except OSError as error:
        raise IOFailure(
            f"reading the {name} failed ({error.strerror or error})",
            path=path,
            mend="check the disk or network drive and run again",
        ) from error


def _forbidden(path: Path, name: str) -> MissingInputError:
    try:
        mode = f" (mode {path.stat().st_mode & 0o777:04o})"
    except OSError:
        mode = ""
    user = f" by user {os.getuid()}" if hasattr(os, "getuid") else ""
    return MissingInputError(
        f"the {name} may not be read{user}{mode}",
        path=path,
        mend="ask its owner for read permission, or copy it where you may read it",
    )


def _cut(path: Path, name: str, detail: str) -> DataError:
    return DataError(
        f"the {name} is cut short ({detail})",
        path=path,
        mend="copy, download or convert it again",
    )


def _damaged(path: Path, name: str, detail: str) -> DataError:
    return DataError(
        f"the {name} is a damaged gzip file ({detail.split(': ')[-1]})",
        path=path,
        mend="copy or download it again",
    )


def _garbage(path: Path, name: str) -> DataError:
    return DataError(
        f"the {name} holds further data after the end of the image",
        path=path,
        mend="copy or convert it again; two files may have been joined",
    )
