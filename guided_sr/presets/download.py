"""Download one file from the first server that has it whole.

`pooch` writes to a temporary file, holds it against the sha256, and moves it into
place. What it leaves to its caller is here: the size and the first bytes are checked
while the file comes, and the servers are tried in turn.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guided_sr._version import __version__
from guided_sr.errors import IOFailure, TryAgainError
from guided_sr.presets.entries import HDF5_MAGIC
from guided_sr.volumes.writing import file_mode

ROUNDS = 3  # times that all servers are tried
PAUSE_SECONDS = 1.0  # before the second round; twice that before the third
TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, and between two pieces
_CHUNK = 1 << 18  # bytes


class _RefusedError(ValueError):
    """A server answered, but not with the file."""


class _UnreachableError(ValueError):
    """No server answered."""


def download(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str,
    size: int,
    advance: Callable[[int], None],
) -> None:
    """Download a file whose sha256 and size are known.

    Args:
        urls: Where it may be had, best first.
        target: Where it shall lie, in a folder that is there.
        sha256: What it must have.
        size: Its bytes; no more are taken.
        advance: Called with the bytes that have come of the present attempt.

    Raises:
        TryAgainError: If no server could be reached.
        IOFailure: If one could, and none gave the file whole. Nothing is kept.
    """
    reasons: dict[str, Exception] = {}
    for attempt in range(ROUNDS):
        if attempt:
            time.sleep(attempt * PAUSE_SECONDS)
        for url in urls:
            try:
                _retrieve(url, target, sha256, size, advance)
                return
            except (_RefusedError, _UnreachableError) as error:
                reasons[url] = error
    told = "; ".join(f"{without_login(url)}: {error}" for url, error in reasons.items())
    facts = f"its sha256 is {sha256}"
    if all(isinstance(error, _UnreachableError) for error in reasons.values()):
        raise TryAgainError(
            f"no server that has {target.name} can be reached ({told}); {facts}",
            path=target,
        )
    raise IOFailure(
        f"{target.name} could not be downloaded ({told}); {facts}", path=target
    )


def without_login(url: str) -> str:
    """An address without the name and password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", url)


def _retrieve(
    url: str, target: Path, sha256: str, size: int, advance: Callable[[int], None]
) -> None:
    import pooch

    def transfer(address: str, output: Any, _: Any) -> None:
        _transfer(address, Path(output), size=size, advance=advance)

    with _silent(pooch.get_logger()):
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=target.name,
                path=target.parent,
                downloader=transfer,
            )
        except (_RefusedError, _UnreachableError):
            raise
        except ValueError as error:  # how pooch tells a wrong hash
            raise _RefusedError("the file has another sha256") from error


def _transfer(
    url: str, output: Path, *, size: int, advance: Callable[[int], None]
) -> None:
    import requests

    headers = {"Accept-Encoding": "identity", "User-Agent": f"guided-sr/{__version__}"}
    try:
        response = requests.get(
            url, stream=True, timeout=TIMEOUT_SECONDS, headers=headers
        )
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _UnreachableError("no connection") from error
    except (requests.RequestException, ValueError) as error:
        raise _RefusedError(f"the request failed ({type(error).__name__})") from error
    with response, output.open("wb") as stream:
        if response.status_code != requests.codes.ok:
            raise _RefusedError(f"HTTP status {response.status_code}")
        done = 0
        try:
            for chunk in response.iter_content(_CHUNK):
                if not done:
                    _check_beginning(chunk, Path(url).suffix == ".h5")
                done += len(chunk)
                if done > size:
                    raise _RefusedError(f"more than {size} bytes came")
                stream.write(chunk)
                advance(done)
        except requests.RequestException as error:
            raise _RefusedError(
                f"the connection broke after {done} of {size} bytes"
            ) from error
    if done != size:
        raise _RefusedError(f"{done} of {size} bytes came")
    output.chmod(file_mode())


def _check_beginning(chunk: bytes, weights: bool) -> None:
    if chunk.lstrip()[:1] == b"<":
        raise _RefusedError("a web page came instead of the file")
    if weights and not chunk.startswith(HDF5_MAGIC[: len(chunk)]):
        raise _RefusedError("what came is not an HDF5 weights file")


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
