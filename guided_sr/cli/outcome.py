"""What an outcome is called: one line on standard error and an exit code."""

from __future__ import annotations

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


def refuse(error: BaseException) -> int:
    """Print one line and tell the exit code.

    Args:
        error: What a command raised. What is neither an error nor an interrupt is
            raised again.
    """
    if isinstance(error, KeyboardInterrupt):
        stopped = isinstance(error, Terminated)
        how = "terminated" if stopped else "interrupted"
        print_error("E-INTERRUPT", f"{how}; no half-written result was left behind.")
        return TERMINATED if stopped else INTERRUPTED
    known = _known(error)
    if known is not None:
        print_error(known.code, str(known))
        return known.exit_code
    if not isinstance(error, Exception):
        raise error
    text = f"unexpected {type(error).__name__}: {error}"[:400]
    mend = "run again with --debug and report what it prints, with guided-sr info"
    print_error("E-INTERNAL", str(GuidedSRError(text, mend=mend)))
    return INTERNAL


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
