"""Every refusal of the package: what is wrong, which file, and how to mend it.

The text of an error is one line, ``<what>: <path>. Mend: <mend>.``, so that it can be
printed, logged and searched. Each class carries a stable ``code`` (``E-DATA``) and the
process exit code of the BIDS execution table (64 usage, 65 bad data, 66 no input,
71 cluster lost, 73 cannot create output, 74 input/output failure, 75 try again).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

PathLike = str | os.PathLike[str]

_MEND = ". Mend: "

__all__ = [
    "CannotCreateError",
    "ClusterError",
    "DataError",
    "GeometryError",
    "GuidedSRError",
    "GuidedSRWarning",
    "IOFailure",
    "MissingInputError",
    "ReportError",
    "TryAgainError",
    "UnknownPresetError",
    "UnknownScaleError",
    "UsageError",
    "WeightsError",
    "is_out_of_memory",
    "noted_warnings",
    "split_mend",
    "warn_user",
]


class GuidedSRError(Exception):
    """Root of the error tree.

    Args:
        what: What is wrong, without a final full stop.
        path: The file concerned, or several of them.
        mend: What the reader can do about it, best as something to paste.
        code: Overrides the class's code.
        exit_code: Overrides the class's process exit code.

    Attributes:
        what: As given.
        path: The path as text (several joined by ``", "``), or None.
        mend: As given.
        code: A stable identifier such as ``"E-DATA"``.
        exit_code: The process exit code.
    """

    code: str = "E-ERROR"
    exit_code: int = 1

    def __init__(
        self,
        what: str,
        *,
        path: PathLike | Sequence[PathLike] | None = None,
        mend: str = "",
        code: str | None = None,
        exit_code: int | None = None,
    ) -> None:
        self.what = what
        self.path = _path_text(path)
        self.mend = mend
        if code is not None:
            self.code = code
        if exit_code is not None:
            self.exit_code = exit_code
        super().__init__(_one_line(what, self.path, mend))

    def __str__(self) -> str:
        """The one line, without the ``ERROR [code]`` that the command line adds."""
        return _one_line(self.what, self.path, self.mend)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error cross a process boundary with all its attributes."""
        state = (self.what, self.path, self.mend, self.code, self.exit_code)
        return _rebuild, (type(self), *state)


class UsageError(GuidedSRError, ValueError):
    """A wrong option or argument (64)."""

    code = "E-USAGE"
    exit_code = 64


class UnknownScaleError(UsageError):
    """A scale that no plan or no weights can serve (64)."""

    code = "E-SCALE"


class UnknownPresetError(UsageError):
    """A preset name that the registry does not hold (64)."""

    code = "E-PRESET"


class DataError(GuidedSRError, ValueError):
    """A file or array whose content cannot be used (65)."""

    code = "E-DATA"
    exit_code = 65


class GeometryError(DataError):
    """Affines, fields of view or grids that do not fit (65)."""

    code = "E-GEOM"


class RegistrationError(GeometryError):
    """A registration that has found no place to be trusted (65)."""


class WeightsError(DataError):
    """Weights that are damaged or made for another network (65)."""

    code = "E-WEIGHTS"


class MissingInputError(GuidedSRError):
    """An input that is not there or may not be read (66)."""

    code = "E-INPUT"
    exit_code = 66


class ClusterError(GuidedSRError):
    """The machines that were to do the work are not there, or no longer (71)."""

    code = "E-CLUSTER"
    exit_code = 71


class CannotCreateError(GuidedSRError):
    """An output that may not be created or replaced (73)."""

    code = "E-OUTPUT"
    exit_code = 73


class IOFailure(GuidedSRError):  # noqa: N818 - the name states the class of failure
    """Reading or writing failed half-way: disk full, quota, network drive (74)."""

    code = "E-IO"
    exit_code = 74


class TryAgainError(GuidedSRError):
    """A temporary condition: the same command may succeed later (75)."""

    code = "E-RETRY"
    exit_code = 75


class ReportError(GuidedSRError):
    """The work is done and kept, but its picture or report failed (1)."""

    code = "E-REPORT"


_OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of Python or of a framework, says that memory is short."""
    if isinstance(error, MemoryError):
        return True
    if type(error).__name__ not in _OUT_OF_MEMORY:
        return False
    return type(error).__name__ != "XlaRuntimeError" or "RESOURCE_EXHAUSTED" in str(
        error
    )


class GuidedSRWarning(UserWarning):
    """Something the reader should know, although the work goes on."""


def warn_user(
    what: str,
    *,
    path: PathLike | Sequence[PathLike] | None = None,
    mend: str = "",
    stacklevel: int = 3,
) -> None:
    """Issue a `GuidedSRWarning` in the form of the errors.

    Args:
        what: What was found and what is done about it.
        path: The file concerned, or several of them.
        mend: What the reader can do about it.
        stacklevel: As in `warnings.warn`; 3 points at the caller's caller.
    """
    text = _one_line(what, _path_text(path), mend)
    warnings.warn(text, GuidedSRWarning, stacklevel=stacklevel)


def split_mend(text: str) -> tuple[str, str]:
    """What is wrong and how to mend it, of the line of an error or a warning."""
    what, _, mend = text.rstrip(".").partition(_MEND)
    return what, mend


def _rebuild(
    kind: type[GuidedSRError],
    what: str,
    path: str | None,
    mend: str,
    code: str,
    exit_code: int,
) -> GuidedSRError:
    return kind(what, path=path, mend=mend, code=code, exit_code=exit_code)


def _path_text(path: PathLike | Sequence[PathLike] | None) -> str | None:
    if path is None:
        return None
    if isinstance(path, (str, os.PathLike)):
        return os.fspath(path)
    return ", ".join(os.fspath(one) for one in path) or None


def _one_line(what: str, path: str | None, mend: str) -> str:
    text = _printable(" ".join(what.split()).rstrip("."))
    if path:
        text = f"{text}: {_printable(path)}"
    if mend:
        text = f"{text}{_MEND}{_printable(' '.join(mend.split()).rstrip('.'))}"
    return text if text.endswith("?") else f"{text}."


def _printable(text: str) -> str:
    """Escape what could break the line or steer a terminal."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


@contextmanager
def noted_warnings() -> Iterator[list[str]]:
    """Note the package's warnings of a block, and still issue every warning after it.

    Yields:
        A list that holds their texts once the block has ended.
    """
    noted: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GuidedSRWarning)
        yield noted
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        if issubclass(one.category, GuidedSRWarning):
            noted.append(str(one.message))
