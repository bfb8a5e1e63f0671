"""What an outcome is called: one line on standard error and an exit code."""

from __future__ import annotations

from collections.abc import Iterable

from guided_sr.cli.console import print_error
from guided_sr.errors import (
    GuidedSRError,
    IOFailure,
    TryAgainError,
    is_out_of_memory,
)

INTERNAL = 70
INTERRUPTED = 130
TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, what a batch system sends when a job's time is over."""


CAUSES_DIFFER = 1


def shared_code(codes: Iterable[int]) -> int:
    """Exit code of many: 0 if all are, else the one all failures share, or 1."""
    failed = {code for code in codes if code}
    if not failed:
        return 0
    return failed.pop() if len(failed) == 1 else CAUSES_DIFFER


def refuse(error: BaseException) -> int:
    """Print one line and tell the exit code.

    Args:
        error: What a command raised. What is neither an error nor an interrupt is
            raised again.
    """
    code, tag, text = describe(error)
    print_error(tag, text)
    return code


def describe(error: BaseException) -> tuple[int, str, str]:
    """Exit code, tag and line of what a command raised; see `refuse`."""
    if isinstance(error, KeyboardInterrupt):
        stopped = isinstance(error, Terminated)
        how = "terminated" if stopped else "interrupted"
        text = f"{how}; no half-written result was left behind."
        return TERMINATED if stopped else INTERRUPTED, "E-INTERRUPT", text
    known = _known(error)
    if known is not None:
        return known.exit_code, known.code, str(known)
    if not isinstance(error, Exception):
        raise error
    text = f"unexpected {type(error).__name__}: {error}"[:400]
    mend = "run again with --debug and report what it prints, with guided-sr info"
    return INTERNAL, "E-INTERNAL", str(GuidedSRError(text, mend=mend))


def _known(error: BaseException) -> GuidedSRError | None:
    if isinstance(error, GuidedSRError):
        return error
    if isinstance(error, OSError):
        name = error.filename if isinstance(error.filename, str) else None
        text = f"a file operation failed ({error.strerror or error})"
        return IOFailure(text, path=name, mend="check disk space and permission")
    if is_out_of_memory(error):
        return TryAgainError(
            "not enough memory",
            mend="close other programs, use --device cpu, or a larger machine",
        )
    return None
